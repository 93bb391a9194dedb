"""
Rows to pictures, by what an action's `views` say: which member is the amount, which the age, which the currency.

Amounts are summed as exact decimals, and never across currencies: each has a picture of its own. A picture is bars with
their words and figures beside them, so that nothing is told by colour alone, and a table with the same figures.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.web.present import money, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Bar", "Chart", "Picture", "draw"]

AGES = (("Current", 0, 0), ("1\u201330 days", 1, 30), ("31\u201360 days", 31, 60), ("61\u201390 days", 61, 90))
OLDEST = "Over 90 days"
TONES = ("good", "info", "notice", "warn", "bad")

WIDTH, ROW, LABEL_Y, BAR_Y, BAR = 360, 42, 14, 21, 11
"""The geometry, in units that are pixels at a phone's width: label and figure on a line, the bar below."""

_LONGEST_LABEL = 26
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        label: In words.
        amount: How much.
        part: How much of it is outstanding, where that is told apart.
        count: How many rows.
        tone: What it means, for its colour.
        text: The amount in figures.
        part_text: The part in figures.
        short: The label, cut to its place.
        y: Of its top.
        width: Of the bar.
        part_width: Of the part.
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
    width: float
    part_width: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of one currency.

    Attributes:
        currency: Which; may be empty.
        total: Of all bars, in figures.
        bars: Top to bottom.
        summary: The chart in a sentence, for those who do not see it.
    """

    currency: str
    total: str
    bars: tuple[Bar, ...]
    summary: str

    @property
    def height(self) -> int:
        """Of the drawing."""
        return len(self.bars) * ROW


@dataclass(frozen=True, slots=True)
class Picture:
    """What one view shows.

    Attributes:
        title: Its heading.
        label: Heading of the bars' labels.
        amount_label: Heading of the amounts.
        part_label: Heading of the parts; empty where there are none.
        charts: One a currency.
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

    def add(self, label: str, tone: str, amount: Decimal, part: Decimal) -> None:
        kept = self.by_label.setdefault(label, _Sum(tone))
        kept.amount += amount
        kept.part += part
        kept.count += 1


def draw(rows: Sequence[Mapping[str, Any]], views: Iterable[Mapping[str, Any]]) -> list[Picture]:
    """Return the pictures that views ask for and rows have the members for.

    Views of a kind that is not known here are left out, and so are pictures without a bar.
    """
    known = {"aging": _aging, "breakdown": _breakdown, "top": _top}
    pictures = [known[view["kind"]](rows, view) for view in views if view.get("kind") in known]
    return [picture for picture in pictures if picture.charts]


def _aging(rows: Sequence[Mapping[str, Any]], view: Mapping[str, Any]) -> Picture:
    ages = [label for label, _, _ in AGES] + [OLDEST]

    def place(row: Mapping[str, Any]) -> tuple[str, str] | None:
        days = _amount(row, view["days"])
        if days is None:
            return None
        label = next((label for label, first, last in AGES if first <= days <= last), OLDEST)
        return label, TONES[ages.index(label)]

    sums = _summed(rows, view, place)
    for group in sums.values():  # an age without an invoice is worth knowing
        group.by_label = {label: group.by_label.get(label, _Sum(tone)) for label, tone in zip(ages, TONES, strict=True)}
    return _picture(rows, view, "Age", sums)


def _breakdown(rows: Sequence[Mapping[str, Any]], view: Mapping[str, Any]) -> Picture:
    values: Mapping[str, Mapping[str, str]] = view.get("values", {})

    def place(row: Mapping[str, Any]) -> tuple[str, str] | None:
        value = value_at(row, view["by"])
        if value is None:
            return None
        known = values.get(str(value), {})
        return known.get("label", str(value)), known.get("tone", "info")

    sums = _summed(rows, view, place)
    order = [known.get("label", value) for value, known in values.items()]
    for group in sums.values():
        rank = {label: number for number, label in enumerate(order)}
        group.by_label = dict(sorted(group.by_label.items(), key=lambda item: rank.get(item[0], len(rank))))
    return _picture(rows, view, view.get("byLabel", "Status"), sums)


def _top(rows: Sequence[Mapping[str, Any]], view: Mapping[str, Any]) -> Picture:
    def place(row: Mapping[str, Any]) -> tuple[str, str] | None:
        amount = _amount(row, view["amount"])
        if not amount:
            return None
        return str(value_at(row, view["by"]) or "no name"), "info"

    sums = _summed(rows, view, place)
    limit = int(view.get("limit", 10))
    for group in sums.values():
        ranked = sorted(group.by_label.items(), key=lambda item: -item[1].amount)
        group.by_label = dict(ranked[:limit])
        if others := [item for _, item in ranked[limit:]]:
            rest = _Sum("muted", sum((item.amount for item in others), _ZERO), _ZERO, sum(i.count for i in others))
            group.by_label[f"{len(others)} others"] = rest
    return _picture(rows, view, view.get("byLabel", "Name"), sums)


def _summed(
    rows: Sequence[Mapping[str, Any]],
    view: Mapping[str, Any],
    place: Callable[[Mapping[str, Any]], tuple[str, str] | None],
) -> dict[str, _Sums]:
    """Sum amounts by currency and label. Rows without an amount, a currency member or a place are not counted."""
    sums: dict[str, _Sums] = {}
    for row in rows:
        amount = _amount(row, view["amount"])
        where = place(row)
        if amount is None or where is None:
            continue
        if view["kind"] == "aging" and not amount:
            continue
        part = _amount(row, view["part"]) if "part" in view else None
        currency = str(value_at(row, view["currency"]) or "") if "currency" in view else ""
        sums.setdefault(currency, _Sums()).add(*where, amount, part or _ZERO)
    return sums


def _picture(
    rows: Sequence[Mapping[str, Any]], view: Mapping[str, Any], label: str, sums: Mapping[str, _Sums]
) -> Picture:
    # The currency of the most rows first: the same order in all pictures of a result.
    rank = Counter(str(value_at(row, view.get("currency", "")) or "") for row in rows)
    return Picture(
        title=str(view.get("title", "")),
        label=str(label),
        amount_label=str(view.get("amountLabel", "Outstanding")),
        part_label=str(view.get("partLabel", "")) if "part" in view else "",
        charts=tuple(
            _chart(view, currency, sums[currency]) for currency in sorted(sums, key=lambda it: (-rank[it], it))
        ),
    )


def _chart(view: Mapping[str, Any], currency: str, sums: _Sums) -> Chart:
    largest = max((abs(kept.amount) for kept in sums.by_label.values()), default=_ZERO) or Decimal(1)
    bars = tuple(
        Bar(
            label=label,
            amount=kept.amount,
            part=kept.part if "part" in view else None,
            count=kept.count,
            tone=kept.tone,
            text=money(kept.amount, currency),
            part_text=money(kept.part, currency) if "part" in view else "",
            short=label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1].rstrip() + "…",
            y=number * ROW,
            width=_width(kept.amount, largest),
            part_width=_width(kept.part, largest) if "part" in view and kept.part > 0 else None,
        )
        for number, (label, kept) in enumerate(sums.by_label.items())
    )
    total = money(sum((bar.amount for bar in bars), _ZERO), currency)
    said = "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    return Chart(currency, total, bars, f"{view.get('title', '')}{f', {currency}' if currency else ''}: {said}.")


def _width(amount: Decimal, largest: Decimal) -> float:
    """Scale an amount; one that is there is seen, be it ever so small."""
    return round(max(2.0, float(max(amount, _ZERO) / largest) * WIDTH), 1) if amount > 0 else 0.0


def _amount(row: Mapping[str, Any], path: str) -> Decimal | None:
    value = value_at(row, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(value))
