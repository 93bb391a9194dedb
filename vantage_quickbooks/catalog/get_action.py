"""The get action of an entity: one record by its Id, or the only one of a singleton."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.sync.page import company_date, metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.contract import Action

__all__ = ["GetAction"]


class GetAction:
    """Reads one record of one entity. Implements `handler.Handler`.

    Args:
        resource: The entity.
        action: The action as data.
    """

    def __init__(self, resource: Resource, action: Action) -> None:
        self.action = action
        self.resource = resource
        self._read_flat = flat_fields_reader(resource)

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return the record as Intuit sent it, with its flat fields; one API call.

        Args:
            client: Sends the request.
            data: `id`, unless the entity is a singleton.
            call: The call.
            row_limit: Irrelevant: there is one row.

        Raises:
            RecordNotFoundError: QuickBooks has no such record.
            ConnectorError: See `QuickBooksClient.request`.
        """
        del row_limit
        answer = client.read(self.resource.path or "", data.get("id"), self.resource.entity, call)
        record: dict[str, Any] = answer.body[self.resource.entity]
        today = company_date(answer, call)
        record.update(self._read_flat(record, today))
        dated = {"companyDate": today.isoformat()} if self.resource.status else {}
        return {self.resource.record_key: record, "metadata": metadata(client, call) | dated}
