"""Lists of any connector: filters from its descriptor, states in URLs, titles in words, links."""

from __future__ import annotations

import json
from datetime import date
from urllib.parse import parse_qsl

import pytest
from fleet import Plugin as FleetPlugin
from garage import Plugin as GaragePlugin
from hypothesis import given
from hypothesis import strategies as st
from running_site import Client

from vantage_quickbooks.connector.description import describe, describe_one
from vantage_quickbooks.web.links import Links
from vantage_quickbooks.web.listings import Listing, ListState, Preset, is_list, question, title_of
from vantage_quickbooks.web.shared_sets import with_sets

DESCRIBED = describe()
ACTIONS = [with_sets(action, DESCRIBED) for action in DESCRIBED["actions"]]
INVOICES = next(action for action in ACTIONS if action["id"] == "listInvoices")
LISTING = Listing.of(INVOICES)


@pytest.fixture
def client(serve):
    """A signed-in client of a site with a connection to the garage and one to the fleet."""
    site = serve(plugins=[GaragePlugin(), FleetPlugin()])
    site.host.save("garage", "Ours", {"api_key": "k3y"}, "cars")
    site.host.save("fleet", "Vans", {"api_key": "k3y"}, "vans")
    client = Client(site)
    client.get(f"/?key={site.sessions.access_key}")
    yield client
    client.close()


def test_a_list_without_a_listing_has_the_fields_of_its_form_as_filters(client):
    page = client.get("/connections/cars/lists/listCars?sold_only=true&sort=-km&q=T-10").text
    assert "Remove filter </span>Sold only: <strong>Yes</strong>" in page
    assert "6 of <strong>125</strong> rows" in page  # T-10, and each second one from T-100 to T-108
    vans = client.get("/connections/vans/lists/listVans")
    assert vans.status_code == 200
    assert "Driver</summary>" in vans.text
    assert "Color</summary>" not in vans.text  # it is in the group `advanced`


@pytest.mark.parametrize("path", ["cars/lists/getCar", "cars/lists/countCars", "vans/lists/scrapVan", "vans/lists/no"])
def test_only_lists_have_list_pages(client, path):
    assert client.get(f"/connections/{path}").status_code == 404


@pytest.mark.parametrize("path", ["vans/records/scrapVan?plate=V-1", "cars/records/nothing"])
def test_what_changes_data_has_no_record_page(client, path):
    assert client.get(f"/connections/{path}").status_code == 404
    assert "V-1" in client.get("/connections/vans/lists/listVans").text


def test_a_record_without_a_view_shows_all_its_members(client):
    page = client.get("/connections/cars/records/getCar?plate=T-7").text
    assert "<h1>Get car</h1>" in page
    assert "&lt;b&gt;Owner 7&lt;/b&gt;" in page
    assert "<code>owner.name</code>" in page


def test_the_lists_of_quickbooks_are_the_list_actions():
    lists = [action["id"] for action in describe(schemas=False)["actions"] if is_list(action)]
    assert len(lists) > 30
    assert all(name.startswith("list") for name in lists)


def test_every_filter_and_sort_of_quickbooks_has_its_inputs():
    for action in ACTIONS:
        described = action["listing"]
        if not described:
            continue
        listing = Listing.of(action)
        assert len(listing.filters) == len(described["filters"]), action["id"]
        if listing.sort:
            allowed = action["inputSchema"]["properties"]["order_by"]["enum"]
            for column in listing.sort["columns"]:
                assert listing.order_input(column, descending=True)["order_by"] in allowed, action["id"]


def test_every_link_of_quickbooks_leads_to_an_action_with_its_inputs():
    actions = {action["id"]: action for action in ACTIONS}
    for action in actions.values():
        sections = [part for view in action["views"] for part in view.get("sections", ())]
        record = (action["listing"] or {}).get("record")
        links = [
            *action["links"],
            *([record] if record else []),
            *(it for part in sections for it in part.get("links", ())),
        ]
        for link in links:
            inputs = actions[link["action"]]["inputSchema"]["properties"]
            assert set(link["input"]) <= set(inputs), (action["id"], link)


def test_sets_that_actions_name_stand_in_the_descriptor_once():
    menu = describe(schemas=False)
    size = len(json.dumps(menu))
    assert size < 270_000, size  # 325,000 with each action's own
    action = next(action for action in menu["actions"] if action["id"] == "listInvoices")
    named = [item["presets"] for item in action["listing"]["filters"] if "presets" in item]
    assert named == ["past", "due", "since"]
    full = with_sets(action, menu)
    assert [item["presets"][0]["id"] for item in full["listing"]["filters"] if "presets" in item] == [
        "today", "next7Days", "today"
    ]  # fmt: skip
    assert action["listing"]["filters"][2]["presets"] == "past"  # the menu itself is not changed
    unknown = {**action, "listing": {"title": "X", "filters": [{"id": "day", "presets": "noSuchSet"}]}}
    assert with_sets(unknown, menu)["listing"]["filters"][0]["presets"] == []


@pytest.mark.parametrize(
    ("first", "last", "bounds"),
    [
        (("day", -6), ("day", 0), ("2026-02-23", "2026-03-01")),
        (("month", 0), ("month", 0), ("2026-03-01", "2026-03-31")),
        (("month", -1), ("month", -1), ("2026-02-01", "2026-02-28")),
        (("month", -3), ("month", -3), ("2025-12-01", "2025-12-31")),
        (("quarter", 0), ("quarter", 0), ("2026-01-01", "2026-03-31")),
        (("quarter", -1), ("quarter", -1), ("2025-10-01", "2025-12-31")),
        (("year", 0), ("year", 1), ("2026-01-01", "2027-12-31")),
        (None, ("day", -1), ("", "2026-02-28")),
    ],
)
def test_presets_are_whole_periods(first, last, bounds):
    assert Preset("p", "P", first, last).bounds(date(2026, 3, 1)) == bounds


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("", "Invoices"),
        ("status=overdue", "Overdue invoices"),
        ("status=partiallyPaid&customer_id=24", "Partly paid invoices of 24"),
        ("due_date=thisMonth", "Invoices due this month"),
        ("due_date_from=2026-01-02", "Invoices due from 2 Jan 2026"),
        ("txn_date_to=2026-01-02", "Invoices dated until 2 Jan 2026"),
        ("txn_date_from=2026-01-02&txn_date_to=2026-01-02", "Invoices dated 2 Jan 2026"),
        ("balance_from=1000", "Invoices with balance 1,000.00 or more"),
        ("amount_from=5&amount_to=10.5", "Invoices with amount 5.00 to 10.50"),
        ("amount_to=plenty", "Invoices with amount plenty or less"),
        ("doc_number=1037", "Invoices number 1037"),
    ],
)
def test_titles_are_questions(query, title):
    state = ListState.parse(LISTING, parse_qsl(query))
    assert title_of(LISTING, state.chips(LISTING, {})) == title


def test_a_run_from_a_form_is_named_by_its_question_too():
    assert question(
        INVOICES, {"status": "overdue", "customer_id": "24", "max_results": 5}, {"customer_id": "Acme"}
    ) == ("Overdue invoices of Acme")
    assert question(describe_one("getVendor"), {"id": "56"}, {"id": "Norton"}) == "Get a vendor: Vendor Norton"
    assert question(describe_one("getCompanyInfo"), {}, {}) == "Get company information"


NAMES = st.sampled_from(
    ["status", "customer_id", "due_date", "due_date_from", "sort", "page", "q", "columns", "read", "x"]
)
VALUES = st.sampled_from(["overdue", "thisMonth", "2026-01-01", "-DueDate", "2", "all", "0", "", "  "]) | st.text(
    max_size=9
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_any_url_is_a_state_and_its_own_url_is_the_same_state(pairs):
    state = ListState.parse(LISTING, pairs)
    again = ListState.parse(LISTING, parse_qsl(state.query(page=str(state.page)).removeprefix("?")))
    assert again == state


def test_an_input_named_like_a_part_of_the_state_is_a_filter_too():
    form = {"order": ["page"], "fields": {"page": {"label": "Page of the book", "inputType": "String"}}}
    action = {
        **INVOICES,
        "listing": None,
        "inputForm": form,
        "inputSchema": {"properties": {"page": {"type": "string"}}},
    }
    listing = Listing.of(action)
    state = ListState.parse(listing, [("input-page", "cover"), ("page", "3")])
    assert (state.values, state.page) == ({"page": "cover"}, 3)
    assert state.query(page="4") == "?input-page=cover&page=4"


def test_a_link_without_its_value_does_not_apply():
    link = {"field": "who", "action": "listInvoices", "input": {"customer_id": "ref.0.id"}, "when": {"kind": "Invoice"}}
    links = Links("c 1", [INVOICES], [link])
    assert links.of_field("who", {"kind": "Invoice", "ref": [{"id": 5}]}) == (
        "/connections/c%201/lists/listInvoices?customer_id=5"
    )
    for row in (
        {"kind": "Bill", "ref": [{"id": 5}]},
        {"kind": "Invoice", "ref": []},
        {"kind": "Invoice", "ref": [{"id": {}}]},
    ):
        assert links.of_field("who", row) == ""
