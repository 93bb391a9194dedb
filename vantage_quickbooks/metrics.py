"""Metrics in the text format of Prometheus, and who may read them. Standard library only.

The web UI and the webhook app keep their own counts, so only the format is needed, which has four rules of escaping. No
client library is needed for that. The tests read the output with the parser of Prometheus' own client.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format (version 0.0.4).
"""

from __future__ import annotations

import bisect
import hmac
import threading
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["CONTENT_TYPE", "Counter", "Family", "Histogram", "Sample", "may_read", "render"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of a histogram's buckets; those of Prometheus' own client libraries."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FORWARDED = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)


class Sample(NamedTuple):
    """One line.

    Attributes:
        value: The number.
        labels: Label names and values.
        suffix: What follows the family's name: `_bucket`.
    """

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Family(NamedTuple):
    """The samples of one metric.

    Attributes:
        name: Its name; that of a counter ends with `_total`.
        kind: Its type.
        help: What it counts.
        samples: The samples, each with other labels.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample]


class Counter:
    """Counts by label values; thread-safe.

    Args:
        name: The metric's name.
        help: What it counts.
        labels: The names of its labels.
    """

    def __init__(self, name: str, help: str, *labels: str) -> None:  # noqa: A002 -- the format's word
        self._name, self._help, self._labels = name, help, labels
        self._counts: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, count: float = 1) -> None:
        """Add to the count of the label values."""
        with self._lock:
            self._counts[values] = self._counts.get(values, 0) + count

    def family(self) -> Family:
        """Return the counts so far."""
        with self._lock:
            counts = sorted(self._counts.items())
        samples = [Sample(count, dict(zip(self._labels, values, strict=True))) for values, count in counts]
        return Family(self._name, "counter", self._help, samples)


class Histogram:
    """Counts durations by size; thread-safe.

    Args:
        name: The metric's name.
        help: What is measured, in seconds.
        bounds: Upper bounds of the buckets.
    """

    def __init__(self, name: str, help: str, bounds: Sequence[float] = SECONDS) -> None:  # noqa: A002 -- as `Counter`
        self._name, self._help, self._bounds = name, help, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        with self._lock:
            self._counts[bisect.bisect_left(self._bounds, seconds)] += 1
            self._sum += seconds

    def family(self) -> Family:
        """Return the buckets so far."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        samples, below = [], 0
        for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
            below += count
            samples.append(Sample(below, {"le": _number(bound)}, "_bucket"))
        return Family(
            self._name, "histogram", self._help, [*samples, Sample(total, {}, "_sum"), Sample(below, {}, "_count")]
        )


def render(families: Iterable[Family]) -> bytes:
    """Return metrics in the text format; send them with `CONTENT_TYPE`."""
    lines: list[str] = []
    for family in families:
        lines += [f"# HELP {family.name} {_escape(family.help)}", f"# TYPE {family.name} {family.kind}"]
        lines += [f"{family.name}{it.suffix}{_labels(it.labels)} {_number(it.value)}" for it in family.samples]
    return "".join(f"{line}\n" for line in lines).encode()


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return (
        "{"
        + ",".join(f'{name}="{_escape(text).replace(chr(34), chr(92) + chr(34))}"' for name, text in labels.items())
        + "}"
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def may_read(scope: Mapping[str, Any], keys: Iterable[str | None], *, local: bool) -> bool:
    """Return whether the sender of a request may read metrics.

    Args:
        scope: The request's ASGI scope.
        keys: The request must have one of them as its bearer token; None and empty ones are ignored.
        local: Whether a program of this machine needs none. Then its address and the Host header must be loopback
            addresses, so that no page of another site reads them by DNS rebinding, and no header may say that a proxy
            has forwarded the request.
    """
    headers: dict[bytes, bytes] = {name.lower(): value for name, value in scope["headers"]}
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        given = given.strip()
        return any(hmac.compare_digest(given, key.encode()) for key in keys if key)
    client = scope.get("client") or ("",)
    host = headers.get(b"host", b"").decode("latin-1").lower()
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return local and client[0] in _LOOPBACK and name in _LOOPBACK and not _FORWARDED & headers.keys()
