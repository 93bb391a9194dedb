"""Failures of the data API on the wire."""

import pytest

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.core.query import Select
from vantage_quickbooks.errors import RateLimitedError, RequestRejectedError

pytestmark = pytest.mark.vcr


def test_a_refused_token_is_renewed_and_the_request_repeated_once(connection, quickbooks, vcr):
    """401 with code 3200 in lower case: one refresh, one repetition, one result."""
    connection.invoke("getAccessToken")
    if quickbooks:
        quickbooks.expire_access_tokens()
    result = connection.invoke("listCustomers", {"max_results": 1})

    assert result["count"] == 1
    assert result["metadata"]["apiCalls"] == 2
    assert [response["status"]["code"] for response in vcr.responses] == [200, 401, 200, 200]


def test_throttling_in_xml_is_waited_out(connection, quickbooks, vcr):
    """429 comes as XML though JSON was asked for."""
    if quickbooks:
        quickbooks.fault("throttle", path="/query", times=1)
    result = connection.invoke("listCustomers", {"max_results": 1})

    assert result["count"] == 1
    assert [response["status"]["code"] for response in vcr.responses] == [200, 429, 200]
    assert vcr.responses[1]["body"]["string"].startswith(b"<?xml")


def test_throttling_that_does_not_end_is_reported(connection, quickbooks):
    """Six attempts, then an error that asks the host to wait."""
    if quickbooks:
        quickbooks.fault("throttle", path="/query", times=-1)
    with pytest.raises(RateLimitedError) as caught:
        connection.invoke("listCustomers", {"max_results": 1})

    assert caught.value.retryable is True
    assert caught.value.details["faultCode"] == "3001"
    assert caught.value.details["attempts"] == 6


def test_a_query_fault_names_code_and_reason(connection):
    """A fault of the query language is a rejection with Intuit's own words."""
    with pytest.raises(RequestRejectedError) as caught:
        connection._get_client().query(Select("Custmoer"), CallContext())

    assert caught.value.details["faultCode"] == "4001"
    assert "invalid context declaration: Custmoer" in caught.value.message
    assert caught.value.details["intuitTid"]
