"""What an agent may read, from the descriptor and the rows of the catalog: entities, their columns and filters."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.columns import typed_members
from vantage_quickbooks.catalog.invoices import format_money
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import FieldError, InputError
from vantage_quickbooks.row_values import value_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vantage_quickbooks.catalog.resource import Resource

__all__ = ["Entity", "brief", "entities", "explain", "find_entity", "invalid", "is_offered", "unknown"]

JSON = dict[str, Any]

_MANAGED = ("max_results", "start_position", "all", "cursor", "sync_cursor", "max_api_calls", "fields")
"""Inputs of list actions for which the tools have arguments of their own, or which are for programs."""

_NOISE = frozenset({"domain", "sparse", "SyncToken", "CustomExtensions", "V4IDPseudonym"})
"""Properties that mean nothing to a reader."""


@dataclass(frozen=True)
class Entity:
    """A kind of record that an agent may read.

    Attributes:
        resource: The row of the catalog.
        list_id: The action that lists it; None if it cannot be listed.
        get_id: The action that reads one record; None if there is none.
    """

    resource: Resource
    list_id: str | None
    get_id: str | None

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of a compact list: the Id, and the table that hosts show first."""
        has_id = self.resource.path is not None and not self.resource.template_key
        return tuple(dict.fromkeys((*(("Id",) if has_id else ()), *(col.field for col in self.resource.columns))))

    @functools.cached_property
    def known_fields(self) -> dict[str, str]:
        """The type of each flat field and property."""
        flat = {field.name: field.type for field in self.resource.flat_fields}
        return {**flat, **{known.name: known.type for known in self.resource.properties}}

    @functools.cached_property
    def amounts(self) -> frozenset[str]:
        """The fields that hold money."""
        flat, members = typed_members(self.resource)
        decimals = {member.key for member in (*flat, *members) if member.type == "decimal" and member.digits == _MONEY}
        return frozenset(decimals | set(self.sums))

    @functools.cached_property
    def sums(self) -> tuple[str, ...]:
        """The columns that can be added up: the amounts of the table."""
        return tuple(column.field for column in self.resource.columns if column.format == "money")

    @functools.cached_property
    def currency(self) -> str:
        """Where a record says the currency of its amounts."""
        return next((column.currency for column in self.resource.columns if column.currency), "CurrencyRef.value")

    @property
    def has_full_read(self) -> bool:
        """Whether all records can be read and proven complete."""
        return self.list_id is not None and self.resource.has_creation_order

    def row(self, record: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
        """Return the cells of a record; amounts are decimals with two places."""
        return [_cell(value_at(record, name), is_amount=name in self.amounts) for name in columns]

    def check_fields(self, names: Iterable[str], argument: str = "fields") -> None:
        """Check that fields exist; a dot separates the members of a property.

        Raises:
            InputError: One is unknown.
        """
        for name in names:
            if name.split(".")[0] not in self.known_fields:
                raise unknown(argument, name, "field", self.known_fields, "explain lists the fields.")

    @functools.cached_property
    def filters(self) -> dict[str, JSON]:
        """The inputs of the list action that select and sort records, with their JSON Schemas."""
        if self.list_id is None:
            return {}
        inputs = QUICKBOOKS.describe_action(self.list_id)["inputSchema"]["properties"]
        return {name: rules for name, rules in inputs.items() if name not in _MANAGED}

    def check_filters(self, names: Iterable[str]) -> None:
        """Check that filters exist; the action checks their values.

        Raises:
            InputError: One is unknown.
        """
        for name in names:
            if name not in self.filters:
                known = f"The filters are {', '.join(self.filters)}."
                raise unknown(f"filters.{name[:40]}", name, "filter", self.filters, known)


def is_offered(action: Mapping[str, Any]) -> bool:
    """Return whether agents may call an action, an entry of the descriptor."""
    return bool(action["agentVisible"] and action["readOnly"] and not action["sensitiveOutput"])


@functools.cache
def entities() -> dict[str, Entity]:
    """Return all entities that an agent may read, by Intuit's name."""
    offered = {action["id"] for action in QUICKBOOKS.describe(schemas=False)["actions"] if is_offered(action)}

    def action(action_id: str) -> str | None:
        return action_id if action_id in offered else None

    made = (Entity(row, action(row.list_id), action(row.get_id)) for row in RESOURCES)
    return {entity.resource.entity: entity for entity in made if entity.list_id or entity.get_id}


def find_entity(name: str, argument: str = "entity") -> Entity:
    """Return an entity by its name, singular or plural, in any spelling: `Invoice`, `invoices`, `credit memo`.

    Raises:
        InputError: The entity is unknown.
    """
    found = _by_spelling().get(_plain(name))
    if found is None:
        raise unknown(argument, name, "entity", entities(), "explain lists the entities.")
    return found


@functools.cache
def _by_spelling() -> dict[str, Entity]:
    return {
        _plain(name): entity
        for entity in entities().values()
        for name in (entity.resource.plural, entity.resource.name, entity.resource.entity)
    }


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def unknown(argument: str, name: str, noun: str, known: Iterable[str], hint: str) -> InputError:
    """Return the error for a name that does not exist, with the names that are close to it."""
    near = difflib.get_close_matches(name[:40], known, n=3, cutoff=0.5)
    suggestion = f"Did you mean {' or '.join(near)}? " if near else ""
    return invalid(argument, f"There is no {noun} {name[:40]!r}.", suggestion + hint)


def invalid(field: str, message: str, hint: str) -> InputError:
    """Return the error for one argument."""
    return InputError(f"{message} {hint}", [FieldError(field, "invalid", message, hint)])


_MONEY = (19, 4)


def _cell(value: Any, *, is_amount: bool) -> Any:
    if is_amount and isinstance(value, (int, float)) and not isinstance(value, bool):
        return format_money(Decimal(repr(value)))
    return brief(value)


def brief(value: Any) -> Any:
    """Return a value without empty members and without what means nothing to a reader."""
    if isinstance(value, dict):
        members = {name: brief(member) for name, member in value.items() if name not in _NOISE}
        return {name: member for name, member in members.items() if member not in (None, "", [], {})}
    if isinstance(value, list):
        return [brief(item) for item in value]
    return value


# ---- explain ---------------------------------------------------------------------------------------------------------


def explain(entity: Entity | None) -> JSON:
    """Return the entities by group, or the filters and fields of one."""
    if entity is None:
        groups: dict[str, list[str]] = {}
        for name, row in entities().items():
            groups.setdefault(row.resource.group, []).append(name)
        return {"entities": {group: ", ".join(names) for group, names in groups.items()}}
    resource = entity.resource
    found: JSON = {"entity": resource.entity, "description": resource.description}
    if entity.list_id:
        found["filters"] = {name: _describe(rules) for name, rules in entity.filters.items()}
    found |= {
        "columns": list(entity.columns),
        "flatFields": {field.name: field.description for field in resource.flat_fields},
        "properties": " ".join(_typed(known.name, known.type) for known in resource.properties),
    }
    if entity.has_full_read:
        found["sums"] = list(entity.sums)
    if not entity.get_id:
        found["get"] = False
    return found


def _describe(rules: Mapping[str, Any]) -> str:
    choices = [choice for choice in rules.get("enum", ()) if choice]
    if choices and any(choice.endswith(" DESC") for choice in choices):
        choices = [choice for choice in choices if " " not in choice]
    return f"{' | '.join(choices)}. {rules['description']}" if choices else str(rules["description"])


def _typed(name: str, kind: str) -> str:
    return name if kind in {"text", "id"} else f"{name}:{kind}"
