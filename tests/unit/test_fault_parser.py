"""Each failure of QuickBooks, in every dialect, becomes the error that reports it."""

from __future__ import annotations

import json

import pytest
from failed_responses import TID, TOKENS, decipher, gateway_fault, refusal, service_fault, text_of, xml_fault
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core import fault_parser, responses
from vantage_quickbooks.errors import (
    AccessDeniedError,
    AccessTokenRefusedError,
    QuickBooksUnavailableError,
    RateLimitedError,
    RecordNotFoundError,
    RequestRejectedError,
)

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
    # From the catalog, 4.5: codes whose class differs from the others
    (400, "110", AccessDeniedError),
    (400, "130", QuickBooksUnavailableError),
    (400, "140", AccessDeniedError),
    (400, "150", QuickBooksUnavailableError),
    (400, "5030", AccessDeniedError),
    # The outage of 2018: transcribed/503-html-gateway.yml
    (500, "3100", QuickBooksUnavailableError),
]

CATALOGUE = (  # noqa: SIM905 -- a list of 38 lines would not be clearer
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
def test_any_other_code_is_a_rejected_request(status, code):
    """Also under HTTP 200: a Fault is a failure with any status."""
    assert type(refusal(status, service_fault(code))) is RequestRejectedError


@pytest.mark.parametrize("code", ["003001", 3001, "3001"])
def test_a_code_may_have_leading_zeros_or_be_a_number(code):
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
def test_a_mix_up_of_environments_is_reported_with_a_hint(asked, other):
    with pytest.raises(AccessDeniedError) as caught:
        responses.decipher(403, {}, json.dumps(gateway_fault("3100")).encode(), environment=asked, realm_id="77")
    assert caught.value.details["suspected"] == "environment"
    assert f"company 77 in the {asked} environment" in caught.value.message
    assert f"set Environment to {other}" in caught.value.message


# ---- shapes and texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["boom", ["boom"], 1, True, {"type": "X"}, {"Error": []}, {"Error": {"code": "1"}}])
@pytest.mark.parametrize("key", ["Fault", "fault"])
def test_a_fault_of_unknown_shape_is_still_a_fault(key, fault):
    body = {"QueryResponse": {}, key: fault}
    assert type(refusal(200, body)) is RequestRejectedError
    assert type(refusal(503, body)) is QuickBooksUnavailableError


@pytest.mark.parametrize("fault", [None, {}, [], "", 0])
def test_an_empty_fault_beside_an_answer_is_ignored(fault):
    """The gateway's form has all members at all times, empty ones as null."""
    assert decipher(200, {"QueryResponse": {}, "fault": fault}).body["QueryResponse"] == {}


@pytest.mark.parametrize("entry", [{}, {"code": None}, {"code": ["a"], "Message": 5, "Detail": {}, "element": 1}])
def test_a_malformed_entry_of_a_fault_is_a_rejected_request(entry):
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
def test_a_token_in_a_fault_is_redacted(token, status, make):
    error = refusal(status, make(token))
    assert token not in text_of(error)
    assert token[:24] not in text_of(error)
    assert token[-16:] not in text_of(error)


@given(st.sampled_from(sorted(TOKENS.values())), st.text(max_size=20), st.text(max_size=20))
def test_a_token_between_any_words_is_redacted(token, before, after):
    assert token[-16:] not in fault_parser.redact_tokens(f"{before} {token} {after}")


@pytest.mark.parametrize("text", ["Amy's Bird Sanctuary", "AB12", "RT1", "eyes. nose. mouth.", "Invoice 1037"])
def test_other_text_is_not_redacted(text):
    assert text == fault_parser.redact_tokens(text)


def test_a_message_has_a_maximum_length():
    error = refusal(400, service_fault("4000", message="x" * 10**6, detail="y" * 10**6, element="z" * 10**6))
    assert len(text_of(error)) < 5000
    error = refusal(401, gateway_fault("3200", message="x" * 10**6))
    assert len(text_of(error)) < 5000


def test_all_faults_are_reported():
    body = service_fault("2010")
    body["Fault"]["Error"].append({"Message": "Second", "Detail": "thing", "code": "2020"})
    assert "Message: Detail; Second: thing" in refusal(400, body).message


def test_a_detail_that_repeats_the_message_is_reported_once():
    error = refusal(400, service_fault("6000", message="Business Error", detail="Business Error : a reason."))
    assert error.message.count("Business Error") == 1


@pytest.mark.parametrize("dialect", [service_fault, gateway_fault, xml_fault])
def test_a_stale_object_does_not_name_the_other_user(dialect):
    """Its detail says who else was working on the record (recorded, 2015 to 2026)."""
    detail = "Stale Object Error : You and Jane Q. Doe were working on this at the same time."
    error = refusal(400, dialect("5010", message="Stale Object Error", detail=detail))
    assert error.message.count("Stale Object Error") == 1
    assert "Jane" not in text_of(error)
    assert "Doe" not in text_of(error)
    assert error.details["faultCode"] == "5010"


@pytest.mark.parametrize("dialect", [service_fault, gateway_fault, xml_fault])
@pytest.mark.parametrize(("status", "code"), [(403, "3100"), (403, "120"), (401, "3200")])
def test_a_missing_scope_is_not_reported_as_a_mix_up_of_environments(status, code, dialect):
    detail = "The access token does not have sufficient scope"
    error = refusal(status, dialect(code, message="AuthorizationFailed", detail=detail))
    assert type(error) is AccessDeniedError
    assert "com.intuit.quickbooks.accounting" in error.message
    assert "Connect the company again" in error.message
    assert "mix-up" not in error.message
    assert error.details["suspected"] == "scope"
    assert error.retryable is False


def test_no_access_at_an_emulator_is_not_reported_as_a_mix_up_of_environments():
    fault = gateway_fault("3100", message="AuthorizationFailed")
    error = refusal(403, fault, environment="emulator", realm_id="7")
    assert "emulator" in error.message
    assert "company 7" in error.message
    assert "production" not in error.message
    assert error.details["suspected"] == "company"
