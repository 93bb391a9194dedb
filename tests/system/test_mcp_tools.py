"""The tools that agents use, with the official client, against the emulator."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import threading
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from jsonschema import Draft202012Validator
from leak_checks import assert_none
from mcp.shared.exceptions import MCPError
from mcp_client import ZULU, Agent, rows_of, settings_of, text_of, two_companies

from vantage_quickbooks.adapters.mcp import server, tools
from vantage_quickbooks.adapters.mcp.entities import entities
from vantage_quickbooks.adapters.mcp.errors import error_of
from vantage_quickbooks.adapters.mcp.results import MAX_KEPT, Results
from vantage_quickbooks.adapters.mcp.totals import Totals
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError, NetworkError, RateLimitedError
from vantage_quickbooks.registry import HostRegistry

TOOLS = ["companies", "company_info", "find", "list", "summary", "get", "changes", "query", "report", "explain"]


@pytest.fixture(scope="module")
def books():
    """An emulator that the tests of a module read and do not change."""
    with Emulator(limits=False) as running:
        yield running


@pytest.fixture
def agent(books, tmp_path):
    registry = two_companies(books, tmp_path / "registry")
    made = Agent(registry)
    yield made
    made.close()


@pytest.fixture
def alone(emulator):
    """An agent with one company, whose books the test changes."""
    held = {"default": emulator.settings()}
    made = Agent(HostRegistry(held.get, list=lambda: held))
    yield made
    made.close()


def records(emulator, entity, realm_id=None):
    """All records of a company as the emulator holds them, exact."""
    found = (emulator.company(realm_id).find(entity, str(number)) for number in range(1, 400))
    return [json.loads(json.dumps(record, default=str), parse_float=Decimal) for record in found if record]


def sums(rows, *names):
    added = defaultdict(lambda: [0, *(Decimal(0) for _ in names)])
    for row in rows:
        entry = added[row["CurrencyRef"]["value"]]
        entry[0] += 1
        for place, name in enumerate(names, 1):
            entry[place] += Decimal(str(row[name]))
    return {
        currency: [count, *map(str, map("{:.2f}".format, amounts))] for currency, (count, *amounts) in added.items()
    }


def totals_of(data, *names):
    return {entry["currency"]: [entry["count"], *(entry[name] for name in names)] for entry in data["totals"]}


# ---- the list of tools -----------------------------------------------------------------------------------------------


def test_the_tool_list_is_small_and_read_only(agent):
    found = agent.run(lambda client: client.list_tools()).tools
    assert [tool.name for tool in found] == TOOLS
    dumped = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found]
    assert len(json.dumps(dumped, separators=(",", ":"))) < 7_000
    for tool in dumped:
        assert tool["annotations"] == {"readOnlyHint": True}
        Draft202012Validator.check_schema(tool["inputSchema"])
        Draft202012Validator.check_schema(tool["outputSchema"])
        assert tool["inputSchema"]["additionalProperties"] is False
        # Clients validate errors against it, too.
        Draft202012Validator(tool["outputSchema"]).validate({"error": {"code": "X"}})
        if tool["name"] not in {"companies", "explain"}:
            assert "company" in tool["inputSchema"]["properties"]
            assert "company" not in tool["inputSchema"].get("required", [])


def test_only_what_the_descriptor_offers_to_agents_is_reachable(agent):
    names = [*entities(), "AccessToken", "getAccessToken", "access token", "token", "sync"]
    for name in names[-5:]:
        assert agent.fail("get", company="acme", entity=name, id="1")["fields"] == ["entity"]
        assert agent.fail("list", company="acme", entity=name)["fields"] == ["entity"]
        assert agent.fail("explain", entity=name)["fields"] == ["entity"]
    assert "getAccessToken" not in {id_ for row in entities().values() for id_ in (row.list_id, row.get_id)}
    with pytest.raises(MCPError, match="There is no tool 'getAccessToken'"):
        agent.call("getAccessToken", company="acme")


def test_an_action_that_is_not_for_agents_disappears(monkeypatch):
    described = QUICKBOOKS.describe(schemas=False)
    for action in described["actions"]:
        if action["id"] in {"query", "listInvoices", "getInvoice"}:
            action["agentVisible"] = False
    monkeypatch.setattr("vantage_quickbooks.connector.description.describe", lambda **_: described)
    assert list(tools._offered()) == [name for name in TOOLS if name != "query"]
    assert "Invoice" not in entities.__wrapped__()
    assert "Bill" in entities.__wrapped__()


def test_no_answer_contains_a_secret(agent):
    for tool, arguments in {
        "companies": {}, "company_info": {}, "find": {"text": "garden"}, "list": {"entity": "invoices"},
        "summary": {"entity": "Bill"}, "get": {"entity": "Preferences"}, "changes": {"since": "2026-11-27"},
        "query": {"query": "SELECT * FROM CompanyInfo"}, "report": {"report": "AgedReceivables"}, "explain": {},
    }.items():  # fmt: skip
        named = {} if tool in {"companies", "explain"} else {"company": "acme"}
        agent.ask(tool, **named, **arguments)
    held = agent.session.companies._registry.load("acme")
    with QUICKBOOKS.connect(held) as connection:
        token = connection.invoke("getAccessToken")["accessToken"]
    secrets = {name: held[name] for name in ("client_secret", "refresh_token")} | {"access token": token}
    assert_none("".join(agent.said), secrets)


# ---- reports ---------------------------------------------------------------------------------------------------------


def test_a_report_is_short_rows_whose_data_add_up(agent):
    data = agent.ask("report", company="acme", report="agedreceivables")
    rows = rows_of(data)
    assert data["report"] == "AgedReceivables"
    assert data["columns"][:4] == ["kind", "depth", "name", "id"]
    assert data["shown"] == f"{len(rows)} of {len(rows)}"
    assert (data["title"], data["currency"], data["apiCalls"]) == ("A/R aging summary", "USD", 1)
    (total,) = (row["total"] for row in rows if row["kind"] == "total")
    assert sum(Decimal(str(row["total"] or 0)) for row in rows if row["kind"] == "data") == Decimal(str(total))
    listed = agent.ask(
        "report", company="acme", report="TransactionList", parameters={"date_macro": "All", "columns": "tx_date,memo"}
    )
    assert "tx_date" in listed["columns"]
    assert not any(name.startswith("txn_type") for name in listed["columns"])


def test_a_report_that_is_too_long_says_so_and_can_be_saved(agent):
    asked = {"company": "acme", "report": "GeneralLedger", "parameters": {"date_macro": "All"}}
    data = agent.ask("report", **asked)
    assert len(data["rows"]) < int(data["shown"].split(" of ")[1].replace(",", ""))
    assert "save" in data["note"]
    saved = agent.ask("report", save="csv", **asked)
    lines = list(csv.DictReader(Path(saved["file"]).read_text().splitlines()))
    assert len(lines) == saved["saved"] > len(data["rows"])


def test_a_wrong_report_is_answered_with_the_right_ones(agent):
    error = agent.fail("report", company="acme", report="Profit")
    assert (error["fields"], "ProfitAndLoss, " in error["hint"]) == (["report"], True)
    error = agent.fail("report", company="acme", report="BalanceSheet", parameters={"as_of": "2026-01-01"})
    assert (error["fields"], "BalanceSheet takes date_macro" in error["hint"]) == (["parameters"], True)
    error = agent.fail("report", company="acme", report="BalanceSheet", parameters={"report_date": "2026-01-01"})
    assert (error["fields"], "end_date" in error["hint"]) == (["report_date"], True)


# ---- companies -------------------------------------------------------------------------------------------------------


def test_companies_are_listed_and_a_damaged_one_does_not_hide_the_others(agent, tmp_path):
    (tmp_path / "registry" / "broken.json").write_text("{")
    found = agent.ask("companies")
    assert rows_of(found) == [
        {"company": "acme", "name": "Acme Ltd", "environment": "emulator", "error": None},
        {"company": "broken", "name": None, "environment": None, "error": "CONNECTION_DAMAGED"},
        {"company": "zulu", "name": None, "environment": "emulator", "error": None},
    ]
    assert agent.ask("companies", search="ACME")["shown"] == "1 of 1"
    assert agent.ask("companies", limit=1)["shown"] == "1 of 3"
    assert agent.fail("company_info", company="broken")["code"] == "CONNECTION_DAMAGED"
    assert agent.ask("list", company="zulu", entity="invoices", limit=1)["shown"] == "1 of 60"


def test_each_call_names_its_company_unless_there_is_only_one(agent, alone, books):
    error = agent.fail("list", entity="invoices")
    assert (error["code"], error["fields"]) == ("INPUT_INVALID", ["company"])
    assert "acme, zulu" in error["hint"]
    error = agent.fail("list", company="acmee", entity="invoices")
    assert (error["code"], error["fields"]) == ("CONNECTION_NOT_FOUND", ["company"])
    assert "Did you mean acme?" in error["hint"]
    names = {agent.ask("company_info", company=name)["companyInfo"]["CompanyName"] for name in ("acme", "zulu")}
    assert names == {books.company().name(), books.company(ZULU).name()}
    assert alone.ask("list", entity="invoices", limit=1)["shown"] == "1 of 60"
    with_none = Agent(HostRegistry({}.get, list=list))
    assert "connect" in with_none.fail("list", entity="invoices")["hint"]


def test_settings_that_change_and_companies_that_go_are_noticed(agent, books):
    registry = agent.session.companies._registry
    assert agent.ask("company_info", company="acme")["companyInfo"]["CompanyName"] == books.company().name()
    registry.add("acme", settings_of(books, ZULU), replace=True)
    assert agent.ask("company_info", company="acme")["companyInfo"]["CompanyName"] == books.company(ZULU).name()
    registry.remove("acme")
    assert agent.fail("company_info", company="acme")["code"] == "CONNECTION_NOT_FOUND"


def test_company_info_is_what_a_reader_needs(agent):
    result = agent.call("company_info", company="acme")
    info = result.structured_content["companyInfo"]
    assert len(text_of(result)) < 1_500
    assert info["FiscalYearStartMonth"] == "January"
    assert info["features"]["OfferingSku"] == "QuickBooks Online Plus"
    assert not {"domain", "sparse", "SyncToken", "MetaData", "WebAddr"} & set(info)


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_fourteen_overdue_invoices_take_less_than_3000_characters(alone, emulator):
    day = "2026-01-05"
    emulator.create("Invoice", {
        "CustomerRef": {"value": "2"}, "DueDate": day, "TxnDate": day,
        "Line": [{"Amount": 100.1, "DetailType": "SalesItemLineDetail",
                  "SalesItemLineDetail": {"ItemRef": {"value": "2"}}}],
    })  # fmt: skip
    result = alone.call("list", entity="invoices", filters={"status": "overdue"})
    data = result.structured_content
    assert data["shown"] == "14 of 14"
    assert len(text_of(result)) < 2_000
    today = date.fromisoformat(data["asOf"])
    overdue = [
        row for row in records(emulator, "Invoice")
        if Decimal(str(row["Balance"])) > 0 and date.fromisoformat(row["DueDate"]) < today
    ]  # fmt: skip
    assert {row["Id"]: (row["TotalAmt"], row["Balance"]) for row in rows_of(data)} == {
        row["Id"]: tuple(f"{Decimal(str(row[name])):.2f}" for name in ("TotalAmt", "Balance")) for row in overdue
    }
    assert totals_of(data, "TotalAmt", "Balance") == sums(overdue, "TotalAmt", "Balance")
    assert len(data["totals"]) == 3  # never added over currencies
    assert data["apiCalls"] == 1


def test_a_page_says_what_it_is_and_how_to_go_on(agent):
    seen, start = [], 1
    while start:
        data = agent.ask("list", company="acme", entity="Invoice", limit=25, start=start)
        assert data["shown"] == {1: "25 of 60", 26: "26 to 50; more follow", 51: "51 to 60 of 60"}[start]
        assert "totals" not in data  # of a part, no sum
        seen += [row[0] for row in data["rows"]]
        start = data.get("next", {}).get("start")
    assert len(seen) == len(set(seen)) == 60
    first = agent.ask("list", company="acme", entity="Invoice", limit=25)
    assert first["apiCalls"] == 2  # the page, and a count


def test_the_number_of_all_is_exact_or_says_that_it_is_not(agent, books):
    active = [row for row in records(books, "Customer") if row["Active"]]
    assert len(active) < len(records(books, "Customer"))
    assert agent.ask("list", company="acme", entity="customers", limit=2)["shown"] == f"2 of {len(active)}"
    shown = agent.ask("list", company="acme", entity="Invoice", filters={"status": "overdue"}, limit=2)["shown"]
    assert re.fullmatch(r"2 of at most (\d+)", shown)
    assert 13 <= int(shown.split()[-1]) < 60
    dated = {"txn_date_from": "2026-09-01", "order_by": "TxnDate"}
    expected = sum(row["TxnDate"] >= "2026-09-01" for row in records(books, "Invoice"))
    assert agent.ask("list", company="acme", entity="Invoice", filters=dated, limit=2)["shown"] == f"2 of {expected}"


def test_fields_choose_the_columns(agent, books):
    fields = ["DocNumber", "BillEmail.Address", "paymentStatus", "TotalAmt", "MetaData.CreateTime", "CustomerRef"]
    (row,) = rows_of(agent.ask("list", company="acme", entity="Invoice", fields=fields, limit=1))
    stored = books.read("Invoice", row["Id"])
    assert list(row) == ["Id", *fields]
    assert row["BillEmail.Address"] == stored["BillEmail"]["Address"]
    assert row["CustomerRef"] == stored["CustomerRef"]
    assert row["TotalAmt"] == f"{stored['TotalAmt']:.2f}"
    error = agent.fail("list", company="acme", entity="Invoice", fields=["customer"])
    assert "Did you mean customerName" in error["hint"]


def test_full_detail_is_what_intuit_sent(agent, books):
    data = agent.ask("list", company="acme", entity="Invoice", detail="full", limit=1)
    (record,) = data["records"]
    stored = books.read("Invoice", record["Id"])
    assert {name: record[name] for name in stored} == stored
    assert record["paymentStatus"]


def test_an_answer_has_at_most_so_many_characters_and_the_next_page_follows_it(agent):
    first = agent.ask("list", company="acme", entity="Invoice", detail="full", limit=60)
    count = len(first["records"])
    assert 1 < count < 60
    assert len(json.dumps(first)) < tools.MAX_CHARACTERS * 1.2
    assert first["shown"] == f"{count} of 60"
    assert first["next"] == {"start": count + 1}
    assert "totals" not in first
    after = agent.ask("list", company="acme", entity="Invoice", detail="full", limit=1, start=count + 1)
    assert after["records"][0]["Id"] not in {record["Id"] for record in first["records"]}


@pytest.mark.parametrize("name", [name for name, row in entities().items() if row.list_id])
def test_every_entity_can_be_listed_and_explained(agent, name):
    result = agent.call("list", company="acme", entity=name, limit=10)
    assert not result.is_error, text_of(result)
    assert len(text_of(result)) < 3_000
    explained = agent.call("explain", entity=name)
    data = explained.structured_content
    assert len(text_of(explained)) < 4_500
    assert data["columns"] == result.structured_content["columns"]
    assert data["filters"].keys() == entities()[name].filters.keys()
    if "sums" in data:
        summed = agent.ask("summary", company="acme", entity=name)
        assert summed["complete"]
        assert all(set(data["sums"]) <= set(entry) for entry in summed["totals"])


def test_entities_have_many_spellings(agent):
    for spelling in ("credit memos", "CreditMemo", "creditmemo", "credit_memos", "Credit Memo"):
        assert agent.ask("explain", entity=spelling)["entity"] == "CreditMemo"
    groups = agent.ask("explain")["entities"]
    assert set(", ".join(groups.values()).split(", ")) == set(entities())


# ---- totals ----------------------------------------------------------------------------------------------------------


def test_totals_are_over_all_records(agent, books):
    stored = records(books, "Invoice")
    data = agent.ask("summary", company="acme", entity="Invoice")
    assert totals_of(data, "TotalAmt", "Balance") == sums(stored, "TotalAmt", "Balance")
    assert data["complete"]
    filtered = agent.ask("summary", company="acme", entity="Invoice", filters={"txn_date_from": "2026-09-01"})
    later = [row for row in stored if row["TxnDate"] >= "2026-09-01"]
    assert totals_of(filtered, "TotalAmt") == sums(later, "TotalAmt")


def test_groups_add_up_to_the_totals(agent, books):
    data = agent.ask("summary", company="acme", entity="Invoice", group_by=["customerName", "TxnDate:quarter"], top=5)
    rows = rows_of(data)
    assert len(rows) == 5 + len({row["currency"] for row in rows if row["customerName"] == "(others)"})
    for total in data["totals"]:
        mine = [row for row in rows if row["currency"] == total["currency"]]
        assert sum(Decimal(row["Balance"]) for row in mine) == Decimal(total["Balance"])
        assert sum(row["count"] for row in mine) == total["count"]
    by_month = rows_of(agent.ask("summary", company="acme", entity="Invoice", group_by=["TxnDate:month"], top=100))
    expected = defaultdict(Decimal)
    for row in records(books, "Invoice"):
        expected[row["TxnDate"][:7], row["CurrencyRef"]["value"]] += Decimal(str(row["TotalAmt"]))
    assert {(row["TxnDate:month"], row["currency"]): Decimal(row["TotalAmt"]) for row in by_month} == expected
    months = [row["TxnDate:month"] for row in by_month]
    assert months == sorted(months)


def test_the_largest_groups_come_first(agent):
    rows = rows_of(agent.ask("summary", company="acme", entity="invoices", group_by=["customerName"], top=3))
    balances = [Decimal(row["Balance"]) for row in rows[:3]]
    assert balances == sorted(balances, reverse=True)


def test_receivables_by_age(agent):
    data = agent.ask("summary", company="acme", entity="Invoice", filters={"status": "overdue"}, group_by=["age"])
    overdue = rows_of(agent.ask("list", company="acme", entity="Invoice", filters={"status": "overdue"}))
    over_90 = sum(Decimal(row["Balance"]) for row in overdue if row["daysOverdue"] > 90)
    rows = rows_of(data)
    assert rows[-1]["age"] == "over 90 days"
    assert sum(Decimal(row["Balance"]) for row in rows if row["age"] == "over 90 days") == over_90
    order = ["current", "1-30 days", "31-60 days", "61-90 days", "over 90 days"]
    ages = [row["age"] for row in rows_of(agent.ask("summary", company="acme", entity="Invoice", group_by=["age"]))]
    assert list(dict.fromkeys(ages)) == [age for age in order if age in ages]
    assert "current" in ages


def test_a_sum_says_if_amounts_are_missing():
    totals = Totals(entities()["Deposit"])
    totals.add([{"TotalAmt": 0.1, "currency": "USD"}, {"TotalAmt": 0.2, "currency": "USD"}, {"currency": "USD"}])
    assert totals.by_currency() == [
        {"currency": "USD", "count": 3, "TotalAmt": "0.30", "withoutAmount": {"TotalAmt": 1}}
    ]


def test_records_without_amounts_are_counted(agent, books):
    rows = rows_of(agent.ask("summary", company="acme", entity="Item", group_by=["Type"]))
    expected = defaultdict(int)
    for row in records(books, "Item"):
        expected[row["Type"]] += row["Active"]
    assert {row["Type"]: row["count"] for row in rows} == expected


# ---- one record, search, queries -------------------------------------------------------------------------------------


def test_a_record_is_compact_unless_asked(agent, books):
    (row,) = rows_of(agent.ask("list", company="acme", entity="Invoice", limit=1))
    stored = books.read("Invoice", row["Id"])
    brief = agent.ask("get", company="acme", entity="invoice", id=row["Id"])["record"]
    assert brief["Line"][0]["Description"] == stored["Line"][0]["Description"]
    assert brief["customerName"] == stored["CustomerRef"]["name"]
    assert not {"SyncToken", "domain", "sparse", "CustomField"} & set(brief)
    full = agent.ask("get", company="acme", entity="invoice", id=row["Id"], detail="full")["record"]
    assert {name: full[name] for name in stored} == stored
    few = agent.ask("get", company="acme", entity="invoice", id=int(row["Id"]), fields=["DocNumber", "Balance"])[
        "record"
    ]
    assert few == {"DocNumber": stored["DocNumber"], "Balance": f"{stored['Balance']:.2f}"}
    assert agent.ask("get", company="acme", entity="Preferences")["record"]["homeCurrency"] == "USD"


def test_find_searches_names_emails_and_numbers(agent):
    found = agent.ask("find", company="acme", text="garden")
    assert {(part["entity"], row[1]) for part in found["found"] for row in part["rows"]} == {
        ("Customer", "Rooftop Garden"), ("Item", "Garden design")
    }  # fmt: skip
    assert (found["noneIn"], found["apiCalls"]) == (["Vendor", "Account"], 4)
    (part,) = agent.ask("find", company="acme", text="nadia@alder", entities=["customers"])["found"]
    assert rows_of(part)[0]["email"] == "nadia@alderstreet.example"
    (part,) = agent.ask("find", company="acme", text="1058")["found"]
    assert (part["entity"], rows_of(part)[0]["DocNumber"]) == ("Invoice", "1058")


def test_find_shows_what_is_inactive(alone, emulator):
    emulator.update("Customer", {"Id": "1", "Active": False})
    (part,) = alone.ask("find", text="Alder Street", entities=["Customer"])["found"]
    assert rows_of(part)[0]["Active"] is False


def test_queries_for_what_no_filter_offers(agent, books):
    data = agent.ask("query", company="acme", query="SELECT * FROM Invoice WHERE TotalAmt > '1000' MAXRESULTS 1000")
    expected = {row["Id"] for row in records(books, "Invoice") if Decimal(str(row["TotalAmt"])) > 1000}
    assert {row["Id"] for row in rows_of(data)} == expected
    assert "paymentStatus" not in data["columns"]  # of today, which a query does not know
    assert agent.ask("query", company="acme", query="SELECT COUNT(*) FROM Invoice") == {"count": 60, "apiCalls": 1}
    few = agent.ask("query", company="acme", query="SELECT DocNumber FROM Invoice MAXRESULTS 2")
    assert [set(record) for record in few["records"]] == [{"Id", "DocNumber"}] * 2
    assert few["shown"] == "2; more follow"
    for statement in ("DELETE FROM Invoice", "SELECT * FROM Invoice; SELECT * FROM Bill"):
        assert agent.fail("query", company="acme", query=statement)["fields"] == ["query"]
    error = agent.fail("query", company="acme", query="SELECT * FROM Invoice WHERE Nonsense = 'x'")
    assert (error["code"], error["retry"]) == ("REQUEST_REJECTED", False)


# ---- changes ---------------------------------------------------------------------------------------------------------


def test_changes_since_the_last_time(alone, emulator):
    before = datetime.fromtimestamp(emulator.now(), UTC).isoformat()
    emulator.advance(5)
    emulator.update("Customer", {"Id": "3", "Notes": "Call first"})
    emulator.update("Invoice", {"Id": "196", "PrivateNote": "Reminded"})
    emulator.delete("Invoice", "198")
    emulator.reset_counters()
    data = alone.ask("changes", since=before)
    found = {part["entity"]: part for part in data["changes"]}
    assert {row["Id"] for row in rows_of(found["Customer"])} >= {"3"}
    assert [row["Id"] for row in rows_of(found["Invoice"])] == ["196"]
    assert (found["Invoice"]["changed"], found["Invoice"]["deletedIds"]) == ("1 of 1", ["198"])
    assert data["apiCalls"] == emulator.counters()["api_requests"]["total"] == 1
    assert len(text_of(alone.call("changes", since=before))) < 2_000
    quiet = alone.ask("changes", since=data["next_since"], entities=["terms"])
    assert (quiet["changes"], quiet["unchangedEntities"]) == ([], 1)


def test_changes_long_ago_are_read_in_full_and_say_what_is_unknown(agent):
    data = agent.ask("changes", company="acme", since="2026-01-01", entities=["Invoice"], limit=3)
    (part,) = data["changes"]
    assert part["changed"] == "3 of 60"
    assert "Deletions are not known" in part["note"]


def test_changes_that_take_too_many_calls_say_what_was_not_read(agent):
    data = agent.ask("changes", company="acme", since="2026-01-01", max_api_calls=12)
    assert data["apiCalls"] <= 12
    assert data["notRead"]
    assert "next_since" not in data
    shown = {part["entity"] for part in data["changes"]}
    assert len(shown | set(data["notRead"])) + data["unchangedEntities"] == 29


@pytest.mark.parametrize("since", ["0001-01-01", "1900-01-01", "9999-12-31"])
def test_a_time_may_be_far_away(agent, since):
    data = agent.ask("changes", company="acme", since=since, entities=["Term"])
    assert bool(data["changes"]) is since.startswith(("0", "1"))


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "2026-05-01T08:30:00", ""])
def test_a_time_needs_its_zone(agent, since):
    assert agent.fail("changes", company="acme", since=since)["fields"] == ["since"]


# ---- large results ---------------------------------------------------------------------------------------------------


def test_a_saved_csv_is_a_private_file_and_a_resource(agent, books):
    result = agent.call("list", company="acme", entity="invoices", save="csv", filters={"txn_date_from": "2026-09-01"})
    data = result.structured_content
    path = Path(data["file"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    later = [row for row in records(books, "Invoice") if row["TxnDate"] >= "2026-09-01"]
    assert {row["Id"] for row in rows} == {row["Id"] for row in later}
    assert (data["saved"], data["complete"]) == (len(later), True)
    assert totals_of(data, "TotalAmt") == sums(later, "TotalAmt")
    assert len(text_of(result)) < 600
    link = result.content[1]
    assert (link.type, link.mime_type) == ("resource_link", "text/csv")
    read = agent.run(lambda client: client.read_resource(link.uri)).contents[0]
    assert read.text.encode() == path.read_bytes().replace(b"\r\n", b"\n") or read.text.encode() == path.read_bytes()
    agent.session.results.close()
    assert not path.parent.exists()


def test_a_saved_ndjson_has_the_chosen_fields(agent, tmp_path):
    agent = Agent(agent.session.companies._registry, Results(tmp_path / "kept"))
    paths = [
        Path(agent.ask("list", company="acme", entity="Bill", save="ndjson", fields=["DocNumber", "TotalAmt"])["file"])
        for _ in range(2)
    ]
    assert paths[0] != paths[1]
    lines = [json.loads(line) for line in paths[0].read_text().splitlines()]
    assert all(set(line) <= {"Id", "DocNumber", "TotalAmt"} for line in lines)
    assert len({line["Id"] for line in lines}) == len(lines) > 5
    agent.close()
    assert paths[0].exists()  # the user chose the directory
    for name in ("limit", "start"):
        assert agent.fail("list", company="acme", entity="Bill", save="csv", **{name: 5})["fields"] == [name]


def test_a_temporary_directory_keeps_the_newest_results():
    results = Results()
    saved = [results.save("x", "csv", "x", lambda file: file.write(b"x")) for _ in range(MAX_KEPT + 2)]
    assert [file.path.exists() for file in saved] == [False] * 2 + [True] * MAX_KEPT
    assert results.list() == saved[2:]
    results.close()


def test_a_result_that_cannot_be_completed_leaves_no_file(agent, tmp_path):
    agent = Agent(agent.session.companies._registry, Results(tmp_path / "kept"))
    error = agent.fail("list", company="acme", entity="Invoice", save="csv", max_api_calls=1)
    assert error["code"] == "RESULT_INCOMPLETE"
    assert list((tmp_path / "kept").iterdir()) == []
    blocked = Agent(agent.session.companies._registry, Results(Path(os.devnull) / "x"))
    assert blocked.fail("list", company="acme", entity="Invoice", save="csv")["fields"] == ["save"]


# ---- resources -------------------------------------------------------------------------------------------------------


def test_resources_for_companies_schemas_and_results(agent, books):
    async def talk(client):
        listed = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        read = {uri: (await client.read_resource(uri)).contents[0] for uri in
                ("quickbooks://companies/acme", "quickbooks://schemas/Invoice")}  # fmt: skip
        return listed, templates, read

    listed, templates, read = agent.run(talk)
    assert [(item.uri, item.name) for item in listed] == [
        ("quickbooks://companies/acme", "Acme Ltd"), ("quickbooks://companies/zulu", "zulu")
    ]  # fmt: skip
    assert [item.uri_template for item in templates] == [
        "quickbooks://companies/{company}", "quickbooks://schemas/{entity}"
    ]  # fmt: skip
    company, schema = (json.loads(content.text) for content in read.values())
    assert company["companyInfo"]["CompanyName"] == books.company().name()
    action = QUICKBOOKS.describe_action("listInvoices")
    assert schema["actions"]["listInvoices"] == {name: action[name] for name in ("inputSchema", "outputSchema")}


@pytest.mark.parametrize(
    "uri",
    ["quickbooks://results/../../etc/passwd", "quickbooks://results/invoice-99.csv", "quickbooks://schemas/AccessToken",
     "quickbooks://companies/nope", "quickbooks://companies/", "quickbooks://other/x", "file:///etc/passwd"],
)  # fmt: skip
def test_other_resources_do_not_exist(agent, uri):
    with pytest.raises(MCPError) as caught:
        agent.run(lambda client: client.read_resource(uri))
    assert "root:" not in str(caught.value)


def test_the_list_of_resources_has_pages():
    held = {f"c{number:03}": {"client_id": "x" * 20, "client_secret": "y" * 20, "refresh_token": "z" * 20,
                              "realm_id": str(9130000000000000 + number)} for number in range(230)}  # fmt: skip
    agent = Agent(HostRegistry(held.get, list=lambda: held))

    async def talk(client):
        found, cursor = [], None
        while True:
            page = await client.list_resources(cursor=cursor)
            found.append(len(page.resources))
            if (cursor := page.next_cursor) is None:
                return found

    assert agent.run(talk) == [100, 100, 30]
    with pytest.raises(MCPError, match="cursor"):
        agent.run(lambda client: client.list_resources(cursor="x"))


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "fields", "hint"),
    [
        ("list", {}, ["entity"], ""),
        ("list", {"entity": "Invoic"}, ["entity"], "Did you mean Invoice?"),
        ("list", {"entity": "Preferences"}, ["entity"], "Use get."),
        ("list", {"entity": "Invoice", "status": "overdue"}, ["status"], "Put it into filters"),
        ("list", {"entity": "Invoice", "colour": "red"}, ["colour"], "The arguments are"),
        ("list", {"entity": "Invoice", "limit": 0}, ["limit"], ""),
        ("list", {"entity": "Invoice", "limit": "many", "start": 0}, ["limit", "start"], ""),
        ("list", {"entity": "Invoice", "filters": {"stat": "paid"}}, ["filters.stat"], "Did you mean status?"),
        ("list", {"entity": "Invoice", "filters": {"all": True}}, ["filters.all"], "The filters are"),
        ("list", {"entity": "Invoice", "filters": {"status": "late"}}, ["status"], ""),
        (
            "list",
            {"entity": "Invoice", "filters": {"status": "late", "customer_id": "x"}},
            ["status", "customer_id"],
            "",
        ),
        ("list", {"entity": "Invoice", "filters": "overdue"}, ["filters"], ""),
        ("list", {"entity": "Invoice", "detail": "some"}, ["detail"], ""),
        ("summary", {"entity": "ChangeOrder"}, ["entity"], "Use list."),
        ("summary", {"entity": "Invoice", "group_by": ["nonsense"]}, ["group_by"], "explain"),
        ("summary", {"entity": "Invoice", "group_by": ["TotalAmt:month"]}, ["group_by"], "TxnDate:month"),
        ("summary", {"entity": "Invoice", "group_by": ["TxnDate:week"]}, ["group_by"], ":month"),
        ("summary", {"entity": "Item", "group_by": ["age"]}, ["group_by"], ""),
        ("get", {"entity": "Invoice"}, ["id"], "list or find"),
        ("get", {"entity": "Invoice", "id": "abc"}, ["id"], ""),
        ("get", {"entity": "ExchangeRate", "id": "1"}, ["entity"], "Use list."),
        ("find", {"text": "  "}, ["text"], ""),
        ("find", {"text": "x", "entities": ["Deposit"]}, ["entities"], "Use list"),
        ("changes", {"since": "2026-11-01", "entities": ["Nothing"]}, ["entities"], "explain"),
    ],
)  # fmt: skip
def test_field_errors_name_the_field_and_say_what_to_do(agent, books, tool, arguments, fields, hint):
    books.reset_counters()
    error = agent.fail(tool, company="acme", **arguments)
    assert (error["code"], error["retry"], error["fields"]) == ("INPUT_INVALID", False, fields)
    assert hint in error["hint"]
    assert len(json.dumps(error)) < 500
    assert books.counters()["api_requests"]["total"] == 0


def test_filters_as_text_are_understood(agent):
    data = agent.ask("list", company="acme", entity="Invoice", filters='{"status": "paid"}', limit=1)
    assert rows_of(data)[0]["paymentStatus"] == "paid"


def test_failures_say_whether_to_retry(alone, emulator):
    error = alone.fail("get", entity="Invoice", id="99999")
    assert (error["code"], error["retry"]) == ("RESOURCE_NOT_FOUND", False)
    assert "list or find" in error["hint"]
    emulator.revoke_grants()
    error = alone.fail("list", entity="Invoice")
    assert (error["code"], error["retry"]) == ("REAUTHORIZATION_REQUIRED", False)
    assert "vantage-quickbooks connect" in error["hint"]
    waiting = error_of(RateLimitedError("Too many requests.", retry_after_s=12.0))
    assert (waiting["retry"], waiting["retryAfterSeconds"], waiting["hint"]) == (
        True, 12.0, "Repeat the same call in 12 seconds.",
    )  # fmt: skip
    assert error_of(NetworkError("No response."))["hint"] == "Repeat the same call later."


def test_a_bug_is_reported_by_its_place_and_not_by_its_text(agent, monkeypatch, caplog):
    def fail(*_):
        raise ValueError("a-secret-in-a-message")

    monkeypatch.setattr(server, "run_tool", fail)
    error = agent.fail("explain")
    assert (error["code"], error["retry"]) == ("INTERNAL_ERROR", False)
    assert "a-secret" not in json.dumps(error) + caplog.text
    assert "ValueError at" in caplog.text


# ---- long calls ------------------------------------------------------------------------------------------------------


def test_calls_run_at_the_same_time(books):
    """Each call waits in the registry until four are there."""
    barrier = threading.Barrier(4, timeout=30)
    held = {name: settings_of(books, realm) for name, realm in (("acme", None), ("zulu", ZULU))}

    def load(name):
        if threading.current_thread() is not threading.main_thread():
            barrier.wait()
        return held[name]

    agent = Agent(HostRegistry(load, list=list))

    async def talk(client):
        found = {}

        async def one(name, tool, **arguments):
            found[name, tool] = await client.call_tool(tool, {"company": name, **arguments})

        async with anyio.create_task_group() as tasks:
            for name in held:
                tasks.start_soon(one, name, "company_info")
                tasks.start_soon(lambda name=name: one(name, "get", entity="Preferences"))
        return found

    # Opening a connection loads its settings a second time.
    for name, settings in held.items():
        agent.session.companies._open[name] = (settings, QUICKBOOKS.connect(settings))
    found = agent.run(talk)
    agent.close()
    assert len(found) == 4
    for name, realm in (("acme", None), ("zulu", ZULU)):
        info = found[name, "company_info"].structured_content["companyInfo"]
        assert info["CompanyName"] == books.company(realm).name()


@pytest.mark.emulator(invoices=2500)
def test_long_reads_report_their_progress(alone):
    seen = []

    async def talk(client):
        async def progress(done, total, message):
            seen.append((done, total, message))

        return await client.call_tool("summary", {"entity": "Invoice"}, progress_callback=progress)

    for options in ({}, {"mode": "legacy"}):
        seen.clear()
        data = alone.run(talk, **options).structured_content
        assert sum(entry["count"] for entry in data["totals"]) == 2500
        assert len(seen) == 3
        assert [done for done, *_ in seen] == sorted({done for done, *_ in seen})
        assert seen[-1][:2] == (2500, 2500)
        assert seen[0][2].endswith("of 2,500 records")


def test_progress_always_increases(agent):
    """Most entities have no changes."""
    seen = []

    async def talk(client):
        async def progress(done, _total, _message):
            seen.append(done)

        arguments = {"company": "acme", "since": datetime.now(UTC).date().replace(day=1).isoformat()}
        return await client.call_tool("changes", arguments, progress_callback=progress)

    assert not agent.run(talk).is_error
    assert len(seen) > 1
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(("tool", "arguments"), [("summary", {"entity": "Invoice"}), ("company_info", {})])
def test_a_cancelled_call_ends_at_once(alone, emulator, monkeypatch, mode, tool, arguments):
    """It waits for the end of throttling, a minute, when the client cancels it."""
    ended, outcomes = threading.Event(), []
    run_tool = server.run_tool

    def observed(*args):
        try:
            return run_tool(*args)
        except ConnectorError as error:
            outcomes.append(error.code)
            raise
        finally:
            ended.set()

    monkeypatch.setattr(server, "run_tool", observed)
    alone.ask("company_info")
    ended.clear()
    emulator.fault("throttle", path="/v3/", times=-1, retry_after=100)

    async def talk(client):
        async def until_refused():
            while not emulator.counters()["faults_delivered"]:  # noqa: ASYNC110 -- the emulator has no event
                await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(until_refused)
            await client.call_tool(tool, arguments)
        assert await anyio.to_thread.run_sync(ended.wait, 20)
        emulator.clear_faults()
        return await client.call_tool("explain", {})

    assert not alone.run(talk, mode=mode).is_error
    assert outcomes == ["CANCELLED"]
