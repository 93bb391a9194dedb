"""Checks of calls: with input that works, with input that does not, by page, by thread."""

from __future__ import annotations

import asyncio
import copy
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from ..contract import as_node_output, node_name
from .check_settings import wrong_value
from .subject import attempt, broken, find, not_json, shown

if TYPE_CHECKING:
    from .subject import Subject

UNKNOWN_ACTIONS = ("noSuchActionExists", "", "describe", "__init__", None, 42, ["listSomething"], "x" * 10_000)
"""Things that are not the id of an action."""

NOT_OBJECTS: tuple[Any, ...] = ([], ["a"], "text", 42, 1.5, True)
"""Inputs that are not JSON objects."""

THREADS = 8

FLAT_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "date": (str,),
    "instant": (str,),
    "decimal": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}

CONNECTION_METHODS = {
    "test": "test",
    "invoke": "invoke",
    "ainvoke": "ainvoke",
    "stream": "stream",
    "ndjson": "stream",
    "estimate": "estimate",
    "sync": "sync",
    "apiCalls": "api_calls",
    "monthlyUsage": "monthly_usage",
    "status": "status",
    "disconnect": "disconnect",
}
"""Methods of a connection that a capability promises."""

STATES = ("ready", "reauthorizationRequired", "throttled")
"""States of a connection that `status` reports."""


def test_connection_has_the_methods_of_its_capabilities(subject: Subject) -> None:
    """What the descriptor promises can be called."""
    methods = {"call": "call", "close": "close"} | {
        capability: method for capability, method in CONNECTION_METHODS.items() if subject.has(capability)
    }
    for capability, method in methods.items():
        if not callable(getattr(subject.connection, method, None)):
            broken(f"the connection has no method {method}(), which {capability} needs")


def test_status_is_known_without_a_call(subject: Subject) -> None:
    """`status()` reports one of the states, with instants that have a time zone, and takes no API call."""
    subject.needs("status")
    connection = subject.connection
    before = connection.api_calls() if subject.has("apiCalls") else None
    status = attempt("status()", connection.status)
    reason = not_json(status, "the status")
    if reason:
        broken(f"status(): {reason}")
    if status.get("state") not in STATES:
        broken(f"status() has the state {shown(status.get('state'))}, which is not one of {', '.join(STATES)}")
    for name in ("refreshTokenExpiresAt", "grantExpiresAt", "throttledUntil"):
        value = status.get(name)
        if value is not None and not _is_instant(value):
            broken(f"status() has {name} {shown(value)}, which is not an instant with a time zone")
    calls = status.get("monthlyCalls")
    if calls is not None and not (isinstance(calls, dict) and type(calls.get("calls")) is int):
        broken(f"status() has monthlyCalls without a whole number calls: {shown(calls)}")
    if before is not None and connection.api_calls() != before:
        broken("status() has made an API call")


def _is_instant(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def test_connection_is_tested(subject: Subject) -> None:
    """`test()` reports what was checked; with settings that work, every check succeeds."""
    subject.needs("test")
    report = attempt("test()", subject.connection.test)
    reason = not_json(report, "the report")
    if reason:
        broken(f"test(): {reason}")
    checks = report.get("checks")
    if not isinstance(report.get("ok"), bool) or not isinstance(checks, list) or not checks:
        broken("test() returns no object with ok and a list of checks")
    for check in checks:
        if not (isinstance(check.get("ok"), bool) and check.get("name") and check.get("message")):
            broken(f"test(): a check has no name, ok or message: {shown(check)}")
    subject.must_not_leak(str(report), "the report of test()")
    if not report["ok"]:
        broken(f"test() fails with the settings that were given: {shown(checks)}")


def test_unknown_actions_are_refused_in_an_envelope(subject: Subject) -> None:
    """Never an exception, and never a success; node names are not ids."""
    names = [node_name(str(subject.descriptor["id"]), action_id) for action_id in subject.action_ids()[:1]]
    for action_id in (*UNKNOWN_ACTIONS, *names):
        envelope = subject.call(action_id, {})
        if envelope["success"]:
            broken(f"call({shown(repr(action_id))}) succeeds, and there is no such action")


@pytest.mark.calls_actions
def test_call_succeeds_and_matches_the_output_schema(subject: Subject, action_id: str) -> None:
    """With an input that works."""
    data = subject.result(action_id)
    subject.check_result(action_id, data, f"call({action_id!r})")


@pytest.mark.calls_actions
def test_call_names_itself_in_the_envelope(subject: Subject, action_id: str) -> None:
    """`meta.action` and `meta.rows_key`, so that a host can pass the rows on."""
    envelope = subject.call(action_id, subject.working_input(action_id))
    for member, expected in (("action", action_id), ("rows_key", subject.actions[action_id].get("rowsKey"))):
        if member in envelope["meta"] and envelope["meta"][member] != expected:
            broken(f"call({action_id!r}): meta.{member} is {envelope['meta'][member]!r}, not {expected!r}")
    rows = subject.rows(action_id, subject.successful(envelope, f"call({action_id!r})"))
    for view in ("rows", "port"):
        node = attempt(f"as_node_output(..., {view!r})", as_node_output, envelope, subject.actions[action_id], view)
        handed = (node if view == "rows" else node["output1"])["data"]
        if handed != rows:
            broken(f"the view {view} of {action_id} does not pass on the rows")


@pytest.mark.calls_actions
def test_rows_have_their_keys_and_flat_fields(subject: Subject, action_id: str) -> None:
    """A host identifies rows, and shows flat fields, without knowing the provider."""
    action = subject.actions[action_id]
    rows = subject.rows(action_id, subject.result(action_id))
    seen: set[str] = set()
    for index, row in enumerate(rows):
        place = f"{action_id}: row {index}"
        key = [find(row, path) for path in (action.get("keys") or {}).get("primaryKey", ())]
        if not all(is_there and value is not None for is_there, value in key):
            broken(f"{place} has no {' and '.join(action['keys']['primaryKey'])}, which is its primary key")
        if key and (identity := json.dumps([value for _, value in key])) in seen:
            broken(f"{place} has the primary key of a row before: {identity}")
        elif key:
            seen.add(identity)
        for flat in action.get("flatFields", ()):
            if flat["name"] not in row:
                broken(f"{place} has no flat field {flat['name']!r}")
            value = row[flat["name"]]
            is_wrong = value is not None and (
                not isinstance(value, FLAT_TYPES[flat["type"]])
                or (isinstance(value, bool) and flat["type"] != "boolean")
            )
            if is_wrong:
                broken(f"{place}: the flat field {flat['name']!r} is {shown(repr(value))}, not {flat['type']}")


@pytest.mark.calls_actions
def test_call_does_not_change_its_input(subject: Subject, action_id: str) -> None:
    """A host may use it again."""
    given = subject.working_input(action_id)
    kept = copy.deepcopy(given)
    subject.call(action_id, given)
    if given != kept:
        broken(f"call({action_id!r}) changed its input from {shown(kept)} to {shown(given)}")


@pytest.mark.calls_actions
def test_input_that_is_not_an_object_is_refused_in_an_envelope(subject: Subject, action_id: str) -> None:
    """Never an exception."""
    for data in NOT_OBJECTS:
        if subject.call(action_id, data)["success"]:
            broken(f"call({action_id!r}, {data!r}) succeeds, and the input is not an object")


@pytest.mark.calls_actions
def test_wrong_inputs_are_reported_by_field(subject: Subject, action_id: str) -> None:
    """Each input with a value that the schema refuses, and an input that does not exist where none may be added."""
    validator = subject.validator(action_id, "inputSchema")
    for name in sorted(subject.inputs(action_id) or ()):
        value = wrong_value(validator, name)
        if value is not None:
            _check_refused(subject, action_id, {name: value}, name)
    unknown = {"noSuchInputExists": 1}
    if subject.schema(action_id, "inputSchema").get("additionalProperties") is False:
        _check_refused(subject, action_id, unknown, "noSuchInputExists")
    else:
        subject.call(action_id, unknown)


@pytest.mark.calls_actions
def test_invoke_returns_the_data_of_call(subject: Subject, action_id: str) -> None:
    """And raises an error with a code where `call` returns a failure."""
    subject.needs("invoke")
    invoked = attempt(f"invoke({action_id!r})", subject.connection.invoke, action_id, subject.working_input(action_id))
    subject.check_result(action_id, invoked, f"invoke({action_id!r})")
    if subject.rows(action_id, invoked) != subject.rows(action_id, subject.result(action_id)):
        broken(f"invoke({action_id!r}) returns other rows than call()")
    try:
        subject.connection.invoke(action_id, [])
    except Exception as error:  # noqa: BLE001 -- a broken connector raises anything
        if not isinstance(getattr(error, "code", None), str):
            broken(f"invoke({action_id!r}, []) raised {type(error).__name__}, which has no code: {shown(error)}")
    else:
        broken(f"invoke({action_id!r}, []) does not raise")


@pytest.mark.calls_actions
def test_stream_begins_as_call_does(subject: Subject, action_id: str) -> None:
    """The first page of a stream is the page that a call returns; other actions yield their one result."""
    subject.needs("stream")
    pages = subject.pages(action_id, subject.working_input(action_id))
    page = next(pages, None)
    if page is None:
        broken(f"stream({action_id!r}) yields nothing, not even one empty page")
    subject.check_result(action_id, page, f"stream({action_id!r})")
    if subject.rows(action_id, page) != subject.rows(action_id, subject.result(action_id)):
        broken(f"the first page of stream({action_id!r}) has other rows than call()")
    if not subject.actions[action_id].get("streamable") and next(pages, None) is not None:
        broken(f"stream({action_id!r}) yields several pages, and the action is not streamable")
    pages.close()


@pytest.mark.calls_actions
def test_full_read_is_the_same_streamed(subject: Subject, action_id: str) -> None:
    """All rows by `call`, and page by page by `stream`."""
    full, rows = _full_read(subject, action_id)
    subject.needs("stream")
    streamed = []
    for page in subject.pages(action_id, full):
        subject.check_result(action_id, page, f"stream({action_id!r}, {full})")
        streamed += subject.rows(action_id, page)
    if streamed != rows:
        broken(f"stream({action_id!r}, {full}) has {len(streamed)} rows, and not the {len(rows)} of call()")


@pytest.mark.calls_actions
def test_full_read_is_the_same_in_lines(subject: Subject, action_id: str) -> None:
    """Newline-delimited JSON: a line for each row."""
    full, rows = _full_read(subject, action_id)
    subject.needs("ndjson")
    lines = b"".join(subject.pages(action_id, full, as_="ndjson")).splitlines()
    for number, line in enumerate(lines):
        _check_line(line, f"line {number} of stream({action_id!r}, as_='ndjson')")
    if len(lines) != len(rows):
        broken(f"stream({action_id!r}, as_='ndjson') has {len(lines)} lines, and call() has {len(rows)} rows")


@pytest.mark.calls_actions
def test_full_read_is_estimated(subject: Subject, action_id: str) -> None:
    """How many rows there are, and what they cost."""
    full, rows = _full_read(subject, action_id)
    subject.needs("estimate")
    found = attempt(f"estimate({action_id!r}, {full})", subject.connection.estimate, action_id, full)
    if not all(type(found.get(name)) is int for name in ("totalCount", "apiCalls")):
        broken(f"estimate({action_id!r}) has no whole numbers totalCount and apiCalls: {shown(found)}")
    if found["totalCount"] < len(rows):
        broken(f"estimate({action_id!r}) counts {found['totalCount']}, and there are {len(rows)} rows")


@pytest.mark.calls_actions
def test_triggers_start_and_poll(subject: Subject, action_id: str) -> None:
    """The state of one call is the input of the next."""
    triggers = subject.actions[action_id].get("triggers") or pytest.skip("the action has no triggers")
    for trigger in triggers:
        what = f"trigger {trigger['id']}"
        started = subject.data(trigger["action"], trigger["startInput"])
        is_there, state = find(started, trigger["statePath"])
        if not is_there or state is None:
            broken(f"{what}: the result of {trigger['startInput']} has no {trigger['statePath']} (statePath)")
        polled = subject.data(trigger["action"], {trigger["stateInput"]: state})
        subject.check_result(trigger["action"], polled, f"{what}: the poll")
        if find(polled, trigger["statePath"])[1] is None:
            broken(f"{what}: the result of the poll has no {trigger['statePath']} (statePath)")
        paths = [trigger[member] for member in ("deletedPath", "existingPath") if trigger.get(member)]
        if paths and not any(find(polled, path)[0] for path in paths):
            broken(f"{what}: the result of the poll has no {' or '.join(paths)} (deletedPath, existingPath)")


def test_sync_is_repeatable_and_continues(subject: Subject) -> None:
    """Sets are plain JSON with a state; applied twice they lead to the same copy, and the state continues."""
    subject.needs("sync")
    once: dict[str, dict[str, Any]] = {}
    twice: dict[str, dict[str, Any]] = {}
    sets = attempt("sync()", lambda: list(subject.connection.sync()))
    if not sets:
        broken("sync() without a state yields no change set")
    for found in sets:
        for part, value in (("a change set", found.to_dict()), ("its state", found.state)):
            if reason := not_json(value, part):
                broken(f"sync(): {reason}")
        found.apply_to(once.setdefault(found.entity, {}))
    for found in [*sets, *sets]:
        found.apply_to(twice.setdefault(found.entity, {}))
    if once != twice:
        broken("sync(): change sets that are applied a second time lead to another copy")
    attempt("sync() with the last state", lambda: list(subject.connection.sync(state=sets[-1].state)))
    estimate = attempt("estimate_sync()", subject.connection.estimate_sync, None, sets[-1].state)
    if type(estimate.get("apiCalls")) is not int:
        broken(f"estimate_sync() has no whole number apiCalls: {shown(estimate)}")


def test_threads_share_a_connection(subject: Subject) -> None:
    """Eight threads make the same call, and each gets the same rows."""
    action_id = _first_action(subject)
    given, expected = subject.working_input(action_id), subject.rows(action_id, subject.result(action_id))
    with ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(subject.call, action_id, dict(given)) for _ in range(THREADS)]
        envelopes = [call.result() for call in calls]
    for envelope in envelopes:
        if not envelope["success"]:
            broken(f"call({action_id!r}) from {THREADS} threads failed with {envelope['error']['code']}")
        if subject.rows(action_id, envelope["data"]) != expected:
            broken(f"call({action_id!r}) from {THREADS} threads returned other rows than alone")


def test_event_loops_await_a_call(subject: Subject) -> None:
    """`ainvoke` returns what `invoke` does."""
    subject.needs("ainvoke")
    action_id = _first_action(subject)
    data = attempt(
        f"ainvoke({action_id!r})",
        lambda: asyncio.run(subject.connection.ainvoke(action_id, subject.working_input(action_id))),
    )
    if subject.rows(action_id, data) != subject.rows(action_id, subject.result(action_id)):
        broken(f"ainvoke({action_id!r}) returns other rows than call()")


def test_connection_is_a_context_manager(subject: Subject) -> None:
    """It works inside, and closing it again does no harm."""
    action_id = _first_action(subject)
    made = subject.connect()
    if not (hasattr(type(made), "__enter__") and hasattr(type(made), "__exit__")):
        broken("the connection is not a context manager")
    with made as entered:
        if entered is not made:
            broken("the connection's __enter__ does not return the connection")
        subject.call(action_id, subject.working_input(action_id), connection=entered)
    for _ in range(2):
        attempt("close() of a closed connection", made.close)


def test_api_calls_are_counted(subject: Subject) -> None:
    """By action."""
    subject.needs("apiCalls")
    spent = attempt("api_calls()", subject.connection.api_calls)
    is_right = isinstance(spent, dict) and all(key in subject.actions and type(spent[key]) is int for key in spent)
    if not is_right:
        broken(f"api_calls() is not an object of action ids and whole numbers: {shown(spent)}")


def _first_action(subject: Subject) -> str:
    """Return the action for the checks of which one is enough."""
    ids = subject.callable_ids()
    return ids[0] if ids else pytest.skip("the connector has no action to call")


def _full_read(subject: Subject, action_id: str) -> tuple[dict[str, Any], list[Any]]:
    """Return the input of a full read, and its rows; the read is made once."""
    full = subject.actions[action_id].get("fullReadInput") or pytest.skip("the action has no fullReadInput")
    data = subject.full_result(action_id)
    subject.check_result(action_id, data, f"call({action_id!r}, {full})")
    return full, subject.rows(action_id, data)


def _check_refused(subject: Subject, action_id: str, data: dict[str, Any], name: str) -> None:
    envelope = subject.call(action_id, data)
    if envelope["success"]:
        broken(f"call({action_id!r}, {data}) succeeds, and inputSchema refuses it")
    named = {str(field["field"]).split(".")[0] for field in envelope["error"].get("fields", ())}
    if name not in named:
        broken(f"call({action_id!r}, {data}): the error does not name the input {name} in its fields")


def _check_line(line: bytes, what: str) -> None:
    try:
        record = json.loads(line)
    except ValueError:
        broken(f"{what} is not JSON")
    if not isinstance(record, dict):
        broken(f"{what} is not a JSON object")
