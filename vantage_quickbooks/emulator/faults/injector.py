"""Faults on demand: what is ordered, whom it hits, and how it is delivered."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.http import response
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH
from vantage_quickbooks.emulator.http.response import Answer

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.http.data_api import Api
    from vantage_quickbooks.emulator.http.request import Request
    from vantage_quickbooks.emulator.oauth.authorization_server import OAuth


@dataclass(slots=True)
class Order:
    """One fault that somebody ordered.

    Attributes:
        kind: What happens; one of `KINDS`.

        path: Hit only requests whose path contains this.

        method: Hit only this method.

        times: How many requests are still to be hit; -1 is for ever.

        after: How many matching requests still pass unharmed.

        chance: Of the requests whose turn it is, the share that is hit.

        options: What the kind takes.
    """

    kind: str
    path: str | None = None
    method: str | None = None
    times: int = 1
    after: int = 0
    chance: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)


_Check = Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_body(value: object) -> bool:
    return value in ("json", "xml", "html", "empty")


KINDS: dict[str, dict[str, tuple[Any, _Check]]] = {
    "status": {"status": (500, _is_status), "body": ("json", _is_body), "retry_after": (None, _is_number)},
    "throttle": {"json": (False, _is_flag), "retry_after": (None, _is_number)},
    "fault": {
        "status": (400, _is_status),
        "code": ("6000", _is_text),
        "message": ("A business validation error has occurred while processing your request", _is_text),
        "detail": ("Business Validation Error: ordered", _is_text),
        "element": (None, _is_text),
        "type": ("ValidationFault", _is_text),
    },
    "latency": {"seconds": (1.0, _is_number)},
    "drip": {"seconds": (1.0, _is_number)},
    "hang": {"seconds": (30.0, _is_number)},
    "reset": {},
    "response_lost": {},
    "truncate": {},
    "broken_json": {},
    "html": {},
    "gateway_timeout": {},
    "expired_token": {},
    "fault_in_200": {},
    "plain_text_200": {},
    "token_response_lost": {},
}
"""Every kind of fault with its options: default and check."""


class FaultsOnDemand:
    """The faults that are ordered and not yet delivered. Thread-safe.

    Args:
        seed: Decides whom an order with a chance hits.
    """

    def __init__(self, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self._orders: list[Order] = []
        self.delivered = 0
        self.clear()

    def order(
        self,
        kind: str,
        *,
        path: str | None = None,
        method: str | None = None,
        times: int = 1,
        after: int = 0,
        chance: float = 1.0,
        **options: object,
    ) -> Order:
        """Order a fault.

        Args:
            kind: One of `KINDS`.

            path: Hit only requests whose path contains this; None hits all.

            method: Hit only this method; None hits all.

            times: How many requests to hit; -1 hits for ever.

            after: How many matching requests to let pass first.

            chance: Of the requests whose turn it is, the share to hit, from 0 to 1.

            **options: What the kind takes, see `KINDS`.

        Returns:
            The order.

        Raises:
            ValueError: The kind or an option is unknown or has an impossible value.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown kind of fault {kind!r}; known: {', '.join(KINDS)}")
        if not _is_int(times) or times < -1 or times == 0:
            raise ValueError("times is a number of requests, or -1 for ever")
        if not _is_int(after) or after < 0:
            raise ValueError("after is a number of requests")
        if not _is_number(chance) or chance > 1:
            raise ValueError("chance is a share, from 0 to 1")
        for name, text in (("path", path), ("method", method)):
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{name} is a text")
        chosen = {name: default for name, (default, _) in KINDS[kind].items()}
        for name, value in options.items():
            if name not in chosen:
                known = ", ".join(chosen) or "none"
                raise ValueError(f"a {kind} fault has no option {name!r}; known: {known}")
            if not (value is None and chosen[name] is None) and not KINDS[kind][name][1](value):
                raise ValueError(f"option {name!r} of a {kind} fault cannot be {value!r}")
            chosen[name] = value
        order = Order(kind, path, method.upper() if method else None, times, after, chance, chosen)
        with self._lock:
            self._orders.append(order)
        return order

    def take(self, method: str, path: str) -> Order | None:
        """Find what is to happen to a request, and count it as delivered.

        Args:
            method: Of the request.

            path: Of the request, without its query string.

        Returns:
            The first order that fits and whose turn has come, or None.
        """
        with self._lock:
            for order in self._orders:
                if (order.path and order.path not in path) or (order.method and order.method != method):
                    continue
                if order.kind == "token_response_lost" and TOKEN_PATH not in path:
                    continue
                if order.after:
                    order.after -= 1
                    continue
                if order.chance < 1 and self._chance.random() >= order.chance:
                    continue
                if order.times > 0:
                    order.times -= 1
                    if not order.times:
                        self._orders.remove(order)
                self.delivered += 1
                return order
        return None

    def clear(self) -> None:
        """Forget every order, and roll the dice from the start."""
        with self._lock:
            self._orders.clear()
            self._chance = random.Random(f"faults {self._seed}")

    def pending(self) -> list[dict[str, Any]]:
        """List the orders not yet delivered.

        Returns:
            One dictionary an order, fit for JSON.
        """
        with self._lock:
            return [
                {"kind": o.kind, "path": o.path, "method": o.method, "times": o.times, "after": o.after}
                | ({"chance": o.chance} if o.chance < 1 else {})
                | o.options
                for o in self._orders
            ]


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Delivery:
    """Delivers ordered faults in place of answers, or around them.

    Args:
        api: Spells refusals.

        oauth: Knows what Intuit quotes of a token.

        route: Answers a request as if nothing was ordered.

        stopping: Set when the emulator stops: nobody waits longer than that.
    """

    def __init__(self, api: Api, oauth: OAuth, route: Callable[[Request], Answer], stopping: threading.Event) -> None:
        self._api = api
        self._oauth = oauth
        self._route = route
        self._stopping = stopping

    def deliver(self, order: Order, request: Request) -> Answer:
        """Deliver a fault.

        Args:
            order: What was ordered.

            request: Whom it hits.

        Returns:
            What goes over the wire.
        """
        if order.kind == "hang":
            self._stopping.wait(order.options["seconds"])
        if order.kind == "latency":
            request.delay_s += order.options["seconds"]
        if order.kind in ("latency", "truncate", "drip", "broken_json"):
            return self._spoilt(order, self._route(request))
        if order.kind in ("response_lost", "token_response_lost"):
            self._route(request)  # the record is made, the token is rotated, and nobody will know
        if order.kind in ("response_lost", "token_response_lost", "hang", "reset"):
            return Answer(200, [], transfer="reset")
        result = self._refusal(order, request)
        if order.options.get("retry_after") is not None:
            result.headers.append(("retry-after", str(order.options["retry_after"])))
        return result

    @staticmethod
    def _spoilt(order: Order, result: Answer) -> Answer:
        """Do to a true answer what was ordered."""
        if order.kind == "truncate":
            result.transfer = "truncate"
        elif order.kind == "drip":
            result.transfer, result.pause_s = "drip", order.options["seconds"]
        elif order.kind == "broken_json":
            result.body = result.body[: len(result.body) // 2]
        return result

    def _refusal(self, order: Order, request: Request) -> Answer:
        """Make the answer of a fault that leaves everything else out."""
        options = order.options
        if order.kind == "html":
            return response.refusal(request.trace, 503, "text/html", errors.UNAVAILABLE_PAGE.encode())
        if order.kind == "plain_text_200":
            return response.success(request.trace, "text/plain;charset=UTF-8", errors.COMPANY_STATUS_TEXT.encode())
        if order.kind == "expired_token":
            token = request.headers.get("authorization", "").partition(" ")[2]
            detail = f"Token expired: {self._oauth.handle_of(token)}"
            return self._api.refuse(request, errors.authentication_failed(detail))
        if order.kind == "fault_in_200":
            fault = errors.system_failure("java.lang.UnsupportedOperationException", status=200)
            return self._api.refuse(request, fault)
        if order.kind == "gateway_timeout":
            return self._api.refuse(request, errors.gateway_timeout())
        if order.kind == "fault":
            told = (options["code"], options["message"], options["detail"])
            fault = errors.Fault(options["status"], *told, element=options["element"], type=options["type"])
            return self._api.refuse(request, fault)
        if order.kind == "throttle":
            as_json = options["json"]
            return self._api.refuse(request, errors.throttled(explained=not as_json), as_xml=not as_json)
        return self._status(request, options["status"], options["body"])

    def _status(self, request: Request, status: int, body: str) -> Answer:
        if body == "empty":
            return response.refusal(request.trace, status, "text/plain", b"")
        if body == "html":
            page = errors.UNAVAILABLE_PAGE.replace("503", str(status)).encode()
            return response.refusal(request.trace, status, "text/html", page)
        return self._api.refuse(request, errors.system_failure("ordered", status), as_xml=body == "xml")
