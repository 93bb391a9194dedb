"""Dashboards of any connector: when they are read, what they show, and where they lead."""

from __future__ import annotations

import re

import pytest
import till
from running_site import Client, wait_until

from vantage_quickbooks.web import dashboards
from vantage_quickbooks.web.events import CHANGES

PAGE, PART = "/connections/shop", "/connections/shop/dashboard"


@pytest.fixture
def plugin():
    return till.Plugin()


@pytest.fixture
def shop(plugin):
    return plugin.connector


@pytest.fixture
def site(serve, plugin):
    running = serve(plugins=[plugin])
    running.host.save("till", "Corner shop", {}, "shop")
    return running


@pytest.fixture
def client(site):
    opened = Client(site)
    assert opened.get(f"/?key={site.sessions.access_key}").status_code == 200
    opened.get(f"{PAGE}/settings")
    yield opened
    opened.close()


def read(client):
    """The dashboard as soon as nothing is being read."""
    found = []
    wait_until(lambda: found.append(client.get(PART).text) or "data-updating" not in found[-1])
    return found[-1]


def part_of(html, tile):
    return re.search(rf'<(li|section)\b[^>]*data-tile="{tile}".*?</\1>', html, re.DOTALL)[0]


def text_of(html, tile):
    part = part_of(html, tile)
    return " ".join(re.sub(r"<[^>]+>", " ", part.partition(">")[2]).split())


def test_each_kind_of_tile_is_shown_and_others_are_left_out(client):
    html = read(client)
    assert text_of(html, "sales") == "Sales USD 31.80 5.00 EUR 4 tickets"
    assert text_of(html, "open") == "Open 2 2 tickets"
    assert text_of(html, "week") == "This week 3 3 tickets"
    assert text_of(html, "staff") == "Staff 12"
    assert "31.80" in text_of(html, "states")
    assert text_of(html, "rates").startswith("Rates")
    assert "Orphan" not in html
    assert "Novelty" not in html
    assert re.search(r"as of <time[^>]*>\d\d:\d\d UTC</time>, \d API calls", html)


def test_all_rows_are_read_where_a_source_asks_for_them_and_otherwise_the_page_is_said_to_be_partial(client, shop):
    html = read(client)
    assert shop.calls.count("listTickets in full") == 1
    assert text_of(html, "first") == "First 3 the first 3 tickets"


def test_numbers_and_parts_lead_to_lists_with_the_same_rows(client):
    html = read(client)
    seen = {}
    for tile in ("open", "week", "sales", "states"):
        for url in re.findall(r'href="([^"]+)"', part_of(html, tile)):
            page = client.get(url.replace("&amp;", "&")).text
            seen[tile, url.rpartition("/")[2]] = int(
                re.search(r'id="count">.*?<strong>(\d+)</strong>', page, re.DOTALL)[1]
            )
    assert seen == {
        ("open", "listTickets?state=open"): 2,
        ("week", "listTickets?day=thisWeek"): 3,
        ("sales", "listTickets?read=all"): 4,
        ("states", "listTickets?read=all"): 4,
        ("states", "listTickets?state=open"): 2,
        ("states", "listTickets?state=sold"): 2,
    }


def test_a_source_without_a_list_leads_to_its_rows(client):
    html = read(client)
    url = re.search(rf'href="({PART}/rates)"', html)[1]
    answer = client.get(url)
    assert "/runs/" in answer.url
    assert "Get rates" in answer.text
    assert client.get(f"{PART}/nothing").status_code == 404


def test_the_page_has_what_its_part_has(client):
    part = read(client)
    page = client.get(PAGE).text
    inside = page.partition(f'<div id="dashboard" data-live="{PART}">')[2]
    assert part
    assert inside.startswith(part)
    assert page.index('id="dashboard"') < page.index('id="actions"') < page.index('id="settings"')


def test_figures_are_read_once_until_they_are_refreshed_changed_or_old(client, shop, site, monkeypatch):
    read(client)
    count = len(shop.calls)
    for _ in range(3):
        client.get(PAGE)
        read(client)
    assert len(shop.calls) == count
    shop.tickets.append(till.ticket(9, 100))
    client.post(f"{PART}/refresh")
    assert text_of(read(client), "sales").startswith("Sales USD 131.80")
    shop.tickets.append(till.ticket(10, 1000))
    site.host.events.publish("shop", CHANGES)
    assert text_of(read(client), "sales").startswith("Sales USD 1,131.80")
    assert len(shop.calls) == 3 * count
    monkeypatch.setattr(dashboards, "FRESH_S", 0.0)
    shop.tickets.clear()
    found = []
    wait_until(lambda: found.append(client.get(PART).text) or "No sales yet" in found[-1])


def test_a_change_of_a_company_that_no_page_shows_is_not_read(client, shop, site):
    read(client)
    count = len(shop.calls)
    site.host.events.publish("shop", CHANGES)
    client.get("/")
    assert len(shop.calls) == count


def test_a_change_during_a_read_is_read_after_it(client, shop, site):
    shop.may_answer.clear()
    assert "data-updating" in client.get(PAGE).text
    wait_until(lambda: len(shop.calls) == 4)
    site.host.events.publish("shop", CHANGES)
    shop.may_answer.set()
    read(client)
    assert len([call for call in shop.calls if call == "getStats"]) == 2


def test_the_page_is_sent_before_the_figures_are_read_and_old_ones_stay_meanwhile(client, shop):
    shop.may_answer.clear()
    page = client.get(PAGE).text
    assert '<span class="sr">Loading</span>' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert "data-updating" in client.get(PART).text
    shop.may_answer.set()
    assert "31.80" in read(client)
    assert "noscript" not in client.get(PAGE).text
    shop.may_answer.clear()
    client.post(f"{PART}/refresh")
    page = client.get(PAGE).text
    assert "31.80" in page
    assert "updating …" in page
    shop.may_answer.set()


def test_an_error_is_shown_in_its_own_tiles_with_code_and_remedy_and_never_as_zero(client, shop):
    shop.errors["listTickets"] = {"code": "SERVICE_UNAVAILABLE", "message": "The till is closed.", "retryable": True}
    html = read(client)
    for tile in ("sales", "open", "states"):
        text = text_of(html, tile)
        assert "The till is closed. Refresh to try again. SERVICE_UNAVAILABLE" in text
        assert "0" not in text
    assert text_of(html, "staff") == "Staff 12"
    count = len(shop.calls)
    read(client)
    assert len(shop.calls) == count
    shop.errors.clear()
    client.post(f"{PART}/refresh")
    assert "31.80" in read(client)


def test_an_exception_of_the_connector_is_an_error_of_its_tile_without_its_message(client, shop):
    shop.rates = None  # a bug: not iterable
    html = read(client)
    assert "INTERNAL_ERROR" in text_of(html, "rates")
    assert "iterable" not in html
    assert "31.80" in html


def test_a_company_without_rows_has_words_and_no_numbers(client, shop):
    shop.tickets.clear()
    shop.rates = []
    html = read(client)
    assert text_of(html, "sales") == "Sales No sales yet"
    assert text_of(html, "open") == "Open None"
    assert text_of(html, "states") == "Tickets by state No tickets."
    assert text_of(html, "rates") == "Rates No rates."
    assert not re.search(r"nan|inf\b|None<", html.replace(">None<", ""), re.IGNORECASE)


def test_other_settings_are_another_company(client, shop, site):
    assert "31.80" in read(client)
    shop.may_answer.clear()
    site.host.save("till", "Corner shop", {"shop": "other"}, old=site.host.record("shop"))
    page = client.get(PAGE).text
    shop.may_answer.set()
    assert "31.80" not in page


def test_a_connector_without_a_dashboard_shows_its_actions_first(serve):
    plugin = till.Plugin()
    plugin.connector.dashboard = None
    site = serve(plugins=[plugin])
    site.host.save("till", "Corner shop", {}, "shop")
    opened = Client(site)
    opened.get(f"/?key={site.sessions.access_key}")
    page = opened.get(PAGE).text
    assert 'id="dashboard"' not in page
    assert "dashboard.js" not in page
    assert page.index('class="toolbar"') < page.index('id="actions"')
    assert opened.get(PART).status_code == 404
    assert plugin.connector.calls == []
    opened.close()
