"""Answers that Intuit documents, or that public issues quote, and no recording shows: steps, expectation, source.

A step is `(command, body, expectation)`; `run` in documented_runner.py lists the commands. `${name}` is a value that an
earlier step kept. An expectation maps paths of the answer (`Invoice/Line/0/Amount`; `*` is each item of a list) to
values; `status` and `text` (a part of the body) are the answer's own, and `keep NAME` keeps a value instead.
"""

# ruff: noqa: E501, S608 -- a step is a line; statements are in Intuit's language and go to no database

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_DOCS = "https://developer.intuit.com/app/developer/qbo/docs/"
_QUERIES = _DOCS + "learn/explore-the-quickbooks-online-api/data-queries"
_CDC = _DOCS + "learn/explore-the-quickbooks-online-api/change-data-capture"
_LIMITS = _DOCS + "learn/limits-and-throttles"
_OAUTH = _DOCS + "develop/authentication-and-authorization/oauth-2.0"
_ENTITIES = _DOCS + "api/accounting/all-entities/"
_CODES = _DOCS + "develop/troubleshooting/error-codes"
_WEBHOOKS = _DOCS + "develop/webhooks/best-practices"
_MINIMUL = "https://github.com/minimul/qbo_api (spec/vcr/void/invoice.yml)"

Step = tuple[str, Any, dict[str, Any]]


@dataclass(frozen=True)
class Documented:
    """One documented behavior.

    Attributes:
        what: The behavior.
        source: Where it is documented or quoted.
        steps: See the module.
        read: What of the expectation is our reading of the source, not its words.
    """

    what: str
    source: str
    steps: tuple[Step, ...]
    read: str = ""


def _customer(name: str, keep: str = "c") -> Step:
    return "POST customer", {"DisplayName": name}, {f"keep {keep}": "Customer/Id"}


def _line(amount: float, **detail: Any) -> dict[str, Any]:
    kind = "SalesItemLineDetail"
    return {"Amount": amount, "DetailType": kind, kind: {"ItemRef": {"value": "1"}} | detail}


def _expense(amount: float) -> dict[str, Any]:
    kind = "AccountBasedExpenseLineDetail"
    return {"Amount": amount, "DetailType": kind, kind: {"AccountRef": {"value": "79"}}}


def _entry(posting: str, amount: float, account: str) -> dict[str, Any]:
    kind = "JournalEntryLineDetail"
    return {"Amount": amount, "DetailType": kind, kind: {"PostingType": posting, "AccountRef": {"value": account}}}


def _invoice(*lines: dict[str, Any], keep: str = "i", customer: str = "${c}", expect: Any = (), **more: Any) -> Step:
    kept = {f"keep {keep}": "Invoice/Id"}
    return "POST invoice", {"CustomerRef": {"value": customer}, "Line": list(lines)} | more, kept | dict(expect)


def _payment(total: float, paid: float, expect: dict[str, Any], invoice: str = "${i}") -> Step:
    line = {"Amount": paid, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    return "POST payment", {"CustomerRef": {"value": "${c}"}, "TotalAmt": total, "Line": [line]}, expect


def _fault(code: str, text: str = "", status: int = 400) -> dict[str, Any]:
    return {"status": status, "Fault/Error/0/code": code, "text": text}


def _refused(statement: str, text: str = "") -> Step:
    return f"QUERY {statement}", None, _fault("4001", text)


def _names(statement: str, *names: str) -> Step:
    entity = statement.partition("from ")[2].partition(" ")[0]
    found = {f"QueryResponse/{entity}/*/DisplayName": list(names)} if names else {"QueryResponse": {}}
    return f"QUERY {statement}", None, found


def _count(statement: str, number: int) -> Step:
    return f"QUERY select count(*) from {statement}", None, {"QueryResponse": {"totalCount": number}}


def _cdc_refused(entity: str) -> Step:
    return (
        f"GET cdc?entities={entity}&changedSince=${{now}}",
        None,
        {"Fault/Error/0/code": "10000", "CDCResponse": None},
    )


_SPARSE = {"Id": "${c}", "SyncToken": "0", "sparse": True, "Active": False}
_CODE_FORM = {"grant_type": "authorization_code", "code": "${code}", "redirect_uri": "https://app.example/back"}
_SPENT = {"status": 400, "error": "invalid_grant"}
_TOKENS = {"status": 200, "token_type": "bearer", "keep refresh": "refresh_token", "keep access": "access_token"}

DOCUMENTED = (
    # ---- queries ----
    Documented("lists leave inactive records out unless WHERE names Active", _QUERIES, (
        _customer("Zq one"), _customer("Zq two", "other"),
        ("POST customer", _SPARSE, {"Customer/Active": False}),
        _names("select * from Customer where DisplayName like 'Zq%'", "Zq two"),
        _count("Customer where DisplayName like 'Zq%'", 1),
        _names("select * from Customer where DisplayName like 'Zq%' and Active = false", "Zq one (deleted)"),
        _count("Customer where DisplayName like 'Zq%' and Active in (true, false)", 2),
    )),
    Documented("ORDERBY sorts in both directions, by several properties", _QUERIES, (
        *(("POST vendor", {"DisplayName": f"Zq {n}", "FamilyName": f}, {}) for n, f in (("b", "x"), ("c", "y"), ("a", "x"))),
        _names("select * from Vendor where DisplayName like 'Zq%' orderby DisplayName desc", "Zq c", "Zq b", "Zq a"),
        _names("select * from Vendor where DisplayName like 'Zq%' orderby DisplayName asc", "Zq a", "Zq b", "Zq c"),
        _names("select * from Vendor where DisplayName like 'Zq%' orderby FamilyName desc, DisplayName", "Zq c", "Zq a", "Zq b"),
        _names("select * from Vendor where DisplayName like 'Zq%' orderby DisplayName desc startposition 2 maxresults 1", "Zq b"),
    )),
    Documented("values are compared without regard to case", _QUERIES, (
        _customer("Zq Mixed Case"),
        _names("select * from Customer where DisplayName = 'zq mixed CASE'", "Zq Mixed Case"),
        _names("SELECT * from Customer WHERE displayname IN ('ZQ MIXED CASE')", "Zq Mixed Case"),
        _names("select * from Customer where DisplayName like 'zQ MIX%'", "Zq Mixed Case"),
    )),
    Documented("the percent sign is the only wildcard of LIKE", _QUERIES, (
        _customer("Zq_1"), _customer("Zqx1"), _customer("Zq_1 more"),
        _names("select * from Customer where DisplayName like 'Zq_1'", "Zq_1"),
        _names("select * from Customer where DisplayName like 'Zq_1%'", "Zq_1", "Zq_1 more"),
        _names("select * from Customer where DisplayName like '%more'", "Zq_1 more"),
        _names("select * from Customer where DisplayName like 'q_1%'"),
    )),
    Documented("a date without a time is midnight in the company's time zone", _QUERIES, (
        ("AT 2026-06-10T05:00:00Z", None, {}), _customer("Zq evening"),  # 22:00 on the ninth in California
        ("AT 2026-06-10T08:00:00Z", None, {}), _customer("Zq night"),  # 01:00 on the tenth
        _names("select * from Customer where DisplayName like 'Zq%' and MetaData.CreateTime >= '2026-06-10'", "Zq night"),
        _names("select * from Customer where DisplayName like 'Zq%' and MetaData.CreateTime < '2026-06-10'", "Zq evening"),
        _names("select * from Customer where DisplayName like 'Zq%' and MetaData.CreateTime >= '2026-06-10T00:00:00'", "Zq night"),
        _count("Customer where DisplayName like 'Zq%' and MetaData.CreateTime >= '2026-06-10T05:00:00Z'", 2),
    )),
    Documented("all conditions apply", _QUERIES, (
        _customer("Zq one"), _customer("Zq two", "other"),
        _invoice(_line(10), DocNumber="Zq1", TxnDate="2026-03-01"), _invoice(_line(10), DocNumber="Zq2", TxnDate="2026-03-02"),
        _invoice(_line(10), customer="${other}", DocNumber="Zq3", TxnDate="2026-03-01"),
        ("QUERY select * from Invoice where CustomerRef = '${c}' and TxnDate = '2026-03-01'", None, {"QueryResponse/Invoice/*/DocNumber": ["Zq1"]}),
        ("QUERY select * from Invoice where TxnDate = '2026-03-01' and CustomerRef = '${c}'", None, {"QueryResponse/Invoice/*/DocNumber": ["Zq1"]}),
        ("QUERY select * from Invoice where CustomerRef = '${c}' and TxnDate > '2026-03-01'", None, {"QueryResponse/Invoice/*/DocNumber": ["Zq2"]}),
        _count("Invoice where CustomerRef = '${c}' and TxnDate >= '2026-03-01' and DocNumber in ('Zq1', 'Zq3')", 1),
    )),
    Documented("Id does not sort, since November 2025", "https://github.com/sahat/hackathon-starter/issues/1510", (
        _refused("select * from Customer orderby Id"),
        _refused("select * from Invoice orderby Id desc"),
    )),
    Documented("properties that the entity's page does not mark do not filter", "https://github.com/consolibyte/quickbooks-php/issues/129", (
        _refused("select * from Invoice where PrivateNote = 'x'", "QueryValidationError: property 'PrivateNote' is not queryable"),
        _refused("select * from Vendor where PrimaryEmailAddr = 'x'", "QueryValidationError: property 'PrimaryEmailAddr' is not queryable"),
    )),
    Documented("selected properties come with the Id, marked as sparse", _QUERIES, (
        _customer("Zq one"),
        ("QUERY select DisplayName from Customer where DisplayName = 'Zq one'", None,
         {"QueryResponse/Customer/0/Id": "${c}", "QueryResponse/Customer/0/DisplayName": "Zq one", "QueryResponse/Customer/0/sparse": True, "QueryResponse/Customer/0/Active": None}),
    )),
    Documented("customers are listed without regard to case, vendors in byte order", "https://github.com/NangoHQ/integration-templates (list-customers, list-vendors)", (
        *(("POST customer", {"DisplayName": f"Zq {name} 1"}, {}) for name in ("b", "C", "A")), *(("POST vendor", {"DisplayName": f"Zq {name} 2"}, {}) for name in ("b", "C", "A")),
        _names("select * from Customer where DisplayName like 'Zq%'", "Zq A 1", "Zq b 1", "Zq C 1"),
        _names("select * from Vendor where DisplayName like 'Zq%'", "Zq A 2", "Zq C 2", "Zq b 2"),
    )),
    Documented("pages have 1,000 records at most, and 100 by default", _QUERIES, (
        ("CREATE 101 Department", {"Name": "Zq ${n}"}, {}),
        ("QUERY select * from Department where Name like 'Zq%'", None, {"QueryResponse/maxResults": 100}),
        ("QUERY select * from Department where Name like 'Zq%' maxresults 1000", None, {"QueryResponse/maxResults": 101}),
        ("QUERY select * from Department where Name like 'Zq%' startposition 101", None, {"QueryResponse/maxResults": 1, "QueryResponse/startPosition": 101}),
        _refused("select * from Department maxresults 1001"),
    ), read="that more is refused"),
    Documented("conditions are joined by AND only", _QUERIES, (
        ("QUERY select * from Customer where DisplayName = 'a' or DisplayName = 'b'", None, {"status": 400, "QueryResponse": None}),
        ("QUERY select * from Customer where DisplayName = 'a' and DisplayName = 'b'", None, {"status": 200, "QueryResponse": {}}),
    )),
    Documented("CURRENT_DATE is the company's day", _QUERIES, (
        ("AT 2026-06-10T05:00:00Z", None, {}), _customer("Zq"), _invoice(_line(1), DocNumber="Zq1"),  # the ninth in California
        ("QUERY select * from Invoice where DocNumber = 'Zq1' and TxnDate = CURRENT_DATE", None, {"QueryResponse/Invoice/*/TxnDate": ["2026-06-09"]}),
        ("AT 2026-06-10T08:00:00Z", None, {}),
        ("QUERY select * from Invoice where DocNumber = 'Zq1' and TxnDate = CURRENT_DATE", None, {"QueryResponse": {}}),
    ), read="the company's, as all times of the API are"),
    # ---- change data capture ----
    Documented("changes of the last thirty days", "https://github.com/Wish-Org/QuickBooksSharp/issues/19", (
        ("AT 2026-06-30T12:00:00Z", None, {}),
        ("GET cdc?entities=Invoice&changedSince=2026-05-31T12:01:00Z", None, {"status": 200, "Fault": None}),
        ("GET cdc?entities=Invoice&changedSince=2026-05-31T11:59:00Z", None, _fault("500", "is older than fixed days is not supported.")),
        ("GET cdc?entities=Invoice&changedSince=2026-05-30T18:00:00Z", None, _fault("500", "is older than fixed days is not supported.")),
    )),
    Documented("a thousand changed objects in all", _CDC, (
        ("AFTER 600", None, {}), ("CREATE 1002 Department", {"Name": "Zq ${n}"}, {}),
        ("GET cdc?entities=Department,Customer&changedSince=${now}", None,
         {"CDCResponse/0/QueryResponse/0/maxResults": 1000, "CDCResponse/0/QueryResponse/1": {}}),
    )),
    Documented("entities that change data capture does not have", _CDC, (
        *(_cdc_refused(name) for name in ("TaxCode", "TaxRate", "TaxAgency", "JournalCode", "TimeActivity")),
    ), read="the fault is the recorded one of an unknown entity"),
    # ---- limits ----
    Documented("500 requests a minute", _LIMITS, (
        ("LIMITS", True, {}),
        ("TIMES 500 GET customer/1", None, {"statuses": {200: 500}}),
        ("GET customer/1", None, {"status": 429, "text": "errorCode=003001; statusCode=429"}),
        ("AFTER 61", None, {}), ("GET customer/1", None, {"status": 200}),
    )),
    Documented("10 requests at once", _LIMITS, (("AT-ONCE 10", None, {"status": 429, "text": "ThrottleExceeded"}),)),
    Documented("40 batches a minute", _LIMITS, (
        ("LIMITS", True, {}),
        ("TIMES 40 POST batch", {"BatchItemRequest": [{"bId": "1", "Query": "select count(*) from Term"}]}, {"statuses": {200: 40}}),
        ("POST batch", {"BatchItemRequest": [{"bId": "1", "Query": "select count(*) from Term"}]}, {"status": 429}),
        ("GET customer/1", None, {"status": 200}),
    )),
    Documented("30 items in a batch", "https://github.com/intuit/QuickBooks-V3-DotNET-SDK (commit e9e0618)", (
        ("POST batch", {"BatchItemRequest": [{"bId": str(n), "Query": "select count(*) from Term"} for n in range(30)]},
         {"status": 200, "BatchItemResponse/*/bId": [str(n) for n in range(30)]}),
        ("POST batch", {"BatchItemRequest": [{"bId": str(n), "Query": "select count(*) from Term"} for n in range(31)]}, _fault("1040")),
    )),
    # ---- tokens ----
    Documented("a code is for one use", "https://github.com/intuit/oauth-jsclient/issues/173", (
        ("CODE https://app.example/back", None, {"keep code": "code"}),
        ("TOKEN", _CODE_FORM, _TOKENS), ("TOKEN", _CODE_FORM, _SPENT),
        ("GET customer/1 AS ${access}", None, {"status": 401, "fault/error/0/code": "3200"}),
    )),
    Documented("a code is for the redirect URI that it was issued for", _OAUTH, (
        ("CODE https://app.example/back", None, {"keep code": "code"}),
        ("TOKEN", _CODE_FORM | {"redirect_uri": "https://app.example/other"}, _SPENT),
        ("TOKEN", {key: value for key, value in _CODE_FORM.items() if key != "redirect_uri"}, {"status": 400}),
        ("TOKEN", _CODE_FORM, _TOKENS),
    )),
    Documented("an access token does not refresh", "https://github.com/intuit/QuickBooks-V3-PHP-SDK/issues/240", (
        ("CODE https://app.example/back", None, {"keep code": "code"}), ("TOKEN", _CODE_FORM, _TOKENS),
        ("TOKEN", {"grant_type": "refresh_token", "refresh_token": "${access}"}, _SPENT | {"error_description": "Incorrect Token type or clientID"}),
        ("TOKEN", {"grant_type": "refresh_token", "refresh_token": "${refresh}"}, _TOKENS),
    )),
    Documented("revoking either token ends the grant", _OAUTH, (
        ("CODE https://app.example/back", None, {"keep code": "code"}), ("TOKEN", _CODE_FORM, _TOKENS),
        ("GET customer/1 AS ${access}", None, {"status": 200}),
        ("REVOKE", {"token": "${refresh}"}, {"status": 200, "text": ""}),
        ("TOKEN", {"grant_type": "refresh_token", "refresh_token": "${refresh}"}, _SPENT),
        ("GET customer/1 AS ${access}", None, {"status": 401, "fault/error/0/code": "3200"}),
    )),
    Documented("a refresh token that was not used for 101 days has ended", _OAUTH, (
        ("CODE https://app.example/back", None, {"keep code": "code"}), ("TOKEN", _CODE_FORM, _TOKENS),
        ("AFTER 8726401", None, {}), ("TOKEN", {"grant_type": "refresh_token", "refresh_token": "${refresh}"}, _SPENT),
    )),
    Documented("a grant ends five years after the authorization", "https://blogs.intuit.com/2025/11/12/important-changes-to-refresh-token-policy", (
        ("AT 2030-01-01T00:00:00Z", None, {}),  # the first grants end later
        ("CODE https://app.example/back", None, {"keep code": "code"}), ("TOKEN", _CODE_FORM, _TOKENS),
        *(step for _ in range(18) for step in (("AFTER 8640000", None, {}), ("TOKEN", {"grant_type": "refresh_token", "refresh_token": "${refresh}"}, _TOKENS))),
        ("AFTER 2160001", None, {}), ("TOKEN", {"grant_type": "refresh_token", "refresh_token": "${refresh}"}, _SPENT),
    )),
    Documented("the accounting scope is required", _DOCS + "learn/scopes", (
        ("CODE https://app.example/back openid com.intuit.quickbooks.payment", None, {"keep code": "code"}), ("TOKEN", _CODE_FORM, _TOKENS),
        ("GET customer/1 AS ${access}", None, {"status": 403, "fault/error/0/code": "3100", "text": "The access token does not have sufficient scope"}),
        ("CODE https://app.example/back com.intuit.quickbooks.accounting", None, {"keep code": "code"}), ("TOKEN", _CODE_FORM, _TOKENS),
        ("GET customer/1 AS ${access}", None, {"status": 200}),
    )),
    # ---- writes ----
    Documented("tax is added to the total", _ENTITIES + "invoice", (
        _customer("Zq"),
        _invoice(_line(100), TxnTaxDetail={"TotalTax": 8.25}, expect={"Invoice/TotalAmt": 108.25, "Invoice/Balance": 108.25}.items()),
    )),
    Documented("discounts are subtracted, percentages of the subtotal", _ENTITIES + "invoice", (
        _customer("Zq"),
        _invoice(_line(60), _line(40), {"Amount": 15, "DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": False}},
                 expect={"Invoice/TotalAmt": 85.0, "Invoice/Balance": 85.0}.items()),
        _invoice(_line(60), _line(40), {"DetailType": "DiscountLineDetail", "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10}},
                 expect={"Invoice/TotalAmt": 90.0, "Invoice/Balance": 90.0}.items()),
    )),
    Documented("a line's amount is its quantity times its price", _CODES, (
        _customer("Zq"),
        ("POST invoice", {"CustomerRef": {"value": "${c}"}, "Line": [_line(100, Qty=3, UnitPrice=25)]}, _fault("6070")),
        _invoice(_line(75, Qty=3, UnitPrice=25), expect={"Invoice/TotalAmt": 75.0}.items()),
    )),
    Documented("a customer's balance is what is open, less unapplied payments", _ENTITIES + "customer", (
        _customer("Zq"), _invoice(_line(100)), ("GET customer/${c}", None, {"Customer/Balance": 100.0}),
        _payment(130, 100, {"status": 200, "Payment/UnappliedAmt": 30.0, "keep p": "Payment/Id"}),
        ("GET invoice/${i}", None, {"Invoice/Balance": 0.0}), ("GET customer/${c}", None, {"Customer/Balance": -30.0}),
        ("POST payment?operation=delete", {"Id": "${p}", "SyncToken": "0"}, {"Payment/status": "Deleted"}),
        ("GET invoice/${i}", None, {"Invoice/Balance": 100.0, "Invoice/LinkedTxn": []}), ("GET customer/${c}", None, {"Customer/Balance": 100.0}),
    )),
    Documented("no more can be applied to an invoice than is open", _ENTITIES + "payment", (
        _customer("Zq"), _invoice(_line(100)), _payment(150, 120, {"status": 400}),
        _payment(150, 60, {"status": 200}), _payment(150, 41, {"status": 400}), _payment(40, 40, {"status": 200, "Payment/UnappliedAmt": 0.0}),
    ), read="that more is refused; the page says what can be applied"),
    Documented("the payments of a deleted invoice remain, unapplied", _ENTITIES + "payment", (
        _customer("Zq"), _invoice(_line(100)), _payment(100, 100, {"Payment/UnappliedAmt": 0.0, "keep p": "Payment/Id"}),
        ("GET invoice/${i}", None, {"keep t": "Invoice/SyncToken"}),
        ("POST invoice?operation=delete", {"Id": "${i}", "SyncToken": "${t}"}, {"Invoice/status": "Deleted"}),
        ("GET payment/${p}", None, {"Payment/TotalAmt": 100.0, "Payment/UnappliedAmt": 100.0}),
        ("GET customer/${c}", None, {"Customer/Balance": -100.0}),
    ), read="a payment is what is applied and what is not"),
    Documented("a voided invoice has a note, its lines and number, and no amounts", _MINIMUL, (
        _customer("Zq"), _invoice(_line(100), DocNumber="Zq1", TxnTaxDetail={"TotalTax": 8}),
        ("POST invoice?operation=void", {"Id": "${i}", "SyncToken": "0"},
         {"status": 200, "Invoice/TotalAmt": 0.0, "Invoice/Balance": 0.0, "Invoice/PrivateNote": "Voided", "Invoice/DocNumber": "Zq1",
          "Invoice/Line/*/Amount": [0.0, 0.0], "Invoice/SyncToken": "1", "Invoice/TxnTaxDetail": {"TotalTax": 0.0}}),
        ("GET customer/${c}", None, {"Customer/Balance": 0.0}),
        ("QUERY select * from Invoice where DocNumber = 'Zq1'", None, {"QueryResponse/Invoice/*/Balance": [0.0]}),
    )),
    Documented("names have no colon, tab or new line, and are required", _ENTITIES + "customer", (
        *(("POST customer", {"DisplayName": name}, {"status": 400}) for name in ("Zq: one", "Zq\tone", "Zq\none", "")),
        ("POST customer", {"CompanyName": "Zq"}, {"status": 400}),
        ("POST customer", {"GivenName": "Zq", "FamilyName": "One", "Suffix": "Jr."}, {"status": 200, "Customer/DisplayName": "Zq One Jr."}),
    )),
    Documented("a job stands below its parent", _ENTITIES + "customer", (
        _customer("Zq"),
        ("POST customer", {"DisplayName": "Zq job", "Job": True, "ParentRef": {"value": "${c}", "name": "other"}},
         {"status": 200, "Customer/FullyQualifiedName": "Zq:Zq job", "Customer/Level": 1, "Customer/ParentRef": {"value": "${c}"}, "keep j": "Customer/Id"}),
        ("POST customer", {"DisplayName": "Zq part", "Job": True, "ParentRef": {"value": "${j}"}}, {"Customer/FullyQualifiedName": "Zq:Zq job:Zq part", "Customer/Level": 2}),
        _invoice(_line(25), customer="${j}"),
        ("GET customer/${j}", None, {"Customer/Balance": 25.0}),
        ("GET customer/${c}", None, {"Customer/Balance": 0.0, "Customer/BalanceWithJobs": 25.0, "Customer/Level": None}),
    )),
    Documented("a bill raises the vendor's balance, payments and credits lower it", _ENTITIES + "vendor", (
        ("POST vendor", {"DisplayName": "Zq"}, {"keep v": "Vendor/Id"}),
        ("POST bill", {"VendorRef": {"value": "${v}"}, "Line": [_expense(70)]}, {"status": 200, "Bill/Balance": 70.0, "keep b": "Bill/Id"}),
        ("GET vendor/${v}", None, {"Vendor/Balance": 70.0}),
        ("POST billpayment", {"VendorRef": {"value": "${v}"}, "TotalAmt": 20, "PayType": "Check", "CheckPayment": {"BankAccountRef": {"value": "5"}},
                              "Line": [{"Amount": 20, "LinkedTxn": [{"TxnId": "${b}", "TxnType": "Bill"}]}]}, {"status": 200}),
        ("GET bill/${b}", None, {"Bill/Balance": 50.0}), ("GET vendor/${v}", None, {"Vendor/Balance": 50.0}),
        ("POST vendorcredit", {"VendorRef": {"value": "${v}"}, "Line": [_expense(15)]}, {"status": 200}),
        ("GET vendor/${v}", None, {"Vendor/Balance": 35.0}),
    )),
    Documented("a credit memo lowers the customer's balance, and pays an invoice by a payment of nothing", _ENTITIES + "creditmemo", (
        _customer("Zq"), _invoice(_line(100)),
        ("POST creditmemo", {"CustomerRef": {"value": "${c}"}, "Line": [_line(30)]}, {"status": 200, "CreditMemo/Balance": 30.0, "keep m": "CreditMemo/Id"}),
        ("GET customer/${c}", None, {"Customer/Balance": 70.0}),
        ("POST payment", {"CustomerRef": {"value": "${c}"}, "TotalAmt": 0, "Line": [
            {"Amount": 30, "LinkedTxn": [{"TxnId": "${i}", "TxnType": "Invoice"}]},
            {"Amount": 30, "LinkedTxn": [{"TxnId": "${m}", "TxnType": "CreditMemo"}]}]}, {"status": 200, "Payment/UnappliedAmt": 0.0}),
        ("GET invoice/${i}", None, {"Invoice/Balance": 70.0}), ("GET creditmemo/${m}", None, {"CreditMemo/Balance": 0.0}),
        ("GET customer/${c}", None, {"Customer/Balance": 70.0}),
    )),
    Documented("a voided payment has no amounts and pays nothing", _ENTITIES + "payment", (
        _customer("Zq"), _invoice(_line(100)), _payment(60, 60, {"status": 200, "keep p": "Payment/Id"}),
        ("POST payment?operation=update&include=void", {"Id": "${p}", "SyncToken": "0", "sparse": True},
         {"status": 200, "Payment/TotalAmt": 0.0, "Payment/UnappliedAmt": 0.0, "Payment/Line": [], "Payment/PrivateNote": "Voided"}),
        ("GET invoice/${i}", None, {"Invoice/Balance": 100.0, "Invoice/LinkedTxn": []}), ("GET customer/${c}", None, {"Customer/Balance": 100.0}),
    )),
    Documented("a request with the same requestid is done once", _DOCS + "learn/rest-api-features", (
        ("POST vendor?requestid=zq1", {"DisplayName": "Zq one"}, {"status": 200, "keep v": "Vendor/Id"}),
        ("POST vendor?requestid=zq1", {"DisplayName": "Zq one"}, {"status": 200, "Vendor/Id": "${v}"}),
        ("POST vendor?requestid=zq2", {"DisplayName": "Zq one"}, _fault("6240")),
        _count("Vendor where DisplayName like 'Zq%'", 1),
    )),
    Documented("new lines take Ids that the record has not had", "https://github.com/minimul/qbo_api (spec/vcr, updates of sales receipts)", (
        _customer("Zq"), _invoice(_line(10), _line(20), expect={"Invoice/Line/0/Id": "1", "Invoice/Line/1/Id": "2"}.items()),
        ("POST invoice", {"Id": "${i}", "SyncToken": "0", "sparse": True, "Line": [_line(5), {"Id": "2"} | _line(20)]},
         {"status": 200, "Invoice/Line/*/Id": ["3", "2", None], "Invoice/Line/*/LineNum": [1, 2, None], "Invoice/TotalAmt": 25.0}),
    )),
    Documented("an invoice of an estimate closes it, and both link to each other", _ENTITIES + "estimate", (
        _customer("Zq"), ("POST estimate", {"CustomerRef": {"value": "${c}"}, "Line": [_line(10)]}, {"status": 200, "keep e": "Estimate/Id"}),
        _invoice(_line(10), LinkedTxn=[{"TxnId": "${e}", "TxnType": "Estimate"}], expect={"Invoice/LinkedTxn": [{"TxnId": "${e}", "TxnType": "Estimate"}]}.items()),
        ("GET estimate/${e}", None, {"Estimate/TxnStatus": "Closed", "Estimate/LinkedTxn": [{"TxnId": "${i}", "TxnType": "Invoice"}]}),
        ("GET customer/${c}", None, {"Customer/Balance": 10.0}),
    )),
    Documented("debits are credits in a journal entry", _CODES, (
        ("POST journalentry", {"Line": [_entry("Debit", 30, "79"), _entry("Credit", 29.99, "5")]}, _fault("2300")),
        ("POST journalentry", {"TxnDate": "2019-03-04", "Line": [_entry("Debit", 30, "79"), _entry("Credit", 30, "5")]}, {"status": 200}),
        ("POSTINGS 2019-03-04", None, {"rows": [["Office supplies", "30.00", ""], ["Checking", "", "30.00"]]}),
    )),
    Documented("read-only properties of a request are ignored, and empty ones are not stored", _DOCS + "learn/rest-api-features", (
        ("POST customer", {"DisplayName": "Zq", "FullyQualifiedName": "other", "MetaData": {"CreateTime": "2001-01-01T00:00:00Z"}, "Notes": "", "PrimaryEmailAddr": {"Address": ""}},
         {"status": 200, "Customer/FullyQualifiedName": "Zq", "Customer/Notes": None, "Customer/SyncToken": "0", "Customer/PrimaryEmailAddr/Address": None, "keep c": "Customer/Id"}),
        _count("Customer where DisplayName = 'Zq' and MetaData.CreateTime < '2002-01-01'", 0),
        _invoice(_line(10), TotalAmt=99, Balance=99, SyncToken="7", expect={"Invoice/TotalAmt": 10.0, "Invoice/Balance": 10.0, "Invoice/SyncToken": "0"}.items()),
    )),
    Documented("a requestid has fifty characters", "https://github.com/intuit/QuickBooks-V3-Java-SDK/issues/180", (
        ("POST vendor?requestid=" + "x" * 51, {"DisplayName": "Zq"}, {"status": 400}),
        ("POST vendor?requestid=" + "x" * 50, {"DisplayName": "Zq"}, {"status": 200}),
    )),
    Documented("nothing is shown of social security numbers", "https://github.com/ej2/python-quickbooks (live tests of Employee)", (
        ("POST employee", {"GivenName": "Zq", "FamilyName": "One", "SSN": "123-45-6789"}, {"status": 200, "Employee/SSN": "XXX-XX-XXXX"}),
    )),
    Documented("countries are ISO-3 codes, since autumn 2025", "https://blogs.intuit.com/2025/08/13/upcoming-changes-to-the-accounting-api", (
        ("GET companyinfo/${realm}", None, {"keep t": "CompanyInfo/SyncToken"}),
        ("POST companyinfo", {"Id": "1", "SyncToken": "${t}", "sparse": True, "CompanyAddr": {"Line1": "1 Main", "Country": "US", "Lat": "1", "Long": "2"}}, {"status": 200}),
        ("AS-OF 2026-01-01", None, {}), ("GET companyinfo/${realm}", None, {"CompanyInfo/CompanyAddr/Country": "USA", "CompanyInfo/CompanyAddr/Line1": "1 Main"}),
    )),
    # ---- reports ----
    Documented("an invoice's tax is posted to the tax account", _ENTITIES + "journalreport", (
        _customer("Zq"), _invoice(_line(100), TxnDate="2019-03-04", TxnTaxDetail={"TotalTax": 8}),
        ("POSTINGS 2019-03-04", None, {"rows": [["Accounts Receivable (A/R)", "108.00", ""], ["Design income", "", "100.00"], ["Sales tax payable", "", "8.00"]]}),
    ), read="the accounts are the sample company's"),
    Documented("expenses are debits of a bill and credits of a vendor credit", _ENTITIES + "vendorcredit", (
        ("POST vendor", {"DisplayName": "Zq"}, {"keep v": "Vendor/Id"}),
        ("POST bill", {"VendorRef": {"value": "${v}"}, "TxnDate": "2019-03-04", "Line": [_expense(70)]}, {"status": 200}),
        ("POSTINGS 2019-03-04", None, {"rows": [["Accounts Payable (A/P)", "", "70.00"], ["Office supplies", "70.00", ""]]}),
        ("POST vendorcredit", {"VendorRef": {"value": "${v}"}, "TxnDate": "2019-03-05", "Line": [_expense(40)]}, {"status": 200}),
        ("POSTINGS 2019-03-05", None, {"rows": [["Accounts Payable (A/P)", "40.00", ""], ["Office supplies", "", "40.00"]]}),
    ), read="the accounts are the sample company's"),
    Documented("a payment that uses a credit moves only the money to and from receivables", _ENTITIES + "payment", (
        _customer("Zq"), _invoice(_line(50)),
        ("POST creditmemo", {"CustomerRef": {"value": "${c}"}, "Line": [_line(30)]}, {"status": 200, "keep m": "CreditMemo/Id"}),
        ("POST payment", {"CustomerRef": {"value": "${c}"}, "TotalAmt": 20, "TxnDate": "2019-03-04", "Line": [
            {"Amount": 50, "LinkedTxn": [{"TxnId": "${i}", "TxnType": "Invoice"}]},
            {"Amount": 30, "LinkedTxn": [{"TxnId": "${m}", "TxnType": "CreditMemo"}]}]}, {"status": 200, "Payment/UnappliedAmt": 0.0}),
        ("POSTINGS 2019-03-04", None, {"rows": [["Undeposited Funds", "20.00", ""], ["Accounts Receivable (A/R)", "", "20.00"]]}),
        ("GET customer/${c}", None, {"Customer/Balance": 0.0}),
    ), read="the accounts are the sample company's"),
    Documented("the cash basis has income when it is paid", "https://quickbooks.intuit.com/learn-support/en-us/help-article/accounting-bookkeeping/differentiate-cash-accrual", (
        _customer("Zq"), _invoice(_line(100), TxnDate="2019-03-04"),
        *((f"GET reports/ProfitAndLoss?start_date=2019-03-01&end_date=2019-03-31&accounting_method={method}", None,
           {"Header/ReportBasis": method, "Header/Option/1": {"Name": "NoReportData", "Value": empty}}) for method, empty in (("Accrual", "false"), ("Cash", "true"))),
        ("POST payment", {"CustomerRef": {"value": "${c}"}, "TotalAmt": 100, "TxnDate": "2019-04-02", "Line": [{"Amount": 100, "LinkedTxn": [{"TxnId": "${i}", "TxnType": "Invoice"}]}]}, {"status": 200}),
        *((f"GET reports/ProfitAndLoss?start_date=2019-04-01&end_date=2019-04-30&accounting_method={method}", None,
           {"Header/Option/1": {"Name": "NoReportData", "Value": empty}}) for method, empty in (("Accrual", "true"), ("Cash", "false"))),
    )),
    Documented("receivables age from the due date, by 30 days", _ENTITIES + "agedreceivables", (
        _customer("Zq"), _invoice(_line(100), TxnDate="2019-03-01", DueDate="2019-03-04"),
        *((f"GET reports/AgedReceivables?report_date={day}&customer=${{c}}", None,
           {"Rows/Row/0/ColData/*/value": ["Zq", *("100.00" if at == column else "" for at in range(5)), "100.00"]})
          for day, column in (("2019-03-04", 0), ("2019-03-05", 1), ("2019-04-03", 1), ("2019-04-04", 2), ("2019-05-03", 2), ("2019-05-04", 3), ("2019-06-02", 3), ("2019-06-03", 4))),
    )),
    Documented("weeks begin on Sunday", _ENTITIES + "profitandloss", (
        ("AT 2026-05-13T20:00:00Z", None, {}),  # a Wednesday
        ("GET reports/ProfitAndLoss?date_macro=This Week", None, {"Header/StartPeriod": "2026-05-10", "Header/EndPeriod": "2026-05-16"}),
        ("GET reports/ProfitAndLoss?start_date=2026-05-13&end_date=2026-05-20&summarize_column_by=Week", None,
         {"Columns/Column/*/ColTitle": ["", "May 13 - 16, 2026", "May 17 - 20, 2026", "Total"]}),
    ), read="the page names weeks; Sunday is the custom of the United States"),
    # ---- webhooks ----
    Documented("what an endpoint does not accept comes again after 10, 20 and 30 seconds, 5 and 20 minutes", _WEBHOOKS, (
        ("SUBSCRIBE 500 500 500 500 500", {"merge_s": 0}, {}), ("POST vendor", {"DisplayName": "Zq"}, {"status": 200}),
        ("POSTED", None, {"number": 1}),
        *(step for number, wait in enumerate((10, 20, 30, 300, 1200), 1)
          for step in ((f"AFTER {wait - 1}", None, {}), ("POSTED", None, {"number": number}), ("AFTER 1", None, {}), ("POSTED", None, {"number": number + 1}))),
        ("AFTER 100000", None, {}), ("POSTED", None, {"number": 6}),
    )),
    Documented("webhooks of the chosen entities", _DOCS + "develop/webhooks", (
        ("SUBSCRIBE", {"merge_s": 0, "entities": ["Vendor"]}, {}), _customer("Zq one"), ("POST vendor", {"DisplayName": "Zq two"}, {"status": 200}),
        ("POSTED", None, {"types": ["qbo.vendor.created.v1"]}),
    )),
    Documented("notifications are signed with HMAC-SHA256 of the body", _DOCS + "develop/webhooks", (
        ("SUBSCRIBE", {"merge_s": 0}, {}), ("POST vendor", {"DisplayName": "Zq"}, {"status": 200}),
        ("POSTED", None, {"number": 1, "signed": [True]}),
    )),
)  # fmt: skip
