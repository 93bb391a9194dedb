"""From a recorded exchange to a list of differences: the state it started from, the request sent, the answers compared.

A state is derived from the recordings of the same company: of a read what it answered, of a write only what other
exchanges show, never its own response. A write whose response depends on what no other exchange shows is not judged.
"""

from __future__ import annotations

import http.client
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from emulator import recorded
from emulator.conformance_decoys import decoys

from vantage_quickbooks.emulator.company.entities import BY_LOWER_NAME, BY_PATH, ENTITIES
from vantage_quickbooks.emulator.company.loader import _records
from vantage_quickbooks.emulator.company.row import row_of
from vantage_quickbooks.emulator.oauth.authorization_server import ACCOUNTING_SCOPE, OPENID_SCOPE

WRITES = ("create", "update", "delete", "void")


# ---- what the recordings hold ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Version:
    """A record as one response had it."""

    entity: str
    id: str
    record: dict[str, Any]
    raw: str
    told_by: str
    told_at: datetime

    @property
    def updated(self):
        return _moment(self.record.get("MetaData", {}).get("LastUpdatedTime"))

    @property
    def created(self):
        return _moment(self.record.get("MetaData", {}).get("CreateTime"))


def _moment(text):
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")


_CORPUS = {"read": recorded.read_all}


def use(read):
    """Let the suite have the exchanges that a function reads: the recordings, or the facts derived from them."""
    _CORPUS["read"] = read
    for cached in (exchanges, _recorded_versions, _mentions):
        cached.cache_clear()


@cache
def exchanges():
    return _CORPUS["read"]()


@cache
def _recorded_versions():
    """List the records in each exchange."""
    found = defaultdict(list)
    for exchange in exchanges():
        text = _json_of_xml(exchange.text) if exchange.is_xml else exchange.text.strip()
        try:
            value = json.loads(text)
        except ValueError:
            continue
        for entity, record, raw in _records(text, 0, len(text), value, None):
            if record.get("status") != "Deleted" and "Id" in record and exchange.kind != "token":
                version = Version(entity.name, record["Id"], record, raw, exchange.name, exchange.at)
                found[exchange.name].append(version)
    return found


# XML to JSON: what JSON has first (a class's own properties) XML has last, and an array of one is an array.
_MARK = "@number@"
_OWN = {"Customer": ("Taxable",), "Invoice": ("Deposit", "AllowIPNPayment")}
_ARRAYS = {"Line", "LinkedTxn", "CustomField", "TaxLine", "Customer", "Invoice"}
_INTEGERS = {"startPosition", "maxResults", "totalCount"}
_NUMBERS = frozenset(
    {"Amount", "UnitPrice", "Qty", "TotalAmt", "Balance", "BalanceWithJobs", "TotalTax", "Deposit", "LineNum", "Level"}
    | {"NetAmountTaxable", "TaxPercent", "DiscountPercent"}
)


def _without_placeholders(text):
    return re.sub(r"<([A-Z_]{4,})>", r"\1", text)  # a recorder's `<COMPANY_ID>`


def _json_of_xml(text):
    text = _without_placeholders(text)
    root = ET.fromstring(re.sub(r' xmlns="[^"]+"', "", text, count=1))  # noqa: S314 -- recorded by people we name
    body = {child.tag: _value_of_xml(child) for child in root}
    text = json.dumps(body | {"time": root.get("time")}, ensure_ascii=False)
    return text.replace(f'"{_MARK}', "").replace(f'{_MARK}"', "")


def _value_of_xml(element):
    if element.get("name") is not None or (element.tag.endswith("Ref") and not len(element)):
        named = {"name": element.get("name")} if element.get("name") is not None else {}
        return {"value": element.text} | named
    if not len(element) and not element.attrib:
        return _scalar_of_xml(element.tag, element.text)
    members: dict[str, Any] = {}
    for child in element:
        value = _value_of_xml(child)
        if child.tag in _ARRAYS:
            members.setdefault(child.tag, []).append(value)
        else:
            members[child.tag] = value
    attributes = {k: v == "true" if k == "sparse" else v for k, v in element.attrib.items()}
    if "domain" in attributes:
        keys = list(members)
        cut = next((i for i, key in enumerate(keys) if key in _OWN.get(element.tag, ())), len(keys))
        return {k: members[k] for k in keys[cut:]} | attributes | {k: members[k] for k in keys[:cut]}
    return members | {k: int(v) if k in _INTEGERS else v for k, v in attributes.items()}


def _scalar_of_xml(tag, text):
    if text is None:
        return {}
    if text in ("true", "false"):
        return text == "true"
    if tag not in _NUMBERS:
        return text
    return f"{_MARK}{text}{_MARK}"  # a number with its own spelling: the marks go with the quotes


# ---- the state an exchange started from ------------------------------------------------------------------------------


@dataclass
class State:
    """What the company held when a request came, as other exchanges show it.

    Attributes:
        rows: Entity, record and text of each record.
        unknown: What the response to a write depends on and no other exchange shows; then it is not judged.
        either: Where two values stand for each other, because others show one before the request and one after it.
    """

    rows: list[tuple[str, dict[str, Any], str | None]]
    unknown: list[str]
    either: list[tuple[str, set[Any]]]


def state_of(exchange):
    """Derive the records that the company held when the request came."""
    reported = _recorded_versions()
    file = exchange.name.partition("#")[0]
    own = [] if exchange.kind in (*WRITES, "fault", "send", "batch") else reported[exchange.name]
    entity = _asked_entity(exchange)
    chosen: dict[tuple[str, str], Version] = {}
    near, far = [], []
    for other in _others(exchange):
        if other.kind in (*WRITES, "send", "batch") and other.at >= exchange.at:
            continue
        (near if other.name.partition("#")[0] == file else far).extend(reported[other.name])
    # A record that was made during a create is the one that it made.
    latest = exchange.at - timedelta(seconds=_CLOCK_S) if exchange.kind == "create" else exchange.at
    whole = exchange.statement is not None and "where" not in exchange.statement.lower()
    for version in sorted(far, key=lambda v: _nearness(v, exchange)):
        if not (whole and version.entity == entity) and version.created <= latest:
            chosen[version.entity, version.id] = version
    for version in sorted(near, key=lambda v: _nearness(v, exchange)):
        if version.created <= latest or not exchange.is_write:
            chosen[version.entity, version.id] = version
    chosen.update({(v.entity, v.id): v for v in own})
    rows = {key: (v.entity, v.record, v.raw) for key, v in chosen.items()}
    unknown, either = [], []
    if exchange.kind in WRITES and exchange.target:
        _add_settings(exchange, rows, unknown, either)
    if exchange.kind in WRITES and exchange.target and not exchange.is_xml:
        _add_record_before(exchange, rows, unknown)
        if exchange.kind != "delete":  # whose response names nothing
            _add_references(exchange, rows, unknown, either)
    return State(list(rows.values()), unknown, either)


def _others(exchange):
    """Return the exchanges with the same company."""
    return [other for other in exchanges() if other.family == exchange.family and other.name != exchange.name]


def _row(kind, record):
    return kind, record, json.dumps(record, ensure_ascii=False)


def _nearness(version, exchange):
    """Order versions so that the true one comes last: the latest of the past, else the first of the future."""
    past = version.updated <= exchange.at
    return past, version.updated.timestamp() * (1 if past else -1), version.told_at


def _asked_entity(exchange):
    found = re.search(r"\bfrom\s+(\w+)", exchange.statement or "", re.IGNORECASE)
    entity = BY_LOWER_NAME.get(found[1].lower()) if found else None
    return entity.name if entity else None


def _stub(exchange, id_):
    stamp = (exchange.at - timedelta(days=1)).replace(microsecond=0).isoformat()
    times = {"CreateTime": stamp, "LastUpdatedTime": stamp}
    return {"Id": id_, "SyncToken": "0", "MetaData": times, "Active": True}


# ---- a write's: the record before, what it refers to, the company's settings ----


def _add_record_before(exchange, rows, unknown):
    """Add the record that an update changes: with the SyncToken that was sent, or the next one and changed back."""
    if exchange.kind == "create":
        return
    entity = BY_PATH[exchange.target.partition("?")[0]]
    sent = json.loads(exchange.body)
    versions = [
        version
        for other in _others(exchange)
        for version in _recorded_versions()[other.name]
        if (version.entity, version.id) == (entity.name, sent["Id"])
    ]
    tokens = {version.record["SyncToken"]: version for version in versions}
    following = str(int(sent["SyncToken"]) + 1)
    if sent["SyncToken"] in tokens:
        record = tokens[sent["SyncToken"]].record | _addresses(versions)
        rows[entity.name, sent["Id"]] = _row(entity.name, record)
    elif following in tokens:
        record = tokens[following].record
        texts = {k: "before" for k, v in sent.items() if isinstance(v, str) and k not in ("Id", "SyncToken")}
        stamp = (exchange.at - timedelta(days=1)).replace(microsecond=0).isoformat()
        times = record["MetaData"] | {"LastUpdatedTime": stamp}
        rows[entity.name, sent["Id"]] = _row(
            entity.name, record | texts | {"SyncToken": sent["SyncToken"], "MetaData": times}
        )
    else:
        unknown.append(f"{entity.name} {sent['Id']} with SyncToken {sent['SyncToken']}")


def _addresses(versions):
    """Return a customer's addresses as queries have them: in 2026, a read has them without Lat and Long."""
    queried = [version.record for version in versions if _by_name(version.told_by).kind == "query"]
    return {key: queried[-1][key] for key in ("BillAddr", "ShipAddr") if queried and key in queried[-1]}


# Where references lead whose name says it not.
_LEADS_TO = {"ParentRef": None, "SalesTermRef": "Term", "CurrencyRef": None}


def _kind_of(key):
    kind = _LEADS_TO.get(key, key.removesuffix("Ref"))
    kind = "Account" if kind and kind.endswith("Account") else kind
    named = kind in ENTITIES and ENTITIES[kind].is_name_list and kind not in ("TaxCode", "TaxRate")
    return kind if named else None


def _references(value, key=""):
    """Find `{"value": ..., "name": ...}` at any depth, with the keys that they stand under."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item, key)
    elif isinstance(value, dict) and "value" in value and set(value) <= {"value", "name"}:
        yield key, value
    elif isinstance(value, dict):
        for inner, item in value.items():
            yield from _references(item, inner)


@cache
def _mentions(family):
    """Return the names that a company's exchanges show: (entity, Id) to (when, name, exchange)."""
    found = defaultdict(list)
    for exchange in exchanges():
        if exchange.family != family:
            continue
        for version in _recorded_versions()[exchange.name]:
            entity = ENTITIES[version.entity]
            if entity.is_name_list:
                full = version.record.get("FullyQualifiedName") if entity.name in ("Account", "Item") else None
                name = full or version.record.get(entity.name_property)
                found[entity.name, version.id].append((exchange.at, name, exchange.name))
            for key, ref in _references(version.record):
                if _kind_of(key) and "name" in ref:
                    found[_kind_of(key), ref["value"]].append((exchange.at, ref["name"], exchange.name))
    return found


def _names_of(exchange, kind, id_):
    """Return the name that others show latest before a request, and the one that they show first after it."""
    mentions = sorted(m for m in _mentions(exchange.family)[kind, id_] if m[2] != exchange.name)
    before = [name for at, name, _ in mentions if at <= exchange.at]
    after = [name for at, name, _ in mentions if at > exchange.at]
    return (before or [None])[-1], (after or [None])[0]


def _add_references(exchange, rows, unknown, either):
    """Give every record that the request or the record before refers to the name that it had then."""
    name = BY_PATH[exchange.target.partition("?")[0]].name
    sent = json.loads(exchange.body)
    before = rows.get((name, sent.get("Id")), (None, {}, None))[1]
    asked = [*_references(sent), *_references(before)]
    items = [ref["value"] for key, ref in asked if key == "ItemRef"]
    for item in items:
        asked += _references(rows.get(("Item", item), (None, {}, None))[1])
    given = {(_kind_of(key), ref["value"]): ref["name"] for key, ref in _references(sent) if "name" in ref}
    for kind, id_ in dict.fromkeys((_kind_of(key), ref["value"]) for key, ref in asked if _kind_of(key)):
        past, future = _names_of(exchange, kind, id_)
        known = past or future or given.get((kind, id_))
        if known is None or ((kind, id_) not in rows and kind in ("Customer", "Vendor")):
            unknown.append(f"{kind} {id_}")
            continue
        if past and future and past != future:
            either.append((r".*/name", {past, future}))
        record = rows.get((kind, id_), (kind, _stub(exchange, id_), None))[1]
        naming = ENTITIES[kind].name_property
        rows[kind, id_] = _row(kind, record | {naming: known.rpartition(":")[2], "FullyQualifiedName": known})
        if kind == "Account":
            _rename_in_items(rows, {"value": id_, "name": known})


def _rename_in_items(rows, account):
    """QuickBooks looks names up for each response: an item that was not edited had two names for its account."""
    for key, (kind, record, _) in list(rows.items()):
        changes = {k: account for k, v in record.items() if k.endswith("AccountRef") and v["value"] == account["value"]}
        if kind == "Item" and changes:
            rows[key] = _row(kind, record | changes)


def _add_settings(exchange, rows, unknown, either):
    """Add the company's address, tax code and online payment, as other exchanges show them in other records."""
    versions = [
        version
        for other in _others(exchange)
        for version in _recorded_versions()[other.name]
        if version.updated and not isinstance(version.record, list)
    ]
    homes = [version.record["ShipFromAddr"] for version in versions if "ShipFromAddr" in version.record]
    if homes and ("CompanyInfo", "1") not in rows:
        city, state, code = re.fullmatch(r"(.*), (\w\w)  (\d+)", homes[0]["Line2"]).groups()
        address = {"Line1": homes[0]["Line1"], "City": city, "CountrySubDivisionCode": state, "PostalCode": code}
        rows["CompanyInfo", "1"] = _row("CompanyInfo", _stub(exchange, "1") | {"CompanyAddr": address})
    if ("Preferences", "1") in rows:
        return
    codes = [version.record["DefaultTaxCodeRef"] for version in versions if "DefaultTaxCodeRef" in version.record]
    if not codes and exchange.target.partition("?")[0] == "customer":
        unknown.append("the company's tax code")
    # Only invoices that an API created show the setting of their day; they have the company's address.
    online = sorted(
        (version.created, version.record["AllowOnlineACHPayment"])
        for version in versions
        if version.entity == "Invoice" and "ShipFromAddr" in version.record and version.record["SyncToken"] == "0"
    )
    made = exchange.at - timedelta(seconds=_CLOCK_S)
    past = [on for at, on in online if at < made]
    future = [on for at, on in online if at > exchange.at]
    known = (past or future or [False])[-1 if past else 0]
    if past and future and past[-1] != future[0]:
        either.append((r"Invoice/AllowOnline(CreditCard|ACH)Payment", {True, False}))
    preferences = {
        "SalesFormsPrefs": {"ETransactionPaymentEnabled": known},
        "TaxPrefs": {"UsingSalesTax": bool(codes)} | ({"TaxGroupCodeRef": codes[0]} if codes else {}),
    }
    rows["Preferences", "1"] = _row("Preferences", _stub(exchange, "1") | preferences)


# ---- sending ---------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


class Bench:
    """One emulator, with a separate company for each exchange."""

    def __init__(self, emulator):
        self.emulator = emulator
        self._companies = 0

    def answer(self, exchange):
        """Bring the emulator to the state of an exchange, send its request, and read the answer."""
        emulator = self.emulator
        emulator.clear_faults()
        emulator.limit(False)
        emulator.freeze()  # the time of the answer is the recorded one, however long the preparation takes
        emulator.set_now(_recorded_time(exchange))
        since = re.search(r"changedSince=([^&]+)", exchange.target or "")
        if since and exchange.kind == "cdc" and exchange.family.startswith("minimul"):
            # Older than the rule of thirty days, which is of 2024: asked as if they had passed just now.
            emulator.set_now(since[1])
            emulator.advance(20 * 86_400)
        self._companies += 1
        realm = str(4_620_816_365_000_000_000 + self._companies)
        self.state = state_of(exchange)
        self._open(realm, [*self.state.rows, *decoys(exchange, self.state.rows)])
        if exchange.kind == "token":
            return self._token(exchange)
        token = emulator.oauth.token(
            {"grant_type": "refresh_token", "refresh_token": emulator.grant(realm), **self._app()},
            None,
            hard_expiry=False,
        )["access_token"]
        if exchange.setup:
            realm, token = self._prepare(exchange, realm, token)
        self.realm = realm
        target = exchange.target.replace("{realm}", realm)
        path = f"/v3/company/{realm}/{target}"
        return self._send(exchange.method, path, exchange.sent | {"Authorization": f"Bearer {token}"}, exchange.body)

    def _app(self):
        return {"client_id": self.emulator.client_id, "client_secret": self.emulator.client_secret}

    def _open(self, realm, rows):
        store = self.emulator._companies.store
        store.load(realm, ((name, row_of(ENTITIES[name], record, raw)) for name, record, raw in rows))
        self.emulator._companies.adopt(realm)

    def _send(self, method, path, headers, body):
        host, port = self.emulator.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if method == "POST":
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    # ---- what data alone do not do ----

    def _prepare(self, exchange, realm, token):
        name, _, option = exchange.setup.partition(":")
        self._asked = exchange
        return getattr(self, f"_{name}")(realm, token, *filter(None, [option])) or (realm, token)

    def _expired_token(self, *_):
        self.emulator.expire_access_tokens()

    def _bad_token(self, realm, _):
        return realm, "e" * 200

    def _short_token(self, realm, _):
        return realm, "e"

    def _other_company(self, realm, token):
        self._companies += 1
        self._open(str(int(realm) + 10**6), [])
        return str(int(realm) + 10**6), token

    def _throttled(self, realm, token):
        self.emulator.limit({"per_minute": 1})
        self._send("GET", f"/v3/company/{realm}/customer/1", {"Authorization": f"Bearer {token}"}, b"")

    def _order(self, _realm, _token, kind):
        self.emulator.fault(kind, path="/v3/company")

    def _named(self, realm, name, **more):
        record = {"Id": "7000", "SyncToken": "0", "DisplayName": name, "Active": True} | more
        self._open(realm, [("Customer", record, json.dumps(record))])

    def _taken_name(self, realm, _):
        """The name that the request gives is another customer's."""
        name = re.search(r'DisplayName"?\s*[:>]\s*"?([^"<]+)', self._asked.body.decode())[1]
        if not self.emulator._companies.store.ids_by_name(realm, "Customer", name):
            self._named(realm, name)

    def _preferences_edited(self, realm, _):
        record = {"Id": "1", "SyncToken": "7"}
        if self.emulator._companies.store.body(realm, "Preferences", "1") is None:
            self._open(realm, [("Preferences", record, json.dumps(record))])

    def _deleted_invoice(self, realm, _):
        record = {"Id": "979", "SyncToken": "0", "MetaData": {"CreateTime": "2015-04-01T00:00:00-07:00"}}
        deleted = next(
            r
            for group in json.loads(_by_name("hoist-connector-quickbooks-online/cdc.json").text)["CDCResponse"][0][
                "QueryResponse"
            ]
            for r in group.get("Invoice", [])
            if r.get("status") == "Deleted"
        )
        record["Id"] = deleted["Id"]
        record["MetaData"]["LastUpdatedTime"] = record["MetaData"]["CreateTime"]
        self._open(realm, [("Invoice", record, json.dumps(record))])
        moment = datetime.fromisoformat(deleted["MetaData"]["LastUpdatedTime"]).timestamp()
        self.emulator._companies.store.remove(realm, "Invoice", deleted["Id"], int(moment))

    # ---- the token endpoint ----

    def _token(self, exchange):
        option = exchange.setup.partition(":")[2]
        form = self._app() | {"grant_type": "refresh_token"}
        oauth = self.emulator.oauth
        if option == "as_recorded":
            return self._post_form(exchange.body.decode())
        if option in ("code", "bad_code"):
            redirect = "http://localhost:3000/callback"
            code = (
                oauth.issue_code(self.emulator.realm_id, redirect, (ACCOUNTING_SCOPE, OPENID_SCOPE))
                if option == "code"
                else "nonsense"
            )
            form |= {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        else:
            first = self.emulator.grant(self.emulator.realm_id)
            if option == "unknown":
                form["refresh_token"] = "AB11" + "x" * 46
            elif option == "access_token":
                form["refresh_token"] = oauth.token(form | {"refresh_token": first}, None, hard_expiry=False)[
                    "access_token"
                ]
            elif option == "rotated_away":
                self.emulator.advance(25 * 3600)
                oauth.token(form | {"refresh_token": first}, None, hard_expiry=False)
                form["refresh_token"] = first
            else:  # a token of another app
                form["refresh_token"] = first.replace("RT1-", "RT1-9", 1)
        return self._post_form(urlencode(form))

    def _post_form(self, body):
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        return self._send("POST", "/oauth2/v1/tokens/bearer", headers, body.encode())


def _recorded_time(exchange):
    """Return the time that a response has, in one of four places."""
    found = re.search(r'"time": ?"([^"]+)"\s*}\s*$|<IntuitResponse[^>]* time="([^"]+)"|"time":(\d{13})', exchange.text)
    if found and found[3]:
        return datetime.fromtimestamp(int(found[3]) / 1000, UTC).isoformat()
    return (found[1] or found[2]) if found else exchange.at.isoformat()


def _by_name(name):
    return next(exchange for exchange in exchanges() if exchange.name == name)


# ---- comparing -------------------------------------------------------------------------------------------------------

# Wording that names what is the company's own: compared but for that.
MASKS = [
    (re.compile(r"Token (expired|revoked): [^\"<]+"), r"Token \1: ..."),
    (re.compile(r"https?://[^/\s]+/qbo\d+"), "https://host/qbo"),
    (re.compile(r"/v3/company/[^/]+"), "/v3/company/realm"),
    (re.compile(r"\(\d+ known properties: [^\]]*(\[truncated\])?\]\)"), "(N known properties: ...)"),
    (re.compile(r"You and .+? were working on this at the same time\. .+? finished"), "You and NAME ... NAME finished"),
]
_TIMES = ("time", "CreateTime", "LastUpdatedTime", "DeliveryTime")
_CLOCK_S = 6  # a write's stamp follows the answer's time by up to two seconds (wire.md, quirk 13), our run by some


class _Number(str):
    """A number in its own spelling."""

    __slots__ = ()


def differences(exchange, answer, either=()):
    """List what differs: `status`, `header + name`, `body ~ path` and the like; + is ours alone, - theirs alone.

    Args:
        exchange: What Intuit answered.
        answer: What the emulator answered.
        either: See `State`.
    """
    found = []
    if exchange.status is not None and exchange.status != answer.status:
        found.append(f"status {exchange.status} {answer.status}")
    found += _of_headers(exchange, answer)
    if exchange.is_xml:
        found += _of_xml(exchange, answer, either)
    elif exchange.text.lstrip().startswith("{"):
        found += _of_json(exchange, answer, either)
    elif _masked(exchange.text) != _masked(answer.text):
        found.append("text")
    return sorted(set(found))


_TRACE_ID = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# Headers whose values differ from response to response: both must have this form. All others must be equal.
HEADER_FORMS = {
    "content-length": r"\d+",
    "date": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "intuit_tid": _TRACE_ID,
    "qbo-version": r"\d+\.\d+",
    "service-time": r"total=\d+, db=\d+",
    "x-amzn-trace-id": f"Root={_TRACE_ID}",
    "x-envoy-upstream-service-time": r"\d+",
    "x-request-id": _TRACE_ID,
    "x-spanid": _UUID,
}
# Of the recorder's, not of Intuit's: the library that kept the connection, and the compression that it took off.
_OF_THE_CONNECTION = {"connection", "content-encoding", "keep-alive", "transfer-encoding", "vary"}


def _of_headers(exchange, answer):
    if exchange.headers is None:
        return []
    ours = {name.lower(): value for name, value in answer.headers.items()}
    found = _of_header_values(exchange.headers, ours)
    if exchange.at.year >= 2020 or exchange.kind == "token":
        found += [f"header - {name}" for name in exchange.headers.keys() - ours.keys()]
        found += [f"header + {name}" for name in ours.keys() - exchange.headers.keys()]
        odd = [name for name in answer.headers if name != name.lower() and name.lower() != "etag"]
        found += [f"header ~ {name}, spelling" for name in odd]
    return found


def _of_header_values(theirs, ours):
    """Compare the values of the headers that both have."""
    found = []
    reported, answered = theirs.get("content-type", ""), ours.get("content-type", "")
    if reported != answered:
        alike = reported.lower() == answered.lower()
        found.append("header ~ content-type, case of the charset" if alike else "header ~ content-type")
    for name in (theirs.keys() & ours.keys()) - {"content-type"} - _OF_THE_CONNECTION:
        form = HEADER_FORMS.get(name)
        if not (
            re.fullmatch(form, ours[name]) and re.fullmatch(form, theirs[name]) if form else theirs[name] == ours[name]
        ):
            found.append(f"header = {name}")
    return found


_KNOWN_PROPERTIES = re.compile(r"\(\d+ known properties: (.*?)( \[truncated\])?\]\)")


def _same_known_properties(theirs, ours):
    """Return whether two lists of fault 2010 have the names that both can have in the same order.

    Intuit's classes grow (67 names in 2015, 83 in 2020), and the list is cut after a thousand characters.
    """
    lists = [re.findall(r"\w+", match[1]) for match in map(_KNOWN_PROPERTIES.search, (theirs, ours)) if match]
    if len(lists) != 2:
        return not lists
    common = [name for name in lists[1] if name in lists[0]]
    return common == lists[0][: len(common)] and len(common) > len(lists[0]) // 2


def _masked(text):
    for pattern, words in MASKS:
        text = pattern.sub(words, text)
    return re.sub(r"\s+", " ", text).strip()


def _of_xml(exchange, answer, either):
    """Verbatim XML must be the same text but for the time; edited XML the same elements."""
    if exchange.spelling == "verbatim" and exchange.kind not in WRITES:
        hide = re.compile(r' time="[^"]+"')
        return ["text"] if hide.sub("", exchange.text).strip() != hide.sub("", answer.text).strip() else []
    try:
        if exchange.kind == "fault":
            recorded_root = ET.fromstring(_without_placeholders(exchange.text))  # noqa: S314 -- recorded by people we name
            return _compare_elements(recorded_root, ET.fromstring(answer.text), "")  # noqa: S314 -- our own server's
        ours = json.loads(_json_of_xml(answer.text))
    except ET.ParseError:
        return ["text, no XML"]
    return _compare("", json.loads(_json_of_xml(exchange.text)), ours, _Allowed(exchange, either))


def _compare_elements(theirs, ours, path):
    """Compare two elements: name with namespace, attributes and their order, text, and every child in order."""
    path = f"{path}/{theirs.tag.rpartition('}')[2]}".lstrip("/")
    if theirs.tag != ours.tag:
        return [f"xml ~ {path}, name"]
    found = [f"xml ~ {path}, attributes"] if list(theirs.attrib) != list(ours.attrib) else []
    for name in theirs.attrib.keys() & ours.attrib.keys():
        alike = name == "time" and _alike_times(theirs.get(name), ours.get(name))
        found += [] if alike or theirs.get(name) == ours.get(name) else [f"xml ~ {path}@{name}"]
    found += [] if _masked(theirs.text or "") == _masked(ours.text or "") else [f"xml ~ {path}"]
    found += [f"xml # {path}"] if len(theirs) != len(ours) else []
    for one, other in zip(theirs, ours, strict=False):
        found += _compare_elements(one, other, path)
    return found


def _of_json(exchange, answer, either):
    exact = exchange.spelling == "verbatim"
    number = _Number if exact else float
    try:
        ours = json.loads(answer.text, parse_float=number, parse_int=number)
    except ValueError:
        return ["text, no JSON"]
    theirs = json.loads(exchange.text, parse_float=number, parse_int=number)
    found = _compare("", theirs, ours, _Allowed(exchange, either))
    if (
        exact
        and set(found) <= {"body ~ time"}
        and exchange.kind not in WRITES
        and _without_time(exchange.text) != _without_time(answer.text)
    ):
        return ["text, byte for byte"]
    return found


# Values that Intuit assigns in a write, which follow from nothing that a client can see: both must have this form.
_ASSIGNED = (
    (r"\w+/MetaData/LastModifiedByRef/value", r"\d+"),
    (r"\w+/ShipFromAddr/Id", r"\d+"),
    (r"(Customer|Vendor)/(BillAddr|ShipAddr)/Id", r"\d+"),
    (r"(Customer|Vendor)/V4IDPseudonym", r"[0-9a-f]{38}"),
)
_ASSIGNED_BY_CREATE = ((r"(BatchItemResponse/)?\w+/Id", r"\d+"), (r"\w+/DocNumber", r"\d+"))


class _Allowed:
    """The values of a write that may differ: those that Intuit assigns, and names that others do not show exactly."""

    def __init__(self, exchange, either):
        self._either = either
        self._forms = _ASSIGNED if exchange.is_write else ()
        if exchange.kind in ("create", "batch"):
            sent = b"" if b'"DocNumber"' not in exchange.body else b"DocNumber"
            self._forms += tuple(form for form in _ASSIGNED_BY_CREATE if not (sent and "DocNumber" in form[0]))

    def __call__(self, path, theirs, ours):
        if any(re.fullmatch(where, path) and {theirs, ours} <= values for where, values in self._either):
            return True
        return any(
            re.fullmatch(where, path) and re.fullmatch(form, str(theirs)) and re.fullmatch(form, str(ours))
            for where, form in self._forms
        )


def _without_time(text):
    return _masked(re.sub(r'"time":("[^"]+"|\d+)', "", text))


def _compare(path, theirs, ours, allowed):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = [f"body - {path}{key}" for key in theirs if key not in ours]
        found += [f"body + {path}{key}" for key in ours if key not in theirs]
        both = [key for key in theirs if key in ours]
        if both != [key for key in ours if key in theirs]:
            found.append(f"body > {path or '.'}")
        for key in both:
            found += _compare(f"{path}{key}/", theirs[key], ours[key], allowed)
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        found = [f"body # {path[:-1]}"] if len(theirs) != len(ours) else []
        for one, other in zip(theirs, ours, strict=False):
            found += _compare(path, one, other, allowed)
        return found
    if type(theirs) is not type(ours):
        return [f"body ~ {path[:-1]}, type"]
    key = path[:-1].rpartition("/")[2]
    if theirs != ours and not (key in _TIMES and _alike_times(theirs, ours)) and not allowed(path[:-1], theirs, ours):
        if isinstance(theirs, str) and key != "time" and _masked(theirs) == _masked(ours):
            return [] if _same_known_properties(theirs, ours) else [f"body ~ {path[:-1]}"]
        return [f"body ~ {path[:-1]}"]
    return []


def _alike_times(theirs, ours):
    if isinstance(theirs, float | _Number):  # the gateway's epoch
        return abs(float(theirs) - float(ours)) < _CLOCK_S * 1000
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?[+-]\d\d:\d\d")
    if not (form.fullmatch(theirs) and form.fullmatch(ours)) or theirs[-6:] != ours[-6:]:
        return False
    return abs(datetime.fromisoformat(theirs) - datetime.fromisoformat(ours)) < timedelta(seconds=_CLOCK_S)
