"""Statements: rows of a report as an indented table, of any connector."""

from __future__ import annotations

import io

import pytest
from pyarrow import parquet
from running_site import Client

from vantage_quickbooks.connector.description import describe_one
from vantage_quickbooks.contract import Action, describe_action, envelope
from vantage_quickbooks.hookspecs import hookimpl
from vantage_quickbooks.web.links import Links
from vantage_quickbooks.web.rows import ResultFiles
from vantage_quickbooks.web.statements import MAX_SHOWN, heading_of, statements_of

VIEW = {
    "kind": "outline",
    "columns": "columns",
    "label": "name",
    "depth": "depth",
    "rowKind": "kind",
    "totals": ["sum"],
}
COLUMNS = [
    {"field": "bay", "label": ""},
    {"field": "amount", "label": "Amount", "format": "money"},
    {"field": "note", "label": "Note"},
]
ROWS = [
    {"name": "Repairs", "depth": 0, "kind": "head"},
    {"name": "Ramp", "bay": "Ramp", "bay_id": "7", "depth": 1, "kind": "row", "amount": -1250.5},
    {"name": "Pit", "bay": "Pit", "depth": 1, "kind": "row", "amount": 2000},
    {"name": "Total repairs", "depth": 0, "kind": "sum", "amount": 749.5},
    {"name": "Profit", "depth": 0, "kind": "sum", "amount": 749.5},
]


@pytest.fixture
def rows_of():
    files = ResultFiles()

    def make(found, action=None):
        rows = files.new("r", action)
        rows.append(found)
        return rows

    yield make
    files.close()


def statement(rows, *, currency="USD", links=(), view=VIEW, data=None):
    actions = [
        {
            "id": "getBay",
            "rowsKey": "bay",
            "modes": [],
            "destructive": False,
            "sensitiveOutput": False,
            "streamable": False,
        }
    ]
    (found,) = statements_of(rows, data or {"columns": COLUMNS}, [view], currency, Links("c", actions, links))
    return found


def test_sections_sums_and_amounts(rows_of):
    found = statement(rows_of(ROWS))
    assert (found.label, [column.label for column in found.columns]) == ("Bay", ["Amount"])  # no row has a note
    assert [(line.label.cell.text, line.indent, line.kind, line.is_end) for line in found.lines] == [
        ("Repairs", 0, "section", False),
        ("Ramp", 1, "data", False),
        ("Pit", 1, "data", False),
        ("Total repairs", 0, "total", True),
        ("Profit", 0, "total", False),
    ]
    assert [line.cells[0].cell.text for line in found.lines] == ["", "(1,250.50)", "2,000.00", "749.50", "749.50"]
    assert found.has_sections


def test_amounts_have_the_decimals_of_the_currency(rows_of):
    assert statement(rows_of(ROWS), currency="JPY").lines[2].cells[0].cell.text == "2,000"


def test_cells_lead_to_the_records_whose_ids_the_row_has(rows_of):
    links = [{"field": "bay", "action": "getBay", "input": {"id": "bay_id"}}]
    found = statement(rows_of(ROWS), links=links)
    assert [line.label.url for line in found.lines] == ["", "/connections/c/records/getBay?id=7", "", "", ""]


def test_a_table_has_its_sums_last_and_labels_for_values(rows_of):
    view = {
        "kind": "table",
        "rows": "byAge",
        "total": "totals",
        "columns": [
            {"field": "age", "label": "Age", "values": {"new": {"label": "Not due yet"}}},
            {"field": "amount", "label": "Amount", "format": "money"},
        ],
    }
    data = {
        "byAge": [{"age": "new", "amount": "3.00"}, {"age": "old", "amount": "-1.00"}],
        "totals": {"amount": "2.00"},
    }
    found = statement(rows_of([]), view=view, data=data)
    assert [(line.label.cell.text, line.cells[0].cell.text) for line in found.lines] == [
        ("Not due yet", "3.00"),
        ("old", "(1.00)"),
        ("Total", "2.00"),
    ]


def test_a_long_report_says_how_much_is_shown(rows_of):
    many = [{"name": f"Row {number}", "depth": 0, "kind": "row", "amount": 1} for number in range(MAX_SHOWN + 5)]
    found = statement(rows_of(many))
    assert (len(found.lines), found.total) == (MAX_SHOWN, MAX_SHOWN + 5)


@pytest.mark.parametrize(
    ("member", "rows"),
    [({"columns": "no list"}, ROWS), ({}, ROWS), ({"columns": []}, ROWS), ({"columns": [{"label": "no field"}]}, ROWS)],
)
def test_a_result_without_columns_has_no_statement(rows_of, member, rows):
    assert statements_of(rows_of(rows), member, [VIEW], "", Links("c", [], ())) == []


@pytest.mark.parametrize(
    ("data", "period"),
    [
        ({"from": "2026-01-01", "to": "2026-01-31"}, "1 Jan 2026 to 31 Jan 2026"),
        ({"from": "2026-01-31", "to": "2026-01-31"}, "As of 31 Jan 2026"),
        ({"to": "2026-01-31"}, "As of 31 Jan 2026"),
        ({"from": "2026-01-31"}, "1 Jan 2026"[:0] + "31 Jan 2026"),
        ({}, ""),
        ({"from": 3, "to": None}, ""),
    ],
)
def test_the_heading_says_the_period(data, period):
    assert heading_of({"from": "from", "to": "to", "title": "title"}, data, "Report").period == period


# ---- a connector of another kind -------------------------------------------------------------------------------------


class Connection:
    def call(self, _action_id, data):
        rows = [] if data.get("kind") == "empty" else ROWS
        kept = [{"format": None, **column} for column in COLUMNS]
        return envelope(data={"lines": rows, "columns": kept, "about": {"unit": "EUR"}})

    def close(self):
        pass


class Connector:
    id = "garage"

    def describe(self):
        action = Action(
            "getFigures",
            "Figures",
            "Sums by bay.",
            rows_key="lines",
            views=(VIEW,),
            report={"input": "kind", "heading": {"currency": "about.unit"}},
        )
        schema = {"type": "object", "properties": {"kind": {"enum": ["bays", "empty"]}, "bay": {"type": "string"}}}
        form = {"variants": {"input": "kind", "fields": {"bays": ["bay"], "empty": []}}}
        described = describe_action(action, "garage", inputSchema=schema, inputForm=form, outputSchema={})
        return {
            "contractVersion": "1.3",
            "id": "garage",
            "displayName": "Garage",
            "settingsSchema": {"type": "object", "properties": {}},
            "actions": [described],
        }

    def validate(self, _settings):
        return {"valid": True, "fields": [], "warnings": []}

    def connect(self, _settings, _context=None):
        return Connection()


class Plugin:
    @hookimpl
    def vantage_register_connectors(self, register):
        register(Connector())


@pytest.fixture
def client(serve):
    site = serve(plugins=[Plugin()])
    site.host.save("garage", "Ours", {}, "cars")
    client = Client(site)
    client.get(f"/?key={site.sessions.access_key}")
    yield client
    client.close()


def test_any_connector_has_reports(client):
    page = client.get("/connections/cars/reports").text
    assert 'href="/connections/cars/reports/getFigures?kind=bays"' in page
    report = client.get("/connections/cars/reports/getFigures?kind=bays").text
    assert "(1,250.50)" in report
    assert "· EUR" in report or "<strong>EUR</strong>" in report
    assert 'name="bay"' in report
    assert 'name="bay"' not in client.get("/connections/cars/reports/getFigures?kind=empty").text
    assert client.get("/connections/cars/reports/noSuch?kind=bays").status_code == 404


def test_a_report_without_its_name_leads_to_the_choice(client):
    assert client.get("/connections/cars/reports/getFigures").url.endswith("/connections/cars/reports")


def test_parquet_has_the_types_that_the_result_says(client):
    page = client.get("/connections/cars/reports/getFigures?kind=bays").text
    run = page.split('href="/runs/')[1].split("/")[0]
    answer = client.get(f"/runs/{run}/download.parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert str(table.schema.field("amount").type) == "decimal128(38, 4)"
    assert [str(value) for value in table["amount"].to_pylist()][1:3] == ["-1250.5000", "2000.0000"]
    assert table["name"].to_pylist()[0] == "Repairs"
    assert 'filename="bays-' in answer.headers["Content-Disposition"]


def test_each_report_of_quickbooks_is_in_a_group_once():
    action = describe_one("getReport")
    listed = [value for group in action["report"]["groups"] for value in group["values"]]
    assert sorted(listed) == sorted(action["inputSchema"]["properties"]["report"]["enum"])
