"""The data API over HTTP: authentication, limits, paths and envelopes."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import views
from vantage_quickbooks.emulator.company.entities import BY_PATH, Entity
from vantage_quickbooks.emulator.company.shapes import template_of
from vantage_quickbooks.emulator.company.tax_service import create_tax_code
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.http import batch, cdc, pdf, response
from vantage_quickbooks.emulator.http.attachments import Attachments, check_links
from vantage_quickbooks.emulator.http.intuit_xml import from_xml, to_xml
from vantage_quickbooks.emulator.http.request import Request, statement_of
from vantage_quickbooks.emulator.json_text import compact, decode
from vantage_quickbooks.emulator.oauth.authorization_server import ACCOUNTING_SCOPE, AuthorizationServer
from vantage_quickbooks.emulator.query.execute import execute
from vantage_quickbooks.emulator.reports import run as reports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vantage_quickbooks.emulator.company.change import Record
    from vantage_quickbooks.emulator.company.company import Company
    from vantage_quickbooks.emulator.http.limits import Limits
    from vantage_quickbooks.emulator.http.response import Response
    from vantage_quickbooks.emulator.profile import Profile

PREFIX = "/v3/company/"
SENDABLE = frozenset({"CreditMemo", "Estimate", "Invoice", "Payment", "PurchaseOrder", "RefundReceipt", "SalesReceipt"})
"""The entities that can be sent by mail. Source: each entity's page."""


class DataApi:
    """The data API of every company.

    Attributes:
        attachments: The companies' files.

    Args:
        oauth: Checks access tokens.
        limits: Throttles.
        find_company: Returns a company by its realm id, or None.
        first_company: Returns the company whose time zone applies to a refusal without a company.
        profile: Returns what depends on the chosen date.
    """

    def __init__(
        self,
        oauth: AuthorizationServer,
        limits: Limits,
        find_company: Callable[[str], Company | None],
        first_company: Callable[[], Company],
        profile: Callable[[], Profile],
    ) -> None:
        self._profile = profile
        self.attachments = Attachments(find_company)
        self._oauth = oauth
        self._limits = limits
        self._find_company = find_company
        self._first_company = first_company

    def handle(self, request: Request) -> Response:
        """Answer a request to a path under `/v3/company/`; a fault becomes a response too."""
        realm, _, rest = request.path.removeprefix(PREFIX).partition("/")
        company = None
        try:
            company = self._authenticate(request, realm)
            with self._rate_limited(realm, batch=rest == "batch"):
                request.pause()  # inside: a slow request counts as concurrent
                return self._route(request, company, rest)
        except Fault as fault:
            return self.refuse(request, fault, company)

    def refuse(
        self, request: Request, fault: Fault, company: Company | None = None, *, as_xml: bool | None = None
    ) -> Response:
        """Turn a fault into a response.

        Args:
            request: The refused request.
            fault: The reason.
            company: Its time zone applies; None is the first company's.
            as_xml: The format; None chooses as QuickBooks does.

        Returns:
            JSON or XML, as the service or the gateway writes it.
        """
        time_text = self._time_text(request.now, company)
        more = []
        if fault.status == 401:
            more.append(("www-authenticate", 'Bearer realm="Intuit", error="invalid_token"'))
        service = not (fault.gateway and fault.status == 401)
        # Throttling and timeouts are XML even for clients that asked for JSON (every quote found, 2016 to 2025).
        if as_xml is None:
            as_xml = not request.wants_json() or (fault.gateway and fault.status in (429, 504))
        if as_xml:
            kind = "text/xml" if fault.gateway else "application/xml"  # recorded, 2015 and 2019
            body = fault.xml(time_text)
        else:
            kind = "application/json"
            body = fault.json(time_text, int(request.now * 1000))
        if fault.status == 200:  # with all the headers of a success (recorded, 2016)
            return response.success(request.trace, f"{kind};charset=UTF-8", body.encode())
        return response.refusal(request.trace, fault.status, kind, body.encode(), *more, service=service)

    def _time_text(self, now: float, company: Company | None) -> str:
        """Format `time`: local, with milliseconds unless they are zero (recorded, 2026)."""
        moment = datetime.fromtimestamp(int(now * 1000) / 1000, (company or self._first_company()).zone)
        return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")

    def _authenticate(self, request: Request, realm: str) -> Company:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        chain = self._oauth.check(token.strip() if scheme.lower() == "bearer" else "")
        if ACCOUNTING_SCOPE not in chain.scopes:
            raise errors.insufficient_scope()
        company = self._find_company(realm) if chain.realm == realm else None
        if company is None:
            raise errors.authorization_failed()
        return company

    @contextlib.contextmanager
    def _rate_limited(self, realm: str, *, batch: bool) -> Iterator[None]:
        if not self._limits.acquire(realm, batch=batch):
            raise errors.throttled()
        try:
            yield
        finally:
            self._limits.release(realm)

    def _route(self, request: Request, company: Company, rest: str) -> Response:
        head, _, tail = unquote(rest).partition("/")
        if head == "query" and not tail and request.method in ("GET", "POST"):
            return self._query(request, company)
        if head == "cdc" and not tail and request.method == "GET":
            return self._wrap(request, company, b"CDCResponse", cdc.changes(company, request.parameters(), request.now))
        if head == "batch" and not tail and request.method == "POST":
            return self._batch(request, company)
        if head == "reports" and tail and request.method == "GET":
            return self._report(request, company, tail)
        found = self._route_service(request, company, head, tail)
        if found is not None:
            return found
        entity = BY_PATH.get(head)
        if entity is None or "/" in tail:
            raise errors.no_such_path(request.path)
        if request.method == "GET":
            text = _read(request, company, entity, tail)
            text = views.respond(entity, text, "read", company, _link_base(request, "read"))
            return self._wrap(request, company, entity.name.encode(), text.encode())
        if request.method == "POST" and not tail:
            request_id = request.parameters().get("requestid", "")
            body = company.idempotency.run(request_id, lambda: self._write(request, company, entity))
            return self._respond(request, body)
        raise errors.no_such_path(request.path)

    def _route_service(self, request: Request, company: Company, head: str, tail: str) -> Response | None:
        """Answer a request for something else than an entity's record; return None for any other path."""
        request_id = request.parameters().get("requestid", "")
        method, entity = request.method, BY_PATH.get(head)
        id_, _, what = tail.partition("/")
        if (method, head, tail) == ("POST", "upload", ""):
            body = company.idempotency.run(request_id, lambda: self._upload(request, company))
            return self._respond(request, body)
        if (method, head, what) == ("GET", "download", "") and id_:
            text = self.attachments.download(request, company, id_)
            return response.success(request.trace, "text/plain;charset=UTF-8", text)
        if (method, head, tail) == ("POST", "taxservice", "taxcode"):
            with _body_errors_as_faults():
                sent = _json_of(request)
                run = company.idempotency.run
                body = run(request_id, lambda: create_tax_code(company, sent, request.now).encode())
            return self._respond(request, body)
        if entity is not None and entity.name in pdf.FORMS and method == "GET" and what == "pdf":
            record = decode(company.read(entity, id_))
            content = pdf.render(entity.name, record, company.find("CompanyInfo", "1") or {})
            return response.success(request.trace, "application/pdf", content)
        if entity is not None and entity.name in SENDABLE and method == "POST" and what == "send":
            to = request.parameters().get("sendTo")
            body = company.idempotency.run(request_id, lambda: self._send(request, company, entity, id_, to))
            return self._respond(request, body)
        return None

    def _upload(self, request: Request, company: Company) -> bytes:
        with _body_errors_as_faults():
            items = self.attachments.upload(request, company)
        return self._envelope(request, company, b"AttachableResponse", items)

    def _send(self, request: Request, company: Company, entity: Entity, id_: str, to: str | None) -> bytes:
        text = views.respond_to_send(company.send(entity, id_, to))
        return self._envelope(request, company, entity.name.encode(), text.encode())

    def _query(self, request: Request, company: Company) -> Response:
        statement = statement_of(request)
        if statement is None:  # https://github.com/intuit/QuickBooks-V3-PHP-SDK/issues/8
            raise errors.parse_error("The query provided was empty")
        sortable = not self._profile().includes("id_not_sortable")
        page = execute(company, statement, request.now, id_is_sortable=sortable)
        return self._wrap(request, company, b"QueryResponse", page.json())

    def _report(self, request: Request, company: Company, name: str) -> Response:
        profile = self._profile()
        found = reports.run(
            company,
            name,
            request.parameters(),
            request.now,
            modern=profile.includes("modern_reports"),
            typed=profile.includes("minor_version_75"),
        )
        if request.wants_json():
            return self._respond(request, compact(found).encode())
        return self._respond(request, compact({"Report": found, "time": found["Header"]["Time"]}).encode())

    def _batch(self, request: Request, company: Company) -> Response:
        with _body_errors_as_faults():
            sent = _json_of(request)
        request_id = request.parameters().get("requestid", "")

        def write(entity: Entity, record: Record, operation: str, b_id: str) -> bytes:
            together = request_id and request_id + b_id
            return company.idempotency.run(
                together, lambda: _execute(company, entity, record, operation, _link_base(request, operation)).encode()
            )

        return self._wrap(request, company, b"BatchItemResponse", batch.run(company, sent, write, request.now))

    def _write(self, request: Request, company: Company, entity: Entity) -> bytes:
        """Create, update, delete or void: a parameter decides, otherwise the Id (Intuit, each entity's page)."""
        with _body_errors_as_faults():
            sent = _record_of(request)
            parameters = request.parameters()
            known = _has_id(sent) or "C" not in entity.operations
            operation = parameters.get("operation", "update" if known else "create")
            if parameters.get("include") == "void":
                operation = "void"
            written = _execute(company, entity, sent, operation, _link_base(request, operation))
        return self._envelope(request, company, entity.name.encode(), written.encode())

    def _envelope(self, request: Request, company: Company, key: bytes, value: bytes) -> bytes:
        return b'{"%s":%s,"time":"%s"}' % (key, value, self._time_text(request.now, company).encode())

    def _wrap(self, request: Request, company: Company, key: bytes, value: bytes) -> Response:
        """Respond with a value in its envelope."""
        return self._respond(request, self._envelope(request, company, key, value))

    def _respond(self, request: Request, body: bytes) -> Response:
        body = self.attachments.with_links(request, body)
        body = self._profile().rewrite(body, request.parameters().get("minorversion", ""))
        if request.wants_json():
            return response.success(request.trace, "application/json;charset=UTF-8", body)
        # Parsed as text, numbers keep their digits.
        data = json.loads(body, parse_float=str, parse_int=str)
        return response.success(request.trace, "application/xml;charset=UTF-8", to_xml(data).encode())


def _has_id(sent: Record) -> bool:
    """Return whether a body is an update: it has an Id, a recurring transaction inside its template."""
    return sent.get("Id") is not None or template_of(sent.get("RecurringTransaction", sent))[1].get("Id") is not None


def _read(request: Request, company: Company, entity: Entity, tail: str) -> str:
    """Return the text of the record that the rest of the path names."""
    if entity.name == "ExchangeRate" and not tail:
        return _exchange_rate(company, request.parameters())
    if not tail and entity.name != "Preferences":  # a company has one record of them
        raise errors.no_such_path(request.path)
    if "R" not in entity.operations:
        raise errors.unsupported_operation("read")
    # The Id inside CompanyInfo is "1" in every realm (recorded, August 2026).
    is_company = entity.name == "CompanyInfo" and tail == company.realm
    return company.read(entity, "1" if is_company or not tail else tail)


def _exchange_rate(company: Company, parameters: Mapping[str, str]) -> str:
    """Return the text of an exchange rate, which has no Id.

    Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/exchangerate.

    Args:
        company: The company.
        parameters: `sourcecurrencycode`, and `asofdate` unless it is today's rate.

    Raises:
        Fault: 2020 without a currency, 610 if there is no rate of that day.
    """
    code = parameters.get("sourcecurrencycode")
    if not code:
        raise errors.required_missing("sourcecurrencycode")
    rate = company.store.body(company.realm, "ExchangeRate", code)
    if rate is None or parameters.get("asofdate") not in (None, decode(rate)["AsOfDate"]):
        raise errors.not_found()
    return rate


def _record_of(request: Request) -> Record:
    """Parse a body, JSON or XML."""
    is_xml = "xml" in request.headers.get("content-type", "")
    sent = from_xml(request.body.decode())[1] if is_xml else _json_of(request)
    if not isinstance(sent, dict):
        raise TypeError("the body is not a JSON object")
    return sent


def _json_of(request: Request) -> Any:
    """Parse a JSON body; raise UnicodeEncodeError, a ValueError, for an unpaired surrogate escape."""
    text = request.body.decode()
    sent = decode(text)
    if "\\u" in text:
        json.dumps(sent, ensure_ascii=False, default=str).encode()
    return sent


@contextlib.contextmanager
def _body_errors_as_faults() -> Iterator[None]:
    """Refuse a body whose properties have the wrong types; code 2010 is Intuit's, the words are ours."""
    try:
        yield
    except (TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise errors.unreadable_body(str(error)) from error


def _link_base(request: Request, operation: str) -> str | None:
    """Return the beginning of InvoiceLink if a response is to have one: to a read only if the client asks for it.

    It names this server, so that no one is led to a real page, and has the scheme of Intuit's; it leads nowhere.

    Sources: recorded, 2026 (an update); Intuit's page of Invoice (`include=invoiceLink`, from minor version 36 on; the
    lower ones are ignored since August 2025).
    """
    if operation == "read" and "invoiceLink" not in request.parameters().get("include", "").split(","):
        return None
    return f"https://{request.headers.get('host', 'localhost')}"


def _execute(company: Company, entity: Entity, record: Record, operation: str, link_base: str | None) -> str:
    """Execute one write, and return the record's text for its response."""
    operations = {
        "create": company.create,
        "update": company.update,
        "delete": company.delete,
        "void": company.void,
    }
    if entity.name == "Attachable" and operation in ("create", "update"):
        check_links(company, record)
    if operation not in operations:
        raise errors.unsupported_operation(operation)
    written = operations[operation](entity, record)
    if operation == "delete":
        return written
    return views.respond(entity, written, "create" if operation == "create" else "update", company, link_base)
