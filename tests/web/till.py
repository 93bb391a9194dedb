"""A connector of a service that does not exist, with a dashboard; its answers can be held, and can fail."""

from __future__ import annotations

import threading
from datetime import date, timedelta

from vantage_quickbooks.contract import Action, Cost, describe_action, envelope
from vantage_quickbooks.hookspecs import hookimpl

PAGE_ROWS = 3
LISTING = {
    "title": "Tickets",
    "one": "ticket",
    "many": "tickets",
    "isPinned": True,
    "filters": [
        {"id": "state", "title": "State", "kind": "choice", "inputs": ["state"], "isAdjective": True, "isMain": True},
        {"id": "day", "title": "Day", "kind": "dateRange", "inputs": ["day_from", "day_to"],
         "presets": [{"id": "thisWeek", "title": "This week", "from": {"unit": "day", "offset": -6}}]},
    ],
    "pageSize": {"input": "size", "maximum": PAGE_ROWS},
}  # fmt: skip
ACTIONS = (
    Action(
        "listTickets", "List tickets", "All tickets.", "tickets", streamable=True, modes=("page", "full"),
        full_read_input={"everything": True}, listing=LISTING,
        cost=(Cost("page", 1, 1, "One call."), Cost("full", 1, 1, "One call for each 3.", 3, 3)),
        views=({"kind": "table", "columns": [
            {"field": "no", "label": "Number"}, {"field": "state", "label": "State"},
            {"field": "sum", "label": "Sum", "format": "money", "currency": "unit"}]},),
    ),
    Action("getStats", "Get stats", "Numbers.", None),
    Action("getRates", "Get rates", "Rates by month.", "rates"),
)  # fmt: skip
DASHBOARD = {
    "sources": [
        {"id": "tickets", "action": "listTickets", "reads": "all"},
        {"id": "firstTickets", "action": "listTickets"},
        {"id": "stats", "action": "getStats"},
        {"id": "rates", "action": "getRates"},
        {"id": "gone", "action": "listNothing"},
    ],
    "tiles": [
        {"id": "sales", "kind": "number", "title": "Sales", "source": "tickets", "value": {"sum": "sum"},
         "currency": "unit", "empty": "No sales yet"},
        {"id": "open", "kind": "number", "title": "Open", "source": "tickets", "tone": "bad",
         "where": [{"field": "state", "equals": ["open"]}], "link": {"action": "listTickets",
                                                                     "input": {"state": "open"}}},
        {"id": "week", "kind": "number", "title": "This week", "source": "tickets", "value": {"count": True},
         "where": [{"field": "day", "from": {"unit": "day", "offset": -6}}],
         "link": {"action": "listTickets", "presets": {"day": "thisWeek"}}},
        {"id": "staff", "kind": "number", "title": "Staff", "source": "stats", "value": {"path": "people.count"}},
        {"id": "first", "kind": "number", "title": "First", "source": "firstTickets", "value": {"count": True}},
        {"id": "states", "kind": "shares", "title": "Tickets by state", "source": "tickets", "by": "state",
         "value": {"sum": "sum"}, "currency": "unit",
         "partLink": {"action": "listTickets", "rowInput": {"state": "state"}}, "empty": "No tickets."},
        {"id": "rates", "kind": "periods", "title": "Rates", "source": "rates", "columns": "months",
         "series": [{"label": "Rate", "where": []}], "empty": "No rates."},
        {"id": "orphan", "kind": "number", "title": "Orphan", "source": "gone"},
        {"id": "novelty", "kind": "hologram", "title": "Novelty", "source": "stats"},
    ],
}  # fmt: skip


def ticket(number, amount, unit="USD", state="open", days_ago=0):
    day = (date.today() - timedelta(days=days_ago)).isoformat()  # noqa: DTZ011 -- the date of the server
    return {"no": f"T{number}", "sum": amount, "unit": unit, "state": state, "day": day}


class Connection:
    def __init__(self, till):
        self.till = till

    def _tickets(self, data):
        wanted = [it for it in self.till.tickets if data.get("state") in {None, it["state"]}]
        return [it for it in wanted if it["day"] >= (data.get("day_from") or "")]

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        self.till.calls.append(action_id)
        assert self.till.may_answer.wait(60)
        action = next(action for action in ACTIONS if action.id == action_id)
        if action_id in self.till.errors:
            return envelope(error=self.till.errors[action_id], action=action)
        if action_id == "getStats":
            return envelope(data={"people": {"count": 12}}, action=action)
        if action_id == "getRates":
            months = [{"field": "a", "label": "May 2026", "startDate": "2026-05-01"}]
            return envelope(data={"rates": [{"a": rate} for rate in self.till.rates], "months": months}, action=action)
        found = self._tickets(input or {})
        metadata = {"mayHaveMore": len(found) > PAGE_ROWS, "apiCalls": 1}
        return envelope(data={"tickets": found[:PAGE_ROWS], "metadata": metadata}, action=action)

    def stream(self, action_id, input=None):  # noqa: A002 -- the contract's word
        self.till.calls.append(f"{action_id} in full")
        found = self._tickets(input or {})
        for first in range(0, max(1, len(found)), PAGE_ROWS):
            is_last = first + PAGE_ROWS >= len(found)
            yield {"tickets": found[first : first + PAGE_ROWS],
                   "metadata": {"complete": is_last, "apiCalls": first // PAGE_ROWS + 1}}  # fmt: skip

    def close(self):
        pass


class Till:
    id = "till"

    def __init__(self):
        self.calls, self.errors, self.rates = [], {}, [7]
        self.dashboard = DASHBOARD
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.tickets = [ticket(1, 10.1), ticket(2, 20.2), ticket(3, 5, "EUR", "sold", 9), ticket(4, 1.5, "USD", "sold")]

    def describe(self):
        return {
            "contractVersion": "1.3",
            "id": self.id,
            "displayName": "Till",
            "settingsSchema": {"properties": {"shop": {"type": "string"}}},
            "capabilities": ["stream"],
            "dashboard": self.dashboard,
            "actions": [self._describe(action) for action in ACTIONS],
        }

    def _describe(self, action):
        names = ["state", "day_from", "day_to", "size"] if action.id == "listTickets" else []
        fields = {name: {"label": name} for name in names}
        if names:
            fields["state"]["options"] = [{"value": it, "label": it} for it in ("open", "sold")]
        schema = {"properties": {name: {"type": "string"} for name in [*names, *(["everything"] if names else [])]}}
        form = {"order": names, "fields": fields}
        return describe_action(action, self.id, inputSchema=schema, inputForm=form, outputSchema={})

    def validate(self, _settings):
        return {"valid": True, "fields": [], "warnings": []}

    def connect(self, _settings, _context=None):
        return Connection(self)


class Plugin:
    def __init__(self):
        self.connector = Till()

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.connector)
