"""Change data capture: what was created, changed or deleted since a moment.

Sources: Intuit, "Change data capture" (look-back, entities, a thousand objects in all);
recorded, 2015 to 2020 (hoist cdc.json, minimul cdc/basic.yml) for the shape, the order
within a group and the faults, which come with status 200.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NoReturn

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.entities import BY_LOWER_NAME, BY_PATH, Entity

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.company import Company

LOOK_BACK_S = 30 * 86_400
MAX_OBJECTS = 1000
UNCAPTURED = frozenset({"JournalCode", "TaxAgency", "TaxCode", "TaxRate", "TimeActivity"})
"""Entities that change data capture does not know (Intuit, "Change data capture")."""


def changes(company: Company, parameters: dict[str, str], now: float) -> bytes:
    """Response a request for changes.

    Args:
        company: Whose records.

        parameters: `entities`, with commas between, and `changedSince`.

        now: Epoch seconds.

    Returns:
        The value of `CDCResponse`: one list of groups in the order asked for; a group without
        changes is `{}`. Past a thousand objects nothing more comes, and nothing says so.

    Raises:
        Fault: 10000 with status 200 for entities or a time that are none, 500 for a time too long ago.
    """
    entities = _entities(parameters.get("entities", ""))
    since = _moment(parameters.get("changedSince", ""), company)
    if since < now - LOOK_BACK_S:
        # QuickBooksSharp issue 19; which code it comes with is not told there.
        what = f"cdc with changedSince date {parameters['changedSince']} which is older than fixed days"
        raise errors.unsupported_operation(what)
    return b'[{"QueryResponse":[%s]}]' % b",".join(company.changes(entities, int(since), MAX_OBJECTS))


def _entities(text: str) -> list[Entity]:
    """Find the entities by their names in any case, each once (recorded: `estimate` is taken, `estimates` is not)."""
    if not text.strip():
        _illegal("entities is required")
    found: dict[str, Entity] = {}
    for name in text.split(","):
        entity = BY_LOWER_NAME.get(name.strip().lower()) or BY_PATH.get(name.strip().lower())
        if entity is None or entity.name in UNCAPTURED:
            _illegal(f"Invalid entity supplied : entity={name.strip()}")
        found[entity.name] = entity
    return list(found.values())


def _moment(text: str, company: Company) -> float:
    """Read a time or a date; without an offset it is the company's. The words for one that is none are ours."""
    if not text.strip():
        _illegal("changedSince is required")
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=company.zone)).timestamp()
    except (ValueError, OverflowError):
        _illegal(f'Invalid format: "{text}"')


def _illegal(what: str) -> NoReturn:
    """Refuse an argument as recorded in 2016: a SystemFault, and yet status 200."""
    raise errors.system_failure(f"java.lang.IllegalArgumentException: {what}", status=200)
