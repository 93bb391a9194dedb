"""What comes over the line, in every dialect and every state of repair, becomes an answer or an error of ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core import wire
from vantage_quickbooks.errors import (
    AccessDeniedError,
    AccessTokenRefusedError,
    AuthenticationError,
    ClientCredentialsError,
    ConnectorError,
    QuickBooksUnavailableError,
    RateLimitedError,
    ReauthorizationRequired,
    RecordNotFoundError,
    RequestRejectedError,
    UnexpectedResponseError,
)

NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
TID = "1-5f7349e0-0fd2bee86a8a83c67a77fbb2"
TOKENS = {
    "expired access token of 2020": "AB01601390262" + "x7Kq" * 9,
    "refresh token until 2024": "AB11601390262" + "Zq9w" * 9,
    "refresh token since 2025": "RT1-42-H0-1790000000" + "a1b2c3d4e5f6g7h8i9j0",
    "access token": "eyJlbmMiOiJBMTI4Q0JDLUhTMjU2IiwiYWxnIjoiZGlyIn0..Zk-3_xQ9.dGhlIHNlY3JldCBwYXJ0.c2ln",
}


REALM_ID = "9341457021722202"


def decipher(status, body, headers=None, loads=orjson.loads, *, environment="production", realm_id=REALM_ID):
    body = json.dumps(body).encode() if isinstance(body, dict) else body
    return wire.decipher(status, headers or {}, body, loads=loads, now=NOW, environment=environment, realm_id=realm_id)


def refusal(status, body, headers=None, **kwargs):
    with pytest.raises(ConnectorError) as caught:
        decipher(status, body, headers, **kwargs)
    return caught.value


def told(error):
    return "\n".join((str(error), repr(error), repr(error.details), json.dumps(error.to_dict(), allow_nan=False)))


def service_fault(code, *, kind="ValidationFault", message="Message", detail="Detail", element="E"):
    entry = {"Message": message, "Detail": detail, "code": code, "element": element}
    return {"Fault": {"Error": [entry], "type": kind}, "time": "2026-10-01T05:00:00.000-07:00"}


def gateway_fault(code, *, kind="SERVICE", message="message=X", detail=None):
    entry = {"message": message, "detail": detail, "code": code, "element": None}
    return {"warnings": None, "fault": {"error": [entry], "type": kind}, "queryResponse": None, "time": 1601391072830}


def xml_fault(code, *, kind="SERVICE", message="message=X", detail="Detail"):
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<IntuitResponse time="2026-10-01T05:00:00.000-07:00" xmlns="http://schema.intuit.com/finance/v3">'
        f'<Fault type="{kind}"><Error code="{code}"><Message>{message}</Message><Detail>{detail}</Detail></Error>'
        "</Fault></IntuitResponse>"
    ).encode()


# ---- codes ----------------------------------------------------------------------------------------------------------

DOCUMENTED = [
    # Statuses and codes met in practice: ../shared/qbo-api.md 4.4
    (400, "500", RequestRejectedError),
    (400, "610", RecordNotFoundError),
    (400, "2010", RequestRejectedError),
    (400, "2020", RequestRejectedError),
    (400, "2030", RequestRejectedError),
    (400, "2500", RequestRejectedError),
    (400, "4000", RequestRejectedError),
    (400, "4001", RequestRejectedError),
    (400, "5010", RequestRejectedError),
    (400, "5020", AccessDeniedError),
    (400, "6000", RequestRejectedError),
    (400, "6140", RequestRejectedError),
    (400, "6190", AccessDeniedError),
    (400, "6240", RequestRejectedError),
    (400, "6540", RequestRejectedError),
    (401, "3200", AccessTokenRefusedError),
    (401, "100", AccessTokenRefusedError),
    (401, "120", AccessDeniedError),
    (403, "3100", AccessDeniedError),
    (429, "3001", RateLimitedError),
    (403, "3001", RateLimitedError),
    (500, "10000", QuickBooksUnavailableError),
    (200, "10000", QuickBooksUnavailableError),
    (504, "6002", QuickBooksUnavailableError),
    # From the catalogue, 4.5, where the class is not the rest's
    (400, "110", AccessDeniedError),
    (400, "130", QuickBooksUnavailableError),
    (400, "140", AccessDeniedError),
    (400, "150", QuickBooksUnavailableError),
    (400, "5030", AccessDeniedError),
    # The outage of 2018: transcribed/503-html-gateway.yml
    (500, "3100", QuickBooksUnavailableError),
]

CATALOGUE = (  # noqa: SIM905 -- a list of 38 lines tells no more
    "600 620 630 700 800 900 1020 1040 2000 2040 2050 2060 2070 2080 2090 2100 2110 2120 2130 2140 2160 2170 2200 2210 "
    "2220 2230 2250 2300 3000 3202 4002 5000 6070 6080 6180 6210 10100 10200"
).split()


@pytest.mark.parametrize("dialect", [service_fault, gateway_fault, xml_fault])
@pytest.mark.parametrize(("status", "code", "kind"), DOCUMENTED)
def test_a_documented_code_becomes_its_error_in_every_dialect(status, code, kind, dialect):
    error = refusal(status, dialect(code), {"intuit_tid": TID})
    assert type(error) is kind
    assert (status, code, TID) == (
        error.details["httpStatus"],
        error.details["faultCode"],
        error.details["intuitTid"],
    )
    assert TID in str(error)
    assert error.retryable is issubclass(kind, RateLimitedError | QuickBooksUnavailableError)


@pytest.mark.parametrize("code", [*CATALOGUE, "270", "99999", "", "abc"])
@pytest.mark.parametrize("status", [200, 400])
def test_any_other_code_is_a_refused_request(status, code):
    """Also under HTTP 200: a Fault is a failure whatever the status."""
    assert type(refusal(status, service_fault(code))) is RequestRejectedError


@pytest.mark.parametrize("code", ["003001", 3001, "3001"])
def test_a_code_is_read_with_leading_zeros_and_as_a_number(code):
    error = refusal(403, gateway_fault(code))
    assert isinstance(error, RateLimitedError)
    assert error.details["faultCode"] == "3001"


@pytest.mark.parametrize("code", ["610", "3200", "3001", "4000"])
def test_the_status_of_a_server_error_wins_over_codes_except_throttling(code):
    expected = RateLimitedError if code == "3001" else QuickBooksUnavailableError
    assert type(refusal(500, service_fault(code))) is expected


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRejectedError),
        (401, AccessTokenRefusedError),
        (403, AccessDeniedError),
        (404, RecordNotFoundError),
        (405, RequestRejectedError),
        (413, RequestRejectedError),
        (429, RateLimitedError),
        (500, QuickBooksUnavailableError),
        (502, QuickBooksUnavailableError),
        (503, QuickBooksUnavailableError),
        (504, QuickBooksUnavailableError),
        (599, QuickBooksUnavailableError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html></html>", b"no", b"{}", b"[]", b"null"], ids=repr)
def test_without_a_fault_the_status_decides(status, kind, body):
    error = refusal(status, body, {"Intuit-Tid": TID})
    assert type(error) is kind
    assert error.details["intuitTid"] == TID


# ---- the mix-up of environments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "other"), [("production", "sandbox"), ("sandbox", "production")])
def test_the_mix_up_of_environments_is_named_with_its_mend(asked, other):
    with pytest.raises(AccessDeniedError) as caught:
        wire.decipher(403, {}, json.dumps(gateway_fault("3100")).encode(), environment=asked, realm_id="77")
    assert caught.value.details["suspected"] == "environment"
    assert f"company 77 in the {asked} environment" in caught.value.message
    assert f"set Environment to {other}" in caught.value.message


# ---- secrets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize(
    ("status", "make"),
    [
        (401, lambda t: gateway_fault("3200", kind="AUTHENTICATION", detail=f"Token expired: {t}")),
        (401, lambda t: gateway_fault("3200", message=f"Token expired: {t}")),
        (400, lambda t: service_fault("4000", message=t)),
        (400, lambda t: service_fault("4000", detail=f"({t})")),
        (400, lambda t: service_fault("4000", element=t)),
        (400, lambda t: service_fault("4000", kind=t)),
        (400, service_fault),
        (403, lambda t: gateway_fault("3100", message=f"token={t};")),
        (400, lambda t: xml_fault("4000", message=t, detail=f"Bearer {t}")),
        (400, lambda t: xml_fault("4000", kind=t)),
        (200, lambda t: f"plain text with {t}".encode()),
        (500, lambda t: f"<html>{t}</html>".encode()),
        (200, lambda t: f'{{"access_token": "{t}"'.encode()),
    ],
)
def test_a_token_that_comes_back_in_a_fault_is_told_nowhere(token, status, make):
    error = refusal(status, make(token))
    assert token not in told(error)
    assert token[:24] not in told(error)
    assert token[-16:] not in told(error)


@given(st.sampled_from(sorted(TOKENS.values())), st.text(max_size=20), st.text(max_size=20))
def test_a_token_between_any_words_is_redacted(token, before, after):
    assert token[-16:] not in wire.redact_tokens(f"{before} {token} {after}")


@pytest.mark.parametrize("text", ["Amy's Bird Sanctuary", "AB12", "RT1", "eyes. nose. mouth.", "Invoice 1037"])
def test_what_is_no_token_stays(text):
    assert text == wire.redact_tokens(text)


def test_no_text_of_a_fault_makes_a_message_endless():
    error = refusal(400, service_fault("4000", message="x" * 10**6, detail="y" * 10**6, element="z" * 10**6))
    assert len(told(error)) < 5000
    error = refusal(401, gateway_fault("3200", message="x" * 10**6))
    assert len(told(error)) < 5000


def test_several_faults_are_all_told():
    body = service_fault("2010")
    body["Fault"]["Error"].append({"Message": "Second", "Detail": "thing", "code": "2020"})
    assert "Message: Detail; Second: thing" in refusal(400, body).message


def test_a_detail_that_repeats_the_message_is_told_once():
    error = refusal(400, service_fault("6000", message="Business Error", detail="Business Error : a reason."))
    assert error.message.count("Business Error") == 1


@pytest.mark.parametrize("dialect", [service_fault, gateway_fault, xml_fault])
def test_a_stale_object_names_no_colleague(dialect):
    """Its detail says who else was working on the record (recorded, 2015 to 2026)."""
    detail = "Stale Object Error : You and Jane Q. Doe were working on this at the same time."
    error = refusal(400, dialect("5010", message="Stale Object Error", detail=detail))
    assert error.message.count("Stale Object Error") == 1
    assert "Jane" not in told(error)
    assert "Doe" not in told(error)
    assert error.details["faultCode"] == "5010"


@pytest.mark.parametrize("dialect", [service_fault, gateway_fault, xml_fault])
@pytest.mark.parametrize(("status", "code"), [(403, "3100"), (403, "120"), (401, "3200")])
def test_a_missing_scope_is_not_taken_for_a_mix_up_of_environments(status, code, dialect):
    detail = "The access token does not have sufficient scope"
    error = refusal(status, dialect(code, message="AuthorizationFailed", detail=detail))
    assert type(error) is AccessDeniedError
    assert "com.intuit.quickbooks.accounting" in error.message
    assert "Connect the company again" in error.message
    assert "mix-up" not in error.message
    assert error.details["suspected"] == "scope"
    assert error.retryable is False


def test_no_access_at_an_emulator_is_no_mix_up_of_intuits_environments():
    fault = gateway_fault("3100", message="AuthorizationFailed")
    error = refusal(403, fault, environment="emulator", realm_id="7")
    assert "emulator" in error.message
    assert "company 7" in error.message
    assert "production" not in error.message
    assert error.details["suspected"] == "company"


# ---- success is proven, never assumed -------------------------------------------------------------------------------

PAGE = b'{"QueryResponse":{"Customer":[{"Id":"1","Balance":639.00,"Notes":"Invalid Company Status"}]},"time":"t"}'


@pytest.mark.parametrize("loads", [orjson.loads, json.loads], ids=["orjson", "json"])
def test_an_answer_cut_off_at_any_byte_is_never_a_success(loads):
    assert decipher(200, PAGE, loads=loads).body["QueryResponse"]["Customer"][0]["Balance"] == 639
    for length in range(len(PAGE)):
        error = refusal(200, PAGE[:length], {"intuit_tid": TID}, loads=loads)
        assert type(error) is UnexpectedResponseError, PAGE[:length]
        assert error.details == {"httpStatus": 200, "intuitTid": TID, "bytes": length}
        assert "Bird" not in told(error)


@pytest.mark.parametrize("loads", [orjson.loads, json.loads], ids=["orjson", "json"])
def test_a_fault_cut_off_at_any_byte_keeps_the_class_of_its_status(loads):
    body = json.dumps(gateway_fault("3200", kind="AUTHENTICATION", detail="Token expired: AB0160139026299")).encode()
    for length in range(len(body)):
        error = refusal(401, body[:length], loads=loads)
        assert type(error) is AccessTokenRefusedError
        assert "AB0160" not in told(error)


def test_xml_cut_off_at_any_byte_keeps_the_class_of_its_status():
    body = xml_fault("3001")
    for length in range(len(body)):
        assert type(refusal(429, body[:length], {"Content-Type": "application/xml"})) is RateLimitedError


NO_SUCCESS = {
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
    "xml in an encoding nobody knows": b'<?xml version="1.0" encoding="foo"?><a/>',
    "xml in an encoding of many bytes": b'<?xml version="1.0" encoding="gb2312"?><a/>',
    "xml in an encoding that cannot decode": b'<?xml version="1.0" encoding="idna"?><a/>',
}


@pytest.mark.parametrize("body", NO_SUCCESS.values(), ids=NO_SUCCESS)
def test_what_cannot_be_read_is_no_success_and_no_crash(body):
    """By orjson, as the client decodes; and by the standard library, but for a surrogate that it lets pass."""
    for loads in [orjson.loads] if b"\xed\xa0\x80" in body else [orjson.loads, json.loads]:
        error = refusal(200, body, loads=loads)
        assert type(error) is UnexpectedResponseError
        assert error.retryable is True


@pytest.mark.parametrize("fault", ["boom", ["boom"], 1, True, {"type": "X"}, {"Error": []}, {"Error": {"code": "1"}}])
@pytest.mark.parametrize("key", ["Fault", "fault"])
def test_a_fault_of_no_known_shape_is_still_a_fault(key, fault):
    body = {"QueryResponse": {}, key: fault}
    assert type(refusal(200, body)) is RequestRejectedError
    assert type(refusal(503, body)) is QuickBooksUnavailableError


@pytest.mark.parametrize("fault", [None, {}, [], "", 0])
def test_an_empty_fault_beside_an_answer_is_none(fault):
    """The gateway's form has all members at all times, empty ones as null."""
    assert decipher(200, {"QueryResponse": {}, "fault": fault}).body["QueryResponse"] == {}


@pytest.mark.parametrize("entry", [{}, {"code": None}, {"code": ["a"], "Message": 5, "Detail": {}, "element": 1}])
def test_an_odd_entry_of_a_fault_does_no_harm(entry):
    assert type(refusal(400, {"Fault": {"Error": [entry, None, "text"], "type": 7}})) is RequestRejectedError


@pytest.mark.parametrize(
    "body",
    [
        b"<html><head><title>We'll be back soon</title></head></html>",
        b"\n\n<!doctype html>\n<title>\nWe'll be back soon\n",
        b"<html><h1>503 Service Temporarily Unavailable</h1></html>",
        b"We'll be back soon!",
    ],
)
def test_a_maintenance_page_under_http_200_is_maintenance(body):
    error = refusal(200, body)
    assert type(error) is QuickBooksUnavailableError
    assert error.retryable is True


def test_an_ended_subscription_in_plain_text_is_an_ended_subscription():
    error = refusal(200, b"Invalid Company StatusSubscription period has ended or cancelled or there was a problem")
    assert type(error) is AccessDeniedError
    assert "subscription has ended" in error.message


@pytest.mark.parametrize("member", [None, [], "x", 1])
def test_an_answer_without_what_was_asked_is_unexpected(member):
    answer = wire.Answer({"QueryResponse": member}, TID)
    with pytest.raises(UnexpectedResponseError) as caught:
        wire.with_member(answer, "QueryResponse")
    assert TID in str(caught.value)
    with pytest.raises(UnexpectedResponseError):
        wire.with_member(answer, "CompanyInfo")


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
def test_any_answer_of_any_server_is_an_answer_or_an_error_of_ours(status, headers, body, loads):
    try:
        answer = decipher(status, body, headers, loads)
    except ConnectorError as error:
        told(error)
    else:
        assert 200 <= status < 300
        assert isinstance(answer.body, dict)
        assert not answer.body.get("Fault")
        assert not answer.body.get("fault")


@given(st.integers(100, 599), headers, bodies)
def test_any_answer_of_any_token_endpoint_has_a_token_or_is_an_error_of_ours(status, headers, body):
    try:
        response = wire.decipher_token(status, headers, body, now=NOW)
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
        wire.decipher_token(status, {"intuit_tid": TID}, body)
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
def test_a_token_that_comes_back_from_the_token_endpoint_is_told_nowhere(token, body):
    for status in (200, 400, 401, 500):
        with pytest.raises(ConnectorError) as caught:
            wire.decipher_token(status, {}, body.format(token).encode())
        assert token not in told(caught.value)
        assert token[-16:] not in told(caught.value)


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
    assert wire.retry_after_s(value, NOW) == seconds


@given(st.text() | st.floats().map(str) | st.integers().map(str))
def test_whatever_retry_after_says_the_wait_is_finite_and_not_negative(value):
    wait = wire.retry_after_s(value, NOW)
    assert wait is None or 0 <= wait < float("inf")


@given(st.integers(-(10**6), 10**6))
def test_an_http_date_is_judged_against_now(seconds):
    assert wire.retry_after_s(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True), NOW) == max(0, seconds)


def test_an_http_date_without_a_clock_is_unknown():
    assert wire.retry_after_s("Thu, 01 Oct 2026 12:01:30 GMT", None) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_wait_that_a_server_asks_for_reaches_the_host(status):
    error = refusal(status, b"", {"retry-after": "17"})
    assert error.retry_after_s == 17
    assert error.to_dict()["retryAfter"] == 17
    with pytest.raises(ConnectorError) as caught:
        wire.decipher_token(status, {"Retry-After": "17"}, b"")
    assert caught.value.retry_after_s == 17


# ---- requests -------------------------------------------------------------------------------------------------------


def test_a_short_statement_goes_into_the_url_and_a_long_one_into_the_body():
    short = wire.query_request("https://api", "12", "SELECT * FROM Customer WHERE DisplayName = 'R & B\\'s 100%'")
    assert short.method == "GET"
    assert short.url == (
        "https://api/v3/company/12/query?query=SELECT%20*%20FROM%20Customer%20WHERE%20DisplayName%20="
        "%20%27R%20%26%20B%5C%27s%20100%25%27&minorversion=75"
    )
    assert short.headers == {"Accept": "application/json"}
    assert short.body is None
    long = wire.query_request("https://api", "12", "SELECT * FROM Customer WHERE DisplayName = '" + "ż" * 700 + "'")
    assert long.method == "POST"
    assert long.url == "https://api/v3/company/12/query?minorversion=75"
    assert long.headers == {"Accept": "application/json", "Content-Type": "application/text"}
    assert long.body.decode().endswith("ż'")


def test_company_information_is_asked_for_by_the_realm():
    request = wire.company_info_request("https://api", "12")
    assert (request.method, request.url) == ("GET", "https://api/v3/company/12/companyinfo/12?minorversion=75")


@given(st.text(min_size=1).filter(lambda text: not any(0xD800 <= ord(c) < 0xE000 for c in text)))
def test_no_realm_id_leaves_its_place_in_the_path(realm):
    for request in (
        wire.query_request("https://api", realm, "SELECT * FROM Customer"),
        wire.company_info_request("https://api", realm),
    ):
        path, _, parameters = request.url.removeprefix("https://api/v3/company/").partition("?")
        assert path.count("/") <= 2
        assert "#" not in request.url
        assert parameters.endswith("minorversion=75")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost", True),
        ("http://LOCALHOST:8080", True),
        ("http://127.0.0.1:1", True),
        ("https://127.255.255.255", True),
        ("http://[::1]:8080", True),
        ("http://127.0.0.1.evil.test", False),
        ("http://127.0.0.256", False),
        ("http://127.1", False),
        ("http://localhost.evil.test", False),
        ("http://0.0.0.0", False),
        ("http://[::]", False),
        ("http://128.0.0.1", False),
        ("http://127.\u0660.\u0660.\u0661", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(url, expected):
    assert wire.is_loopback(url) is expected
