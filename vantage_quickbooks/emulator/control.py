"""The control endpoints under `/_emulator/`: what `Emulator` does in Python, over HTTP.

Everything takes and gives JSON. They are no part of QuickBooks, need no token, and are
neither throttled nor hit by ordered faults.
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.answer import Answer
from vantage_quickbooks.emulator.faults import Fault, compact

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.emulator import Emulator

PREFIX = "/_emulator/"

_Action = Callable[["Emulator", dict[str, Any]], object]


def _fault(emulator: "Emulator", given: dict[str, Any]) -> object:
    if "kind" not in given:
        raise ValueError("kind is missing")
    options = dict(given)
    emulator.fault(str(options.pop("kind")), **options)
    return {"faults": emulator.faults()}


def _clear_faults(emulator: "Emulator", _: dict[str, Any]) -> object:
    emulator.clear_faults()
    return {"faults": []}


def _clock(emulator: "Emulator", given: dict[str, Any]) -> object:
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


def _reset(emulator: "Emulator", _: dict[str, Any]) -> object:
    emulator.reset()
    return emulator.state()


def _reset_counters(emulator: "Emulator", _: dict[str, Any]) -> object:
    emulator.reset_counters()
    return emulator.counters()


def _grant(emulator: "Emulator", given: dict[str, Any]) -> object:
    realm = given.get("realm_id")
    token = emulator.grant(str(realm) if realm else None)
    return {"realm_id": str(realm or emulator.realm_id), "refresh_token": token}


def _secret(emulator: "Emulator", given: dict[str, Any]) -> object:
    new = given.get("client_secret")
    secret = emulator.rotate_client_secret(
        str(new) if new else None, invalidate_tokens=bool(given.get("invalidate_tokens", True))
    )
    return {"client_secret": secret}


def _limits(emulator: "Emulator", given: dict[str, Any]) -> object:
    chosen = given.get("limits", True)
    if not isinstance(chosen, bool | dict):
        raise ValueError("limits is true, false or an object")
    emulator.limit(chosen)
    return {"limits": emulator.state()["limits"]}


def _record(write: Callable[["Emulator", str, Any, str | None], dict[str, Any]]) -> _Action:
    def action(emulator: "Emulator", given: dict[str, Any]) -> object:
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


def handle(emulator: "Emulator", method: str, path: str, body: bytes) -> Answer:
    """
    Answer a control request.

    Args:
        emulator: To be controlled.

        method: Of the request.

        path: Of the request, with the prefix.

        body: JSON or nothing.

    Returns:
        JSON; 400 with `{"error": ...}` for a mistake, 404 with the list of what there is.
    """
    action = ROUTES.get((method, path.removeprefix(PREFIX).rstrip("/")))
    if action is None:
        known = [f"{m} {PREFIX}{p}" for m, p in ROUTES]
        return _json(404, {"error": f"no {method} {path}", "known": known})
    try:
        given = json.loads(body) if body.strip() else {}
        if not isinstance(given, dict):
            raise ValueError("the body is a JSON object")  # noqa: TRY301 -- told as the others are
        return _json(200, action(emulator, given))
    except Fault as fault:
        return _json(fault.status, {"error": str(fault), "Fault": fault.item()})
    except (ValueError, TypeError, OverflowError) as error:
        return _json(400, {"error": str(error)})


def _json(status: int, body: object) -> Answer:
    return Answer(status, [("content-type", "application/json")], compact(body).encode())
