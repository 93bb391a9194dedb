"""`call` and `actions` read the descriptor: inputs as KEY=VALUE, tables of any action, any number of actions."""

from __future__ import annotations

import csv
import io
import json

import pytest

from vantage_quickbooks.cli import main
from vantage_quickbooks.cli.descriptor import find_action, is_full_read, rows_of
from vantage_quickbooks.cli.inputs import UsageError, read_input, read_pairs
from vantage_quickbooks.connector.connector import QUICKBOOKS


@pytest.fixture
def settings_file(tmp_path, emulator):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(emulator.settings()))
    return path


@pytest.fixture
def call(capsys, settings_file):
    """Run `call` in this process; return the exit status, standard output and standard error."""

    def run(*args):
        status = main(["call", *args, "--settings", str(settings_file)])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return run


# ---- KEY=VALUE -------------------------------------------------------------------------------------------------------


def test_pairs_are_texts_and_json_where_it_is_a_list_or_an_object():
    pairs = ["a=1", "b=true", "c=x=y", "d=", 'e=["Id", 1]', 'f={"g": null}', "h=[not json", "i= [1]"]
    assert read_pairs(pairs) == {
        "a": "1", "b": "true", "c": "x=y", "d": "", "e": ["Id", 1], "f": {"g": None}, "h": "[not json", "i": [1],
    }  # fmt: skip


def test_pairs_override_the_input_key_by_key():
    assert read_input('{"a": 1, "b": 2}', ["b=3"]) == {"a": 1, "b": "3"}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["status"], '"status" is not KEY=VALUE'),
        (["=open"], '"=open" is not KEY=VALUE'),
        (["status=open", "status=paid"], "status occurs twice"),
    ],
)
def test_wrong_pairs_are_usage_errors(pairs, message):
    with pytest.raises(UsageError, match=message):
        read_pairs(pairs)


def test_pairs_need_an_input_that_is_an_object():
    with pytest.raises(UsageError, match="JSON object"):
        read_input("[1]", ["a=1"])


def test_call__pairs_are_the_same_as_json(call):
    _, by_pairs, _ = call("listInvoices", "status=overdue", "max_results=5", "fields=DueDate,Balance")
    given = {"status": "overdue", "max_results": 5, "fields": ["DueDate", "Balance"]}
    _, by_json, _ = call("listInvoices", "--input", json.dumps(given))
    found = json.loads(by_pairs)["data"]
    assert found["count"] == 5
    assert found | {"metadata": 0} == json.loads(by_json)["data"] | {"metadata": 0}


@pytest.mark.parametrize("pair", ["status=late", "max_results=many", 'max_results={"a": 1}', "txn_date_from=soon"])
def test_call__a_wrong_value_names_the_field_and_the_hint(call, pair):
    name = pair.partition("=")[0]
    rules = find_action("listInvoices")["inputSchema"]["properties"][name]
    status, shown, message = call("listInvoices", pair, "--format", "table")
    assert (status, shown) == (1, "")
    headline, field, hint = message.splitlines()[:3]
    assert headline == "INPUT_INVALID: 1 error in the input."
    assert field.startswith(f"  {name}: {rules['title']} must be ")
    assert hint == f"      {rules['x-hint']}"


def test_call__an_unknown_input_names_the_one_that_was_meant(call):
    status, _, message = call("listInvoices", "staus=open", "--format", "csv")
    assert status == 1
    assert '  staus: "staus" is not a known input.\n      Did you mean status?' in message


def test_call__the_next_page_is_the_same_command_with_one_more_pair(call):
    _, first, message = call("listCustomers", "max_results=20", "--format", "csv")
    pair = message.split("Next page: ")[1].strip()
    _, second, _ = call("listCustomers", "max_results=20", pair, "--format", "csv")
    ids = [row["Id"] for page in (first, second) for row in csv.DictReader(io.StringIO(page))]
    assert len(ids) == len(set(ids)) > 20


@pytest.mark.parametrize("pair", ["all=true", "all=TRUE", "sync_cursor=x"])
def test_a_full_read_is_recognized_in_text(pair):
    assert is_full_read(find_action("listInvoices"), read_pairs([pair]))


@pytest.mark.parametrize("pair", ["all=false", "all=", "max_results=5"])
def test_a_page_is_recognized_in_text(pair):
    assert not is_full_read(find_action("listInvoices"), read_pairs([pair]))


@pytest.mark.parametrize("pair", ["all=true", "all=false"])
def test_call__ndjson_is_for_full_reads(call, pair):
    status, shown, message = call("listCustomers", pair, "--format", "ndjson")
    if pair == "all=true":
        _, full, _ = call("listCustomers", pair)
        assert (status, len(shown.splitlines())) == (0, json.loads(full)["data"]["count"])
    else:
        assert (status, message) == (2, "vantage-quickbooks: --format ndjson needs a full read. Add all=true.\n")


def test_call__ndjson_of_an_action_without_full_reads_is_refused(call):
    status, _, message = call("getCompanyInfo", "--format", "ndjson")
    assert (status, "getCompanyInfo cannot" in message) == (2, True)


def test_call__an_estimate_for_programs(call):
    status, shown, _ = call("listInvoices", "all=true", "--dry-run", "--format", "json")
    assert (status, json.loads(shown)["totalCount"]) == (0, 60)


# ---- tables of any action --------------------------------------------------------------------------------------------

STATES = {"void": {"label": "gone", "tone": "muted"}}
WIDGETS = {
    "id": "listWidgets", "title": "List widgets", "description": "Lists widgets.", "group": "lists",
    "rowsKey": "smallWidgets", "sensitiveOutput": False, "streamable": False, "fullReadInput": None, "examples": [],
    "inputForm": {"order": [], "fields": {}}, "outputSchema": {},
    "views": [{"kind": "table", "columns": [
        {"field": "DocNumber", "label": "No."},
        {"field": "VendorRef.name", "label": "Vendor"},
        {"field": "Qty", "label": "Quantity", "format": "number"},
        {"field": "Total", "label": "Total", "format": "money", "currency": "CurrencyRef.value"},
        {"field": "Open", "label": "Open", "format": "boolean"},
        {"field": "state", "label": "State", "format": "status", "values": STATES},
        {"field": "Absent", "label": "Absent"},
    ]}],
}  # fmt: skip
ROWS = [
    {"DocNumber": "1", "VendorRef": {"value": "7", "name": "Fern\x1b[2J & Co"}, "Qty": 12345.5, "Total": 1234.5,
     "CurrencyRef": {"value": "USD"}, "Open": True, "state": "void"},
    {"DocNumber": "2", "VendorRef": {"value": "8"}, "Qty": 1, "Total": -2, "CurrencyRef": {"value": "EUR"},
     "Open": False, "state": "unheard of"},
]  # fmt: skip


def shown_table(capsys, monkeypatch, data, action=WIDGETS, *, has_filters=False):
    from vantage_quickbooks.cli import tables

    monkeypatch.setenv("COLUMNS", "100")
    tables.show_result(data, action, has_filters=has_filters)
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_table__columns_and_formats_are_the_descriptors(capsys, monkeypatch):
    lines = shown_table(capsys, monkeypatch, {"smallWidgets": ROWS, "count": 2, "metadata": {}})
    assert lines[0].split() == ["No.", "Vendor", "Quantity", "Total", "Open", "State"]
    assert lines[2] == "1    Fern�[2J & Co  12,345.5  1,234.50 USD  yes   gone"
    assert lines[3].split() == ["2", "1", "-2.00", "EUR", "no", "unheard", "of"]


def test_table__without_a_view_it_shows_the_properties_that_hold_one_value(capsys, monkeypatch):
    action = WIDGETS | {"views": []}
    lines = shown_table(capsys, monkeypatch, {"smallWidgets": ROWS, "count": 2, "metadata": {}}, action)
    assert lines[0].split() == ["DocNumber", "VendorRef", "Qty", "Total", "CurrencyRef", "Open", "state"]
    wide = [{"Line": [], "domain": "QBO", **{f"Property{number}": number for number in range(20)}, "Id": "7"}]
    lines = shown_table(capsys, monkeypatch, {"smallWidgets": wide, "count": 1, "metadata": {}}, action)
    assert max(map(len, lines[:3])) <= 100
    assert lines[0].split() == ["Id", *(f"Property{number}" for number in range(8))]
    assert " ".join(lines[4:]) == "Not shown (use --format csv or json): " + ", ".join(
        f"Property{number}" for number in range(8, 20)
    )


def test_table__a_count_in_place_of_records_is_shown(capsys, monkeypatch):
    data = {"smallWidgets": [], "count": 0, "totalCount": 60, "metadata": {}}
    assert [line.strip() for line in shown_table(capsys, monkeypatch, data, WIDGETS | {"views": []})][::2] == [
        "totalCount", "60",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("has_filters", "expected"), [(True, "No small widgets match these filters."), (False, "No small widgets.")]
)
def test_table__an_empty_list_is_said_in_words(capsys, monkeypatch, has_filters, expected):
    data = {"smallWidgets": [], "count": 0, "metadata": {}}
    assert shown_table(capsys, monkeypatch, data, has_filters=has_filters) == [expected]


def test_table__one_record_is_a_card(capsys, monkeypatch):
    action = WIDGETS | {"id": "getWidget", "rowsKey": "widget"}
    widget = {
        "SyncToken": "0", "Id": "9", "VendorRef": {"value": "7", "name": "Fern"}, "TotalAmt": 3, "Line": [{}, {}],
        "BillAddr": {"Id": "2", "Line1": "1 Elm", "City": "Alameda"},
        "MetaData": {"CreateTime": "2026-01-01T00:00:00Z"},
    }  # fmt: skip
    lines = shown_table(capsys, monkeypatch, {"widget": widget, "metadata": {}}, action)
    assert [line.split(maxsplit=1)[0] for line in lines] == ["Id", "Vendor", "Total", "Line", "Bill", "Created"]
    assert "Bill address  1 Elm, Alameda" in lines
    assert "Line          2 (see --format json)" in lines


def test_secrets_are_those_that_the_output_schema_marks():
    action = WIDGETS | {"rowsKey": None, "outputSchema": {"properties": {"pin": {"x-sensitive": True}, "name": {}}}}
    assert rows_of({"pin": "123456", "name": "x"}, action) == [{"pin": "123…(6 characters)", "name": "x"}]


def test_every_action_that_lists_has_a_table_and_a_csv_with_its_records(call):
    for action in QUICKBOOKS.describe(schemas=False)["actions"]:
        if not action["id"].startswith("list"):
            continue
        limit = ["max_results=3"] if "page" in action["modes"] else []
        status, shown, _ = call(action["id"], *limit)
        count = json.loads(shown)["data"]["count"]
        assert (status, count > 0) == (0, True), action["id"]
        status, table, _ = call(action["id"], *limit, "--format", "table")
        labels = [column["label"] for view in action["views"] if view["kind"] == "table" for column in view["columns"]]
        assert (status, table.split("\n")[0].split()[0]) == (0, labels[0].split()[0]), action["id"]
        status, text, _ = call(action["id"], *limit, "--format", "csv")
        assert (status, len(list(csv.DictReader(io.StringIO(text, newline=""))))) == (0, count), action["id"]


def test_call__a_query_as_a_table_and_as_csv(call):
    query = "query=SELECT Id, DocNumber, TotalAmt FROM Invoice MAXRESULTS 3"
    status, table, message = call("query", query, "--format", "table")
    assert (status, table.split("\n")[0].split()) == (0, ["Id", "DocNumber", "TotalAmt"])
    assert message == "3 rows; there may be more.\n"
    status, text, _ = call("query", query, "--format", "csv")
    assert (status, len(list(csv.DictReader(io.StringIO(text))))) == (0, 3)
    status, text, _ = call("query", "query=SELECT COUNT(*) FROM Invoice", "--format", "csv")
    assert (status, text.split()) == (0, ["totalCount", "60"])


# ---- actions ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def many_actions(monkeypatch):
    """A descriptor with 100 more actions in four groups, and one in a group that it does not name."""
    described = QUICKBOOKS.describe(schemas=False)
    groups = [group["id"] for group in described["groups"]]
    for number in range(100):
        described["actions"].append(WIDGETS | {"id": f"listThing{number}", "group": groups[number % len(groups)]})
    described["actions"].append(WIDGETS | {"id": "listOddity", "group": "odd"})
    monkeypatch.setattr(type(QUICKBOOKS), "describe", lambda _, **__: described)
    return described


def test_actions__lists_every_action_under_its_group(capsys, many_actions):
    assert main(["actions"]) == 0
    found, title = [], None
    for line in capsys.readouterr().out.splitlines():
        if line.endswith(":"):
            title = line.rstrip(":")
        elif line.startswith("  "):
            found.append((title, line.split()[0]))
    titles = {group["id"]: group["title"] for group in many_actions["groups"]} | {"odd": "Other actions"}
    expected = [(titles[action["group"]], action["id"]) for action in many_actions["actions"]]
    assert found == sorted(expected, key=lambda entry: list(titles.values()).index(entry[0]))


def test_actions__for_programs(capsys, many_actions):
    assert main(["actions", "--format", "json"]) == 0
    assert {entry["id"] for entry in json.loads(capsys.readouterr().out)} == {
        action["id"] for action in many_actions["actions"]
    }


@pytest.mark.parametrize("action", QUICKBOOKS.describe()["actions"], ids=lambda action: action["id"])
def test_actions__of_one_shows_its_inputs_and_examples_that_are_its_own(capsys, action):
    import shlex

    assert main(["actions", action["id"]]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{action['id']}: {action['title']}\n")
    for name in action["inputSchema"]["properties"]:
        assert f"\n  {name} " in shown
    lines = [shlex.split(line) for line in shown.splitlines() if line.startswith("  vantage-quickbooks call ")]
    assert len(lines) == len(action["examples"])
    for words, example in zip(lines, action["examples"], strict=True):
        given = read_pairs(words[3:])
        assert {name: str(value) for name, value in given.items()} == {
            name: str(value) if isinstance(value, str | list | dict) else json.dumps(value)
            for name, value in example.items()
        }


def test_actions__unknown(capsys):
    assert main(["actions", "listInvoice"]) == 2
    assert "Did you mean listInvoices?" in capsys.readouterr().err
