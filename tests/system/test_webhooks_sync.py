"""Webhooks of emulated companies lead to syncs: the mirror equals the books, whatever happens to notifications."""

from __future__ import annotations

import contextlib
import itertools
import os
from datetime import UTC, datetime

import pluggy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interceptor import Interceptor
from webhook_receiver import Receiver, body_of, event

from vantage_quickbooks import hookspecs
from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.registered import connect_registered
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError, InboxError
from vantage_quickbooks.registry import HostRegistry
from vantage_quickbooks.webhooks import HookHandler, Inbox, SyncHandler, Worker

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
ENTITIES = ("Customer", "Invoice")
REALMS = {"acme": "9341450000000017", "birch": "9341450000000025"}
DAY = 86_400
WINDOW_S = 5


class FlakyInbox(Inbox):
    """An inbox whose disk is full for a while (`down`), or whose commits are not confirmed (`unconfirmed`)."""

    mode = "well"

    def put(self, deliveries):
        if self.mode == "down":
            raise InboxError("The disk is full.")
        found = super().put(deliveries)
        if self.mode == "unconfirmed":
            raise InboxError("The server was lost after the commit.")
        return found


class Mirror:
    """The copy of one company."""

    def __init__(self):
        self.state, self.records = None, {}

    def apply(self, changes):
        changes.apply_to(self.records.setdefault(changes.entity, {}))
        self.state = changes.state


class Firm:
    """Two emulated companies, their mirrors, and the webhooks between them, all on the emulator's clock."""

    def __init__(self, emulator, folder):
        self.emulator, self.folder, self.numbers = emulator, folder, itertools.count()
        self.interceptor = Interceptor()

    @contextlib.contextmanager
    def opened(self, *, scheduled=False, **subscription):
        """Begin anew: companies as good as new, an empty inbox, mirrors without records."""
        emulator = self.emulator
        emulator.reset()
        emulator.freeze()
        forms = {
            id_: emulator.settings() | {"realm_id": realm, "refresh_token": emulator.grant(realm)}
            for id_, realm in REALMS.items()
        }
        self.registry = HostRegistry(forms.get, list=lambda: forms)
        self.known = {realm: {"Customer": [], "Invoice": []} for realm in REALMS.values()}
        self.mirrors = {id_: Mirror() for id_ in REALMS}
        self.failures, self.during = 0, []
        self.seams = {
            "deployment": Deployment(emulator_url=emulator.url),
            "store": MemoryStore(),
            "intercept": self.interceptor,
            "rate_limiter": RateLimiter(10, 10**9, 10**9),
            "new_call": lambda **known: CallContext(
                **known, sleep=lambda _: None, now=lambda: datetime.fromtimestamp(emulator.now(), UTC)
            ),
        }
        self.inbox = FlakyInbox(self.folder / f"inbox{next(self.numbers)}.sqlite3", window_s=WINDOW_S, now=emulator.now)
        sync = SyncHandler(self.registry, self._open_target, entities=ENTITIES, **self.seams)
        for realm in REALMS.values():
            sync(realm, [])  # the first copy

        def handler(realm, notices):
            fails, self.failures = self.failures, 0
            if fails == 1:
                raise ConnectionError
            sync(realm, notices)
            edits, self.during = self.during, []
            for what, *values in edits:  # a user goes on working meanwhile
                getattr(self, what)(*values)
                emulator.advance(3)
                assert emulator.webhooks.settle()
            if fails == 2:
                raise ConnectionError

        companies = sync.companies.realms if scheduled else None
        # One thread: a history has the same effects each time it is played.
        self.worker = Worker(self.inbox, handler, companies=companies, reconcile_s=DAY, threads=1)
        with Receiver(self.inbox, tokens=emulator.webhooks.verifier_token) as self.receiver:
            emulator.subscribe(self.receiver.url, **subscription)
            yield self
            emulator.webhooks.unsubscribe()

    @contextlib.contextmanager
    def _open_target(self, run):
        yield self.mirrors[run.id]

    def wait(self, seconds):
        """Advance the clock: notifications are sent, and due notices are handed on."""
        self.emulator.advance(seconds)
        assert self.emulator.webhooks.settle()
        self.worker.run_due()

    def drain(self):
        """Wait until no notification and no notice waits."""
        for _ in range(60):
            self.wait(21_600)
            webhooks = self.emulator.webhooks.state()
            if not webhooks["pending"] and not webhooks["waiting_events"] and not self.inbox.state()["waiting"]:
                return
        pytest.fail(f"it does not come to an end: {webhooks['pending']} {self.receiver.counted()}")

    # ---- steps of a history ----

    def create(self, realm, n):
        entity = ENTITIES[n % 2]
        record = (
            {"DisplayName": f"New {next(self.numbers)}"}
            if entity == "Customer"
            else {"CustomerRef": {"value": "1"}, "Line": [LINE]}
        )
        self.known[realm][entity].append(self.emulator.create(entity, record, realm)["Id"])

    def touch(self, realm, n):
        entity, name = (("Customer", "Notes"), ("Invoice", "PrivateNote"))[n % 2]
        if known := self.known[realm][entity]:
            edit = {"Id": known[n % len(known)], name: f"edit {next(self.numbers)}"}
            self.emulator.update(entity, edit, realm)

    def remove(self, realm, n):
        if known := self.known[realm]["Invoice"]:
            self.emulator.delete("Invoice", known.pop(n % len(known)), realm)

    def kill_worker(self, *_):
        """Claim a due company, as a worker that is then killed."""
        self.inbox.claim(1)

    def assert_equal(self):
        for id_ in REALMS:
            with connect_registered(self.registry, id_, **self.seams) as connection:
                for entity in ENTITIES:
                    resource = SYNC_ENTITIES[entity]
                    data = {"all": True} | ({"active": "all"} if resource.has_active else {})
                    there = connection.invoke(resource.list_id, data)[resource.rows_key]
                    assert plain(self.mirrors[id_].records[entity].values()) == plain(there), (id_, entity)


def plain(records):
    return {record["Id"]: {name: value for name, value in record.items() if name[0].isupper()} for record in records}


@pytest.fixture(scope="module")
def firm(tmp_path_factory):
    with Emulator(limits=False, customers=3, invoices=5, access_token_lifetime_s=10**8) as emulator:
        yield Firm(emulator, tmp_path_factory.mktemp("webhooks"))
        assert emulator.crashes == []


edits = st.tuples(
    st.sampled_from(["create", "create", "touch", "touch", "remove"]),
    st.sampled_from(list(REALMS.values())),
    st.integers(0, 20),
)
step = st.one_of(
    edits,
    edits,
    st.sampled_from([1, 3, 10, 40, 400, 30_000]).map(lambda seconds: ("wait", seconds)),
    st.sampled_from(["well", "down", "unconfirmed"]).map(lambda mode: ("disk", mode)),
    st.sampled_from([1, 2]).map(lambda fails: ("handler fails", fails)),
    st.just(("kill_worker", "", 0)),
    st.lists(edits, min_size=1, max_size=2).map(lambda made: ("during", made)),
)
shares = st.sampled_from([0, 0, 0.3, 1])


@settings(
    max_examples=int(os.environ.get("HISTORIES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    history=st.lists(step, max_size=16),
    subscription=st.fixed_dictionaries({
        "duplicate": shares,
        "out_of_order": shares,
        "lost": shares,
        "mix_realms": st.booleans(),
        "format": st.sampled_from(["legacy", "cloudevents"]),
    }),
)  # fmt: skip
def test_the_mirror_equals_the_books_after_any_history(firm, history, subscription):
    """Edits, notifications that are doubled, late and lost, full disks, failing handlers, killed workers."""
    with firm.opened(scheduled=subscription["lost"] > 0, **subscription):
        for what, *values in history:
            if what == "wait":
                firm.wait(*values)
            elif what == "disk":
                firm.inbox.mode = values[0]
            elif what == "handler fails":
                firm.failures = values[0]
            elif what == "during":
                firm.during += values[0]
            else:
                getattr(firm, what)(*values)
        firm.inbox.mode, firm.failures = "well", 0
        firm.drain()
        firm.during = []
        if subscription["lost"]:  # the daily reconciliation finds what no notification announced
            firm.wait(DAY)
        firm.assert_equal()
        assert firm.inbox.state()["dead"] == 0


def test_without_its_notification_a_change_is_not_seen_before_the_next_day(firm):
    """The property above would hold of a worker that always syncs: this one does not."""
    realm = REALMS["acme"]
    with firm.opened(scheduled=True, lost=1):
        firm.wait(10)
        before = dict(firm.mirrors["acme"].records["Customer"])
        firm.create(realm, 0)
        firm.wait(DAY / 2)
        assert firm.mirrors["acme"].records["Customer"] == before
        firm.wait(DAY / 2)
        firm.assert_equal()


def test_many_notifications_of_a_company_cost_one_metered_call(firm):
    realm = REALMS["birch"]
    with firm.opened(merge_s=0):
        firm.emulator.reset_counters()
        for number in range(10):
            firm.create(realm, number)
            firm.emulator.advance(0.1)
            assert firm.emulator.webhooks.settle()
        assert firm.receiver.stats["accepted"] >= 10
        firm.wait(WINDOW_S)
        assert firm.emulator.counters()["api_requests"]["total"] == 1
        firm.assert_equal()


def test_an_entity_that_the_plan_does_not_have_holds_back_nothing(firm):
    """To repeat the sync would not help, and the pauses would delay what can be synced."""

    def without_invoices(send, request, *args):
        if "Invoice" in request.url:
            firm.emulator.fault("fault", status=400, code="5020")
        return send(request, *args)

    with firm.opened(merge_s=0):
        made = firm.emulator.create("Customer", {"DisplayName": "Mira Lund"}, REALMS["acme"])
        firm.wait(1)
        with firm.interceptor.installed(without_invoices):
            firm.wait(WINDOW_S)
        assert (firm.worker.stats["handled"], firm.worker.stats["failures"]) == (1, 0)
        assert made["Id"] in firm.mirrors["acme"].records["Customer"]


def test_an_entity_that_may_succeed_later_is_synced_again_although_another_cannot_be(firm):
    """The first error of a sync is not the only one: notices of the second entity must not be lost."""

    def failing(send, request, *args):
        if "Customer" in request.url:
            firm.emulator.fault("fault", status=400, code="5020")
        elif "Invoice" in request.url:
            firm.emulator.fault("broken_json")
        return send(request, *args)

    with firm.opened():
        firm.mirrors["acme"].state = None  # entities are read one by one, and each fails for a reason of its own
        handler = SyncHandler(firm.registry, firm._open_target, entities=("Item", *ENTITIES), **firm.seams)
        with firm.interceptor.installed(failing), pytest.raises(ConnectorError) as raised:
            handler(REALMS["acme"], [])
        assert (raised.value.code, raised.value.retryable) == ("RESPONSE_UNEXPECTED", True)
        assert firm.mirrors["acme"].records["Item"]
        handler(REALMS["acme"], [])
        firm.assert_equal()


def test_a_sync_that_may_succeed_later_is_repeated(firm):
    with firm.opened(merge_s=0):
        firm.emulator.fault("status", path="/cdc", status=503, times=-1)
        firm.create(REALMS["acme"], 0)
        firm.wait(1)
        firm.wait(WINDOW_S)
        assert (firm.worker.stats["handled"], firm.worker.stats["failures"]) == (0, 1)
        firm.emulator.clear_faults()
        firm.wait(10)
        assert firm.inbox.state()["waiting"] == 0
        firm.assert_equal()


def test_a_company_that_is_connected_later_is_synced_by_then(firm, monkeypatch):
    monkeypatch.setattr("vantage_quickbooks.webhooks.handlers._LISTED_AGAIN_S", 0)
    with firm.opened(merge_s=0):
        forms = {}
        handler = SyncHandler(HostRegistry(forms.get, list=lambda: forms), firm._open_target, **firm.seams)
        worker = Worker(firm.inbox, handler, companies=handler.companies.realms)
        firm.create(REALMS["acme"], 0)
        firm.emulator.advance(WINDOW_S)
        assert firm.emulator.webhooks.settle()
        firm.emulator.advance(WINDOW_S)
        worker.run_due()
        assert (worker.stats["unknown_companies"] > 0, worker.stats["handled"]) == (True, 0)
        forms["acme"] = firm.registry.load("acme")
        assert worker.run_due() == 1  # it is scheduled, for the first time at once
        firm.assert_equal()


# ---- the hook --------------------------------------------------------------------------------------------------------


def test_the_hook_gets_plain_json_for_each_connection_of_the_company(tmp_path):
    plugins, heard, fails = pluggy.PluginManager("vantage"), [], [True]
    hookspecs.add_hookspecs(plugins)

    class Plugin:
        @hookspecs.hookimpl
        def vantage_changes(self, connection_id, notices):
            heard.append((connection_id, notices))
            if fails.pop():
                raise RuntimeError

    plugins.register(Plugin())
    plugins.check_pending()
    forms = {
        id_: {"client_id": "a", "client_secret": "b", "refresh_token": "c", "realm_id": realm}
        for id_, realm in (("acme", "1"), ("birch", "2"), ("acme-too", "1"))
    }
    now = [1_780_000_000.0]
    inbox = Inbox(tmp_path / "inbox.sqlite3", window_s=0, now=lambda: now[0])
    handler = HookHandler(HostRegistry(forms.get, list=lambda: forms), plugins.hook)
    worker = Worker(inbox, handler)
    with Receiver(inbox) as receiver:
        receiver.post(body_of(event("7", realm="1", operation="voided"), event("8", realm="3")))
    fails[:] = [False, False, True]
    worker.run_due()
    notice = {
        "realmId": "1",
        "entity": "Invoice",
        "id": "7",
        "operation": "voided",
        "time": "2026-05-01T15:30:00Z",
        "deletedId": None,
    }
    assert heard == [("acme", [notice])]
    assert worker.stats["unknown_companies"] == 1  # company 3
    now[0] += 10
    worker.run_due()
    assert heard[1:] == [("acme", [notice]), ("acme-too", [notice])]
    assert inbox.state()["waiting"] == 0


def test_notices_wait_until_a_plugin_implements_the_hook(tmp_path, caplog):
    plugins, heard = pluggy.PluginManager("vantage"), []
    hookspecs.add_hookspecs(plugins)
    form = {"client_id": "a", "client_secret": "b", "refresh_token": "c", "realm_id": "1"}
    now = [1_780_000_000.0]
    inbox = Inbox(tmp_path / "inbox.sqlite3", window_s=0, now=lambda: now[0])
    worker = Worker(inbox, HookHandler(HostRegistry({"acme": form}.get, list=lambda: ["acme"]), plugins.hook))
    with Receiver(inbox) as receiver:
        receiver.post(body_of(event("7", realm="1")))
    worker.run_due()
    assert (worker.stats["handled"], worker.stats["failures"], inbox.state()["waiting"]) == (0, 1, 1)
    assert inbox.state()["failing"][0]["error"].startswith("HOOK_MISSING: No plugin of the host implements")
    assert "HOOK_MISSING" in caplog.text

    class Plugin:
        @hookspecs.hookimpl
        def vantage_changes(self, connection_id, notices):
            heard.extend((connection_id, notice["id"]) for notice in notices)

    plugins.register(Plugin())
    now[0] += 10
    worker.run_due()
    assert (heard, worker.stats["handled"], inbox.state()["failing"]) == ([("acme", "7")], 1, [])
