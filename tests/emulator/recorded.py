"""The recordings beside the checkout, each exchange in one shape, whatever its file's form.

What a file lacks (the request of a body, the status in a fault's text) was added here by hand from the README of the
recordings, never from the emulator's answers.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree as ET

import yaml

FOLDER = Path(os.environ.get("QUICKBOOKS_RECORDINGS") or Path(__file__).resolve().parents[3] / "shared" / "recordings")
"""Beside the checkout; the environment variable names another folder."""

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
XML = {"Accept": "application/xml", "Content-Type": "application/xml"}


@dataclass(frozen=True)
class Exchange:
    """One request and what Intuit answered.

    Attributes:
        name: File and position in it.
        family: The company that it was recorded from: exchanges of a family are of one state.
        kind: What is counted together in the summary.
        spelling: `verbatim` (the wire's own bytes), `values` (re-serialized) or `quoted` (by hand, maybe cut).
        method: Of the request.
        target: Path below the company with the query string as it was sent, or a path of OAuth's; None if unknown.
        sent: The request's headers that matter.
        body: The request's.
        status: None if it was not noted.
        headers: Of the answer, names in lower case; None if they are not reliable.
        text: The answer's body.
        at: When it was answered.
        setup: How the emulator gets into this state, if its data is not sufficient; a name in conformance.py.
    """

    name: str
    family: str
    kind: str
    spelling: str
    method: str
    target: str | None
    sent: dict[str, str]
    body: bytes
    status: int | None
    headers: dict[str, str] | None
    text: str
    at: datetime
    setup: str | None = None
    statement: str | None = field(default=None)

    @property
    def is_xml(self):
        return self.text.lstrip().startswith(("<?xml", "<IntuitResponse"))

    @property
    def is_write(self):
        return self.method == "POST" and self.target is not None and not self.target.startswith(("query", "/"))


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # libyaml, where PyYAML has it, is ten times as fast
    pass


_Loader.add_constructor("!binary", lambda _, node: base64.b64decode(node.value))


def read_all():
    """Read every exchange; an empty list where the folder is missing."""
    found = []
    for path in sorted(FOLDER.rglob("*.yml")):
        document = yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506 -- a SafeLoader with one more tag
        name = str(path.relative_to(FOLDER))
        if "http_interactions" in document:
            found += [_of_cassette(name, i, e) for i, e in enumerate(document["http_interactions"])]
        else:
            found.append(_of_transcript(name, document))
    for path in sorted(FOLDER.glob("NangoHQ-integration-templates/quickbooks/*.json")):
        name = str(path.relative_to(FOLDER))
        for method, calls in json.loads(path.read_text("utf-8"))["api"].items():
            found += [_of_nango(name, method, url, call) for url, call in calls.items()]
    found += [_of_body(name, *implied) for name, implied in _BODIES.items() if (FOLDER / name).exists()]
    found += [_of_oauth_client(name) for name in _OAUTH_CLIENT if (FOLDER / name).exists()]
    return found


# ---- cassettes -------------------------------------------------------------------------------------------------------


def _of_cassette(name, index, recorded):
    request, answer = recorded["request"], recorded["response"]
    raw = _bytes(answer["body"]["string"])
    parts = urlsplit(request["uri"])
    # A hook of minimul's specs cut `company/<id>/` out of some addresses.
    target = re.sub(r"^/v3/(company/[^/]+/)?", "", parts.path) if parts.path.startswith("/v3/") else parts.path
    target += f"?{parts.query}" if parts.query else ""
    text = raw.decode()
    headers = {key.lower().replace("intuit-tid", "intuit_tid"): ", ".join(v) for key, v in answer["headers"].items()}
    headers.pop("set-cookie", None)
    if "client" in headers:  # a bulk rename of LedgerSync's turned Connection into Client
        headers["connection"] = headers.pop("client")
    sent = {key: value[0] for key, value in request["headers"].items() if key in ("Accept", "Content-Type")}
    return _exchange(
        f"{name}#{index}",
        family="/".join(name.split("/")[:2]) if name.startswith("minimul") else name.split("/")[0],
        spelling="verbatim",
        method=request["method"].upper(),
        target=target,
        sent=sent,
        body=_bytes(request["body"]["string"]),
        status=answer["status"]["code"],
        headers=headers,
        text=text,
        at=parsedate_to_datetime(headers["date"]),
        setup=_SETUPS.get(f"{name}#{index}"),
    )


def _bytes(body):
    raw = body.encode() if isinstance(body, str) else body or b""
    return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw


# ---- Nango -----------------------------------------------------------------------------------------------------------


def _of_nango(name, method, url, recorded):
    request = recorded["request"]
    target = re.sub(r"^/v3/company/[^/]+/", "", url)
    if request.get("params"):
        target += "?" + "&".join(f"{key}={quote(value)}" for key, value in request["params"].items())
    data = request.get("data", "")
    body = data if isinstance(data, str) else json.dumps(data)
    send = name.endswith("send-invoice.test.json")  # the one answer whose headers the proxy passed through
    return _exchange(
        name,
        family="NangoHQ-integration-templates",
        spelling="values",
        method=method.upper(),
        target=target,
        sent=JSON | request.get("headers", {}),
        body=body.encode(),
        status=recorded["status"],
        headers=recorded["headers"] if send else None,
        text=json.dumps(recorded["response"], ensure_ascii=False),
        at=parsedate_to_datetime(recorded["headers"]["date"]),
    )


# ---- bodies and quotations -------------------------------------------------------------------------------------------

_BOULEVARD, _HOIST, _RUCKUS = "Boulevard-ExQuickBooks/", "hoist-connector-quickbooks-online/", "ruckus-quickbooks-ruby/"

# The request that must have been sent: method, target, body, status, setup. A target of None: it is unknown.
_BODIES = {
    _BOULEVARD + "api/query.json": ("GET", "query?query=SELECT%20*%20FROM%20Item", None, 200, None),
    _BOULEVARD + "api/query_error.json": ("GET", "query?query=SELECT%20*%20FROM%20NULL", None, 400, None),
    _BOULEVARD + "preferences/read_preferences.json": ("GET", "preferences", None, 200, None),
    _BOULEVARD + "item/create_item_error.json": ("POST", "item", {}, 400, None),
    _BOULEVARD + "item/read_item.json": ("GET", "item/{Id}", None, 200, None),
    _BOULEVARD + "sales_receipt/create_sales_receipt.json": ("POST", None, None, 200, None),
    _BOULEVARD + "preferences/update_preferences_error.json": (
        "POST",
        "preferences",
        {"Id": "1", "SyncToken": "0", "EmailMessagesPrefs": {}},
        400,
        "preferences_edited",
    ),
    _HOIST + "payment_query.json": ("GET", "query?query=select%20*%20from%20Payment", None, 200, None),
    _HOIST + "cdc.json": (
        "GET",
        "cdc?entities=Invoice,CreditMemo,Payment&changedSince=2015-03-15T00:00:00-07:00",
        None,
        200,
        "deleted_invoice",
    ),
    "intuit-QuickBooks-V3-PHP-SDK/transfer.json": ("GET", "transfer/{Id}", None, 200, None),
    _RUCKUS + "throttle_exceeded_error.xml": (
        "GET",
        "query?query=select%20*%20from%20Customer",
        None,
        403,
        "throttled",
    ),
    _RUCKUS + "too_many_requests_error.xml": (
        "GET",
        "query?query=select%20*%20from%20Customer",
        None,
        429,
        "throttled",
    ),
    _RUCKUS + "query_validation_error.xml": (
        "GET",
        "query?query=select%20*%20from%20Customer%20startposition%200",
        None,
        400,
        None,
    ),
    _RUCKUS + "customer_duplicate_error.xml": ("POST", "customer", {"DisplayName": "Taken"}, 400, "taken_name"),
    _RUCKUS + "json/tax_service_error_dup.json": ("POST", "taxservice/taxcode", {"TaxCode": "Taken"}, 400, None),
}


def _of_body(name, method, target, body, status, setup):
    text = (FOLDER / name).read_text("utf-8")
    reported = re.search(r'"?time"?[:=]\s?"([^"]+)"', text[::-1][:120][::-1]) or re.search(r'time="([^"]+)"', text)
    if target and "{Id}" in target:
        record = next(value for value in json.loads(text).values() if isinstance(value, dict))
        target = target.replace("{Id}", record["Id"])
    return _exchange(
        name,
        family=name.split("/")[0],
        spelling="values",
        method=method,
        target=target,
        sent=XML | {"Content-Type": "application/json"} if name.endswith(".xml") else JSON,
        body=b"" if body is None else json.dumps(body).encode(),
        status=status,
        headers=None,
        text=text,
        at=datetime.fromisoformat(reported[1] if reported else "2015-04-22T00:00:00-07:00"),
        setup=setup,
    )


_QUERY = "query?query=select%20*%20from%20Customer"
# The request and how to come to the answer: method, target, setup. Where the quotation names the request, that is sent.
_TRANSCRIPTS = {
    "200-companyinfo-2026": ("GET", "companyinfo/{realm}", None),
    "200-plain-text-invalid-company-status": ("POST", "customer", "order:plain_text_200"),
    "200-systemfault-2026": ("POST", "bill?operation=void", None),
    "400-4000-syntax-2026": ("GET", None, None),
    "400-4001-unknown-property-2026": ("GET", None, None),
    "400-double-encoded-query": (
        "GET",
        "query?query=select%20*%20from%20Customer%20where%20DisplayName%20%3D%20%252527Amy%252527",
        None,
    ),
    "400-empty-query": ("POST", "query", None),
    "400-unsupported-operation-2026": ("POST", "purchase?operation=void", None),
    "401-AuthenticationFault-100-xml": ("GET", _QUERY, "bad_token"),
    "401-malformed-bearer-2026": ("GET", "companyinfo/{realm}", "short_token"),
    "403-AuthorizationFailed-json": ("GET", _QUERY, "other_company"),
    "403-ThrottleExceeded-xml": ("GET", _QUERY, "throttled"),
    "429-ThrottleExceeded-xml": ("POST", "customer", "throttled"),
    "503-html-gateway": ("GET", _QUERY, "order:html"),
    "504-GatewayTimeout-xml": ("GET", None, "order:gateway_timeout"),
    "html-well-be-back-soon": ("GET", _QUERY, "order:html"),
    "token-invalid_grant-incorrect-or-invalid-2020": ("POST", "/oauth2/v1/tokens/bearer", "token:access_token"),
    "token-invalid_grant-incorrect-or-invalid-2025": ("POST", "/oauth2/v1/tokens/bearer", "token:unknown"),
    "token-invalid_grant-no-description": ("POST", "/oauth2/v1/tokens/bearer", "token:rotated_away"),
    "token-invalid_grant-wrong-type-or-client": ("POST", "/oauth2/v1/tokens/bearer", "token:other_app"),
}


def _of_transcript(name, document):
    method, target, setup = _TRANSCRIPTS[Path(name).stem]
    if target is None:
        parts = urlsplit(document["request"]["url"])
        target = re.sub(r"^/v3/company/[^/]+/", "", parts.path) + f"?{parts.query}"
    answer = document["response"]
    body = {"purchase?operation=void": {"Id": "165", "SyncToken": "0"}, "bill?operation=void": {"Id": "25"}}.get(target)
    day = re.match(r"\d{4}-\d\d(-\d\d)?", str(document["quoted_on"]))[0]
    day += "" if len(day) == 10 else "-15"
    headers = (
        answer.get("headers") if Path(name).stem in ("503-html-gateway", "token-invalid_grant-no-description") else {}
    )
    return _exchange(
        name,
        family=name,
        spelling="quoted",
        method=method,
        target=target,
        sent=JSON if "xml" not in name or "ThrottleExceeded" in name else XML | {"Content-Type": "application/json"},
        body=json.dumps(body).encode() if body else b"",
        status=answer.get("status"),
        headers={key.lower(): value for key, value in headers.items()} if headers else None,
        text=answer["body"],
        at=datetime.fromisoformat(f"{day}T12:00:00+00:00"),
        setup=setup,
    )


_OAUTH_CLIENT = {
    "intuit-oauth-jsclient/authResponse.json": "token:code",
    "intuit-oauth-jsclient/errorResponse.json": "token:bad_code",
}


def _of_oauth_client(name):
    answer = json.loads((FOLDER / name).read_text("utf-8"))["response"]
    return _exchange(
        name,
        family=name,
        spelling="values",
        method="POST",
        target="/oauth2/v1/tokens/bearer",
        sent={"Accept": "application/json"},
        body=b"",
        status=answer["status"],
        headers=answer["headers"],
        text=answer["body"],
        at=parsedate_to_datetime(answer["headers"]["date"]),
        setup=_OAUTH_CLIENT[name],
    )


# ---- what an exchange is ---------------------------------------------------------------------------------------------

_ADD_CUSTOMER = "flowlink-quickbooks_integration/App/add_customer/returns_200_and_summary_when_using_unique_email.yml"
_SETUPS = {
    "minimul-qbo_api/2020-oauth2/error/401.yml#0": "expired_token",
    "minimul-qbo_api/2015-2016-oauth1/misc/ampersand.yml#1": "bad_token",
    "minimul-qbo_api/2015-2016-oauth1/misc/ampersand.yml#2": "bad_token",
    "minimul-qbo_api/2015-2016-oauth1/error/400.yml#0": "bad_token",
    "minimul-qbo_api/2020-oauth2/error/validation.yml#0": "taken_name",
    f"{_ADD_CUSTOMER}#1": "taken_name",
    "LedgerSync-ledger_sync-quickbooks_online/token-invalid_client.yml#0": "token:as_recorded",
}


def _exchange(name, **parts):
    target = parts["target"] or ""
    statement = parse_qs(urlsplit(target).query, keep_blank_values=True).get("query", [None])[0]
    if target == "query" and parts["body"]:
        statement = parts["body"].decode()
    return Exchange(name=name, kind=_kind(statement, **parts), statement=statement, **parts)


def _kind(statement, **parts):
    target, text = parts["target"] or "", parts["text"]
    path = unquote(urlsplit(target).path)
    if "oauth2" in path:
        return "token"
    fault = text.lstrip().startswith('{"Fault"') or "<Fault" in text or not text.lstrip().startswith(("{", "<?xml"))
    if fault or parts["status"] not in (None, 200):
        return "fault"
    for word in ("batch", "cdc", "reports", "upload"):
        if path.startswith(word):
            return {"reports": "report", "upload": "attachment"}.get(word, word)
    if path.endswith("/send"):
        return "send"
    if statement is not None:
        return "count" if "count(" in statement.lower() else "query"
    if parts["method"] == "GET":
        return "read"
    for word in ("delete", "void"):
        if f"operation={word}" in target:
            return word
    return "update" if _has_id(parts["body"]) else "create"


def _has_id(body):
    """Return whether a body has an Id of its own; its lines have Ids too."""
    if body.lstrip().startswith(b"<"):
        return ET.fromstring(body).find("{*}Id") is not None  # noqa: S314 -- recorded by people we name
    return "Id" in json.loads(body or b"{}")
