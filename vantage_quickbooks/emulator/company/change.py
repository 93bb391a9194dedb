"""The write of one record, as the rules see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Protocol

from vantage_quickbooks.emulator import errors

if TYPE_CHECKING:
    from datetime import date

    from vantage_quickbooks.emulator.company.entities import Entity

Record = dict[str, Any]


class RecordLookup(Protocol):
    """What the rules need of a company."""

    def find(self, entity: str, id: str) -> Record | None:  # noqa: A002 -- Intuit's word
        """Return a record, or None."""

    def find_account(self, key: str, kind: str, currency: str) -> Record | None:
        """Return the first account of a kind (AccountType or AccountSubType), preferably in a currency, or None."""

    def find_currency(self, code: str) -> Record | None:
        """Return a currency of the company's list, or None."""

    def next_doc_number(self, entity: str) -> str:
        """Return the next document number of a transaction type."""


@dataclass(frozen=True, slots=True)
class Change:
    """The write of one record.

    Attributes:
        entity: The record's entity.
        lookup: Finds the records that it refers to.
        today: The company's date.
        created: Whether the record is new.
        touched: The properties that a sparse update sent; None for a create or a full update.
        old: The record before an update.
    """

    entity: Entity
    lookup: RecordLookup
    today: date
    created: bool
    touched: frozenset[str] | None
    old: Record = field(default_factory=dict)

    def touches(self, *keys: str) -> bool:
        """Return whether the write can change any of these properties."""
        return self.touched is None or not self.touched.isdisjoint(keys)


def to_amount(value: object) -> Decimal:
    """Convert a value to an amount with two decimals.

    Raises:
        Fault: 6000 if it is not a number.
    """
    try:
        return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    except ArithmeticError:
        # Intuit lists 2110 for decimals; its wording is not recorded: our words.
        raise errors.business_error(f"{value} is not an amount") from None
