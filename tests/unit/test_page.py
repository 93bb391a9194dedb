"""Pages of a list: what follows them, the company's date, and pages that hold one status."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invoice_records import invoice

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.invoices import invoice_payment
from vantage_quickbooks.core import query
from vantage_quickbooks.core.responses import Answer
from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync.list_request import ListRequest
from vantage_quickbooks.sync.page import Page, read_page, read_requested_page

TODAY = date(2026, 10, 1)
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)


def page_of(body, statement=None):
    client = SimpleNamespace(query=lambda *_: Answer(body, "1-a"))
    return read_page(client, statement or query.Select("Customer", max_results=2), SimpleNamespace(now=lambda: NOW))


@pytest.mark.parametrize(
    ("returned", "asked", "start", "following"),
    [(0, 2, 1, None), (1, 2, 1, None), (2, 2, 1, 3), (3, 2, 1, 3), (101, 100, 201, 301), (1000, 1000, 1, 1001)],
)
def test_more_may_follow_a_page_that_is_as_full_as_was_asked(returned, asked, start, following):
    """A server once returned 101 for 100 (node-quickbooks issue 89): the one too many comes with the next page."""
    response = {"Customer": [{"Id": str(n)} for n in range(returned)]} if returned else {}
    page = page_of(
        {"QueryResponse": response, "time": "2026-10-01T05:00:00-07:00"},
        query.Select("Customer", start_position=start, max_results=asked),
    )
    assert (len(page.records), page.start_position, page.next_position) == (min(returned, asked), start, following)


@pytest.mark.parametrize(
    "response",
    [
        {"Customer": None},
        {"Customer": {"Id": "1"}},
        {"Customer": ["1"]},
        {"Customer": "x"},
        {"customer": [{"Id": "1"}]},
        {"Invoice": [{"Id": "1"}]},
        {"totalCount": 5},
        {"Customer": [], "startPosition": 1},
    ],
)
def test_an_answer_that_is_not_a_page_of_this_entity_is_never_an_empty_list(response):
    with pytest.raises(UnexpectedResponseError) as caught:
        page_of({"QueryResponse": response, "time": "2026-10-01T05:00:00-07:00"})
    assert "1-a" in str(caught.value)


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-09-30T23:30:00.123-07:00", "2026-09-30"),
        ("2026-10-02T01:00:00+13:00", "2026-10-02"),
        ("2026-05-05T03:09:39-07:00", "2026-05-05"),
        ("2026-05-05T10:09:39Z", "2026-05-05"),
        (None, "2026-10-01"),
        ("yesterday", "2026-10-01"),
        (1601391072830, "2026-10-01"),
    ],
)
def test_the_companys_date_is_read_off_the_answer(time, day):
    assert page_of({"QueryResponse": {}, "time": time}).company_date.isoformat() == day


# ---- refinement -----------------------------------------------------------------------------------------------------


class Company:
    """Serves pages of a list of invoices, and counts the requests."""

    def __init__(self, records):
        self.records = records
        self.asked = []

    def query(self, statement, _):
        self.asked.append((statement.start_position, statement.max_results))
        page = self.records[statement.start_position - 1 :][: statement.max_results]
        body = {"QueryResponse": {"Invoice": page} if page else {}, "time": "2026-10-01T05:00:00-07:00"}
        return SimpleNamespace(body=body, intuit_tid="1-a")


def refine(company, status, size, start=1):
    request = ListRequest.parse(
        {"status": status, "max_results": size, "start_position": start}, ACTIONS["listInvoices"].resource, now=NOW
    )
    return read_requested_page(company, request, SimpleNamespace(now=lambda: NOW))


mixed = st.lists(st.sampled_from([(10, 10), (10, 5), (10, 0), (0, 0)]), max_size=60).map(
    lambda amounts: [invoice(total, owed) | {"Id": str(n)} for n, (total, owed) in enumerate(amounts, 1)]
)


@given(mixed, st.integers(1, 20), st.sampled_from(["open", "partiallyPaid", "paid", "overdue"]), st.integers(1, 30))
def test_a_page_of_one_status_is_full_or_the_last_and_in_order(records, size, status, start):
    page = refine(Company(records), status, size, start)
    wanted = [r["Id"] for r in records[start - 1 :] if invoice_payment(r, TODAY)["paymentStatus"] == status]
    assert [record["Id"] for record in page.records] == wanted[:size]
    if len(wanted) > size:
        assert page.next_position is not None


@given(mixed, st.integers(1, 20), st.sampled_from(["open", "partiallyPaid", "paid"]))
def test_reading_on_from_page_to_page_finds_each_invoice_of_a_status_once(records, size, status):
    found, position = [], 1
    while position is not None:
        page = refine(Company(records), status, size, position)
        found += [record["Id"] for record in page.records]
        assert page.next_position is None or page.next_position > position
        position = page.next_position
    assert found == [r["Id"] for r in records if invoice_payment(r, TODAY)["paymentStatus"] == status]


def test_looking_for_a_rare_status_asks_for_ever_larger_pages():
    """API calls are metered: 5,000 invoices without one that is overdue cost few of them."""
    company = Company([invoice(10, 10) | {"Id": str(n)} for n in range(5000)])
    page = refine(company, "overdue", 100)
    assert (page.records, page.next_position) == ([], None)
    assert [size for _, size in company.asked] == [100, 200, 400, 800, 1000, 1000, 1000, 1000]
    assert [start for start, _ in company.asked] == [1, 101, 301, 701, 1501, 2501, 3501, 4501]


def test_a_refined_page_says_the_companys_date():
    assert refine(Company([invoice(1, 1)]), "open", 5) == Page([invoice(1, 1)], 1, None, TODAY)
