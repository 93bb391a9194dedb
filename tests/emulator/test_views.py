"""What a query, a read and a write of one record return: recorded differences, and what a write computes."""

import json
import re
from decimal import Decimal

import pytest

SALE = {"Amount": 100, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
EXPENSE = {
    "Amount": 40,
    "DetailType": "AccountBasedExpenseLineDetail",
    "AccountBasedExpenseLineDetail": {"AccountRef": {"value": "60"}},
}
CUSTOMER = {"value": "1"}


def write(client, path, body, **parameters):
    answer = client.post(path, json=body, params=parameters)
    assert answer.status_code == 200, answer.text
    return next(iter(answer.json().values()))


def read(client, path, **parameters):
    return next(iter(client.get(path, params=parameters).json().values()))


def queried(client, name, id_):
    (row,) = client.rows(f"select * from {name} where Id = '{id_}'")  # noqa: S608 -- Intuit's language
    return row


def fault(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["Fault"]["Error"][0]


def seen_by(client, name, body, keys):
    """Return which of some keys a create, an update that changes something, a read and a query return."""
    path = name.lower()
    made = write(client, path, body)
    changed = write(
        client, path, {"Id": made["Id"], "SyncToken": "0", "sparse": True, "PrintOnCheckName": "x", "Sku": "x"}
    )
    rows = made, changed, read(client, f"{path}/{made['Id']}"), queried(client, name, made["Id"])
    return [[key for key in keys if key in row] for row in rows]


def test_a_customer_differs_between_writes_reads_and_queries(client, emulator):
    keys = ("ClientEntityId", "V4IDPseudonym", "DefaultTaxCodeRef")
    made = write(client, "customer", {"DisplayName": "Mira Lund"})
    changed = write(client, "customer", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Notes": "x"})
    rows = made, changed, read(client, f"customer/{made['Id']}"), queried(client, "Customer", made["Id"])
    assert [[key for key in keys if key in row] for row in rows] == [
        ["DefaultTaxCodeRef"],
        ["DefaultTaxCodeRef"],
        ["V4IDPseudonym", "DefaultTaxCodeRef"],
        ["ClientEntityId", "V4IDPseudonym"],
    ]
    assert (rows[3]["ClientEntityId"], rows[2]["DefaultTaxCodeRef"]) == ("0", {"value": "2"})
    assert list(rows[2])[-1] == "DefaultTaxCodeRef"
    emulator.update("Preferences", {"Id": "1", "TaxPrefs": {"UsingSalesTax": False}})
    assert "DefaultTaxCodeRef" not in read(client, f"customer/{made['Id']}")


def test_a_customers_own_tax_code_is_kept_and_queried(client):
    made = write(client, "customer", {"DisplayName": "Mira Lund", "DefaultTaxCodeRef": {"value": "3"}})
    assert made["DefaultTaxCodeRef"] == {"value": "3"}
    assert queried(client, "Customer", made["Id"])["DefaultTaxCodeRef"] == {"value": "3"}


def test_sending_a_read_record_back_changes_nothing(client):
    for path in ("customer/3", "item/2", "vendor/3"):
        before = read(client, path)
        entity = path.partition("/")[0]
        assert write(client, entity, before)["SyncToken"] == before["SyncToken"], path
        assert read(client, path) == before


def test_an_item_and_a_vendor_have_values_that_a_query_lacks(client):
    item = write(client, "item", {"Name": "Birdhouse", "IncomeAccountRef": {"value": "14"}})
    vendor = write(client, "vendor", {"DisplayName": "Sage Supply"})
    assert (item["DeferredRevenue"], vendor["BillRate"], vendor["CostRate"]) == (False, 0, 0)
    assert list(item).index("DeferredRevenue") == list(item).index("domain") - 1
    assert list(vendor).index("BillRate") == list(vendor).index("Vendor1099") - 1
    assert read(client, f"item/{item['Id']}")["DeferredRevenue"] is False
    assert "DeferredRevenue" not in queried(client, "Item", item["Id"])
    assert {"BillRate", "CostRate"}.isdisjoint(queried(client, "Vendor", vendor["Id"]))


def test_the_rest_of_a_read_is_the_stored_text(client, emulator):
    stored = emulator.company().store.body(client.realm, "Customer", "2")
    text = client.get("customer/2").text
    for gone in (r'"ClientEntityId":"0",', r',"Lat":"[^"]*","Long":"[^"]*"'):
        stored = re.sub(gone, "", stored)
    assert stored[:-1] in text


def test_the_response_that_creates_an_account_lacks_the_time_of_its_update(client):
    made = write(client, "account", {"Name": "Petty cash", "AccountType": "Bank"})
    assert list(made["MetaData"]) == ["CreateTime"]
    assert list(read(client, f"account/{made['Id']}")["MetaData"]) == ["CreateTime", "LastUpdatedTime"]


@pytest.mark.parametrize(
    ("online", "email", "include", "linked"),
    [
        (True, True, "invoiceLink", True),
        (True, True, "", False),
        (False, True, "invoiceLink", False),
        (True, False, "invoiceLink", False),
    ],
)
def test_an_invoice_that_can_be_paid_online_is_read_with_its_link(client, online, email, include, linked):
    body = {"CustomerRef": CUSTOMER, "Line": [SALE], "AllowOnlineACHPayment": online}
    body |= {"BillEmail": {"Address": "mira@mail.example"}} if email else {}
    made = write(client, "invoice", body)
    invoice = read(client, f"invoice/{made['Id']}", include=include, minorversion=75)
    assert ("InvoiceLink" in invoice) is linked
    if linked:
        keys = list(invoice)
        assert keys[keys.index("InvoiceLink") - 1 : keys.index("InvoiceLink") + 2] == [
            "AllowOnlineACHPayment",
            "InvoiceLink",
            "domain",
        ]
        assert invoice["InvoiceLink"].startswith(f"{client.emulator.url}/".replace("http:", "https:"))
        changed = write(client, "invoice", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "x"})
        assert changed["InvoiceLink"] == invoice["InvoiceLink"]
        assert "InvoiceLink" not in queried(client, "Invoice", made["Id"])


# ---- what a write computes ----


def test_a_bill_gets_its_account_its_address_and_is_due_at_once(client):
    vendor = write(client, "vendor", {"DisplayName": "Sage Supply", "BillAddr": {"Line1": "1 Elm St."}})
    bill = write(client, "bill", {"VendorRef": {"value": vendor["Id"]}, "TxnDate": "2026-05-05", "Line": [EXPENSE]})
    assert bill["APAccountRef"] == {"value": "9", "name": "Accounts Payable (A/P)"}
    assert (bill["DueDate"], bill["VendorAddr"]) == ("2026-05-05", vendor["BillAddr"])
    assert (bill["Line"][0]["LinkedTxn"], "LinkedTxn" in bill) == ([], False)
    assert list(bill["MetaData"]) == ["CreateTime", "LastModifiedByRef", "LastUpdatedTime"]
    termed = write(
        client,
        "bill",
        {
            "VendorRef": {"value": vendor["Id"]},
            "TxnDate": "2026-05-05",
            "SalesTermRef": {"value": "5"},
            "Line": [EXPENSE],
        },
    )
    assert (termed["DueDate"], termed["SalesTermRef"]) == ("2026-05-15", {"value": "5"})


def test_a_bill_in_another_currency_takes_the_account_of_that_currency(client, emulator):
    vendor = emulator.create("Vendor", {"DisplayName": "Érable", "CurrencyRef": {"value": "CAD"}})
    assert vendor["CurrencyRef"] == {"value": "CAD", "name": "Canadian Dollar"}
    bill = write(client, "bill", {"VendorRef": {"value": vendor["Id"]}, "Line": [EXPENSE]})
    assert bill["APAccountRef"]["value"] == "10"


def test_a_paid_bill_loses_its_link_with_the_payment(client):
    vendor = write(client, "vendor", {"DisplayName": "Sage Supply"})["Id"]
    bill = write(client, "bill", {"VendorRef": {"value": vendor}, "Line": [EXPENSE]})
    lines = [{"Amount": 40, "LinkedTxn": [{"TxnId": bill["Id"], "TxnType": "Bill"}]}]
    body = {"VendorRef": {"value": vendor}, "TotalAmt": 40, "PayType": "Check", "Line": lines}
    paid = write(client, "billpayment", body)
    assert read(client, f"bill/{bill['Id']}")["LinkedTxn"] == [{"TxnId": paid["Id"], "TxnType": "BillPaymentCheck"}]
    client.post("billpayment?operation=delete", json={"Id": paid["Id"], "SyncToken": "0"})
    after = read(client, f"bill/{bill['Id']}")
    assert (after["Balance"], "LinkedTxn" in after) == (40, False)
    assert fault(client.post("billpayment", json=body | {"Line": []}))["element"] == "Line"


def test_an_invoice_is_due_by_the_companys_default_term(client, emulator):
    body = {"CustomerRef": CUSTOMER, "TxnDate": "2026-01-01", "Line": [SALE]}
    assert write(client, "invoice", body)["DueDate"] == "2026-01-31"
    forms = emulator.read("Preferences", "1")["SalesFormsPrefs"]
    emulator.update("Preferences", {"Id": "1", "SalesFormsPrefs": forms | {"DefaultTerms": {"value": "2"}}})
    assert write(client, "invoice", body)["DueDate"] == "2026-01-16"


def test_online_payment_follows_the_companys_setting(client, emulator):
    body = {"CustomerRef": CUSTOMER, "Line": [SALE]}
    assert write(client, "invoice", body)["AllowOnlineACHPayment"] is False
    forms = emulator.read("Preferences", "1")["SalesFormsPrefs"]
    emulator.update("Preferences", {"Id": "1", "SalesFormsPrefs": forms | {"ETransactionPaymentEnabled": True}})
    made = write(client, "invoice", body | {"AllowOnlineCreditCardPayment": False})
    assert (made["AllowOnlineACHPayment"], made["AllowOnlineCreditCardPayment"]) == (True, False)


def test_a_receipt_is_deposited_to_undeposited_funds(client):
    made = write(client, "salesreceipt", {"CustomerRef": CUSTOMER, "Line": [SALE, SALE]})
    assert made["DepositToAccountRef"] == {"value": "4", "name": "Undeposited Funds"}
    assert "LinkedTxn" not in made
    full = {"Id": made["Id"], "SyncToken": "0", "Line": [SALE]}
    changed = write(client, "salesreceipt", full)
    assert changed["DepositToAccountRef"] == {"value": "4", "name": "Undeposited Funds"}
    assert changed["Line"][0]["Id"] == "3"  # no line of the record has had it
    payment = write(
        client, "payment", {"CustomerRef": CUSTOMER, "TotalAmt": 5, "PaymentMethodRef": {"value": "1", "name": "x"}}
    )
    assert (payment["DepositToAccountRef"], payment["PaymentMethodRef"]) == ({"value": "4"}, {"value": "1"})


def test_a_void_keeps_the_order_of_properties(client):
    made = write(client, "invoice", {"CustomerRef": CUSTOMER, "Line": [SALE]})
    voided = write(client, "invoice", {"Id": made["Id"], "SyncToken": "0"}, operation="void")
    keys = list(voided)
    assert keys[keys.index("PrivateNote") + 1] == "LinkedTxn"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"DisplayName": "Lund Lighting 2", "GivenName": "Mira", "FamilyName": "Lund"}, "Mira Lund"),
        ({"DisplayName": "Lund Lighting 2"}, "Lund Lighting 2"),
        ({"DisplayName": "ML", "GivenName": "Mira", "CompanyName": "Lund Lighting Inc"}, "Lund Lighting Inc"),
        ({"DisplayName": "ML", "GivenName": "Mira", "PrintOnCheckName": "M. Lund"}, "M. Lund"),
    ],
)
def test_the_name_on_checks(client, sent, name):
    assert write(client, "customer", sent)["PrintOnCheckName"] == name


@pytest.mark.parametrize(
    ("code", "name"), [("USD", "United States Dollar"), ("CAD", "Canadian Dollar"), ("JPY", "Japanese Yen")]
)
def test_a_currency_comes_back_with_its_name(client, code, name):
    made = write(client, "customer", {"DisplayName": "Mira Lund", "CurrencyRef": {"value": code}})
    assert made["CurrencyRef"] == {"value": code, "name": name}


@pytest.mark.parametrize(
    ("kind", "credit", "code", "present"),
    [("Cash", None, "54", set()), ("Check", None, "3", {"PrintStatus"}), ("CreditCard", True, "11", {"Credit"})],
)
def test_a_purchase_has_the_code_of_its_kind(client, kind, credit, code, present):
    vendor = {"value": "1", "type": "Vendor"}
    body = {"AccountRef": {"value": "5"}, "PaymentType": kind, "EntityRef": vendor, "Line": [EXPENSE]}
    made = write(client, "purchase", body | ({"Credit": credit} if credit else {}))
    assert made["PurchaseEx"]["any"][0]["value"] == {"Name": "TxnType", "Value": code}
    assert {"PrintStatus", "Credit"} & set(made) == present
    assert list(made["EntityRef"]) == ["value", "name", "type"]


def test_a_payment_says_what_was_open(client):
    made = write(client, "invoice", {"CustomerRef": CUSTOMER, "Line": [SALE]})
    lines = [{"Amount": 30, "LinkedTxn": [{"TxnId": made["Id"], "TxnType": "Invoice"}]}]
    payment = write(client, "payment", {"CustomerRef": CUSTOMER, "TotalAmt": 30, "Line": lines})

    def facts(record):
        return {pair["value"]["Name"]: pair["value"]["Value"] for pair in record["Line"][0]["LineEx"]["any"]}

    expected = {"txnId": made["Id"], "txnOpenBalance": "100.00", "txnReferenceNumber": made["DocNumber"]}
    assert facts(payment) == expected
    full = {"Id": payment["Id"], "SyncToken": "0", "CustomerRef": CUSTOMER, "TotalAmt": 50, "Line": lines}
    assert facts(write(client, "payment", full)) == expected


def test_credits_and_unapplied_payments_lower_a_customers_balance(client):
    made = write(client, "customer", {"DisplayName": "Mira Lund"})
    customer = {"value": made["Id"]}
    invoice = write(client, "invoice", {"CustomerRef": customer, "Line": [SALE]})
    memo = write(client, "creditmemo", {"CustomerRef": customer, "Line": [SALE | {"Amount": 60}]})
    write(client, "payment", {"CustomerRef": customer, "TotalAmt": 25})

    def balance():
        return read(client, f"customer/{made['Id']}")["Balance"]

    assert balance() == 15
    lines = [
        {"Amount": 60, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]},
        {"Amount": 60, "LinkedTxn": [{"TxnId": memo["Id"], "TxnType": "CreditMemo"}]},
    ]
    used = write(client, "payment", {"CustomerRef": customer, "TotalAmt": 0, "Line": lines})
    assert balance() == 15
    spent = read(client, f"creditmemo/{memo['Id']}")
    assert (spent["Balance"], spent["RemainingCredit"]) == (0, 0)
    client.post("payment?operation=delete", json={"Id": used["Id"], "SyncToken": "0"})
    assert read(client, f"creditmemo/{memo['Id']}")["RemainingCredit"] == 60
    assert balance() == 15


def test_an_invoice_made_from_an_estimate_closes_it(client):
    estimate = write(client, "estimate", {"CustomerRef": CUSTOMER, "Line": [SALE]})
    assert (estimate["TxnStatus"], "LinkedTxn" in estimate) == ("Pending", False)
    link = {"TxnId": estimate["Id"], "TxnType": "Estimate"}
    body = {"CustomerRef": CUSTOMER, "Line": [SALE | {"LinkedTxn": [link]}], "LinkedTxn": [link]}
    invoice = write(client, "invoice", body)
    assert (invoice["LinkedTxn"], invoice["Line"][0]["LinkedTxn"]) == ([link], [link])
    closed = read(client, f"estimate/{estimate['Id']}")
    assert (closed["TxnStatus"], closed["LinkedTxn"]) == ("Closed", [{"TxnId": invoice["Id"], "TxnType": "Invoice"}])
    lines = [{"Amount": 30, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}]
    payment = write(client, "payment", {"CustomerRef": CUSTOMER, "TotalAmt": 30, "Line": lines})
    paid = read(client, f"invoice/{invoice['Id']}")
    assert paid["LinkedTxn"] == [link, {"TxnId": payment["Id"], "TxnType": "Payment"}]
    full = {"Id": paid["Id"], "SyncToken": paid["SyncToken"], "CustomerRef": CUSTOMER, "Line": [SALE]}
    kept = write(client, "invoice", full)
    assert kept["LinkedTxn"] == paid["LinkedTxn"]
    client.post("invoice?operation=delete", json={"Id": paid["Id"], "SyncToken": kept["SyncToken"]})
    assert "LinkedTxn" not in read(client, f"estimate/{estimate['Id']}")
    missing = body | {"LinkedTxn": [{"TxnId": "987654", "TxnType": "Estimate"}]}
    assert fault(client.post("invoice", json=missing))["code"] == "2500"


def test_a_bill_made_from_a_purchase_order_closes_it_and_does_not_name_it(client):
    vendor = {"value": write(client, "vendor", {"DisplayName": "Sage Supply"})["Id"]}
    order = write(client, "purchaseorder", {"VendorRef": vendor, "Line": [EXPENSE]})
    link = {"TxnId": order["Id"], "TxnType": "PurchaseOrder"}
    bill = write(client, "bill", {"VendorRef": vendor, "Line": [EXPENSE], "LinkedTxn": [link]})
    assert "LinkedTxn" not in bill
    closed = read(client, f"purchaseorder/{order['Id']}")
    assert (closed["POStatus"], closed["LinkedTxn"]) == ("Closed", [{"TxnId": bill["Id"], "TxnType": "Bill"}])


def test_a_deposit_of_payments_is_linked_from_them(client):
    body = {"CustomerRef": CUSTOMER, "TotalAmt": 60, "PaymentMethodRef": {"value": "2"}, "PaymentRefNum": "5421"}
    payment = write(client, "payment", body)
    link = {"TxnId": payment["Id"], "TxnType": "Payment"}
    other = {"Amount": 40, "DetailType": "DepositLineDetail", "DepositLineDetail": {"AccountRef": {"value": "60"}}}
    back = {"AccountRef": {"value": "6"}, "Amount": 25, "Memo": "petty cash"}
    sent = {
        "DepositToAccountRef": {"value": "5"},
        "Line": [{"Amount": 60, "LinkedTxn": [link]}, other],
        "CashBack": back,
    }
    deposit = write(client, "deposit", sent)
    assert deposit["TotalAmt"] == 75
    assert deposit["Line"][0] == {
        "Amount": 60,
        "LinkedTxn": [link | {"TxnLineId": "0"}],
        "DepositLineDetail": {"PaymentMethodRef": {"value": "2"}, "CheckNum": "5421"},
    }
    assert read(client, f"payment/{payment['Id']}")["LinkedTxn"] == [{"TxnId": deposit["Id"], "TxnType": "Deposit"}]
    client.post("deposit?operation=delete", json={"Id": deposit["Id"], "SyncToken": "0"})
    assert "LinkedTxn" not in read(client, f"payment/{payment['Id']}")


# ---- names in references ----


def test_a_new_name_shows_in_records_that_were_not_edited(client):
    item = write(client, "item", {"Name": "Birdhouse", "IncomeAccountRef": {"value": "14"}})
    line = SALE | {"SalesItemLineDetail": {"ItemRef": {"value": item["Id"]}}}
    invoice = write(client, "invoice", {"CustomerRef": CUSTOMER, "Line": [line]})
    token = read(client, "account/14")["SyncToken"]
    write(client, "account", {"Id": "14", "SyncToken": token, "sparse": True, "Name": "Sales of houses"})
    write(client, "item", {"Id": item["Id"], "SyncToken": "0", "sparse": True, "Name": "Nest box"})
    token = read(client, "customer/1")["SyncToken"]
    write(client, "customer", {"Id": "1", "SyncToken": token, "sparse": True, "DisplayName": "Alder & Sons"})
    after = queried(client, "Invoice", invoice["Id"])
    detail = after["Line"][0]["SalesItemLineDetail"]
    assert detail["ItemRef"] == {"value": item["Id"], "name": "Nest box"}
    assert detail["ItemAccountRef"] == {"value": "14", "name": "Sales of houses"}
    assert after["CustomerRef"] == {"value": "1", "name": "Alder & Sons"}
    assert (after["SyncToken"], after["MetaData"]) == ("0", invoice["MetaData"])
    assert queried(client, "Item", item["Id"])["IncomeAccountRef"]["name"] == "Sales of houses"


def test_an_account_and_an_item_of_one_name_and_id_are_distinguished(client, emulator):
    emulator.update("Item", {"Id": "14", "Name": read(client, "account/14")["Name"]})
    line = SALE | {"SalesItemLineDetail": {"ItemRef": {"value": "14"}, "ItemAccountRef": {"value": "14"}}}
    invoice = write(client, "invoice", {"CustomerRef": CUSTOMER, "Line": [line]})
    emulator.update("Item", {"Id": "14", "Name": "Nest box"})
    detail = read(client, f"invoice/{invoice['Id']}")["Line"][0]["SalesItemLineDetail"]
    assert detail["ItemRef"]["name"].endswith("Nest box")
    assert detail["ItemAccountRef"]["name"] == read(client, "account/14")["Name"]


@pytest.mark.parametrize(
    ("path", "mark", "level"),
    [("account", "SubAccount", None), ("class", "SubClass", None), ("item", "SubItem", 1)],
)
def test_a_record_below_another_says_so(client, path, mark, level):
    needed = {"account": {"AccountType": "Bank"}, "item": {"IncomeAccountRef": {"value": "14"}}}.get(path, {})
    top = write(client, path, needed | {"Name": "North"})
    assert top.get(mark, False) is False
    low = write(client, path, needed | {"Name": "Coast", "ParentRef": {"value": top["Id"]}})
    assert (low[mark], low.get("Level"), low["FullyQualifiedName"]) == (True, level, "North:Coast")
    full = needed | {"Id": low["Id"], "SyncToken": "0", "Name": "Coast"}
    raised = write(client, path, full)
    assert (raised.get(mark, False), "Level" in raised, raised["FullyQualifiedName"]) == (False, False, "Coast")


def test_the_names_below_a_record_follow_it(client):
    top = write(client, "class", {"Name": "North"})
    middle = write(client, "class", {"Name": "Coast", "ParentRef": {"value": top["Id"]}})
    low = write(client, "class", {"Name": "Harbor", "ParentRef": {"value": middle["Id"]}})
    bill = write(
        client,
        "invoice",
        {"CustomerRef": CUSTOMER, "ClassRef": {"value": low["Id"]}, "Line": [SALE]},
    )
    assert bill["ClassRef"]["name"] == "North:Coast:Harbor"
    write(client, "class", {"Id": top["Id"], "SyncToken": "0", "sparse": True, "Name": "South"})
    assert read(client, f"class/{low['Id']}")["FullyQualifiedName"] == "South:Coast:Harbor"
    assert read(client, f"invoice/{bill['Id']}")["ClassRef"]["name"] == "South:Coast:Harbor"
    job = write(client, "customer", {"DisplayName": "Lot 16", "Job": True, "ParentRef": CUSTOMER})
    token = read(client, "customer/1")["SyncToken"]
    write(client, "customer", {"Id": "1", "SyncToken": token, "sparse": True, "DisplayName": "Alder & Sons"})
    assert read(client, f"customer/{job['Id']}")["FullyQualifiedName"] == "Alder & Sons:Lot 16"


# ---- what a line requires ----


@pytest.mark.parametrize(
    ("qty", "price", "amount", "shown"),
    [(7, 225, 1000, "1,000"), ("128.350", "14.50", "1861.07", "1,861.07"), (1, 2, "4.290", "4.29"), (2, 5, 0, "0")],
)
def test_an_amount_that_is_not_quantity_times_price_is_refused(client, qty, price, amount, shown):
    detail = {"ItemRef": {"value": "1"}, "Qty": Decimal(qty), "UnitPrice": Decimal(price)}
    line = {"Amount": Decimal(amount), "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    body = json.dumps({"CustomerRef": CUSTOMER, "Line": [line]}, default=float)
    error = fault(client.post("invoice", data=body, headers={"Content-Type": "application/json"}))
    assert error == {
        "Message": "Amount calculation incorrect in the request.",
        "Detail": f"Amount is not equal to UnitPrice * Qty. Supplied value:{shown}",
        "code": "6070",
        "element": "Line.Amount",
    }


def test_zeros_for_quantity_and_price_are_as_good_as_absent(client):
    detail = {"ItemRef": {"value": "1"}, "Qty": 0, "UnitPrice": 0}
    line = {"Amount": 100, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    assert write(client, "invoice", {"CustomerRef": CUSTOMER, "Line": [line]})["TotalAmt"] == 100


def test_half_a_cent_is_rounded_up(client):
    detail = {"ItemRef": {"value": "1"}, "Qty": 128.35, "UnitPrice": 14.5}
    line = {"Amount": 1861.08, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}
    assert write(client, "invoice", {"CustomerRef": CUSTOMER, "Line": [line]})["TotalAmt"] == 1861.08


@pytest.mark.parametrize(("credited", "status"), [(40, 200), (39.99, 400)])
def test_the_debits_of_a_journal_entry_are_its_credits(client, credited, status):
    lines = [
        {
            "Amount": amount,
            "DetailType": "JournalEntryLineDetail",
            "JournalEntryLineDetail": {"PostingType": posting, "AccountRef": {"value": "60"}},
        }
        for posting, amount in (("Debit", 40), ("Credit", credited))
    ]
    answer = client.post("journalentry", json={"Line": lines})
    assert answer.status_code == status
    if status == 400:
        assert (fault(answer)["code"], fault(answer)["element"]) == ("2300", "Line")


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ({"SalesItemLineDetail": {"ItemRef": {"value": "1"}}}, "Line.Amount"),
        ({"Amount": 5, "SalesItemLineDetail": {}}, "Line.SalesItemLineDetail"),
    ],
)
def test_a_line_without_what_it_requires_is_refused(client, line, missing):
    body = {"CustomerRef": CUSTOMER, "Line": [{"DetailType": "SalesItemLineDetail"} | line]}
    error = fault(client.post("invoice", json=body))
    assert (error["code"], error["element"]) == ("2020", missing)
    assert error["Detail"] == f"Required parameter {missing} is missing in the request"
