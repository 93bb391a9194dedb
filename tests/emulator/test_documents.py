"""PDF, mail and tax codes."""

import io
import json

import pytest
from pypdf import PdfReader

from vantage_quickbooks.emulator.http import pdf

NAMES = {"Invoice": "INVOICE", "Estimate": "ESTIMATE", "SalesReceipt": "SALES RECEIPT", "CreditMemo": "CREDIT MEMO"}
LINE = {"DetailType": "SalesItemLineDetail", "Amount": 100, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}


def read(content):
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


# ---- PDF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entity", [*NAMES, "RefundReceipt", "PurchaseOrder"])
def test_a_pdf_says_what_the_record_says(client, entity):
    for record in client.rows(f"SELECT * FROM {entity}"):  # noqa: S608 -- not SQL
        answer = client.get(f"{entity.lower()}/{record['Id']}/pdf", headers={"Accept": "application/pdf"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.content[:5] == b"%PDF-"
        (text,) = read(answer.content)
        assert pdf.FORMS[entity].title in text
        assert record["DocNumber"] in text
        assert f"{record['TotalAmt']:,.2f}" in text
        assert "Juniper & Finch Garden Works" in text
        party = record.get(pdf.FORMS[entity].party, {}).get("name", "")
        assert party.encode("latin-1", "replace")[:12].decode("latin-1") in text or "?" in party
        for line in record["Line"]:
            if line.get("Description"):
                assert line["Description"][:15] in text


def test_a_discount_has_its_percentage(client):
    discount = {"PercentBased": True, "DiscountPercent": 10}
    lines = [LINE, {"DetailType": "DiscountLineDetail", "Amount": 10, "DiscountLineDetail": discount}]
    made = client.post("estimate", json={"CustomerRef": {"value": "1"}, "Line": lines}).json()["Estimate"]
    (text,) = read(client.get(f"estimate/{made['Id']}/pdf").content)
    assert "Discount 10 %" in text
    assert "-10.00" in text


def test_the_same_invoice_gives_the_same_pdf(client):
    assert client.get("invoice/101/pdf").content == client.get("invoice/101/pdf").content


def test_a_long_invoice_has_many_pages(client):
    lines = [LINE | {"Description": f"Line {number}: {'long text ' * 30}"} for number in range(120)]
    made = client.post("invoice", json={"CustomerRef": {"value": "1"}, "Line": lines}).json()["Invoice"]
    pages = read(client.get(f"invoice/{made['Id']}/pdf").content)
    assert len(pages) > 5
    text = " ".join("".join(pages).split())
    assert [number for number in range(120) if f"Line {number}:" not in text] == []
    assert "12,000.00" in pages[-1]


@pytest.mark.parametrize(
    ("path", "code"), [("invoice/98765/pdf", "610"), ("invoice/x/pdf", "2030"), ("vendor/1/pdf", "500")]
)
def test_what_has_no_pdf_is_refused(client, path, code):
    answer = client.get(path)
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, code)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"Line": 5, "BillAddr": [], "TotalAmt": "x", "CustomerRef": "1", "CustomerMemo": 5, "TxnTaxDetail": 7},
        {"Line": [5, {}, {"DetailType": 5}, {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": 5}]},
        {"Line": [{"Description": 5, "Amount": "NaN", "DetailType": "X", "X": {"Qty": [], "UnitPrice": {}}}]},
        {"DocNumber": "\u65e5\u672c \U0001f600\n\x00", "TotalAmt": 1e300, "CurrencyRef": {"value": {}}},
        {"CustomerMemo": {"value": "x" * 5000}, "Line": [{"Description": "y" * 9000}]},
    ],
)
def test_any_record_can_be_drawn(record):
    for entity in pdf.FORMS:
        assert read(pdf.render(entity, record, {"CompanyName": 5, "Email": 5, "CompanyAddr": "x"}))


# ---- mail ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entity", ["Invoice", "Estimate", "SalesReceipt", "CreditMemo"])
def test_a_transaction_is_sent_by_mail(client, emulator, entity):
    record = client.rows(f"SELECT * FROM {entity} MAXRESULTS 1")[0]  # noqa: S608 -- not SQL
    answer = client.post(
        f"{entity.lower()}/{record['Id']}/send?sendTo=mira%40lund.example",
        headers={"Content-Type": "application/octet-stream"},
    )
    sent = answer.json()[entity]
    assert (sent["EmailStatus"], sent["BillEmail"], int(sent["SyncToken"])) == (
        "EmailSent",
        {"Address": "mira@lund.example"},
        int(record["SyncToken"]) + 1,
    )
    assert sent["DeliveryInfo"]["DeliveryType"] == "Email"
    assert sent["DeliveryInfo"]["DeliveryTime"] == sent["MetaData"]["LastUpdatedTime"]
    assert emulator.read(entity, record["Id"])["DeliveryInfo"] == sent["DeliveryInfo"]


def test_without_an_address_it_goes_to_the_one_of_the_record(client):
    body = {"CustomerRef": {"value": "1"}, "Line": [LINE], "BillEmail": {"Address": "mira@lund.example"}}
    made = client.post("invoice", json=body).json()["Invoice"]
    assert client.post(f"invoice/{made['Id']}/send").json()["Invoice"]["BillEmail"]["Address"] == "mira@lund.example"
    for to in ("", "nobody", "a@b@c", "a b@c", "@", "a@" + "x" * 400):
        answer = client.post(f"invoice/{made['Id']}/send", params={"sendTo": to})
        assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, "6000")
    assert client.post("invoice/98765/send").json()["Fault"]["Error"][0]["code"] == "610"
    assert client.post("vendor/1/send").json()["Fault"]["Error"][0]["code"] == "500"


def test_mail_is_notified_as_emailed(client, emulator):
    emulator.subscribe("http://127.0.0.1:9/", entities=["Invoice"], merge_s=3_600)
    client.post("invoice/101/send?sendTo=mira%40lund.example")
    (waiting,) = (event for one in emulator.webhooks._subscriptions.values() for event in one.waiting)
    assert (waiting.entity, waiting.id, waiting.operation) == ("Invoice", "101", "Emailed")


# ---- TaxService ------------------------------------------------------------------------------------------------------


def detail(**changes):
    return {"TaxRateName": "Alameda", "RateValue": 10.25, "TaxAgencyId": 1, "TaxApplicableOn": "Sales"} | changes


def create(client, name="Alameda County", *details, **options):
    return client.post("taxservice/taxcode", json={"TaxCode": name, "TaxRateDetails": list(details)}, **options)


def test_a_tax_code_is_created_with_its_rates(client):
    answer = create(client, "Alameda County", detail(), {"TaxRateId": "3", "TaxApplicableOn": "Purchase"})
    assert answer.status_code == 200
    made = answer.json()
    assert list(made) == ["TaxCode", "TaxCodeId", "TaxRateDetails"]
    new, known = made["TaxRateDetails"]
    assert new == detail(TaxRateId=new["TaxRateId"], TaxAgencyId="1")
    assert (known["TaxRateName"], known["TaxRateId"]) == ("California", "3")
    rate = client.get(f"taxrate/{new['TaxRateId']}").json()["TaxRate"]
    assert (rate["Name"], rate["RateValue"], rate["AgencyRef"]) == ("Alameda", 10.25, {"value": "1"})
    code = client.get(f"taxcode/{made['TaxCodeId']}").json()["TaxCode"]
    assert code["SalesTaxRateList"]["TaxRateDetail"][0]["TaxRateRef"] == {"value": new["TaxRateId"], "name": "Alameda"}
    assert code["PurchaseTaxRateList"]["TaxRateDetail"][0]["TaxRateRef"]["value"] == "3"
    assert client.ids("SELECT * FROM TaxCode WHERE Name = 'Alameda County'") == [made["TaxCodeId"]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "2010"),
        ({}, "2020"),
        ({"TaxCode": 5, "TaxRateDetails": []}, "2020"),
        ({"TaxCode": "A", "TaxRateDetails": []}, "2020"),
        ({"TaxCode": "A", "TaxRateDetails": [5]}, "2010"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(RateValue=None)]}, "2020"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(RateValue="x")]}, "6000"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(RateValue=-1)]}, "6000"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(RateValue=[])]}, "6000"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(TaxAgencyId=99)]}, "2500"),
        ({"TaxCode": "A", "TaxRateDetails": [{"TaxRateId": "99"}]}, "2500"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(TaxApplicableOn="Gifts")]}, "6000"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(TaxApplicableOn=["Sales"])]}, "6000"),
        ({"TaxCode": "California", "TaxRateDetails": [detail()]}, "6240"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(TaxRateName="California")]}, "6240"),
        ({"TaxCode": "A", "TaxRateDetails": [detail(), detail()]}, "6240"),
    ],
)
def test_an_invalid_tax_code_is_refused_and_leaves_nothing(client, emulator, body, code):
    before = emulator.company().counts()
    answer = client.post("taxservice/taxcode", json=body)
    assert (answer.status_code, answer.json()["Fault"]["Error"][0]["code"]) == (400, code)
    assert emulator.company().counts() == before


# ---- records of every entity -----------------------------------------------------------------------------------------


def put(client, entity, record):
    return client.control("PUT", "records", json={"entity": entity, "record": record})


def test_records_of_every_entity_can_be_loaded(client, emulator):
    rate = {"SourceCurrencyCode": "NOK", "TargetCurrencyCode": "USD", "Rate": 0.095, "AsOfDate": "2026-05-01"}
    assert put(client, "ExchangeRate", rate).status_code == 200
    assert put(client, "ExchangeRate", rate | {"Rate": 0.1}).json()["Rate"] == 0.1
    read_ = client.get("exchangerate?sourcecurrencycode=NOK").json()["ExchangeRate"]
    assert (read_["Rate"], "Id" in read_) == (0.1, False)
    assert len(client.rows("SELECT * FROM ExchangeRate WHERE SourceCurrencyCode = 'NOK'")) == 1
    made = put(client, "TaxCode", {"Name": "Oslo", "Taxable": True}).json()
    assert client.get(f"taxcode/{made['Id']}").json()["TaxCode"]["Name"] == "Oslo"
    assert put(client, "TaxRate", {"Id": "77", "Name": "MVA", "RateValue": 25}).json()["SyncToken"] == "0"
    assert client.get("taxrate/77").json()["TaxRate"]["RateValue"] == 25
    old = {"MetaData": {"CreateTime": "2020-01-01T00:00:00Z", "LastUpdatedTime": "2020-01-02T00:00:00Z"}}
    loaded = put(client, "Invoice", {"Id": "101", "SyncToken": "9", "TotalAmt": 5, "Balance": 5} | old).json()
    assert (loaded["SyncToken"], emulator.read("Invoice", "101")["TotalAmt"]) == ("9", 5)
    put(client, "Customer", {"Id": "500", "DisplayName": "Far away"})
    assert client.post("customer", json={"DisplayName": "The next"}).json()["Customer"]["Id"] == "501"
    template = put(client, "RecurringTransaction", {"Bill": {"RecurringInfo": {"Name": "Rent"}}}).json()
    assert template["RecurringInfo"] == {"Name": "Rent"}
    wrapped = client.get(f"recurringtransaction/{template['Id']}").json()["RecurringTransaction"]
    assert list(wrapped) == ["Bill"]


@pytest.mark.parametrize(
    ("entity", "record"),
    [
        ("Planet", {}),
        ("ExchangeRate", {}),
        ("RecurringTransaction", {"Name": "x"}),
        ("Customer", {"Id": "1", "DisplayName": 5}),
        ("Invoice", {"MetaData": {"CreateTime": "yesterday"}}),
        ("Invoice", {"Balance": "much"}),
        ("Invoice", {"MetaData": 5}),
        ("Invoice", {"CustomerRef": "1"}),
    ],
)
def test_an_unusable_record_is_refused(client, emulator, entity, record):
    answer = put(client, entity, record)
    assert answer.status_code == 400, json.dumps(answer.json())
    assert not emulator.crashes
