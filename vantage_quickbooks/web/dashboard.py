"""The arithmetic of a dashboard: tiles that the descriptor's `dashboard` describes, computed from rows.

Theory of operation
1. A tile adds up the rows of one source while they are read, page by page: its memory grows with the number of bars and
   names, not with the number of rows.
2. Amounts are exact decimals, and each currency has its own figure. Rows without an amount do not count.
3. A row is in one bar. What no bar takes is in the rest, so that the bars add up to the whole.
4. Each figure and bar has a link to the rows that it is made of.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.row_values import decimal_of, value_at
from vantage_quickbooks.web.formatting import money
from vantage_quickbooks.web.listings import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    LinkMaker = Callable[[Mapping[str, Any] | None, Mapping[str, Any], int], str]
    """Makes the URL of a link from the link, a row, and the number of rows behind it; empty if it leads nowhere."""

__all__ = ["Bar", "Figure", "Period", "Sums", "sums_of"]

_ZERO = Decimal(0)
_DEFAULT_LIMIT = 5
_MIN_PERIODS = 6
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a figure.

    Attributes:
        label: Its label.
        value: The exact number.
        text: The formatted number.
        count: Number of rows.
        tone: Its meaning, which decides its color.
        share: Its length in percent of the longest bar, or of the whole if the parts make a whole.
        offset: Where it begins, in percent of the whole, if the parts make a whole.
        url: The rows behind it.
        is_rest: Whether it is the sum of all parts without a bar of their own.
    """

    label: str
    value: Decimal
    text: str
    count: int
    tone: str
    share: float
    offset: float
    url: str
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Period:
    """A period of a chart of periods.

    Attributes:
        label: Its name, short.
        title: Its name in full.
        texts: The formatted number of each series.
        values: The exact number of each series.
        net: The formatted difference of the first series and the others.
        columns: Of each series: tone, and top and height in percent of the drawing.
        url: The rows behind it.
    """

    label: str
    title: str
    texts: tuple[str, ...]
    values: tuple[Decimal, ...]
    net: str
    columns: tuple[tuple[str, float, float], ...]
    url: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What a tile shows for one currency.

    Attributes:
        currency: The currency; empty if the rows have none.
        value: The exact number: of bars, their sum; None if there are no rows to take it from.
        text: The formatted number.
        count: Number of rows.
        url: The rows behind it.
        bars: Its parts.
        periods: Its periods.
        series: Label, tone and formatted sum of each series of the periods.
        zero: Where the zero line of the periods is, in percent of the drawing.
    """

    currency: str
    value: Decimal | None
    text: str
    count: int
    url: str = ""
    bars: tuple[Bar, ...] = ()
    periods: tuple[Period, ...] = ()
    series: tuple[tuple[str, str, str], ...] = ()
    zero: float = 100.0


def sums_of(tile: Mapping[str, Any], today: date) -> Sums | None:
    """Return what adds up the rows of a tile; None for a tile of an unknown kind.

    Args:
        tile: The tile of the descriptor.
        today: The day for which periods are resolved.
    """
    made = _KINDS.get(str(tile.get("kind")))
    return made(tile, today) if made else None


class Condition:
    """Which rows count: those that meet each entry of a `where`.

    Args:
        entries: The entries.
        today: Today's date, for dates.
    """

    def __init__(self, entries: Iterable[Mapping[str, Any]], today: date) -> None:
        self._entries = [
            (
                str(entry["field"]),
                [str(value) for value in entry["equals"]] if entry.get("equals") is not None else None,
                day_of(entry["from"], today).isoformat() if entry.get("from") else "",
                day_of(entry["to"], today).isoformat() if entry.get("to") else "",
                decimal_of(entry.get("above")),
            )
            for entry in entries
        ]

    def __call__(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row counts."""
        for path, values, first, last, above in self._entries:
            value = value_at(row, path)
            if values is not None and str(value) not in values:
                return False
            if (first or last) and not (
                isinstance(value, str) and first <= value[:10] and (not last or value[:10] <= last)
            ):
                return False
            if above is not None and (decimal_of(value) or _ZERO) <= above:
                return False
        return True


@dataclass(slots=True)
class _Sum:
    """A sum of rows."""

    key: str = ""
    amount: Decimal = _ZERO
    count: int = 0
    label: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)

    def add(self, amount: Decimal) -> None:
        self.amount += amount
        self.count += 1


class Sums:
    """Adds up the rows of one tile.

    Args:
        tile: The tile of the descriptor.
        today: Today's date.
    """

    def __init__(self, tile: Mapping[str, Any], today: date) -> None:
        self.tile = tile
        self.today = today
        value: Mapping[str, Any] = tile.get("value") or {}
        self._way = next((name for name in ("sum", "average", "path") if name in value), "count")
        self._path = str(value.get(self._way) or "")
        self._currency = str(tile.get("currency") or "")
        self._where = Condition(tile.get("where") or (), today)
        self._by_currency: dict[str, dict[str, _Sum]] = {}
        self._rank: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        currency = str(value_at(row, self._currency) or "") if self._currency else ""
        self._rank[currency] += 1
        if not self._where(row):
            return
        amount = Decimal(1) if self._way == "count" else decimal_of(value_at(row, self._path))
        key = self.key_of(row) if amount is not None else None
        if amount is None or key is None:
            return
        parts = self._by_currency.setdefault(currency, {})
        part = parts.get(key)
        if part is None:
            part = parts[key] = _Sum(key, label=self.label_of(row, key), row=self.kept(row))
        part.add(amount)

    def key_of(self, row: Mapping[str, Any]) -> str | None:  # noqa: ARG002 -- for subclasses
        """Return the part that a row belongs to; None for none."""
        return ""

    def label_of(self, row: Mapping[str, Any], key: str) -> str:  # noqa: ARG002 -- for subclasses
        """Return what a part is called."""
        return key

    def kept(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the members of a row that the links of its part need."""
        link: Mapping[str, Any] = self.tile.get("partLink") or {}
        return {path: value_at(row, path) for path in (link.get("rowInput") or {}).values()}

    def figures(self, result: Mapping[str, Any], make_url: LinkMaker) -> tuple[Figure, ...]:
        """Return a figure for each currency, that with the most rows first.

        Args:
            result: The result that the rows come from, without them.
            make_url: A `LinkMaker`.
        """
        raise NotImplementedError

    def _ordered(self) -> list[tuple[str, dict[str, _Sum]]]:
        # By all rows of the source, so that the order is the same in all its tiles.
        return sorted(self._by_currency.items(), key=lambda item: (-self._rank[item[0]], item[0]))

    def _part_url(self, link: Mapping[str, Any] | None, part: _Sum, make_url: LinkMaker) -> str:
        return make_url(link, part.row, self._rows(part.key)) if link else ""

    def _rows(self, key: str | None = None) -> int:
        """Return the number of rows behind a part, or all parts: a link leads to those of all currencies."""
        found = (part for parts in self._by_currency.values() for name, part in parts.items() if key in {None, name})
        return sum(part.count for part in found)

    def _text(self, value: Decimal, currency: str) -> str:
        form = str(self.tile.get("format") or ("money" if self._currency else "number"))
        if form == "money":
            return money(value, currency)
        if form == "days":
            days = value.quantize(_TENTH)
            text = f"{days.normalize():,f}"
            return f"{text} day" if text == "1" else f"{text} days"
        return f"{value.normalize():,f}"


class _Number(Sums):
    def figures(self, result: Mapping[str, Any], make_url: LinkMaker) -> tuple[Figure, ...]:
        link = self.tile.get("link")
        if self._way == "path":
            value = decimal_of(value_at(result, self._path))
            currency = str(value_at(result, self._currency) or "") if self._currency else ""
            if value is None:
                return ()
            return (Figure(currency, value, self._text(value, currency), 0, make_url(link, {}, 0)),)
        found = []
        for currency, parts in self._ordered():
            part = parts[""]
            value = part.amount / part.count if self._way == "average" else part.amount
            found.append(
                Figure(currency, value, self._text(value, currency), part.count, make_url(link, {}, self._rows()))
            )
        if found:
            return tuple(found)
        url = make_url(link, {}, 0)
        return (Figure("", None, "", 0, url),)


class _Bars(Sums):
    """Bars with a condition each."""

    def __init__(self, tile: Mapping[str, Any], today: date) -> None:
        super().__init__(tile, today)
        self._bars = [(bar, Condition(bar.get("where") or (), today)) for bar in tile.get("bars") or ()]

    def key_of(self, row: Mapping[str, Any]) -> str | None:
        return next((str(at) for at, (_, matches) in enumerate(self._bars) if matches(row)), "rest")

    def figures(self, result: Mapping[str, Any], make_url: LinkMaker) -> tuple[Figure, ...]:
        del result
        found = []
        for currency, parts in self._ordered():
            rows = [
                (str(bar["label"]), parts.get(str(at), _Sum(str(at))), str(bar.get("tone") or "info"), bar.get("link"))
                for at, (bar, _) in enumerate(self._bars)
            ]
            if "rest" in parts:
                rows.append((str(self.tile.get("restLabel") or "Other"), parts["rest"], "muted", self.tile.get("link")))
            scale = max((abs(part.amount) for _, part, _, _ in rows), default=_ZERO) or Decimal(1)
            bars = tuple(
                Bar(
                    label, part.amount, self._text(part.amount, currency), part.count, tone,
                    _percent(part.amount, scale), 0.0, self._part_url(link, part, make_url),
                )
                for label, part, tone, link in rows
            )  # fmt: skip
            found.append(self._figure(currency, parts, bars, make_url))
        return tuple(found)

    def _figure(self, currency: str, parts: Mapping[str, _Sum], bars: tuple[Bar, ...], make_url: LinkMaker) -> Figure:
        total = sum((part.amount for part in parts.values()), _ZERO)
        count = sum(part.count for part in parts.values())
        url = make_url(self.tile.get("link"), {}, self._rows())
        return Figure(currency, total, self._text(total, currency), count, url, bars)


class _Top(_Bars):
    """The largest sums by a member."""

    def key_of(self, row: Mapping[str, Any]) -> str:
        return str(value_at(row, str(self.tile["by"])) or "")

    def label_of(self, row: Mapping[str, Any], key: str) -> str:
        return str(value_at(row, str(self.tile.get("label") or self.tile["by"])) or key or "No name")

    def figures(self, result: Mapping[str, Any], make_url: LinkMaker) -> tuple[Figure, ...]:
        del result
        found = []
        limit = int(self.tile.get("limit") or _DEFAULT_LIMIT)
        for currency, parts in self._ordered():
            ranked = sorted(parts.values(), key=lambda part: (-part.amount, part.label))
            shown, others = ranked[:limit], ranked[limit:]
            scale = max((abs(part.amount) for part in shown), default=_ZERO) or Decimal(1)
            link = self.tile.get("partLink")
            bars = [
                Bar(
                    part.label, part.amount, self._text(part.amount, currency), part.count, "info",
                    _percent(part.amount, scale), 0.0, self._part_url(link, part, make_url),
                )
                for part in shown
            ]  # fmt: skip
            if others:
                amount = sum((part.amount for part in others), _ZERO)
                count = sum(part.count for part in others)
                label = f"{len(others):,} other{'s' if len(others) > 1 else ''}"
                # Not drawn: among thousands of names it would leave the others without a visible bar.
                url = make_url(self.tile.get("link"), {}, self._rows())
                bars.append(
                    Bar(label, amount, self._text(amount, currency), count, "muted", 0.0, 0.0, url, is_rest=True)
                )
            found.append(self._figure(currency, parts, tuple(bars), make_url))
        return tuple(found)


class _Shares(_Bars):
    """The parts of a whole, by the values of a member."""

    def key_of(self, row: Mapping[str, Any]) -> str | None:
        value = value_at(row, str(self.tile["by"]))
        return None if value is None else str(value)

    def figures(self, result: Mapping[str, Any], make_url: LinkMaker) -> tuple[Figure, ...]:
        del result
        found = []
        values: Mapping[str, Mapping[str, str]] = self.tile.get("values") or {}
        rank = {value: at for at, value in enumerate(values)}
        for currency, parts in self._ordered():
            whole = sum((abs(part.amount) for part in parts.values()), _ZERO) or Decimal(1)
            bars: list[Bar] = []
            offset = 0.0
            for key, part in sorted(parts.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0])):
                known = values.get(key, {})
                share = _percent(abs(part.amount), whole)
                url = self._part_url(self.tile.get("partLink"), part, make_url)
                text = self._text(part.amount, currency)
                label, tone = known.get("label", key), known.get("tone", "info")
                bars.append(Bar(label, part.amount, text, part.count, tone, share, round(offset, 2), url))
                offset += share
            found.append(self._figure(currency, parts, tuple(bars), make_url))
        return tuple(found)


class _Periods(Sums):
    """Adds up the columns of a report, one per period, by series of rows."""

    def __init__(self, tile: Mapping[str, Any], today: date) -> None:
        super().__init__(tile, today)
        self._series = [(series, Condition(series.get("where") or (), today)) for series in tile.get("series") or ()]
        self._sums: list[dict[str, Decimal]] = [{} for _ in self._series]

    def add(self, row: Mapping[str, Any]) -> None:
        for sums, (_, matches) in zip(self._sums, self._series, strict=True):
            if not matches(row):
                continue
            for name, value in row.items():
                amount = decimal_of(value) if isinstance(value, int | float) else None
                if amount is not None:
                    sums[name] = sums.get(name, _ZERO) + amount

    def figures(self, result: Mapping[str, Any], make_url: LinkMaker) -> tuple[Figure, ...]:
        periods = [it for it in value_at(result, str(self.tile["columns"])) or () if it.get("startDate")]
        values = [
            tuple(sums.get(str(period["field"]), _ZERO) for sums in self._sums) for period in periods
        ]  # a series without rows in the period is zero: the report has what was posted
        first = next((at for at, row in enumerate(values) if any(row)), None)
        if first is None:
            return ()
        first = min(first, max(0, len(values) - _MIN_PERIODS))  # a young company has no earlier periods to show
        periods, values = periods[first:], values[first:]
        currency = str(value_at(result, self._currency) or "") if self._currency else ""
        highest = max((max(row) for row in values), default=_ZERO)
        lowest = min((min(row) for row in values), default=_ZERO)
        top, bottom = max(highest, _ZERO), min(lowest, _ZERO)
        span = (top - bottom) or Decimal(1)
        tones = [str(series.get("tone") or "info") for series, _ in self._series]
        whole_url, part_link = make_url(self.tile.get("link"), {}, 0), self.tile.get("partLink")
        shown = tuple(
            Period(
                label=f"{date.fromisoformat(str(period['startDate'])):%b}",
                title=str(period.get("label") or period["startDate"]),
                texts=tuple(money(amount, currency) for amount in row),
                values=row,
                net=money(row[0] - sum(row[1:], _ZERO), currency) if row else "",
                columns=tuple(
                    (tone, _percent(top - max(amount, _ZERO), span), _percent(abs(amount), span))
                    for tone, amount in zip(tones, row, strict=True)
                ),
                url=make_url(part_link, self.kept(period), 0) if part_link else whole_url,
            )
            for period, row in zip(periods, values, strict=True)
        )
        totals = [sum((row[at] for row in values), _ZERO) for at in range(len(self._series))]
        net = totals[0] - sum(totals[1:], _ZERO) if totals else _ZERO
        series = tuple(
            (str(series["label"]), tone, money(total, currency))
            for (series, _), tone, total in zip(self._series, tones, totals, strict=True)
        )
        zero = _percent(top, span)
        return (Figure(currency, net, money(net, currency), 0, whole_url, (), shown, series, zero),)


_KINDS: dict[str, type[Sums]] = {
    "number": _Number,
    "bars": _Bars,
    "top": _Top,
    "shares": _Shares,
    "periods": _Periods,
}


def _percent(amount: Decimal, whole: Decimal) -> float:
    """Return a length in percent; any amount above zero is visible."""
    if amount <= 0:
        return 0.0
    return max(0.6, round(float(amount / whole) * 100, 2))
