"""Ids and document numbers: each is one more than the highest that was ever assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.company import shapes
from vantage_quickbooks.emulator.company.entities import ENTITIES

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.entities import Entity
    from vantage_quickbooks.emulator.company.store import Store

_FIRST_DOC_NUMBER = 1001
_TRANSACTIONS = [entity.name for entity in ENTITIES.values() if not entity.is_name_list]


class Sequences:
    """The Ids and document numbers of one company.

    The caller holds the store's write lock, so that counting in memory is safe. Each sequence is read from the store
    once.

    Args:
        store: The company's records.
        realm: The company's id.
    """

    def __init__(self, store: Store, realm: str) -> None:
        self._store = store
        self._realm = realm
        self._highest_ids: dict[str, int] = {}
        self._highest_numbers: dict[str, int] = {}

    def next_id(self, entity: Entity) -> int:
        """Return the next Id; a deleted record's Id is not assigned again.

        A name list has its own sequence; all transactions share one (recorded).
        """
        names = [entity.name] if entity.is_name_list else _TRANSACTIONS
        if names[0] not in self._highest_ids:
            self._highest_ids[names[0]] = self._store.highest_id(self._realm, names)
        return self._highest_ids[names[0]] + 1

    def forget(self) -> None:
        """Read the highest numbers from the store again: records were stored that did not ask for one."""
        self._highest_ids.clear()
        self._highest_numbers.clear()

    def use_id(self, entity: Entity, number: int) -> None:
        """Record that an Id was assigned."""
        self._highest_ids[entity.name if entity.is_name_list else _TRANSACTIONS[0]] = number

    def next_doc_number(self, entity: str) -> str:
        """Return the next document number of a transaction type; some types share a sequence."""
        names = shapes.DOC_NUMBER_SEQUENCES[entity]
        if names[0] not in self._highest_numbers:
            highest = self._store.highest_doc_number(self._realm, list(names))
            self._highest_numbers[names[0]] = max(highest, _FIRST_DOC_NUMBER - 1)
        return str(self._highest_numbers[names[0]] + 1)

    def use_doc_number(self, entity: str, number: Any) -> None:
        """Record that a document number was assigned, by QuickBooks or by a user."""
        names = shapes.DOC_NUMBER_SEQUENCES.get(entity)
        if names and names[0] in self._highest_numbers:
            self._highest_numbers[names[0]] = max(self._highest_numbers[names[0]], _number(number))


def _number(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19 else 0
