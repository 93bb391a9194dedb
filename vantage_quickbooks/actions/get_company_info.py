"""Reads the company's name, addresses, time zone and subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.contract import Action
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

ACTION = Action(
    group="core",
    id="getCompanyInfo",
    title="Get company information",
    description="Reads the QuickBooks company: name, legal name, addresses, contacts, country, time zone, fiscal year "
    "and subscription.",
    rows_key="companyInfo",
    examples=({},),
)


def run(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> dict[str, Any]:
    """Return the company's information as Intuit sent it.

    Args:
        client: Asks QuickBooks.
        data: No input.
        call: The call.

    Raises:
        ConnectorError: See `QuickBooksClient.request`.
    """
    del data
    answer = client.company_info(call)
    return {"companyInfo": answer.body["CompanyInfo"], "metadata": metadata(client, call)}
