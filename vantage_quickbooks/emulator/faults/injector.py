"""Fault rules: which requests a fault hits, and how often."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.http.data_api import PREFIX
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH

if TYPE_CHECKING:
    from collections.abc import Callable


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_status(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_body(value: object) -> bool:
    return value in ("json", "xml", "html", "empty")


KINDS: dict[str, dict[str, tuple[Any, Callable[[Any], bool]]]] = {
    "status": {"status": (500, _is_status), "body": ("json", _is_body), "retry_after": (None, _is_number)},
    "throttle": {"json": (False, _is_bool), "retry_after": (None, _is_number)},
    "fault": {
        "status": (400, _is_status),
        "code": ("6000", _is_text),
        "message": ("A business validation error has occurred while processing your request", _is_text),
        "detail": ("Business Validation Error: injected", _is_text),
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


@dataclass(slots=True)
class FaultRule:
    """A fault and the requests that it hits. See `World.fault` for the fields.

    `after` and `times` count down while requests match. `options` is completed with the kind's defaults.

    Raises:
        ValueError: The kind or an option is unknown, or a value is invalid.
    """

    kind: str
    path: str | None = None
    method: str | None = None
    times: int = 1
    after: int = 0
    chance: float = 1.0
    realm_id: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {self.kind!r}; known: {', '.join(KINDS)}")
        if not _is_int(self.times) or self.times < -1 or self.times == 0:
            raise ValueError("times is a number of requests, or -1 without end")
        if not _is_int(self.after) or self.after < 0:
            raise ValueError("after is a number of requests")
        if not _is_number(self.chance) or self.chance > 1:
            raise ValueError("chance is a share, from 0 to 1")
        for name, text in (("path", self.path), ("method", self.method), ("realm_id", self.realm_id)):
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{name} is a text")
        self.method = self.method.upper() if self.method else None
        self.options = _complete_options(self.kind, self.options)

    def matches(self, method: str, path: str) -> bool:
        """Return whether the rule applies to such requests, regardless of its counts and its chance."""
        if self.path and self.path not in path:
            return False
        if self.realm_id and not path.startswith(f"{PREFIX}{self.realm_id}/"):
            return False
        if self.method and self.method != method:
            return False
        return self.kind != "token_response_lost" or TOKEN_PATH in path

    def as_json(self) -> dict[str, Any]:
        """Return the rule as JSON data."""
        chance = {"chance": self.chance} if self.chance < 1 else {}
        realm = {"realm_id": self.realm_id} if self.realm_id else {}
        fields = {name: getattr(self, name) for name in ("kind", "path", "method", "times", "after")}
        return fields | realm | chance | self.options


def _complete_options(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    options = {name: default for name, (default, _) in KINDS[kind].items()}
    for name, value in given.items():
        if name not in options:
            raise ValueError(f"a {kind} fault has no option {name!r}; known: {', '.join(options) or 'none'}")
        default, is_valid = KINDS[kind][name]
        if not (value is None and default is None) and not is_valid(value):
            raise ValueError(f"option {name!r} of a {kind} fault cannot be {value!r}")
        options[name] = value
    return options


class FaultInjector:
    """The fault rules that can still hit a request. Thread-safe.

    Attributes:
        delivered: How many requests were hit.

    Args:
        seed: Decides which requests a rule with a chance hits.
    """

    def __init__(self, seed: int = 1) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self._rules: list[FaultRule] = []
        self.delivered = 0
        self.clear()

    def add(self, rule: FaultRule) -> None:
        """Add a rule after the others."""
        with self._lock:
            self._rules.append(rule)

    def take(self, method: str, path: str) -> FaultRule | None:
        """Return the first rule that hits a request, and count the hit; None if no rule does.

        Args:
            method: The request's method.
            path: Its path, without the query string.
        """
        with self._lock:
            for rule in self._rules:
                if rule.matches(method, path) and self._hits(rule):
                    return rule
        return None

    def _hits(self, rule: FaultRule) -> bool:
        if rule.after:
            rule.after -= 1
            return False
        if rule.chance < 1 and self._random.random() >= rule.chance:
            return False
        if rule.times > 0:
            rule.times -= 1
            if not rule.times:
                self._rules.remove(rule)
        self.delivered += 1
        return True

    def clear(self) -> None:
        """Remove every rule, and restart the random numbers from the seed."""
        with self._lock:
            self._rules.clear()
            self._random = random.Random(f"faults {self._seed}")

    def pending(self) -> list[dict[str, Any]]:
        """Return the rules as JSON data."""
        with self._lock:
            return [rule.as_json() for rule in self._rules]
