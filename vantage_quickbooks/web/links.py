"""Where a row leads: to its own page, to the records that it refers to, and to lists that are narrowed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from vantage_quickbooks.row_values import value_at
from vantage_quickbooks.web.listings import is_list, parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Links", "list_url", "record_url"]


def list_url(connection_id: str, action_id: str, inputs: Mapping[str, Any] | None = None) -> str:
    """Return the URL of a list with these inputs.

    Args:
        connection_id: The connection.
        action_id: The list action.
        inputs: The filters of the list.
    """
    query = urlencode([(parameter(name), str(value)) for name, value in (inputs or {}).items()])
    return f"/connections/{quote(connection_id)}/lists/{action_id}" + (f"?{query}" if query else "")


def record_url(connection_id: str, action_id: str, inputs: Mapping[str, Any]) -> str:
    """Return the URL of a record with these inputs.

    Args:
        connection_id: The connection.
        action_id: The action that reads the record.
        inputs: Its input.
    """
    query = urlencode([(name, str(value)) for name, value in inputs.items()])
    return f"/connections/{quote(connection_id)}/records/{action_id}?{query}"


class Links:
    """The links of an action's rows.

    Args:
        connection_id: The connection.
        actions: The actions of its connector.
        links: The links of the descriptor.
    """

    def __init__(
        self, connection_id: str, actions: Iterable[Mapping[str, Any]], links: Iterable[Mapping[str, Any]]
    ) -> None:
        self._connection_id = connection_id
        self._actions = {action["id"]: action for action in actions}
        self._links = list(links)

    def url(self, link: Mapping[str, Any], row: Mapping[str, Any]) -> str:
        """Return the URL of a link for a row; empty if the row has no value for it, or its target does not exist.

        Args:
            link: The link of the descriptor.
            row: The row.
        """
        action = self._actions.get(str(link["action"]))
        wanted: Mapping[str, Any] = link.get("when") or {}
        if action is None or any(str(value_at(row, path)) != value for path, value in wanted.items()):
            return ""
        inputs = {name: value_at(row, path) for name, path in link["input"].items()}
        if any(value is None or isinstance(value, dict | list) for value in inputs.values()):
            return ""
        make = list_url if is_list(action) else record_url
        return make(self._connection_id, str(link["action"]), inputs)

    def of_field(self, field: str, row: Mapping[str, Any]) -> str:
        """Return the URL to which a field of a row is linked; empty if it has no link.

        Args:
            field: The field.
            row: The row.
        """
        found = (self.url(link, row) for link in self._links if link.get("field") == field)
        return next((url for url in found if url), "")

    def titled(self, row: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return titles and URLs of the links that belong to no member of the row."""
        found = [(str(link["title"]), self.url(link, row)) for link in self._links if link.get("title")]
        return [(title, url) for title, url in found if url]

    def first(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return title and URL of the first link that applies to a row; empty if none does."""
        found = ((str(link.get("title") or ""), self.url(link, row)) for link in self._links)
        return next(((title, url) for title, url in found if url), ("", ""))
