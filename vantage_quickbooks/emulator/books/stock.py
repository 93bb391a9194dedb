"""Stock valued first in, first out.

What leaves takes the cost of what arrived first, whenever it arrived: stock sold before it was bought gets the cost of
the purchase that follows, as QuickBooks corrects it. What was never bought has the item's purchase cost.
Source: https://quickbooks.intuit.com/learn-support/en-us/help-article/inventory-valuation/fifo-inventory-accounting
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Move(NamedTuple):
    """A change of an item's stock, in order of time.

    Attributes:
        quantity: Positive is received.
        cents: The cost of what is bought or found; negative for what is returned to a vendor; None is to be valued.
    """

    quantity: float
    cents: int | None


class _Layers:
    """The cost of the first units, as a function of their number."""

    def __init__(self, layers: Iterable[tuple[float, int]], unit_cents: float) -> None:
        self._ends = [0.0]
        self._costs = [0]
        self._unit_cents = unit_cents
        for quantity, cents in layers:
            self._ends.append(self._ends[-1] + quantity)
            self._costs.append(self._costs[-1] + cents)

    def cost(self, quantity: float) -> int:
        if quantity <= 0:
            return round(quantity * self._unit_cents)
        at = bisect_right(self._ends, quantity) - 1
        over = quantity - self._ends[at]
        if at == len(self._ends) - 1:
            return self._costs[at] + round(over * self._unit_cents)
        share = over / (self._ends[at + 1] - self._ends[at])
        return self._costs[at] + round(share * (self._costs[at + 1] - self._costs[at]))


def value(moves: Sequence[Move], unit_cents: float) -> list[int]:
    """Value an item's movements.

    Args:
        moves: In order of time.
        unit_cents: The item's purchase cost, for what was never bought.

    Returns:
        The change of the inventory's value by each movement, in cents.
    """
    layers = _Layers(((m.quantity, m.cents) for m in moves if m.quantity > 0 and m.cents is not None), unit_cents)
    taken = 0.0
    values = []
    for move in moves:
        if move.quantity > 0 and move.cents is not None:
            values.append(move.cents)
            continue
        # A return by a customer gives back what was taken last.
        before = layers.cost(taken)
        taken -= move.quantity
        values.append(before - layers.cost(taken))
    return values
