"""Webhooks: what is notified, how it is signed, and what happens to notifications on their way."""

import base64
import hashlib
import hmac
import json
import random

import pytest
from emulator.receiver import Receiver

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.webhooks.events import NAMES

LINE = {"DetailType": "SalesItemLineDetail", "Amount": 100, "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def advance(emulator, seconds):
    """Move the clock, and wait until everything due has been sent."""
    emulator.advance(seconds)
    assert emulator.webhooks.settle()


def test_changes_over_http_are_notified_with_a_signature(client, emulator, receiver):
    emulator.freeze()
    made = client.control("POST", "webhooks", json={"url": receiver.url, "entities": ["Customer", "Invoice"]}).json()
    customer = client.post("customer", json={"DisplayName": "Mira Lund"}).json()["Customer"]
    client.post("vendor", json={"DisplayName": "Sage"})
    client.post("invoice", json={"CustomerRef": {"value": customer["Id"]}, "Line": [LINE]})
    assert not receiver.posts  # within the window
    advance(emulator, 3)
    ((path, headers, body),) = receiver.posts
    assert path == "/hooks?from=emulator"
    expected = base64.b64encode(hmac.new(made["verifier_token"].encode(), body, hashlib.sha256).digest()).decode()
    assert headers["intuit-signature"] == expected
    assert headers["content-type"] == "application/json; charset=utf-8"
    events = json.loads(body)
    assert [event["type"] for event in events] == [
        "qbo.customer.created.v1",
        "qbo.invoice.created.v1",
        "qbo.customer.updated.v1",  # its balance
    ]
    first = events[0]
    assert list(first) == [
        *("specversion", "id", "source", "type", "datacontenttype"),
        *("time", "intuitentityid", "intuitaccountid", "data"),
    ]
    assert (first["specversion"], first["intuitentityid"], first["intuitaccountid"], first["data"]) == (
        *("1.0", customer["Id"], emulator.realm_id),
        {},
    )
    assert (first["source"][:7], first["source"][-1], first["time"][-1]) == ("intuit.", "=", "Z")
    assert len({event["id"] for event in events}) == 3


def test_other_clients_accept_the_signature(client, emulator, receiver):
    quickbooks = pytest.importorskip("quickbooks")
    emulator.subscribe(receiver.url)
    client.post("vendor", json={"DisplayName": "Sage"})
    emulator.webhooks.flush()
    _, headers, body = receiver.posts[0]
    check = quickbooks.QuickBooks(company_id="1", minorversion=75).validate_webhook_signature
    assert check(body.decode(), headers["intuit-signature"], emulator.webhooks.verifier_token)
    assert not check(body.decode() + " ", headers["intuit-signature"], emulator.webhooks.verifier_token)


def test_the_older_format_and_every_operation(client, emulator, receiver):
    emulator.subscribe(receiver.url, format="legacy", entities=["Invoice", "Customer", "Preferences"])
    invoice = client.post("invoice", json={"CustomerRef": {"value": "1"}, "Line": [LINE]}).json()["Invoice"]
    emulator.webhooks.flush()
    emulator.update("Invoice", {"Id": invoice["Id"], "PrivateNote": "x"})
    emulator.void("Invoice", invoice["Id"])
    emulator.delete("Invoice", invoice["Id"])
    emulator.notify("Customer", "5", "Merge", deleted_id="6")
    emulator.notify("Preferences", "1", "Update")
    emulator.notify("Preferences", "1", "Create")  # Preferences are only updated
    emulator.webhooks.flush()
    id_ = invoice["Id"]
    assert receiver.legacy() == [
        *[("Customer", "1", "Update"), ("Invoice", id_, "Create")][::-1],
        *[("Invoice", id_, "Update"), ("Invoice", id_, "Void"), ("Customer", "1", "Update")],
        *[("Invoice", id_, "Delete"), ("Customer", "5", "Merge"), ("Preferences", "1", "Update")],
    ]
    (notice,) = receiver.bodies()[1]["eventNotifications"]
    assert notice["realmId"] == emulator.realm_id
    merged = notice["dataChangeEvent"]["entities"][-2]
    assert list(merged) == ["name", "id", "operation", "lastUpdated", "deletedID"]
    assert (merged["deletedID"], merged["lastUpdated"][-5:]) == ("6", "+0000")


def test_the_words_of_cloud_events(emulator, receiver):
    emulator.subscribe(receiver.url, format="cloudevents")
    for operation in ("Create", "Update", "Delete", "Merge", "Void", "Emailed"):
        emulator.notify("Invoice", "1", operation, deleted_id="2" if operation == "Merge" else "")
    emulator.webhooks.flush()
    (events,) = receiver.bodies()
    words = ("created", "updated", "deleted", "merged", "void", "emailed")
    assert [event["type"] for event in events] == [f"qbo.invoice.{word}.v1" for word in words]
    assert [event["data"] for event in events] == [{}, {}, {}, {"deletedId": "2"}, {}, {}]


def test_the_date_decides_the_format(client, emulator, receiver):
    emulator.as_of("2026-07-30")
    client.connect(emulator.grant())
    emulator.subscribe(receiver.url)
    client.post("vendor", json={"DisplayName": "Sage"})
    emulator.webhooks.flush()
    emulator.as_of("2026-07-31")
    emulator.notify("CompanyCurrency", "1", "Update")
    emulator.webhooks.flush()
    older, newer = receiver.bodies()
    assert list(older) == ["eventNotifications"]
    assert newer[0]["type"] == "qbo.companycurrency.updated.v1"


def test_equal_events_of_a_window_become_one(client, emulator, receiver):
    emulator.freeze()
    emulator.subscribe(receiver.url, format="legacy", entities=["Vendor"], merge_s=5)
    vendor = client.post("vendor", json={"DisplayName": "Sage"}).json()["Vendor"]
    for note in "abc":
        emulator.update("Vendor", {"Id": vendor["Id"], "Notes": note})
    advance(emulator, 4)
    assert not receiver.posts
    advance(emulator, 2)
    emulator.update("Vendor", {"Id": vendor["Id"], "Notes": "later"})
    advance(emulator, 6)
    id_ = vendor["Id"]
    assert receiver.legacy() == [("Vendor", id_, "Create"), ("Vendor", id_, "Update"), ("Vendor", id_, "Update")]
    assert len(receiver.posts) == 2


def test_a_refused_write_and_a_repeated_request_notify_of_nothing(client, emulator, receiver):
    emulator.subscribe(receiver.url)
    assert client.post("customer", json={"DisplayName": "Hollis O'Rourke"}).status_code == 400
    for _ in range(2):
        client.post("vendor", params={"requestid": "once"}, json={"DisplayName": "Sage"})
    emulator.webhooks.flush()
    assert len(receiver.bodies()[0]) == len(receiver.posts) == 1


@pytest.mark.parametrize("status", [500, 302, 204])
def test_what_is_not_accepted_is_repeated_on_the_ladder(client, emulator, receiver, status):
    emulator.freeze()
    receiver.statuses = [status] * 11
    emulator.subscribe(receiver.url, merge_s=0)
    client.post("vendor", json={"DisplayName": "Sage"})
    assert emulator.webhooks.settle()
    assert len(receiver.posts) == 1
    ladder = [10, 20, 30, 5 * 60, 20 * 60, 2 * 3_600, 4 * 3_600, 6 * 3_600]
    for number, wait in enumerate([*ladder, 6 * 3_600, 6 * 3_600], 1):
        advance(emulator, wait - 1)
        assert len(receiver.posts) == number
        advance(emulator, 1)
        assert len(receiver.posts) == number + 1
    advance(emulator, 30_000)
    assert len(receiver.posts) == 12  # the last one was accepted only now
    advance(emulator, 30_000)
    assert len(receiver.posts) == 12
    assert len({body for _, _, body in receiver.posts}) == 1
    assert len({headers["intuit-signature"] for _, headers, _ in receiver.posts}) == 1
    attempts = [delivery["attempt"] for delivery in emulator.webhooks.state()["deliveries"]]
    assert attempts == list(range(1, 13))


def test_until_february_2026_an_endpoint_was_blocked_after_three_repetitions(emulator, receiver):
    emulator.as_of("2026-01-15")
    receiver.statuses = [500] * 9
    emulator.subscribe(receiver.url, merge_s=0)
    emulator.notify("Vendor", "1", "Update")
    assert emulator.webhooks.settle()
    for wait in (1200, 1800, 3000):
        advance(emulator, wait)
    emulator.notify("Vendor", "2", "Update")
    advance(emulator, 100_000)
    assert len(receiver.posts) == 4
    assert emulator.webhooks.state()["subscriptions"][0]["blocked"]


def test_an_endpoint_that_does_not_listen_is_a_failed_delivery(emulator, receiver):
    receiver.close()
    emulator.subscribe(receiver.url, merge_s=0)
    emulator.notify("Vendor", "1", "Update")
    assert emulator.webhooks.settle()
    state = emulator.webhooks.state()
    assert state["deliveries"][0]["status"] == 0
    assert "refused" in state["deliveries"][0]["error"]
    assert state["pending"][0]["attempt"] == 2
    emulator.webhooks.unsubscribe()
    assert emulator.webhooks.state()["pending"] == []


def test_losses_doubles_and_order_are_decided_by_the_seed(receiver):
    def play():
        receiver.posts.clear()
        with Emulator(seed=3) as emulator:
            emulator.freeze()
            emulator.subscribe(receiver.url, format="legacy", merge_s=1, lost=0.2, duplicate=0.3, out_of_order=0.3)
            for number in range(40):
                emulator.notify("Vendor", str(number), "Update")
                advance(emulator, 2)
            advance(emulator, 10)
            return receiver.legacy(), emulator.webhooks.state()["counts"]

    (events, counts), (again, _) = play(), play()
    assert events == again
    ids = [int(id_) for _, id_, _ in events]
    assert 2 <= counts["lost"] == 40 - len(set(ids)) <= 20
    assert 4 <= len(ids) - len(set(ids)) <= 25  # sent twice
    assert ids != sorted(ids)
    assert counts["sent"] == counts["accepted"] == len(ids)


def test_each_company_has_its_notification_unless_they_are_mixed(emulator, receiver):
    other = emulator.add_company()
    for mixed in (False, True):
        receiver.posts.clear()
        emulator.webhooks.reset()
        emulator.subscribe(receiver.url, format="legacy", mix_realms=mixed)
        emulator.subscribe(receiver.url + "&one", format="legacy", realm_id=other.realm_id)
        emulator.notify("Vendor", "1", "Update")
        other.create("Vendor", {"DisplayName": f"Sage {mixed}"})
        emulator.webhooks.flush()
        all_ = [json.loads(body)["eventNotifications"] for path, _, body in receiver.posts if "&one" not in path]
        one = [json.loads(body)["eventNotifications"] for path, _, body in receiver.posts if "&one" in path]
        assert [[notice["realmId"] for notice in notices] for notices in one] == [[other.realm_id]]
        realms = [[notice["realmId"] for notice in notices] for notices in all_]
        both = [emulator.realm_id, other.realm_id]
        assert realms == ([both] if mixed else [[realm] for realm in both])


def test_a_reset_ends_all_subscriptions(client, emulator, receiver):
    emulator.subscribe(receiver.url)
    client.post("vendor", json={"DisplayName": "Sage"})
    emulator.reset()
    emulator.advance(100)
    emulator.notify("Vendor", "1", "Update")
    emulator.webhooks.flush()
    assert not receiver.posts
    assert emulator.state()["webhooks"] == {
        **dict.fromkeys(("subscriptions", "pending", "sent", "accepted", "lost", "dropped"), 0)
    }


def test_subscriptions_of_the_start_are_there_after_a_reset(receiver):
    with Emulator(webhooks=[receiver.url]) as emulator:
        for number in (1, 2):
            emulator.notify("Vendor", str(number), "Update")
            emulator.webhooks.flush()
            emulator.reset()
    assert [event["intuitentityid"] for body in receiver.bodies() for event in body] == ["1", "2"]
    with pytest.raises(ValueError, match="address"):
        Emulator(webhooks=["nowhere"])


def test_a_scenario_subscribes(emulator, receiver):
    steps = [
        {"subscribe": receiver.url, "entities": ["Vendor"], "format": "legacy", "merge_s": 0},
        {"create": "Vendor", "record": {"DisplayName": "Sage"}, "name": "sage"},
        {"notify": "Vendor", "id": "${sage.Id}", "operation": "Merge", "deleted_id": "7"},
    ]
    emulator.play({"steps": steps})
    assert emulator.webhooks.settle()
    assert [operation for _, _, operation in receiver.legacy()] == ["Create", "Merge"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": 5},
        {"url": "ftp://x"},
        {"url": "http://"},
        {"url": "http://a:b"},
        {"url": "http://[::1"},
        {"url": "http://a/ b"},
        {"url": "http://a/\u00e9"},
        {"url": "http://a\r\nx: y/"},
        {"url": "http://a", "entities": ["Planet"]},
        {"url": "http://a", "entities": "Invoice"},
        {"url": "http://a", "entities": [["Invoice"]]},
        {"url": "http://a", "entities": 5},
        {"url": "http://a", "format": "xml"},
        {"url": "http://a", "format": []},
        {"url": "http://a", "merge_s": -1},
        {"url": "http://a", "merge_s": True},
        {"url": "http://a", "lost": 2},
        {"url": "http://a", "lost": "all"},
        {"url": "http://a", "mix_realms": 1},
        {"url": "http://a", "realm_id": 1},
        {"url": "http://a", "blocked": True},
    ],
)
def test_an_invalid_subscription_is_refused(client, emulator, body):
    assert client.control("POST", "webhooks", json=body).status_code == 400
    assert emulator.webhooks.state()["subscriptions"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"entity": "TaxCode", "id": "1", "operation": "Update"},
        {"entity": "Vendor", "id": 1, "operation": "Update"},
        {"entity": "Vendor", "id": "1", "operation": "Explode"},
        {"entity": ["Vendor"], "id": "1", "operation": "Update"},
        {"entity": "Vendor", "id": "1", "operation": "Update", "time": 5},
    ],
)
def test_an_invalid_event_is_refused(client, body):
    assert client.control("POST", "webhooks/events", json=body).status_code == 400


def test_webhooks_over_http(client, emulator, receiver):
    made = client.control("POST", "webhooks", json={"url": receiver.url, "merge_s": 600}).json()
    client.control("POST", "webhooks/events", json={"entity": "Vendor", "id": "1", "operation": "Update"})
    assert client.control("GET", "webhooks").json()["waiting_events"] == 1
    state = client.control("POST", "webhooks/flush").json()
    assert state["deliveries"][0]["events"] == ["Vendor 1 Update"]
    assert len(receiver.posts) == 1
    assert client.control("DELETE", "webhooks", json={"id": "none"}).status_code == 400
    assert client.control("DELETE", "webhooks", json={"id": made["id"]}).json()["subscriptions"] == []
    for _ in range(100):
        emulator.subscribe(receiver.url)
    with pytest.raises(ValueError, match="more than 100"):
        emulator.subscribe(receiver.url)


def test_pending_notifications_are_bounded(emulator, receiver, monkeypatch):
    monkeypatch.setattr("vantage_quickbooks.emulator.webhooks.webhooks._MAX_PENDING", 20)
    emulator.subscribe(receiver.url, merge_s=3_600)
    for number in range(30):
        emulator.notify("Vendor", str(number), "Update")
    assert emulator.state()["webhooks"]["dropped"] == 10


def test_every_entity_with_events_is_known():
    assert NAMES.keys() <= ENTITIES.keys()


def test_random_histories_reach_an_endpoint_that_often_fails(emulator, receiver):
    """Whatever an endpoint answers, in the end it knows each change, once the losses are none."""
    generator = random.Random(5)
    receiver.statuses = [generator.choice((200, 500, 503)) for _ in range(60)]
    emulator.subscribe(receiver.url, format="legacy", entities=["Vendor"], merge_s=1, out_of_order=0.3, duplicate=0.2)
    ids = [emulator.create("Vendor", {"DisplayName": f"Vendor {n}"})["Id"] for n in range(10)]
    changed = set()
    for _ in range(30):
        changed.add(id_ := generator.choice(ids))
        emulator.update("Vendor", {"Id": id_, "Notes": str(generator.random())})
        advance(emulator, generator.choice((0.5, 2, 40)))
    for _ in range(12):
        advance(emulator, 30_000)
    assert {("Vendor", id_, "Update") for id_ in changed} | {("Vendor", id_, "Create") for id_ in ids} == set(
        receiver.legacy()
    )
    assert emulator.webhooks.state()["pending"] == []
