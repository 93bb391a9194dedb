"""The core actions over live HTTP."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import jsonschema
import pytest

from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import InputError

ACTIONS = ("listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_result_is_what_its_schema_says_and_plain_json(connect, action):
    """Every result validates against the action's output schema and survives a JSON round trip."""
    result = connect().invoke(action)

    jsonschema.Draft202012Validator(load_schema(f"{action}.output.schema")).validate(result)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_input_overrides_the_setting_and_the_setting_the_default(connect):
    """Input > settings > default, key by key."""
    assert connect().invoke("listInvoices")["metadata"]["maxResults"] == 100
    connection = connect(max_results=7)
    assert connection.invoke("listInvoices")["count"] == 7
    assert connection.invoke("listInvoices", {"max_results": None})["count"] == 7
    assert connection.invoke("listInvoices", {"max_results": "3"})["count"] == 3


@pytest.mark.parametrize(
    ("action", "data"),
    [("listCustomers", {}), ("listInvoices", {}), ("listInvoices", {"order_by": "DueDate DESC"}),
     ("listCustomers", {"order_by": "Balance"})],
)  # fmt: skip
def test_the_reported_order_is_the_requested_order(connect, emulator, action, data):
    """Reading by position relies on it."""
    reported = connect().invoke(action, data)["metadata"]["orderBy"]
    (asked,) = (request["statement"] for request in emulator.requests() if request.get("statement"))
    assert reported
    assert f" ORDERBY {reported} STARTPOSITION 1 MAXRESULTS" in asked


@pytest.mark.parametrize(
    ("value", "field"), [("abc", "max_results"), (True, "max_results"), (0, "max_results"), (1.5, "max_results")]
)
def test_a_bad_input_is_an_error_that_names_the_field(connect, emulator, value, field):
    """No request is sent for an invalid input."""
    with pytest.raises(InputError) as caught:
        connect().invoke("listCustomers", {"max_results": value})

    assert [entry.field for entry in caught.value.fields] == [field]
    assert emulator.counters()["api_requests"]["total"] == 0


def test_customers_carry_flat_names_and_contacts(connect):
    """Dashboards read top-level fields."""
    result = connect().invoke("listCustomers")

    with_mail = [customer for customer in result["customers"] if "PrimaryEmailAddr" in customer]
    assert with_mail
    for customer in with_mail:
        assert customer["email"] == customer["PrimaryEmailAddr"]["Address"]
        assert customer["customerName"] == customer["DisplayName"]


def test_inactive_customers_come_when_asked_for(connect):
    """Intuit hides them by default; the caller chooses."""
    connection = connect()
    counts = {
        choice: connection.invoke("listCustomers", {"active": choice})["count"]
        for choice in ("active", "inactive", "all")
    }

    assert counts["inactive"] >= 1
    assert counts["active"] + counts["inactive"] == counts["all"]
    assert connection.invoke("listCustomers")["count"] == counts["active"]


def test_pages_follow_from_where_the_last_one_ended(connect):
    """nextStartPosition leads through all customers, each exactly once."""
    connection = connect()
    whole = connection.invoke("listCustomers", {"max_results": 1000})["customers"]
    position, ids = 1, []
    while position is not None:
        page = connection.invoke("listCustomers", {"max_results": 7, "start_position": position})
        ids += [customer["Id"] for customer in page["customers"]]
        position = page["metadata"]["nextStartPosition"]
    assert ids == [customer["Id"] for customer in whole]


def test_stream_yields_every_page_once(connect):
    """stream walks the pages by itself."""
    connection = connect(max_results=11)
    pages = list(connection.stream("listInvoices"))

    ids = [invoice["Id"] for page in pages for invoice in page["invoices"]]
    assert len(ids) == len(set(ids))
    assert len(ids) == connection.invoke("listInvoices", {"max_results": 1000})["count"]
    assert all(page["count"] == 11 for page in pages[:-1])


@pytest.mark.parametrize("status", ["paid", "partiallyPaid", "open", "overdue", "voided"])
def test_a_status_finds_exactly_the_invoices_that_have_it(connect, status):
    """The result is all invoices of that status and no others, although Intuit cannot filter by it."""
    connection = connect()
    everything = connection.invoke("listInvoices", {"max_results": 1000})["invoices"]
    expected = [invoice["Id"] for invoice in everything if invoice["paymentStatus"] == status]

    found, position = [], 1
    while position is not None:
        page = connection.invoke("listInvoices", {"status": status, "max_results": 2, "start_position": position})
        assert page["count"] <= 2
        found += [invoice["Id"] for invoice in page["invoices"]]
        position = page["metadata"]["nextStartPosition"]

    assert expected, f"the sample company has no {status} invoice"
    assert found == expected


def test_statuses_agree_with_dates_and_balances(connect):
    """The rules of the docs, over the sample company, at the company's own date."""
    result = connect().invoke("listInvoices", {"max_results": 1000})
    today = date.fromisoformat(result["metadata"]["companyDate"])

    for invoice in result["invoices"]:
        owed, due = Decimal(str(invoice["Balance"])), date.fromisoformat(invoice["DueDate"])
        match invoice["paymentStatus"]:
            case "overdue":
                assert owed > 0
                assert invoice["daysOverdue"] == (today - due).days > 0
            case "open":
                assert owed == Decimal(str(invoice["TotalAmt"])) > 0
                assert due >= today
            case "partiallyPaid":
                assert 0 < owed < Decimal(str(invoice["TotalAmt"]))
                assert due >= today
            case _:
                assert owed == 0
                assert invoice["daysOverdue"] == 0


def test_the_summary_adds_up_by_currency_in_exact_decimals(connect):
    """Never across currencies; amounts are decimal texts."""
    result = connect().invoke("listInvoices", {"max_results": 1000})

    assert len(result["summary"]["byCurrency"]) >= 2
    for group in result["summary"]["byCurrency"]:
        rows = [invoice for invoice in result["invoices"] if invoice["currency"] == group["currency"]]
        assert group["count"] == len(rows)
        assert Decimal(group["outstanding"]) == sum(Decimal(str(row["Balance"])) for row in rows)
        assert Decimal(group["outstanding"]) == sum(Decimal(part["outstanding"]) for part in group["byStatus"])


def test_filters_go_to_quickbooks(connect, emulator):
    """Filters that QuickBooks supports are sent to it, with quoted values."""
    connection = connect()
    some = connection.invoke("listInvoices", {"max_results": 1})["invoices"][0]
    result = connection.invoke(
        "listInvoices",
        {"doc_number": some["DocNumber"], "customer_id": some["CustomerRef"]["value"], "txn_date_from": some["TxnDate"],
         "txn_date_to": some["TxnDate"], "due_date_from": "2000-01-01", "updated_since": "2000-01-01T00:00:00+02:00"},
    )  # fmt: skip

    assert [invoice["Id"] for invoice in result["invoices"]] == [some["Id"]]
    statement = emulator.requests()[-1]["statement"]
    assert f"CustomerRef = '{some['CustomerRef']['value']}'" in statement
    assert "MetaData.LastUpdatedTime >= '1999-12-31T22:00:00Z'" in statement


def test_a_range_that_ends_before_it_begins_is_refused(connect):
    """The error names the field and the hint."""
    with pytest.raises(InputError) as caught:
        connect().invoke("listInvoices", {"txn_date_from": "2026-02-01", "txn_date_to": "2026-01-01"})
    assert caught.value.fields[0].field == "txn_date_to"


def test_chosen_fields_keep_id_and_derived_fields(connect):
    """fields keeps the chosen keys, the Id, and what dashboards read."""
    result = connect().invoke("listInvoices", {"fields": ["DocNumber", "TotalAmt"], "max_results": 2})

    for invoice in result["invoices"]:
        assert set(invoice) == {
            "Id", "DocNumber", "TotalAmt", "customerName", "currency", "paymentStatus", "daysOverdue"
        }  # fmt: skip


def test_a_statement_too_long_for_a_url_is_posted(connect, emulator):
    """Long statements go into the body."""
    result = connect().invoke("listCustomers", {"name": "株" * 400})

    assert result["count"] == 0
    assert emulator.requests()[-1]["method"] == "POST"


@pytest.mark.parametrize(
    "name", ["O'Brien", "a\\b", "\\", "'", "\\'", "100%", "Łódź & 株式会社 🌲", '"quoted"', "a--b;"]
)
def test_no_name_breaks_the_statement(connect, emulator, name):
    """A customer with any name is found by it."""
    emulator.create("Customer", {"DisplayName": name})
    result = connect().invoke("listCustomers", {"name": name})
    assert name in [customer["DisplayName"] for customer in result["customers"]]


def test_a_query_returns_rows_up_to_the_hosts_cap_and_says_what_was_sent_and_metered(connect):
    connection = connect(context=HostContext(row_limit=3))
    result = connection.invoke("query", {"query": "SELECT * FROM Customer ORDERBY DisplayName MAXRESULTS 500"})

    assert len(result["rows"]) == result["count"] == 3
    metadata = result["metadata"]
    assert metadata["query"] == "SELECT * FROM Customer ORDERBY DisplayName MAXRESULTS 3"
    assert (metadata["entity"], metadata["maxResults"], metadata["mayHaveMore"]) == ("Customer", 3, True)
    assert (metadata["apiCalls"], metadata["meteredCalls"]) == (1, 1)


def test_a_count_by_query_has_a_number_and_no_rows(connect):
    result = connect().invoke("query", {"query": "SELECT COUNT(*) FROM Customer WHERE Active IN (true, false)"})
    assert result["rows"] == []
    assert result["totalCount"] > 20
    assert result["metadata"]["mayHaveMore"] is False


def test_a_query_that_is_refused_costs_no_call(connect, emulator):
    connection, before = connect(), emulator.counters()["api_requests"]["total"]
    with pytest.raises(InputError):
        connection.invoke("query", {"query": "SELECT * FROM Customer MAXRESULTS 5 MAXRESULTS 5000"})
    assert emulator.counters()["api_requests"]["total"] == before
