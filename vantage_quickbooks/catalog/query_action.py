"""The action for people who know Intuit's query language: one SELECT statement, checked before it is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.contract import Action
from vantage_quickbooks.core import query
from vantage_quickbooks.errors import FieldError, InputError, UnexpectedResponseError
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

__all__ = ["QueryAction", "check_statement"]

_STATEMENT = re.compile(r"\s*select\s.+?\sfrom\s+(?P<entity>[A-Za-z]+)\b.*", re.IGNORECASE | re.DOTALL)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'")
_CLAUSE = {
    name: re.compile(rf"\b{name}\s+(-?[0-9]+)", re.IGNORECASE) for name in ("startposition", "maxresults")
}  # fmt: skip
_COUNT = re.compile(r"count\s*\(\s*\*\s*\)", re.IGNORECASE)


class QueryAction:
    """Implements `handler.Handler`."""

    action = Action(
        id="query",
        title="Run a query",
        description="Runs one SELECT statement of the QuickBooks query language and returns its rows, for people who "
        "know that language. One API call; at most 1,000 rows, 100 unless the statement says MAXRESULTS.",
        rows_key="rows",
        group="core",
        examples=(
            {"query": "SELECT * FROM Invoice WHERE Balance > '0' ORDERBY DueDate MAXRESULTS 50"},
            {"query": "SELECT COUNT(*) FROM Customer"},
        ),
    )

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return the rows of a statement.

        Args:
            client: Sends the request.
            data: `query`: the statement.
            call: The call.
            row_limit: The host's cap on rows: the statement's MAXRESULTS is lowered to it.

        Returns:
            `rows` as Intuit sent them, `count`, `totalCount` (what a COUNT(*) found, otherwise None) and `metadata`,
            with the statement that was sent, the entity and the number of metered API calls.

        Raises:
            InputError: It is not one SELECT statement, or MAXRESULTS or STARTPOSITION is out of bounds.
            ConnectorError: See `QuickBooksClient.request`.
        """
        statement, entity, limit = check_statement(data["query"], client.settings.max_results, row_limit)
        answer = client.query(statement, call)
        response = answer.body["QueryResponse"]
        rows = _rows(response)
        if rows is None:
            raise UnexpectedResponseError(
                "QuickBooks answered with neither rows nor an empty result.", details={"intuitTid": answer.intuit_tid}
            )
        is_count = bool(_COUNT.search(_STRING.sub("", statement)))
        return {
            "rows": rows[:limit],
            "count": len(rows[:limit]),
            "totalCount": response.get("totalCount") if is_count else None,
            "metadata": metadata(
                client, call, query=statement, entity=entity, maxResults=limit, mayHaveMore=len(rows) >= limit
            ),
        }


def check_statement(text: str, max_results: int, row_limit: int | None = None) -> tuple[str, str, int]:
    """Check a statement before it costs an API call.

    Args:
        text: The statement.
        max_results: Rows unless it says MAXRESULTS.
        row_limit: The host's cap on rows.

    Returns:
        The statement with its MAXRESULTS, the entity, and the number of rows that it asks for.

    Raises:
        InputError: It is not one SELECT statement over one entity, or a number is out of bounds.

    Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries
    """
    text = text.strip().rstrip(";").strip()
    bare = _STRING.sub(lambda found: "'" + "x" * (len(found[0]) - 2) + "'", text)  # as long, without its words
    found = _STATEMENT.fullmatch(bare)
    if found is None or ";" in bare:
        raise _invalid("Only one SELECT statement over one entity can be run.", "Write SELECT * FROM Invoice, say.")
    start = _number(bare, "startposition")
    if start is not None and not 1 <= start <= 2**31 - 1:
        raise _invalid("STARTPOSITION is out of bounds.", "Give a position from 1 up.")
    asked = _number(bare, "maxresults")
    if asked is not None and not 1 <= asked <= query.MAX_PAGE:
        raise _invalid(f"MAXRESULTS is out of bounds: 1 to {query.MAX_PAGE}.", "Give a number from 1 to 1000.")
    limit = min(number for number in (max_results if asked is None else asked, row_limit) if number is not None)
    if asked is None:
        text = f"{text} MAXRESULTS {limit}"
    elif asked != limit:
        clause = _CLAUSE["maxresults"].search(bare)
        text = text if clause is None else f"{text[: clause.start(1)]}{limit}{text[clause.end(1) :]}"
    return text, found["entity"], limit


def _number(bare: str, clause: str) -> int | None:
    found = _CLAUSE[clause].search(bare)
    return int(found[1]) if found else None


def _invalid(message: str, hint: str) -> InputError:
    return InputError(f"query: {message} {hint}", [FieldError("query", "statement", message, hint)])


def _rows(response: Mapping[str, Any]) -> list[Any] | None:
    """Return the list of records in a `QueryResponse`; the empty object means no rows; None if it is neither."""
    lists = [value for value in response.values() if isinstance(value, list)]
    if lists:
        return lists[0] if len(lists) == 1 and all(isinstance(row, dict) for row in lists[0]) else None
    return [] if all(isinstance(value, int) for value in response.values()) else None
