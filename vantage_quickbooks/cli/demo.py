"""The demo: a small host loads the plugin and runs actions against the emulator, over HTTP.

Every statement is checked before it is printed; the first one that is false ends the demo.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pluggy

from vantage_quickbooks import contract, hookspecs
from vantage_quickbooks.cli import tables
from vantage_quickbooks.cli.demo_report import CheckFailed, DemoRun
from vantage_quickbooks.cli.descriptor import find_action, table_columns
from vantage_quickbooks.cli.output import mask
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.contract import HostContext, as_node_output
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from vantage_quickbooks.contract import Connection, Connector

__all__ = ["run"]

ORIGINAL_ACTIONS = ["listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken"]
"""The actions that come first in every version."""

SHOWN = 12
"""Rows of a table that are printed."""

THREADS = 4
"""Threads that find the access token expired at the same time."""


def run() -> bool:
    """Run the demo.

    Returns:
        Whether every check passed.
    """
    started = time.monotonic()
    with Emulator(rotation="always", limits="strict") as emulator:
        demo = DemoRun(emulator)
        try:
            _play(demo)
        except (CheckFailed, ConnectorError) as error:
            demo.out.print(f"\nCheck failed: {error}", style="bold red")
            return False
    took_s = time.monotonic() - started
    demo.out.print(f"\n{demo.checks} checks passed in {took_s:.1f} seconds. No data left this machine.", style="bold")
    demo.out.print("Next: vantage-quickbooks emulator, or vantage-quickbooks serve --demo")
    return True


def _play(demo: DemoRun) -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    connector = _discover(demo, manager)
    form = _validate(demo, connector)
    context = HostContext.from_hooks(manager.hook, connection_id="demo-connection", user_id="demo-user")
    deployment = Deployment(emulator_url=demo.emulator.url, token_store="memory:")
    with connector.connect(form, context, deployment=deployment) as connection:
        demo.check(demo.requests() == [], f"Connected to {demo.emulator.url}. No request was sent yet.")
        _token(demo, connection)
        _company(demo, connection)
        _customers(demo, connection)
        _invoices(demo, connection)
        _expiry(demo, connection)
        _failures(demo, connection)
    _audit(demo)


def _discover(demo: DemoRun, manager: pluggy.PluginManager) -> Any:
    demo.section("The host loads the plugin")
    manager.add_hookspecs(hookspecs)
    manager.load_setuptools_entrypoints(hookspecs.PROJECT)
    manager.register(demo, "demo-host")
    manager.check_pending()
    found: dict[str, Connector] = {}
    manager.hook.vantage_register_connectors(register=lambda connector: found.update({connector.id: connector}))
    names = ", ".join(f"{dist.project_name} {dist.version}" for _, dist in manager.list_plugin_distinfo())
    demo.check("quickbooks" in found, f'pluggy.PluginManager("vantage") loaded {names} by its entry point.')
    text = json.dumps(found["quickbooks"].describe())
    described = json.loads(text)
    ids = [action["id"] for action in described["actions"]]
    demo.check(
        ids[: len(ORIGINAL_ACTIONS)] == ORIGINAL_ACTIONS,
        f"It registered {described['displayName']}, {len(ids)} actions. The first: {', '.join(ORIGINAL_ACTIONS)}.",
    )
    demo.check(
        all(action["inputSchema"] and action["outputSchema"] for action in described["actions"]),
        f"Settings form, actions and schemas are plain JSON, {len(text):,} characters.",
    )
    return found["quickbooks"]


def _validate(demo: DemoRun, connector: Any) -> dict[str, Any]:
    demo.section("The host validates a settings form")
    form: dict[str, Any] = demo.emulator.credentials()
    mistakes = {"client_secret": " ", "realm_id": int(form["realm_id"]), "max_results": "lots", "enviroment": "sandbox"}
    found = connector.validate(form | mistakes)
    demo.show(tables.card({entry["field"]: f"{entry['message']} {entry['hint']}" for entry in found["fields"]}))
    named = {entry["field"] for entry in found["fields"]}
    demo.check(named == set(mistakes), f"All {len(named)} errors are reported at once, each with a hint.")
    secrets = (form["client_secret"], form["refresh_token"])
    demo.check(not any(secret in json.dumps(found) for secret in secrets), "The report contains no secret.")
    form["max_results"] = "25"
    demo.check(connector.validate(form)["valid"], 'The corrected form is valid; the text "25" is accepted as 25.')
    return form


def _token(demo: DemoRun, connection: Connection) -> None:
    demo.section("getAccessToken")
    first = demo.call(connection, "getAccessToken")
    shown = ("tokenType", "expiresIn", "refreshed", "refreshTokenExpiresAt", "refreshTokenHardExpiresAt")
    demo.show(tables.card({"accessToken": mask(first["accessToken"]), **{name: first[name] for name in shown}}))
    statuses = [request["status"] for request in demo.requests()]
    demo.check(first["refreshed"] and statuses == [200], "One token request exchanged the refresh token of the form.")
    again = demo.call(connection, "getAccessToken")
    demo.check(
        again["accessToken"] == first["accessToken"] and demo.requests() == [],
        "The second call returned the same token from memory, without a request.",
    )


def _company(demo: DemoRun, connection: Connection) -> None:
    demo.section("getCompanyInfo")
    company = demo.call(connection, "getCompanyInfo")["companyInfo"]
    demo.show(tables.record_card(company))
    demo.check(
        company == demo.emulator.company().find("CompanyInfo", "1"),
        f"All {len(company)} properties were returned exactly as QuickBooks stores them.",
    )


def _customers(demo: DemoRun, connection: Connection) -> None:
    demo.section("listCustomers")
    result = demo.call(connection, "listCustomers")
    rows, following = result["customers"], result["metadata"]["nextStartPosition"]
    demo.show(tables.list_table(rows[:SHOWN], "listCustomers"))
    demo.check(
        len(rows) == result["count"] == 25 and following == 26,
        f"{SHOWN} of the 25 rows that max_results of the settings allows; the next page starts at 26.",
    )
    name = rows[-1]["customerName"]
    found = demo.call(connection, "listCustomers", name=name)["customers"]
    demo.check([row["Id"] for row in found] == [rows[-1]["Id"]], f'{{"name": "{name}"}} returns that one customer.')


def _invoices(demo: DemoRun, connection: Connection) -> None:
    demo.section("listInvoices")
    demo.requests()
    result = demo.call(connection, "listInvoices", max_results=1000)
    rows, count, summary = result["invoices"], result["count"], result["summary"]
    demo.show(tables.list_table(rows[:SHOWN], "listInvoices"))
    demo.check(
        len(demo.requests()) == 1 and count > SHOWN, f"The newest {SHOWN} of {count}, read in one API call. Totals:"
    )
    demo.out.print()
    demo.show(tables.summary_table(summary, "invoices", table_columns(find_action("listInvoices"))))
    currencies = [group["currency"] for group in summary["byCurrency"]]
    demo.check(len(currencies) > 1, f"Exact decimal totals, one per currency: {', '.join(currencies)}.")
    late = demo.call(connection, "listInvoices", max_results=1000, status="overdue")
    ids = [row["Id"] for row in rows if row["paymentStatus"] == "overdue"]
    is_same = [row["Id"] for row in late["invoices"]] == ids
    demo.check(is_same, f'{{"status": "overdue"}} returns the same {len(ids)} invoices that the totals count.')
    node = as_node_output(contract.envelope(data=late), {"rowsKey": "invoices"}, "rows")
    demo.check(
        node["data"] == late["invoices"], "as_node_output returns them for a dashboard: {data: [...], metadata: {...}}."
    )
    pages = list(connection.stream("listInvoices"))
    sizes = [page["count"] for page in pages]
    streamed = {invoice["Id"] for page in pages for invoice in page["invoices"]}
    demo.check(
        len(streamed) == sum(sizes) == count,
        f"Streamed in pages of {' + '.join(map(str, sizes))}. Progress events: {', '.join(demo.progress)}.",
    )


def _expiry(demo: DemoRun, connection: Connection) -> None:
    demo.section("The access token expires")
    demo.emulator.expire_access_tokens()
    demo.requests()
    demo.call(connection, "getCompanyInfo")
    requests = demo.requests()
    demo.show_requests(requests)
    is_once = [request["status"] for request in requests] == [401, 200, 200]
    demo.check(is_once, "The request was refused, the token refreshed once, the request repeated once.")
    demo.emulator.expire_access_tokens()
    with ThreadPoolExecutor(THREADS) as pool:
        envelopes = list(pool.map(connection.call, ["getCompanyInfo"] * THREADS))
    refreshes = [request["status"] for request in demo.requests() if request["path"].startswith("/oauth2/")]
    is_single = all(envelope["success"] for envelope in envelopes) and refreshes == [200]
    demo.check(is_single, f"{THREADS} threads found the token expired at once: one refreshed it, all calls succeeded.")


def _failures(demo: DemoRun, connection: Connection) -> None:
    demo.section("Failed calls")
    invalid = connection.call("listInvoices", {"status": "late"})
    demo.show_json(invalid)
    is_kept = invalid["error"]["code"] == "INPUT_INVALID" and demo.requests() == []
    demo.check(is_kept, "Invalid input is never sent to QuickBooks.")
    demo.emulator.revoke_grants()
    revoked = connection.call("listCustomers")
    demo.show_json(revoked)
    is_reported = revoked["error"]["code"] == "REAUTHORIZATION_REQUIRED" and not revoked["error"]["retryable"]
    demo.check(
        is_reported, "A user disconnected the app in QuickBooks: the error says that it must be connected again."
    )
    node = as_node_output(revoked, {"rowsKey": "customers"}, "rows")
    demo.check("data" not in node, "A failure has no rows in any view, so a dashboard cannot show it as an empty list.")


def _audit(demo: DemoRun) -> None:
    demo.section("Audit events")
    counters = demo.emulator.counters()
    reported, received = sum(event["apiCalls"] for event in demo.events), counters["api_requests"]["total"]
    demo.check(
        reported == received,
        f"{len(demo.events)} audit events report {reported} API calls; QuickBooks received {received}.",
    )
    refreshes = counters["token_requests"]["ok"]
    demo.check(refreshes == 3, f"{refreshes} refreshes replaced the refresh token each time, and none was lost.")
