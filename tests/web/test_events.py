"""Events: coalescing, positions, bounds, callbacks."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.web.events import CHANGES, KINDS, MAX_KNOWN, MAX_NAMED, STATE, Events

PUBLISHED = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(KINDS)), max_size=30)


class Woken:
    """Counts how often a subscription wakes its user."""

    def __init__(self):
        self.count = 0

    def __call__(self):
        self.count += 1


def received(subscription):
    return [(event.kind, event.connection_ids) for event in subscription.take()]


def test_a_subscriber_receives_the_events_of_its_connection_only():
    events, woken = Events(), Woken()
    subscription = events.subscribe("acme", woken)
    events.publish("other", CHANGES)
    assert woken.count == 0
    events.publish("acme", CHANGES)
    assert woken.count == 1
    assert received(subscription) == [(CHANGES, {"acme"})]
    assert received(subscription) == []


def test_a_slow_subscriber_gets_one_event_of_each_kind():
    events = Events()
    subscription = events.subscribe("acme", Woken())
    for _ in range(1000):
        events.publish("acme", CHANGES)
        events.publish("acme", STATE)
    assert received(subscription) == [(STATE, {"acme"}), (CHANGES, {"acme"})]


def test_an_event_about_many_connections_names_none():
    events = Events()
    subscription = events.subscribe(None, Woken())
    for number in range(MAX_NAMED):
        events.publish(f"company-{number}", CHANGES)
    assert received(subscription) == [(CHANGES, {f"company-{number}" for number in range(MAX_NAMED)})]
    for number in range(MAX_NAMED + 1):
        events.publish(f"company-{number}", CHANGES)
    assert received(subscription) == [(CHANGES, None)]


def test_a_subscription_since_a_forgotten_position_begins_with_everything():
    events = Events()
    first = events.position
    for number in range(MAX_KNOWN + 1):
        events.publish(f"company-{number}", CHANGES)
    assert received(events.subscribe("company-0", Woken(), first)) == [(STATE, {"company-0"}), (CHANGES, {"company-0"})]
    assert received(events.subscribe("company-1", Woken(), events.position)) == []


@pytest.mark.parametrize("since", ["other-0", "", "nonsense", "other-", "this-x", "this-²"])
def test_a_position_of_another_start_means_that_anything_may_have_changed(since):
    events = Events(start="this")
    assert received(events.subscribe("acme", Woken(), since)) == [(STATE, {"acme"}), (CHANGES, {"acme"})]
    assert received(events.subscribe(None, Woken(), since)) == [(STATE, None), (CHANGES, None)]


@given(before=PUBLISHED, after=PUBLISHED, connection_id=st.sampled_from(["a", "b", None]))
def test_what_was_published_after_a_position_is_received_and_nothing_else(before, after, connection_id):
    events = Events()
    for published in before:
        events.publish(*published)
    subscribed = events.subscribe(connection_id, Woken())
    position = events.position
    for published in after:
        events.publish(*published)
    caught_up = events.subscribe(connection_id, Woken(), position)
    expected = {(kind, id_) for id_, kind in after if connection_id in {None, id_}}
    for subscription in (subscribed, caught_up):
        taken = subscription.take()
        assert {(event.kind, id_) for event in taken for id_ in event.connection_ids} == expected
        assert all(event.position == events.position for event in taken)


@given(steps=st.lists(st.one_of(st.none(), st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(KINDS)))))
def test_no_event_is_lost_whenever_a_subscriber_takes_and_reconnects(steps):
    events = Events()
    position = events.position
    subscription = events.subscribe("a", Woken(), position)
    pending, got = set(), set()
    for step in steps:
        if step is not None:
            events.publish(*step)
            pending |= {step[1]} if step[0] == "a" else set()
            continue
        taken = subscription.take()
        assert {event.kind for event in taken} == pending
        got |= pending
        pending = set()
        position = taken[-1].position if taken else position
        subscription.close()
        subscription = events.subscribe("a", Woken(), position)
    assert {event.kind for event in subscription.take()} == pending


def test_caches_are_invalidated_before_subscribers_are_woken():
    events, order = Events(), []
    events.on(CHANGES, lambda connection_id: order.append(("cache", connection_id)))
    events.subscribe("acme", lambda: order.append(("subscriber", "acme")))
    events.publish("acme", CHANGES)
    events.publish("acme", STATE)
    assert order == [("cache", "acme"), ("subscriber", "acme"), ("subscriber", "acme")]


def test_an_observer_that_fails_stops_nothing(caplog):
    events, woken = Events(), Woken()

    def fail(_):
        raise RuntimeError("a secret")

    events.on(CHANGES, fail)
    events.on_watch(fail)
    events.subscribe("acme", woken)
    events.publish("acme", CHANGES)
    assert woken.count == 1
    assert "RuntimeError" in caplog.text
    assert "a secret" not in caplog.text


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="state, changes"):
        Events().publish("acme", "other")


def test_watched_are_the_connections_with_open_pages():
    events, seen = Events(), []
    events.on_watch(seen.append)
    events.subscribe(None, Woken())
    one, two = events.subscribe("acme", Woken()), events.subscribe("acme", Woken())
    assert (events.watched(), seen) == ({"acme"}, ["acme", "acme"])
    one.close()
    assert events.watched() == {"acme"}
    two.close()
    assert events.watched() == set()


def test_a_removed_connection_and_a_stopped_server_end_subscriptions():
    events, woken = Events(), Woken()
    one, two = events.subscribe("acme", woken), events.subscribe("other", woken)
    events.end("acme")
    assert (one.is_ended, two.is_ended, woken.count) == (True, False, 1)
    events.close()
    assert (two.is_ended, woken.count) == (True, 2)
    assert events.subscribe("acme", woken).is_ended
    events.publish("acme", CHANGES)
    assert received(two) == []


def test_threads_publish_and_subscribe_at_the_same_time():
    events = Events()
    position = events.position
    subscriptions = []

    def publish(name):
        for _ in range(200):
            events.publish(name, CHANGES)
            subscriptions.append(events.subscribe(name, Woken()))

    threads = [threading.Thread(target=publish, args=(f"company-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert received(events.subscribe(None, Woken(), position)) == [(CHANGES, {f"company-{it}" for it in range(4)})]
    assert len({id(it) for it in subscriptions}) == 800
