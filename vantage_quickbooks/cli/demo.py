"""
`vantage-quickbooks demo`: a small host finds the plugin and runs its actions against the emulator, over HTTP.

It checks what it says: a claim that does not hold ends the demo, and the exit status is 1.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from vantage_quickbooks import contract, hookspecs
from vantage_quickbooks.cli import tables
from vantage_quickbooks.cli.output import mask
from vantage_quickbooks.cli.stage import Stage, Surprise
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.contract import HostContext, as_node_output
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from vantage_quickbooks.contract import Connection, Connector

__all__ = ["run"]

SHOWN = 12
"""Rows of a table that the demo shows: all of it should fit a few screens."""

AT_ONCE = 4
"""Threads that meet an expired token together."""


def run() -> bool:
    """Run the demo.

    Returns:
        Whether everything it claims held.
    """
    started = time.monotonic()
    with Emulator(rotation="always") as emulator:
        stage = Stage(emulator)
        try:
            _play(stage)
        except (Surprise, ConnectorError) as error:
            stage.out.print(f"\nThis does not hold, and the demo ends here: {error}", style="bold red")
            return False
    took_s = time.monotonic() - started
    stage.out.print(
        f"\n{stage.claims} claims, all of them checked, in {took_s:.1f} seconds. Nothing left this machine.",
        style="bold",
    )
    stage.out.print("Try it yourself: vantage-quickbooks emulator")
    return True


def _play(stage: Stage) -> None:
    connector = _discover(stage)
    form = _validate(stage, connector)
    with _connect(stage, connector, form) as connection:
        _token(stage, connection)
        _company(stage, connection)
        _customers(stage, connection)
        _invoices(stage, connection)
        _expiry(stage, connection)
        _failures(stage, connection)
    _accounts(stage)


def _discover(stage: Stage) -> Any:
    stage.chapter("A host finds the plugin")
    manager = stage.manager
    manager.add_hookspecs(hookspecs)
    manager.load_setuptools_entrypoints(hookspecs.PROJECT)
    manager.register(stage.observer, "demo-host")
    manager.check_pending()
    found: dict[str, Connector] = {}
    manager.hook.vantage_register_connectors(register=lambda connector: found.update({connector.id: connector}))
    names = [f"{dist.project_name} {dist.version}" for _, dist in manager.list_plugin_distinfo()]
    stage.claim("quickbooks" in found, f'pluggy.PluginManager("vantage") loaded {", ".join(names)} by entry point.')
    text = json.dumps(found["quickbooks"].describe())
    described = json.loads(text)
    actions = [action["id"] for action in described["actions"]]
    stage.claim(len(actions) == 4, f"It registered {described['displayName']}: {', '.join(actions)}.")
    stage.claim(
        all(action["inputSchema"] and action["outputSchema"] for action in described["actions"]),
        f"Form, schemas and actions are plain JSON: {len(text):,} characters, ready to be rendered.",
    )
    return found["quickbooks"]


def _validate(stage: Stage, connector: Any) -> dict[str, Any]:
    stage.chapter("A settings form is checked")
    form: dict[str, Any] = stage.emulator.credentials()
    mistakes = {"client_secret": " ", "realm_id": int(form["realm_id"]), "max_results": "lots", "enviroment": "sandbox"}
    found = connector.validate(form | mistakes)
    stage.fields(found["fields"])
    named = {entry["field"] for entry in found["fields"]}
    stage.claim(named == set(mistakes), f"A wrong form: all {len(named)} mistakes at once, each with its hint.")
    secrets = (form["client_secret"], form["refresh_token"])
    stage.claim(not any(secret in json.dumps(found) for secret in secrets), "No secret is in what is said of it.")
    form["max_results"] = "25"
    stage.claim(connector.validate(form)["valid"], 'The right form is valid; "25", typed as text, is 25.')
    return form


def _connect(stage: Stage, connector: Any, form: dict[str, Any]) -> Any:
    url = stage.emulator.url
    context = HostContext.from_hooks(stage.manager.hook, connection_id="demo-connection", user_id="demo-user")
    deployment = Deployment(emulator_url=url, token_store="memory:")
    connection = connector.connect(form, context, deployment=deployment)
    stage.claim(stage.emulator.requests() == [], f"Connected to a local QuickBooks at {url}: nothing was sent yet.")
    return connection


def _data(stage: Stage, connection: Connection, label: str, action: str, **given: Any) -> dict[str, Any]:
    """Run an action that must succeed, and return its result."""
    envelope = stage.step(label, lambda: connection.call(action, given))
    if not envelope["success"]:
        raise Surprise(f"{label}: {envelope['error']['code']}: {envelope['error']['message']}")
    result: dict[str, Any] = envelope["data"]
    return result


def _token(stage: Stage, connection: Connection) -> None:
    stage.chapter("getAccessToken")
    first = _data(stage, connection, "getAccessToken", "getAccessToken")
    shown = ("tokenType", "expiresIn", "refreshed", "refreshTokenExpiresAt", "refreshTokenHardExpiresAt")
    stage.show(tables.card({"accessToken": mask(first["accessToken"]), **{name: first[name] for name in shown}}))
    stage.claim(
        first["refreshed"] and stage.steps[-1].token_answers == [200],
        "The first use traded the form's refresh token for an access token, in one token request.",
    )
    again = _data(stage, connection, "getAccessToken again", "getAccessToken")
    stage.claim(
        again["accessToken"] == first["accessToken"] and stage.steps[-1].requests == [],
        "The second use got the same token from memory: QuickBooks was not asked.",
    )


def _company(stage: Stage, connection: Connection) -> None:
    stage.chapter("getCompanyInfo")
    company = _data(stage, connection, "getCompanyInfo", "getCompanyInfo")["companyInfo"]
    stage.show(tables.company_card(company))
    stage.claim(
        company == stage.emulator.company().find("CompanyInfo", "1"),
        f"These are some of its {len(company)} members; every one came through as QuickBooks holds it.",
    )


def _customers(stage: Stage, connection: Connection) -> None:
    stage.chapter("listCustomers")
    result = _data(stage, connection, "listCustomers", "listCustomers")
    rows, following = result["customers"], result["metadata"]["nextStartPosition"]
    stage.show(tables.rows_table(rows[:SHOWN], "listCustomers"))
    stage.claim(
        len(rows) == result["count"] == 25 and following == 26,
        f"{SHOWN} of the 25 that the form's max_results asks for; metadata says that more may follow from 26.",
    )
    name = rows[-1]["customerName"]
    found = _data(stage, connection, "listCustomers by name", "listCustomers", name=name)["customers"]
    stage.claim([row["Id"] for row in found] == [rows[-1]["Id"]], f'{{"name": "{name}"}} finds that one customer.')


def _invoices(stage: Stage, connection: Connection) -> None:
    stage.chapter("listInvoices")
    result = _data(stage, connection, "listInvoices", "listInvoices", max_results=1000)
    rows, count = result["invoices"], result["count"]
    stage.show(tables.rows_table(rows[:SHOWN], "listInvoices"))
    is_one = len(stage.steps[-1].api_answers) == 1
    stage.claim(is_one and count > SHOWN, f"The newest {SHOWN} of {count}, read in one API call. All {count} in sum:")
    stage.out.print()
    stage.show(tables.summary_table(result["summary"]))
    currencies = [group["currency"] for group in result["summary"]["byCurrency"]]
    stage.claim(len(currencies) > 1, f"In exact decimals, never summed across currencies: {', '.join(currencies)}.")
    late = _data(stage, connection, "listInvoices, overdue", "listInvoices", max_results=1000, status="overdue")
    told = [row["Id"] for row in rows if row["paymentStatus"] == "overdue"]
    is_same = [row["Id"] for row in late["invoices"]] == told
    stage.claim(is_same, f'{{"status": "overdue"}} finds the same {len(told)} that the sums count as overdue.')
    node = as_node_output(contract.envelope(data=late), {"rowsKey": "invoices"}, "rows")
    is_handed = node["data"] == late["invoices"]
    stage.claim(is_handed, "as_node_output hands them to a dashboard: {data: [...], metadata: {...}}.")
    _stream(stage, connection, count)


def _stream(stage: Stage, connection: Connection, count: int) -> None:
    pages = stage.step("listInvoices, page by page", lambda: list(connection.stream("listInvoices")))
    sizes = [page["count"] for page in pages]
    ids = {invoice["Id"] for page in pages for invoice in page["invoices"]}
    stage.claim(
        len(ids) == sum(sizes) == count,
        f"Streamed in pages of {' + '.join(map(str, sizes))}; the observer saw {', '.join(stage.observer.progress)}.",
    )


def _expiry(stage: Stage, connection: Connection) -> None:
    stage.chapter("The access token expires at QuickBooks")
    stage.emulator.expire_access_tokens()
    _data(stage, connection, "getCompanyInfo, token expired", "getCompanyInfo")
    step = stage.steps[-1]
    stage.exchange(step)
    is_once = [request["status"] for request in step.requests] == [401, 200, 200]
    stage.claim(is_once, "Refused, refreshed once, repeated once: the caller noticed nothing.")
    stage.emulator.expire_access_tokens()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        label = f"getCompanyInfo, {AT_ONCE} at once, expired"
        envelopes = stage.step(label, lambda: list(pool.map(connection.call, ["getCompanyInfo"] * AT_ONCE)))
    is_single = all(envelope["success"] for envelope in envelopes) and stage.steps[-1].token_answers == [200]
    stage.claim(is_single, f"Expired again, met by {AT_ONCE} threads at once: one refreshed, all of them succeeded.")


def _failures(stage: Stage, connection: Connection) -> None:
    stage.chapter("What a failure looks like to the host")
    wrong = stage.step("listInvoices, wrong input", lambda: connection.call("listInvoices", {"status": "late"}))
    stage.envelope(wrong)
    is_kept = wrong["error"]["code"] == "INPUT_INVALID" and stage.steps[-1].requests == []
    stage.claim(is_kept, "A wrong input never reaches QuickBooks.")
    stage.emulator.revoke_grants()
    cut = stage.step("listCustomers, access revoked", lambda: connection.call("listCustomers"))
    stage.envelope(cut)
    is_told = cut["error"]["code"] == "REAUTHORIZATION_REQUIRED" and not cut["error"]["retryable"]
    stage.claim(is_told, "Somebody disconnected the app inside QuickBooks: the host is told that a person must act.")
    node = as_node_output(cut, {"rowsKey": "customers"}, "rows")
    stage.claim("data" not in node, "A failure has no rows in any view: no dashboard can take it for an empty list.")


def _accounts(stage: Stage) -> None:
    stage.chapter("What the host's observer noted, and what QuickBooks counted")
    stage.accounts()
    counters = stage.emulator.counters()
    events = stage.observer.events
    noted, asked = sum(event["apiCalls"] for event in events), counters["api_requests"]["total"]
    stage.claim(
        noted == asked, f"{len(events)} audit events tell of {noted} API calls, and QuickBooks counted {asked}."
    )
    traded = counters["token_requests"]["ok"]
    stage.claim(traded == 3, f"{traded} refreshes in all, each ending the refresh token before it, and none was lost.")
