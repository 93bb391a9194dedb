"""What other people's live test suites, written against Intuit's sandbox, expect."""

import pytest

NAME = {"GivenName": "John", "FamilyName": "Smith"}


def test_a_page_of_tax_codes_has_the_three_of_the_united_states_in_addition(client):
    assert client.ids("SELECT * FROM TaxCode MAXRESULTS 1") == ["TAX", "NON", "CustomSalesTax", "2"]
    assert client.ids("SELECT * FROM TaxCode STARTPOSITION 2 MAXRESULTS 1") == ["3"]
    assert client.ids("SELECT * FROM TaxCode") == ["TAX", "NON", "CustomSalesTax", "2", "3"]
    assert client.ids("SELECT * FROM TaxCode WHERE Name = 'California' MAXRESULTS 1") == ["2"]


def test_an_exchange_rate_is_updated_by_its_currency(client, emulator):
    (rate,) = client.rows("SELECT * FROM ExchangeRate WHERE SourceCurrencyCode = 'EUR'")
    changed = client.post("exchangerate", json=rate | {"Rate": rate["Rate"] + 1}).json()["ExchangeRate"]
    assert (changed["Rate"], changed["SyncToken"]) == (rate["Rate"] + 1, "1")
    assert client.rows("SELECT * FROM ExchangeRate WHERE SourceCurrencyCode = 'EUR'") == [changed]
    assert client.get("exchangerate?sourcecurrencycode=EUR").json()["ExchangeRate"] == changed
    codes = {
        "5010": rate | {"Rate": 3},
        "610": {"SourceCurrencyCode": "XXX", "Rate": 1},
        "2020": {"SourceCurrencyCode": "EUR"},
    }
    for code, body in codes.items():
        assert client.post("exchangerate", json=body).json()["Fault"]["Error"][0]["code"] == code
    assert not emulator.crashes


def test_preferences_are_as_in_the_sandbox(client):
    found = client.get("preferences").json()["Preferences"]
    assert found["AccountingInfoPrefs"]["TaxYearMonth"] == "January"
    assert found["TimeTrackingPrefs"]["WorkWeekStartDate"] == "Monday"
    assert found["VendorAndPurchasesPrefs"]["BillableExpenseTracking"] is True
    assert found["OtherPrefs"]["NameValue"][0]["Name"] == "SalesFormsPrefs.DefaultCustomerMessage"


def test_a_social_security_number_is_not_shown(client):
    made = client.post("employee", json=NAME | {"SSN": "444-55-6666", "Organization": False}).json()["Employee"]
    assert (made["SSN"], made["DisplayName"]) == ("XXX-XX-XXXX", "John Smith")
    assert client.get(f"employee/{made['Id']}").json()["Employee"]["SSN"] == "XXX-XX-XXXX"


@pytest.mark.parametrize(("entity", "name"), [("estimate", "TrackingNum"), ("salesreceipt", "ShipDate")])
def test_properties_that_the_schema_lacks_are_accepted(client, entity, name):
    detail = {"ItemRef": {"value": "1"}, "Qty": 0, "UnitPrice": 0}
    line = {"Amount": 35, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    body = {"CustomerRef": {"value": "1"}, "Line": [line], name: ""}
    assert client.post(entity, json=body).status_code == 200
    assert client.post(entity, json=body | {"Nonsense": ""}).status_code == 400
