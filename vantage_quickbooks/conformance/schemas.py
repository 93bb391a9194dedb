"""JSON Schemas (draft 2020-12) of the descriptor and the envelope.

`write` publishes them as `schemas/descriptor.schema.json` and `schemas/envelope.schema.json`. Members that a minor
version added are optional, and unknown members are allowed: see "Versions of the contract" in docs/host.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..contract import CAPABILITIES, CONTRACT_VERSION

__all__ = ["DESCRIPTOR", "ENVELOPE", "INPUT_TYPES", "write"]

if TYPE_CHECKING:
    from pathlib import Path

JSON = dict[str, Any]

INPUT_TYPES = ("String", "Numeric", "Boolean", "Dropdown", "Date", "Object", "Array", "Array of Strings")
"""The values of `inputType` of a form's field."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: JSON = {"type": "string", "minLength": 1}
_NAME: JSON = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]*$"}
_FLAG: JSON = {"type": "boolean"}
_COUNT: JSON = {"type": "integer", "minimum": 0}
_LIMIT: JSON = {"type": ["integer", "null"], "minimum": 1}
_PATH: JSON = {"type": "string", "pattern": r"^[^.\s]+(\.[^.\s]+)*$"}
_OBJECT: JSON = {"type": "object"}


def _or_null(schema: JSON) -> JSON:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: tuple[str, ...] = (), /, **properties: JSON) -> JSON:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(items: JSON, **more: Any) -> JSON:
    return {"type": "array", "items": items, **more}


def _described(schema: JSON, description: str) -> JSON:
    return {**schema, "description": description}


_CHOICES = _object(
    ("action", "value", "label"),
    action=_described(_NAME, "Id of the list action that offers the choices."),
    value=_described(_PATH, "Member of its rows that goes into the input."),
    label=_described(_PATH, "Member of its rows that people read."),
    search=_described(_or_null(_NAME), "Its input that narrows the choices by text."),
    pattern=_described(
        {"type": "string", "pattern": r"\{text\}"}, "What to put into the search; {text} is what was typed."
    ),
)

_BY_VALUE: JSON = {"type": "object", "additionalProperties": _list(_TEXT, uniqueItems=True)}

_FORM = _object(
    order=_list(_TEXT, uniqueItems=True),
    groups=_list(_object(("id", "label"), id=_TEXT, label=_TEXT, collapsed=_FLAG)),
    fields={
        "type": "object",
        "additionalProperties": _object(
            label=_TEXT,
            inputType={"enum": list(INPUT_TYPES)},
            tooltip={"type": "string"},
            placeholder={"type": "string"},
            step={"type": "number"},
            secret=_FLAG,
            multiline=_FLAG,
            group=_TEXT,
            options=_list(_object(("value", "label"), value={}, label=_TEXT)),
            optionsFrom=_CHOICES,
        ),
    },
    variants=_described(
        _object(
            ("input", "fields"),
            input=_described(_NAME, "The input whose value decides which others there are."),
            fields=_described(_BY_VALUE, "By its value: the inputs that there are."),
            required=_described(_BY_VALUE, "By its value: those of them that must be given."),
        ),
        "Of a form whose inputs depend on one of them.",
    ),
)

_KEYS = _object(
    ("primaryKey", "deletions"),
    primaryKey=_described(_list(_PATH, minItems=1, uniqueItems=True), "Members that identify a row together."),
    version=_described(_or_null(_PATH), "Member that changes with each edit."),
    updatedAt=_described(_or_null(_PATH), "Member with the time of the last edit."),
    deletions=_described({"enum": ["cdc", "idListing", "none"]}, "How a host learns what was deleted."),
)

_TRIGGER = _object(
    ("id", "title", "type", "action", "startInput", "stateInput", "statePath"),
    id=_NAME,
    title=_TEXT,
    type=_described(_TEXT, "polling; a host ignores types that it does not know."),
    action=_described(_NAME, "Id of the action to call."),
    startInput=_described(_OBJECT, "Input of the first call."),
    stateInput=_described(_NAME, "The input that carries the state."),
    statePath=_described(_PATH, "Where the result holds the next state."),
    deletedPath=_described(_or_null(_PATH), "Where the result of a poll lists what was deleted, if it can."),
    existingPath=_described(_or_null(_PATH), "Where it lists the primary keys of all that exist, if it cannot."),
)

_COST = _object(
    ("mode", "apiCalls", "meteredCalls", "text"),
    mode=_TEXT,
    apiCalls=_described(_COUNT, "API calls that do not depend on the number of rows."),
    meteredCalls=_described(_COUNT, "Those of them that the provider counts or charges for."),
    recordsPerApiCall=_described(_LIMIT, "Number of rows for each further API call."),
    recordsPerMeteredCall=_described(_LIMIT, "Number of rows for each further metered call."),
    text=_described(_TEXT, "The same in words."),
)

_LIMITS = _object(concurrentRequests=_LIMIT, requestsPerSecond=_LIMIT, requestsPerMinute=_LIMIT, maxPageSize=_LIMIT)

_FLAT_FIELD = _object(
    ("name", "type", "title"),
    name=_NAME,
    type={"enum": ["text", "decimal", "integer", "date", "instant", "boolean"]},
    title=_TEXT,
)
_PERIOD = _described(
    _object(("unit", "offset"), unit={"enum": ["day", "month", "quarter", "year"]}, offset={"type": "integer"}),
    "A period: today's, or one so many periods later or, if negative, earlier.",
)

_PRESETS = _described(
    _list(_object(("id", "title"), **{"id": _NAME, "title": _TEXT, "from": _PERIOD, "to": _PERIOD})),
    "Named ranges of dates, each from the first day of one period to the last day of another.",
)

_FILTER = _object(
    ("id", "title", "kind", "inputs"),
    id=_NAME,
    title=_TEXT,
    kind=_described(
        {"enum": ["choice", "lookup", "dateRange", "amountRange", "text", "boolean"]},
        "What a person enters; a host ignores kinds that it does not know.",
    ),
    inputs=_described(
        _list(_NAME, minItems=1, maxItems=2), "Inputs that it sets; of a range, the lower and the upper bound."
    ),
    presets=_described(
        {"anyOf": [{"$ref": "#/$defs/presets"}, _NAME]},
        "Of a date range: named ranges, or the name of one of the descriptor's sets of them.",
    ),
    phrase=_described(_TEXT, "How it follows the noun in a title, with {value}: invoices of {value}."),
    isAdjective=_described(_FLAG, "Whether its value precedes the noun in a title: overdue invoices."),
    isMain=_described(_FLAG, "Whether people switch between its choices most of all, so that they are tabs."),
    column=_described(_PATH, "Member of the rows with what people call its value."),
)

_LISTING = _object(
    ("title", "one", "many"),
    title=_described(_TEXT, "Heading of the list."),
    one=_described(_TEXT, "What one row is called, in lower case."),
    many=_described(_TEXT, "What several rows are called."),
    isPinned=_described(_FLAG, "Whether people open this list often."),
    filters=_described(_list({"$ref": "#/$defs/filter"}), "Ways to narrow it; those that people use most come first."),
    pageSize=_described(
        _object(("input", "maximum"), input=_NAME, maximum={"type": "integer", "minimum": 1}),
        "The input that limits the rows of one call, and its largest value.",
    ),
    sort=_described(
        _object(
            ("input", "ascending", "descending", "columns"),
            input=_NAME,
            ascending=_described({"type": "string", "pattern": r"\{field\}"}, "Value for ascending order."),
            descending=_described({"type": "string", "pattern": r"\{field\}"}, "Value for descending order."),
            columns=_described(
                {"type": "object", "additionalProperties": _TEXT}, "The provider's field, by member of the rows."
            ),
            default=_object(("column", "isDescending"), column=_PATH, isDescending=_FLAG),
        ),
        "How the provider sorts; a host sorts a complete list by any column itself.",
    ),
    record=_described({"$ref": "#/$defs/link"}, "The action that reads one row in full."),
)

_LINK = _object(
    ("action", "input"),
    action=_described(_NAME, "Id of an action that reads one record, or of a list action."),
    input=_described(
        {"type": "object", "additionalProperties": _PATH, "minProperties": 1}, "Its inputs, by member of the row."
    ),
    field=_described(_PATH, "Member of the row that leads there."),
    title=_described(_TEXT, "What it leads to, if no member of the row does."),
    when=_described({"type": "object", "additionalProperties": _TEXT}, "Values that members of the row must have."),
)

_REPORT = _object(
    input=_described(_NAME, "The input that chooses the report; missing if the action is one report."),
    groups=_described(
        _list(_object(("title", "values"), title=_TEXT, values=_list(_TEXT))),
        "Its values as people look for them.",
    ),
    group=_described(_TEXT, "Of an action that is one report: the group that lists it."),
    periods=_described(
        _list(_object(("preset", "inputs"), preset=_NAME, inputs=_list(_NAME, minItems=1))),
        "Inputs with named periods, each with the inputs of dates that it replaces.",
    ),
    heading=_described(
        _object(title=_PATH, basis=_PATH, currency=_PATH, madeAt=_PATH, **{"from": _PATH, "to": _PATH}),
        "Where the result says what a reader needs to know first.",
    ),
)

_ACTION = _object(
    ("id", "title", "rowsKey"),
    id=_described(_NAME, "What `call` takes."),
    nodeName=_NAME,
    title=_TEXT,
    description={"type": "string"},
    group=_described(_or_null(_TEXT), "Id of one of the descriptor's groups."),
    version=_TEXT,
    deprecated=_or_null(_object(("since",), since=_TEXT, replacement=_or_null(_NAME))),
    readOnly=_FLAG,
    destructive=_FLAG,
    idempotent=_FLAG,
    sensitiveOutput=_FLAG,
    agentVisible=_FLAG,
    rowsKey=_described(_or_null(_TEXT), "Member of the result that holds the rows."),
    streamable=_FLAG,
    modes=_list({"enum": ["page", "full", "changes"]}, uniqueItems=True),
    fullReadInput=_or_null(_OBJECT),
    keys=_or_null({"$ref": "#/$defs/keys"}),
    triggers=_list({"$ref": "#/$defs/trigger"}),
    cost=_list({"$ref": "#/$defs/cost"}),
    limits=_or_null({"$ref": "#/$defs/limits"}),
    flatFields=_list({"$ref": "#/$defs/flatField"}),
    requiredScopes=_list(_TEXT),
    inputSchema=_OBJECT,
    inputForm={"$ref": "#/$defs/form"},
    outputSchema=_OBJECT,
    examples=_list(_OBJECT),
    views=_list(_object(("kind",), kind=_TEXT)),
    listing=_or_null({"$ref": "#/$defs/listing"}),
    links=_list({"$ref": "#/$defs/link"}),
    report=_or_null({"$ref": "#/$defs/report"}),
)

_DAY = _described(
    _object(
        ("unit", "offset"),
        unit={"enum": ["day", "month", "quarter", "year"]},
        offset={"type": "integer"},
        edge={"enum": ["first", "last"]},
    ),
    "A day: the first of today's period or of one so many periods later, or its last one.",
)
_TEXTS: JSON = {"type": "object", "additionalProperties": _TEXT}
_QUESTION: dict[str, JSON] = {
    "action": _described(_NAME, "Id of the action."),
    "input": _described(_OBJECT, "Its input."),
    "dates": _described({"type": "object", "additionalProperties": _DAY}, "Inputs that are days relative to today."),
    "presets": _described(_TEXTS, "Chosen presets of the action's listing, by filter."),
}
_TILE_LINK = _object(
    ("action",),
    **_QUESTION,
    rowInput=_described({"type": "object", "additionalProperties": _PATH}, "Inputs from members of the row."),
)
_WHERE = _list(
    _object(
        ("field",),
        **{
            "field": _PATH,
            "equals": _described(_list(_TEXT, minItems=1), "One of these values."),
            "above": _described({"type": "number"}, "A number above this one."),
            "from": _described(_DAY, "A date on this day or later."),
            "to": _described(_DAY, "A date on this day or earlier."),
        },
    )
)
_TILE = _object(
    ("id", "kind", "title", "source"),
    id=_NAME,
    kind=_described(_TEXT, "number, bars, top, shares or periods; a host ignores others."),
    title=_TEXT,
    source=_described(_NAME, "Id of the source."),
    value=_described(
        _object(count=_FLAG, sum=_PATH, average=_PATH, path=_PATH),
        "What to compute: the number of rows, the sum or the average of a member, or a member of the result.",
    ),
    where=_described(_WHERE, "Which rows count; all conditions apply."),
    format={"enum": ["money", "number", "days"]},
    currency=_described(_PATH, "Member by which amounts are grouped; of periods, a member of the result."),
    tone=_TEXT,
    empty=_described(_TEXT, "What to say if there are no rows."),
    link=_described(_TILE_LINK, "The rows behind it; by default those of the source."),
    bars=_list(_object(("label", "where"), label=_TEXT, tone=_TEXT, where=_WHERE, link=_TILE_LINK)),
    restLabel=_described(_TEXT, "Of bars: what no bar takes."),
    by=_described(_PATH, "Of top and shares: the member that identifies a part."),
    label=_described(_PATH, "Of top: the member with its name."),
    limit={"type": "integer", "minimum": 1},
    values=_described({"type": "object", "additionalProperties": _OBJECT}, "Of shares: label and tone by value."),
    partLink=_described(_TILE_LINK, "Of top, shares and periods: the rows behind a part."),
    columns=_described(_PATH, "Of periods: the member of the result that lists the columns."),
    series=_list(_object(("label", "where"), label=_TEXT, tone=_TEXT, where=_WHERE)),
    wholeLabel=_described(_TEXT, "What the sum of its parts is called."),
)
_DASHBOARD = _described(
    _object(
        ("sources", "tiles"),
        sources=_list(
            _object(
                ("id", "action"),
                id=_NAME,
                **_QUESTION,
                reads=_described({"enum": ["page", "all"]}, "One page, or all rows if there are more."),
            ),
            minItems=1,
        ),
        tiles=_list({"$ref": "#/$defs/tile"}, minItems=1),
    ),
    "What a host reads for a company's overview page, and shows on it.",
)

DESCRIPTOR: JSON = {
    "$schema": _DIALECT,
    "$id": "urn:vantage:descriptor",
    "title": "Descriptor of a connector",
    "description": f"What Connector.describe() returns, contract {CONTRACT_VERSION}. Unknown members are allowed.",
    **_object(
        ("contractVersion", "id", "displayName", "settingsSchema", "actions"),
        contractVersion={"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
        contractVersions=_list({"type": "string", "pattern": r"^[0-9]+$"}, minItems=1, uniqueItems=True),
        id=_NAME,
        displayName=_TEXT,
        version=_TEXT,
        category=_TEXT,
        description={"type": "string"},
        docsUrl=_TEXT,
        icon=_object(mediaType=_TEXT, dataUri={"type": "string", "pattern": "^data:"}),
        authType=_TEXT,
        auth=_object(
            authorizationUrl=_TEXT,
            tokenUrl=_TEXT,
            revocationUrl=_or_null(_TEXT),
            scopes=_list(_TEXT),
            rotatesRefreshToken=_FLAG,
            secretFields=_list(_TEXT, uniqueItems=True),
            tokenAuth=_TEXT,
            pkce=_FLAG,
            grantFields=_list(_TEXT, uniqueItems=True),
            callbackFields={"type": "object", "additionalProperties": _TEXT},
            accountName=_TEXT,
            redirectHelp={"type": "string"},
        ),
        permissions={"type": "object", "additionalProperties": _TEXT},
        settingsSchema=_OBJECT,
        settingsForm={"$ref": "#/$defs/form"},
        capabilities=_described(
            _list(_NAME, uniqueItems=True), f"Known: {', '.join(CAPABILITIES)}. A host ignores others."
        ),
        groups=_list(_object(("id", "title"), id=_TEXT, title=_TEXT)),
        dashboard=_or_null({"$ref": "#/$defs/dashboard"}),
        presets=_described(
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/presets"}},
            "Sets of named ranges of dates, by the name that filters refer to.",
        ),
        linkSets=_described(
            {"type": "object", "additionalProperties": _list({"$ref": "#/$defs/link"})},
            "Sets of links, by the name that sections of records refer to.",
        ),
        actions=_list({"$ref": "#/$defs/action"}),
    ),
    "$defs": {
        "action": _ACTION,
        "cost": _COST,
        "dashboard": _DASHBOARD,
        "filter": _FILTER,
        "flatField": _FLAT_FIELD,
        "form": _FORM,
        "keys": _KEYS,
        "limits": _LIMITS,
        "link": _LINK,
        "listing": _LISTING,
        "tile": _TILE,
        "presets": _PRESETS,
        "report": _REPORT,
        "trigger": _TRIGGER,
    },
}

ENVELOPE: JSON = {
    "$schema": _DIALECT,
    "$id": "urn:vantage:envelope",
    "title": "Envelope of a call",
    "description": f"What Connection.call() returns, contract {CONTRACT_VERSION}. Unknown members are allowed.",
    **_object(("success", "meta"), success=_FLAG, data=_OBJECT, error={"$ref": "#/$defs/error"}),
    "if": {"properties": {"success": {"const": True}}},
    "then": {"required": ["data"], "properties": {"error": False}},
    "else": {"required": ["error"], "properties": {"data": False}},
    "$defs": {
        "error": _object(
            ("code", "message", "retryable"),
            code={"type": "string", "pattern": "^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$"},
            message=_described(_TEXT, "What happened and what to do, for a person."),
            retryable=_described(_FLAG, "Whether the same call may succeed later without a change."),
            retryAfter=_described({"type": ["number", "null"], "minimum": 0}, "Seconds to wait, if the provider says."),
            fields=_list(
                _object(
                    ("field", "message"),
                    field=_described({"type": "string"}, "The input or setting; nested ones joined by dots."),
                    rule=_TEXT,
                    message=_TEXT,
                    hint={"type": "string"},
                )
            ),
            details=_OBJECT,
        ),
        "meta": _object(
            ("request_id", "timestamp"),
            request_id=_TEXT,
            timestamp={"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$"},
            action=_or_null(_TEXT),
            rows_key=_or_null(_TEXT),
        ),
    },
}
ENVELOPE["properties"]["meta"] = {"$ref": "#/$defs/meta"}


def write(directory: Path) -> None:
    """Write both schemas as JSON files."""
    for name, schema in (("descriptor", DESCRIPTOR), ("envelope", ENVELOPE)):
        text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        (directory / f"{name}.schema.json").write_text(text, encoding="utf-8")
