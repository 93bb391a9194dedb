"""Dynamic choices of a field: a search in the list action that the descriptor's `optionsFrom` names.

Theory of operation
1. A search makes one call of the list action, on a connection with a low row limit.
2. A list without a search input is read once and kept for five minutes; texts are looked for in what was read.
3. Labels that were found are remembered, so that a form can show the name of a value that was chosen before.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web.failures import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vantage_quickbooks.web.forms import Field, OptionsSource
    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.store import Record

__all__ = ["MIN_SEARCH_LENGTH", "Lookups", "Options"]

MIN_SEARCH_LENGTH = 2
"""Shorter texts are not searched for."""

MAX_OPTIONS = 20
_LIST_LIFETIME_S = 300.0
_MAX_LABELS = 5000


@dataclass(frozen=True, slots=True)
class Options:
    """The result of a search.

    Attributes:
        pairs: Values and labels.
        has_more: Whether further rows may match.
        error: The `error` of the envelope if the call failed.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    has_more: bool = False
    error: Mapping[str, Any] | None = None


class Lookups:
    """Searches for choices.

    Args:
        host: The connections.
        now: A monotonic clock, in seconds.
    """

    def __init__(self, host: Host, now: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._now = now
        self._labels: dict[tuple[str, OptionsSource, str], str] = {}
        self._lists: dict[tuple[str, OptionsSource], tuple[float, tuple[tuple[str, str], ...]]] = {}
        self._lock = threading.Lock()

    def search(self, record: Record, source: OptionsSource, text: str) -> Options:
        """Return the choices that match a text.

        Args:
            record: The connection.
            source: The field's source.
            text: What the user typed.
        """
        text = text.strip()
        if not source.search:
            return self._search_list(record, source, text)
        if len(text) < MIN_SEARCH_LENGTH:
            return Options()
        found = self._call(record, source, {source.search: source.pattern.replace("{text}", text)})
        self.remember(record, source, found.pairs)
        return found

    def labels(self, record: Record, fields: Iterable[Field], values: Mapping[str, Any]) -> dict[str, str]:
        """Return the labels that are known of the values of lookup fields, by the field's name."""
        with self._lock:
            return {
                field.name: label
                for field in fields
                if field.source and (label := self._labels.get((record.id, field.source, str(values.get(field.name)))))
            }

    def resolve(self, record: Record, source: OptionsSource, value: str) -> None:
        """Read the record of a value, in one call, and remember its label.

        The record is the one to which a row of the source's list is linked by the member that is the value.

        Args:
            record: The connection.
            source: Where the values of the input come from.
            value: The value.
        """
        listed = self._host.action(record.connector, source.action) or {}
        link = (listed.get("listing") or {}).get("record") or {}
        names = [name for name, path in (link.get("input") or {}).items() if path == source.value]
        target = self._host.action(record.connector, str(link.get("action"))) if len(names) == 1 else None
        found = self._read(record, target, {names[0]: value}) if target is not None else None
        self.remember(record, source, [(value, str(value_at(found or {}, source.label) or value))])

    def _read(self, record: Record, action: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return one record; None if it cannot be read."""
        try:
            outcome = self._host.connection(record).call(str(action["id"]), data)
        except Exception:  # noqa: BLE001 -- a connector may fail in any way; the Id is shown then
            return None
        found = (outcome.get("data") or {}).get(action.get("rowsKey"))
        return found if isinstance(found, dict) else None

    def _search_list(self, record: Record, source: OptionsSource, text: str) -> Options:
        key = record.id, source
        with self._lock:
            read_at, pairs = self._lists.get(key, (None, ()))
        if read_at is None or self._now() - read_at > _LIST_LIFETIME_S:
            found = self._call(record, source, None)
            if found.error:
                return found
            pairs = found.pairs
            self.remember(record, source, pairs)
            with self._lock:
                self._lists[key] = self._now(), pairs
        matching = tuple(pair for pair in pairs if text.casefold() in pair[1].casefold())
        return Options(matching[:MAX_OPTIONS], len(matching) > MAX_OPTIONS)

    def _call(self, record: Record, source: OptionsSource, data: dict[str, Any] | None) -> Options:
        """Call the list action; without *data* for all of its rows, otherwise for the first that match."""
        action = self._host.action(record.connector, source.action)
        rows_key = (action or {}).get("rowsKey")
        if action is None or not rows_key:
            return Options(error={"message": f"The connector has no list action {source.action}."})
        try:
            connect = self._host.connection if data is None else self._host.preview_connection
            outcome = connect(record).call(source.action, data or {})
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            return Options(error=error_of(error))
        self._host.record_outcome(record, outcome.get("error"))
        if not outcome["success"]:
            return Options(error=outcome["error"])
        rows = outcome["data"].get(rows_key) or []
        pairs = tuple(
            (str(value), str(value_at(row, source.label) or value))
            for row in rows
            if (value := value_at(row, source.value)) is not None
        )
        if data is None:
            return Options(pairs)
        return Options(pairs[:MAX_OPTIONS], len(pairs) >= MAX_OPTIONS)

    def remember(self, record: Record, source: OptionsSource, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember the labels of values.

        Args:
            record: The connection.
            source: Where the values of the input come from.
            pairs: Values and their labels.
        """
        with self._lock:
            for value, label in pairs:
                self._labels.pop((record.id, source, value), None)
                self._labels[record.id, source, value] = label
            while len(self._labels) > _MAX_LABELS:
                del self._labels[next(iter(self._labels))]
