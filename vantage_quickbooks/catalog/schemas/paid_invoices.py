"""Generates the schemas and the form of the action `listPaidInvoices`."""

from __future__ import annotations

from vantage_quickbooks.catalog.schemas.draft import JSON, closed_object, object_schema
from vantage_quickbooks.catalog.schemas.forms import ADVANCED_GROUP, number_form_field
from vantage_quickbooks.catalog.schemas.inputs import GIVEN, day_input, whole_number_input
from vantage_quickbooks.catalog.schemas.outputs import EXAMPLE_METADATA, METADATA, OBTAINED

__all__ = ["paid_invoices_files"]

_ACTION, _TITLE = "listPaidInvoices", "List paid invoices"
_TEXT: JSON = {"type": ["string", "null"]}
_DATE: JSON = {"type": "string", "x-format": "date"}

_INVOICE: dict[str, JSON] = {
    "Id": {"description": "Id of the invoice.", "type": "string"},
    "DocNumber": {"title": "Number", "description": "Invoice number.", **_TEXT},
    "customerId": {"title": "Customer Id", "description": "Id of the customer.", **_TEXT},
    "customerName": {"title": "Customer", "description": "Name of the customer.", **_TEXT},
    "TxnDate": {"title": "Date", "description": "Invoice date.", **_DATE},
    "paidDate": {"title": "Paid", "description": "Day of the last payment.", **_DATE},
    "daysToPay": {"title": "Days to pay", "description": "Days from date to payment.", "type": "integer", "minimum": 0},
    "TotalAmt": {"title": "Total", "description": "Amount of the invoice.", "type": "number"},
    "currency": {"title": "Currency", "description": "ISO 4217 code; null where the company does not say.", **_TEXT},
}
_AVERAGE: dict[str, JSON] = {
    "currency": _INVOICE["currency"],
    "invoices": {"description": "Invoices of this currency.", "type": "integer", "minimum": 1},
    "averageDaysToPay": {"description": "Mean of their days to pay.", "type": "number", "minimum": 0},
}


def paid_invoices_files() -> dict[str, JSON]:
    """Return the files of the action, by name without `.json`."""
    inputs: dict[str, JSON] = {
        "paid_date_from": day_input(
            "Paid from", "Only invoices paid on this day or later; the last 90 days if it is not given."
        ),
        "paid_date_to": day_input("Paid to", "Only invoices paid on this day or earlier."),
        "max_api_calls": whole_number_input(
            "Max API calls",
            "Maximum number of API calls for the payments; the action fails when it needs more.",
            1_000_000,
            50,
            "Enter a whole number of API calls, from 1, or leave it out for no limit.",
        ),
    }
    metadata = METADATA | {
        "paidFrom": {"description": "First day of the period.", **_DATE},
        "mayHaveMore": {"description": "Whether the host's row limit left out invoices.", "type": "boolean"},
    }
    fields = {
        "paid_date_from": {
            "label": "Paid From",
            "inputType": "Date",
            "tooltip": inputs["paid_date_from"]["description"],
        },
        "paid_date_to": {"label": "Paid To", "inputType": "Date", "tooltip": inputs["paid_date_to"]["description"]},
        "max_api_calls": number_form_field("Max API Calls", inputs["max_api_calls"]["description"])
        | {"group": ADVANCED_GROUP["id"]},
    }
    return {
        f"{_ACTION}.input.schema": object_schema(_ACTION, _TITLE, "input", "The period of the payments. Optional.")
        | {
            "properties": inputs,
            "additionalProperties": False,
            "examples": [{}, {"paid_date_from": "2026-01-01", "paid_date_to": "2026-03-31"}],
            "$defs": {"given": GIVEN},
        },
        f"{_ACTION}.form": {"order": list(fields), "groups": [ADVANCED_GROUP], "fields": fields},
        f"{_ACTION}.output.schema": object_schema(
            _ACTION, _TITLE, "output", "The invoices that were paid in full in the period, the latest payment first."
        )
        | {
            "properties": {
                "invoices": {"type": "array", "items": {"$ref": "#/$defs/invoice"}},
                "count": {"description": "Number of invoices in this result.", "type": "integer", "minimum": 0},
                "averages": {"type": "array", "items": {"$ref": "#/$defs/average"}},
                "metadata": {"$ref": "#/$defs/metadata"},
            },
            "required": ["invoices", "count", "averages", "metadata"],
            "additionalProperties": False,
            "examples": [_example()],
            "$defs": {
                "invoice": closed_object(_INVOICE, "An invoice that was paid in full."),
                "average": closed_object(_AVERAGE, "All invoices of a currency, without the host's row limit."),
                "metadata": closed_object(metadata, OBTAINED),
            },
        },
    }


def _example() -> JSON:
    return {
        "invoices": [
            {
                "Id": "130", "DocNumber": "1037", "customerId": "24", "customerName": "Pine Street Books",
                "TxnDate": "2026-04-02", "paidDate": "2026-05-01", "daysToPay": 29, "TotalAmt": 362.07,
                "currency": "USD",
            }
        ],
        "count": 1,
        "averages": [{"currency": "USD", "invoices": 1, "averageDaysToPay": 29.0}],
        "metadata": EXAMPLE_METADATA | {"paidFrom": "2026-02-05", "mayHaveMore": False},
    }  # fmt: skip
