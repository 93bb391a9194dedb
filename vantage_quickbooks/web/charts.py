"""Charts of rows, as the `views` of an action describe them: which member is the amount, the age, the currency.

Amounts are summed as exact decimals and never across currencies: each currency has its own chart. A chart is a set
of labeled bars with figures, so that color never carries meaning alone, and a table with the same figures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web.formatting import money

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Bar", "Chart", "ChartGroup", "build_charts"]

AGES = (("Current", 0, 0), ("1\u201330 days", 1, 30), ("31\u201360 days", 31, 60), ("61\u201390 days", 61, 90))
OLDEST = "Over 90 days"
TONES = ("good", "info", "notice", "warn", "bad")

WIDTH, ROW, LABEL_Y, BAR_Y, BAR = 360, 42, 14, 21, 11
"""The layout, in pixels at the width of a phone: label and amount on one line, the bar below."""

_MAX_LABEL_LENGTH = 26
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: Its label.
        amount: The sum that it shows.
        part: The part of the sum, such as what is outstanding; None in charts without parts.
        count: Number of rows.
        tone: Its meaning, which decides its color.
        text: The formatted amount.
        part_text: The formatted part.
        short: The label, shortened to fit.
        y: Position of its top.
        is_rest: Whether it is the sum of all parts without a bar of their own; it is not drawn.
        width: Width of the bar.
        part_width: Width of the part.
    """

    label: str
    amount: Decimal
    part: Decimal | None
    count: int
    tone: str
    text: str
    part_text: str
    short: str
    y: int
    is_rest: bool
    width: float
    part_width: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of one currency.

    Attributes:
        currency: The currency; may be empty.
        total: The formatted sum of all bars.
        bars: From top to bottom.
        summary: The chart as text, for screen readers.
    """

    currency: str
    total: str
    bars: tuple[Bar, ...]
    summary: str

    @property
    def height(self) -> int:
        """Height of the drawing."""
        return len(self.bars) * ROW


@dataclass(frozen=True, slots=True)
class ChartGroup:
    """The charts of one view.

    Attributes:
        title: Its heading.
        label: Heading of the labels.
        amount_label: Heading of the amounts.
        part_label: Heading of the parts; empty if there are none.
        charts: One for each currency.
    """

    title: str
    label: str
    amount_label: str
    part_label: str
    charts: tuple[Chart, ...]


@dataclass
class _Sum:
    tone: str = "info"
    amount: Decimal = _ZERO
    part: Decimal = _ZERO
    count: int = 0


@dataclass
class _Sums:
    """Sums of one currency, by label."""

    by_label: dict[str, _Sum] = field(default_factory=dict)
    has_rest: bool = False

    def add(self, label: str, tone: str, amount: Decimal, part: Decimal) -> None:
        kept = self.by_label.setdefault(label, _Sum(tone))
        kept.amount += amount
        kept.part += part
        kept.count += 1


def build_charts(rows: Iterable[Mapping[str, Any]], views: Iterable[Mapping[str, Any]]) -> list[ChartGroup]:
    """Return the charts that the views describe and the rows have fields for.

    Views of unknown kinds and charts without bars are left out.

    Args:
        rows: The rows, read once and in order.
        views: The action's views.
    """
    aggregations = [_AGGREGATIONS[view["kind"]](view) for view in views if view.get("kind") in _AGGREGATIONS]
    if not aggregations:
        return []
    for row in rows:
        for aggregation in aggregations:
            aggregation.add(row)
    chart_groups = [aggregation.chart_group() for aggregation in aggregations]
    return [chart_group for chart_group in chart_groups if chart_group.charts]


class _Aggregation:
    """The sums of one view, by currency and label.

    Args:
        view: The view of the descriptor.
    """

    label = ""

    def __init__(self, view: Mapping[str, Any]) -> None:
        self.view = view
        self.sums: dict[str, _Sums] = {}
        self._rank: Counter[str] = Counter()

    def classify(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return label and tone of the bar that a row belongs to, or None."""
        raise NotImplementedError

    def sort(self, group: _Sums) -> None:
        """Sort the bars of a currency."""

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; rows without an amount or a label are skipped."""
        view = self.view
        currency = str(value_at(row, view.get("currency", "")) or "")
        self._rank[currency] += 1
        amount, where = _amount(row, view["amount"]), self.classify(row)
        if amount is None or where is None:
            return
        part = _amount(row, view["part"]) if "part" in view else None
        self.sums.setdefault(currency, _Sums()).add(*where, amount, part or _ZERO)

    def chart_group(self) -> ChartGroup:
        """Return the charts."""
        for group in self.sums.values():
            self.sort(group)
        view, rank = self.view, self._rank
        # The most frequent currency first: the same order in all charts of a result.
        currencies = sorted(self.sums, key=lambda it: (-rank[it], it))
        return ChartGroup(
            title=str(view.get("title", "")),
            label=str(view.get("byLabel", self.label)),
            amount_label=str(view.get("amountLabel", "Outstanding")),
            part_label=str(view.get("partLabel", "")) if "part" in view else "",
            charts=tuple(_chart(view, currency, self.sums[currency]) for currency in currencies),
        )


class _Aging(_Aggregation):
    label = "Age"
    ages = (*(label for label, _, _ in AGES), OLDEST)

    def classify(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        days = _amount(row, self.view["days"])
        if days is None or not _amount(row, self.view["amount"]):
            return None
        label = next((label for label, first, last in AGES if first <= days <= last), OLDEST)
        return label, TONES[self.ages.index(label)]

    def sort(self, group: _Sums) -> None:
        # Show empty age ranges as well.
        group.by_label = {
            label: group.by_label.get(label, _Sum(tone)) for label, tone in zip(self.ages, TONES, strict=True)
        }


class _Breakdown(_Aggregation):
    label = "Status"

    def classify(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        value = value_at(row, self.view["by"])
        if value is None:
            return None
        known = self.view.get("values", {}).get(str(value), {})
        return known.get("label", str(value)), known.get("tone", "info")

    def sort(self, group: _Sums) -> None:
        order = [known.get("label", value) for value, known in self.view.get("values", {}).items()]
        rank = {label: number for number, label in enumerate(order)}
        group.by_label = dict(sorted(group.by_label.items(), key=lambda item: rank.get(item[0], len(rank))))


class _Top(_Aggregation):
    label = "Name"

    def classify(self, row: Mapping[str, Any]) -> tuple[str, str] | None:
        if not _amount(row, self.view["amount"]):
            return None
        return str(value_at(row, self.view["by"]) or "No name"), "info"

    def sort(self, group: _Sums) -> None:
        limit = int(self.view.get("limit", 10))
        ranked = sorted(group.by_label.items(), key=lambda item: -item[1].amount)
        group.by_label = dict(ranked[:limit])
        if others := [item for _, item in ranked[limit:]]:
            rest = _Sum("muted", sum((item.amount for item in others), _ZERO), _ZERO, sum(i.count for i in others))
            group.by_label[f"{len(others):,} other{'s' if len(others) > 1 else ''}"] = rest
            group.has_rest = True


_AGGREGATIONS: dict[str, type[_Aggregation]] = {"aging": _Aging, "breakdown": _Breakdown, "top": _Top}


def _chart(view: Mapping[str, Any], currency: str, sums: _Sums) -> Chart:
    # The rest is not drawn to scale: among thousands of names it would leave the others without a visible bar.
    drawn = list(sums.by_label.values())[: len(sums.by_label) - sums.has_rest]
    largest = max((abs(kept.amount) for kept in drawn), default=_ZERO) or Decimal(1)
    bars = tuple(
        Bar(
            label=label,
            amount=kept.amount,
            part=kept.part if "part" in view else None,
            count=kept.count,
            tone=kept.tone,
            text=money(kept.amount, currency),
            part_text=money(kept.part, currency) if "part" in view else "",
            short=label if len(label) <= _MAX_LABEL_LENGTH else label[: _MAX_LABEL_LENGTH - 1].rstrip() + "…",
            y=number * ROW,
            is_rest=sums.has_rest and number == len(drawn),
            width=_width(min(kept.amount, largest), largest),
            part_width=_width(kept.part, largest) if "part" in view and kept.part > 0 else None,
        )
        for number, (label, kept) in enumerate(sums.by_label.items())
    )
    total = money(sum((bar.amount for bar in bars), _ZERO), currency)
    said = "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    return Chart(currency, total, bars, f"{view.get('title', '')}{f', {currency}' if currency else ''}: {said}.")


def _width(amount: Decimal, largest: Decimal) -> float:
    """Scale an amount; any amount above zero is visible."""
    return round(max(2.0, float(max(amount, _ZERO) / largest) * WIDTH), 1) if amount > 0 else 0.0


def _amount(row: Mapping[str, Any], path: str) -> Decimal | None:
    value = value_at(row, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(value))
