"""Checks of the context: what a host says about a connection, and the callables it offers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from .subject import broken, not_json

if TYPE_CHECKING:
    from .subject import Subject

ROW_LIMITS = (1, 2)


@pytest.mark.calls_actions
def test_row_limit_is_honored(subject: Subject, action_id: str) -> None:
    """A preview: by call, and by all pages of a stream together."""
    subject.needs("rowLimit")
    for limit in ROW_LIMITS:
        connection = subject.connect(row_limit=limit)
        for data in (subject.working_input(action_id), subject.actions[action_id].get("fullReadInput")):
            if data is None:
                continue
            found = len(subject.rows(action_id, subject.data(action_id, data, connection=connection)))
            if found > limit:
                broken(f"call({action_id!r}, {data}) returns {found} rows, and row_limit is {limit}")
            if not subject.has("stream"):
                continue
            streamed = 0
            for page in subject.pages(action_id, data, connection=connection):
                streamed += len(subject.rows(action_id, page))
                if streamed > limit:
                    broken(f"stream({action_id!r}, {data}) yields {streamed} rows or more, and row_limit is {limit}")


@pytest.mark.calls_actions
def test_deadline_is_honored(subject: Subject, action_id: str) -> None:
    """One that has passed before the call."""
    subject.needs("deadline")
    _check_code(subject, action_id, "DEADLINE_EXCEEDED", deadline=datetime.now(UTC) - timedelta(seconds=1))


@pytest.mark.calls_actions
def test_cancellation_is_honored(subject: Subject, action_id: str) -> None:
    """A host that has cancelled before the call."""
    subject.needs("cancellation")
    _check_code(subject, action_id, "CANCELLED", cancelled=lambda: True)


def test_calls_are_audited(subject: Subject) -> None:
    """One event for each call, plain JSON, without a secret."""
    subject.needs("audit")
    events: list[Any] = []
    connection = subject.connect(audit=events.append, connection_id="conformance", user_id="u1")
    for action_id in subject.callable_ids()[:1]:
        before = len(events)
        subject.call(action_id, subject.working_input(action_id), connection=connection)
        subject.call(action_id, [], connection=connection)
        mine = [event for event in events[before:] if str(event.get("operation", "")).endswith(f".{action_id}")]
        if len(mine) != 2:
            broken(f"audit was called {len(mine)} times for two calls of {action_id}, one of which failed")
        for event in mine:
            reason = not_json(event, "the event")
            if reason:
                broken(f"audit of {action_id}: {reason}")
            for name, expected in (("connectionId", "conformance"), ("userId", "u1")):
                if event.get(name) != expected:
                    broken(f"audit of {action_id}: {name} is {event.get(name)!r}, not {expected!r}")
            subject.must_not_leak(json.dumps(event), f"the audit event of {action_id}")
        if [event.get("outcome") for event in mine] != ["success", "error"]:
            broken(f"audit of {action_id}: outcome must be success, then error")


def test_observers_that_fail_do_no_harm(subject: Subject) -> None:
    """A call succeeds even if an observer raises."""
    if not (subject.has("audit") or subject.has("progress")):
        pytest.skip("the descriptor's capabilities have neither audit nor progress")

    def fail(*_: Any) -> None:
        raise RuntimeError("an observer that fails")

    connection = subject.connect(audit=fail, progress=fail, connection_id="conformance")
    for action_id in subject.callable_ids()[:1]:
        subject.data(action_id, subject.working_input(action_id), connection=connection)


def test_progress_reaches_its_end(subject: Subject) -> None:
    """A full read reports how many records of how many were read; the number never decreases."""
    subject.needs("progress")
    action_id = next((key for key in subject.callable_ids() if subject.actions[key].get("fullReadInput")), None)
    if action_id is None:
        pytest.skip("no action has a fullReadInput")
    seen: list[tuple[Any, ...]] = []
    connection = subject.connect(progress=lambda *facts: seen.append(facts), connection_id="conformance")
    data = subject.data(action_id, subject.actions[action_id]["fullReadInput"], connection=connection)
    if not seen and subject.rows(action_id, data):
        broken(f"a full read of {action_id} never calls progress")
    for facts in seen:
        is_right = len(facts) == 4 and facts[:2] == ("conformance", action_id) and type(facts[2]) is int
        if not (is_right and (facts[3] is None or type(facts[3]) is int)):
            broken(f"progress was called with {facts}, not with connection_id, action, done and total")
    if [facts[2] for facts in seen] != sorted(facts[2] for facts in seen):
        broken(f"progress of {action_id} goes back")


def _check_code(subject: Subject, action_id: str, code: str, **context: Any) -> None:
    data = subject.working_input(action_id)
    envelope = subject.call(action_id, data, connection=subject.connect(**context))
    if envelope["success"]:
        broken(f"call({action_id!r}, {data}) succeeds, and must fail with {code}")
    if envelope["error"]["code"] != code:
        broken(f"call({action_id!r}, {data}) fails with {envelope['error']['code']}, not with {code}")
