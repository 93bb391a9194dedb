"""The module that the entry point names."""

import uuid
from datetime import UTC, datetime

from toy_connector.hookspecs import hookimpl


class Weather:
    """A connector of one action that offers the minimum of the contract."""

    id = "weather"

    def describe(self):
        """Return what a host shows."""
        return {
            "contractVersion": "1",
            "id": self.id,
            "displayName": "Weather",
            "settingsSchema": {"type": "object", "properties": {}},
            "actions": [
                {
                    "id": "today",
                    "title": "Today",
                    "rowsKey": "days",
                    "inputSchema": {"type": "object", "additionalProperties": False, "properties": {}},
                    "outputSchema": {"type": "object", "required": ["days"]},
                }
            ],
        }

    def validate(self, settings):  # noqa: ARG002 -- the contract's
        """Accept everything: there are no settings."""
        return {"valid": True, "fields": [], "warnings": []}

    def connect(self, settings, context=None):  # noqa: ARG002 -- the contract's
        """Return the connection."""
        return WeatherConnection(context)


class WeatherConnection:
    """Answers with one row, and reports the call."""

    def __init__(self, context):
        self.context = context

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's
        """Run an action."""
        meta = {"request_id": str(uuid.uuid4()), "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        if action_id != "today":
            return self.failure("ACTION_NOT_FOUND", "There is no such action.", [], meta)
        meta |= {"action": action_id, "rows_key": "days"}
        if input not in (None, {}):
            names = list(input) if isinstance(input, dict) else []
            fields = [{"field": name, "message": "There is no such input."} for name in names]
            return self.failure("INPUT_INVALID", "There are no inputs.", fields, meta)
        if self.context and self.context.audit:
            self.context.audit({"operation": f"weather.{action_id}"})
        return {"success": True, "data": {"days": [{"sun": True}], "metadata": {}}, "meta": meta}

    @staticmethod
    def failure(code, message, fields, meta):
        """Return the envelope of a failure."""
        error = {"code": code, "message": message, "retryable": False, "fields": fields}
        return {"success": False, "error": error, "meta": meta}

    def close(self):
        """Do nothing."""


@hookimpl
def vantage_register_connectors(register):
    """Offer the connector."""
    register(Weather())
