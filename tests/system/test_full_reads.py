"""Full reads while the company is edited: every record that exists during the entire read is returned exactly once."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import itertools
import json
import math
import os
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interceptor import Interceptor

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.api.response_body import ResponseBody
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.core.completeness import early_positions, estimate_api_calls
from vantage_quickbooks.core.query import Select
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import (
    AccessDeniedError,
    IncompleteReadError,
    InputError,
    QuickBooksUnavailableError,
    UnexpectedResponseError,
)
from vantage_quickbooks.sync import full_read
from vantage_quickbooks.sync.full_read import FullRead

LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
INTERCEPTOR = Interceptor()
UNHURRIED = settings(
    deadline=None,
    max_examples=int(os.environ.get("HISTORIES", "60")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def company():
    """A company of a few customers and no invoice but one, and a connection to it."""
    with Emulator(rotation="daily", limits=False, customers=2, invoices=1) as emulator:
        deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
        connection = QUICKBOOKS.connect(
            emulator.credentials(),
            deployment=deployment,
            store=MemoryStore(),
            new_call=lambda **known: CallContext(**known, sleep=lambda _: None),
            rate_limiter=RateLimiter(10, 10**9, 10**9),  # thousands of reads: faster than Intuit's limits
            intercept=INTERCEPTOR,
        )
        yield emulator, connection
        connection.close()


def edited(before_request):
    """Call *before_request* before each API request, one at a time."""
    lock = threading.Lock()

    def sending(send, request, *args):
        with lock:
            before_request(request)
        return send(request, *args)

    return INTERCEPTOR.installed(sending)


class History:
    """Records and their edits, with the state of each record at every instant."""

    def __init__(self, company, entity, gaps, lull=600):
        emulator, connection = company
        emulator.reset()
        emulator.clear_faults()
        self.emulator, self.entity = emulator, entity
        self.states: dict[str, list[dict]] = {}
        self.number = 0
        for gap in gaps:
            emulator.advance(gap)
            self.create()
        emulator.advance(lull)  # between the last of them and the beginning of the read
        connection.invoke("getCompanyInfo")  # a reset ends access tokens: the calls counted are those of the read
        self.at_start = set(self.states)
        self.gone: set[str] = set()

    def create(self, *_):
        self.number += 1
        records = {
            "Invoice": {
                "CustomerRef": {"value": "1"},
                "Line": [LINE],
                "DocNumber": f"N{self.number * 7 % 100:03}-{self.number}",
            },
            "Payment": {
                "CustomerRef": {"value": "1"},
                "TotalAmt": 10,
                "TxnDate": f"2026-05-{self.number * 7 % 28 + 1:02}",
            },
            "Customer": {"DisplayName": f"{self.number * 7 % 100:03} {self.number}"},
        }
        made = self.emulator.create(self.entity, records[self.entity])
        self.states[made["Id"]] = [made]

    def _pick(self, n):
        here = [id_ for id_ in self.states if id_ not in self.gone]
        return here[n % len(here)] if here else None

    def _update(self, id_, **changes):
        self.states[id_].append(self.emulator.update(self.entity, {"Id": id_, **changes}))

    def touch(self, n):
        if id_ := self._pick(n):
            self._update(id_, **({"Notes": f"edit {n}"} if self.entity == "Customer" else {"PrivateNote": f"edit {n}"}))

    def rename(self, n):
        if id_ := self._pick(n):
            self.number += 1
            name = f"{n % 100:03} again {self.number}"
            changes = {
                "Invoice": {"DocNumber": name[:21]},
                "Payment": {"TxnDate": f"2026-06-{n % 28 + 1:02}"},
                "Customer": {"DisplayName": name},
            }
            self._update(id_, **changes[self.entity])

    def leave(self, n):
        if id_ := self._pick(n):
            if self.entity == "Customer":
                self._update(id_, Active=False)
            else:
                self.remove(id_)

    def remove(self, id_):
        self.emulator.delete(self.entity, id_)
        self.gone.add(id_)

    def come_back(self, n):
        if self.entity == "Customer" and (id_ := self._pick(n)):
            self._update(id_, Active=True)

    def tick(self, *_):
        self.emulator.advance(1)

    def slow(self, *_):
        self.emulator.fault("gateway_timeout", path="/query", times=1)


edits = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 2), st.integers(0, 14)),  # 1 is the count, before which one answer has come
        st.sampled_from(["create", "touch", "rename", "leave", "leave", "come_back", "tick"]),
        st.integers(0, 200),
    ),
    max_size=30,
)
gaps = st.lists(st.sampled_from([0, 0, 0, 1, 5]), max_size=45)


def run(history, connection, plan, action, data, *, stop_after=None):
    """Read everything while it is edited; optionally stop after some pages and continue from the cursor."""
    sent = [0]

    def edit(request):
        if "/query" not in request.url:
            return
        for at, what, n in plan:
            if at == sent[0]:
                getattr(history, what)(n)
        sent[0] += 1

    rows_key = action.removeprefix("list").lower()
    with edited(edit):
        if stop_after is None:
            return connection.invoke(action, data)[rows_key], None
        pages = list(itertools.islice(connection.stream(action, data), stop_after))
        while cursor := pages[-1]["metadata"]["cursor"]:  # cut off again and again
            pages += itertools.islice(connection.stream(action, {**data, "cursor": cursor}), stop_after)
        return [row for page in pages for row in page[rows_key]], pages[-1]["metadata"]


def assert_whole(history, rows, *, is_wanted=lambda _: True):
    ids = [row["Id"] for row in rows]
    assert len(ids) == len(set(ids)), "a record came twice"
    known = [id_ for id_ in history.at_start if id_ not in history.gone]
    throughout = {id_ for id_ in known if all(is_wanted(state) for state in history.states[id_])}
    assert throughout <= set(ids), "a record that existed during the full read is missing"
    for row in rows:
        if row["Id"] in history.states:
            assert row["SyncToken"] in {state["SyncToken"] for state in history.states[row["Id"]]}


@UNHURRIED
@given(gaps=gaps, plan=edits, size=st.integers(2, 9), lull=st.sampled_from([0, 1, 600]))
def test_invoices_are_complete_despite_edits(company, gaps, plan, size, lull):
    """Created, changed, renumbered, deleted while pages are fetched in parallel; before it begins, too."""
    _, connection = company
    history = History(company, "Invoice", gaps, lull)
    rows, _ = run(history, connection, plan, "listInvoices", {"all": True, "max_results": size})
    assert_whole(history, rows)


@UNHURRIED
@given(gaps=gaps, plan=edits, size=st.integers(2, 9))
def test_active_customers_are_complete_despite_edits(company, gaps, plan, size):
    """Customers are created, renamed, deactivated and reactivated; those active during the entire read are returned."""
    _, connection = company
    history = History(company, "Customer", gaps)
    rows, _ = run(history, connection, plan, "listCustomers", {"all": True, "max_results": size})
    assert_whole(history, rows, is_wanted=lambda state: state["Active"])


@UNHURRIED
@given(gaps=gaps, plan=edits, size=st.integers(2, 9), lull=st.sampled_from([0, 1, 600]), stop_after=st.integers(1, 6))
def test_a_read_that_was_cut_off_continues_and_is_complete(company, gaps, plan, size, lull, stop_after):
    """The cursor of the last page continues the read despite edits, and no record is returned twice."""
    _, connection = company
    history = History(company, "Invoice", gaps, lull)
    data = {"all": True, "max_results": size}
    rows, last = run(history, connection, plan, "listInvoices", data, stop_after=stop_after)
    assert last["complete"] or last["cursor"] is None
    assert_whole(history, rows)


@UNHURRIED
@given(gaps=gaps, plan=edits, size=st.integers(2, 9))
def test_a_condition_that_edits_change_is_read_completely(company, gaps, plan, size):
    """Records that meet the condition during the entire read are returned; edits change the number that it compares."""
    _, connection = company
    history = History(company, "Invoice", gaps)
    data = {"all": True, "max_results": size, "doc_number": "N%"}
    rows, _ = run(history, connection, plan, "listInvoices", data)
    assert_whole(history, rows, is_wanted=lambda state: state["DocNumber"].startswith("N"))


slow_edits = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from(["slow", "slow", "create", "touch", "rename", "rename", "leave", "leave", "tick"]),
        st.integers(0, 200),
    ),
    max_size=30,
)


@UNHURRIED
@given(gaps=gaps, plan=slow_edits, size=st.integers(4, 12), stop_after=st.none() | st.integers(1, 6))
def test_pages_that_come_in_parts_are_complete_despite_edits(company, gaps, plan, size, stop_after):
    """A page joined from two answers is not a snapshot: records edited between the two are requested again."""
    _, connection = company
    history = History(company, "Invoice", gaps)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("vantage_quickbooks.sync.prefetch.MIN_PAGE", 2)
        try:
            data = {"all": True, "max_results": size}
            rows, _ = run(history, connection, plan, "listInvoices", data, stop_after=stop_after)
        except (IncompleteReadError, QuickBooksUnavailableError):
            return  # explicit: it cannot be taken for complete
    assert_whole(history, rows)


# ---- entities without a tie breaker ----------------------------------------------------------------------------------


@contextlib.contextmanager
def unordered_ties(orders):
    """Sort payments of the same second by date, upwards or downwards, as *orders* says for one request after another.

    QuickBooks promises no order for records that the sort key does not distinguish.
    """
    order, lock = itertools.cycle(orders or [False]), threading.Lock()
    by_time = "ORDERBY%20MetaData.CreateTime"

    def sending(send, request, *args):
        with lock:
            by_date = f"{by_time},%20TxnDate%20{'DESC' if next(order) else 'ASC'}"
            return send(dataclasses.replace(request, url=request.url.replace(by_time, by_date)), *args)

    with INTERCEPTOR.installed(sending):
        yield


@UNHURRIED
@given(gaps=gaps, plan=edits, size=st.integers(2, 9), lull=st.sampled_from([0, 600]), orders=st.lists(st.booleans()))
def test_payments_whose_ties_have_no_order_are_complete_despite_edits(company, gaps, plan, size, lull, orders):
    _, connection = company
    history = History(company, "Payment", gaps, lull)
    with unordered_ties(orders):
        rows, _ = run(history, connection, plan, "listPayments", {"all": True, "max_results": size})
    assert_whole(history, rows)


@UNHURRIED
@given(
    gaps=gaps,
    plan=edits,
    size=st.integers(3, 9),
    lull=st.sampled_from([0, 600]),
    orders=st.lists(st.booleans()),
    guess=st.integers(0, 80),
)
def test_pages_that_do_not_wait_for_the_count_are_complete_despite_edits(
    company, gaps, plan, size, lull, orders, guess
):
    """The size known from before may be wrong, records may move, and those of one second have no order."""
    _, connection = company
    history = History(company, "Payment", gaps, lull)
    with unordered_ties(orders), pytest.MonkeyPatch.context() as patched:
        patched.setattr(full_read, "early_positions", lambda _, *options: early_positions(guess, *options))
        rows, _ = run(history, connection, plan, "listPayments", {"all": True, "max_results": size})
    assert_whole(history, rows)


@UNHURRIED
@given(gaps=gaps, size=st.integers(2, 9), stop_after=st.integers(1, 3), orders=st.lists(st.booleans()))
def test_payments_whose_ties_have_no_order_are_complete_after_interruptions(company, gaps, size, stop_after, orders):
    _, connection = company
    history = History(company, "Payment", gaps)
    with unordered_ties(orders):
        data = {"all": True, "max_results": size}
        rows, metadata = run(history, connection, [], "listPayments", data, stop_after=stop_after)
    assert metadata["complete"] is True
    assert_whole(history, rows)


@pytest.mark.parametrize("count", [0, 5, 11, 23])
def test_without_a_tie_breaker_a_full_read_costs_no_more(company, count):
    """Verification by count needs no order within a second, so neither boundaries nor changes are requested."""
    _, connection = company
    history = History(company, "Payment", [1] * count)
    result = connection.invoke("listPayments", {"all": True, "max_results": 5})
    total = result["metadata"]["totalCount"]
    assert total == result["count"] >= count
    assert result["metadata"]["apiCalls"] == estimate_api_calls(total, 5)
    assert result["metadata"]["reconciled"] is False
    assert_whole(history, result["payments"])


@pytest.mark.parametrize(
    ("action", "entity", "data"),
    [
        ("listPayments", "Payment", {"all": True, "max_results": 20}),
        ("listInvoices", "Invoice", {"all": True, "max_results": 4}),
        ("listInvoices", "Invoice", {"all": True, "max_results": 20, "txn_date_from": "2000-01-01"}),
    ],
    ids=["no tie breaker", "a first page of ties", "a filter that edits change"],
)
@pytest.mark.parametrize("cap", [1, 3])
def test_a_server_that_caps_each_answer_does_not_shorten_a_read(company, action, entity, data, cap):
    """All records were created in the same second, so the answers after the first have no new record."""
    _, connection = company
    History(company, entity, [0] * 12)
    client = connection._get_client()
    fetch = client.fetch

    def capped(statement, call, **how):
        answer = json.loads(fetch(statement, call, **how).read())
        answer["QueryResponse"][entity] = answer["QueryResponse"][entity][:cap]
        return ResponseBody(json.dumps(answer, separators=(",", ":")).encode())

    client.fetch = capped
    try:
        with pytest.raises(IncompleteReadError) as caught:
            connection.invoke(action, data)
    finally:
        del client.fetch
    assert caught.value.retryable


def test_a_small_slow_company_is_not_asked_for_pages_beyond_its_end(company):
    """Halves are divided again, but the first one that is not full ends the read."""
    emulator, connection = company
    fill(company, 40)
    emulator.fault("gateway_timeout", path="/query", times=4)
    result = connection.invoke("listInvoices", {"all": True})
    assert result["metadata"]["apiCalls"] <= 4 + 1 + 1  # the timeouts, the page, change data capture
    assert result["count"] >= 40


@UNHURRIED
@given(count=st.integers(0, 60), size=st.integers(2, 9), ties=st.booleans())
def test_an_unedited_company_costs_the_fewest_calls(company, count, size, ties):
    """At most a call for each page and two more, and pages of a thousand overlap by one record only."""
    _, connection = company
    history = History(company, "Invoice", [0 if ties else 1] * count)
    result = connection.invoke("listInvoices", {"all": True, "max_results": size})

    total = result["metadata"]["totalCount"]
    assert total == result["count"] == len(result["invoices"]) >= count
    # Where the first page ends among a great many records of one second, change data capture is asked, too.
    assert 0 <= result["metadata"]["apiCalls"] - estimate_api_calls(total, size) <= (1 if ties else 0)
    assert result["metadata"]["complete"] is True
    assert result["metadata"]["reconciled"] is False
    assert result["metadata"]["duplicatesRemoved"] == 0
    assert_whole(history, result["invoices"])


def fill(company, count, gap=1):
    return History(company, "Invoice", [gap] * count)


def test_streamed_pages_come_in_the_order_of_creation(company):
    """Only the last page is marked complete."""
    _, connection = company
    fill(company, 30)
    pages = list(connection.stream("listInvoices", {"all": True, "max_results": 7}))

    created = [invoice["MetaData"]["CreateTime"] for page in pages for invoice in page["invoices"]]
    assert created == sorted(created)
    assert [page["metadata"]["complete"] for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [page["metadata"]["cursor"] is None for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_page_that_takes_too_long_is_asked_for_in_halves(company):
    """A gateway timeout on one of many pages: the page is read in parts, and the read is complete."""
    emulator, connection = company
    history = fill(company, 240)
    emulator.fault("gateway_timeout", path="MAXRESULTS%20100", times=-1)
    result = connection.invoke("listInvoices", {"all": True, "max_results": 60})
    emulator.clear_faults()
    emulator.fault("gateway_timeout", path="/query", times=1, after=2)
    halved = connection.invoke("listInvoices", {"all": True, "max_results": 60})
    emulator.clear_faults()

    assert_whole(history, result["invoices"])
    assert_whole(history, halved["invoices"])
    assert halved["metadata"]["complete"] is True


def test_a_fault_in_the_middle_leaves_complete_pages_and_a_cursor(company):
    """Nothing is lost: the pages before the fault are complete, and the cursor continues after them."""
    emulator, connection = company
    history = fill(company, 60)
    emulator.fault("plain_text_200", path="/query", times=-1, after=6)
    rows, cursor = [], None
    pages = connection.stream("listInvoices", {"all": True, "max_results": 5})
    with contextlib.suppress(AccessDeniedError):
        for page in pages:
            rows += page["invoices"]
            cursor = page["metadata"]["cursor"]
        pytest.fail("the fault was swallowed")
    emulator.clear_faults()

    assert rows
    rest = connection.invoke("listInvoices", {"all": True, "max_results": 5, "cursor": cursor})["invoices"]
    assert_whole(history, rows + rest)


def test_too_low_a_max_api_calls_is_refused_before_it_is_spent(company):
    """Two calls show how many would be needed."""
    _, connection = company
    fill(company, 50)
    with pytest.raises(IncompleteReadError) as caught:
        connection.invoke("listInvoices", {"all": True, "max_results": 5, "max_api_calls": 6})

    assert caught.value.details["apiCalls"] == 2
    assert caught.value.retryable is False
    assert "at least 14 API calls" in caught.value.message
    with pytest.raises(IncompleteReadError):
        connection.invoke("listInvoices", {"all": True, "max_results": 5, "max_api_calls": 1})


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({"all": True, "start_position": 3}, ["start_position"]),
        ({"all": True, "order_by": "DocNumber"}, ["order_by"]),
        ({"cursor": "abc"}, ["cursor"]),
        ({"max_api_calls": 5}, ["max_api_calls"]),
        ({"all": True, "max_api_calls": 0}, ["max_api_calls"]),
        ({"all": "perhaps"}, ["all"]),
        ({"sync_cursor": "abc", "status": "open"}, ["status"]),
    ],
)
def test_inputs_that_contradict_each_other_are_refused(company, data, fields):
    """Clear errors, by field."""
    for run in (company[1].invoke, lambda *asked: list(company[1].stream(*asked))):
        with pytest.raises(InputError) as caught:
            run("listInvoices", data)
        assert [entry.field for entry in caught.value.fields] == fields


def test_a_cursor_is_bound_to_its_selection_and_cannot_be_altered(company):
    """It is refused with another realm, entity, condition or secret, and if a character was changed."""
    emulator, connection = company
    fill(company, 30)
    page = next(iter(connection.stream("listInvoices", {"all": True, "max_results": 5})))
    cursor = page["metadata"]["cursor"]
    flipped = cursor[:40] + ("A" if cursor[40] != "A" else "B") + cursor[41:]
    for action, data in (
        ("listInvoices", {"all": True, "cursor": flipped}),
        ("listInvoices", {"all": True, "cursor": cursor, "customer_id": "1"}),
        ("listCustomers", {"all": True, "cursor": cursor}),
        ("listInvoices", {"all": True, "cursor": "not a cursor"}),
    ):
        with pytest.raises(InputError) as caught:
            connection.invoke(action, data)
        assert caught.value.fields[0].field == "cursor"
    other = QUICKBOOKS.connect(
        emulator.credentials() | {"realm_id": "1234"}, deployment=connection._deployment, store=MemoryStore()
    )
    with pytest.raises(InputError):
        other.invoke("listInvoices", {"all": True, "cursor": cursor})


def test_ndjson_is_intuits_exact_bytes(company):
    """One record per line, byte for byte as received, verified in the same way."""
    _, connection = company
    fill(company, 30)
    whole = connection.invoke("listInvoices", {"all": True, "max_results": 7})
    chunks = list(connection.stream("listInvoices", {"all": True, "max_results": 7}, as_="ndjson"))

    records = [json.loads(line) for chunk in chunks for line in chunk.splitlines()]
    derived = {"customerName", "currency", "paymentStatus", "daysOverdue"}
    assert records == [{k: v for k, v in row.items() if k not in derived} for row in whole["invoices"]]
    assert b'"TotalAmt":10.00' in chunks[1]
    assert chunks[-1].metadata["complete"] is True
    assert sum(chunk.records for chunk in chunks) == whole["count"]


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("listCustomers", {}),
        ("listCustomers", {"active": "inactive"}),
        ("listInvoices", {"status": "overdue"}),
        ("listInvoices", {"status": "partiallyPaid"}),
    ],
)
def test_ndjson_with_local_filters_has_the_same_records(connect, action, data):
    """Inactive customers and other payment statuses are filtered out, whether records are decoded or not."""
    data = {"all": True, "max_results": 10, **data}
    whole = connect().invoke(action, data)
    chunks = list(connect().stream(action, data, as_="ndjson"))

    rows = whole["customers" if action == "listCustomers" else "invoices"]
    assert [json.loads(line)["Id"] for chunk in chunks for line in chunk.splitlines()] == [row["Id"] for row in rows]
    assert 0 < whole["count"] < whole["metadata"]["totalCount"]
    assert chunks[-1].metadata["totalCount"] == whole["metadata"]["totalCount"]


def test_the_summary_of_a_full_read_has_the_scope_all(company):
    """Its counts add up, too."""
    _, connection = company
    fill(company, 20)
    result = connection.invoke("listInvoices", {"all": True, "max_results": 6})
    assert result["summary"]["scope"] == "all"
    assert sum(group["count"] for group in result["summary"]["byCurrency"]) == result["count"]


def test_a_preview_of_everything_is_one_page(company):
    """row_limit caps a full read: one call, and it does not claim to be complete."""
    emulator, _ = company
    fill(company, 30)
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
    connection = QUICKBOOKS.connect(
        emulator.credentials(), HostContext(row_limit=10), deployment=deployment, store=MemoryStore()
    )
    result = connection.invoke("listInvoices", {"all": True})
    assert result["count"] == 10
    assert result["metadata"]["apiCalls"] == 1
    assert result["metadata"]["mayHaveMore"] is True


def test_changes_come_with_deletions(company):
    """The syncCursor of one read starts the next: changed, created and deleted records are returned once."""
    emulator, connection = company
    history = fill(company, 20)
    first = connection.invoke("listInvoices", {"all": True, "max_results": 6})
    again = connection.invoke("listInvoices", {"sync_cursor": first["metadata"]["syncCursor"]})
    assert (again["count"], again["deleted"]) == (0, [])

    emulator.advance(60)
    history.touch(3)
    history.create()
    gone = history._pick(7)
    history.emulator.delete("Invoice", gone)
    changed = connection.invoke("listInvoices", {"sync_cursor": again["metadata"]["syncCursor"]})

    assert changed["count"] == 2
    assert [record["Id"] for record in changed["deleted"]] == [gone]
    assert changed["metadata"]["deletions"] == "cdc"
    quiet = connection.invoke("listInvoices", {"sync_cursor": changed["metadata"]["syncCursor"]})
    assert quiet["count"] == 0


@pytest.mark.parametrize(("count", "calls"), [(0, 3), (1, 3), (999, 3), (1000, 2 + 1 + 1 + 3)])
def test_a_change_read_costs_what_its_descriptor_says(company, count, calls):
    """With 1000 changes, edits during the read are requested, and all Ids are listed to find deletions."""
    emulator, connection = company
    History(company, "Payment", [])
    cursor = connection.invoke("listPayments", {"all": True})["metadata"]["syncCursor"]
    emulator.advance(60)
    for _ in range(count):
        emulator.advance(1)
        emulator.create("Payment", {"CustomerRef": {"value": "1"}, "TotalAmt": 10})
    emulator.advance(60)
    result = connection.invoke("listPayments", {"sync_cursor": cursor})

    assert (result["count"], result["metadata"]["apiCalls"]) == (count, calls)
    assert result["metadata"]["deletions"] == ("idListing" if count >= 1000 else "cdc")
    (cost,) = (cost for cost in QUICKBOOKS.describe_action("listPayments")["cost"] if cost["mode"] == "changes")
    if count < 1000:
        assert calls <= cost["apiCalls"] + math.ceil(count / cost["recordsPerApiCall"])
    assert "1,000 changes or more, a listing of all Ids" in cost["text"]


def test_the_estimate_of_a_change_read_is_what_it_costs(company):
    """It counts what changed, and adds how the deletions are found."""
    emulator, connection = company
    fill(company, 20)
    for action, entity in (("listInvoices", "Invoice"), ("listTimeActivities", "TimeActivity")):
        first = connection.invoke(action, {"all": True})
        cursor = {"sync_cursor": first["metadata"]["syncCursor"]}
        emulator.advance(600)
        rows = next(value for value in first.values() if isinstance(value, list))
        emulator.update(entity, {"Id": rows[0]["Id"], "PrivateNote" if entity == "Invoice" else "Description": "x"})
        before = sum(connection.api_calls().values())
        estimate = connection.estimate(action, cursor)
        assert sum(connection.api_calls().values()) - before == (1 if entity == "Invoice" else 2)
        changed = connection.invoke(action, cursor)
        assert (estimate["totalCount"], estimate["apiCalls"]) == (1, changed["metadata"]["apiCalls"])


def test_a_read_with_updated_since_can_be_continued_by_its_sync_cursor(company):
    """updated_since once, then the syncCursor: no change is missed or returned twice."""
    emulator, connection = company
    history = fill(company, 20)
    written = history.states[history._pick(9)][-1]["MetaData"]["LastUpdatedTime"]
    first = connection.invoke("listInvoices", {"all": True, "updated_since": written})
    assert 0 < first["count"] < 20

    emulator.advance(60)
    history.touch(1)  # one that the first read left out
    history.touch(12)
    changed = connection.invoke("listInvoices", {"sync_cursor": first["metadata"]["syncCursor"]})
    assert {row["Id"] for row in changed["invoices"]} == {history._pick(1), history._pick(12)}
    narrow = connection.invoke("listInvoices", {"all": True, "customer_id": "1"})
    assert narrow["metadata"]["syncCursor"] is None  # it would include other customers' invoices, too


def test_changes_are_not_offered_as_ndjson(company):
    """NDJSON cannot represent deletions."""
    _, connection = company
    fill(company, 3)
    cursor = connection.invoke("listInvoices", {"all": True})["metadata"]["syncCursor"]
    with pytest.raises(InputError) as caught:
        list(connection.stream("listInvoices", {"sync_cursor": cursor}, as_="ndjson"))
    assert [entry.field for entry in caught.value.fields] == ["sync_cursor"]


def test_where_change_data_capture_cannot_report_deletions_all_ids_are_listed(company, monkeypatch):
    """A saturated or too old window fails closed: a record whose Id is missing was deleted."""
    from vantage_quickbooks.sync import changes

    emulator, connection = company
    history = fill(company, 20)
    first = connection.invoke("listInvoices", {"all": True})
    gone = history._pick(4)
    emulator.delete("Invoice", gone)
    monkeypatch.setattr(changes, "MAX_CHANGES", 1)
    changed = connection.invoke("listInvoices", {"sync_cursor": first["metadata"]["syncCursor"]})

    assert changed["metadata"]["deletions"] == "idListing"
    assert "deleted" not in changed
    assert gone not in changed["existingIds"]
    assert len(changed["existingIds"]) == first["count"] - 1


def test_a_transient_failure_within_a_full_read_is_waited_out(emulator, connect):
    """Retries work page by page."""
    emulator.fault("html", path="/query", times=2, after=1)
    result = connect().invoke("listInvoices", {"all": True, "max_results": 10})
    assert result["metadata"]["complete"] is True
    emulator.fault("html", path="/query", times=-1, after=1)
    with pytest.raises(QuickBooksUnavailableError):
        connect().invoke("listInvoices", {"all": True, "max_results": 10})


def test_a_customer_who_was_deactivated_is_among_what_changed(emulator, connect):
    """A mirror that reads changes must get it."""
    connection = connect()
    first = connection.invoke("listCustomers", {"all": True})
    emulator.advance(60)
    gone = first["customers"][3]["Id"]
    emulator.update("Customer", {"Id": gone, "Active": False})
    changed = connection.invoke("listCustomers", {"sync_cursor": first["metadata"]["syncCursor"]})

    assert [(customer["Id"], customer["Active"]) for customer in changed["customers"]] == [(gone, False)]
    assert first["metadata"]["totalCount"] >= first["count"]


@pytest.mark.parametrize("after", [0, 1, 3, 5])
@pytest.mark.parametrize("size", [20, 60])
def test_a_timeout_on_any_page_is_survived(company, after, size):
    """The first page, the count, a prefetched page, the last page: each is requested in parts or again."""
    emulator, connection = company
    history = fill(company, 130)
    emulator.fault("gateway_timeout", path="/query", times=1, after=after)
    result = connection.invoke("listInvoices", {"all": True, "max_results": size})
    emulator.clear_faults()
    assert_whole(history, result["invoices"])
    assert result["metadata"]["complete"] is True


def test_an_answer_that_was_capped_does_not_shorten_the_read(company):
    """One page has a record less than requested, as valid JSON, although nothing is edited: the rest is requested."""
    _, connection = company
    history = fill(company, 40)
    client = connection._get_client()
    fetch, calls = client.fetch, []

    def capped(statement, call, **how):
        body = fetch(statement, call, **how)
        calls.append(statement)
        if len(calls) == 3:
            answer = json.loads(body.read())
            answer["QueryResponse"]["Invoice"].pop()
            return ResponseBody(json.dumps(answer, separators=(",", ":")).encode())
        return body

    client.fetch = capped
    try:
        result = connection.invoke("listInvoices", {"all": True, "max_results": 7})
    finally:
        del client.fetch
    assert_whole(history, result["invoices"])


def test_a_consumer_may_take_its_time(company):
    """The time limit is the read's, not the consumer's."""
    emulator, connection = company
    fill(company, 60)
    deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
    taken = [0.0]
    hurried = QUICKBOOKS.connect(
        emulator.credentials(),
        deployment=deployment,
        store=connection._get_store(),
        new_call=lambda **known: CallContext(**known, time_limit_s=60, monotonic=lambda: time.monotonic() + taken[0]),
        rate_limiter=RateLimiter(10, 10**9, 10**9),
    )
    pages = 0
    for _ in hurried.stream("listInvoices", {"all": True, "max_results": 5}):
        pages += 1
        if pages in {2, 7}:
            taken[0] += 61
    assert pages >= 15


def test_a_page_that_cannot_be_shaped_ends_the_requests_of_its_read(company):
    """The caller still holds the error, and with it the frames of the read: they keep no thread waiting."""
    _, connection = company
    fill(company, 100)
    client = connection._get_client()
    fetch = client.fetch

    def without_a_total(statement, call, **how):
        answer = json.loads(fetch(statement, call, **how).read())
        if statement.start_position > 10:
            del answer["QueryResponse"]["Invoice"][1]["TotalAmt"]  # the first one came before
        return ResponseBody(json.dumps(answer, separators=(",", ":")).encode())

    client.fetch = without_a_total
    try:
        with pytest.raises(UnexpectedResponseError) as caught:
            list(connection.stream("listInvoices", {"all": True, "max_results": 5}))
    finally:
        del client.fetch
    for thread in threading.enumerate():
        if thread.name.startswith("quickbooks-page"):
            thread.join(60)
            assert not thread.is_alive()
    assert "TotalAmt" in str(caught.value)


def test_a_stream_that_is_closed_early_asks_for_nothing_more(company):
    """No thread continues to send requests."""
    emulator, connection = company
    fill(company, 100)
    emulator.fault("html", path="/query", times=-1, after=6)
    stream = connection.stream("listInvoices", {"all": True, "max_results": 5})
    next(stream)
    next(stream)
    stream.close()
    spent = emulator.counters()["api_requests"]["total"]
    for thread in threading.enumerate():
        if thread.name.startswith("quickbooks-page"):
            thread.join(60)
            assert not thread.is_alive()
    assert emulator.counters()["api_requests"]["total"] <= spent + 10  # what was on its way; repeated it would be 50
    emulator.clear_faults()


@pytest.mark.parametrize("left", [None, 0, 100])
def test_an_export_restarts_if_its_file_is_missing_and_stops_if_it_was_truncated(company, tmp_path, left):
    """A checkpoint without its file is ignored: no hole is filled with zeros."""
    from vantage_quickbooks.cli.descriptor import find_action
    from vantage_quickbooks.cli.export import Export, to_file
    from vantage_quickbooks.cli.inputs import UsageError

    emulator, connection = company
    fill(company, 60)
    path = tmp_path / "out.ndjson"
    export = Export(connection, find_action("listInvoices"), {"all": True, "max_results": 10}, "ndjson")
    emulator.fault("plain_text_200", path="/query", times=-1, after=5)
    with pytest.raises(AccessDeniedError):
        to_file(export, path)
    emulator.clear_faults()
    assert (tmp_path / "out.ndjson.cursor").exists()
    if left is None:
        path.unlink()
    else:
        os.truncate(path, left)
    if left:
        with pytest.raises(UsageError, match="was changed after the export was interrupted"):
            to_file(export, path)
        assert path.stat().st_size == left
        return
    last = to_file(export, path)

    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len(records) == last["records"] == len({record["Id"] for record in records}) >= 60


def stocked(company, seconds):
    """Return a history and the Ids of invoices created in the seconds given, after the one that the company has."""
    history = History(company, "Invoice", [])
    emulator = history.emulator
    emulator.freeze()
    emulator.advance(-600)
    ids, now = [None], 0
    for number, second in enumerate(seconds):
        emulator.advance(second - now)
        now = second
        record = {"CustomerRef": {"value": "1"}, "Line": [LINE], "DocNumber": f"K{number:02}"}
        made = emulator.create("Invoice", record)
        history.states[made["Id"]] = [made]
        history.at_start.add(made["Id"])
        ids.append(made["Id"])
    emulator.advance(600)
    return history, ids


@pytest.mark.parametrize("size", [3, 4])
def test_a_deletion_and_a_renumbering_within_a_second_cannot_cancel_each_other_out(company, size):
    """Both happen between the first page and the count: the overlap looks intact, and the count is correct."""
    _, connection = company
    # The last of the first page and the first of the second share their second.
    history, ids = stocked(company, [5 * (number - (number >= size)) for number in range(1, 13)])
    sent = [0]

    def edit(request):
        if "/query" in request.url:
            sent[0] += 1
            if sent[0] == 2:
                history.remove(ids[1])
                history._update(ids[size], DocNumber="A")

    with edited(edit):
        rows = connection.invoke("listInvoices", {"all": True, "max_results": size})["invoices"]
    assert_whole(history, rows)


def edited_between(first, second, edit):
    """Call *edit* when the page at position *first* was answered, and before that at *second* is asked for."""
    answered = threading.Event()

    def sending(send, request, *args):
        if f"STARTPOSITION%20{second}%20" in request.url and not answered.is_set():
            assert answered.wait(60)
        answer = send(request, *args)
        if f"STARTPOSITION%20{first}%20" in request.url and not answered.is_set():
            edit()
            answered.set()
        return answer

    return INTERCEPTOR.installed(sending)


@pytest.mark.parametrize("is_cut_off", [True, False])
def test_a_cursor_keeps_the_boundaries_to_recheck(company, is_cut_off):
    """A page ended within a second in which a record was renumbered; that second is before the cursor."""
    _, connection = company
    history, ids = stocked(company, [0, 5, 10, 15, 20, 20, 25, 30, 35, 40, 45, 50, 55])
    data = {"all": True, "max_results": 4}

    def edit():
        history.remove(ids[1])
        history._update(ids[6], DocNumber="A")  # now before the one that shares its second, with which page 2 ended

    with edited_between(3, 6, edit):
        pages = list(itertools.islice(connection.stream("listInvoices", data), 3 if is_cut_off else None))
    if is_cut_off:
        assert pages[-1]["metadata"]["complete"] is False
        pages += connection.stream("listInvoices", {**data, "cursor": pages[-1]["metadata"]["cursor"]})
    assert pages[-1]["metadata"]["complete"] is True
    assert_whole(history, [row for page in pages for row in page["invoices"]])


def test_more_than_a_page_of_one_second_is_complete(company):
    """One is deleted and one renumbered between two of its pages: overlap and count would match."""
    _, connection = company
    history, ids = stocked(company, [0] * 6)
    read = FullRead(
        connection._get_client(), Select("Invoice"), CallContext(), tie_breaker="DocNumber", is_immutable=True, size=4
    )

    def edit():
        history.remove(ids[2])
        history._update(ids[5], DocNumber="K00a")  # from the page to come into the one that came

    with edited_between(1, 4, edit):
        batches = list(read._read_tied_timestamps(history.states[ids[1]][0]["MetaData"]["CreateTime"]))
    came = [row["Id"] for batch in batches for row in batch.rows]
    assert len(came) == len(set(came))
    assert set(ids[1:]) - history.gone <= set(came)


def test_what_was_written_just_before_comes(company):
    """Read your own write: no count covers the second in which a read begins, and the last planned page is full."""
    _, connection = company
    for before in range(8):
        history, _ = stocked(company, [5 * number for number in range(before)])
        history.create()
        history.at_start = set(history.states)
        assert_whole(history, connection.invoke("listInvoices", {"all": True, "max_results": 4})["invoices"])


def test_a_response_with_its_members_in_another_order_is_read(company):
    """Only the most frequent order is recognized by its first bytes."""
    _, connection = company
    history = fill(company, 20)

    def sending(send, *request):
        status, headers, body = send(*request)
        turned = json.dumps(dict(reversed(json.loads(body.read()).items())), indent=1).encode()
        return status, headers, ResponseBody(gzip.compress(turned), is_compressed=True)

    with INTERCEPTOR.installed(sending):
        result = connection.invoke("listInvoices", {"all": True, "max_results": 7})
    assert_whole(history, result["invoices"])
