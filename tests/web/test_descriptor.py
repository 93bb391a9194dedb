"""Each member of the descriptor is used: the fleet's connector has those that QuickBooks does not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fleet import BrokenPlugin, Fleet, FuturePlugin, Plugin
from jsonschema import Draft202012Validator
from running_site import Client

ACTION = "/connections/vans/actions/"


@pytest.fixture
def fleet(serve):
    """A signed-in client of a site with a connection `vans` to the fleet; `fleet.connector` is the connector."""
    plugin = Plugin()
    site = serve(plugins=[plugin])
    site.host.save("fleet", "Vans", {"api_key": "k3y"}, "vans")
    client = Client(site)
    client.get(f"/?key={site.sessions.access_key}")
    client.get(ACTION + "listVans")
    client.connector = plugin.connector
    yield client
    client.close()


def run(client, action, **data):
    return client.post(ACTION + action, {"intent": "run", **data})


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_the_fleet_describes_itself_by_the_contract():
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "descriptor.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(Fleet().describe())) == []


# ---- menu ----


def test_the_menu_loads_no_schemas_and_an_action_its_own(fleet):
    fleet.connector.described.clear()
    page = fleet.get("/connections/vans").text
    assert fleet.connector.described == []
    assert page.count("data-search=") == 17
    fleet.get(ACTION + "scrapVan")
    fleet.get(ACTION + "scrapVan")
    assert fleet.connector.described == ["scrapVan"]


def test_groups_after_the_first_are_folded_and_deprecated_actions_come_last(fleet):
    page = fleet.get("/connections/vans").text
    headings = re.findall(r"<h3[^>]*>([A-Z]\w+)</h3>", page)
    assert headings == ["Main", "People", "Reports", "Deprecated"]
    assert '<details class="menu-group">' in page
    assert '<details class="menu-group" open>' not in page
    assert page.index("listDepots") < page.index("report0") < page.index("oldVans")


def test_the_menu_is_filtered_on_the_server_too(fleet):
    page = fleet.get("/connections/vans?q=list+DRI").text
    assert page.count("data-search=") == 1
    assert "1 action found" in page
    assert ACTION + "listDrivers" in page
    assert "No actions match" in fleet.get("/connections/vans?q=hovercraft").text


def test_only_what_the_capabilities_list_is_offered(fleet):
    page = fleet.get("/connections/vans").text
    for missing in ("Test connection", "Reconnect", "Disconnect", "API usage"):
        assert missing not in page
    assert fleet.get("/connections/vans/disconnect").status_code == 404


# ---- contract versions ----


def test_a_connector_of_another_contract_version_is_rejected_with_a_reason(serve):
    client = Client(serve(plugins=[FuturePlugin(), BrokenPlugin()]))
    client.get(f"/?key={client.site.sessions.access_key}")
    page = text_of(client.get("/"))
    assert (
        "Future cannot be used It requires version 9 of the connector contract; this web UI supports version 1." in page
    )
    assert "broken cannot be used It failed to describe itself (RuntimeError)." in page
    assert "s3cret" not in page
    assert client.get("/connectors/future/new").status_code == 404
    assert [described["id"] for described in map(client.site.host.describe, client.site.host.connectors)] == [
        "quickbooks"
    ]
    client.close()


# ---- destructive, deprecated, idempotent ----


def test_a_destructive_action_asks_first_and_on_the_server(fleet):
    asked = run(fleet, "scrapVan", **{"field-plate": "V-3"})
    assert "Run “Scrap van”?" in asked.text
    assert "cannot be undone" in asked.text
    assert "<dt>Plate</dt><dd>V-3</dd>" in asked.text
    assert "V-3" in fleet.connector.vans
    assert "scrapVan" not in [call[0] for call in fleet.connector.calls]
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
    done = fleet.post(ACTION + "scrapVan", hidden)
    assert "V-3" in done.text
    assert "V-3" not in fleet.connector.vans


def test_a_failed_action_that_is_not_idempotent_is_not_advised_to_be_repeated(fleet):
    failed = run(fleet, "scrapVan", **{"field-plate": "busy", "confirmed": "1"})
    assert "may have taken effect" in failed.text
    assert "may succeed later" not in failed.text


def test_a_deprecated_action_names_its_replacement(fleet):
    page = fleet.get(ACTION + "oldVans").text
    assert "Deprecated since version 2.0." in page
    assert f'<a href="{ACTION}listVans">List vans</a>' in page


# ---- modes, cost ----


def test_modes_say_what_they_read_and_cost(fleet):
    page = fleet.get(ACTION + "listVans")
    assert re.findall(r'name="mode" value="(\w+)"', page.text) == ["page", "full", "changes"]
    assert "All rows that match. One call for each 5 vans." in page.text
    assert "Run a full sync without filters first." in page.text
    assert "field-everything" not in page.text  # the choice of the mode sets it
    assert "field-since" not in page.text
    assert 'name="mode"' not in fleet.get(ACTION + "listDrivers").text


def test_an_estimate_counts_calls_and_metered_calls(fleet):
    page = fleet.post(ACTION + "listVans", {"intent": "estimate", "field-driver": "D1"})
    assert fleet.connector.calls == [("listVans", {"driver": "D1", "everything": True}, "estimate")]
    assert "up to 12 rows and takes 4 API calls, 3 of them metered" in text_of(page)
    assert re.search(r'value="full"[^>]* checked', page.text)
    assert 'value="D1"' in page.text


def test_changes_are_read_since_a_full_sync(fleet):
    full = run(fleet, "listVans", mode="full")
    assert "12 rows, full sync" in full.text
    assert fleet.connector.calls[-1] == ("listVans", {"everything": True}, None)
    first = urlsplit(full.url).path.rpartition("/")[2]
    del fleet.connector.vans["V-7"]
    changes = run(fleet, "listVans", mode="changes", since=first)
    assert fleet.connector.calls[-1][1] == {"since": sorted(f"V-{number}" for number in range(12))}
    assert "0 rows created or changed, 1 deleted" in changes.text
    assert "Plate V-7" in text_of(changes)
    second = urlsplit(changes.url).path.rpartition("/")[2]
    form = fleet.get(ACTION + "listVans").text
    assert re.findall(r'<option value="([^"]+)">(?:Full sync|Changes), ', form) == [second, first]
    assert f'name="since" value="{second}"' in changes.text  # the next step is one button away


def test_unreported_deletions_are_not_shown_as_zero(fleet):
    first = urlsplit(run(fleet, "listVans", mode="full").url).path.rpartition("/")[2]
    fleet.connector.reports_deletions = False
    changes = run(fleet, "listVans", mode="changes", since=first)
    assert "Deletions were not reported." in changes.text
    assert ", 0 deleted" not in changes.text


def test_changes_since_an_expired_run_are_an_error_at_the_field(fleet):
    run(fleet, "listVans", mode="full")
    answer = run(fleet, "listVans", mode="changes", since="gone")
    assert answer.status_code == 422
    assert 'id="field-since-error"' in answer.text
    assert "no longer available" in answer.text


def test_a_full_sync_with_filters_offers_no_changes(fleet):
    full = run(fleet, "listVans", mode="full", **{"field-driver": "D0"})
    assert "12 rows, full sync" in full.text
    assert "Read changes since this run" not in full.text


def test_one_page_offers_the_full_sync_with_the_same_input(fleet):
    page = run(fleet, "listVans", **{"field-driver": "D0"})
    assert "5 rows," in text_of(page)
    assert "there may be more rows" in page.text
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    assert hidden["field-driver"] == "D0"
    assert "12 rows, full sync" in fleet.post(ACTION + "listVans", hidden).text


# ---- keys, flat fields, examples ----


def test_a_list_without_a_table_view_shows_its_key_and_flat_fields(fleet):
    page = run(fleet, "listVans")
    assert re.findall(r'<th scope="col"[^>]*><a [^>]*>([^<]+)</a>', page.text) == ["Plate", "Driver", "Last seen"]
    assert '<time datetime="2026-01-02">2 Jan 2026</time>' in page.text
    everything = fleet.get(f"{urlsplit(page.url).path}?columns=all").text
    assert re.findall(r'<th scope="col"[^>]*><a [^>]*>([^<]+)</a>', everything)[3:] == ["Extra"]


def test_the_action_page_shows_the_facts_of_the_descriptor(fleet):
    page = text_of(fleet.get(ACTION + "listVans"))
    for fact in ("Primary key plate", "Last updated seen", "Deleted rows reported by the mode Changes",
                 "Polling triggers Van changed", "Safe to repeat yes", "driver (text), seen (date)"):  # fmt: skip
        assert fact in page


def test_an_example_fills_the_form(fleet):
    assert 'value="D0"' in fleet.get(ACTION + "listVans?example=1").text
    assert re.search(r'value="full"[^>]* checked', fleet.get(ACTION + "listVans?example=2").text)
    assert fleet.get(ACTION + "listVans?example=99").status_code == 200


def test_advanced_fields_are_folded(fleet):
    page = fleet.get(ACTION + "listVans").text
    assert page.index("<summary>Advanced</summary>") < page.index('id="field-color"')


# ---- choices by name ----


def test_choices_are_searched_with_the_pattern_and_a_row_limit(fleet):
    answer = fleet.get(ACTION + "listVans/options/driver?q=an").json()
    assert answer == {
        "options": [{"value": "D0", "label": "Ana Reyes"}, {"value": "D1", "label": "Anita Reyes"}],
        "hasMore": False,
        "error": None,
    }
    assert fleet.connector.calls == [("listDrivers", {"name": "an*"}, 20)]


def test_one_letter_is_not_searched(fleet):
    assert fleet.get(ACTION + "listVans/options/driver?q=a").json()["options"] == []
    assert fleet.connector.calls == []


def test_a_list_without_search_is_read_once(fleet):
    for text, found in (("", ["N", "S"]), ("OR", ["N"]), ("x", [])):
        options = fleet.get(f"{ACTION}listVans/options/depot?q={text}").json()["options"]
        assert [option["value"] for option in options] == found
    assert fleet.connector.calls == [("listDepots", {}, None)]


@pytest.mark.parametrize("field", ["color", "nothing"])
def test_other_fields_have_no_choices_to_look_up(fleet, field):
    assert fleet.get(f"{ACTION}listVans/options/{field}?q=an").status_code == 404
    assert fleet.post(ACTION + "listVans", {"intent": f"lookup:{field}"}).status_code == 404


def test_without_script_a_button_looks_up_and_keeps_the_form(fleet):
    sent = {"intent": "lookup:driver", "field-driver": "an", "field-color": "red", "mode": "full"}
    page = fleet.post(ACTION + "listVans", sent).text
    assert re.findall(r'<option value="(D\d)">([^<]+)<', page) == [("D0", "Ana Reyes (D0)"), ("D1", "Anita Reyes (D1)")]
    assert "2 matches." in page
    assert 'value="red"' in page
    assert re.search(r'value="full"[^>]* checked', page)
    again = fleet.post(ACTION + "listVans", sent | {"text-driver": "bo", "field-driver": ""}).text
    assert re.search(r'<option value="D2" selected>Bo Reyes', again)
    none = fleet.post(ACTION + "listVans", sent | {"field-driver": "zz"}).text
    assert "No matches for “zz”." in none
    assert 'name="field-driver"' in none


def test_the_label_of_a_looked_up_value_is_shown_again(fleet):
    fleet.get(ACTION + "listVans/options/driver?q=an")
    page = fleet.post(ACTION + "listVans", {"intent": "estimate", "field-driver": "D1"}).text
    assert 'data-label="Anita Reyes"' in page
    asked = run(fleet, "scrapVan", **{"field-plate": "V-1", "field-driver": "D1"})
    assert "<dt>Driver</dt><dd>Anita Reyes</dd>" in asked.text


def test_a_wrong_value_of_a_lookup_is_an_error_at_the_field(fleet):
    answer = run(fleet, "listVans", **{"field-driver": "nobody"})
    assert answer.status_code == 422
    assert 'href="#field-driver">Unknown driver.</a>' in answer.text
    assert "Look one up." in answer.text


# ---- in the browser ----


@pytest.mark.parametrize("has_script", [True, False])
def test_a_destructive_action_is_confirmed_or_canceled(fleet, open_page, has_script):
    page = open_page(site=fleet.site, java_script_enabled=has_script)
    page.goto(f"{fleet.site.url}{ACTION}scrapVan")
    page.fill("#field-plate", "V-5")
    page.locator("#field-plate").press("Enter")  # runs the action, though a look-up button comes first
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/actions/scrapVan")
    assert "V-5" in fleet.connector.vans
    page.fill("#field-plate", "V-5")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Scrap van").click()
    page.wait_for_url("**/runs/**")
    assert "V-5" not in fleet.connector.vans
    assert page.problems == []


def test_choices_of_a_short_list_are_shown_at_once(fleet, open_page):
    page = open_page(site=fleet.site)
    page.goto(f"{fleet.site.url}{ACTION}listVans")
    page.locator("#field-depot").focus()
    page.get_by_role("option", name="South").click()
    assert page.locator("#field-depot").input_value() == "South"
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/**")
    assert fleet.connector.calls[-1] == ("listVans", {"depot": "S"}, None)


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_and_no_page_scrolls_sideways(fleet, open_page, axe, width):
    page = open_page(site=fleet.site, width=width)
    base, found = fleet.site.url, {}

    def check(name):
        if problems := axe.problems(page):
            found[name] = problems
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name

    for path in ("/", "/connections/vans", "/connections/vans?q=driver", ACTION + "oldVans", ACTION + "scrapVan"):
        page.goto(base + path)
        check(path)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector("h1:has-text('Run “Scrap van”?')")
    check("confirm")
    page.goto(base + ACTION + "listVans")
    page.get_by_label("Full sync", exact=True).check()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_selector(".lead:has-text('full sync')")
    check("full sync")
    page.goto(base + ACTION + "listVans")
    page.get_by_label("Changes", exact=True).check()
    check("changes")
    assert found == {}


def test_without_script_matches_are_chosen_from_a_list(fleet, open_page):
    page = open_page(site=fleet.site, java_script_enabled=False)
    page.goto(f"{fleet.site.url}{ACTION}listVans")
    page.fill("#field-driver", "an")
    page.get_by_role("button", name="Look up Driver").click()
    page.locator("#field-driver").select_option("D1")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs/**")
    assert fleet.connector.calls[-1] == ("listVans", {"driver": "D1"}, None)
