"""The control endpoints under `/_emulator/`: the methods of `World`, over HTTP.

They take and return JSON, need no token, and are neither throttled nor hit by injected faults. QuickBooks has no such
endpoints. The page at `/` posts forms to them and is shown again in response. csrf.py rejects other web pages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, quote

from vantage_quickbooks.emulator.control import csrf, page
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.http.response import Response
from vantage_quickbooks.emulator.json_text import compact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.emulator.http.limits import LimitsChoice
    from vantage_quickbooks.emulator.http.request import Request
    from vantage_quickbooks.emulator.world import World

PREFIX = "/_emulator/"
PAGE = "/"
# A form sends only texts: these fields are numbers, these are booleans.
_NUMBERS = {"advance", "times", "after", "chance", "status", "seconds", "retry_after", "fixed", "median", "p99"}
_BOOLEANS = {"json", "invalidate_tokens"}
_LIMITS = {"true": True, "false": False}  # or the word "strict"
# No other site can frame the page; it loads and runs nothing, and is not cached because it shows credentials.
_NOT_CACHED = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
]
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'"

_Body = dict[str, Any]


# ---- actions -----------------------------------------------------------------------------------


def _add_fault(world: World, body: _Body) -> Mapping[str, Any]:
    if "kind" not in body:
        raise ValueError("kind is missing")
    world.fault(str(body.pop("kind")), **body)
    return {"faults": world.faults()}


def _clear_faults(world: World, _: _Body) -> Mapping[str, Any]:
    world.clear_faults()
    return {"faults": []}


def _clock(world: World, body: _Body) -> Mapping[str, Any]:
    if "as_of" in body:
        world.as_of(str(body["as_of"]))
    elif "now" in body:
        world.set_now(str(body["now"]))
    elif body.get("freeze") is True:
        world.freeze()
    else:
        seconds = body.get("advance")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError("advance is a number")
        world.advance(seconds)
    return {"now": world.state()["now"]}


def _latency(world: World, body: _Body) -> Mapping[str, Any]:
    world.latency(body.get("latency", body or None))
    return {"latency": world.state()["latency"]}


def _webhooks(world: World, _: _Body) -> Mapping[str, Any]:
    return world.webhooks.state() | {"verifier_token": world.webhooks.verifier_token}


def _subscribe(world: World, body: _Body) -> Mapping[str, Any]:
    if "url" not in body:
        raise ValueError("url is missing")
    return {"id": world.subscribe(**body), "verifier_token": world.webhooks.verifier_token}


def _unsubscribe(world: World, body: _Body) -> Mapping[str, Any]:
    world.webhooks.unsubscribe(str(body["id"]) if "id" in body else None)
    return _webhooks(world, {})


def _flush(world: World, _: _Body) -> Mapping[str, Any]:
    world.webhooks.flush()
    return _webhooks(world, {})


def _notify(world: World, body: _Body) -> Mapping[str, Any]:
    for name in ("entity", "id", "operation"):
        if name not in body:
            raise ValueError(f"{name} is missing")
    world.notify(**body)
    return _webhooks(world, {})


def _play(world: World, body: _Body) -> Mapping[str, Any]:
    world.play(body)
    return {"scenario": world.state()["scenario"]}


def _add_company(world: World, _: _Body) -> Mapping[str, Any]:
    return world.add_company().credentials()


def _remove_company(world: World, body: _Body) -> Mapping[str, Any]:
    realm_id = _realm_id(body)
    if realm_id is None:
        raise ValueError("realm_id is missing")
    world.remove_company(realm_id)
    return {"removed": realm_id}


def _reset(world: World, _: _Body) -> Mapping[str, Any]:
    world.reset()
    return world.state()


def _reset_counters(world: World, _: _Body) -> Mapping[str, Any]:
    world.reset_counters()
    return world.counters()


def _grant(world: World, body: _Body) -> Mapping[str, Any]:
    realm = _realm_id(body)
    scopes, authorized_at = body.get("scopes"), body.get("authorized_at")
    if scopes is not None and not (isinstance(scopes, list) and all(isinstance(scope, str) for scope in scopes)):
        raise ValueError("scopes is a list of texts")
    if authorized_at is not None and not isinstance(authorized_at, str):
        raise ValueError("authorized_at is a time, ISO 8601")
    token = world.grant(realm, scopes=scopes, authorized_at=authorized_at)
    return {"realm_id": realm or world.realm_id, "refresh_token": token}


def _realm_id(body: _Body) -> str | None:
    return str(body["realm_id"]) if body.get("realm_id") else None


def _secret(world: World, body: _Body) -> Mapping[str, Any]:
    new = body.get("client_secret")
    invalidate = bool(body.get("invalidate_tokens", True))
    return {"client_secret": world.rotate_client_secret(str(new) if new else None, invalidate_tokens=invalidate)}


def _limits(world: World, body: _Body) -> Mapping[str, Any]:
    chosen = body.get("limits", True)
    if not isinstance(chosen, bool | str | dict):
        raise ValueError("limits is true, false, 'strict' or an object")
    world.limit(cast("LimitsChoice", chosen))
    return {"limits": world.state()["limits"]}


def _record(body: _Body) -> tuple[str, dict[str, Any], str | None]:
    for name in ("entity", "record"):
        if name not in body:
            raise ValueError(f"{name} is missing")
    if not isinstance(body["record"], dict):
        raise ValueError("record is an object")
    return str(body["entity"]), body["record"], _realm_id(body)


def _delete_record(world: World, body: _Body) -> Mapping[str, Any]:
    entity, record, realm_id = _record(body)
    return world.delete(entity, str(record.get("Id")), realm_id)


ROUTES: dict[tuple[str, str], Callable[[World, _Body], Mapping[str, Any]]] = {
    ("GET", "state"): lambda world, _: world.state(),
    ("GET", "settings"): lambda world, _: world.settings(),
    ("POST", "reset"): _reset,
    ("POST", "clock"): _clock,
    ("GET", "faults"): lambda world, _: {"faults": world.faults()},
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "faults/clear"): _clear_faults,
    ("GET", "latency"): lambda world, _: {"latency": world.state()["latency"]},
    ("POST", "latency"): _latency,
    ("DELETE", "latency"): lambda world, _: _latency(world, {}),
    ("GET", "counters"): lambda world, _: world.counters(),
    ("DELETE", "counters"): _reset_counters,
    ("GET", "requests"): lambda world, _: {"requests": world.requests()},
    ("POST", "limits"): _limits,
    ("POST", "grants"): _grant,
    ("POST", "grants/revoke"): lambda world, body: {"revoked": world.revoke_grants(_realm_id(body))},
    ("POST", "tokens/expire"): lambda world, _: {"expired": world.expire_access_tokens()},
    ("POST", "secret"): _secret,
    ("POST", "companies"): _add_company,
    ("DELETE", "companies"): _remove_company,
    ("POST", "scenario"): _play,
    ("GET", "webhooks"): _webhooks,
    ("POST", "webhooks"): _subscribe,
    ("DELETE", "webhooks"): _unsubscribe,
    ("POST", "webhooks/flush"): _flush,
    ("POST", "webhooks/events"): _notify,
    ("POST", "records"): lambda world, body: world.create(*_record(body)),
    ("PUT", "records"): lambda world, body: world.load(*_record(body)),
    ("PATCH", "records"): lambda world, body: world.update(*_record(body)),
    ("DELETE", "records"): _delete_record,
}
"""Method and path below the prefix, and what they do."""


# ---- requests and responses --------------------------------------------------------------------


def handle(world: World, request: Request) -> Response | None:
    """Answer a control request, or show the page.

    Args:
        world: The world to control.
        request: The request; its body is JSON, a form's fields, or empty.

    Returns:
        JSON; 400 with `{"error": ...}` for a mistake, 403 for another web page, 404 with the list of endpoints. A
        browser that posts a form is redirected to the page. None if the path is neither the page's nor below `PREFIX`.
    """
    method, path = request.method, request.path
    if path != PAGE and not path.startswith(PREFIX):
        return None
    reason = csrf.rejection_reason(method, request.headers, world.host)
    if reason:
        return _json(403, {"error": reason})
    if path == PAGE:
        if method not in ("GET", "HEAD"):
            return _json(405, {"error": f"the page is for GET; control endpoints start with {PREFIX}"})
        return _html(200, page.render(world, request.parameters()))
    name = path.removeprefix(PREFIX).rstrip("/")
    if (method, name) not in ROUTES:
        return _json(404, {"error": f"no {method} {path}", "known": [f"{m} {PREFIX}{p}" for m, p in ROUTES]})
    status, result = _call(world, (method, name), request)
    if method != "POST" or "text/html" not in request.headers.get("accept", ""):
        return _json(status, result)
    if status == 200:
        return Response(303, [("location", f"{PAGE}?done={quote(name, safe='')}"), *_NOT_CACHED])
    return _html(status, page.render(world, {}, error=str(result.get("error"))))


def _call(world: World, route: tuple[str, str], request: Request) -> tuple[int, Mapping[str, Any]]:
    try:
        return 200, ROUTES[route](world, _parse_body(request))
    except Fault as fault:
        return fault.status, {"error": str(fault), "Fault": fault.item()}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return 400, {"error": str(error)}


def _parse_body(request: Request) -> _Body:
    """Parse JSON of any content type (curl sends it as a form), or a form's fields."""
    text = request.body.decode().strip()
    if not text:
        return {}
    if text[0] not in "{[" and "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return {name: _form_value(name, value) for name, value in parse_qsl(text) if value}
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    compact(body).encode()  # raises for an unpaired surrogate, which JSON can escape and UTF-8 cannot encode
    return body


def _form_value(name: str, text: str) -> object:
    if name in _BOOLEANS:
        return text in ("true", "on", "1")
    if name == "limits":
        return _LIMITS.get(text, text)
    if name not in _NUMBERS:
        return text
    number = float(text)
    return int(number) if number.is_integer() else number


def _html(status: int, text: str) -> Response:
    headers = [("content-type", "text/html;charset=utf-8"), ("content-security-policy", _POLICY), *_NOT_CACHED]
    return Response(status, headers, text.encode(), chunked=True)


def _json(status: int, body: object) -> Response:
    return Response(status, [("content-type", "application/json"), *_NOT_CACHED], compact(body).encode())
