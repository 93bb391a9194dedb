"""The control endpoints under `/_emulator/`: what `Emulator` does in Python, over HTTP.

Everything takes and gives JSON. They are no part of QuickBooks, need no token, and are
neither throttled nor hit by ordered faults. The page at `/` posts forms to them, and is
shown again by way of an answer. `guard.py` keeps other web pages out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from vantage_quickbooks.emulator.control import csrf, page
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.http.response import Answer
from vantage_quickbooks.emulator.json_text import compact

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.emulator import Emulator
    from vantage_quickbooks.emulator.http.request import Request

PREFIX = "/_emulator/"
PAGE = "/"
# Forms know only texts: these fields are numbers, these are yes or no.
_NUMBERS = {"advance", "times", "after", "chance", "status", "seconds", "retry_after", "fixed", "median", "p99"}
_SWITCHES = {"json", "limits", "invalidate_tokens"}

_Action = Callable[["Emulator", dict[str, Any]], Mapping[str, Any]]


def _fault(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
    if "kind" not in given:
        raise ValueError("kind is missing")
    options = dict(given)
    emulator.fault(str(options.pop("kind")), **options)
    return {"faults": emulator.faults()}


def _clear_faults(emulator: Emulator, _: dict[str, Any]) -> Mapping[str, Any]:
    emulator.clear_faults()
    return {"faults": []}


def _clock(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
    if "now" in given:
        emulator.set_now(str(given["now"]))
    else:
        emulator.advance(_number(given, "advance"))
    return {"now": emulator.state()["now"]}


def _number(given: dict[str, Any], name: str) -> float:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is a number")
    return value


def _latency(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
    emulator.latency(given.get("latency", given or None))
    return {"latency": emulator.state()["latency"]}


def _reset(emulator: Emulator, _: dict[str, Any]) -> Mapping[str, Any]:
    emulator.reset()
    return emulator.state()


def _reset_counters(emulator: Emulator, _: dict[str, Any]) -> Mapping[str, Any]:
    emulator.reset_counters()
    return emulator.counters()


def _grant(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
    realm = given.get("realm_id")
    token = emulator.grant(str(realm) if realm else None)
    return {"realm_id": str(realm or emulator.realm_id), "refresh_token": token}


def _secret(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
    new = given.get("client_secret")
    secret = emulator.rotate_client_secret(
        str(new) if new else None, invalidate_tokens=bool(given.get("invalidate_tokens", True))
    )
    return {"client_secret": secret}


def _limits(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
    chosen = given.get("limits", True)
    if not isinstance(chosen, bool | dict):
        raise ValueError("limits is true, false or an object")
    emulator.limit(chosen)
    return {"limits": emulator.state()["limits"]}


def _record(write: Callable[[Emulator, str, Any, str | None], dict[str, Any]]) -> _Action:
    def action(emulator: Emulator, given: dict[str, Any]) -> Mapping[str, Any]:
        for name in ("entity", "record"):
            if name not in given:
                raise ValueError(f"{name} is missing")
        if not isinstance(given["record"], dict):
            raise ValueError("record is an object")
        realm = given.get("realm_id")
        return write(emulator, str(given["entity"]), given["record"], str(realm) if realm else None)

    return action


ROUTES: dict[tuple[str, str], _Action] = {
    ("GET", "state"): lambda emulator, _: emulator.state(),
    ("GET", "settings"): lambda emulator, _: emulator.settings(),
    ("POST", "reset"): _reset,
    ("POST", "clock"): _clock,
    ("GET", "faults"): lambda emulator, _: {"faults": emulator.faults()},
    ("POST", "faults"): _fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "faults/clear"): _clear_faults,
    ("GET", "latency"): lambda emulator, _: {"latency": emulator.state()["latency"]},
    ("POST", "latency"): _latency,
    ("DELETE", "latency"): lambda emulator, _: _latency(emulator, {}),
    ("GET", "counters"): lambda emulator, _: emulator.counters(),
    ("DELETE", "counters"): _reset_counters,
    ("GET", "requests"): lambda emulator, _: {"requests": emulator.requests()},
    ("POST", "limits"): _limits,
    ("POST", "grants"): _grant,
    ("POST", "grants/revoke"): lambda emulator, _: {"revoked": emulator.revoke_grants()},
    ("POST", "tokens/expire"): lambda emulator, _: {"expired": emulator.expire_access_tokens()},
    ("POST", "secret"): _secret,
    ("POST", "records"): _record(lambda e, entity, record, realm: e.create(entity, record, realm)),
    ("PATCH", "records"): _record(lambda e, entity, record, realm: e.update(entity, record, realm)),
    ("DELETE", "records"): _record(lambda e, entity, record, realm: e.delete(entity, str(record.get("Id")), realm)),
}
"""Method and path below the prefix, and what they do."""


def handle(emulator: Emulator, request: Request) -> Answer | None:
    """Answer a control request, or show the page.

    Args:
        emulator: To be controlled.

        request: Any; the body is JSON, a form's fields, or nothing.

    Returns:
        JSON; 400 with `{"error": ...}` for a mistake, 403 for another web page, 404 with the list of what there is.
        A browser that posts a form is sent back to the page. None if the path is neither the page's nor below `PREFIX`.
    """
    method, path = request.method, request.path
    if path != PAGE and not path.startswith(PREFIX):
        return None
    objection = csrf.rejection_reason(method, request.headers, emulator.host)
    if objection:
        return _json(403, {"error": objection})
    if path == PAGE:
        if method not in ("GET", "HEAD"):
            return _json(405, {"error": f"the page is for GET; control endpoints start with {PREFIX}"})
        return _html(200, page.render(emulator, request.parameters()))
    name = path.removeprefix(PREFIX).rstrip("/")
    action = ROUTES.get((method, name))
    if action is None:
        return _json(404, {"error": f"no {method} {path}", "known": [f"{m} {PREFIX}{p}" for m, p in ROUTES]})
    status, result = _outcome(emulator, action, request)
    if method != "POST" or "text/html" not in request.headers.get("accept", ""):
        return _json(status, result)
    if status == 200:
        return Answer(303, [("location", f"{PAGE}?done={quote(name, safe='')}"), *_NOT_KEPT])
    return _html(status, page.render(emulator, {}, mistake=str(result.get("error"))))


def _outcome(emulator: Emulator, action: _Action, request: Request) -> tuple[int, Mapping[str, Any]]:
    try:
        return 200, action(emulator, _given(request))
    except Fault as fault:
        return fault.status, {"error": str(fault), "Fault": fault.item()}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return 400, {"error": str(error)}


def _given(request: Request) -> dict[str, Any]:
    """Read JSON, whatever its content type (curl says it were a form), or the fields of a form."""
    text = request.body.decode().strip()
    if not text:
        return {}
    if text[0] not in "{[" and "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return {name: _value(name, value) for name, value in parse_qsl(text) if value}
    given = json.loads(text)
    if not isinstance(given, dict):
        raise ValueError("the body is a JSON object")
    compact(given).encode()  # half a character, which only an escape can spell, is no text
    return given


def _value(name: str, text: str) -> object:
    if name in _SWITCHES:
        return text in ("true", "on", "1")
    if name not in _NUMBERS:
        return text
    number = float(text)
    return int(number) if number.is_integer() else number


# The page is nobody's frame, loads nothing, runs nothing, and is never kept: it shows credentials.
_NOT_KEPT = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
]
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'"


def _html(status: int, text: str) -> Answer:
    headers = [("content-type", "text/html;charset=utf-8"), ("content-security-policy", _POLICY), *_NOT_KEPT]
    return Answer(status, headers, text.encode(), chunked=True)


def _json(status: int, body: object) -> Answer:
    return Answer(status, [("content-type", "application/json"), *_NOT_KEPT], compact(body).encode())
