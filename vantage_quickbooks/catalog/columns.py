"""The columns of each action's rows as a table: always the same, in the same order, for any rows.

They follow from the catalog: `Id`, the flat fields, then the known properties. An object of known members is a column
for each of them, `CustomerRef.value`. A list, or an object without known members, is one column of JSON text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from vantage_quickbooks.catalog.resource import Property
from vantage_quickbooks.catalog.resources import COMPANY_INFO, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vantage_quickbooks.catalog.resource import PropertyType, Resource

__all__ = ["MEMBERS", "Columns", "columns_for", "columns_of"]

_LINE = tuple(Property(f"Line{number}", "text") for number in range(1, 6))

MEMBERS: dict[str, tuple[Property, ...]] = {
    "reference": (Property("value", "text"), Property("name", "text")),
    "times": (Property("CreateTime", "instant"), Property("LastUpdatedTime", "instant")),
    "address": (
        *_LINE,
        *(
            Property(name, "text")
            for name in ("City", "CountrySubDivisionCode", "PostalCode", "Country", "Lat", "Long")
        ),
    ),
    "phone": (Property("FreeFormNumber", "text"),),
    "email": (Property("Address", "text"),),
    "web": (Property("URI", "text"),),
    "memo": (Property("value", "text"),),
    "delivery": (Property("DeliveryType", "text"), Property("DeliveryTime", "instant")),
    "tax": (Property("TxnTaxCodeRef", "reference"), Property("TotalTax", "decimal"), Property("TaxLine", "list")),
}
"""Members of each kind of object that are columns."""

_Places = dict[str, "int | _Places"]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table.

    Attributes:
        names: The header: paths into the rows, `CustomerRef.value`.
        types: The type of each column; lists and objects are JSON text in a CSV.
        places: Where each property goes: the number of its column or, of an object, the places of its members.
    """

    names: tuple[str, ...]
    types: tuple[PropertyType, ...]
    places: _Places

    def cells(self, row: Mapping[str, Any], cell: Callable[[Any], str]) -> list[str]:
        """Return a row's cells, one a column; a column that the row lacks is "".

        The row's own properties are walked, not the columns: a record has a quarter of what its entity may have.

        Args:
            row: The record.
            cell: Converts a text, a number or a boolean to a cell; objects and lists are passed as JSON text.
        """
        cells = [""] * len(self.names)
        _place(row, self.places, cells, cell)
        return cells


def columns_for(action_id: str, fields: Iterable[str] | None = None) -> Columns | None:
    """Return the columns of an action's rows; None if they have no fixed ones.

    Args:
        action_id: A list or get action, `listInvoices`.
        fields: The top-level properties that were requested; None means all.
    """
    resource = _by_action().get(action_id)
    return None if resource is None else columns_of(resource, fields)


def columns_of(resource: Resource, fields: Iterable[str] | None = None) -> Columns:
    """Return the columns of a resource's records.

    Args:
        resource: The row of the catalog.
        fields: The top-level properties that were requested; None means all.
    """
    wanted = None if fields is None else {"Id", *fields}
    properties = [
        known for known in resource.properties if (known.in_tables if wanted is None else known.name in wanted)
    ]
    flat = [Property(field.name, field.type) for field in resource.flat_fields]
    ids = [known for known in properties if known.name == "Id"]
    others = [known for known in properties if known.name != "Id"]
    names: list[str] = []
    types: list[PropertyType] = []
    places = _number([*ids, *flat, *others], "", names, types)
    return Columns(tuple(names), tuple(types), places)


@cache
def _by_action() -> dict[str, Resource]:
    listed = {resource.list_id: resource for resource in RESOURCES if resource.is_queryable}
    return listed | {resource.get_id: resource for resource in (*RESOURCES, COMPANY_INFO)}


def _number(properties: Iterable[Property], prefix: str, names: list[str], types: list[PropertyType]) -> _Places:
    """Number the columns of *properties*, and add their names and types."""
    places: _Places = {}
    for known in properties:
        members = MEMBERS.get(known.members or known.type)
        if members is None:
            places[known.name] = len(names)
            names.append(prefix + known.name)
            types.append(known.type)
        else:
            places[known.name] = _number(members, f"{prefix}{known.name}.", names, types)
    return places


def _place(record: Mapping[str, Any], places: _Places, cells: list[str], cell: Callable[[Any], str]) -> None:
    for name, value in record.items():
        place = places.get(name)
        if place is None or value is None:
            continue
        if isinstance(place, dict):
            if isinstance(value, dict):
                _place(value, place, cells, cell)
        elif isinstance(value, (dict, list)):
            cells[place] = cell(orjson.dumps(value).decode())
        else:
            cells[place] = cell(value)
