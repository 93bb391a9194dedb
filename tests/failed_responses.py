"""Responses of QuickBooks that report failures, in every dialect, and how the connector reads them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import orjson
import pytest

from vantage_quickbooks.core import responses
from vantage_quickbooks.errors import ConnectorError

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
    return responses.decipher(
        status, headers or {}, body, loads=loads, now=NOW, environment=environment, realm_id=realm_id
    )


def refusal(status, body, headers=None, **kwargs):
    with pytest.raises(ConnectorError) as caught:
        decipher(status, body, headers, **kwargs)
    return caught.value


def text_of(error):
    """Return all text that an error contains."""
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
