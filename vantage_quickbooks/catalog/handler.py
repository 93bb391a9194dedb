"""What a connection needs of an action: how to describe it, and how to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient
    from vantage_quickbooks.contract import Action

__all__ = ["Handler", "StreamHandler", "TabularHandler", "is_streamable", "is_tabular"]

JSON = dict[str, Any]


class Handler(Protocol):
    """Runs one action.

    Attributes:
        action: The action as data.
    """

    action: Action

    def run(self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None) -> JSON:
        """Return the action's result.

        Args:
            client: Sends the requests.
            data: Input that the action's input schema accepts.
            call: The call.
            row_limit: The host's cap on rows; None means no cap.

        Raises:
            ConnectorError: See `QuickBooksClient.request`.
        """


class TabularHandler(Handler, Protocol):
    """Runs an action whose rows have typed columns."""

    def read_arrow(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None
    ) -> pa.RecordBatch:
        """Return the rows that `run` returns as an Arrow record batch, with the metadata in its schema.

        Args:
            client: As for `run`.
            data: As for `run`.
            call: As for `run`.
            row_limit: As for `run`.

        Raises:
            InputError: The extra `[arrow]` is not installed.
        """


class StreamHandler(TabularHandler, Protocol):
    """Runs an action that can read more than a page."""

    def is_full_read(self, data: Mapping[str, Any]) -> bool:
        """Return whether an input asks for every record rather than for a page."""

    def iter_pages(self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> Iterator[JSON]:
        """Return every record page by page, each page a result of the action's shape, in the order of creation.

        Raises:
            IncompleteReadError: The read cannot be completed; the pages before it are, and their cursor continues.
        """

    def iter_ndjson(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext
    ) -> Iterator[tuple[bytes, JSON]]:
        """Return every record as newline-delimited JSON, page by page, each page with its metadata.

        Raises:
            InputError: The extra `[bulk]` is not installed, or the input asks for changes.
        """

    def iter_arrow(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, *, company_name: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return every record as Arrow record batches, page by page, each with its metadata in its schema.

        Args:
            client: Sends the requests.
            data: Input that the action's input schema accepts.
            call: The call.
            company_name: What the column of this name holds; None: the company's name in QuickBooks.

        Raises:
            InputError: The extra `[arrow]` is not installed, or the input asks for changes.
        """

    def estimate(self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> JSON:
        """Return how many records a full read would find and the API calls it would take; costs one API call."""


def is_streamable(handler: Handler) -> TypeGuard[StreamHandler]:
    """Return whether a handler can read more than a page."""
    return handler.action.streamable


def is_tabular(handler: Handler) -> TypeGuard[TabularHandler]:
    """Return whether the rows of a handler's action have typed columns."""
    return hasattr(handler, "read_arrow")
