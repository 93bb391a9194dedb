"""Pages of records: one row in full, with its lines, addresses and linked records."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web import formatting, forms
from vantage_quickbooks.web.formatting import Cell, Column, column_of
from vantage_quickbooks.web.links import Links
from vantage_quickbooks.web.listings import is_list
from vantage_quickbooks.web.tables import Shown
from vantage_quickbooks.web.templating import NotFound
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.store import Record

__all__ = ["RecordPages"]

_MAX_DEPTH = 3
"""Nested objects deeper than this are shown in the JSON only."""

_UNIT = "\N{NULL}unit"
"""The member of a line that holds the currency of its record."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a record's page.

    Attributes:
        kind: `table`, `linked` or `lines`.
        title: Its heading.
        columns: Of a table: its columns.
        rows: Of a table: its cells. Of linked records: title and URL of each.
        sums: Of a table: labels and amounts at its end.
        lines: Of an address: its lines.
    """

    kind: str
    title: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Shown, ...], ...] = ()
    sums: tuple[tuple[str, Cell], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a record.

    Attributes:
        title: Its name in plain words.
        name: Its name as the provider spells it.
        shown: Its value.
    """

    title: str
    name: str
    shown: Shown


class RecordPages(View):
    """The pages of records."""

    def show(self, request: Request) -> Response:
        """Read a record and show it."""
        connection, action = self._record(request), self._action(request)
        title = str(action["title"])
        if self._host.state(connection) != "ready":
            raise NotFound("This connection is not ready. Open its page to connect it.")
        outcome = self._runs.call(connection, str(action["id"]), _inputs(action, request))
        if not outcome["success"]:
            actions = self._host.describe(connection.connector)["actions"]
            parent = self._parent(actions, str(action["id"]))
            one = str(_view(action).get("one") or "")
            return self._failed(
                request,
                connection,
                one[:1].upper() + one[1:] if parent and one else title,
                outcome["error"],
                meta=outcome["meta"],
                action=action,
                parent=parent,
            )
        found = outcome["data"].get(action["rowsKey"])
        if not isinstance(found, dict):
            raise NotFound("The action returned no record.")
        return self._record_page(request, connection, action, found)

    def summary(self, request: Request) -> Response:
        """Return the main facts of a record as a short text, for the script of a page that links to it."""
        connection, action = self._record(request), self._action(request)
        outcome = self._runs.call(connection, str(action["id"]), _inputs(action, request))
        found = outcome["data"].get(action["rowsKey"]) if outcome["success"] else None
        if not isinstance(found, dict):
            return JSONResponse({"text": "", "error": "It could not be read."})
        columns = [column_of(it) for it in _view(action).get("facts", ())]
        cells = [_with_currency(found, column) for column in columns if column.format in {"date", "money", "status"}]
        return JSONResponse({"text": ", ".join(cell.text for cell in cells[:2] if cell.text), "error": None})

    def _record_page(
        self, request: Request, connection: Record, action: dict[str, Any], found: dict[str, Any]
    ) -> Response:
        view, actions = _view(action), self._host.describe(connection.connector)["actions"]
        links = Links(connection.id, actions, action.get("links") or ())
        one = str(view.get("one") or "")
        name = _in_full(formatting.cell(found, Column(str(view.get("name") or ""), ""))).text
        columns = [column_of(it) for it in view.get("facts", ())]
        status = next((column for column in columns if column.format == "status"), None)
        facts = [
            Member(
                column.label, column.field, Shown(_with_currency(found, column), links.of_field(column.field, found))
            )
            for column in columns
            if column is not status and value_at(found, column.field) not in (None, "")
            if not (one and column.field == view.get("name"))  # it is in the title
        ]
        parts = [self._section(connection, found, it, actions) for it in view.get("sections", ())]
        sections = [part for part in parts if part is not None]
        return self._page(
            request,
            "record.html",
            record=connection,
            action=action,
            here=f"{request.url.path}?{request.url.query}",
            lists=self._lists(connection),
            title=_title(one, name, columns, found) if one else str(action["title"]),
            parent=self._parent(actions, str(action["id"])),
            status_cell=formatting.cell(found, status) if status else None,
            facts=[item for item in facts if item.shown.cell.text],
            sections=sections,
            related=links.titled(found),
            members=_members(found, formatting.titles_of(action), links, columns=columns),
            json_text=json.dumps(found, ensure_ascii=False, indent=2),
        )

    @staticmethod
    def _section(
        connection: Record, found: Mapping[str, Any], described: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]
    ) -> Section | None:
        """Return a section; None if the record has nothing for it, or its kind is unknown."""
        title, kind = str(described["title"]), described["kind"]
        links = Links(connection.id, actions, described.get("links") or ())
        if kind == "lines":
            lines = _lines(value_at(found, str(described["field"])), described["lines"])
            return Section(kind, title, lines=lines) if lines else None
        rows = value_at(found, str(described.get("rows") or ""))
        rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        if not rows:
            return None
        if kind == "linked":
            pairs = [links.first(row) for row in rows]
            shown = [
                (Shown(Cell(text), url),) if url else (Shown(Cell(formatting.display(list(row.values())))),)
                for row, (text, url) in zip(rows, pairs, strict=True)
            ]
            return Section(kind, title, rows=tuple(shown))
        return _table(title, rows, found, described, links) if kind == "table" else None

    @staticmethod
    def _parent(actions: Sequence[Mapping[str, Any]], action_id: str) -> tuple[str, str] | None:
        """Return id and title of the list whose rows an action reads in full."""
        for action in actions:
            listing = action.get("listing") or {}
            if is_list(action) and (listing.get("record") or {}).get("action") == action_id:
                return str(action["id"]), str(listing["title"])
        return None

    def _action(self, request: Request) -> dict[str, Any]:
        action = self._host.action(self._record(request).connector, request.path_params["action"])
        is_safe = action and not (action["destructive"] or action["sensitiveOutput"] or action["readOnly"] is False)
        if action is None or not is_safe or not action.get("rowsKey"):
            raise NotFound("This record does not exist.")
        return action


def _inputs(action: Mapping[str, Any], request: Request) -> dict[str, Any]:
    fields = forms.fields_of(action["inputSchema"], action["inputForm"])
    query = request.query_params
    return forms.parse(fields, {item.name: query.getlist(item.name) for item in fields})


def _title(one: str, name: str, columns: Sequence[Column], found: Mapping[str, Any]) -> str:
    """Return what a record is called: a transaction without a number by its date."""
    title = one[:1].upper() + one[1:]
    if name:
        return f"{title} {name}"
    days = (formatting.cell(found, column).text for column in columns if column.format == "date")
    return next((f"{title} of {day}" for day in days if day), title)


def _view(action: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((view for view in action.get("views") or () if view.get("kind") == "record"), {})


def _with_currency(row: Mapping[str, Any], column: Column) -> Cell:
    """Return a cell whose amount names its currency."""
    return _in_full(formatting.cell(row, replace(column, has_code=bool(column.currency))))


def _in_full(cell: Cell) -> Cell:
    """Return a cell that is not shortened: a record is the place to read all of it."""
    return replace(cell, text=cell.full, full="") if cell.full else cell


def _lines(value: Any, described: Sequence[Sequence[str]]) -> tuple[str, ...]:
    if not isinstance(value, dict):
        return ()
    lines = (" ".join(str(value[name]) for name in names if value.get(name)) for names in described)
    return tuple(line for line in lines if line)


def _table(
    title: str, rows: Sequence[Mapping[str, Any]], found: Mapping[str, Any], described: Mapping[str, Any], links: Links
) -> Section:
    columns = [column_of(it) for it in described["columns"]]
    totals = [column_of(it) for it in described.get("totals") or ()]
    unit = next((str(code) for it in totals if it.currency and (code := value_at(found, it.currency))), "")
    sums = [(it["when"], str(it["label"])) for it in described.get("sums") or ()]
    amount = columns[-1]
    plain, ends = [], []
    for row in rows:
        label = next((text for when, text in sums if all(value_at(row, p) == v for p, v in when.items())), None)
        if label is None:
            plain.append(row)
        else:
            ends.append((label, formatting.cell({**row, _UNIT: unit}, replace(amount, currency=_UNIT, has_code=True))))
    given = [column for column in totals if value_at(found, column.field) not in (None, "")]
    ends += [(column.label, _with_currency(found, column)) for column in given]
    filled = [column for column in columns if any(value_at(row, column.field) not in (None, "") for row in plain)]
    return Section(
        "table",
        title,
        columns=tuple(filled),
        rows=tuple(
            tuple(Shown(_in_full(formatting.cell(row, column)), links.of_field(column.field, row)) for column in filled)
            for row in plain
        ),
        sums=tuple(ends),
    )


def _members(
    found: Mapping[str, Any],
    titles: Mapping[str, str],
    links: Links,
    *,
    columns: Sequence[Column] = (),
    path: str = "",
    depth: int = 1,
) -> list[Member]:
    """Return all members with values, nested ones by their path."""
    members: list[Member] = []
    for name, value in found.items():
        full = f"{path}{name}"
        title = titles.get(full) or formatting.words(full)
        if isinstance(value, dict) and not links.of_field(full, found) and depth < _MAX_DEPTH:
            inner = {f"{full}.{key}": f"{title}: {formatting.words(key).lower()}" for key in value}
            members += _members(value, inner, links, path=f"{full}.", depth=depth + 1)
            continue
        amount = next((it for it in columns if it.format == "money" and it.field == full), None)
        cell = _in_full(formatting.cell(found, amount or Column(name, title)))
        if cell.text:
            members.append(Member(title, full, Shown(cell, links.of_field(full, found))))
    return members
