"""`/metrics` of the webhook app: every counter, the inbox and the worker, read by the parser of Prometheus' client."""

from __future__ import annotations

import requests
from prometheus_client.parser import text_string_to_metric_families
from webhook_receiver import Receiver, body_of, event

from vantage_quickbooks.metrics import CONTENT_TYPE
from vantage_quickbooks.webhooks import Inbox, Worker
from vantage_quickbooks.webhooks.stats import COUNTERS

KEY = "a-key-of-the-scraper"
REALM = "9341450000000017"


def scrape(receiver, **headers):
    answer = requests.get(f"http://127.0.0.1:{receiver.port}/metrics", headers=headers, timeout=60)
    answer.raise_for_status()
    assert answer.headers["content-type"] == CONTENT_TYPE
    return {
        it.name: it.value for family in text_string_to_metric_families(answer.text) for it in family.samples
    }, answer


def test_metrics__have_every_counter_and_the_inbox(tmp_path):
    with Receiver(Inbox(tmp_path / "inbox.sqlite3")) as receiver:
        assert receiver.post(body_of(event(1), event(2)))[0] == 200
        assert receiver.post(body_of(event(1)), "forged")[0] == 401

        found, answer = scrape(receiver)

    assert {name.removeprefix("vantage_webhooks_") for name in found if name.endswith("_total")} == {
        f"{name}_total" for name in COUNTERS
    }
    assert found["vantage_webhooks_accepted_total"] == 1
    assert found["vantage_webhooks_notices_total"] == 2
    assert found["vantage_webhooks_refused_forged_total"] == 1
    assert found["vantage_webhooks_requests_total"] == 2  # a scrape is not a webhook
    assert found["vantage_webhooks_inbox_up"] == 1
    assert found["vantage_webhooks_inbox_waiting"] == 2
    assert found["vantage_webhooks_inbox_dead"] == 0
    assert found["vantage_webhooks_inbox_oldest_seconds"] >= 0
    assert found["vantage_webhooks_worker_running"] == 0
    assert REALM not in answer.text


def test_metrics__say_whether_the_worker_runs(tmp_path):
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    with Receiver(inbox, Worker(inbox, lambda *_: None)) as receiver:
        assert scrape(receiver)[0]["vantage_webhooks_worker_running"] == 1


def test_metrics__say_that_the_inbox_cannot_be_read(tmp_path):
    path = tmp_path / "inbox.sqlite3"
    with Receiver(Inbox(path)) as receiver:
        for file in tmp_path.glob("inbox.sqlite3*"):
            file.unlink()
        path.write_bytes(b"not a database" * 100)

        found, _ = scrape(receiver)

    assert found["vantage_webhooks_inbox_up"] == 0
    assert "vantage_webhooks_inbox_waiting" not in found


def test_metrics__need_the_key_where_there_is_one(tmp_path):
    with Receiver(Inbox(tmp_path / "inbox.sqlite3"), metrics_key=KEY) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/metrics"

        assert requests.get(url, timeout=60).status_code == 401
        scrape(receiver, Authorization=f"Bearer {KEY}")


def test_metrics__are_not_for_what_a_proxy_forwards(tmp_path):
    with Receiver(Inbox(tmp_path / "inbox.sqlite3")) as receiver:
        url = f"http://127.0.0.1:{receiver.port}/metrics"

        assert requests.get(url, headers={"X-Forwarded-For": "203.0.113.9"}, timeout=60).status_code == 401
        assert requests.get(url, headers={"Host": "hooks.example.com"}, timeout=60).status_code == 401
