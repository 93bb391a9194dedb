"""XML there and back: whose attributes, which order, and what a body of XML becomes."""

from decimal import Decimal

import pytest

from vantage_quickbooks.emulator.http.intuit_xml import from_xml, to_xml

HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<IntuitResponse xmlns="http://schema.intuit.com/finance/v3" time="T">'
)


def xml(record, name="Customer"):
    return to_xml({name: record, "time": "T"}).removeprefix(HEAD).removesuffix("</IntuitResponse>")


def test_what_a_class_inherits_comes_before_its_own():
    record = {"Taxable": True, "Balance": "0", "domain": "QBO", "sparse": False, "Id": "4", "DisplayName": "Ann & Co"}
    assert xml(record) == (
        '<Customer domain="QBO" sparse="false"><Id>4</Id><DisplayName>Ann &amp; Co</DisplayName>'
        "<Taxable>true</Taxable><Balance>0</Balance></Customer>"
    )


def test_a_reference_has_its_name_and_type_as_attributes():
    # quoted, March 2023: github.com/intuit/QuickBooks-V3-PHP-SDK/issues/477
    assert xml({"EntityRef": {"value": "1", "type": "Customer"}}, "AttachableRef") == (
        '<AttachableRef><EntityRef type="Customer">1</EntityRef></AttachableRef>'
    )
    assert xml({"CurrencyRef": {"value": "USD", "name": 'A "dollar"'}}) == (
        """<Customer><CurrencyRef name='A "dollar"'>USD</CurrencyRef></Customer>"""
    )


def test_a_list_is_its_items_and_nothing_is_an_empty_element():
    assert xml({"LinkedTxn": [], "SubTotalLineDetail": {}, "Line": [{"Id": "1"}, {"Id": "2"}]}, "Invoice") == (
        "<Invoice><SubTotalLineDetail/><Line><Id>1</Id></Line><Line><Id>2</Id></Line></Invoice>"
    )


def test_a_body_is_read_as_json_would_have_it():
    name, record = from_xml(
        '<Invoice xmlns="http://schema.intuit.com/finance/v3" sparse="true"><Id>7</Id><DocNumber>0042</DocNumber>'
        '<Line><Amount>22.50</Amount><SalesItemLineDetail><ItemRef name="Pump">11</ItemRef><Qty>3</Qty>'
        "</SalesItemLineDetail></Line><ApplyTaxAfterDiscount>false</ApplyTaxAfterDiscount></Invoice>"
    )
    assert (name, record) == (
        "Invoice",
        {
            "sparse": True,
            "Id": "7",
            "DocNumber": "0042",
            "Line": [
                {
                    "Amount": Decimal("22.50"),
                    "SalesItemLineDetail": {"ItemRef": {"value": "11", "name": "Pump"}, "Qty": Decimal(3)},
                }
            ],
            "ApplyTaxAfterDiscount": False,
        },
    )


@pytest.mark.parametrize("text", ["", "{}", "<Customer>", "<Customer><Balance>much</Balance></Customer>"])
def test_xml_that_is_not_a_record_is_refused(text):
    with pytest.raises(ValueError, match=r"no element|not well-formed|not a number"):
        from_xml(text)


def test_a_client_of_xml_writes_and_reads(client):
    headers = {"Content-Type": "application/xml", "Accept": "application/xml"}
    body = "<Customer><DisplayName>Ada &amp; Sons</DisplayName><Notes>hi</Notes></Customer>"
    made = client.post("customer", data=body, headers=headers)
    assert made.status_code == 200
    assert '<Customer domain="QBO" sparse="false"><Id>' in made.text
    assert "<DisplayName>Ada &amp; Sons</DisplayName>" in made.text
    refused = client.post("customer", data="<Customer", headers=headers)
    assert (refused.status_code, '<Error code="2010">' in refused.text) == (400, True)
