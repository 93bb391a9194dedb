"""Syncs of many entities: the copy equals the company, whatever happens, at the fewest API calls."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interceptor import Interceptor

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT, SYNC_ENTITIES
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import AccessDeniedError, ConnectorError, IncompleteReadError, InputError
from vantage_quickbooks.sync import company_sync
from vantage_quickbooks.sync.sync_state import MAX_BYTES

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
CAPTURED = tuple(resource.entity for resource in SYNC_DEFAULT if resource.has_cdc)
UNCAPTURED = tuple(resource.entity for resource in SYNC_DEFAULT if not resource.has_cdc)
ENTITIES = ("Customer", "Invoice", "Term", "TimeActivity", "TaxCode")


class Clock:
    """This machine's clock, which may be wrong by days."""

    offset = timedelta()

    def now(self):
        return datetime.now(UTC) + self.offset


class Company:
    """An emulated company, a connection to it, and a copy of it that syncs bring up to date."""

    def __init__(self, emulator, connection, interceptor, clock):
        self.emulator, self.connection, self.interceptor, self.clock = emulator, connection, interceptor, clock

    def begin(self):
        """Begin anew, as good as new, and let some time pass."""
        self.emulator.reset()
        self.clock.offset = timedelta()
        self.mirrors, self.state, self.sets, self.number = {}, None, [], 0
        self.wait(600)
        self.connection.invoke("getCompanyInfo")  # a reset ends access tokens: the calls counted are those of syncs
        self.emulator.reset_counters()

    def wait(self, seconds):
        self.emulator.advance(seconds)
        self.clock.offset += timedelta(seconds=seconds)

    def sync(self, entities=None, *, crash_after=None, **options):
        """Sync once, and store the state after each set, unless a crash comes between the two."""
        self.sets = []
        for found in self.connection.sync(entities, self.state, **options):
            found.apply_to(self.mirrors.setdefault(found.entity, {}))
            assert len(json.dumps(found.state)) < MAX_BYTES
            if len(self.sets) == crash_after:
                return None
            self.state = found.state
            self.sets.append(found)
        return self.sets[-1] if self.sets else None

    def assert_equal(self, entities=ENTITIES):
        """Compare the copy with a full read: Intuit's properties, since flat fields follow from the date."""
        for entity in entities:
            resource = SYNC_ENTITIES[entity]
            data = {"all": True} | ({"active": "all"} if resource.has_active else {})
            there = self.connection.invoke(resource.list_id, data)[resource.rows_key]
            assert _plain(self.mirrors.get(entity, {}).values()) == _plain(there), entity

    # ---- edits ----

    def ids(self, entity):
        resource = SYNC_ENTITIES[entity]
        condition = "WHERE Active IN (true, false)" if resource.has_active else ""
        statement = f"SELECT * FROM {entity} {condition} MAXRESULTS 1000"  # noqa: S608 -- names of the catalog
        return [row["Id"] for row in self.connection.invoke("query", {"query": statement})["rows"]]

    def create(self, n):
        self.number += 1
        name = f"New {self.number}"
        bodies = {
            "Customer": {"DisplayName": name},
            "Invoice": {"CustomerRef": {"value": "1"}, "Line": [LINE]},
            "Term": {"Name": name, "DueDays": 3},
            "TimeActivity": {"NameOf": "Employee", "EmployeeRef": {"value": "1"}, "Hours": 1, "Minutes": 0},
        }
        entity = list(bodies)[n % len(bodies)]
        made = self.emulator.create(entity, bodies[entity])
        self.known.setdefault(entity, []).append(made["Id"])

    def touch(self, n):
        changes = {"Customer": "Notes", "Invoice": "PrivateNote", "TimeActivity": "Description"}
        entity = list(changes)[n % len(changes)]
        self._edit(entity, n, lambda id_: self.emulator.update(entity, {"Id": id_, changes[entity]: f"edit {n}"}))

    def remove(self, n):
        entity = ("Invoice", "TimeActivity")[n % 2]
        if id_ := self._edit(entity, n, lambda id_: self.emulator.delete(entity, id_)):
            self.known[entity].remove(id_)

    def deactivate(self, n):
        self._edit("Customer", n, lambda id_: self.emulator.update("Customer", {"Id": id_, "Active": n % 3 == 0}))

    def import_many(self, n):
        for _ in range(12):
            self.create(n)

    def create_in_one_second(self, n, count, monkeypatch):
        """Create many records with the emulated company's clock held, so that they share a second on a busy machine."""
        books = self.emulator.company()
        moment = books._now()
        with monkeypatch.context() as held:
            held.setattr(books, "_now", lambda: moment)
            for _ in range(count):
                self.create(n)

    def tick(self, _):
        self.wait(1)

    def _edit(self, entity, n, run):
        here = self.known.get(entity, [])
        if not here:
            return None
        id_ = here[n % len(here)]
        run(id_)
        return id_


def _plain(records):
    return {record["Id"]: {name: value for name, value in record.items() if name[0].isupper()} for record in records}


@pytest.fixture(scope="module")
def shared():
    interceptor, clock = Interceptor(), Clock()
    with Emulator(limits=False, customers=3, invoices=5, access_token_lifetime_s=10**8) as emulator:
        connection = QUICKBOOKS.connect(
            emulator.credentials(),
            deployment=Deployment(api_url=emulator.url, oauth_url=emulator.url),
            store=MemoryStore(),
            new_call=lambda **known: CallContext(**known, sleep=lambda _: None, now=clock.now),
            rate_limiter=RateLimiter(10, 10**9, 10**9),
            intercept=interceptor,
        )
        yield Company(emulator, connection, interceptor, clock)
        connection.close()


@pytest.fixture
def company(shared):
    shared.begin()
    shared.known = {}
    yield shared
    shared.emulator.clear_faults()


@pytest.fixture
def small_limits(monkeypatch):
    """Pages and answers of CDC that a few records fill, at both ends."""
    _limit(monkeypatch)


def _limit(monkeypatch, page=6, cap=10):
    monkeypatch.setattr(company_sync, "PAGE_SIZE", page)
    monkeypatch.setattr(company_sync, "SMALL", page - 2)
    monkeypatch.setattr("vantage_quickbooks.core.change_plan.MAX_CHANGES", cap)
    monkeypatch.setattr("vantage_quickbooks.emulator.http.cdc.MAX_OBJECTS", cap)


# ---- histories -------------------------------------------------------------------------------------------------------

OPERATIONS = ["create", "create", "touch", "touch", "remove", "deactivate", "import_many", "tick"]
operation = st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 60))
during = st.lists(st.tuples(st.integers(0, 12), operation), max_size=4)
a_sync = st.fixed_dictionaries(
    {
        "crash_after": st.none() | st.integers(0, 8),
        "max_api_calls": st.none() | st.integers(2, 12),
        "fault": st.none()
        | st.tuples(st.sampled_from(["reset", "truncate", "broken_json", "html"]), st.integers(0, 6)),
        "refused": st.none() | st.sampled_from(["Customer", "Invoice", "Term"]),
        "edits": during,
    }
)
step = st.one_of(
    operation.map(lambda edit: ("edit", edit)),
    a_sync.map(lambda options: ("sync", options)),
    st.sampled_from([0, 2, 61, 3600, 20 * 86_400, 40 * 86_400]).map(lambda seconds: ("wait", seconds)),
    st.sampled_from([-40, -2, 0, 2, 40]).map(lambda days: ("clock", days)),
)


@settings(
    max_examples=int(os.environ.get("HISTORIES", "25")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(step, max_size=14))
def test_the_copy_equals_the_company_after_any_history(shared, history):
    """Edits before and during syncs, crashes between set and state, faults, refusals, limits, clocks that jump."""
    shared.begin()
    shared.known = {}
    skew = timedelta()
    with pytest.MonkeyPatch.context() as patched:
        _limit(patched)
        for kind, value in history:
            if kind == "edit":
                getattr(shared, value[0])(value[1])
            elif kind == "wait":
                shared.wait(value)
            elif kind == "clock":
                shared.clock.offset += timedelta(days=value) - skew
                skew = timedelta(days=value)
            else:
                _sync_badly(shared, value)
        shared.clock.offset -= skew
        shared.emulator.clear_faults()
        shared.wait(5)
        for _ in range(50):
            last = shared.sync(ENTITIES, max_api_calls=40)
            assert [found.error for found in shared.sets if found.error] == []
            if not last.metadata["pending"]:
                break
        else:
            pytest.fail("fifty syncs of forty calls do not come to an end")
        shared.sync(ENTITIES)
        shared.assert_equal()


def _sync_badly(company, options):
    """Sync once with edits between its requests, a fault, a limit of calls, and perhaps a crash."""
    lock, sent = threading.Lock(), [0]

    def sending(send, request, *args):
        with lock:
            for at, (what, n) in options["edits"]:
                if at == sent[0]:
                    getattr(company, what)(n)
            sent[0] += 1
            if options["refused"] and "/cdc?" in request.url and options["refused"] in request.url:
                company.emulator.fault("fault", path="/cdc", status=400, code="5020")
        return send(request, *args)

    if options["fault"]:
        kind, after = options["fault"]
        company.emulator.fault(kind, path="/company", after=after, times=2)
    try:
        with company.interceptor.installed(sending):
            company.sync(ENTITIES, crash_after=options["crash_after"], max_api_calls=options["max_api_calls"])
    except ConnectorError:
        pass  # as a crash: the last state that was stored continues
    company.emulator.clear_faults()


# ---- what it costs ---------------------------------------------------------------------------------------------------


def test_a_quiet_company_costs_one_metered_call(company):
    """All entities that change data capture covers, in one request."""
    assert len(CAPTURED) >= 29
    company.sync(CAPTURED)
    company.wait(3600)

    last = company.sync(CAPTURED)

    assert (last.metadata["apiCalls"], last.metadata["meteredCalls"]) == (1, 1)
    assert {found.entity for found in company.sets} == set(CAPTURED)
    assert [found.entity for found in company.sets if found.upserts or found.deletions] == []
    company.assert_equal(CAPTURED)


def test_a_quiet_entity_outside_change_data_capture_costs_one_call(company):
    """The page that was proven complete is the same: no count is needed. A changed one costs two."""
    company.sync(UNCAPTURED)
    company.wait(3600)
    company.sync(UNCAPTURED)
    company.wait(3600)

    assert company.sync(UNCAPTURED).metadata["apiCalls"] == len(UNCAPTURED)
    company.create(3)
    last = company.sync(["TimeActivity"])
    assert last.metadata["apiCalls"] == 2
    assert [len(found.upserts) for found in company.sets] == [1]


def test_changes_come_with_flat_fields_and_deletions_with_their_time(company):
    """Records are those of list results."""
    company.sync(["Invoice", "Customer"])
    gone = company.ids("Invoice")[0]
    company.wait(3600)
    company.emulator.delete("Invoice", gone)
    company.create(1)

    company.sync(["Invoice", "Customer"])

    (invoices,) = (found for found in company.sets if found.entity == "Invoice")
    assert (invoices.mode, invoices.metadata["source"], invoices.is_last) == ("changes", "cdc", True)
    assert [row["Id"] for row in invoices.deletions] == [gone]
    assert invoices.deletions[0]["deletedAt"]
    assert {"customerName", "paymentStatus", "daysOverdue", "currency"} <= set(invoices.upserts[0])
    company.assert_equal(["Invoice", "Customer"])


def test_nothing_comes_twice_within_the_overlap(company):
    """A sync right after another looks back, and knows by Id and SyncToken what was delivered."""
    company.sync(["Customer"])
    company.create(0)
    company.sync(["Customer"])
    assert [len(found.upserts) for found in company.sets] == [1]

    company.sync(["Customer"])
    assert [len(found.upserts) for found in company.sets] == [0]
    company.known["Customer"] = company.ids("Customer")[:1]
    company.touch(0)
    company.sync(["Customer"])
    assert [len(found.upserts) for found in company.sets] == [1]


@pytest.mark.usefixtures("small_limits")
def test_an_answer_that_is_full_by_the_sum_of_its_entities_makes_all_suspect(company):
    """Six customers and six invoices fill a cap of ten, although neither has ten: both are asked for again."""
    company.sync(["Customer", "Invoice", "Term"])
    company.wait(3600)
    for _ in range(6):
        company.create(0)
        company.create(1)
    company.emulator.reset_counters()

    company.sync(["Customer", "Invoice", "Term"])

    company.assert_equal(["Customer", "Invoice", "Term"])
    assert {found.entity: found.metadata["source"] for found in company.sets} == dict.fromkeys(
        ("Customer", "Invoice", "Term"), "cdc"
    )
    assert company.sets[-1].metadata["apiCalls"] == 3  # the full answer, and its two halves


@pytest.mark.usefixtures("small_limits")
def test_an_entity_that_fills_an_answer_alone_is_read_and_its_deletions_are_found(company):
    """The other entities are asked for once more, in one request."""
    company.sync(["Customer", "Invoice", "Term"])
    company.wait(3600)
    gone = company.ids("Invoice")[0]
    company.emulator.delete("Invoice", gone)
    for _ in range(14):
        company.create(1)

    company.sync(["Invoice", "Customer", "Term"])

    company.assert_equal(["Customer", "Invoice", "Term"])
    sources = {found.entity: found.metadata["source"] for found in company.sets}
    assert sources == {"Invoice": "fullRead", "Customer": "cdc", "Term": "cdc"}
    last = company.sets[-1]
    assert gone not in last.existing_ids
    assert sum(len(found.upserts) for found in company.sets if found.entity == "Invoice") == 14


def test_beyond_the_window_of_change_data_capture_everything_is_reconciled(company):
    """Thirty-five days later: what changed, and the Ids of all that exist."""
    company.sync(ENTITIES)
    gone = company.ids("Invoice")[0]
    company.wait(86_400)
    company.emulator.delete("Invoice", gone)
    company.create(0)
    company.wait(35 * 86_400)

    company.sync(ENTITIES)

    assert {found.metadata["source"] for found in company.sets} == {"onePage"}
    assert all(found.existing_ids is not None for found in company.sets)
    customers = [row["Id"] for found in company.sets for row in found.upserts if found.entity == "Customer"]
    assert len(customers) == 2  # the new one, and the one that owed the deleted invoice
    company.assert_equal()


def test_a_clock_that_is_wrong_costs_calls_and_loses_nothing(company):
    """QuickBooks refuses a time that is too long ago by its own clock: everything is read."""
    company.sync(["Customer", "Invoice"])
    company.create(0)
    company.emulator.advance(40 * 86_400)  # and this machine's clock has not noticed
    asked, counted = without(company)

    with counted:
        company.sync(["Customer", "Invoice"])
    assert len(asked) == 1

    assert {found.metadata["source"] for found in company.sets} == {"onePage"}
    company.assert_equal(["Customer", "Invoice"])


def test_damaged_changes_are_asked_for_again_and_then_read(company):
    """One damaged answer costs one call; two of them a read of each entity."""
    company.sync(["Customer", "Invoice"])
    company.create(0)
    company.wait(3600)

    def damaged(send, request, *args):
        status, headers, body = send(request, *args)
        if "/cdc" in request.url and damage.pop():
            from vantage_quickbooks.api.response_body import ResponseBody

            body = ResponseBody(b'{"CDCResponse":[{"QueryResponse":[null]}],"time":"2026-01-01T00:00:00Z"}')
        return status, headers, body

    damage = [False, True]
    with company.interceptor.installed(damaged):
        assert company.sync(["Customer", "Invoice"]).metadata["source"] == "cdc"
    damage = [True, True]
    with company.interceptor.installed(damaged):
        assert company.sync(["Customer", "Invoice"]).metadata["source"] == "onePage"
    company.assert_equal(["Customer", "Invoice"])


# ---- limits and fairness ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_limits")
def test_what_does_not_fit_the_limit_is_pending_and_read_by_the_next_syncs(company):
    """Every sync keeps to its limit, and together they read everything, large entities page by page."""
    for _ in range(40):
        company.create(1)
        company.wait(1)
    rounds = 0
    while company.sync(ENTITIES, max_api_calls=9).metadata["pending"]:
        rounds += 1
        assert rounds < 30
        assert company.sets[-1].metadata["apiCalls"] <= 9
        company.wait(300)
        assert [found.error for found in company.sets if found.error] == []
    assert rounds > 3
    company.sync(ENTITIES)
    company.assert_equal()


@pytest.mark.parametrize("later_s", [0, 2])
@pytest.mark.usefixtures("small_limits")
def test_a_limit_too_low_for_the_next_step_of_a_read_is_reported(company, monkeypatch, later_s):
    """More than a page of one second takes several calls together; more syncs of so few would not complete it.

    So it is where the pages that fit the limit repeat what is known, which depends on when the read begins.
    """
    company.create_in_one_second(1, 40, monkeypatch)
    company.wait(later_s)
    company.sync(["Customer", "Invoice"], max_api_calls=5)
    for _ in range(20):
        last = company.sync(["Customer", "Invoice"], max_api_calls=5)
        if last.error:
            break
    assert (last.entity, last.error["code"], last.metadata["pending"]) == ("Invoice", "RESULT_INCOMPLETE", ["Invoice"])
    company.sync(["Customer", "Invoice"])
    company.assert_equal(["Customer", "Invoice"])


@pytest.mark.usefixtures("small_limits")
def test_a_read_of_known_size_does_not_wait_for_its_count(company):
    """The pages that the state's size makes certain are requested at once; the count still proves the read."""
    for _ in range(40):
        company.create(1)
        company.wait(1)
    company.sync(["Invoice"])
    company.wait(40 * 86_400)
    estimate = company.connection.estimate_sync(["Invoice"], company.state)["apiCalls"]
    pages_seen, three_pages = [], threading.Event()

    def holding(send, request, *args):
        query = parse_qs(urlsplit(request.url).query).get("query", [""])[0]
        if "COUNT(*)" in query.upper():
            assert three_pages.wait(60), "the pages wait for the count"
        elif "STARTPOSITION" in query.upper():
            pages_seen.append(query)
            if len(pages_seen) == 3:
                three_pages.set()
        return send(request, *args)

    with company.interceptor.installed(holding):
        last = company.sync(["Invoice"])
    assert len(last.existing_ids) == last.metadata["readCount"] == last.metadata["expectedCount"] == 45
    assert last.metadata["apiCalls"] == estimate
    company.assert_equal(["Invoice"])


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("deleted", [1, 3, 20])
def test_a_read_of_known_size_is_complete_although_records_are_deleted_meanwhile(company, deleted):
    """The size is only a guess; fewer records, and pages that have moved, are read as if it were unknown."""
    for _ in range(40):
        company.create(1)
        company.wait(1)
    company.sync(["Invoice"])
    company.wait(40 * 86_400)
    here, sent, lock = list(company.known["Invoice"]), [0], threading.Lock()

    def editing(send, request, *args):
        with lock:
            sent[0] += 1
            if sent[0] % 2 == 0:
                for _ in range(min(deleted, len(here) - 15)):
                    company.emulator.delete("Invoice", here.pop(0))
        return send(request, *args)

    with company.interceptor.installed(editing):
        company.sync(["Invoice"])
    company.sync(["Invoice"])  # what was deleted later
    company.assert_equal(["Invoice"])


@pytest.mark.usefixtures("small_limits")
def test_the_entity_that_waited_longest_is_read_first(company):
    """An entity of many pages does not keep the others waiting, nor they it."""
    for _ in range(40):
        company.create(1)
        company.wait(1)
    served = []
    for _ in range(3):
        company.sync(["Invoice", "Customer", "Term"], max_api_calls=3)
        served.append({found.entity for found in company.sets if found.metadata["source"] != "cdc"})
    assert set.union(*served) == {"Invoice", "Customer", "Term"}


def test_a_limit_too_low_for_any_progress_is_an_error(company):
    """Reading an entity takes a page and a count."""
    with pytest.raises(IncompleteReadError, match="at least 2 API calls, and 1 is left"):
        company.sync(["Customer"], max_api_calls=1)


def test_the_estimate_is_what_the_sync_costs(company):
    """Sizes are counted once, and known from the state afterwards."""
    before = company.connection.estimate_sync(ENTITIES)
    assert before["apiCallsSpent"] == len(ENTITIES)
    assert company.sync(ENTITIES).metadata["apiCalls"] == before["apiCalls"] == 2 * len(ENTITIES)

    company.wait(3600)
    after = company.connection.estimate_sync(ENTITIES, company.state)
    assert after["apiCallsSpent"] == 0
    assert company.sync(ENTITIES).metadata["apiCalls"] == after["apiCalls"]

    company.wait(40 * 86_400)
    late = company.connection.estimate_sync(ENTITIES, company.state)
    assert {row["source"] for row in late["entities"]} == {"onePage"}
    assert company.sync(ENTITIES).metadata["apiCalls"] == late["apiCalls"]


# ---- what cannot be synced -------------------------------------------------------------------------------------------


def test_entities_without_an_order_of_creation_are_read_as_one_page(company, monkeypatch):
    """One answer that the count confirms is complete; more than a page cannot be verified, and says so."""
    company.sync(["RecurringTransaction", "ExchangeRate", "Customer"])
    assert [found.error for found in company.sets] == [None] * 3
    (rates,) = (found for found in company.sets if found.entity == "ExchangeRate")
    assert (rates.mode, rates.is_first, rates.is_last) == ("snapshot", True, True)
    assert len(company.mirrors["ExchangeRate"]) == len(rates.upserts) == 3
    assert all(key.count("|") == 2 for key in company.mirrors["ExchangeRate"])
    assert len(company.mirrors["RecurringTransaction"]) == 3

    monkeypatch.setattr(company_sync, "PAGE_SIZE", 3)
    company.sync(["ExchangeRate", "Customer"])
    errors = {found.entity: found.error for found in company.sets}
    assert errors["Customer"] is None
    assert errors["ExchangeRate"]["code"] == "RESULT_INCOMPLETE"
    assert errors["ExchangeRate"]["message"].startswith("ExchangeRate cannot be synced")
    assert errors["ExchangeRate"]["retryable"] is False


def test_an_entity_that_the_company_does_not_have_does_not_stop_the_others(company):
    """QuickBooks refuses it: a set says why."""
    company.sync(["Customer"])

    def refused(send, request, *args):
        if "TimeActivity" in request.url:
            company.emulator.fault("fault", path="/query", code="4001")
        return send(request, *args)

    with company.interceptor.installed(refused):
        company.sync(["TimeActivity", "Term", "Customer"])
    errors = {found.entity: found.error and found.error["code"] for found in company.sets}
    assert errors == {"TimeActivity": "REQUEST_REJECTED", "Term": None, "Customer": None}

    company.sync(["TimeActivity", "Term", "Customer"])
    company.assert_equal(["TimeActivity", "Term", "Customer"])


def without(company, *entities, named=False):
    """Reject requests of change data capture for *entities*, as of a plan that lacks them; count the requests."""
    asked = []

    def refusing(send, request, *args):
        if "/cdc?" in request.url:
            names = parse_qs(urlsplit(request.url).query)["entities"][0].split(",")
            asked.append(names)
            refused = [name for name in names if name in entities]
            if refused:
                options = {"status": 400, "code": "5030", "message": "Feature Not Supported Error"}
                if named:
                    what = f"java.lang.IllegalArgumentException: Invalid entity supplied : entity={refused[0]}"
                    options = {"status": 200, "code": "10000", "message": what}
                company.emulator.fault("fault", path="/cdc", times=1, **options)
        return send(request, *args)

    return asked, company.interceptor.installed(refusing)


@pytest.mark.parametrize(("named", "requests", "metered"), [(True, 2, 2), (False, 11, 5)])
def test_an_entity_that_change_data_capture_refuses_does_not_make_the_others_be_read(company, named, requests, metered):
    """It is left out if the fault names it, and found by halves otherwise; only successful calls are metered."""
    company.sync(CAPTURED)
    company.create(0)
    company.wait(3600)
    company.emulator.reset_counters()
    asked, refusing = without(company, "Deposit", named=named)
    with refusing:
        last = company.sync(CAPTURED)
        sources = {found.entity: found.metadata["source"] for found in company.sets}
        assert {name for name, source in sources.items() if source != "cdc"} == {"Deposit"}
        assert len(asked) <= requests
        assert last.metadata["meteredCalls"] <= metered + 1  # the unchanged page of the refused entity
        assert [found.error for found in company.sets if found.error] == []
        company.assert_equal(CAPTURED)

        asked.clear()  # the state knows: no request is wasted
        company.create(1)
        company.wait(3600)
        assert company.sync(CAPTURED).metadata["apiCalls"] == 2
        assert [("Deposit" in names, len(names)) for names in asked] == [(False, len(CAPTURED) - 1)]
        company.assert_equal(CAPTURED)

        asked.clear()  # after a week it is asked for again, alone
        company.wait(8 * 86_400)
        assert company.sync(CAPTURED).metadata["apiCalls"] == 3
        assert ["Deposit"] in asked
        assert len(asked) == 2
    company.wait(8 * 86_400)
    assert company.sync(CAPTURED).metadata["apiCalls"] == 2  # the plan has it now
    company.wait(3600)
    assert company.sync(CAPTURED).metadata["apiCalls"] == 1
    company.assert_equal(CAPTURED)


def test_several_refused_entities_are_found(company):
    """Each half is divided again."""
    company.sync(CAPTURED)
    company.wait(3600)
    refused = {CAPTURED[0], CAPTURED[1], CAPTURED[-1]}
    asked, refusing = without(company, *refused)
    with refusing:
        company.sync(CAPTURED)
        assert {found.entity for found in company.sets if found.metadata["source"] != "cdc"} == refused
        asked.clear()
        company.wait(3600)
        company.sync(CAPTURED)
        assert len(asked) == 1
    company.assert_equal(CAPTURED)


def test_a_refusal_of_everything_is_not_divided_forever(company):
    """Change data capture itself may be refused: then everything is read, and nothing is lost."""
    company.sync(CAPTURED)
    company.create(0)
    company.wait(3600)
    asked, refusing = without(company, *CAPTURED)
    with refusing:
        company.sync(CAPTURED)
        assert len(asked) <= 20
        assert {found.metadata["source"] for found in company.sets} == {"onePage"}
        assert [found.error for found in company.sets if found.error] == []
    company.assert_equal(CAPTURED)
    company.wait(3600)
    asked, refusing = without(company, CAPTURED[3])
    with refusing:  # few calls are left for the search: what they do not find is read
        company.sync(CAPTURED, max_api_calls=40)
    company.sync(CAPTURED)
    company.assert_equal(CAPTURED)


def test_a_connection_that_is_refused_altogether_is_an_error(company):
    """Nothing worked, so it is not about one entity."""
    company.emulator.fault("fault", status=403, code="3100", message="AuthorizationFailed", times=-1)
    with pytest.raises(AccessDeniedError):
        company.sync(["Customer", "Term"])


@pytest.mark.parametrize(
    ("entities", "options", "message"),
    [
        (["Invioce"], {}, "Invioce"),
        (["Preferences"], {}, "Preferences"),
        (None, {"since": "2026-05-01"}, "Since"),
        (None, {"until": "2999-05-01T00:00:00Z"}, "future"),
        (None, {"since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}, "does not lie after"),
        (None, {"max_api_calls": 0}, "Max API calls"),
    ],
)
def test_wrong_input_is_refused_at_once(company, entities, options, message):
    """Before the first set is asked for, and before anything is sent."""
    with pytest.raises(InputError, match=message):
        company.connection.sync(entities, **options)
    assert company.emulator.counters()["api_requests"]["total"] == 0


def test_a_preview_cannot_sync(company):
    """Rows that a row limit drops would be lost."""
    with QUICKBOOKS.connect(company.emulator.settings(), HostContext(row_limit=5)) as connection:
        with pytest.raises(InputError, match="preview"):
            connection.sync()
        assert connection.call("sync")["error"]["code"] == "INPUT_INVALID"


# ---- windows ---------------------------------------------------------------------------------------------------------


def instant(company):
    return datetime.fromtimestamp(company.emulator.now(), UTC)


def rows_of(sets):
    return {(found.entity, row["Id"], row["SyncToken"]) for found in sets for row in found.upserts}


def test_a_window_read_again_yields_the_same_rows_except_those_changed_since(company):
    """Between two instants; what changed later is named, and comes in the next window."""
    company.wait(3600)
    since = instant(company)
    company.wait(10)
    for n in (0, 0, 1, 1):
        company.create(n)
    company.wait(10)
    until = instant(company)
    company.wait(10)

    first = list(company.connection.sync(["Customer", "Invoice"], since=since, until=until))
    again = list(company.connection.sync(["Customer", "Invoice"], since=since, until=until))
    assert len(rows_of(first)) == 5  # with the customer who owes the invoices
    assert rows_of(again) == rows_of(first)
    assert [found.changed_later for found in again] == [[], []]

    changed = company.known["Customer"][0]
    company.emulator.update("Customer", {"Id": changed, "Notes": "later"})
    company.create(0)
    later = list(company.connection.sync(["Customer", "Invoice"], since=since, until=until))
    assert rows_of(later) == {row for row in rows_of(first) if row[:2] != ("Customer", changed)}
    assert set(later[0].changed_later) == {changed, company.known["Customer"][-1]}

    following = list(company.connection.sync(["Customer", "Invoice"], later[-1].state))
    assert {row[1] for row in rows_of(following) if row[0] == "Customer"} >= {changed, company.known["Customer"][-1]}


def test_windows_one_after_the_other_lead_to_the_same_copy(company):
    """Each ends in the past; together they miss nothing, deletions included."""
    company.sync(ENTITIES, until=instant(company))
    for number in range(4):
        company.wait(300)
        company.create(number)
        company.touch(number)
        until = instant(company)
        company.wait(30)
        company.create(number)
        company.remove(number)
        company.sync(ENTITIES, until=until)
    company.wait(300)
    company.sync(ENTITIES, until=instant(company))
    company.assert_equal()


def test_a_window_before_the_state_is_refused(company):
    """It would lead back."""
    company.sync(["Customer"])
    with pytest.raises(InputError, match="before the instant"):
        company.sync(["Customer"], until=instant(company) - timedelta(days=1))


# ---- the action ------------------------------------------------------------------------------------------------------


def test_the_action_returns_change_sets_and_the_state_as_json(company):
    """For hosts: one call, plain JSON; the state goes in as an object or as text."""
    first = company.connection.call("sync", {"entities": "Customer, Term"})["data"]
    assert [found["entity"] for found in first["changeSets"]] == ["Customer", "Term"]
    assert first["metadata"]["pending"] == first["metadata"]["failed"] == []
    company.wait(3600)
    company.create(0)
    second = company.connection.call("sync", {"entities": ["Customer", "Term"], "state": first["state"]})["data"]
    as_text = company.connection.call("sync", {"entities": ["Customer", "Term"], "state": json.dumps(first["state"])})[
        "data"
    ]
    assert [len(found["upserts"]) for found in second["changeSets"]] == [1, 0]
    assert second["changeSets"] == as_text["changeSets"] or len(as_text["changeSets"][0]["upserts"]) == 1
    assert second["metadata"]["apiCalls"] == 1
    assert ACTIONS["sync"].action.rows_key == "changeSets"
    assert company.connection.api_calls()["sync"] >= 6
