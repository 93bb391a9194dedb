"""Short, damaged and repeated answers: the read continues or fails, and is never incomplete without an error."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interceptor import Interceptor

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.api.response_body import ResponseBody
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import ConnectorError, IncompleteReadError, UnexpectedResponseError

CUSTOMERS = 2500
INTERCEPTOR = Interceptor()
BASE_REQUESTS = 40
"""More than any read of these may send before it gives up."""


@pytest.fixture(scope="module")
def company():
    with Emulator(rotation="daily", limits=False, customers=CUSTOMERS, invoices=3) as emulator:
        connection = QUICKBOOKS.connect(
            emulator.settings(),
            store=MemoryStore(),
            new_call=lambda **known: CallContext(**known, sleep=lambda _: None),
            rate_limiter=RateLimiter(10, 10**9, 10**9),
            intercept=INTERCEPTOR,
        )
        yield connection
        connection.close()


class Between:
    """Stands between reader and QuickBooks, and changes answers: `change(statement, answer) -> bytes | dict`."""

    def __init__(self, change):
        self.change, self.sent = change, []

    def __enter__(self):
        self._installed = INTERCEPTOR.installed(self._sending)
        self._installed.__enter__()
        return self

    def __exit__(self, *exception):
        self._installed.__exit__(*exception)

    def _sending(self, send, request, *args):
        status, headers, body = send(request, *args)
        self.sent.append(request.url)
        changed = self.change(request.url, json.loads(body.read()))
        return status, headers, ResponseBody(changed if isinstance(changed, bytes) else json.dumps(changed).encode())


def capped(most, *, first_only=False):
    state = {"is_first": True}

    def change(_, answer):
        rows = (answer.get("QueryResponse") or {}).get("Customer")
        if rows and (state["is_first"] or not first_only):
            state["is_first"] = False
            answer["QueryResponse"]["Customer"] = rows[:most]
            answer["QueryResponse"]["maxResults"] = len(rows[:most])
        return answer

    return change


@pytest.mark.parametrize("condition", [{}, {"name": "%"}], ids=["all", "by name"])
@pytest.mark.parametrize("most", [999, 500, 100])
def test_a_server_that_sends_fewer_records_than_requested_is_read_completely(company, most, condition):
    with Between(capped(most)):
        result = company.invoke("listCustomers", {"all": True, "active": "all", **condition})
    assert result["metadata"]["complete"] is True
    assert len({row["Id"] for row in result["customers"]}) == result["count"] >= CUSTOMERS


@pytest.mark.parametrize("condition", [{}, {"name": "%"}], ids=["all", "by name"])
@pytest.mark.parametrize("form", ["results", "ndjson"])
def test_a_server_that_sends_one_record_at_a_time_is_an_error(company, form, condition):
    with Between(capped(1)) as between, pytest.raises(IncompleteReadError, match="QuickBooks counts"):
        list(company.stream("listCustomers", {"all": True, **condition}, as_=form))
    assert len(between.sent) < BASE_REQUESTS


@pytest.mark.parametrize("most", [700, 1])
def test_a_short_first_answer_does_not_end_the_read(company, most):
    with Between(capped(most, first_only=True)):
        result = company.invoke("listCustomers", {"all": True, "active": "all"})
    assert result["count"] >= CUSTOMERS


def test_no_records_where_quickbooks_counts_some_is_an_error(company):
    def change(_, answer):
        response = answer["QueryResponse"]
        return answer if "totalCount" in response and "Customer" not in response else {**answer, "QueryResponse": {}}

    with Between(change), pytest.raises(IncompleteReadError, match="sends none"):
        company.invoke("listCustomers", {"all": True})


def test_the_same_full_page_again_and_again_is_an_error(company):
    page = {}

    def change(_, answer):
        if "Customer" not in answer["QueryResponse"]:
            return answer
        return page.setdefault("first", answer)

    with Between(change) as between, pytest.raises(ConnectorError) as caught:
        company.invoke("listCustomers", {"all": True, "active": "all"})
    assert caught.value.code in {"RESPONSE_UNEXPECTED", "RESULT_INCOMPLETE"}
    assert len(between.sent) < BASE_REQUESTS


def test_a_small_read_costs_a_page_and_a_count(company):
    metadata = company.invoke("listInvoices", {"all": True})["metadata"]
    assert (metadata["apiCalls"], metadata["complete"], metadata["totalCount"]) == (2, True, 3)


# ---- damaged answers of HTTP 200 -------------------------------------------------------------------------------------

DAMAGED = [None, [], 0, False, "", {"Customer": {}}, {"Customer": None}, {"Customer": [1]}, {"Invoice": []}]
CALLS = {
    "page": lambda connection: connection.invoke("listCustomers", {}),
    "all": lambda connection: connection.invoke("listCustomers", {"all": True}),
    "stream": lambda connection: list(connection.stream("listCustomers", {"all": True})),
    "ndjson": lambda connection: list(connection.stream("listCustomers", {"all": True}, as_="ndjson")),
    "estimate": lambda connection: connection.estimate("listCustomers", {"all": True}),
}


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("response", DAMAGED, ids=json.dumps)
def test_a_damaged_answer_is_never_an_empty_result(company, how, response):
    with (
        Between(lambda _, answer: {**answer, "QueryResponse": response}),
        pytest.raises(UnexpectedResponseError),
    ):
        CALLS[how](company)


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("fault", ["Fault", "fault"])
def test_a_fault_beside_an_empty_answer_is_an_error(company, how, fault):
    reported = {fault: {"Error": [{"Message": "No", "code": "4000"}], "error": [], "type": "ValidationFault"}}
    with (
        Between(lambda _, answer: {"QueryResponse": {}, **reported, "time": answer["time"]}),
        pytest.raises(ConnectorError) as caught,
    ):
        CALLS[how](company)
    assert caught.value.code != "INTERNAL_ERROR"


@pytest.mark.parametrize(
    "changes",
    [None, [None], [{"QueryResponse": None}], [{"QueryResponse": [{"Customer": {}}]}], [{"Fault": {}}]],
    ids=json.dumps,
)
def test_damaged_changes_never_say_that_nothing_was_deleted(company, changes):
    cursor = company.invoke("listCustomers", {"all": True, "active": "all"})["metadata"]["syncCursor"]

    def change(url, answer):
        return {**answer, "CDCResponse": changes} if "/cdc?" in url else answer

    with Between(change):
        envelope = company.call("listCustomers", {"sync_cursor": cursor})
    if envelope["success"]:
        assert envelope["data"]["metadata"]["deletions"] == "idListing"
        assert len(envelope["data"]["existingIds"]) >= CUSTOMERS
    else:
        assert envelope["error"]["code"] != "INTERNAL_ERROR"


# ---- invalid values --------------------------------------------------------------------------------------------------


def with_value(text, **values):
    """Put values as JSON text in place of the first record's, or of the answer's `time`."""
    for key, value in values.items():
        before = '(?<="sparse": false, )' if key == "Id" else ""  # addresses have Ids, too
        text = re.sub(rf'{before}"{key}": ?("[^"]*"|[0-9.]+)', lambda _, k=key, v=value: f'"{k}": {v}', text, count=1)
    return text.encode("utf-8", "surrogateescape")


BAD = {
    "time without zone": {"time": '"2026-10-01T12:00:00"'},
    "time of the year 9999": {"time": '"9999-12-31T23:59:59Z"'},
    "time is a number": {"time": "5"},
    "creation time is junk": {"CreateTime": '"yesterday"'},
    "creation time without zone": {"CreateTime": '"2026-10-01T12:00:00"'},
    "creation time of the year 9999": {"CreateTime": '"9999-12-31T23:59:59-08:00"'},
    "creation time is null": {"CreateTime": "null"},
    "Id is null": {"Id": "null"},
    "Id is a number": {"Id": "17"},
    "Id is empty": {"Id": '""'},
    "not UTF-8": {"DisplayName": '"caf\udce9"'},
    "an endless integer": {"Balance": "1" * 5000},
    "beyond a double": {"Balance": "1e999"},
    "deep nesting": {"Balance": "[" * 3000 + "]" * 3000},
    "half a surrogate pair": {"DisplayName": '"\\ud800"'},
}


@pytest.mark.parametrize("form", ["results", "ndjson"])
@pytest.mark.parametrize("bad", BAD)
def test_invalid_values_are_an_unexpected_response(company, form, bad):
    def change(_, answer):
        text = json.dumps(answer)
        return with_value(text, **BAD[bad]) if "Customer" in answer["QueryResponse"] else text.encode()

    with Between(change), pytest.raises(UnexpectedResponseError):
        list(company.stream("listCustomers", {"all": True}, as_=form))


def test_an_invalid_last_updated_time_is_an_unexpected_response(company):
    def change(_, answer):
        for row in answer["QueryResponse"].get("Customer", []):
            row["MetaData"]["LastUpdatedTime"] = "9 o'clock"
        return answer

    with Between(change), pytest.raises(UnexpectedResponseError, match="LastUpdatedTime"):
        company.invoke("listCustomers", {"all": True})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    form=st.sampled_from(["page", "all", "ndjson"]),
    at=st.integers(0, 6000),
    junk=st.sampled_from([b"", b"null", b'"', b"{", b"]", b",", b"\xff", b"0", b"\\", b"1e999", b"[[[[", b"true"]),
    length=st.integers(0, 40),
)
def test_a_damaged_byte_is_not_an_internal_error(small, form, at, junk, length):
    """With any byte at any place of an answer, records are returned, or an error that the answer cannot be read."""

    def change(_, answer):
        data = json.dumps(answer).encode()
        place = at % len(data)
        return data[:place] + junk + data[place + length :]

    with Between(change):
        code = None
        try:
            CALLS[form](small)
        except ConnectorError as error:
            code = error.code
    assert code != "INTERNAL_ERROR"


@pytest.fixture(scope="module")
def small():
    with Emulator(rotation="daily", limits=False, customers=5, invoices=0) as emulator:
        connection = QUICKBOOKS.connect(
            emulator.settings(),
            store=MemoryStore(),
            new_call=lambda **known: CallContext(**known, sleep=lambda _: None),
            rate_limiter=RateLimiter(10, 10**9, 10**9),
            intercept=INTERCEPTOR,
        )
        yield connection
        connection.close()


# ---- one line a record -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spaced",
    [
        lambda answer: json.dumps(answer, indent=2).encode(),
        lambda answer: json.dumps(answer, indent=2).replace("\n", "\r\n").encode(),
        lambda answer: json.dumps(answer, indent=2).replace("\n", "\r").encode(),
        lambda answer: json.dumps(answer, separators=(" , ", " : ")).encode(),
        lambda answer: json.dumps(answer, ensure_ascii=False).encode(),
    ],
    ids=["indented", "indented, CRLF", "indented, CR", "blanks", "not escaped"],
)
def test_ndjson_has_one_line_per_record_with_any_spacing(small, spaced):
    def change(_, answer):
        for row in answer["QueryResponse"].get("Customer", []):
            row["Notes"] = "two\nlines\r, a separator \u2028 and a next line \x85 in  one text"
        return spaced(answer)

    with Between(change):
        results = small.invoke("listCustomers", {"all": True})["customers"]
        pages = list(small.stream("listCustomers", {"all": True}, as_="ndjson"))
    lines = b"".join(pages).split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["Id"] for line in lines] == [row["Id"] for row in results]
    assert [json.loads(line)["Notes"] for line in lines] == [row["Notes"] for row in results]
    assert sum(page.records for page in pages) == len(results)
    assert b"\r" not in b"".join(lines)
