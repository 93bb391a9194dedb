"""Every entity that the API lists: its operations work, and other operations are refused."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import copy

import pytest

from vantage_quickbooks.emulator.company.entities import ENTITIES

SALE = {
    "Amount": 100,
    "DetailType": "SalesItemLineDetail",
    "SalesItemLineDetail": {"ItemRef": {"value": "1"}, "UnitPrice": 25, "Qty": 4},
}
EXPENSE = {
    "Amount": 40,
    "DetailType": "AccountBasedExpenseLineDetail",
    "AccountBasedExpenseLineDetail": {"AccountRef": {"value": "12"}},
}
DEPOSIT = {"Amount": 7, "DetailType": "DepositLineDetail", "DepositLineDetail": {"AccountRef": {"value": "4"}}}
CUSTOMER = {"value": "1"}
CHECKING, CARDS = {"value": "5"}, {"value": "16"}


def journal(posting):
    return {
        "Amount": 10,
        "DetailType": "JournalEntryLineDetail",
        "JournalEntryLineDetail": {"PostingType": posting, "AccountRef": {"value": "12"}},
    }


# The properties that a create requires by Intuit's page of the entity; {vendor} is replaced by an existing vendor.
CREATES = {
    "Account": {"Name": "Petty cash", "AccountType": "Bank"},
    "Attachable": {"Note": "a note", "FileName": "plan.txt"},
    "Bill": {"VendorRef": "{vendor}", "Line": [EXPENSE]},
    "BillPayment": {
        "VendorRef": "{vendor}",
        "TotalAmt": 5,
        "PayType": "Check",
        "CheckPayment": {"BankAccountRef": CHECKING},
        "Line": [{"Amount": 5, "LinkedTxn": [{"TxnId": "{bill}", "TxnType": "Bill"}]}],
    },
    "Budget": {"Name": "Next year", "StartDate": "2027-01-01", "EndDate": "2027-12-31", "BudgetType": "ProfitAndLoss"},
    "ChangeOrder": {"CustomerRef": CUSTOMER, "Line": [SALE]},
    "Class": {"Name": "North"},
    "CompanyCurrency": {"Code": "GBP"},
    "CreditCardPaymentTxn": {"CreditCardAccountRef": CARDS, "BankAccountRef": CHECKING, "Amount": 3},
    "CreditMemo": {"CustomerRef": CUSTOMER, "Line": [SALE]},
    "Customer": {"DisplayName": "Mira Lund"},
    "Department": {"Name": "Nursery"},
    "Deposit": {"DepositToAccountRef": CHECKING, "Line": [DEPOSIT]},
    "Employee": {"GivenName": "Nils", "FamilyName": "Holm"},
    "Estimate": {"CustomerRef": CUSTOMER, "Line": [SALE]},
    "InventoryAdjustment": {"AdjustAccountRef": CHECKING, "PrivateNote": "counted"},
    "Invoice": {"CustomerRef": CUSTOMER, "Line": [SALE]},
    "Item": {"Name": "Birdhouse", "IncomeAccountRef": {"value": "14"}},
    "JournalCode": {"Name": "AC", "Type": "Others"},
    "JournalEntry": {"Line": [journal("Debit"), journal("Credit")]},
    "Payment": {"CustomerRef": CUSTOMER, "TotalAmt": 20},
    "PaymentMethod": {"Name": "Barter"},
    "Purchase": {"AccountRef": CHECKING, "PaymentType": "Cash", "Line": [EXPENSE]},
    "PurchaseOrder": {"VendorRef": "{vendor}", "Line": [EXPENSE]},
    "RecurringTransaction": {
        "Bill": {
            "VendorRef": {"value": "1"},
            "Line": [EXPENSE],
            "RecurringInfo": {"Name": "Every month", "RecurType": "Reminder", "Active": True},
        }
    },
    "RefundReceipt": {"DepositToAccountRef": CHECKING, "CustomerRef": CUSTOMER, "Line": [SALE]},
    "SalesReceipt": {"CustomerRef": CUSTOMER, "Line": [SALE]},
    "TaxAgency": {"DisplayName": "Board of Equalization"},
    "Term": {"Name": "Net 90", "DueDays": 90},
    "TimeActivity": {"NameOf": "Employee", "Hours": 2},
    "Transfer": {"FromAccountRef": CHECKING, "ToAccountRef": {"value": "4"}, "Amount": 12},
    "Vendor": {"DisplayName": "Sage Supply"},
    "VendorCredit": {"VendorRef": "{vendor}", "Line": [EXPENSE]},
}
TOTALS = {
    "Bill": 40,
    "ChangeOrder": 100,
    "CreditMemo": 100,
    "Deposit": 7,
    "Estimate": 100,
    "Invoice": 100,
    "JournalEntry": 0,
    "Purchase": 40,
    "PurchaseOrder": 40,
    "RefundReceipt": 100,
    "SalesReceipt": 100,
    "VendorCredit": 40,
}
EVERY = sorted(ENTITIES)


def code(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["Fault"]["Error"][0]["code"]


def fault(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["Fault"]["Error"][0]


def body_of(name, emulator):
    body = copy.deepcopy(CREATES[name])
    if body.get("VendorRef") == "{vendor}":
        body["VendorRef"] = {"value": emulator.create("Vendor", {"DisplayName": "Thyme & Co"})["Id"]}
    if name == "BillPayment":
        bill = emulator.create("Bill", {"VendorRef": body["VendorRef"], "Line": [EXPENSE]})
        body["Line"][0]["LinkedTxn"][0]["TxnId"] = bill["Id"]
    return body


def make(client, emulator, name):
    answer = client.post(ENTITIES[name].path, json=body_of(name, emulator))
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == [name, "time"]
    return inside(name, answer.json()[name])


def inside(name, record):
    """Return the record inside a recurring transaction's template; of all others, the record itself."""
    return next(iter(record.values())) if name == "RecurringTransaction" else record


# What only some of a query, a read and a write return: test_views.py.
_VARYING = {
    "Customer": {"ClientEntityId", "DefaultTaxCodeRef", "V4IDPseudonym"},
    "Item": {"DeferredRevenue"},
    "Vendor": {"BillRate", "CostRate"},
}


def common(name, record):
    """Return what a query, a read and a write of a record all return."""
    record = {key: value for key, value in record.items() if key not in _VARYING.get(name, ())}
    if name == "Account":  # the response to its create lacks LastUpdatedTime
        record["MetaData"] = {"CreateTime": record["MetaData"]["CreateTime"]}
    return record


def can(letter):
    return [name for name in EVERY if letter in ENTITIES[name].operations]


def cannot(letter):
    return [name for name in EVERY if letter not in ENTITIES[name].operations]


def test_every_entity_that_can_be_made_is_made_here():
    assert can("C") == sorted(CREATES)


@pytest.mark.parametrize("name", can("C"))
def test_what_is_made_is_read_queried_and_counted(client, emulator, name):
    before = client.query(f"select count(*) from {name}").json()["QueryResponse"]["totalCount"]
    made = make(client, emulator, name)
    assert (made["domain"], made["sparse"], made["SyncToken"]) == ("QBO", False, "0")
    assert set(made["MetaData"]) - {"LastModifiedByRef"} == {"CreateTime", "LastUpdatedTime"} - (
        {"LastUpdatedTime"} if name == "Account" else set()
    )
    assert made["MetaData"]["CreateTime"] == made["MetaData"].get("LastUpdatedTime", made["MetaData"]["CreateTime"])
    assert None not in made.values()
    if name in TOTALS:
        assert made["TotalAmt"] == TOTALS[name]
    path = ENTITIES[name].path
    assert common(name, inside(name, client.get(f"{path}/{made['Id']}").json()[name])) == common(name, made)
    rows = client.rows(f"select * from {name.lower()} where Id = '{made['Id']}'")
    assert [common(name, inside(name, row)) for row in rows] == [common(name, made)]
    assert client.query(f"SELECT COUNT(*) FROM {name}").json()["QueryResponse"]["totalCount"] == before + 1


_TEXTS = {
    "Attachable": "Note",
    "Budget": "BudgetEntryType",
    "Customer": "PrintOnCheckName",
    "TimeActivity": "Description",
    "Vendor": "PrintOnCheckName",
}
"""A text that can be changed, of entities without PrivateNote and of two name lists."""


@pytest.mark.parametrize(
    "name", [name for name in can("U") if "C" in ENTITIES[name].operations and name != "RecurringTransaction"]
)
def test_what_may_be_updated_is(client, emulator, name):
    made = make(client, emulator, name)
    emulator.advance(5)
    field = "PrivateNote" if not ENTITIES[name].is_name_list else "Active"
    field = _TEXTS.get(name, field)
    value = False if field == "Active" else "changed"
    sent = {"Id": made["Id"], "SyncToken": "0", "sparse": True, field: value}
    updated = client.post(ENTITIES[name].path, json=sent).json()[name]
    assert (updated[field], updated["SyncToken"], updated["sparse"]) == (value, "1", False)
    assert updated["MetaData"]["CreateTime"] == made["MetaData"]["CreateTime"]
    assert updated["MetaData"]["LastUpdatedTime"] > made["MetaData"]["CreateTime"]
    unchanged = set(made) - {field, "SyncToken", "MetaData", ENTITIES[name].name_property, "FullyQualifiedName"}
    assert {key: made[key] for key in unchanged} == {key: updated[key] for key in unchanged}
    assert code(client.post(ENTITIES[name].path, json=sent)) == "5010"
    full = {"Id": made["Id"], "SyncToken": "1"} | body_of(name, _Known(made))
    again = client.post(ENTITIES[name].path, json=full).json()[name]
    assert again["SyncToken"] == "2"
    assert "changed" not in str(again)


class _Known:
    """Replaces the emulator if the vendor exists already."""

    def __init__(self, made):
        self.made = made

    def create(self, entity, _):
        links = [link for line in self.made["Line"] for link in line.get("LinkedTxn", [])]
        return {"Id": links[0]["TxnId"] if entity == "Bill" else self.made["VendorRef"]["value"]}


@pytest.mark.parametrize("name", can("D"))
def test_what_may_be_deleted_is(client, emulator, name):
    made = make(client, emulator, name)
    path = ENTITIES[name].path
    key = {"Id": made["Id"], "SyncToken": "0"}
    assert code(client.post(path, params={"operation": "delete"}, json=key | {"SyncToken": "7"})) == "5010"
    answer = client.post(path, params={"operation": "delete"}, json=key)
    assert answer.json()[name] == {"domain": "QBO", "status": "Deleted", "Id": made["Id"]}
    assert code(client.post(path, params={"operation": "delete"}, json=key)) == "610"
    assert code(client.get(f"{path}/{made['Id']}")) == "610"
    assert client.rows(f"select * from {name} where Id = '{made['Id']}'") == []


@pytest.mark.parametrize("name", [name for name in can("C") if ENTITIES[name].is_name_list and name in can("U")])
def test_a_name_is_hidden_and_never_deleted(client, emulator, name):
    made = make(client, emulator, name)
    key = {"Id": made["Id"], "SyncToken": "0"}
    refused = fault(client.post(ENTITIES[name].path, params={"operation": "delete"}, json=key))
    assert (refused["code"], refused["Detail"]) == ("500", "Operation delete is not supported.")
    naming = ENTITIES[name].name_property
    gone = client.post(ENTITIES[name].path, json=key | {"sparse": True, "Active": False}).json()[name]
    assert gone[naming] == f"{made[naming]} (deleted)"
    assert client.rows(f"select * from {name} where Id = '{made['Id']}'") == []
    assert (
        client.rows(f"select * from {name} where Id = '{made['Id']}' and Active in (true, false)")[0][naming]
        == gone[naming]
    )
    assert common(name, client.get(f"{ENTITIES[name].path}/{made['Id']}").json()[name]) == common(name, gone)
    # the name is free again, and then not for the one that had it
    assert make(client, emulator, name)[naming] == made[naming]
    back = {"Id": made["Id"], "SyncToken": "1", "sparse": True, "Active": True}
    assert code(client.post(ENTITIES[name].path, json=back)) == "6240"


@pytest.mark.parametrize("name", [name for name in cannot("C") if "U" not in ENTITIES[name].operations])
def test_what_cannot_be_written_is_refused(client, name):
    for body in ({"Name": "x"}, {"Id": "1", "SyncToken": "0"}):
        error = fault(client.post(ENTITIES[name].path, json=body))
        assert (error["code"], error["Message"], error["element"]) == ("500", "Unsupported Operation", "Operation")
        assert error["Detail"] == "Operation update is not supported."


@pytest.mark.parametrize("name", [name for name in cannot("V") if name != "Bill"])
def test_what_cannot_be_voided_is_refused_as_recorded(client, name):
    answer = client.post(ENTITIES[name].path, params={"operation": "void"}, json={"Id": "1", "SyncToken": "0"})
    error = fault(answer)
    assert answer.json()["Fault"]["type"] == "ValidationFault"
    assert (error["code"], error["Detail"]) == ("500", "Operation void is not supported.")


def test_the_void_of_a_bill_fails_with_status_200(client):
    """BenBranson, August 2026 (transcribed/200-systemfault-2026)."""
    answer = client.post("bill", params={"operation": "void"}, json={"Id": "1", "SyncToken": "0"})
    fault = answer.json()["Fault"]
    assert (answer.status_code, fault["type"], fault["Error"][0]["code"]) == (200, "SystemFault", "10000")


@pytest.mark.parametrize("name", can("V"))
@pytest.mark.parametrize("parameters", [{"operation": "void"}, {"operation": "update", "include": "void"}])
def test_a_void_keeps_the_record_and_sets_its_amounts_to_zero(client, emulator, name, parameters):
    made = make(client, emulator, name)
    key = {"Id": made["Id"], "SyncToken": "0"}
    voided = client.post(ENTITIES[name].path, params=parameters, json=key).json()[name]
    assert (voided["TotalAmt"], voided["PrivateNote"], voided["SyncToken"]) == (0, "Voided", "1")
    assert not any(line["Amount"] for line in voided.get("Line", []))
    assert voided.get("DocNumber") == made.get("DocNumber")
    assert code(client.post(ENTITIES[name].path, params=parameters, json=key)) == "5010"


@pytest.mark.parametrize("name", EVERY)
def test_an_unknown_record_is_not_found(client, name):
    path = ENTITIES[name].path
    assert code(client.get(f"{path}/987654321")) == "610"
    if "U" in ENTITIES[name].operations:
        refused = client.post(path, json={"Id": "987654321", "SyncToken": "0", "sparse": True})
        assert code(refused) == "610"


@pytest.mark.parametrize("name", sorted(set(CREATES) - {"Attachable", "Budget", "InventoryAdjustment"}))
def test_a_create_without_a_required_property_is_refused(client, name):
    error = fault(client.post(ENTITIES[name].path, json={}))
    assert error["code"] == "2020"
    assert error["Detail"] == f"Required parameter {error['element']} is missing in the request"


def test_a_name_is_taken_once_in_any_case(client, emulator):
    for name, naming in (("Class", "Name"), ("Item", "Name"), ("Term", "Name"), ("Employee", "DisplayName")):
        made = make(client, emulator, name)
        again = body_of(name, emulator) | {naming: made[naming].upper()}
        assert code(client.post(ENTITIES[name].path, json=again)) == "6240"


def test_a_recurring_transaction_is_wrapped_in_the_type_of_its_template(client, emulator):
    made = make(client, emulator, "RecurringTransaction")
    assert {"DocNumber", "DueDate", "TxnDate"}.isdisjoint(made)
    assert (made["VendorRef"]["name"], made["TotalAmt"]) == ("Bayline Telecom", 40)
    owed = client.get("vendor/1").json()["Vendor"]["Balance"]
    assert client.rows(f"select RecurringInfo from RecurringTransaction where Id = '{made['Id']}'") == [
        {"Bill": {"RecurringInfo": made["RecurringInfo"], "domain": "QBO", "sparse": True, "Id": made["Id"]}}
    ]
    key = {"Bill": {"Id": made["Id"], "SyncToken": "0"}}
    gone = client.post("recurringtransaction", params={"operation": "delete"}, json=key)
    assert gone.json()["RecurringTransaction"]["status"] == "Deleted"
    assert client.get("vendor/1").json()["Vendor"]["Balance"] == owed
    for body in ({"Bill": {"VendorRef": {"value": "1"}}}, {"Vendor": {"DisplayName": "x"}}):
        assert code(client.post("recurringtransaction", json=body)) == "2020"


def test_a_recurring_transaction_is_updated_inside_its_template(client, emulator):
    """As in a live test of python-quickbooks: the read record is changed and sent back."""
    made = make(client, emulator, "RecurringTransaction")
    read = client.get(f"recurringtransaction/{made['Id']}").json()["RecurringTransaction"]
    assert read == {"Bill": made}
    read["Bill"]["Line"][0]["Amount"] = 250
    read["Bill"]["RecurringInfo"]["Name"] = "Every year"
    changed = client.post("recurringtransaction", json=read).json()["RecurringTransaction"]["Bill"]
    assert (changed["TotalAmt"], changed["SyncToken"], changed["RecurringInfo"]["Name"]) == (250, "1", "Every year")
    assert changed["RecurDataRef"] == made["RecurDataRef"]
    assert code(client.post("recurringtransaction", json=read)) == "5010"
    found = client.rows(f"select * from RecurringTransaction where Type = 'Bill' and Id = '{made['Id']}'")
    assert found == [{"Bill": changed}]
    refused = fault(client.post("recurringtransaction", json={"Bill": {"RecurringInfo": {"Name": "x"}, "Colour": 1}}))
    assert (refused["code"], "class com.intuit.schema.finance.v3.Bill" in refused["Detail"]) == ("2010", True)
    other = {"Invoice": changed | {"SyncToken": "1"}}
    assert code(client.post("recurringtransaction", json=other)) == "2010"  # a bill's properties


def test_preferences_have_no_id_in_their_path_and_no_create(client):
    read = client.get("preferences").json()["Preferences"]
    assert client.rows("select * from Preferences") == [read]
    assert read["CurrencyPrefs"]["HomeCurrency"] == {"value": "USD"}
    forms = read["SalesFormsPrefs"] | {"AllowDeposit": True}
    sent = {"SyncToken": read["SyncToken"], "sparse": True, "SalesFormsPrefs": forms}
    updated = client.post("preferences", json=sent).json()["Preferences"]
    assert (updated["SalesFormsPrefs"]["AllowDeposit"], updated["SyncToken"]) == (True, "3")
    assert updated["TaxPrefs"] == read["TaxPrefs"]
    assert code(client.post("preferences", json=sent)) == "5010"
    assert code(client.post("preferences", json={"SalesFormsPrefs": forms})) == "2020"


def test_company_info_is_updated_with_its_own_id(client, emulator):
    path = f"companyinfo/{emulator.realm_id}"
    read = client.get(path).json()["CompanyInfo"]
    sent = {"Id": "1", "SyncToken": read["SyncToken"], "sparse": True, "LegalName": "Juniper & Finch Inc"}
    updated = client.post("companyinfo", json=sent).json()["CompanyInfo"]
    assert (updated["LegalName"], updated["CompanyName"]) == ("Juniper & Finch Inc", read["CompanyName"])
    assert client.get(path).json()["CompanyInfo"] == updated
    assert code(client.post("companyinfo", json=sent)) == "5010"
    key = {"Id": "1", "SyncToken": updated["SyncToken"]}
    assert code(client.post("companyinfo", params={"operation": "delete"}, json=key)) == "500"


def test_a_company_whose_time_zone_changed_uses_the_new_one(client, emulator):
    emulator.update("CompanyInfo", {"Id": "1", "DefaultTimeZone": "Asia/Tokyo"})
    answer = client.get("customer/1").json()
    assert answer["time"].endswith("+09:00")
    made = emulator.create("Customer", {"DisplayName": "Mira Lund"})
    assert made["MetaData"]["CreateTime"].endswith("+09:00")


def test_forms_share_a_sequence_of_numbers(client, emulator):
    last = int(client.rows("select * from Invoice orderby DocNumber desc maxresults 1")[0]["DocNumber"])
    numbers = [make(client, emulator, name)["DocNumber"] for name in ("Invoice", "CreditMemo", "SalesReceipt")]
    assert [int(number) for number in numbers] == [last + 1, last + 2, last + 3]
    estimates = [int(row["DocNumber"]) for row in client.rows("select * from Estimate")]
    assert make(client, emulator, "Estimate")["DocNumber"] == str(max(estimates) + 1)
    emulator.create("Invoice", CREATES["Invoice"] | {"DocNumber": "5000"})
    assert make(client, emulator, "Invoice")["DocNumber"] == "5001"


def test_references_come_back_with_their_names(client, emulator):
    invoice = make(client, emulator, "Invoice")
    detail = invoice["Line"][0]["SalesItemLineDetail"]
    assert detail["ItemRef"] == {"value": "1", "name": "Garden design"}
    assert detail["ItemAccountRef"] == {"value": "11", "name": "Design income"}
    assert invoice["CustomerRef"]["name"] == "Alder Street Books"
    assert invoice["ShipFromAddr"]["Line2"] == "Alameda, CA  94501"
    assert make(client, emulator, "Deposit")["DepositToAccountRef"]["name"] == "Checking"


def test_a_bill_and_its_payment_change_the_vendors_balance(client, emulator):
    bill = make(client, emulator, "Bill")
    vendor = bill["VendorRef"]["value"]
    assert client.get(f"vendor/{vendor}").json()["Vendor"]["Balance"] == 40
    link = {"TxnId": bill["Id"], "TxnType": "Bill"}
    body = {
        "VendorRef": {"value": vendor},
        "PayType": "Check",
        "TotalAmt": 15,
        "Line": [{"Amount": 15, "LinkedTxn": [link]}],
    }
    payment = client.post("billpayment", json=body).json()["BillPayment"]
    part = client.get(f"bill/{bill['Id']}").json()["Bill"]
    assert (part["Balance"], part["LinkedTxn"]) == (25, [{"TxnId": payment["Id"], "TxnType": "BillPaymentCheck"}])
    assert client.get(f"vendor/{vendor}").json()["Vendor"]["Balance"] == 25
    key = {"Id": payment["Id"], "SyncToken": "0"}
    client.post("billpayment", params={"operation": "update", "include": "void"}, json=key)
    assert client.get(f"bill/{bill['Id']}").json()["Bill"]["Balance"] == 40
