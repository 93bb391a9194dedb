"""Recorded traffic of Intuit, 2013 to 2026, as the core reads it.

The recordings are next to the checkout (../shared/recordings) and not part of the project. The expectations were
written by hand from the list in their README, independently of the code. An exchange that is not in FAULTS is a
success, and must be returned with every key and value.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import yaml

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.flat_fields import flat_fields_reader
from vantage_quickbooks.catalog.invoices import summarize
from vantage_quickbooks.core import endpoints, query, responses, tokens
from vantage_quickbooks.errors import (
    AccessDeniedError,
    AccessTokenRefusedError,
    ClientCredentialsError,
    ConnectorError,
    QuickBooksUnavailableError,
    RateLimitedError,
    ReauthorizationRequired,
    RecordNotFoundError,
    RequestRejectedError,
    UnexpectedResponseError,
)
from vantage_quickbooks.sync.page import read_page

FOLDER = Path(__file__).parents[3] / "shared" / "recordings"
NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
CUSTOMER, INVOICE = (flat_fields_reader(ACTIONS[name].resource) for name in ("listCustomers", "listInvoices"))

MINIMUL, FLOWLINK, NANGO = "minimul-qbo_api/", "flowlink-quickbooks_integration/App/", "NangoHQ-integration-templates/"
FLOWLINK_ADD = FLOWLINK + "add_customer/returns_200_and_summary_when_using_unique_email.yml"
IRREGULAR, AMPERSAND = (f"{MINIMUL}2015-2016-oauth1/misc/{name}.yml" for name in ("irregular_char", "ampersand"))
CDC_2016 = MINIMUL + "2015-2016-oauth1/cdc/basic.yml"

UNREADABLE = (UnexpectedResponseError, None)
"""A success in XML, which a JSON client cannot read and must not report as a success."""

FAULTS = {
    (MINIMUL + "2020-oauth2/error/400.yml", 1): (RequestRejectedError, "4001"),
    (MINIMUL + "2020-oauth2/error/400_json.yml", 0): (RequestRejectedError, "2010"),
    (MINIMUL + "2020-oauth2/error/401.yml", 0): (AccessTokenRefusedError, "3200"),
    (MINIMUL + "2020-oauth2/error/500.yml", 0): (RequestRejectedError, "500"),
    (MINIMUL + "2020-oauth2/error/500.yml", 1): (RequestRejectedError, "2030"),
    (MINIMUL + "2020-oauth2/error/validation.yml", 0): (RequestRejectedError, "6240"),
    (MINIMUL + "2015-2016-oauth1/error/400.yml", 0): (RequestRejectedError, "3202"),
    **dict.fromkeys([(CDC_2016, i) for i in range(3)], (QuickBooksUnavailableError, "10000")),
    **dict.fromkeys([(AMPERSAND, i) for i in (1, 2)], (AccessTokenRefusedError, "3200")),
    (IRREGULAR, 0): (RecordNotFoundError, None),
    **dict.fromkeys([(IRREGULAR, i) for i in (1, 2, 3, 4, 5, 6, 8, 9, 10)], (RequestRejectedError, "4000")),
    (FLOWLINK + "_get_customers/first_page_returns_206_and_list_of_50_vendors.yml", 0): UNREADABLE,
    (FLOWLINK + "_get_invoices/returns_200_and_accepts_users_quickbooks_prefix.yml", 0): UNREADABLE,
    **dict.fromkeys([(FLOWLINK_ADD, i) for i in (0, 2, 3, 4, 5, 6)], UNREADABLE),
    (FLOWLINK_ADD, 1): (RequestRejectedError, "6240"),
    ("Boulevard-ExQuickBooks/api/query_error.json", 0): (RequestRejectedError, "4000"),
    ("Boulevard-ExQuickBooks/item/create_item_error.json", 0): (RequestRejectedError, "2020"),
    ("Boulevard-ExQuickBooks/preferences/update_preferences_error.json", 0): (RequestRejectedError, "5010"),
    ("ruckus-quickbooks-ruby/throttle_exceeded_error.xml", 0): (RateLimitedError, "3001"),
    ("ruckus-quickbooks-ruby/too_many_requests_error.xml", 0): (RateLimitedError, "3001"),
    ("ruckus-quickbooks-ruby/query_validation_error.xml", 0): (RequestRejectedError, "4001"),
    ("ruckus-quickbooks-ruby/customer_duplicate_error.xml", 0): (RequestRejectedError, "6240"),
    ("ruckus-quickbooks-ruby/json/tax_service_error_dup.json", 0): (RequestRejectedError, "6240"),
    ("transcribed/403-AuthorizationFailed-json.yml", 0): (AccessDeniedError, "3100"),
    ("transcribed/403-ThrottleExceeded-xml.yml", 0): (RateLimitedError, "3001"),
    ("transcribed/429-ThrottleExceeded-xml.yml", 0): (RateLimitedError, "3001"),
    ("transcribed/401-AuthenticationFault-100-xml.yml", 0): (AccessTokenRefusedError, "100"),
    ("transcribed/401-malformed-bearer-2026.yml", 0): (AccessTokenRefusedError, "3200"),
    ("transcribed/503-html-gateway.yml", 0): (QuickBooksUnavailableError, "150"),
    ("transcribed/504-GatewayTimeout-xml.yml", 0): (QuickBooksUnavailableError, "6002"),
    ("transcribed/html-well-be-back-soon.yml", 0): (QuickBooksUnavailableError, "150"),
    ("transcribed/200-plain-text-invalid-company-status.yml", 0): (AccessDeniedError, "6190"),
    ("transcribed/200-systemfault-2026.yml", 0): (QuickBooksUnavailableError, "10000"),
    ("transcribed/400-empty-query.yml", 0): (RequestRejectedError, "4000"),
    ("transcribed/400-double-encoded-query.yml", 0): (RequestRejectedError, None),  # the quote left "Fault" out
    ("transcribed/400-unsupported-operation-2026.yml", 0): (RequestRejectedError, "500"),
    ("transcribed/400-4000-syntax-2026.yml", 0): (RequestRejectedError, "4000"),
    ("transcribed/400-4001-unknown-property-2026.yml", 0): (RequestRejectedError, "4001"),
}

TOKEN_FAULTS = {
    "LedgerSync-ledger_sync-quickbooks_online/token-invalid_client.yml": ClientCredentialsError,
    "intuit-oauth-jsclient/errorResponse.json": ReauthorizationRequired,
    "transcribed/token-invalid_grant-incorrect-or-invalid-2020.yml": ReauthorizationRequired,
    "transcribed/token-invalid_grant-incorrect-or-invalid-2025.yml": ReauthorizationRequired,
    "transcribed/token-invalid_grant-wrong-type-or-client.yml": ReauthorizationRequired,
    "transcribed/token-invalid_grant-no-description.yml": ReauthorizationRequired,
}
TOKEN_SUCCESS = "intuit-oauth-jsclient/authResponse.json"

EXCHANGES = 101 + 43 + 7 + 2 + 1 + 5 + 16
"""By the README: in cassettes, Nango's, Boulevard's, hoist's, Intuit's, ruckus' files, and transcribed; without the 7
of the token endpoint (one in a cassette, two of oauth-jsclient, four transcribed)."""

# Status of the body-only XML files, from the fault's own text.
_BODY_STATUS = {"throttle_exceeded_error.xml": 403, "too_many_requests_error.xml": 429}

TOKEN_TEXT = re.compile(r"AB0160139|REDACTED|Bearer eyJ")


@dataclass(frozen=True)
class Exchange:
    file: str
    index: int
    url: str
    statement: str | None
    status: int
    headers: dict[str, str]
    body: bytes

    def __str__(self):
        return f"{self.file}#{self.index}"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # libyaml, where PyYAML has it, is ten times as fast
    pass


_Loader.add_constructor("!binary", lambda _, node: base64.b64decode(node.value))


def _bytes(body):
    raw = body.encode() if isinstance(body, str) else body or b""
    raw = gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw
    # The recorder's `<COMPANY_ID>` breaks the XML that contains it; the company's digits did not.
    return re.sub(rb"<([A-Z_]{4,})>", rb"\1", raw) if raw.startswith(b"<?xml") else raw


def _statement(url):
    return parse_qs(urlsplit(url).query).get("query", [None])[0]


def _cassette(path, name):
    document = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a SafeLoader with one more tag
    if "http_interactions" not in document:
        answer = document["response"]
        url = document["request"].get("url", "")
        yield Exchange(
            name, 0, url, _statement(url), answer.get("status", 200), answer["headers"], answer["body"].encode()
        )
        return
    for index, interaction in enumerate(document["http_interactions"]):
        answer = interaction["response"]
        headers = {key: ", ".join(values) for key, values in answer["headers"].items()}
        url = interaction["request"]["uri"]
        body = _bytes(answer["body"]["string"])
        yield Exchange(name, index, url, _statement(url), answer["status"]["code"], headers, body)


def _json_file(path, name):
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    if name.startswith(NANGO):
        answers = [answer for paths in document["api"].values() for answer in paths.items()]
        for index, (url, answer) in enumerate(answers):
            request = answer["request"]
            statement = request.get("params", {}).get("query") or request.get("data")
            statement = statement if isinstance(statement, str) else None
            body = json.dumps(answer["response"]).encode()
            yield Exchange(name, index, url, statement, answer["status"], answer["headers"], body)
    elif name.startswith("intuit-oauth-jsclient/"):
        answer = document["response"]
        yield Exchange(name, 0, answer["url"], None, answer["status"], answer["headers"], answer["body"].encode())
    else:
        yield Exchange(name, 0, "", None, 400 if "Fault" in document else 200, {}, text.encode())


def _load():
    for path in sorted(FOLDER.rglob("*")):
        name = path.relative_to(FOLDER).as_posix()
        if path.suffix == ".yml":
            yield from _cassette(path, name)
        elif path.suffix == ".json":
            yield from _json_file(path, name)
        elif path.suffix == ".xml":
            yield Exchange(name, 0, "", None, _BODY_STATUS.get(path.name, 400), {}, path.read_bytes())


def _is_token(exchange):
    return exchange.file in TOKEN_FAULTS or exchange.file == TOKEN_SUCCESS


if not FOLDER.is_dir():
    pytest.skip(
        f"SHARED RECORDINGS MISSING: {FOLDER} is not there, so real Intuit traffic was NOT tested",
        allow_module_level=True,
    )

ALL = list(_load())
API = [exchange for exchange in ALL if not _is_token(exchange)]
PAGES = [  # the connector never asks for a count alone; without its statement a page cannot be judged
    exchange
    for exchange in API
    if (exchange.file, exchange.index) not in FAULTS
    and exchange.statement
    and "count(*)" not in exchange.statement.lower()
]


def _decipher(exchange, loads=orjson.loads):
    return responses.decipher(
        exchange.status, exchange.headers, exchange.body, loads=loads, now=NOW, environment="sandbox", realm_id="123"
    )


def _tid(exchange):
    wanted = {"intuit_tid", "intuit-tid"}
    return next((value for key, value in exchange.headers.items() if key.lower() in wanted), None)


def _text_of(error):
    return "\n".join((str(error), repr(error), json.dumps(error.to_dict(), allow_nan=False), repr(error.details)))


def test_the_loader_finds_every_exchange_and_every_expectation_an_exchange():
    assert len(API) == EXCHANGES
    assert set(FAULTS) <= {(exchange.file, exchange.index) for exchange in API}
    assert {*TOKEN_FAULTS, TOKEN_SUCCESS} == {exchange.file for exchange in ALL if _is_token(exchange)}


@pytest.mark.parametrize("loads", [orjson.loads, json.loads], ids=["orjson", "json"])
@pytest.mark.parametrize("exchange", API, ids=str)
def test_each_recorded_response_is_read_correctly(exchange, loads):
    """A success comes through unchanged; a fault becomes its error, with Intuit's id and without any token."""
    expected = FAULTS.get((exchange.file, exchange.index))
    if expected is None:
        answer = _decipher(exchange, loads)
        assert json.loads(exchange.body) == answer.body
        assert _tid(exchange) == answer.intuit_tid
        return
    kind, code = expected
    with pytest.raises(ConnectorError) as caught:
        _decipher(exchange, loads)
    error = caught.value
    assert type(error) is kind
    assert error.details.get("faultCode") == code
    assert exchange.status == error.details["httpStatus"]
    assert error.details.get("intuitTid") == _tid(exchange)
    if _tid(exchange):
        assert _tid(exchange) in str(error)
    assert not TOKEN_TEXT.search(_text_of(error))
    assert exchange.body.decode() not in _text_of(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("exchange", [e for e in ALL if e.file in TOKEN_FAULTS], ids=str)
def test_each_recorded_refusal_of_the_token_endpoint_is_read_correctly(exchange):
    """`invalid_grant` in four wordings asks a person to connect again; only `invalid_client` is a wrong secret."""
    with pytest.raises(ConnectorError) as caught:
        responses.decipher_token(exchange.status, exchange.headers, exchange.body, now=NOW)
    assert type(caught.value) is TOKEN_FAULTS[exchange.file]
    assert caught.value.details.get("intuitTid") == _tid(exchange)
    assert exchange.status == caught.value.details["httpStatus"]
    assert caught.value.retryable is False


def test_the_recorded_token_response_makes_a_record():
    (exchange,) = (e for e in ALL if e.file == TOKEN_SUCCESS)
    response = responses.decipher_token(exchange.status, exchange.headers, exchange.body)
    record = tokens.from_token_response(
        response, now=NOW, realm_id="1", environment="sandbox", fingerprint="f", sent_refresh_token="old"
    )
    assert (record.access_token.reveal(), record.refresh_token.reveal()) == (
        "sample_access_token",
        "sample_refresh_token",
    )
    assert (record.access_token_expires_at - NOW).total_seconds() == 3600
    assert (record.refresh_token_expires_at - NOW).days == 101
    assert record.refresh_token_hard_expires_at is None


def test_an_expired_token_in_a_401_is_redacted():
    (exchange,) = (e for e in API if e.file.endswith("2020-oauth2/error/401.yml"))
    assert b"Token expired: AB0160139" in exchange.body
    with pytest.raises(AccessTokenRefusedError) as caught:
        _decipher(exchange)
    assert "AB01" not in _text_of(caught.value)


@pytest.mark.parametrize("exchange", PAGES, ids=str)
def test_each_recorded_page_is_read_completely_with_its_next_position(exchange):
    """The next page begins where this one ends, as long as the page is as full as was asked (at most 1,000)."""
    response = json.loads(exchange.body)["QueryResponse"]
    entity = re.search(r"from\s+(\w+)", exchange.statement, re.IGNORECASE)[1]
    entity = next((name for name in response if name.lower() == entity.lower()), entity)
    asked = {
        word: int(number)
        for word, number in re.findall(r"(STARTPOSITION|MAXRESULTS) (\d+)", exchange.statement, re.IGNORECASE)
    }
    start, size = int(asked.get("STARTPOSITION", 1)), int(asked.get("MAXRESULTS", 100))
    answer = responses.with_member(_decipher(exchange), "QueryResponse")
    client = SimpleNamespace(query=lambda *_: answer)
    call = SimpleNamespace(now=lambda: NOW)
    page = read_page(client, query.Select(entity, start_position=start, max_results=size), call)
    records = response.get(entity, [])
    assert records == page.records
    assert page.next_position == (start + len(records) if len(records) >= size else None)
    time = json.loads(exchange.body).get("time")
    assert page.company_date == date.fromisoformat(time[:10])


def _five_by_five():
    return [e for e in PAGES if e.file == f"{MINIMUL}2020-oauth2/all/vendors_by_5.yml"]


def test_pages_of_five_are_read_to_the_end_as_recorded():
    """26 vendors, read by following `next_position` alone, as one who repeats the recorded reading would."""
    pages = {int(re.search(r"STARTPOSITION (\d+)", e.statement)[1]): e for e in _five_by_five()}
    client = SimpleNamespace(
        query=lambda statement, _: responses.with_member(_decipher(pages[statement.start_position]), "QueryResponse")
    )
    call = SimpleNamespace(now=lambda: NOW)
    names, position, visited = [], 1, []
    while position is not None:
        visited.append(position)
        page = read_page(client, query.Select("Vendor", start_position=position, max_results=5), call)
        names += [record["DisplayName"] for record in page.records]
        position = page.next_position
    assert visited == [1, 6, 11, 16, 21, 26]
    assert len(set(names)) == len(names) == 26


@pytest.mark.parametrize(
    ("file", "condition"),
    [
        ("2020-oauth2/get/display_name.yml", query.matches("DisplayName", "Amy's Bird Sanctuary")),
        ("2020-oauth2/misc/ampersand.yml", query.matches("DisplayName", "Robertson & Associates")),
        ("2020-oauth2/get/inactive_vendors.yml", query.whether("Active", True, False)),
    ],
)
def test_conditions_are_encoded_as_recorded(file, condition):
    """The connector writes statements that QuickBooks accepted in 2020, with the same quotes and percent signs."""
    (exchange,) = (e for e in API if e.file == MINIMUL + file)
    assert exchange.statement.endswith(f"WHERE {condition}")
    ours = endpoints.query_request("https://sandbox-quickbooks.api.intuit.com", "-COMPANY_ID-", exchange.statement).url
    assert ours.partition("&minorversion")[0] == exchange.url


def _nango(name, entity):
    (exchange,) = (e for e in API if e.file == f"{NANGO}quickbooks/{name}.test.json")
    return _decipher(exchange).body, _decipher(exchange).body["QueryResponse"][entity]


def test_recorded_invoices_get_their_payment_status():
    """37 invoices of a sandbox, May 2026, each computed again by the rules of the documentation."""
    body, invoices = _nango("invoices", "Invoice")
    today = date.fromisoformat(body["time"][:10])
    facts = [INVOICE(invoice, today) for invoice in invoices]
    assert len(facts) == 37
    for invoice, fact in zip(invoices, facts, strict=True):
        balance, total = invoice["Balance"], invoice["TotalAmt"]
        late = "DueDate" in invoice and invoice["DueDate"] < today.isoformat()
        if balance == 0:
            voided = total == 0 and invoice.get("PrivateNote", "").startswith("Voided")
            expected = "voided" if voided else "paid"
        elif late:
            expected = "overdue"
        else:
            expected = "partiallyPaid" if balance < total else "open"
        assert expected == fact["paymentStatus"], invoice["Id"]
        assert (fact["daysOverdue"] > 0) == (expected == "overdue")
        assert invoice["CustomerRef"]["name"] == fact["customerName"]
        assert fact["currency"] == "USD"


def test_recorded_invoices_add_up_to_the_cent():
    body, invoices = _nango("invoices", "Invoice")
    today = date.fromisoformat(body["time"][:10])
    summary = summarize((i, INVOICE(i, today)) for i in invoices)
    (dollars,) = summary["byCurrency"]
    cents = sum(round(invoice["Balance"] * 100) for invoice in invoices)
    assert dollars["outstanding"] == f"{cents // 100}.{cents % 100:02}"
    assert sum(Decimal(group["outstanding"]) for group in dollars["byStatus"]) == Decimal(dollars["outstanding"])
    assert (dollars["count"], sum(group["count"] for group in dollars["byStatus"])) == (37, 37)


def test_recorded_customers_get_their_flat_fields():
    _, customers = _nango("list-customers", "Customer")
    assert len(customers) == 33
    for customer in customers:
        fact = CUSTOMER(customer, NOW.date())
        assert customer["DisplayName"] == fact["customerName"]
        assert fact["email"] == customer.get("PrimaryEmailAddr", {}).get("Address")
        if customer.get("PrimaryPhone"):
            assert customer["PrimaryPhone"]["FreeFormNumber"] == fact["phone"]


def test_a_truncated_recorded_response_is_never_a_success():
    """An answer of 27 vendors, cut at 500 places."""
    (exchange,) = (e for e in API if e.file == f"{MINIMUL}2020-oauth2/get/inactive_vendors.yml")
    step = max(1, len(exchange.body) // 500)
    for length in range(0, len(exchange.body), step):
        with pytest.raises(UnexpectedResponseError):
            responses.decipher(200, exchange.headers, exchange.body[:length], loads=orjson.loads)
