"""The reconnect address: leads to the consent of exactly one company.

Theory of operation
1. An app's settings at the provider name one address for all of its customers, `/reconnect`; Intuit requires a
   "Reconnect URL" since January 2026 and does not document what it passes there. The account is taken from the
   parameters that the provider also sends to the OAuth callback (`callbackFields` of the descriptor: `realmId`), in any
   case. Without one, the connections that need it are listed.
2. `/connections/{id}/reconnect` starts the flow. Consent with another account than the connection's is refused before
   the code is exchanged, so nothing changes (see `oauth`).
3. Both are opened from other sites, with which browsers send no Strict cookie. The first response is therefore a page
   that requests the same address once more, now from this site. A person who is not signed in signs in by the printed
   URL; a cookie remembers the address for ten minutes (see `security`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vantage_quickbooks.web.templating import NotFound, redirect
from vantage_quickbooks.web.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host, Listed
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record
    from vantage_quickbooks.web.templating import Templates

__all__ = ["ReconnectPages"]


class ReconnectPages(View):
    """The reconnect addresses, and the fragment that says which state a connection is in.

    Args:
        host: The connectors and connections.
        runs: The runs.
        templates: The page templates.
        start_flow: Starts the OAuth flow of a connection.
    """

    def __init__(
        self, host: Host, runs: Runs, templates: Templates, start_flow: Callable[[Request, Record], Response]
    ) -> None:
        super().__init__(host, runs, templates)
        self._start_flow = start_flow

    def find(self, request: Request) -> Response:
        """Find the connection that the provider means, and lead to its consent."""
        found, failures = self._host.listed()
        if failures:
            raise failures[0]
        asked = self._accounts(request.query_params)
        if not asked:
            waiting = [item for item in found if item.state == "refused"]
            return redirect(_address(waiting[0])) if len(waiting) == 1 else redirect("/?state=refused")
        matching = [item for item in found if item.can_open and (item.connector, item.account) in asked]
        if len(matching) == 1:
            return redirect(_address(matching[0]))
        if not matching:
            accounts = " or ".join(sorted({account for _, account in asked}))
            raise NotFound(f"There is no connection to {accounts}. Create one, or check the address.")
        return self._page(request, "reconnect.html", choices=[(item, _address(item)) for item in matching])

    def start(self, request: Request) -> Response:
        """Start the consent of one connection."""
        record = self._record(request)
        if not self._host.supports_oauth(record.connector):
            raise NotFound("This connector does not connect by consent. Enter new credentials in the settings.")
        if record.error is not None:
            return redirect(f"/connections/{record.id}")
        return self._start_flow(request, record)

    def state(self, request: Request) -> Response:
        """Return the banner of a connection's state, for pages that are open."""
        record = self._record(request)
        return self._page(request, "state.html", record=record)

    def _accounts(self, parameters: Mapping[str, str]) -> set[tuple[str, str]]:
        """Return connector and account of each connector that understands the parameters."""
        given = {name.casefold(): value.strip() for name, value in parameters.items() if value.strip()}
        found: set[tuple[str, str]] = set()
        for connector_id in self._host.connectors:
            named: Mapping[str, Any] = self._host.describe(connector_id)["auth"].get("callbackFields", {})
            found |= {(connector_id, given[name.casefold()]) for name in named if name.casefold() in given}
        return found


def _address(item: Listed) -> str:
    return f"/connections/{item.id}/reconnect"
