"""Hands out the access token in hand while it is valid, and a new one when it is not."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.contract import Action
from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.sync.page import metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.api.call_context import CallContext
    from vantage_quickbooks.api.client import QuickBooksClient

_written = functools.lru_cache(maxsize=256)(iso)  # the same three instants, as long as a token is good

ACTION = Action(
    group="core",
    id="getAccessToken",
    title="Get access token",
    description="Hands out a valid OAuth access token for the QuickBooks API, refreshed first if it must be. "
    "The result is a secret.",
    sensitive_output=True,
    agent_visible=False,
    examples=({},),
)


def run(client: QuickBooksClient, data: Mapping[str, Any], call: CallContext) -> dict[str, Any]:
    """Return the access token in force.

    Args:
        client: The client whose token it is.
        data: No input.
        call: The call.

    Returns:
        The token, its type and its end (`expiresIn` in whole seconds from now), whether this call refreshed it, and
        the two ends of the grant: unless used (rolling, 100 days), and for good (None if Intuit did not say).

    Raises:
        ConnectorError: No token can be had; see `Authorizer.token`.
    """
    del data
    record = client.authorizer.token(call)
    return {
        "accessToken": record.access_token.reveal(),
        "tokenType": record.token_type,
        "expiresAt": _written(record.access_token_expires_at),
        "expiresIn": int((record.access_token_expires_at - call.now()).total_seconds()),
        "refreshed": call.refreshed,
        "refreshTokenExpiresAt": _written(record.refresh_token_expires_at),
        "refreshTokenHardExpiresAt": _written(record.refresh_token_hard_expires_at),
        "metadata": metadata(client, call),
    }
