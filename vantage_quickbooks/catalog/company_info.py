"""The action that reads the company's name, addresses, time zone and subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.descriptions import GET_COMPANY_INFO
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

__all__ = ["GetCompanyInfo"]


class GetCompanyInfo:
    """Implements `handler.Handler`."""

    action = GET_COMPANY_INFO

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return the company's information as Intuit sent it.

        Args:
            client: Sends the request.
            data: No input.
            call: The call.
            row_limit: Irrelevant: there is one row.

        Raises:
            ConnectorError: See `QuickBooksClient.request`.
        """
        del data, row_limit
        answer = client.company_info(call)
        return {"companyInfo": answer.body["CompanyInfo"], "metadata": metadata(client, call)}
