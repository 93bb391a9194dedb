"""A site in a separate process whose connector lists any number of rows: `python large_list.py DIRECTORY ROWS`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.hookspecs import hookimpl


def rows_from(first, count):
    """Rows about as large as invoices, each with its own objects, as if decoded from an answer."""
    lines = [{"Id": str(line), "Amount": 10.5 * line, "Detail": {"ItemRef": {"value": str(line), "name": "Pump"}}}
             for line in range(20)]  # fmt: skip
    text = json.dumps([
        {"Id": str(number), "DocNumber": str(number), "Line": lines, "Balance": number % 1000 + 0.5, "daysOverdue": 3,
         "currency": "USD", "customerName": f"Customer {number}", "paymentStatus": "open", "TotalAmt": 1000}
        for number in range(first, first + count)
    ])  # fmt: skip
    return json.loads(text)


class Connection:
    def __init__(self, count):
        self.count = count

    def stream(self, _action, _input=None):
        for first in range(0, self.count, 1000):
            yield {
                "invoices": rows_from(first, min(1000, self.count - first)),
                "metadata": {"complete": first + 1000 >= self.count},
            }

    def close(self):
        pass


class Connector:
    id = "big"

    def __init__(self, count):
        self.count = count

    def describe(self):
        action = {"id": "list", "title": "List", "description": "All.", "rowsKey": "invoices", "streamable": True,
                  "sensitiveOutput": False, "inputSchema": {}, "outputSchema": {},
                  "views": list(ACTIONS["listInvoices"].action.views)}  # fmt: skip
        return {"id": self.id, "displayName": "Big", "version": "1", "description": "Rows.", "settingsSchema": {},
                "settingsForm": {}, "actions": [action], "auth": {}}  # fmt: skip

    def validate(self, _settings):
        return {"valid": True, "fields": [], "warnings": []}

    def connect(self, _settings, _context=None):
        return Connection(self.count)


class Plugin:
    def __init__(self, count):
        self.connector = Connector(count)

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.connector)


def main():
    from running_site import Site

    site = Site(Path(sys.argv[1]), [Plugin(int(sys.argv[2]))])
    site.host.save("big", "Big", {}, "big")
    sys.stdout.write(site.sessions.sign_in_url + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    site.close()


if __name__ == "__main__":
    main()
