"""Generates the schemas and forms of the actions `getReport`, from the table of reports, and `reconcileReceivables`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.reports import PARAMETERS, REPORTS
from vantage_quickbooks.catalog.schemas.draft import JSON, closed_object, object_schema
from vantage_quickbooks.catalog.schemas.forms import ADVANCED_GROUP, number_form_field, options, options_from
from vantage_quickbooks.catalog.schemas.inputs import (
    GIVEN,
    any_given,
    boolean_input,
    choice_input,
    day_input,
    either,
    whole_number_input,
)
from vantage_quickbooks.catalog.schemas.outputs import EXAMPLE_METADATA, METADATA, OBTAINED
from vantage_quickbooks.catalog.schemas.patterns import BLANK, TEXT, optional
from vantage_quickbooks.core.report_rows import ROW_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.catalog.reports import Parameter
    from vantage_quickbooks.catalog.resource import Resource

__all__ = ["report_files"]

_ACTION, _TITLE = "getReport", "Get a report"
_MAX_NUMBER = 3650
_MAX_TEXT = 2000
_TYPES: Mapping[str, list[str]] = {
    "text": ["string", "null"],
    "integer": ["integer", "null"],
    "list": ["array"],
}
_FEW = 6
"""Reports that a description names; of more, their number."""


def report_files(resources: Mapping[str, Resource]) -> dict[str, JSON]:
    """Return the files of the action, by name without `.json`.

    Args:
        resources: Every entity by the id of its list action, for inputs whose choices another action offers.
    """
    return {
        f"{_ACTION}.input.schema": _input(),
        f"{_ACTION}.form": _form(resources),
        f"{_ACTION}.output.schema": _output(),
        **_reconciliation_files(),
    }


def _reports_with(name: str) -> list[str]:
    return [report.name for report in REPORTS.values() if name in report.parameters]


def _input() -> JSON:
    schema = object_schema(
        _ACTION,
        _TITLE,
        "input",
        "Which report to run, and its parameters. Each report takes some of them; a parameter that it does not have is "
        'an error. Strings are trimmed; null and "" mean not given.',
    )
    return schema | {
        "properties": {
            "report": {
                "title": "Report",
                "description": "Intuit's name of the report.",
                "type": "string",
                "enum": list(REPORTS),
                "examples": ["AgedReceivables"],
                "x-hint": f"Use one of {', '.join(REPORTS)}.",
            }
        }
        | {name: _parameter(parameter) for name, parameter in PARAMETERS.items()},
        "required": ["report"],
        "additionalProperties": False,
        "not": {"anyOf": _other_reports()},
        "examples": [
            {"report": "AgedReceivables"},
            {"report": "ProfitAndLoss", "date_macro": "This Fiscal Year", "summarize_column_by": "Month"},
        ],
        "$defs": {"given": GIVEN},
    }


def _other_reports() -> list[JSON]:
    """Return the rules that a parameter is not given for a report that does not have it."""
    by_reports: dict[tuple[str, ...], list[str]] = {}
    for name in PARAMETERS:
        by_reports.setdefault(tuple(_reports_with(name)), []).append(name)
    rules = []
    for reports, names in by_reports.items():
        others = [name for name in REPORTS if name not in reports]
        is_other: JSON = {"enum": others} if len(others) <= len(reports) else {"not": {"enum": list(reports)}}
        rules.append(
            {
                "title": f"{either(names)} with a report that does not have it",
                "allOf": [any_given(names), {"properties": {"report": is_other}}],
            }
        )
    return rules


def _parameter(parameter: Parameter) -> JSON:
    reports = _reports_with(parameter.name)
    whose = f"For {either(reports)}." if len(reports) <= _FEW else f"For {len(reports)} of the {len(REPORTS)} reports."
    description = f"{parameter.description} {whose}"
    if parameter.kind == "date":
        return day_input(parameter.title, description)
    if parameter.kind == "choice":
        few = len(parameter.values) <= _FEW
        hint = f"Choose {either(list(parameter.values))}." if few else "Choose one of the values as Intuit writes them."
        return choice_input(parameter.title, description, parameter.values, parameter.example, hint)
    if parameter.kind == "number":
        hint = f"Enter a whole number from 1 to {_MAX_NUMBER}."
        return whole_number_input(parameter.title, description, _MAX_NUMBER, parameter.example, hint)
    if parameter.kind == "boolean":
        return boolean_input(parameter.title, description, "Choose true or false.")
    return {"title": parameter.title, "description": description, **_text_rules(parameter)}


def _text_rules(parameter: Parameter) -> JSON:
    rules: JSON = {
        "type": ["string", "integer", "null"] if parameter.kind == "ids" else ["string", "null"],
        "maxLength": _MAX_TEXT,
        "examples": [parameter.example],
    }
    separator = f"{BLANK},{BLANK}"
    if parameter.kind == "ids":
        return rules | {
            "x-format": "digits",
            "pattern": optional(f"[0-9]{{1,32}}(?:{separator}[0-9]{{1,32}})*"),
            "minimum": 0,
            "maximum": 9_007_199_254_740_991,
            "x-hint": "Enter Ids, separated by commas, like 24,25.",
        }
    if parameter.kind == "keys":
        return rules | {
            "pattern": optional(f"[a-z0-9_]+(?:{separator}[a-z0-9_]+)*"),
            "x-hint": f"Enter keys as Intuit spells them, like {parameter.example}.",
        }
    return rules | {"pattern": optional(TEXT), "x-hint": f"Enter text, like {parameter.example}."}


def _form(resources: Mapping[str, Resource]) -> JSON:
    fields: JSON = {
        "report": {
            "label": "Report",
            "inputType": "Dropdown",
            "tooltip": "The report to run.",
            "options": options({report.name: report.title for report in REPORTS.values()}),
        }
    }
    common = [parameter for parameter in PARAMETERS.values() if parameter.is_common]
    others = [parameter for parameter in PARAMETERS.values() if not parameter.is_common]
    for parameter in (*common, *others):
        group = {} if parameter.is_common else {"group": ADVANCED_GROUP["id"]}
        fields[parameter.name] = _form_field(parameter, resources) | group
    variants = {
        "input": "report",
        "fields": {report.name: list(report.parameters) for report in REPORTS.values()},
        "required": {report.name: list(report.required) for report in REPORTS.values() if report.required},
    }
    return {"order": list(fields), "groups": [ADVANCED_GROUP], "fields": fields, "variants": variants}


_OF_IDS = re.compile(r"(?:: Ids as|, by its Id as) \w+ returns (?:them, separated by commas|it)\.$")
"""How descriptions of Ids end, for programs; a form offers the records by name."""


def _form_field(parameter: Parameter, resources: Mapping[str, Resource]) -> JSON:
    label = parameter.title
    if parameter.kind == "number":
        return number_form_field(label, parameter.description)
    kinds = {"date": "Date", "choice": "Dropdown", "boolean": "Boolean"}
    found: JSON = {"label": label, "inputType": kinds.get(parameter.kind, "String"), "tooltip": parameter.description}
    if parameter.kind in {"ids", "keys", "text"}:
        found["placeholder"] = str(parameter.example)
    if parameter.values:
        found["options"] = options({value: value.replace("_", " ") for value in parameter.values})
    if parameter.options_from in resources:
        found["optionsFrom"] = options_from(resources[parameter.options_from])
        found["tooltip"] = _OF_IDS.sub(".", parameter.description)
    return found


# ---- output ----------------------------------------------------------------------------------------------------------

_ROW_WORDS: Mapping[str, str] = {
    "rowNumber": "Position of the row in the report, from 1.",
    "rowKind": "data: adds up. section: the heading of a section. summary: the sum of a section. total: a line that "
    "QuickBooks computes from several sections.",
    "rowDepth": "Number of sections that the row is in.",
    "rowPath": "Names of these sections, the outermost first; with its own name for a section and its summary.",
    "rowGroup": "Intuit's key of the innermost section that has one, like Income or GrandTotal; the same in any "
    "language.",
    "rowLabel": "Text of the row's first cell.",
    "rowLabelId": "Id of the record that it names.",
}


def _row() -> JSON:
    members: JSON = {
        name: {"description": _ROW_WORDS[name], "type": _TYPES[kind]} for name, (kind, _) in ROW_MEMBERS.items()
    }
    members["rowNumber"] |= {"type": "integer", "minimum": 1}
    members["rowKind"] |= {"type": "string", "enum": ["section", "data", "summary", "total"]}
    members["rowDepth"] |= {"type": "integer", "minimum": 0}
    members["rowPath"] |= {"items": {"type": "string"}}
    return {
        "description": "A row, with a member for each column, named by its field.",
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    }


_NULLABLE_TEXT = {"type": ["string", "null"]}
_NULLABLE_DATE = {"type": ["string", "null"], "x-format": "date"}

_COLUMN: JSON = {
    "description": "A column of the report, and how to show it.",
    "type": "object",
    "properties": {
        "field": {"description": "The member of a row that holds its values.", "type": "string"},
        "label": {"description": "Title.", "type": "string"},
        "format": {"type": "string", "enum": ["text", "money", "number", "date", "boolean"]},
        "type": {"type": "string", "enum": ["text", "decimal", "date", "boolean"]},
        "idField": {"description": "The member that holds the Ids of the records it names.", **_NULLABLE_TEXT},
        "colType": {"description": "Intuit's ColType.", "type": "string"},
        "colKey": {"description": "Intuit's ColKey.", **_NULLABLE_TEXT},
        "startDate": {"description": "First day of the period that it covers.", **_NULLABLE_DATE},
        "endDate": {"description": "Last day of it.", **_NULLABLE_DATE},
    },
}
_COLUMN |= {"required": list(_COLUMN["properties"]), "additionalProperties": False}

_COUNTS: JSON = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}}

_REPORT_METADATA: dict[str, JSON] = {
    "report": {"description": "Intuit's name of the report.", "type": "string", "enum": list(REPORTS)},
    "title": {"description": "Title of the report.", "type": "string"},
    "reportTime": {"description": "When QuickBooks made the report.", **_NULLABLE_TEXT},
    "startPeriod": {"description": "First day of the period; null if the report has none.", **_NULLABLE_DATE},
    "endPeriod": {"description": "Last day of the period, or the day of the balances.", **_NULLABLE_DATE},
    "basis": {"description": "Accrual or Cash; null if the report has none.", **_NULLABLE_TEXT},
    "currency": {"description": "Currency of the amounts.", **_NULLABLE_TEXT},
    "summarizedBy": {"description": "What the columns are.", **_NULLABLE_TEXT},
    "hasData": {"description": "Whether QuickBooks found anything to report.", "type": "boolean"},
    "mayHaveMore": {"description": "Whether the host's row limit left out rows.", "type": "boolean"},
    "unreadableValues": {
        "description": "Values that do not have the type of their column and are null, by field.",
        **_COUNTS,
    },
    "valuesWithoutColumn": {"description": "Values that no column describes, by their place in the row.", **_COUNTS},
}


def _output() -> JSON:
    metadata = METADATA | _REPORT_METADATA
    schema = object_schema(
        _ACTION,
        _TITLE,
        "output",
        "The report as flat rows with typed columns, as Intuit sent it, and how it was obtained. The rows of the kind "
        "data add up; no amount is in two of them.",
    )
    return schema | {
        "properties": {
            "rows": {"type": "array", "items": {"$ref": "#/$defs/row"}},
            "count": {"description": "Number of rows in this result.", "type": "integer", "minimum": 0},
            "columns": {"type": "array", "items": {"$ref": "#/$defs/column"}},
            "report": {"description": "The report as Intuit sent it.", "type": "object", "additionalProperties": True},
            "metadata": {"$ref": "#/$defs/metadata"},
        },
        "required": ["rows", "count", "columns", "report", "metadata"],
        "additionalProperties": False,
        "examples": [_example()],
        "$defs": {
            "row": _row(),
            "column": _COLUMN,
            "metadata": closed_object(metadata, OBTAINED),
        },
    }


def _example() -> JSON:
    def column(field: str, label: str, kind: str, **more: Any) -> JSON:
        empty = dict.fromkeys(_COLUMN["properties"])
        return empty | {"field": field, "label": label, "type": kind, "format": kind} | more

    return {
        "rows": [
            {
                "rowNumber": 1, "rowKind": "data", "rowDepth": 0, "rowPath": [], "rowGroup": None,
                "rowLabel": "Pine Street Books", "rowLabelId": "24", "customer": "Pine Street Books",
                "customer_id": "24", "total": 362.07,
            },
            {
                "rowNumber": 2, "rowKind": "total", "rowDepth": 0, "rowPath": [], "rowGroup": "GrandTotal",
                "rowLabel": "Total", "rowLabelId": None, "customer": "Total", "customer_id": None, "total": 362.07,
            },
        ],
        "count": 2,
        "columns": [
            column("customer", "", "text", idField="customer_id", colType="Customer"),
            column("total", "Total", "decimal", format="money", colType="Money", colKey="total"),
        ],
        "report": {"Header": {"ReportName": "CustomerBalance"}, "Columns": {}, "Rows": {}},
        "metadata": EXAMPLE_METADATA
        | {
            "report": "CustomerBalance", "title": "Customer balance summary", "reportTime": "2026-05-05T05:16:21-07:00",
            "startPeriod": None, "endPeriod": "2026-05-05", "basis": None, "currency": "USD", "summarizedBy": None,
            "hasData": True, "mayHaveMore": False, "unreadableValues": {}, "valuesWithoutColumn": {},
        },
    }  # fmt: skip


# ---- reconciliation --------------------------------------------------------------------------------------------------

_MONEY: JSON = {"type": "string", "pattern": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$"}
_COMPARED: dict[str, JSON] = {
    "report": {"description": "What the report says.", **_MONEY},
    "invoices": {"description": "Balances of invoices.", **_MONEY},
    "creditMemos": {"description": "Remaining credits, negative.", **_MONEY},
    "unappliedPayments": {"description": "Payments that are not applied yet, negative.", **_MONEY},
    "otherTransactions": {
        "description": "What the report has beside these: journal entries, for example.",
        **_MONEY,
    },
    "agrees": {"description": "Whether the report is what the invoices say.", "type": "boolean"},
}
_AGES = ["current", "days_1_30", "days_31_60", "days_61_90", "days_91_and_over"]


def _compared(first: dict[str, JSON], description: str) -> JSON:
    return closed_object(first | _COMPARED, description)


def _reconciliation_files() -> dict[str, JSON]:
    action, title = "reconcileReceivables", "Reconcile receivables"
    limit = whole_number_input(
        "Max API calls",
        "Maximum number of API calls; the action fails when it needs more.",
        1_000_000,
        50,
        "Enter a whole number of API calls, from 1, or leave it out for no limit.",
    )
    metadata = METADATA | {
        "asOf": {"description": "Today in the company's time zone.", "type": "string", "format": "date"},
        "currency": {"description": "The company's home currency, of all amounts.", **_NULLABLE_TEXT},
        "mayHaveMore": {"description": "Whether the host's row limit left out customers.", "type": "boolean"},
    }
    amounts = dict.fromkeys(("report", "invoices"), "362.07") | dict.fromkeys(
        ("creditMemos", "unappliedPayments", "otherTransactions"), "0.00"
    )
    compared: JSON = amounts | {"agrees": True}
    example = {
        "customers": [{"customerId": "24", "customerName": "Pine Street Books", **compared}],
        "count": 1,
        "byAge": [{"age": "current", **compared}],
        "totals": compared,
        "metadata": EXAMPLE_METADATA | {"asOf": "2026-05-05", "currency": "USD", "mayHaveMore": False},
    }
    members: JSON = {
        "customers": {"type": "array", "items": {"$ref": "#/$defs/customer"}},
        "count": {"description": "Number of customers in this result.", "type": "integer", "minimum": 0},
        "byAge": {"type": "array", "items": {"$ref": "#/$defs/age"}},
        "totals": {"$ref": "#/$defs/totals"},
        "metadata": {"$ref": "#/$defs/metadata"},
    }
    customer = {"customerId": dict(_NULLABLE_TEXT), "customerName": dict(_NULLABLE_TEXT)}
    return {
        f"{action}.input.schema": object_schema(action, title, "input", "How much may be read. Optional.")
        | {"properties": {"max_api_calls": limit}, "additionalProperties": False, "examples": [{}]},
        f"{action}.form": {
            "order": ["max_api_calls"],
            "groups": [ADVANCED_GROUP],
            "fields": {
                "max_api_calls": number_form_field("API calls at most", "Maximum number of API calls.")
                | {"group": ADVANCED_GROUP["id"]}
            },
        },
        f"{action}.output.schema": object_schema(
            action, title, "output", "The A/R aging report beside the records that it is made of, in the home currency."
        )
        | {
            "properties": members,
            "required": list(members),
            "additionalProperties": False,
            "examples": [example],
            "$defs": {
                "customer": _compared(customer, "A customer that the report or a record names."),
                "age": _compared({"age": {"type": "string", "enum": _AGES}}, "What is due for so long."),
                "totals": _compared({}, "All customers together."),
                "metadata": closed_object(metadata, OBTAINED),
            },
        },
    }
