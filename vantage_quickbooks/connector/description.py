"""The connector as data: what a host renders, lists and checks without calling anything."""

from __future__ import annotations

import copy
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.catalog.dashboard import DASHBOARD
from vantage_quickbooks.catalog.descriptions import DESCRIPTIONS
from vantage_quickbooks.catalog.listings import PRESETS, link_sets
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.settings import GRANT_FIELDS
from vantage_quickbooks.contract import CAPABILITIES, CONTRACT_VERSION, CONTRACT_VERSIONS, Group, describe_action
from vantage_quickbooks.core import endpoints

if TYPE_CHECKING:
    from vantage_quickbooks.contract import Action

__all__ = ["CONNECTOR_ID", "GROUPS", "describe", "describe_one"]

CONNECTOR_ID = "quickbooks"

GROUPS = (
    Group("core", "Core actions"),
    Group("sales", "Sales"),
    Group("purchases", "Purchases"),
    Group("lists", "Lists"),
    Group("accounting", "Accounting"),
    Group("reports", "Reports"),
)
"""The groups of actions, in the order in which a host shows them."""

# Our own drawing, a ledger with two columns: the QuickBooks logo is Intuit's mark.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%23217a3c' "
    "stroke-width='2'%3E%3Crect x='3' y='3' width='18' height='18' rx='3'/%3E%3Cpath d='M12 3v18M6.5 8h2M6.5 12h2M6.5 "
    "16h2M15.5 8h2M15.5 12h2M15.5 16h2'/%3E%3C/svg%3E"
)


def describe(*, schemas: bool = True) -> dict[str, Any]:
    """Return the connector as plain JSON: settings schema and form, authorization, actions.

    Args:
        schemas: Whether the actions come with their input schema, form and output schema.
    """
    return {
        "contractVersion": CONTRACT_VERSION,
        "contractVersions": list(CONTRACT_VERSIONS),
        "id": CONNECTOR_ID,
        "displayName": "QuickBooks Online",
        "version": version("vantage-quickbooks"),
        "category": "commerce",
        "description": "Customers, sales, purchases, lists, accounts and reports of a company in QuickBooks Online.",
        "icon": {"mediaType": "image/svg+xml", "dataUri": _ICON},
        "authType": "oauth2_refresh_token",
        "auth": {
            "authorizationUrl": endpoints.AUTHORIZATION_URL,
            "tokenUrl": endpoints.OAUTH_URL + endpoints.TOKEN_PATH,
            "revocationUrl": endpoints.REVOCATION_URL,
            "scopes": [endpoints.SCOPE],
            "rotatesRefreshToken": True,
            "secretFields": ["client_secret", "refresh_token"],
            "tokenAuth": "client_secret_basic",
            "pkce": False,  # Intuit documents none
            "grantFields": list(GRANT_FIELDS),
            "callbackFields": {"realmId": "realm_id"},
            "accountName": "company",
            "redirectHelp": "Intuit accepts http://localhost for development keys (sandbox companies) only; "
            "production keys need an https URL.",
        },
        "docsUrl": "https://developer.intuit.com/app/developer/qbo/docs/get-started/get-client-id-and-client-secret",
        "permissions": {"connect": "manage_integrations", "invoke": "run_workflows"},
        "settingsSchema": load_schema("settings.schema"),
        "settingsForm": load_schema("settings.form"),
        "capabilities": list(CAPABILITIES),
        "groups": [{"id": group.id, "title": group.title} for group in GROUPS],
        "dashboard": copy.deepcopy(DASHBOARD),
        "presets": {name: copy.deepcopy(list(presets)) for name, presets in PRESETS.items()},
        "linkSets": link_sets(RESOURCES),
        "actions": [_describe(action, schemas=schemas) for action in DESCRIPTIONS.values()],
    }


def describe_one(action_id: str) -> dict[str, Any]:
    """Return one action in full.

    Raises:
        KeyError: There is no such action.
    """
    return _describe(DESCRIPTIONS[action_id], schemas=True)


def _describe(action: Action, *, schemas: bool) -> dict[str, Any]:
    members: dict[str, Any] = {"requiredScopes": [endpoints.SCOPE]}
    if schemas:
        members |= {
            "inputSchema": load_schema(f"{action.id}.input.schema"),
            "inputForm": load_schema(f"{action.id}.form"),
            "outputSchema": load_schema(f"{action.id}.output.schema"),
        }
    return describe_action(action, CONNECTOR_ID, **members)
