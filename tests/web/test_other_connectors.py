"""The web UI knows nothing of QuickBooks: any other connector appears and works."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from garage import Plugin
from running_site import Client


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def garage(serve, plugin):
    """A signed-in client of a site with the garage's plugin."""
    site = serve(plugins=[plugin])
    client = Client(site)
    client.get(f"/?key={site.sessions.access_key}")
    client.get("/connectors/garage/new")
    yield client
    client.close()


def make(client, **fields):
    data = {"field-api_key": "k3y-of-the-garage", "name": "Ours", "intent": "save"}
    data |= {f"field-{name}": value for name, value in fields.items()}
    return client.post("/connectors/garage/new", data)


def test_its_form_has_a_field_of_each_kind(garage):
    page = garage.get("/connectors/garage/new").text
    assert "Garage &amp; Sons" in garage.get("/").text
    assert 'type="password" id="field-api_key"' in page
    assert page.count('type="checkbox" name="field-doors"') == 2
    assert "<textarea id=" in page
    assert '<option value="true">Yes</option>' in page
    answer = make(garage, doors=["left"], options='{"a": [1]}', open_late="true", discount="2.5")
    assert answer.status_code == 200
    (record,) = garage.site.host.store.all()
    assert record.settings == {
        "api_key": "k3y-of-the-garage", "doors": ["left"], "options": {"a": [1]}, "open_late": True, "discount": 2.5
    }  # fmt: skip


def test_an_error_is_shown_at_its_field(garage):
    answer = make(garage, api_key="")
    assert answer.status_code == 422
    assert 'href="#field-api_key">Key is missing.</a>' in answer.text
    assert "Get one." in answer.text
    assert garage.site.host.store.all() == []


def test_its_rows_are_shown_escaped_sorted_and_page_by_page(garage):
    made = make(garage).url
    garage.get(f"{urlsplit(made).path}/actions/listCars")
    result = garage.post(f"{urlsplit(made).path}/actions/listCars")
    assert "250 rows" in result.text
    assert "&lt;b&gt;Owner 1&lt;/b&gt;" in result.text
    assert "<b>Owner" not in result.text
    path = urlsplit(result.url).path
    last = garage.get(f"{path}?sort=-km&page=5").text
    assert re.findall(r"T-\d+", last) == [f"T-{number}" for number in range(50, 0, -1)]
    rows = garage.get(f"{path}/download.csv").text.splitlines()
    assert len(rows) == 251
    assert len(json.loads(garage.get(f"{path}/download.json").text)["cars"]) == 250


def test_a_bug_in_a_connector_is_reported_by_its_type_only(garage, caplog):
    made = urlsplit(make(garage).url).path
    result = garage.post(f"{made}/actions/breakDown")
    assert "INTERNAL_ERROR" in result.text
    assert "RuntimeError" in result.text
    assert "k3y-of-the-garage" not in result.text + caplog.text


def test_pkce_is_used_if_the_descriptor_says_so(garage, plugin):
    made = urlsplit(make(garage).url).path
    bounce = garage.post(f"{made}/connect")
    target = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    state = parse_qs(urlsplit(target).query)["state"][0]
    done = garage.get(f"/oauth/callback?code=c0de&state={state}")
    assert "Connected" in done.text
    (record,) = garage.site.host.store.all()
    assert record.settings["ticket"] == "ticket for c0de"
    digest = hashlib.sha256(plugin.connector.verifier.encode()).digest()
    assert plugin.connector.challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    ended = garage.post(f"{made}/disconnect")
    assert "The key was handed back." in ended.text
    assert "ticket" not in garage.site.host.record(record.id).settings


def test_a_second_connector_with_the_same_id_is_refused(serve):
    with pytest.raises(ValueError, match="Two plugins register a connector with the id 'garage'"):
        serve(plugins=[Plugin(), Plugin()])
