"""Faults on demand: what is ordered, whom it hits, and how it is delivered."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from vantage_quickbooks.emulator import answer, faults
from vantage_quickbooks.emulator.answer import Answer
from vantage_quickbooks.emulator.api import Api, Request
from vantage_quickbooks.emulator.oauth import OAuth
from vantage_quickbooks.emulator.oauth_api import TOKEN_PATH


@dataclass(slots=True)
class Order:
    """One fault that somebody ordered.

    Attributes:
        kind: What happens; one of `KINDS`.

        path: Hit only requests whose path contains this.

        method: Hit only this method.

        times: How many requests are still to be hit; -1 is for ever.

        after: How many matching requests still pass unharmed.

        options: What the kind takes.
    """

    kind: str
    path: str | None = None
    method: str | None = None
    times: int = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)


_Check = Callable[[Any], bool]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_body(value: object) -> bool:
    return value in ("json", "xml", "html", "empty")


KINDS: dict[str, dict[str, tuple[Any, _Check]]] = {
    "status": {"status": (500, _is_status), "body": ("json", _is_body), "retry_after": (None, _is_number)},
    "throttle": {"json": (False, _is_flag), "retry_after": (None, _is_number)},
    "latency": {"seconds": (1.0, _is_number)},
    "hang": {"seconds": (30.0, _is_number)},
    "reset": {},
    "truncate": {},
    "html": {},
    "gateway_timeout": {},
    "expired_token": {},
    "fault_in_200": {},
    "plain_text_200": {},
    "token_response_lost": {},
}
"""Every kind of fault with its options: default and check."""


class FaultsOnDemand:
    """The faults that are ordered and not yet delivered. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: list[Order] = []
        self.delivered = 0

    def order(
        self,
        kind: str,
        *,
        path: str | None = None,
        method: str | None = None,
        times: int = 1,
        after: int = 0,
        **options: object,
    ) -> Order:
        """
        Order a fault.

        Args:
            kind: One of `KINDS`.

            path: Hit only requests whose path contains this; None hits all.

            method: Hit only this method; None hits all.

            times: How many requests to hit; -1 hits for ever.

            after: How many matching requests to let pass first.

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
        chosen = {name: default for name, (default, _) in KINDS[kind].items()}
        for name, value in options.items():
            if name not in chosen:
                known = ", ".join(chosen) or "none"
                raise ValueError(f"a {kind} fault has no option {name!r}; known: {known}")
            if not (value is None and chosen[name] is None) and not KINDS[kind][name][1](value):
                raise ValueError(f"option {name!r} of a {kind} fault cannot be {value!r}")
            chosen[name] = value
        order = Order(kind, path, method.upper() if method else None, times, after, chosen)
        with self._lock:
            self._orders.append(order)
        return order

    def take(self, method: str, path: str) -> Order | None:
        """
        Find what is to happen to a request, and count it as delivered.

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
                if order.times > 0:
                    order.times -= 1
                    if not order.times:
                        self._orders.remove(order)
                self.delivered += 1
                return order
        return None

    def clear(self) -> None:
        """Forget every order."""
        with self._lock:
            self._orders.clear()

    def pending(self) -> list[dict[str, Any]]:
        """
        List the orders not yet delivered.

        Returns:
            One dictionary an order, fit for JSON.
        """
        with self._lock:
            return [
                {"kind": o.kind, "path": o.path, "method": o.method, "times": o.times, "after": o.after} | o.options
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
        """
        Deliver a fault.

        Args:
            order: What was ordered.

            request: Whom it hits.

        Returns:
            What goes over the wire.
        """
        if "seconds" in order.options:
            self._stopping.wait(order.options["seconds"])
        if order.kind == "latency":
            return self._route(request)
        if order.kind == "truncate":
            result = self._route(request)
            result.transfer = "truncate"
            return result
        if order.kind == "token_response_lost":
            self._route(request)  # the token is rotated, and nobody will know the new one
        if order.kind in ("token_response_lost", "hang", "reset"):
            return Answer(200, [], transfer="reset")
        result = self._refusal(order, request)
        if order.options.get("retry_after") is not None:
            result.headers.append(("retry-after", str(order.options["retry_after"])))
        return result

    def _refusal(self, order: Order, request: Request) -> Answer:
        """Make the answer of a fault that leaves everything else out."""
        options = order.options
        if order.kind == "html":
            return answer.refusal(request.trace, 503, "text/html", faults.UNAVAILABLE_PAGE.encode())
        if order.kind == "plain_text_200":
            return answer.success(request.trace, "text/plain;charset=UTF-8", faults.COMPANY_STATUS_TEXT.encode())
        if order.kind == "expired_token":
            token = request.headers.get("authorization", "").partition(" ")[2]
            detail = f"Token expired: {self._oauth.handle_of(token)}"
            return self._api.refuse(request, faults.authentication_failed(detail))
        if order.kind == "fault_in_200":
            fault = faults.system_failure("java.lang.UnsupportedOperationException", status=200)
            return self._api.refuse(request, fault)
        if order.kind == "gateway_timeout":
            return self._api.refuse(request, faults.gateway_timeout())
        if order.kind == "throttle":
            return self._api.refuse(request, faults.throttled(), as_xml=not options["json"])
        return self._status(request, options["status"], options["body"])

    def _status(self, request: Request, status: int, body: str) -> Answer:
        if body == "empty":
            return answer.refusal(request.trace, status, "text/plain", b"")
        if body == "html":
            page = faults.UNAVAILABLE_PAGE.replace("503", str(status)).encode()
            return answer.refusal(request.trace, status, "text/html", page)
        return self._api.refuse(request, faults.system_failure("ordered", status), as_xml=body == "xml")
