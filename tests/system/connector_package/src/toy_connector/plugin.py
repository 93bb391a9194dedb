"""What the entry point names."""

from toy_connector.hookspecs import hookimpl


class Weather:
    """A connector of one action."""

    id = "weather"

    def describe(self):
        """Return what a host shows."""
        return {"id": self.id, "displayName": "Weather", "actions": [{"id": "today", "rowsKey": "days"}]}

    def connect(self, settings, context=None):  # noqa: ARG002 -- the contract's
        """Return the connection."""
        return WeatherConnection(context)


class WeatherConnection:
    """Answers with one row, and reports the call."""

    def __init__(self, context):
        self.context = context

    def call(self, action_id, input=None):  # noqa: A002, ARG002 -- the contract's
        """Run an action."""
        self.context.audit({"operation": f"weather.{action_id}"})
        meta = {"action": action_id, "rows_key": "days"}
        return {"success": True, "data": {"days": [{"sun": True}], "metadata": {}}, "meta": meta}


@hookimpl
def vantage_register_connectors(register):
    """Offer the connector."""
    register(Weather())
