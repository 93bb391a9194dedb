"""Records that a recorded answer must leave out, derived from those that it has.

With the recorded records alone, an emulator that ignored a condition would answer the same. So each condition of a
query is violated in turn by copies of a record, everything else being equal; name lists get inactive records, a page
that is full gets a record after it, and change data capture gets older records and records of other entities.
"""

from __future__ import annotations

import copy
import json
import re
from datetime import datetime, timedelta

from vantage_quickbooks.emulator.company.entities import BY_LOWER_NAME, BY_PATH, ENTITIES

_CONDITION = re.compile(
    r"([\w.]+)\s*(=|!=|<=|>=|<|>|\blike\b|\bin\b)\s*(\([^)]*\)|'(?:\\.|[^'\\])*'|true|false|[\d.]+)", re.IGNORECASE
)
_FIRST_ID = 9_000_000
_NAMES = ("DisplayName", "Name", "FullyQualifiedName")
_SHIFT = {"<": 1, "<=": 1, ">": -1, ">=": -1}
_DEFAULT_PAGE = 100


def decoys(exchange, rows):
    """Make the records that an exchange's answer must leave out.

    Args:
        exchange: A query, a count or a request for changes; others get none.
        rows: The records that the company holds: entity, record and text.

    Returns:
        Further such rows, with Ids of their own.
    """
    made = []
    if exchange.kind in ("query", "count") and exchange.status in (None, 200):
        made = _of_query(exchange, rows)
    elif exchange.kind == "cdc":
        made = _of_changes(exchange, rows)
    numbered = []
    for number, (entity, record) in enumerate(made, _FIRST_ID):
        record["Id"] = str(number)
        numbered.append((entity, record, json.dumps(record, ensure_ascii=False)))
    return numbered


def _of_query(exchange, rows):
    statement = exchange.statement
    entity = BY_LOWER_NAME[re.search(r"\bfrom\s+(\w+)", statement, re.IGNORECASE)[1].lower()]
    where = re.search(r"\bwhere\b(.*)", statement, re.IGNORECASE | re.DOTALL)
    conditions = _CONDITION.findall(where[1]) if where else []
    base = next((record for name, record, _ in rows if name == entity.name), None)
    base = _matching(entity, base or _plain(entity), conditions)
    made = []
    for name, operator, value in conditions:
        made += [_with(base, _path(entity, name), found) for found in _violations(operator.lower(), value)]
    names_active = any(name.lower() == "active" for name, _, _ in conditions)
    if entity.is_name_list and not names_active:
        made.append(base | {"Active": False})
    made += _after_the_page(entity, statement, rows)
    return [(entity.name, copy.deepcopy(record)) for record in made]


def _plain(entity):
    times = {"CreateTime": "2014-01-01T00:00:00-08:00", "LastUpdatedTime": "2014-01-01T00:00:00-08:00"}
    named = {entity.name_property: "Decoy", "Active": True} if entity.is_name_list else {"TxnDate": "2014-01-01"}
    return named | {"Id": "1", "SyncToken": "0", "domain": "QBO", "sparse": False, "MetaData": times}


def _matching(entity, record, conditions):
    """Return a record that satisfies the conditions of equality and LIKE."""
    for name, operator, value in conditions:
        if operator.lower() in ("=", "like"):
            record = _with(
                record, _path(entity, name), _typed(value).replace("%", "") if value[0] == "'" else value == "true"
            )
    return record


def _path(entity, name):
    found = entity.find(name)
    return (
        f"{found.name}.value"
        if found.type == "ref"
        else f"{found.name}.Address"
        if found.type == "address"
        else found.name
    )


def _typed(value):
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith("'") else value


def _with(record, path, value):
    """Copy a record with another value at a path."""
    first, _, rest = path.partition(".")
    return record | {first: _with(record.get(first) or {}, rest, value) if rest else value}


def _violations(operator, value):
    """Return values that a condition does not accept, but one that is ignored or read inexactly does."""
    if value.lower() in ("true", "false"):
        return [(value.lower() == "true") is not (operator == "=")] if operator in ("=", "!=") else []
    text = _typed(value)
    if operator == "in":
        first = re.search(r"'([^']*)'", value)
        return [f"{first[1]}0", f"x{first[1]}"] if first else []  # booleans: both are accepted
    if operator in _SHIFT:
        try:
            return [(datetime.fromisoformat(text) + timedelta(seconds=86_400 * _SHIFT[operator])).isoformat()]
        except ValueError:
            return [float(text) + _SHIFT[operator]]
    if operator == "like":
        return [text.replace("%", "").swapcase()[::-1] + "x"]
    return [f"{text}s", text[:-1], f"{text[:-1]}{'x' if text[-1:] != 'x' else 'y'}"] if operator == "=" else [text]


def _after_the_page(entity, statement, rows):
    """Return a record that comes after a full page, by the order that QuickBooks has without ORDERBY."""
    lower = statement.lower()
    if any(word in lower for word in ("where", "order", "count")):
        return []
    asked = re.search(r"maxresults\s+(\d+)", lower)
    start = re.search(r"startposition\s+(\d+)", lower)
    own = [record for name, record, _ in rows if name == entity.name]
    shown = [record for record in own if record.get("Active", True)]
    if len(shown) < (int(asked[1]) if asked else _DEFAULT_PAGE) + (int(start[1]) if start else 1) - 1:
        return []
    if entity.is_name_list:
        return [shown[0] | {key: "~ decoy" for key in _NAMES if key in shown[0]}]
    oldest = min(shown, key=lambda record: datetime.fromisoformat(record["MetaData"]["LastUpdatedTime"]))
    return [_with(oldest, "MetaData.LastUpdatedTime", "2001-01-01T00:00:00-08:00")]


def _of_changes(exchange, rows):
    asked = {name.lower() for name in re.search(r"entities=([^&]+)", exchange.target)[1].split(",")}
    since = re.search(r"changedSince=([^&]+)", exchange.target)[1]
    before = (datetime.fromisoformat(since) - timedelta(seconds=1)).isoformat()
    after = (datetime.fromisoformat(since) + timedelta(seconds=1)).isoformat()
    made = []
    for name in asked:
        entity = BY_LOWER_NAME.get(name) or BY_PATH[name]
        base = next((record for kind, record, _ in rows if kind == entity.name), None) or _plain(entity)
        made.append((entity.name, _with(base, "MetaData.LastUpdatedTime", before)))
    others = [name for name in ("Customer", "Invoice", "Bill") if name.lower() not in asked]
    made += [(name, _with(_plain(ENTITIES[name]), "MetaData.LastUpdatedTime", after)) for name in others]
    return [(name, copy.deepcopy(record)) for name, record in made]
