"""How long responses take: distributions, for some paths or all, drawn from a seed.

A latency is data: `0.2` (seconds), `{"fixed": 0.2}`, `{"uniform": [0.1, 0.4]}`, or `{"median": 0.2, "p99": 1.5}`, a
lognormal distribution, as services have it. With `"path"` or `"method"` it applies to requests whose path contains that
text, or of that method. Of several rules the first that matches applies. The same seed draws the same times in the same
order.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_LATENCY_S = 300.0  # also for the tail of a distribution
_Z99 = 2.3263478740408408  # standard deviations from the median to the 99th percentile

Spec = float | Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
"""None for no latency, seconds, one rule, or several."""


@dataclass(slots=True)
class _Rule:
    """One latency rule.

    Attributes:
        data: As it was specified, fit for JSON.
        kind: `fixed`, `uniform` or `lognormal`.
        first: The seconds, the lower bound, or the median.
        second: The upper bound, or the 99th percentile.
        path: Part of the paths to which it applies; None is all.
        method: The method to which it applies; None is all.
    """

    data: dict[str, Any]
    kind: str
    first: float
    second: float = 0.0
    path: str | None = None
    method: str | None = None
    generator: random.Random = field(default_factory=random.Random)

    def draw(self) -> float:
        if self.kind == "fixed":
            return self.first
        if self.kind == "uniform":
            return self.generator.uniform(self.first, self.second)
        sigma = math.log(self.second / self.first) / _Z99
        return min(MAX_LATENCY_S, self.first * math.exp(sigma * self.generator.gauss(0.0, 1.0)))


class Latency:
    """The latency in force. Thread-safe.

    Args:
        spec: The latency at the start and after a reset.
        seed: Decides the drawn times.

    Raises:
        ValueError: The spec is invalid.
    """

    def __init__(self, spec: Spec, seed: int) -> None:
        self._lock = threading.Lock()
        self._at_start = spec
        self._seed = seed
        self._rules: list[_Rule] = []
        self.reset()

    def reset(self) -> None:
        """Restore the latency of the start, and restart the random numbers."""
        self.choose(self._at_start)

    def choose(self, spec: Spec) -> None:
        """Set the latency, and restart the random numbers.

        Args:
            spec: See the docstring of this module.

        Raises:
            ValueError: The spec is invalid.
        """
        specs = [] if spec is None else [spec] if isinstance(spec, int | float | Mapping) else list(spec)
        rules = [_rule(one) for one in specs]
        for number, rule in enumerate(rules):
            rule.generator.seed(f"latency {self._seed} {number}")
        with self._lock:
            self._rules = rules

    def draw(self, method: str, path: str) -> float:
        """Return the seconds that a request is to take; 0 if no rule matches.

        Args:
            method: The request's method.
            path: Its path, without the query string.
        """
        with self._lock:
            for rule in self._rules:
                if (rule.path is None or rule.path in path) and rule.method in (None, method):
                    return rule.draw()
        return 0.0

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules in force as JSON data, as `choose` accepts them."""
        with self._lock:
            return [dict(rule.data) for rule in self._rules]


def _rule(spec: object) -> _Rule:
    data = {"fixed": spec} if isinstance(spec, int | float) else spec
    if not isinstance(data, Mapping):
        raise ValueError(f"a latency is seconds or an object, not {spec!r}")
    rest = {name: value for name, value in data.items() if value is not None}
    where = {name: rest.pop(name, None) for name in ("path", "method")}
    if not all(isinstance(value, str | None) for value in where.values()):
        raise ValueError("path and method of a latency are text")
    kind, first, second = _distribution(rest)
    return _Rule(
        data=dict(data),
        kind=kind,
        first=first,
        second=second,
        path=where["path"],
        method=where["method"] and where["method"].upper(),
    )


def _distribution(rest: dict[str, Any]) -> tuple[str, float, float]:
    if rest.keys() == {"fixed"}:
        return "fixed", _seconds(rest["fixed"], "fixed"), 0.0
    if rest.keys() == {"uniform"}:
        bounds = rest["uniform"]
        if not isinstance(bounds, list | tuple) or len(bounds) != 2:
            raise ValueError("a uniform latency has two bounds, [0.1, 0.4]")
        low, high = (_seconds(bound, "uniform") for bound in bounds)
        if low > high:
            raise ValueError("the bounds of a uniform latency ascend, [0.1, 0.4]")
        return "uniform", low, high
    if rest.keys() == {"median", "p99"}:
        median, p99 = _seconds(rest["median"], "median"), _seconds(rest["p99"], "p99")
        if not 0 < median <= p99:
            raise ValueError("a latency's median is above 0 and not above its p99")
        return "lognormal", median, p99
    raise ValueError("a latency is fixed, uniform, or median and p99; path and method select requests")


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_LATENCY_S:
        raise ValueError(f"{name} of a latency is seconds from 0 to {MAX_LATENCY_S:.0f}")
    return float(value)


def parse(text: str) -> dict[str, Any]:
    """Parse a rule from a command line.

    Args:
        text: `0.2`, `0.1..0.4` or `median=0.2,p99=1.5`; a part of a path and `=` can precede it, such as `/query=0.2`.

    Returns:
        The rule as data.

    Raises:
        ValueError: The text is not a rule.
    """
    path, equals, rest = text.partition("=")
    rule: dict[str, Any] = {}
    if equals and path.strip() not in ("median", "p99"):
        rule["path"], text = path.strip(), rest
    try:
        if ".." in text:
            rule["uniform"] = [float(bound) for bound in text.split("..")]
        elif "=" in text:
            pairs = [pair.partition("=") for pair in text.split(",")]
            rule |= {name.strip(): float(value) for name, _, value in pairs}
        else:
            rule["fixed"] = float(text)
    except ValueError:
        raise ValueError(f"a latency is 0.2, 0.1..0.4 or median=0.2,p99=1.5, not {text!r}") from None
    _rule(rule)
    return rule
