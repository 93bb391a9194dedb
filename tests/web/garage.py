"""A second connector, of a service that does not exist: the host must show it and work it like any other."""

from __future__ import annotations

from urllib.parse import urlencode

from vantage_quickbooks.errors import FieldError, SettingsError
from vantage_quickbooks.hookspecs import hookimpl

ROWS = [
    {
        "plate": f"T-{number}",
        "owner": {"name": f"<b>Owner {number}</b>"},
        "km": 1000.5 * number,
        "sold": number % 2 == 0,
    }
    for number in range(1, 251)
]


class GarageConnection:
    def __init__(self, settings, context):
        self.settings, self.context = settings, context

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        if action_id == "breakDown":
            raise RuntimeError(f"a defect beside {self.settings['api_key']}")
        rows = [row for row in ROWS if row["sold"] or not (input or {}).get("sold_only")]
        return {"success": True, "data": {"cars": rows, "count": len(rows), "metadata": {}}, "meta": {}}

    def test(self):
        return {"ok": True, "checks": [{"name": "garage", "ok": True, "message": "The gate opens."}]}

    def disconnect(self):
        return {"revoked": True, "message": "The key was handed back."}

    def close(self):
        pass


class Garage:
    id = "garage"

    def __init__(self):
        self.verifier = self.challenge = None

    def describe(self):
        action = {"readOnly": True, "sensitiveOutput": False, "streamable": False, "outputSchema": {}}
        return {
            "contractVersion": "1",
            "id": self.id,
            "displayName": "Garage & Sons",
            "version": "9",
            "description": "Cars.",
            "auth": {"pkce": True, "grantFields": ["ticket"], "callbackFields": {}},
            "settingsSchema": {
                "type": "object",
                "required": ["api_key"],
                "properties": {
                    "api_key": {"type": "string", "title": "Key", "writeOnly": True},
                    "ticket": {"type": "string", "title": "Ticket", "writeOnly": True},
                    "doors": {"type": "array", "items": {"type": "string", "enum": ["left", "right"]}},
                    "options": {"type": "object"},
                    "open_late": {"type": "boolean"},
                    "discount": {"type": "number"},
                },
            },
            "settingsForm": {"order": ["api_key"], "fields": {}},
            "actions": [
                {
                    "id": "listCars", "title": "List cars", "description": "All cars.", "rowsKey": "cars",
                    "inputSchema": {"properties": {"sold_only": {"type": "boolean", "title": "Sold only"}}}, **action,
                },
                {"id": "breakDown", "title": "Break down", "description": "Fails.", "rowsKey": None,
                 "inputSchema": {}, **action},
            ],
        }  # fmt: skip

    def validate(self, settings):
        errors = [] if settings.get("api_key") else [FieldError("api_key", "required", "Key is missing.", "Get one.")]
        return {"valid": not errors, "fields": [error.to_dict() for error in errors], "warnings": []}

    def connect(self, settings, context=None):
        if not settings.get("api_key"):
            raise SettingsError("Key is missing.")
        return GarageConnection(settings, context)

    def authorization_url(self, settings, *, redirect_uri, state, code_challenge):  # noqa: ARG002 -- the contract's
        self.challenge = code_challenge
        return "http://127.0.0.1:9/consent?" + urlencode({"redirect_uri": redirect_uri, "state": state})

    def exchange_code(self, settings, *, code, redirect_uri, code_verifier):  # noqa: ARG002 -- the contract's
        self.verifier = code_verifier
        return {"ticket": f"ticket for {code}"}


class Plugin:
    def __init__(self):
        self.connector = Garage()

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.connector)
