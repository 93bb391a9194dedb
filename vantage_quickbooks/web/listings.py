"""Lists as people use them: their filters, and a list's state as the query of its URL.

Theory of operation
1. An action's `listing` says how its rows are narrowed, sorted and opened. A list action without one is a list, too:
   each field of its form is a filter, apart from those in the group `advanced`.
2. The whole state of a list is in its URL: a parameter for each input, and `sort`, `page`, `q`, `columns` and `read`.
   An input of such a name is spelled with the prefix `input-`.
3. A preset of a range of dates is a parameter with the filter's id, so that a bookmark of "this month" stays current.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from vantage_quickbooks.web import formatting, forms
from vantage_quickbooks.web.modes import CHANGES, changes_trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "Chip",
    "ListFilter",
    "ListState",
    "Listing",
    "Preset",
    "action_fields",
    "day_of",
    "is_list",
    "lists_of",
    "question",
]

_OWN = ("sort", "page", "q", "columns", "read")
_PREFIX = "input-"
_MAX_TEXT = 200
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MAX_TABS = 8


@dataclass(frozen=True, slots=True)
class Preset:
    """A named range of dates.

    Attributes:
        id: Its id, the parameter's value.
        title: Its label.
        first: Unit and offset of the period that begins it; None if it has no lower bound.
        last: Unit and offset of the period that ends it; None if it has no upper bound.
    """

    id: str
    title: str
    first: tuple[str, int] | None = None
    last: tuple[str, int] | None = None

    def bounds(self, today: date) -> tuple[str, str]:
        """Return the first and the last day in ISO 8601; empty for no bound."""
        first = _period(today, *self.first)[0].isoformat() if self.first else ""
        last = _period(today, *self.last)[1].isoformat() if self.last else ""
        return first, last


@dataclass(frozen=True, slots=True)
class ListFilter:
    """One way to narrow a list.

    Attributes:
        id: Its id.
        title: Its label.
        kind: `choice`, `lookup`, `dateRange`, `amountRange`, `text` or `boolean`.
        fields: The fields of its inputs: of a range, lower and upper bound.
        presets: Named ranges of dates.
        phrase: How it follows the noun in a title, with `{value}`.
        is_adjective: Whether its value precedes the noun in a title.
        is_main: Whether its choices are tabs.
        column: The field of the rows that shows what people call its value.
    """

    id: str
    title: str
    kind: str
    fields: tuple[forms.Field, ...]
    presets: tuple[Preset, ...] = ()
    phrase: str = ""
    is_adjective: bool = False
    is_main: bool = False
    column: str = ""

    @property
    def tabs(self) -> tuple[tuple[str, str], ...]:
        """Values and labels of its tabs; empty if it has none."""
        options = self.fields[0].options
        return options if self.is_main and self.kind == "choice" and len(options) <= _MAX_TABS else ()


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter, for display.

    Attributes:
        filter: The filter.
        text: Its value in words.
    """

    filter: ListFilter
    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A list action as people use it.

    Attributes:
        title: Its heading.
        one: What one row is called.
        many: What several rows are called.
        filters: Ways to narrow it.
        page_size: Input and value that make one call return as many rows as it can; empty if there is none.
        sort: The descriptor's `sort`.
        record: The link from a row to the record; None if no action reads one.
        links: Other links of a row.
    """

    title: str
    one: str
    many: str
    filters: tuple[ListFilter, ...]
    page_size: Mapping[str, Any]
    sort: Mapping[str, Any]
    record: Mapping[str, Any] | None
    links: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, action: Mapping[str, Any]) -> Listing:
        """Return the listing of a list action, described in full."""
        described: Mapping[str, Any] = action.get("listing") or {}
        fields = action_fields(action)
        by_name = {item.name: item for item in fields}
        filters = [_filter(item, by_name) for item in described.get("filters") or ()]
        if not described:
            filters = [_field_filter(item) for item in fields if item.group != forms.ADVANCED]
        size: Mapping[str, Any] = described.get("pageSize") or {}
        sort: Mapping[str, Any] = described.get("sort") or {}
        return cls(
            title=str(described.get("title") or action["title"]),
            one=str(described.get("one") or "row"),
            many=str(described.get("many") or "rows"),
            filters=tuple(item for item in filters if item is not None),
            page_size={str(size["input"]): size["maximum"]} if size.get("input") in by_name else {},
            sort=sort if sort.get("input") in by_name else {},
            record=described.get("record"),
            links=tuple(action.get("links") or ()),
        )

    def noun(self, count: int) -> str:
        """Return what so many rows are called."""
        return self.one if count == 1 else self.many

    def order_input(self, column: str, *, descending: bool) -> dict[str, Any]:
        """Return the input that makes the provider sort by a column; empty if it cannot.

        Args:
            column: The column's field.
            descending: The direction.
        """
        known = self.sort.get("columns", {}).get(column)
        if not known:
            return {}
        return {self.sort["input"]: str(self.sort["descending" if descending else "ascending"]).format(field=known)}


@dataclass(frozen=True, slots=True)
class ListState:
    """What a list shows: the parameters of its URL.

    Attributes:
        values: The inputs as texts, or lists of texts; without those that a preset sets.
        presets: The chosen preset of each filter that has one.
        sort: The field to sort by; empty for the default.
        is_descending: Whether the largest come first.
        page: Number of the page, from 1.
        text: Words that the rows must contain.
        columns: The fields to show; empty for the usual ones.
        reads_all: Whether all rows are read, and not just one page of the provider's.
        ignored: Titles and values of filters that were given a period that they do not have.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    is_descending: bool = False
    page: int = 1
    text: str = ""
    columns: tuple[str, ...] = ()
    reads_all: bool = False
    ignored: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, listing: Listing, query: Iterable[tuple[str, str]]) -> ListState:
        """Return the state that a URL's parameters describe; unknown ones are ignored.

        Args:
            listing: The list.
            query: Names and values.
        """
        given: dict[str, list[str]] = {}
        for name, value in query:
            given.setdefault(name, []).append(value)
        presets, ignored = {}, []
        for item in listing.filters:
            chosen = given.get(parameter(item.id), [""])[0]
            if any(preset.id == chosen for preset in item.presets):
                presets[item.id] = chosen
            elif chosen and item.presets and item.id not in {it.name for it in item.fields}:
                ignored.append((item.title, chosen))
        set_by_preset = {it.name for item in listing.filters if item.id in presets for it in item.fields}
        fields = [it for item in listing.filters for it in item.fields if it.name not in set_by_preset]
        sort = given.get("sort", [""])[0]
        page = given.get("page", ["1"])[0]
        return cls(
            values=forms.parse(fields, {it.name: given.get(parameter(it.name), []) for it in fields}),
            presets=presets,
            sort=sort.removeprefix("-"),
            is_descending=sort.startswith("-"),
            page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 10 else 1,
            text=given.get("q", [""])[0].strip()[:_MAX_TEXT],
            columns=tuple(dict.fromkeys(name for name in given.get("columns", []) if name)),
            reads_all=given.get("read", [""])[0] == "all",
            ignored=tuple(ignored),
        )

    def pairs(self, *without: str) -> list[tuple[str, str]]:
        """Return the parameters, without those of a page and the named ones."""
        found = [
            (parameter(name), item if isinstance(item, str) else str(item).lower())
            for name, value in self.values.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        found += [(parameter(name), value) for name, value in self.presets.items()]
        if self.text:
            found.append(("q", self.text))
        if self.sort:
            found.append(("sort", f"-{self.sort}" if self.is_descending else self.sort))
        found += [("columns", name) for name in self.columns]
        if self.reads_all:
            found.append(("read", "all"))
        return [(name, value) for name, value in found if name not in without]

    def query(self, *without: str, **added: str) -> str:
        """Return a URL's query with the first page of this state.

        Args:
            without: Parameters to leave out.
            **added: Parameters to add or replace.
        """
        pairs = [*self.pairs(*without, *added), *((name, value) for name, value in added.items() if value)]
        return "?" + urlencode(pairs)

    def without_filter(self, item: ListFilter) -> ListState:
        """Return the state without a filter."""
        names = {it.name for it in item.fields}
        return replace(
            self,
            values={name: value for name, value in self.values.items() if name not in names},
            presets={name: value for name, value in self.presets.items() if name != item.id},
            page=1,
        )

    def with_value(self, name: str, value: str) -> ListState:
        """Return the state with another value of an input."""
        return replace(self, values={**self.values, name: value}, page=1)

    def with_preset(self, item: ListFilter, preset: str) -> ListState:
        """Return the state with another preset of a filter."""
        kept = self.without_filter(item)
        return replace(kept, presets={**kept.presets, item.id: preset})

    def inputs(self, listing: Listing, today: date) -> dict[str, Any]:
        """Return the input of the action: the values, and the days that the presets mean today.

        Args:
            listing: The list.
            today: The day for which presets are resolved.
        """
        found = dict(self.values)
        for item in listing.filters:
            preset = next((it for it in item.presets if it.id == self.presets.get(item.id)), None)
            if preset is None:
                continue
            bounds = zip(item.fields, preset.bounds(today), strict=False)
            found |= {it.name: bound for it, bound in bounds if bound}
        return found

    def chips(self, listing: Listing, labels: Mapping[str, str]) -> list[Chip]:
        """Return the active filters in words.

        Args:
            listing: The list.
            labels: What people call the values of lookups, by input.
        """
        return _chips(listing.filters, self.values, self.presets, labels)


def parameter(name: str) -> str:
    """Return the URL's parameter for an input or filter."""
    return f"{_PREFIX}{name}" if name in _OWN else name


def is_list(action: Mapping[str, Any]) -> bool:
    """Return whether an action has a list page: it reads rows, changes nothing and shows no secret."""
    is_safe = action.get("readOnly") is not False and not action["destructive"] and not action["sensitiveOutput"]
    has_rows = bool(action.get("rowsKey"))
    return is_safe and has_rows and bool(action.get("listing") or action["modes"] or action["streamable"])


def lists_of(described: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return ids and titles of a connector's lists: those that people open often, and the others.

    If the descriptor does not say which are opened often, all of them are.
    """
    found = [action for action in described["actions"] if is_list(action) and not action.get("deprecated")]
    pinned = [action for action in found if (action.get("listing") or {}).get("isPinned")]
    others = [action for action in found if action not in pinned]
    if not pinned:
        pinned, others = others, []
    return _titled(pinned), _titled(others)


def _titled(actions: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(str(it["id"]), str((it.get("listing") or {}).get("title") or it["title"])) for it in actions]


def question(action: Mapping[str, Any], values: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Return what a call asks for, as a title: "Overdue invoices of Acme".

    Args:
        action: The action, described in full.
        values: Its input.
        labels: What people call the values of lookups, by input.
    """
    if not (is_list(action) and action.get("listing")):
        named = {it.name: it.label for it in action_fields(action)}
        parts = [f"{named[name]} {labels.get(name) or formatting.display(value)}" for name, value in values.items()
                 if name in named and value not in (None, "", [])]  # fmt: skip
        return f"{action['title']}: {', '.join(parts)}" if parts else str(action["title"])
    listing = Listing.of(action)
    return title_of(listing, _chips(listing.filters, values, {}, labels))


def title_of(listing: Listing, chips: Sequence[Chip]) -> str:
    """Return the title of a list with these filters.

    Args:
        listing: The list.
        chips: Its filters, see `ListState.chips`.
    """
    if not chips:
        return listing.title
    before = [formatting.lower_first(chip.text) for chip in chips if chip.filter.is_adjective]
    after = [_phrase(chip) for chip in chips if not chip.filter.is_adjective]
    text = " ".join([*before, listing.many, *after])
    return text[:1].upper() + text[1:]


def _phrase(chip: Chip) -> str:
    if chip.filter.phrase:
        text = formatting.lower_first(chip.text) if chip.filter.kind == "dateRange" else chip.text
        return chip.filter.phrase.replace("{value}", text)
    return f"with {formatting.lower_first(chip.filter.title)} {chip.text}"


def _chips(
    filters: Iterable[ListFilter], values: Mapping[str, Any], presets: Mapping[str, str], labels: Mapping[str, str]
) -> list[Chip]:
    chips = []
    for item in filters:
        preset = next((it for it in item.presets if it.id == presets.get(item.id)), None)
        text = preset.title if preset else _text_of(item, values, labels)
        if text:
            chips.append(Chip(item, text))
    return chips


def _text_of(item: ListFilter, values: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Return the value of a filter in words; empty if it is not set."""
    given = [values.get(it.name) for it in item.fields]
    if all(value in (None, "", []) for value in given):
        return ""
    if item.kind in {"dateRange", "amountRange"}:
        texts = [_bound(item, value) for value in given]
        first, last = (texts[0], texts[1]) if len(texts) > 1 else (texts[0], "")
        if first and last:
            return first if first == last else f"{first} to {last}"
        if item.kind == "dateRange":
            return f"from {first}" if first else f"until {last}"
        return f"{first} or more" if first else f"{last} or less"
    options = dict(item.fields[0].options) | {"true": "Yes", "false": "No"}
    value = given[0]
    texts = [
        str(it).lower() if isinstance(it, bool) else str(it) for it in (value if isinstance(value, list) else [value])
    ]
    return labels.get(item.fields[0].name) or ", ".join(options.get(text, text) for text in texts)


def _bound(item: ListFilter, value: Any) -> str:
    if value in (None, ""):
        return ""
    if item.kind == "dateRange":
        return formatting.instant(str(value))
    try:
        return formatting.money(Decimal(str(value).strip()))
    except InvalidOperation:
        return str(value)


def action_fields(action: Mapping[str, Any]) -> list[forms.Field]:
    """Return an action's fields without those that the choice of the mode sets."""
    fields = forms.fields_of(action["inputSchema"], action["inputForm"])
    trigger = changes_trigger(action) if CHANGES in action["modes"] else None
    set_by_mode = {*(action.get("fullReadInput") or {}), trigger["stateInput"] if trigger else ""}
    return [item for item in fields if item.name not in set_by_mode]


def _filter(described: Mapping[str, Any], fields: Mapping[str, forms.Field]) -> ListFilter | None:
    """Return a filter of the descriptor; None if it is of an unknown kind or has unknown inputs."""
    names = [str(name) for name in described.get("inputs") or ()]
    is_known = described.get("kind") in {"choice", "lookup", "dateRange", "amountRange", "text", "boolean"}
    if not is_known or not names or any(name not in fields for name in names):
        return None
    labels = ["From", "To"] if len(names) > 1 else [str(described["title"])]
    return ListFilter(
        id=str(described["id"]),
        title=str(described["title"]),
        kind=str(described["kind"]),
        fields=tuple(
            replace(fields[name], label=label, help="" if len(names) > 1 else fields[name].help)
            for name, label in zip(names, labels, strict=True)
        ),
        presets=tuple(
            Preset(str(it["id"]), str(it["title"]), _bound_of(it.get("from")), _bound_of(it.get("to")))
            for it in described.get("presets") or ()
            if isinstance(it, dict)  # a name of a set that was not looked up (`shared_sets`) has none
        ),
        phrase=str(described.get("phrase") or ""),
        is_adjective=bool(described.get("isAdjective")),
        is_main=bool(described.get("isMain")),
        column=str(described.get("column") or ""),
    )


def _field_filter(item: forms.Field) -> ListFilter:
    kinds = {"choice": "choice", "multiselect": "choice", "lookup": "lookup", "boolean": "boolean"}
    return ListFilter(item.name, item.label, kinds.get(item.kind, "text"), (item,))


def day_of(bound: Mapping[str, Any], today: date) -> date:
    """Return the day that a bound of the descriptor means today: the first of a period, or the last (`edge`).

    Args:
        bound: The bound of a preset in the descriptor.
        today: Today.
    """
    first, last = _period(today, str(bound["unit"]), int(bound["offset"]))
    return last if bound.get("edge") == "last" else first


def _bound_of(described: Mapping[str, Any] | None) -> tuple[str, int] | None:
    return (str(described["unit"]), int(described["offset"])) if described else None


def _period(today: date, unit: str, offset: int) -> tuple[date, date]:
    """Return the first and the last day of a period."""
    months = _MONTHS.get(unit)
    if months is None:
        day = today + timedelta(days=offset)
        return day, day
    number = (today.year * 12 + today.month - 1) // months + offset
    return _month_start(number * months), _month_start((number + 1) * months) - timedelta(days=1)


def _month_start(months: int) -> date:
    return date(months // 12, months % 12 + 1, 1)
