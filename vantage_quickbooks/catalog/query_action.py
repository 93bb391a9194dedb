"""The action for people who know Intuit's query language: one SELECT statement, checked before it is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from vantage_quickbooks.catalog.descriptions import QUERY
from vantage_quickbooks.core import query
from vantage_quickbooks.errors import FieldError, InputError, UnexpectedResponseError
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

__all__ = ["QueryAction", "Statement", "check_statement"]

_TOKEN = re.compile(
    r"\s+"
    r"|(?P<string>'(?:[^'\\]|\\.)*')"
    r"|(?P<word>[A-Za-z_][\w.]*)"
    r"|(?P<number>[+-]?[0-9][\w.]*)"
    r"|(?P<sign>[<>!]?=|[<>(),*])",
    re.ASCII | re.DOTALL,
)
"""The tokens of the language, as recorded messages of its parser list them. It has no comments."""

_BOUNDS = {"startposition": 2**31 - 1, "maxresults": query.MAX_PAGE}
_HINT = "Write a statement such as SELECT * FROM Invoice."


class Statement(NamedTuple):
    """A statement that was checked.

    Attributes:
        text: The statement as it is sent.
        entity: The entity that it reads, as spelled in the statement.
        limit: Maximum number of rows.
        is_count: Whether it is a COUNT(*), which has a number in place of rows.
    """

    text: str
    entity: str
    limit: int
    is_count: bool


class QueryAction:
    """Implements `handler.Handler`."""

    action = QUERY

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
        statement = check_statement(data["query"], client.settings.max_results, row_limit)
        answer = client.query(statement.text, call)
        response = answer.body["QueryResponse"]
        rows = _rows(response)
        if rows is None:
            raise UnexpectedResponseError(
                "QuickBooks answered with neither rows nor an empty result.", details={"intuitTid": answer.intuit_tid}
            )
        limit, more = statement.limit, len(rows) >= statement.limit
        described = metadata(
            client, call, query=statement.text, entity=statement.entity, maxResults=limit, mayHaveMore=more
        )
        return {
            "rows": rows[:limit],
            "count": len(rows[:limit]),
            "totalCount": response.get("totalCount") if statement.is_count else None,
            "metadata": described,
        }


def check_statement(text: str, max_results: int, row_limit: int | None = None) -> Statement:
    """Check a statement before it costs an API call.

    Names and conditions are left to QuickBooks, where they can only fail: the statement reads one entity, and no more
    rows than its limit.

    Args:
        text: The statement.
        max_results: Rows unless it says MAXRESULTS.
        row_limit: The host's cap on rows.

    Raises:
        InputError: It is not one SELECT statement over one entity, or a number is out of bounds.

    Source: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries
    """
    text = text.strip().rstrip(";").strip()
    tokens = _tokens(text)
    words = [token[0].lower() for token in tokens]
    kinds = [token.lastgroup for token in tokens]
    if words[:1] != ["select"] or words.count("select") > 1 or words.count("from") != 1:
        raise _invalid("Only one SELECT statement can be run.", _HINT)
    start = words.index("from")
    is_count = words[1:start] == ["count", "(", "*", ")"]
    selected = tokens[1:start]
    if not (is_count or all(token.lastgroup == "word" or token[0] in {"*", ","} for token in selected)):
        raise _invalid("SELECT takes *, COUNT(*) or properties.", _HINT)
    if kinds[start + 1 : start + 2] != ["word"] or words[start + 2 : start + 3] == [","]:
        raise _invalid("FROM takes one entity.", _HINT)
    numbers = {clause: _number(clause, tokens, words) for clause in _BOUNDS}
    asked = numbers["maxresults"]
    limit = max_results if asked is None else int(asked[0])
    if row_limit is not None:
        limit = min(limit, row_limit)
    if asked is None and not is_count:  # no recorded COUNT has a MAXRESULTS
        text = f"{text} MAXRESULTS {limit}"
    elif asked is not None and int(asked[0]) != limit:
        text = f"{text[: asked.start()]}{limit}{text[asked.end() :]}"
    return Statement(text, tokens[start + 1][0], limit, is_count)


def _tokens(text: str) -> list[re.Match[str]]:
    """Return the tokens of a statement, without the whitespace between them."""
    tokens, position = [], 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _invalid(
                f"Character {position + 1} does not begin a token of the query language.",
                "Put text in single quotes, with \\' for an apostrophe, and leave out comments.",
            )
        position = found.end()
        if found.lastgroup:
            tokens.append(found)
    return tokens


def _number(clause: str, tokens: list[re.Match[str]], words: list[str]) -> re.Match[str] | None:
    """Return the token with the number of a clause; None if the statement does not have the clause."""
    if clause not in words:
        return None
    maximum, index = _BOUNDS[clause], words.index(clause) + 1
    number = words[index] if index < len(words) else ""
    is_whole = number.isdigit() and len(number) <= len(str(maximum))
    if words.count(clause) > 1 or not is_whole or not 1 <= int(number) <= maximum:
        raise _invalid(
            f"{clause.upper()} takes one number from 1 to {maximum}.",
            f"Write, for example, {clause.upper()} 50, and only once.",
        )
    return tokens[index]


def _invalid(message: str, hint: str) -> InputError:
    return InputError(f"query: {message} {hint}", [FieldError("query", "statement", message, hint)])


def _rows(response: Mapping[str, Any]) -> list[Any] | None:
    """Return the list of records in a `QueryResponse`; the empty object means no rows; None if it is neither."""
    lists = [value for value in response.values() if isinstance(value, list)]
    if lists:
        return lists[0] if len(lists) == 1 and all(isinstance(row, dict) for row in lists[0]) else None
    return [] if all(isinstance(value, int) for value in response.values()) else None
