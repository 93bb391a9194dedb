"""Each response, intact or damaged, becomes an answer or a connector error."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime

import orjson
import pytest
from failed_responses import NOW, TID, TOKENS, decipher, gateway_fault, refusal, text_of, xml_fault
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core import responses
from vantage_quickbooks.errors import (
    AccessTokenRefusedError,
    AuthenticationError,
    ClientCredentialsError,
    ConnectorError,
    QuickBooksUnavailableError,
    RateLimitedError,
    ReauthorizationRequired,
    UnexpectedResponseError,
)

# ---- success is proven, never assumed -------------------------------------------------------------------------------

PAGE = b'{"QueryResponse":{"Customer":[{"Id":"1","Balance":639.00,"Notes":"Invalid Company Status"}]},"time":"t"}'


@pytest.mark.parametrize("loads", [orjson.loads, json.loads], ids=["orjson", "json"])
def test_an_answer_cut_off_at_any_byte_is_never_a_success(loads):
    assert decipher(200, PAGE, loads=loads).body["QueryResponse"]["Customer"][0]["Balance"] == 639
    for length in range(len(PAGE)):
        error = refusal(200, PAGE[:length], {"intuit_tid": TID}, loads=loads)
        assert type(error) is UnexpectedResponseError, PAGE[:length]
        assert error.details == {"httpStatus": 200, "intuitTid": TID, "bytes": length}
        assert "Bird" not in text_of(error)


@pytest.mark.parametrize("loads", [orjson.loads, json.loads], ids=["orjson", "json"])
def test_a_fault_cut_off_at_any_byte_keeps_the_class_of_its_status(loads):
    body = json.dumps(gateway_fault("3200", kind="AUTHENTICATION", detail="Token expired: AB0160139026299")).encode()
    for length in range(len(body)):
        error = refusal(401, body[:length], loads=loads)
        assert type(error) is AccessTokenRefusedError
        assert "AB0160" not in text_of(error)


def test_xml_cut_off_at_any_byte_keeps_the_class_of_its_status():
    body = xml_fault("3001")
    for length in range(len(body)):
        assert type(refusal(429, body[:length], {"Content-Type": "application/xml"})) is RateLimitedError


UNREADABLE = {
    "nothing": b"",
    "blanks": b" \r\n\t ",
    "a list": b"[]",
    "a list of records": b'[{"QueryResponse":{}}]',
    "null": b"null",
    "a number": b"1",
    "a text": b'"QueryResponse"',
    "true": b"true",
    "two objects": b'{"a":1}{"b":2}',
    "NaN": b"NaN",
    "html": b"<!doctype html><html><body>login here</body></html>",
    "xml that is a success": b'<IntuitResponse xmlns="http://schema.intuit.com/finance/v3"><QueryResponse/></IntuitResponse>',
    "plain text": b"OK",
    "latin-1": '{"DisplayName":"Café"}'.encode("latin-1"),
    "zeros": b"\x00" * 100,
    "gzip": b"\x1f\x8b\x08\x00\x00\x00",
    "a lone surrogate in bytes": b'{"a":"\xed\xa0\x80"}',
    "a hundred thousand arrays": b"[" * 100_000,
    "a hundred thousand objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of a million digits": b'{"Balance":' + b"9" * 1_000_000,
    "xml without end": b"<a>" * 100_000,
    "a billion laughs": b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>',
    "xml in an unknown encoding": b'<?xml version="1.0" encoding="foo"?><a/>',
    "xml in an encoding of many bytes": b'<?xml version="1.0" encoding="gb2312"?><a/>',
    "xml in an encoding that cannot decode": b'<?xml version="1.0" encoding="idna"?><a/>',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_body_is_an_unexpected_response(body):
    """With orjson, as in the client, and with the standard library, except for a surrogate that it accepts."""
    for loads in [orjson.loads] if b"\xed\xa0\x80" in body else [orjson.loads, json.loads]:
        error = refusal(200, body, loads=loads)
        assert type(error) is UnexpectedResponseError
        assert error.retryable is True


@pytest.mark.parametrize("member", [None, [], "x", 1])
def test_an_answer_without_the_requested_member_is_unexpected(member):
    answer = responses.Answer({"QueryResponse": member}, TID)
    with pytest.raises(UnexpectedResponseError) as caught:
        responses.with_member(answer, "QueryResponse")
    assert TID in str(caught.value)
    with pytest.raises(UnexpectedResponseError):
        responses.with_member(answer, "CompanyInfo")


# ---- change data capture ---------------------------------------------------------------------------------------------


def changes(*groups, **beside):
    return responses.Answer({"CDCResponse": [{"QueryResponse": list(groups)}], **beside}, TID)


def test_changes_come_by_entity_in_intuits_order():
    invoices = [{"Id": "2"}, {"Id": "1", "status": "Deleted"}]
    answer = changes({"Invoice": invoices, "startPosition": 1, "maxResults": 1}, {}, {"Customer": [{"Id": "3"}]})
    changed = responses.changed_records(answer, ["Invoice", "Payment", "Customer"])
    assert changed == {"Invoice": invoices, "Payment": [], "Customer": [{"Id": "3"}]}


def test_changes_of_one_entity_may_come_in_several_groups():
    answer = changes({"Invoice": [{"Id": "1"}]}, {"Invoice": [{"Id": "2"}], "Payment": [{"Id": "3"}]})
    changed = responses.changed_records(answer, ["Payment", "Invoice"])
    assert changed == {"Payment": [{"Id": "3"}], "Invoice": [{"Id": "1"}, {"Id": "2"}]}


@pytest.mark.parametrize(
    "answer",
    [
        responses.Answer({}, TID),
        responses.Answer({"CDCResponse": None}, TID),
        responses.Answer({"CDCResponse": [None]}, TID),
        responses.Answer({"CDCResponse": [{}]}, TID),
        responses.Answer({"CDCResponse": [{"QueryResponse": None}]}, TID),
        responses.Answer({"CDCResponse": [{"QueryResponse": []}, {"Fault": {}, "QueryResponse": []}]}, TID),
        changes(None),
        changes([]),
        changes("Invoice"),
        changes({"Invoice": None}),
        changes({"Invoice": {}}),
        changes({"Invoice": []}),
        changes({"Invoice": [{"Id": "1"}, None]}),
        changes({"Invoice": [{"Id": "1"}]}, {"Vendor": [{"Id": "1"}]}),
        changes({"Invoice": [{"Id": "1"}]}, {"Payment": None}),
        changes({"Invoice": [{"Id": "1"}], "Fault": {}}),
        changes({"Invoice": [{"Id": "1"}]}, Fault={}),
        changes({"startPosition": 1}),
    ],
    ids=lambda answer: json.dumps(answer.body),
)
def test_damaged_changes_are_unexpected_for_every_entity(answer):
    with pytest.raises(UnexpectedResponseError) as caught:
        responses.changed_records(answer, ["Invoice", "Payment"])
    assert caught.value.details == {"httpStatus": 200, "intuitTid": TID}


# ---- the rule behind all tables -------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
faultish = st.fixed_dictionaries(
    {},
    optional={
        key: json_values
        | st.fixed_dictionaries(
            {},
            optional={
                errors: json_values
                | st.lists(
                    st.dictionaries(
                        st.sampled_from(["code", "Message", "message", "Detail", "detail", "element"]), json_values
                    ),
                    max_size=3,
                )
                for errors in ("Error", "error", "type")
            },
        )
        for key in ("Fault", "fault", "QueryResponse")
    },
)
bodies = (
    st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))
    | faultish.map(lambda value: json.dumps(value).encode())
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.text(alphabet=st.sampled_from("<>/=\"' aFaultErrorcode&;![]?-x1"), max_size=200).map(str.encode)
    | st.tuples(st.binary(max_size=30), st.just(xml_fault("3001")), st.binary(max_size=30)).map(b"".join)
)
header_names = st.sampled_from(
    ["intuit_tid", "Intuit-Tid", "INTUIT_TID", "Retry-After", "retry-after", "Content-Type", "X"]
)
header_values = st.text(max_size=40) | st.sampled_from(["application/json", "application/xml", "text/html", "5", "nan"])
headers = st.dictionaries(header_names, header_values, max_size=5)


@given(st.integers(100, 599), headers, bodies, st.sampled_from([orjson.loads, json.loads]))
def test_any_response_is_an_answer_or_a_connector_error(status, headers, body, loads):
    try:
        answer = decipher(status, body, headers, loads)
    except ConnectorError as error:
        text_of(error)
    else:
        assert 200 <= status < 300
        assert isinstance(answer.body, dict)
        assert not answer.body.get("Fault")
        assert not answer.body.get("fault")


@given(st.integers(100, 599), headers, bodies)
def test_any_token_response_has_a_token_or_is_a_connector_error(status, headers, body):
    try:
        response = responses.decipher_token(status, headers, body, now=NOW)
    except ConnectorError as error:
        json.dumps(error.to_dict(), allow_nan=False)
    else:
        assert 200 <= status < 300
        assert isinstance(response["access_token"], str)
        assert response["access_token"]
        assert "error" not in response or not isinstance(response["error"], str)


# ---- the token endpoint ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (400, b'{"error":"invalid_grant"}', ReauthorizationRequired, "REAUTHORIZATION_REQUIRED"),
        (400, b'{"error_description":"Token invalid","error":"invalid_grant"}', ReauthorizationRequired, None),
        (200, b'{"error":"invalid_grant","access_token":"x"}', ReauthorizationRequired, None),
        (401, b'{"error":"invalid_client"}', ClientCredentialsError, "AUTHENTICATION_FAILED"),
        (400, b'{"error":"invalid_client"}', ClientCredentialsError, None),
        (400, b'{"error":"invalid_request"}', AuthenticationError, "AUTHENTICATION_FAILED"),
        (400, b'{"error":"unsupported_grant_type"}', AuthenticationError, None),
        (400, b'{"error":"invalid_scope"}', AuthenticationError, None),
        (400, b"{}", AuthenticationError, None),
        (401, b"", AuthenticationError, None),
        (403, b"<html></html>", AuthenticationError, None),
        (302, b"", AuthenticationError, None),
        (429, b"", RateLimitedError, "RATE_LIMITED"),
        (429, b'{"error":"invalid_grant"}', RateLimitedError, None),
        (500, b"", QuickBooksUnavailableError, "SERVICE_UNAVAILABLE"),
        (503, b"<html>We'll be back soon", QuickBooksUnavailableError, None),
        (503, b'{"error":"invalid_grant"}', QuickBooksUnavailableError, None),
        (200, b"", UnexpectedResponseError, "RESPONSE_UNEXPECTED"),
        (200, b"[]", UnexpectedResponseError, None),
        (200, b"null", UnexpectedResponseError, None),
        (200, b"<html></html>", UnexpectedResponseError, None),
        (200, b"{}", UnexpectedResponseError, None),
        (200, b'{"access_token":""}', UnexpectedResponseError, None),
        (200, b'{"access_token":null}', UnexpectedResponseError, None),
        (200, b'{"access_token":5}', UnexpectedResponseError, None),
        (200, b'{"access_token":"x', UnexpectedResponseError, None),
        (200, b'{"a":' * 100_000, UnexpectedResponseError, None),
    ],
)
def test_each_answer_of_the_token_endpoint_becomes_its_error(status, body, kind, code):
    with pytest.raises(ConnectorError) as caught:
        responses.decipher_token(status, {"intuit_tid": TID}, body)
    assert type(caught.value) is kind
    assert caught.value.code == (code or kind.code)
    assert (caught.value.details["httpStatus"], caught.value.details["intuitTid"]) == (status, TID)


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize(
    "body",
    [
        '{{"error":"invalid_grant","error_description":"{}"}}',
        '{{"error":"invalid {}"}}',
        '{{"access_token":"{}","expires_in"',
        '{{"error":{{"token":"{}"}}}}',
    ],
)
def test_a_token_in_a_response_of_the_token_endpoint_is_redacted(token, body):
    for status in (200, 400, 401, 500):
        with pytest.raises(ConnectorError) as caught:
            responses.decipher_token(status, {}, body.format(token).encode())
        assert token not in text_of(caught.value)
        assert token[-16:] not in text_of(caught.value)


# ---- Retry-After ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("0", 0.0),
        ("60", 60.0),
        (" 60 ", 60.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("9" * 400, None),
        ("60, 120", None),
        ("0x10", None),
        ("Thu, 01 Oct 2026 12:01:30 GMT", 90.0),
        ("Thu, 01 Oct 2026 05:01:30 -0700", 90.0),
        ("Thursday, 01-Oct-26 12:01:30 GMT", 90.0),
        ("Thu Oct  1 12:01:30 2026", 90.0),
        ("Thu, 01 Oct 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Oct 99999 11:00:00 GMT", None),
        ("Thu, 99 Oct 2026 11:00:00 GMT", None),
        ("Thu, 01 Oct 2026 11:00:00 +9999999999999999999", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(value, seconds):
    assert responses.retry_after_s(value, NOW) == seconds


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_any_retry_after_is_finite_and_not_negative(value):
    wait = responses.retry_after_s(value, NOW)
    assert wait is None or 0 <= wait < float("inf")


@given(st.integers(-(10**6), 10**6))
def test_an_http_date_is_relative_to_now(seconds):
    assert responses.retry_after_s(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == max(
        0, seconds
    )


def test_an_http_date_without_a_clock_is_unknown():
    assert responses.retry_after_s("Thu, 01 Oct 2026 12:01:30 GMT", None) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_passed_to_the_host(status):
    error = refusal(status, b"", {"retry-after": "17"})
    assert error.retry_after_s == 17
    assert error.to_dict()["retryAfter"] == 17
    with pytest.raises(ConnectorError) as caught:
        responses.decipher_token(status, {"Retry-After": "17"}, b"")
    assert caught.value.retry_after_s == 17
