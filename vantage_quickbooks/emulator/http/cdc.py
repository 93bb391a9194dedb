"""Change data capture: what was created, changed or deleted since a time.

Sources: Intuit, "Change data capture"
(https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/change-data-capture) for
the look-back, the entities and the thousand objects; recorded, 2015 to 2020 (hoist cdc.json, minimul cdc/basic.yml) for
the shape, the order within a group and the faults, which have status 200.
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
"""Entities that change data capture refuses, by the page named in the module's docstring."""


def changes(company: Company, parameters: dict[str, str], now: float) -> bytes:
    """Answer a request for changes.

    Args:
        company: The company.
        parameters: `entities`, separated by commas, and `changedSince`.
        now: Epoch seconds.

    Returns:
        The value of `CDCResponse`: one list of groups in the order asked for; a group without changes is `{}`. Beyond a
        thousand objects the rest is missing without notice.

    Raises:
        Fault: 10000 with status 200 for invalid entities or an invalid time, 500 for a time too long ago.
    """
    entities = _entities(parameters.get("entities", ""))
    since = _moment(parameters.get("changedSince", ""), company)
    if since < now - LOOK_BACK_S:
        # The wording is quoted in QuickBooksSharp's issue 19, its code is not.
        what = f"cdc with changedSince date {parameters['changedSince']} which is older than fixed days"
        raise errors.unsupported_operation(what)
    return b'[{"QueryResponse":[%s]}]' % b",".join(company.changes(entities, int(since), MAX_OBJECTS))


def _entities(text: str) -> list[Entity]:
    """Parse the entity names, in any case, each once (recorded: `estimate` is accepted, `estimates` is not)."""
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
    """Parse a time or a date; without an offset it is local. The words of the refusal are ours."""
    if not text.strip():
        _illegal("changedSince is required")
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=company.zone)).timestamp()
    except (ValueError, OverflowError):
        _illegal(f'Invalid format: "{text}"')


def _illegal(what: str) -> NoReturn:
    """Refuse an argument as recorded in 2016: a SystemFault with status 200."""
    raise errors.system_failure(f"java.lang.IllegalArgumentException: {what}", status=200)
