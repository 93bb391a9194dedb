"""`/healthz` and `/metrics` of the web UI: who may read them, and what they say after real calls."""

from __future__ import annotations

import http.client

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from running_site import Client, Site

from vantage_quickbooks.cli.web_webhooks import receiving
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.metrics import CONTENT_TYPE
from vantage_quickbooks.registry import open_registry
from vantage_quickbooks.web import health

METRICS_KEY = "a-key-of-the-scraper"


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False) as running:
        yield running


@pytest.fixture
def site(quickbooks, tmp_path, monkeypatch):
    for name in ("API_URL", "OAUTH_URL"):
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", quickbooks.url)
    running = Site(tmp_path / "web")
    running.sessions.metrics_key = METRICS_KEY
    running.host.save("quickbooks", "Garden Works", quickbooks.credentials(), "garden-works")
    yield running
    running.close()


def scrape(site, **headers):
    answer = requests.get(site.url + "/metrics", headers=headers, timeout=60)
    answer.raise_for_status()
    assert answer.headers["content-type"] == CONTENT_TYPE
    families = list(text_string_to_metric_families(answer.text))
    return {family.name: family for family in families}, answer.text


def samples(family, *names):
    return {tuple(it.labels[name] for name in names): it.value for it in family.samples}


def test_healthz__needs_no_key_and_answers_a_status_only(site):
    answer = requests.get(site.url + "/healthz", timeout=60)

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_healthz__answers_probes_that_send_an_address_as_the_host(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.sockets[0].getsockname()[1], timeout=60)
    connection.request("GET", "/healthz", headers={"Host": "10.0.0.7"})

    assert connection.getresponse().status == 200
    connection.close()


def test_healthz__is_503_when_the_store_cannot_be_read(site, monkeypatch):
    monkeypatch.setattr(health, "HEALTH_S", 0)
    for file in site.directory.glob("connections.sqlite3*"):
        file.unlink()
    (site.directory / "connections.sqlite3").mkdir()

    answer = requests.get(site.url + "/healthz", timeout=60)

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})


def test_metrics__count_calls_and_requests_and_states(site, api_call):
    client = Client(site)
    client.get(f"/?key={site.sessions.access_key}")
    assert client.get("/").status_code == 200
    assert client.get("/no-such-page").status_code == 404
    api_call("listCustomers", {"max_results": 5})
    api_call("listInvoices", {"max_results": 5})
    client.close()

    found, text = scrape(site)

    requests_ = samples(found["vantage_web_requests"], "status")
    assert requests_["2xx",] == 4
    assert requests_["4xx",] == 1
    buckets = found["vantage_web_request_duration_seconds"].samples
    count = next(it.value for it in buckets if it.name.endswith("_count"))
    assert count == sum(requests_.values())
    assert next(it.value for it in buckets if it.labels.get("le") == "+Inf") == count
    calls = samples(found["vantage_web_calls"], "operation", "outcome")
    assert calls == {("quickbooks.listCustomers", "success"): 1, ("quickbooks.listInvoices", "success"): 1}
    assert samples(found["vantage_web_api_calls"], "operation") == {
        ("quickbooks.listCustomers",): 1,
        ("quickbooks.listInvoices",): 1,
    }
    assert samples(found["vantage_web_connections"], "state")["ready",] == 1
    assert samples(found["vantage_web_runs"], "state")["running",] == 0
    assert found["vantage_web_event_subscribers"].samples[0].value == 0
    for secret in (
        "Garden",
        "garden-works",
        site.sessions.access_key,
        *site.host.record("garden-works").settings.values(),
    ):
        assert str(secret) not in text, secret


def test_metrics__count_the_connections_once_in_a_while(site, monkeypatch):
    counted = []
    listed = site.host.listed
    monkeypatch.setattr(site.host, "listed", lambda: counted.append(1) or listed())

    for _ in range(5):
        scrape(site)

    assert len(counted) == 1


@pytest.mark.parametrize("key", ["metrics", "access"])
def test_metrics__are_read_with_either_key_behind_a_proxy(site, key):
    token = METRICS_KEY if key == "metrics" else site.sessions.access_key

    scrape(site, **{"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Host": "rebound.example.com"},
        {"Host": "[evil]:80"},
    ],
)
def test_metrics__need_a_key_from_elsewhere(site, headers):
    answer = requests.get(site.url + "/metrics", headers=headers, timeout=60)

    assert answer.status_code == 401
    assert "vantage_web" not in answer.text


def test_metrics__need_a_key_on_a_server_with_a_public_url(site):
    site.sessions.base_url = "https://vantage.example.com"

    answer = requests.get(f"http://localhost:{site.sockets[0].getsockname()[1]}/metrics", timeout=60)

    assert answer.status_code == 401


def test_metrics_key__opens_nothing_else(site):
    headers = {"Authorization": f"Bearer {METRICS_KEY}"}

    assert requests.get(site.url + "/api/connections", headers=headers, timeout=60).status_code == 401


@pytest.fixture
def api_call(site):
    def call(action, data):
        headers = {"Authorization": f"Bearer {site.sessions.access_key}"}
        url = f"{site.url}/api/connections/garden-works/call/{action}"
        answer = requests.post(url, json=data, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text

    return call


def test_metrics__of_the_webhooks_that_the_server_receives(site, tmp_path):
    inbox = tmp_path / "inbox.sqlite3"
    with open_registry(tmp_path / "companies") as registry, receiving(site.host, registry, ["a verifier token"], inbox):
        assert scrape(site)[0]["vantage_webhooks_inbox_up"].samples[0].value == 1

    assert "vantage_webhooks_inbox_up" not in scrape(site)[0]
