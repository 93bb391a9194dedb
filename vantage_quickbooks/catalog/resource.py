"""The row of the catalog: what the connector knows about one entity, as data.

`resources` holds the rows. From a row come the list action, the get action, their schemas and forms, the documentation
row, and the columns of tables. A row holds strings, numbers and other rows; the few things that no row can express
(a payment status, a summary) are functions that the row names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

__all__ = ["Column", "Filter", "FlatField", "Property", "Resource", "Status", "snake_case"]

PropertyType = Literal["text", "id", "reference", "decimal", "integer", "date", "instant", "boolean", "object", "list"]
"""Types of properties. A reference is `{"value": Id, "name": ...}`; an instant has an offset; a decimal is a number."""

FilterKind = Literal["text", "id", "boolean", "choice", "date_range", "amount_range"]
"""How an input narrows a list:

- `text`: equals the property, without regard to case; `%` stands for any text (LIKE).
- `id`: equals a reference by its Id.
- `boolean`: equals a boolean property.
- `choice`: equals one of the filter's values, spelled as Intuit spells them.
- `date_range`, `amount_range`: two inputs, `<input>_from` and `<input>_to`, both inclusive.
"""


_BOUNDS = {"date_range": ("or later", "or earlier"), "amount_range": ("or more", "or less")}


@dataclass(frozen=True, slots=True)
class Property:
    """One known property of a record.

    Attributes:
        name: As Intuit spells it.
        type: What its values are.
        members: Of an object: which kind of object (`address`, `phone`, `email`, `times`, ...; see
            `columns.MEMBERS`), so that its members become columns. Empty: one column of JSON.
        in_tables: Whether tables of all properties have a column for it; if requested by name, it always has one.
    """

    name: str
    type: PropertyType
    members: str = ""
    in_tables: bool = True


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to narrow a list.

    Attributes:
        input: Name of the input, `customer_id`; of a range, the part before `_from` and `_to`.
        path: The property that QuickBooks is asked to compare, `CustomerRef` or `MetaData.CreateTime`.
        kind: See `FilterKind`.
        title: Label of the input, `Customer ID`; of a range, of what is compared: `Due date`.
        description: What the input does; one sentence. Of a range, `{bound}` stands for "or later", "or earlier",
            "or more" or "or less".
        hint: What a person can do when the value is wrong.
        examples: Values that work.
        values: Of a choice: Intuit's values, each with its label.
        placeholder: What an empty form field shows.
        options_from: Id of the list action that offers the values (for `id`): `listCustomers`.
        max_length: Of a text: characters that QuickBooks accepts.
        phrase: How it follows the noun in the title of a list, `of {value}`; empty for title and value.
        is_future: Of a range of dates: whether people ask for days to come, such as due dates.
        column: Column of the list that shows what people call its value, `customerName`.
    """

    input: str
    path: str
    kind: FilterKind
    title: str
    description: str
    hint: str = ""
    examples: tuple[Any, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    placeholder: str = ""
    options_from: str = ""
    max_length: int = 100
    phrase: str = ""
    is_future: bool = False
    column: str = ""

    @property
    def is_range(self) -> bool:
        """Whether it has two inputs, a lower and an upper bound."""
        return self.kind in _BOUNDS

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs: two for a range, otherwise one."""
        return (f"{self.input}_from", f"{self.input}_to") if self.is_range else (self.input,)

    @property
    def titles(self) -> tuple[str, ...]:
        """The label of each of its inputs."""
        return (f"{self.title} from", f"{self.title} to") if self.is_range else (self.title,)

    @property
    def descriptions(self) -> tuple[str, ...]:
        """What each of its inputs does."""
        if not self.is_range:
            return (self.description,)
        return tuple(self.description.format(bound=bound) for bound in _BOUNDS[self.kind])


@dataclass(frozen=True, slots=True)
class FlatField:
    """A camelCase field beside Intuit's own, at the top level, where dashboards read it.

    Attributes:
        name: `customerName`.
        paths: Where its value is in the record, `CustomerRef.name`; the first path that holds a value other than
            an empty text counts, otherwise None. A number is a place in a list, from 0. `FullyQualifiedName/..` is
            the full name of the parent. Under a `template_key`, paths begin inside the template, and `*` is the
            template's type. No path: `Status` computes it.
        type: What its values are; `text`, `decimal`, `date`, `integer` or `boolean`.
        description: What it holds; one sentence.
        values: Its only values, if there are few.
        minimum: Its smallest value, if it is a number with one.
        is_required: Whether every record has a value: it is never None.
    """

    name: str
    paths: tuple[str, ...]
    type: PropertyType
    description: str
    values: tuple[str, ...] = ()
    minimum: int | None = None
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """A status that follows from other properties, and that QuickBooks cannot filter by.

    Attributes:
        field: The flat field that holds it, `paymentStatus`.
        values: Each status, with `label` and `tone` (good, notice, info, bad, muted) for tables.
        compute: Makes the computed flat fields of a record, given the company's date: `{"paymentStatus": ..., ...}`.
        prefilter: Conditions that every record of a status meets, given the date in UTC; the connector decides exactly.
        fields: The computed flat fields, this one among them, in order.
        description: What the input `status` does; one sentence.
        reads: The properties that it follows from, plain values all.
        reads_more: Whether it follows from further properties of a record, too, given those that it always reads; None
            if it never does.
    """

    field: str
    values: Mapping[str, Mapping[str, str]]
    compute: Callable[[Mapping[str, Any], date], dict[str, Any]]
    prefilter: Callable[[str, date], tuple[str, ...]]
    fields: tuple[FlatField, ...]
    description: str
    reads: tuple[str, ...]
    reads_more: Callable[[Mapping[str, Any]], bool] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table that a host shows first.

    Attributes:
        field: A flat field, a property or a path, `CustomerRef.name`.
        label: Its heading.
        format: `text`, `date`, `money`, `number`, `days`, `boolean` or `status`.
        currency: Of money: the path of its currency code.
        is_summed: Of money: whether the sum of all rows has a meaning. That of prices, and of accounts of all kinds,
            has none.
    """

    field: str
    label: str
    format: str = "text"
    currency: str = ""
    is_summed: bool = True


@dataclass(frozen=True, slots=True)
class Resource:
    """One entity: a row of the catalog.

    Attributes:
        entity: Intuit's name, as in queries and as the key of answers: `CreditCardPaymentTxn`.
        name: What a person calls one record, in lower case: `credit card payment`.
        plural: Several of them: `credit card payments`. Action ids and keys of results are made of these two, in camel
            case: `listCreditCardPayments`, `getCreditCardPayment`, `creditCardPayments`.
        group: Where hosts list its actions: `sales`, `purchases`, `lists` or `accounting`.
        kind: `list` (a name list: has Active, is deactivated, never deleted), `transaction` or `other`.
        description: What a list of it is good for; one or two sentences, for a person and for a model.
        properties: Its known properties, in the order of Intuit's schema; others may come.
        columns: The table that a host shows first.
        filters: Ways to narrow a list, in the order of the form.
        flat: Flat fields read off the record.
        status: A computed status, if it has one.
        summarize: Makes the `summary` of a list, given pairs of a record and its flat fields, and the scope
            (`page` or `all`).
        summary_defs: JSON Schema of the summary, and what it refers to: `{"summary": {...}, ...}`.
        default_order: What a page is sorted by unless the input says otherwise; None leaves it to QuickBooks.
        sortable: Properties that QuickBooks sorts by, each with its label.
        tie_breaker: Sortable property that orders records created in the same second; None if there is none.
        path: Segment of the URL under which one record is read; None if Intuit reads none by Id.
        has_active: Whether QuickBooks hides inactive records unless asked.
        has_cdc: Whether change data capture covers it (Intuit, change data capture).
        has_creation_order: Whether it can be sorted and filtered by the times in MetaData, which full reads need. Where
            that is not known, it is False, and full reads and `updated_since` are not offered.
        is_queryable: Whether queries find it; a singleton such as Preferences is only read.
        is_singleton: Whether a company has exactly one, read without an Id.
        has_named_ids: Whether some Ids are words, as the tax codes `TAX` and `NON` of companies in the USA.
        primary_key: Properties that identify a record together, where it has no Id.
        template_key: Whether each record is an object with one member, named by the type of its template, that holds
            the properties, as RecurringTransaction's are.
        views: Charts beside the table.
        sections: What a host shows of one record beside its fields: its lines, addresses, linked transactions.
        links: What a record leads to, in addition to its references.
        is_pinned: Whether people open this list often.
        examples: Inputs of the list action that work.
        source: Where the facts of this row come from.
    """

    entity: str
    name: str
    plural: str
    group: Literal["sales", "purchases", "lists", "accounting"]
    kind: Literal["list", "transaction", "other"]
    description: str
    properties: tuple[Property, ...]
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    flat: tuple[FlatField, ...] = ()
    status: Status | None = None
    summarize: Callable[..., dict[str, Any]] | None = None
    summary_defs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    default_order: str | None = None
    sortable: Mapping[str, str] = field(default_factory=dict)
    tie_breaker: str | None = None
    path: str | None = None
    has_active: bool = False
    has_cdc: bool = True
    has_creation_order: bool = True
    is_queryable: bool = True
    is_singleton: bool = False
    has_named_ids: bool = False
    primary_key: tuple[str, ...] = ("Id",)
    template_key: bool = False
    views: tuple[Mapping[str, Any], ...] = ()
    sections: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Mapping[str, Any], ...] = ()
    is_pinned: bool = False
    examples: tuple[Mapping[str, Any], ...] = ()
    source: str = ""

    @property
    def rows_key(self) -> str:
        """The member of a list's result that holds the records, `creditCardPayments`."""
        return _camel(self.plural)

    @property
    def record_key(self) -> str:
        """The member of a get's result that holds the record, `creditCardPayment`."""
        return _camel(self.name)

    @property
    def table_name(self) -> str:
        """The name of its table in a warehouse, `credit_card_payments`."""
        return snake_case(self.rows_key)

    @property
    def list_id(self) -> str:
        """Id of the list action, `listCreditCardPayments`."""
        return "list" + self.rows_key[0].upper() + self.rows_key[1:]

    @property
    def get_id(self) -> str:
        """Id of the get action, `getCreditCardPayment`."""
        return "get" + self.record_key[0].upper() + self.record_key[1:]

    @property
    def flat_fields(self) -> tuple[FlatField, ...]:
        """All flat fields in the order in which they follow a record's own properties."""
        return self.flat + (self.status.fields if self.status else ())


def snake_case(name: str) -> str:
    """Return a name in camel case, `CreditMemo`, as databases write it: `credit_memo`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _camel(words: str) -> str:
    first, *rest = words.lower().split()
    return first + "".join(word.capitalize() for word in rest)
