"""The columns of each action's rows as a table: always the same, in the same order, for any rows.

They follow from the catalog: `Id`, the flat fields, then the known properties. An object of known members is a column
for each of them, `CustomerRef.value`. A list, or an object without known members, is one column of JSON text.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from vantage_quickbooks.catalog.line_details import LINE_DETAILS
from vantage_quickbooks.catalog.resource import Property
from vantage_quickbooks.catalog.resources import COMPANY_INFO, RESOURCES
from vantage_quickbooks.catalog.shorthand import properties
from vantage_quickbooks.core.report_rows import ROW_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from vantage_quickbooks.catalog.resource import PropertyType, Resource

__all__ = [
    "LINE_DETAILS",
    "MEMBERS",
    "Columns",
    "Member",
    "columns_for",
    "columns_of",
    "report_columns",
    "typed_members",
]

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

_LINE_PROPERTIES = properties("Id LineNum:integer Description Amount:decimal DetailType LinkedTxn:list")
_BUNDLED_LINE = (*_LINE_PROPERTIES, Property("SalesItemLineDetail", "object", "SalesItemLineDetail"))

_OBJECTS: dict[str, tuple[Property, ...]] = MEMBERS | {
    "entity": properties("Type EntityRef"),
    "SalesItemLineDetail": properties("""
        ItemRef ClassRef UnitPrice:decimal Qty:decimal RatePercent:decimal ItemAccountRef TaxCodeRef
        TaxClassificationRef ServiceDate TaxInclusiveAmt:decimal DiscountRate:decimal DiscountAmt:decimal
    """),
    "GroupLineDetail": properties("GroupItemRef Quantity:decimal ServiceDate Line:list"),
    "DiscountLineDetail": properties("""
        DiscountRef PercentBased:boolean DiscountPercent:decimal DiscountAccountRef ServiceDate ClassRef TaxCodeRef
    """),
    "DescriptionLineDetail": properties("ServiceDate TaxCodeRef"),
    "ReimburseLineDetail": properties("""
        ItemRef ClassRef UnitPrice:decimal Qty:decimal ItemAccountRef TaxCodeRef
    """),
    "AccountBasedExpenseLineDetail": properties("""
        AccountRef CustomerRef ClassRef BillableStatus TaxCodeRef TaxAmount:decimal TaxInclusiveAmt:decimal
    """),
    "ItemBasedExpenseLineDetail": properties("""
        ItemRef CustomerRef ClassRef UnitPrice:decimal Qty:decimal BillableStatus TaxCodeRef TaxInclusiveAmt:decimal
    """),
    "JournalEntryLineDetail": properties("""
        PostingType AccountRef Entity:entity ClassRef DepartmentRef BillableStatus TaxCodeRef TaxRateRef
        TaxApplicableOn TaxAmount:decimal TaxInclusiveAmt:decimal JournalCodeRef
    """),
    "DepositLineDetail": properties("""
        Entity:reference AccountRef ClassRef PaymentMethodRef CheckNum TxnType TaxCodeRef TaxApplicableOn
    """),
    "ItemAdjustmentLineDetail": properties("ItemRef QtyDiff:decimal"),
    "TaxLineDetail": properties("""
        TaxRateRef PercentBased:boolean TaxPercent:decimal NetAmountTaxable:decimal TaxInclusiveAmount:decimal
        OverrideDeltaAmount:decimal ServiceDate
    """),
}
"""Members of each kind of object, those inside lists included. Source: Intuit's schema (IntuitSalesTransactions.xsd and
IntuitBaseTypes.xsd of https://github.com/intuit/QuickBooks-V3-PHP-SDK/tree/master/src/XSD), and recorded lines."""

_LISTS: dict[str, tuple[Property, ...]] = {
    "LinkedTxn": properties("TxnId:id TxnType TxnLineId:id"),
    "CustomField": properties("""
        DefinitionId:id Name Type StringValue BooleanValue:boolean DateValue:date NumberValue:decimal
    """),
    "TaxLine": properties("Amount:decimal DetailType TaxLineDetail:TaxLineDetail"),
}
"""Members of what each list holds. Other lists are one column of JSON text."""

_MONEY = (19, 4)
_FINE = (28, 10)
_FINE_NUMBERS = {
    known.name
    for known in properties("""
        AbatementRate BillRate CostRate DiscountPercent DiscountRate ExchangeRate HourlyRate NumberValue PurchaseCost
        Qty QtyDiff QtyOnHand QtyOnPurchaseOrder QtyOnSalesOrder Quantity Rate RatePercent RateValue ReorderPoint
        ReverseChargeRate TaxPercent UnitPrice
    """)
}
"""Decimals that are rates, percentages, quantities or unit prices: Intuit's schema limits the digits of none of them,
and they have more than four decimal places. All other decimals are amounts of money."""

_Places = dict[str, "int | _Places"]


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a record and the type of its column.

    Attributes:
        key: As Intuit spells it; of a flat field, its name.
        name: Of a column at the top level: what it is called, or what the names of its members begin with.
        type: The type of its values.
        members: Of an object, or of the objects in a list. Without them, objects and lists are JSON text.
        digits: Of a decimal: how many digits it has, and how many of them follow the point.
        paths: Of a flat field: where its value is, as in `resource.FlatField`.
    """

    key: str
    name: str
    type: PropertyType
    members: tuple[Member, ...] = ()
    digits: tuple[int, int] = _MONEY
    paths: tuple[str, ...] = ()


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
    selected = _selected(resource, fields)
    flat = [Property(field.name, field.type) for field in resource.flat_fields]
    ids = [known for known in selected if known.name == "Id"]
    others = [known for known in selected if known.name != "Id"]
    names: list[str] = []
    types: list[PropertyType] = []
    places = _number([*ids, *flat, *others], "", names, types)
    return Columns(tuple(names), tuple(types), places)


def typed_members(
    resource: Resource, fields: Iterable[str] | None = None
) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
    """Return the members of a resource's records with the types of their columns: the flat fields, and the properties.

    Names of columns differ in more than case, as SQL does not distinguish it: `remainingCredit` is the flat field, and
    `RemainingCredit_1` the property.

    Args:
        resource: The row of the catalog.
        fields: The top-level properties that were asked for; None means all.
    """
    flat = tuple(
        replace(_member(Property(field.name, field.type), resource.entity), paths=field.paths)
        for field in resource.flat_fields
    )
    taken = {member.name.lower() for member in flat}
    members = [_member(known, resource.entity) for known in _selected(resource, fields)]
    return flat, tuple(
        replace(member, name=f"{member.name}_1") if member.name.lower() in taken else member for member in members
    )


@lru_cache(maxsize=8_192)  # thousands of companies have the same
def _member(known: Property, entity: str) -> Member:
    if known.type == "list":
        is_line = known.name == "Line"
        parts = _lines(entity) if is_line else _LISTS.get(known.name, ())
    else:
        parts = _OBJECTS.get(known.members or known.type, ())
    digits = _FINE if known.name in _FINE_NUMBERS else _MONEY
    # A bundle's lines cannot hold bundles themselves.
    inner = "" if known.name == "GroupLineDetail" else entity
    return Member(known.name, known.name, known.type, tuple(_member(part, inner) for part in parts), digits)


def _lines(entity: str) -> tuple[Property, ...]:
    if not entity:
        return _BUNDLED_LINE
    return (*_LINE_PROPERTIES, *(Property(name, "object", name) for name in LINE_DETAILS.get(entity, ())))


def _selected(resource: Resource, fields: Iterable[str] | None) -> list[Property]:
    wanted = None if fields is None else {"Id", *fields}
    return [known for known in resource.properties if (known.in_tables if wanted is None else known.name in wanted)]


def report_columns(described: Iterable[Mapping[str, Any]]) -> Columns:
    """Return the columns of a report's rows.

    Args:
        described: The columns of the report, as its result has them.
    """
    members: list[tuple[str, PropertyType]] = [(name, kind) for name, (kind, _) in ROW_MEMBERS.items()]
    for column in described:
        members.append((column["field"], column["type"]))
        if column["idField"]:
            members.append((column["idField"], "id"))
    names, types = zip(*members, strict=True)
    return Columns(names, types, {name: place for place, name in enumerate(names)})


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
