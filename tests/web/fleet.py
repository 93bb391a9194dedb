"""A connector of a service that does not exist, with the members of the descriptor that QuickBooks has no use for.

It deletes, has a deprecated action, lists with and without a search, counts metered calls unlike API calls, and reports
changes. `FuturePlugin` registers a connector of another version of the contract, `BrokenPlugin` one that cannot
describe itself.
"""

from __future__ import annotations

import math

from vantage_quickbooks.contract import Action, Cost, Deprecation, FlatField, Keys, Trigger, describe_action, envelope
from vantage_quickbooks.hookspecs import hookimpl

PAGE_ROWS = 5
DRIVERS = [{"no": f"D{number}", "who": {"name": f"{name} Reyes"}} for number, name in enumerate(("Ana", "Anita", "Bo"))]
DEPOTS = [{"code": "N", "title": "North"}, {"code": "S", "title": "South"}]

ACTIONS = (
    Action(
        "listVans",
        "List vans",
        "All vans.",
        rows_key="vans",
        streamable=True,
        group="main",
        modes=("page", "full", "changes"),
        full_read_input={"everything": True},
        keys=Keys(("plate",), updated_at="seen", deletions="cdc"),
        triggers=(
            Trigger("vanChanged", "Van changed", "listVans", "since", "metadata.state", {"everything": True}, "gone"),
        ),
        cost=(Cost("page", 1, 0, "One API call."), Cost("full", 1, 1, "One call for each 5 vans.", 5, 10)),
        flat_fields=(FlatField("driver", "text", "Driver"), FlatField("seen", "date", "Last seen")),
        examples=({}, {"driver": "D0"}, {"everything": True}),
    ),
    Action("scrapVan", "Scrap van", "Deletes a van.", None, read_only=False, group="main", destructive=True,
           idempotent=False),
    Action("listDrivers", "List drivers", "All drivers.", "drivers", group="people"),
    Action("listDepots", "List depots", "All depots.", "depots", group="people"),
    Action("oldVans", "List vans (old)", "Vans, as before.", "vans", group="main",
           deprecated=Deprecation("2.0", "listVans")),
    *(Action(f"report{number}", f"Report {number}", "Numbers.", None, group="reports") for number in range(12)),
)  # fmt: skip

DRIVER = {"label": "Driver", "optionsFrom": {"action": "listDrivers", "value": "no", "label": "who.name",
                                             "search": "name", "pattern": "{text}*"}}  # fmt: skip
DEPOT = {"label": "Depot", "optionsFrom": {"action": "listDepots", "value": "code", "label": "title"}}
FORMS = {
    "listVans": {
        "order": ["driver", "depot", "color", "everything", "since"],
        "fields": {"driver": DRIVER, "depot": DEPOT, "color": {"label": "Color", "group": "advanced"}},
    },
    "scrapVan": {"order": ["driver", "plate"], "fields": {"driver": DRIVER, "plate": {"label": "Plate"}}},
}
CAPABILITIES = ["describeAction", "stream", "estimate", "changes", "rowLimit", "cancellation"]


class FleetConnection:
    def __init__(self, fleet, context):
        self.fleet, self.context = fleet, context

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        self.fleet.calls.append((action_id, dict(input or {}), self.context.row_limit))
        action = next(action for action in ACTIONS if action.id == action_id)
        error = self._error(action_id, dict(input or {}))
        if error:
            return envelope(error=error, action=action)
        return envelope(data=self._result(action_id, dict(input or {})), action=action)

    @staticmethod
    def _error(action_id, data):
        if action_id == "scrapVan" and data.get("plate") == "busy":
            return {"code": "SERVICE_UNAVAILABLE", "message": "The registry is busy.", "retryable": True}
        if action_id == "listVans" and data.get("driver", "D0") not in {row["no"] for row in DRIVERS}:
            field = {"field": "driver", "message": "Unknown driver.", "hint": "Look one up."}
            return {"code": "INPUT_INVALID", "message": "1 error.", "fields": [field]}
        return None

    def _result(self, action_id, data):
        if action_id == "listDrivers":
            name = data.get("name", "").removesuffix("*").casefold()
            return {"drivers": [row for row in DRIVERS if row["who"]["name"].casefold().startswith(name)]}
        if action_id == "listDepots":
            return {"depots": DEPOTS}
        if action_id == "scrapVan":
            self.fleet.vans.pop(data["plate"])
            return {"scrapped": data["plate"]}
        return {"vans": list(self.fleet.vans.values())[:PAGE_ROWS], "metadata": {"mayHaveMore": True}}

    def stream(self, action_id, input=None):  # noqa: A002 -- the contract's word
        self.fleet.calls.append((action_id, dict(input or {}), self.context.row_limit))
        since = (input or {}).get("since")
        rows = list(self.fleet.vans.values()) if since is None else []
        for first in range(0, max(1, len(rows)), PAGE_ROWS):
            is_last = first + PAGE_ROWS >= len(rows)
            page = {"vans": rows[first : first + PAGE_ROWS], "metadata": {"complete": is_last}}
            if is_last and not (input or {}).get("driver"):
                page["metadata"]["state"] = sorted(self.fleet.vans)
            if is_last and since is not None and self.fleet.reports_deletions:
                page["gone"] = [{"plate": plate} for plate in since if plate not in self.fleet.vans]
            yield page

    def estimate(self, action_id, input=None):  # noqa: A002 -- the contract's word
        self.fleet.calls.append((action_id, dict(input or {}), "estimate"))
        return {"totalCount": len(self.fleet.vans), "apiCalls": 1 + math.ceil(len(self.fleet.vans) / PAGE_ROWS)}

    def close(self):
        pass


class Fleet:
    id = "fleet"

    def __init__(self):
        self.calls, self.described, self.reports_deletions = [], [], True
        self.vans = {
            f"V-{number}": {"plate": f"V-{number}", "driver": "Ana", "seen": "2026-01-02", "extra": number}
            for number in range(12)
        }

    def describe(self, *, schemas=True):
        return {
            "contractVersion": "1.7",
            "contractVersions": ["1", "2"],
            "id": self.id,
            "displayName": "Fleet",
            "settingsSchema": {"properties": {"api_key": {"type": "string", "writeOnly": True}}},
            "capabilities": CAPABILITIES,
            "groups": [{"id": name, "title": name.title()} for name in ("main", "people", "reports")],
            "actions": [self._describe(action, schemas=schemas) for action in ACTIONS],
        }

    def describe_action(self, action_id):
        self.described.append(action_id)
        return self._describe(next(action for action in ACTIONS if action.id == action_id), schemas=True)

    def _describe(self, action, *, schemas):
        form = FORMS.get(action.id, {"order": [], "fields": {}})
        rules = {name: {"type": "boolean" if name == "everything" else "string"} for name in form["order"]}
        members = {"inputSchema": {"properties": rules}, "inputForm": form, "outputSchema": {}}
        return describe_action(action, self.id, **(members if schemas else {}))

    def validate(self, _settings):
        return {"valid": True, "fields": [], "warnings": []}

    def connect(self, _settings, context=None):
        return FleetConnection(self, context)


class Plugin:
    def __init__(self):
        self.connector = Fleet()

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.connector)


class FuturePlugin:
    """A connector that only offers version 9 of the contract."""

    class Connector(Fleet):
        id = "future"

        def describe(self, **_):
            return super().describe() | {"contractVersion": "9.0", "contractVersions": ["9"], "displayName": "Future"}

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.Connector())


class BrokenPlugin:
    """A connector that cannot describe itself."""

    class Connector(Fleet):
        id = "broken"

        def describe(self, **_):
            raise RuntimeError("a s3cret")

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.Connector())
