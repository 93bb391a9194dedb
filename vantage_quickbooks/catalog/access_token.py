"""The action that returns a valid access token, refreshed first if necessary."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.descriptions import GET_ACCESS_TOKEN
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

__all__ = ["GetAccessToken"]

_iso = functools.lru_cache(maxsize=256)(iso)  # the same three instants for as long as a token is valid


class GetAccessToken:
    """Implements `handler.Handler`."""

    action = GET_ACCESS_TOKEN

    def run(
        self, client: QuickBooksClient, data: Mapping[str, Any], call: CallContext, row_limit: int | None = None
    ) -> dict[str, Any]:
        """Return the access token.

        Args:
            client: The client whose token it is.
            data: No input.
            call: The call.
            row_limit: Irrelevant: there are no rows.

        Returns:
            The token, its type and its expiry (`expiresIn` in whole seconds from now), whether this call refreshed it,
            and when the refresh token expires: unless it is used (rolling, 100 days), and for good (None if Intuit did
            not say).

        Raises:
            ConnectorError: There is no token; see `Authorizer.token`.
        """
        del data, row_limit
        record = client.authorizer.token(call)
        return {
            "accessToken": record.access_token.reveal(),
            "tokenType": record.token_type,
            "expiresAt": _iso(record.access_token_expires_at),
            "expiresIn": int((record.access_token_expires_at - call.now()).total_seconds()),
            "refreshed": call.refreshed,
            "refreshTokenExpiresAt": _iso(record.refresh_token_expires_at),
            "refreshTokenHardExpiresAt": _iso(record.refresh_token_hard_expires_at),
            "metadata": metadata(client, call),
        }
