"""The connection as a host sees it: envelopes, observers, streams, an event loop, a test of the settings."""

from __future__ import annotations

import asyncio
import json
import logging

import pluggy
import pytest

from vantage_quickbooks import hookspecs
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import InputError, InternalError, SettingsError


def test_a_success_is_an_envelope(connect):
    """call wraps the result, with a request id and a time stamp."""
    envelope = connect().call("listCustomers", {"max_results": 1})

    assert envelope["success"] is True
    assert envelope["data"]["count"] == 1
    assert set(envelope["meta"]) == {"request_id", "timestamp", "action", "rows_key"}
    assert envelope["meta"]["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("action", "data", "code"),
    [
        ("listCustomers", {"max_results": "abc"}, "INPUT_INVALID"),
        ("listCustomers", {"maxresults": 5}, "INPUT_INVALID"),
        ("listCustomers", [1, 2], "INPUT_INVALID"),
        ("listUnicorns", {}, "ACTION_NOT_FOUND"),
    ],
)
def test_a_failure_is_an_envelope_too(connect, action, data, code):
    """call does not raise for expected failures, and its result is plain JSON."""
    envelope = connect().call(action, data)

    assert envelope["success"] is False
    assert "data" not in envelope
    assert envelope["error"]["code"] == code
    assert envelope["error"]["fields"]
    assert json.loads(json.dumps(envelope, allow_nan=False)) == envelope


@pytest.mark.parametrize(
    ("action", "hint"),
    [
        ("listCustomer", r"Did you mean listCustomers"),
        ("listbills", r"Did you mean listBills"),
        ("drop", "Use one of listCustomers, listInvoices, getCompanyInfo, getAccessToken, or another id"),
        (None, "Use one of listCustomers, listInvoices"),
    ],
)
def test_an_unknown_action_is_answered_with_known_ones(connect, action, hint):
    """The message lists ids that exist."""
    with pytest.raises(InputError, match=hint) as caught:
        connect().invoke(action)
    assert caught.value.code == "ACTION_NOT_FOUND"


def test_wrong_settings_are_all_reported_at_once(deployment):
    """One entry a field, and no secret in any."""
    with pytest.raises(SettingsError) as caught:
        QUICKBOOKS.connect({"client_id": " ", "client_secret": 5, "max_results": "many"}, deployment=deployment)

    assert {entry.field for entry in caught.value.fields} == {
        "client_id", "client_secret", "refresh_token", "realm_id", "max_results"
    }  # fmt: skip


def test_connecting_opens_nothing(emulator, deployment, tmp_path):
    """No network, no disk, before the first action."""
    QUICKBOOKS.connect(emulator.credentials(), deployment=deployment)

    assert emulator.counters()["connections"] == 0
    assert list(tmp_path.iterdir()) == []


def test_observers_are_called_and_cannot_break_calls(connect, caplog):
    """An audit observer that fails is logged once; the call continues."""
    events = []

    def audit(event):
        events.append(event)
        raise RuntimeError("the audit service is down")

    connection = connect(context=HostContext(connection_id="c7", company_id="acme", user_id="u1", audit=audit))
    with caplog.at_level(logging.WARNING):
        connection.call("listCustomers", {"max_results": 2})
        connection.call("listCustomers", {"max_results": 0})

    ok, failed = events
    assert (ok["operation"], ok["outcome"], ok["records"], ok["apiCalls"], ok["tokenRefreshed"]) == (
        "quickbooks.listCustomers", "success", 2, 1, True
    )  # fmt: skip
    assert (failed["outcome"], failed["errorCode"], failed["apiCalls"]) == ("error", "INPUT_INVALID", 0)
    assert ok["connectionId"] == "c7"
    assert [record.levelname for record in caplog.records if "audit" in record.message] == ["WARNING"]


def test_hooks_of_a_pluggy_host_are_observers_and_credential_stores(emulator, deployment):
    """HostContext.from_hooks connects the host's hooks to a connection."""
    events, kept = [], {}

    class Host:
        @hookspecs.hookimpl
        def vantage_audit(self, event):
            events.append(event)

        @hookspecs.hookimpl
        def vantage_load_credentials(self, connection_id):
            return kept.get(connection_id)

        @hookspecs.hookimpl
        def vantage_save_credentials(self, connection_id, credentials, expected_version):
            kept[connection_id] = {**credentials, "version": (expected_version or 0) + 1}
            return kept[connection_id]["version"]

    manager = pluggy.PluginManager("vantage")
    manager.add_hookspecs(hookspecs)
    manager.register(Host())
    manager.check_pending()
    context = HostContext.from_hooks(manager.hook, connection_id="c9")
    with QUICKBOOKS.connect(emulator.credentials(), context, deployment=deployment) as connection:
        connection.invoke("getCompanyInfo")

    assert events[0]["operation"] == "quickbooks.getCompanyInfo"
    assert kept["c9"]["accessToken"]


def test_a_host_without_credentials_hooks_offers_none():
    """Then the connector's own store is used."""
    manager = pluggy.PluginManager("vantage")
    manager.add_hookspecs(hookspecs)
    context = HostContext.from_hooks(manager.hook)
    assert context.load_credentials is None
    assert context.save_credentials is None
    context.audit({})


def test_a_preview_is_capped(connect):
    """row_limit caps a call and a whole stream."""
    connection = connect(context=HostContext(row_limit=10), max_results=4)
    assert connection.invoke("listInvoices", {"max_results": 50})["count"] == 10
    assert sum(page["count"] for page in connection.stream("listInvoices")) == 10


def test_a_stream_reports_progress(connect):
    """Pages as they come; the total once it is known."""
    seen = []
    context = HostContext(connection_id="c3", progress=lambda *facts: seen.append(facts))
    pages = list(connect(context=context, max_results=20).stream("listCustomers"))

    total = sum(page["count"] for page in pages)
    assert [facts[:2] for facts in seen] == [("c3", "listCustomers")] * len(seen)
    assert seen[0][2:] == (20, None)
    assert seen[-1][2:] == (total, total)


@pytest.mark.parametrize("how", ["invoke", "stream", "ndjson"])
def test_a_full_read_reports_its_progress_and_its_total(connect, how):
    """The total is known with the first page, in all kinds of reads; inactive records are read, too."""
    seen = []
    context = HostContext(connection_id="c3", progress=lambda *facts: seen.append(facts[2:]))
    connection, data = connect(context=context), {"all": True, "max_results": 10}
    if how == "invoke":
        total = connection.invoke("listCustomers", data)["metadata"]["totalCount"]
    elif how == "stream":
        *_, last = connection.stream("listCustomers", data)
        total = last["metadata"]["totalCount"]
    else:
        *_, last = connection.stream("listCustomers", data, as_="ndjson")
        total = last.metadata["totalCount"]

    assert len(seen) >= 3
    assert {of for _, of in seen} == {total}
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (total, total)


def test_an_event_loop_continues_while_an_action_runs(connect, emulator):
    """ainvoke does not block the loop: ten slow calls take about as long as one."""
    emulator.fault("latency", path="/companyinfo", times=-1, seconds=0.2)
    connection = connect()

    async def main():
        return await asyncio.gather(*(connection.ainvoke("getCompanyInfo") for _ in range(5)))

    assert len(asyncio.run(main())) == 5
    assert emulator.counters()["max_concurrent"] >= 2


def test_the_settings_are_verified(connect):
    """test sends one token request and one API call, and reports the results."""
    report = connect().test()

    assert report["ok"] is True
    assert [check["name"] for check in report["checks"]] == ["token", "company"]
    assert report["checks"][1]["companyName"]
    assert abs(report["checks"][1]["clockSkewSeconds"]) < 60
    assert report["apiCalls"] == 1


def test_settings_that_do_not_work_say_why(connect):
    """test does not raise: it reports the check that failed."""
    report = connect(client_secret="wrong").test()

    assert report["ok"] is False
    assert report["checks"][-1]["error"]["code"] == "AUTHENTICATION_FAILED"


def test_a_token_that_only_looked_valid_fails_the_test_of_tokens(connect, emulator):
    """The grant was revoked: the cached token has not expired, QuickBooks refuses it, and Intuit gives no other."""
    connection = connect()
    connection.invoke("getCompanyInfo")
    emulator.revoke_grants()
    emulator.expire_access_tokens()
    (check,) = connection.test()["checks"]

    assert (check["name"], check["ok"], check["error"]["code"]) == ("token", False, "REAUTHORIZATION_REQUIRED")


def test_a_token_that_was_replaced_meanwhile_is_reported_as_it_is_now(connect, emulator):
    connection = connect()
    connection.invoke("getCompanyInfo")
    emulator.expire_access_tokens()
    token, company = connection.test()["checks"]

    assert (token["ok"], token["refreshed"], company["ok"]) == (True, True, True)


def test_a_defect_is_an_internal_error_that_shows_nothing(connect, monkeypatch, caplog, emulator):
    """The host gets a request id; the log has the traceback, without secrets."""
    from vantage_quickbooks.catalog.actions import ACTIONS

    secret = emulator.client_secret

    def broken(*_, **__):
        raise ZeroDivisionError(f"while holding {secret}")

    monkeypatch.setattr(ACTIONS["listCustomers"], "run", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(InternalError) as caught:
        connect().invoke("listCustomers")

    assert caught.value.details["requestId"] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert secret not in caplog.text
    assert caught.value.__cause__ is None
    assert secret not in str(caught.value)


def test_a_closed_connection_can_be_used_again(connect):
    """close releases pooled connections; using the connection again opens new ones."""
    connection = connect(store=MemoryStore())
    connection.invoke("getCompanyInfo")
    connection.close()
    assert connection.invoke("getCompanyInfo")["metadata"]["apiCalls"] == 1
