"""Any bytes on a socket get a response: no 500 except an injected one, no hang, no crash."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import json
import socket
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.control.endpoints import PREFIX, ROUTES
from vantage_quickbooks.emulator.faults.injector import KINDS
from vantage_quickbooks.emulator.http.data_api import SENDABLE
from vantage_quickbooks.emulator.http.oauth_endpoints import AUTHORIZE_PATH, DISCOVERY_PATHS, REVOKE_PATH, TOKEN_PATH
from vantage_quickbooks.emulator.scenario import _STEPS

PATIENCE_S = 60  # far more than any answer takes
FUZZED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.large_base_example],
)


@pytest.fixture
def wire(client):
    """Send bytes, and read until the emulator ends the connection."""
    port = int(client.emulator.url.rpartition(":")[2])

    def send(data):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            received = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(1 << 16):
                    received += part
            except TimeoutError:
                raise
            except OSError:
                pass  # it need not read what it has refused
        assert client.emulator.crashes == []
        return received

    return send


def status_of(received):
    return int(received.split(b" ", 2)[1])


NASTY = st.sampled_from(
    [
        "",
        "%",
        "%00",
        "%ff",
        "..",
        "//",
        "\\",
        "\x7f",
        "é",
        "0",
        "-1",
        "1e999",
        "9" * 5000,
        "null",
        "[",
        "{",
        "'",
        "%27",
        "\t",
    ]
)
WORD = NASTY | st.text(st.characters(codec="latin-1", exclude_characters=" \r\n"), max_size=12)
METHOD = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE", "get", "*"])
HEADER = st.sampled_from(
    [
        "Accept",
        "Accept-Encoding",
        "Authorization",
        "Content-Type",
        "Content-Length",
        "Host",
        "Origin",
        "Cookie",
        "X",
        "Expect",
        "Transfer-Encoding",
        "Connection",
        "X-Include-Refresh-Token-Hard-Expires-In",
        "Range",
        "If-None-Match",
    ]
)
HEADER_VALUE = WORD | st.sampled_from(
    [
        "application/json",
        "application/xml",
        "*/*",
        "gzip",
        "Bearer",
        "Basic",
        "Basic !!!",
        "Basic Og==",
        "chunked",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "identity;q=0",
        "100-continue",
        "close",
    ]
)
ENTITY_PATHS = sorted({entity.lower() for entity in ENTITIES})
HEAD = (
    st.sampled_from(["query", "companyinfo", "batch", "cdc", "preferences", "reports", "upload", *ENTITY_PATHS])
    | WORD
    | st.sampled_from([f"{entity.lower()}/1/{what}" for entity in sorted(SENDABLE) for what in ("pdf", "send")])
    | st.sampled_from(["download/1", "download/x", "taxservice/taxcode", "../_files/1/2"])
)
STATEMENT = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "select * from Invoice where TxnDate > '2026-02-30'",
            "select * from Customer where MetaData.LastUpdatedTime > '9999-12-31T23:59:59-12:00'",
            "select * from Customer where MetaData.LastUpdatedTime > '0001-01-01T00:00:00+14:00'",
            "select * from Customer where Balance > '1e999'",
            "select * from Invoice where TotalAmt in (" + ",".join(["'1'"] * 2000) + ")",
            "select * from Customer where DisplayName like '" + "%" * 500 + "'",
            "select * from Customer where " + "(" * 3000 + "Id = '1'" + ")" * 3000,
            "select " + "Id," * 3000 + "Id from Customer",
            "select * from Customer startposition 9223372036854775808 maxresults 1",
            "select * from Customer startposition 1 maxresults 99999999999999999999",
            "select count(*), * from Customer",
            "select * from Customer where DisplayName = '\x00'",
            "select * from Customer where DisplayName = '\ud83d'",
            "select Line.Amount, MetaData from Invoice",
            "select * from Customer orderby Id desc, Id asc, Balance",
        ]
    ),
)
PARAMETERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["query", "minorversion", "requestid", "operation", "include", "entities", "changedSince", "x"]
        ),
        STATEMENT | WORD | st.sampled_from(["delete", "void", "update", "2026-01-01", "Invoice,Customer", "all"]),
    ),
    max_size=3,
).map(lambda pairs: urlencode(pairs, errors="replace"))
JSONISH = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["1", "0", "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Id",
                    "SyncToken",
                    "sparse",
                    "DisplayName",
                    "Active",
                    "CustomerRef",
                    "value",
                    "Line",
                    "Amount",
                    "DetailType",
                    "TxnDate",
                    "MetaData",
                    "LinkedTxn",
                    "TxnId",
                    "TotalAmt",
                    "CurrencyRef",
                    "ExchangeRate",
                    "ParentRef",
                    "Name",
                    "BatchItemRequest",
                    "bId",
                    "operation",
                    "Query",
                    "Customer",
                    "Invoice",
                    "Qty",
                    "UnitPrice",
                    "Balance",
                    "SalesItemLineDetail",
                    "PrimaryEmailAddr",
                    "status",
                    "domain",
                    "DueDate",
                    "SalesTermRef",
                    "optionsData",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)
BODIES = [
    b"[" * 100_000,
    b'{"Line":' * 50_000,
    b'{"BatchItemRequest":' + b"[" * 50_000,
    b'{"BatchItemRequest":[{"bId":"1","operation":"create","Item":{"Name":"x","Line":'
    + b"[" * 400
    + b"]" * 400
    + b"}}]}",
    *(b'{"Name":"x","DisplayName":"x","CustomField":' + b"[" * n + b"]" * n + b"}" for n in (100, 200, 300, 400, 900)),
    b"9" * 6000,
    b'{"Balance":' + b"9" * 6000 + b"}",
    b'{"DisplayName":"\\ud800","Id":"\\u0000"}',
    b'{"CustomerRef":{"value":"1"},"Line":[{"Amount":1e999999,"DetailType":"SalesItemLineDetail"}]}',
    b'{"CustomerRef":{"value":"1"},"Line":[{"Amount":"NaN","DetailType":"SalesItemLineDetail"}]}',
    b'{"DisplayName":"x","MetaData":{"CreateTime":"never"},"Active":"perhaps"}',
    b'{"Id":"1","SyncToken":"0","sparse":true,"DisplayName":null}',
    b'{"Id":"99999999999999999999999","SyncToken":"0"}',
    b"\xef\xbb\xbf{}",
    b"null",
    b"1e400",
    b"",
    b"\xff",
]
BODY = st.one_of(
    st.binary(max_size=40),
    JSONISH.map(lambda value: json.dumps(value).encode()),
    STATEMENT.map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(BODIES),
)


@FUZZED
@given(data=st.data())
def test_any_request_is_answered(client, wire, data):
    realm = data.draw(st.just(client.realm) | WORD, "realm")
    token = data.draw(st.just(client.session.headers["Authorization"]) | HEADER_VALUE, "token")
    path = data.draw(
        st.one_of(
            st.builds("/v3/company/{}/{}".format, st.just(realm), HEAD),
            st.builds("/v3/company/{}/{}/{}".format, st.just(realm), HEAD, WORD),
            WORD,
            WORD.map("/".__add__),
        ),
        "path",
    )
    path = "".join(char if 32 < ord(char) < 127 else quote(char, errors="replace") for char in path) or "/"
    if path.startswith(PREFIX):
        return
    body = data.draw(BODY, "body")
    lines = [f"{data.draw(METHOD, 'method')} {path}?{data.draw(PARAMETERS, 'parameters')} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"Authorization: {token}", f"Content-Length: {len(body)}", "Connection: close"]
    if data.draw(st.booleans(), "json"):
        lines.append("Accept: application/json")
    lines += [f"{n}: {v}" for n, v in data.draw(st.lists(st.tuples(HEADER, HEADER_VALUE), max_size=3), "headers")]
    received = wire("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)
    if received:  # none comes to a line that HTTP itself forbids
        assert status_of(received) < 500, received[:300]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:24].decode("latin-1"))
def test_every_entity_answers_what_it_cannot_mean(client, body):
    for path in [*ENTITY_PATHS, "batch", "query", "cdc", "customer?operation=delete", "invoice?operation=void"]:
        answer = client.post(path, data=body)
        assert answer.status_code < 500, (path, answer.text[:300])
    for path in ("upload", "taxservice/taxcode", "invoice/101/send", "invoice/101/send?sendTo=%00", "estimate/x/send"):
        assert client.post(path, data=body).status_code < 500, path
        boundary = body.split(b"\r\n")[0][2:90].decode("latin-1") or "x"
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}".encode("latin-1")}
        assert client.post(path, data=b"--" + body, headers=kind).status_code < 500, path
    for path in sorted({path for method, path in ROUTES if method == "POST"}):
        assert client.control("POST", path, data=body).status_code < 500, path
    for method, path in ROUTES:
        if method in ("PUT", "PATCH", "DELETE"):
            assert client.control(method, path, data=body).status_code < 500, path


@FUZZED
@given(st.binary(max_size=80) | st.builds(bytes.__add__, st.just(b"GET / HTTP/"), st.binary(max_size=30)))
@example(b"POST /v3/company/1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nselect")
@example(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
@example(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n")
@example(b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
@example(b"GET /\r\n\r\n")
def test_any_bytes_end_the_connection_at_most(client, wire, data):
    received = wire(data)
    if received.startswith(b"HTTP/"):
        assert status_of(received) < 500 or status_of(received) == 505  # a version of HTTP that is none
    assert client.get("customer/1").status_code == 200


@FUZZED
@given(
    st.sampled_from([TOKEN_PATH, REVOKE_PATH, AUTHORIZE_PATH, *DISCOVERY_PATHS]),
    METHOD,
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "grant_type",
                    "refresh_token",
                    "code",
                    "redirect_uri",
                    "client_id",
                    "client_secret",
                    "state",
                    "scope",
                    "token",
                    "response_type",
                    "decision",
                    "realm",
                ]
            ),
            WORD
            | st.text(max_size=20)
            | st.sampled_from(
                [
                    "refresh_token",
                    "authorization_code",
                    "code",
                    "com.intuit.quickbooks.accounting",
                    "http://[",
                    "http://x/\r\nA: b",
                    "http://ü.example/é?a=b",
                    "approve",
                    "deny",
                    "http://x:99999999/",
                    "javascript:alert(1)",
                    "<CLIENT>",
                    "<REALM>",
                ]
            ),
        ),
        max_size=8,
    ),
    HEADER_VALUE,
    BODY | st.none(),
)
@example(
    AUTHORIZE_PATH,
    "GET",
    [("client_id", "<CLIENT>"), ("redirect_uri", "http://["), ("response_type", "code"), ("state", "x")],
    "Basic",
    None,
)
@example(TOKEN_PATH, "POST", [("grant_type", "refresh_token")], "Basic \xff", b"\xff")
def test_oauth_answers_anything(client, path, method, fields, authorization, body):
    known = {"<CLIENT>": client.emulator.client_id, "<REALM>": client.realm}
    form = [(name, known.get(value, value)) for name, value in fields]
    form += [("client_id", client.emulator.client_id)] if len(fields) % 2 else []
    text = urlencode(form, errors="replace")
    answer = client.session.request(
        method,
        f"{client.emulator.url}{path}?{text}",
        data=text if body is None else body,
        headers={"Authorization": authorization.strip().encode("latin-1")},
        timeout=PATIENCE_S,
        allow_redirects=False,
    )
    assert answer.status_code < 500, answer.text
    assert client.emulator.crashes == []


STEP = st.builds(
    dict.__or__,
    st.dictionaries(st.sampled_from(sorted(_STEPS)), JSONISH | st.sampled_from(["Customer", 1, True]), max_size=1),
    st.dictionaries(st.sampled_from(["record", "id", "name", "path", "times", "entities", "operation"]), JSONISH),
)


@FUZZED
@given(st.lists(STEP, max_size=4), st.dictionaries(st.sampled_from(["as_of", "company", "limits", "latency"]), JSONISH))
@example([{"create": "Customer", "record": {"DisplayName": "a", "Balance": "x"}}], {})
@example([{"update": "Customer", "record": {"Id": {"a": []}}}], {})
@example([{"advance": 1e308}, {"advance": 1e308}], {"company": {"customers": 0}})
@example([{"latency": {"median": 1e308, "p99": 1e-308}}, {"fault": "status", "status": 99}], {})
@example([{"company": {"seed": 10**400}}], {"limits": {"per_minute": 10**400}})
def test_a_scenario_is_played_or_refused(client, steps, start):
    answer = client.control("POST", "scenario", data=json.dumps(start | {"steps": steps}))
    assert answer.status_code in (200, 400), answer.text
    assert client.get("customer/1").status_code < 500
    assert client.emulator.crashes == []
    client.emulator.reset()


@FUZZED
@given(
    st.sampled_from(sorted(ROUTES)),
    st.dictionaries(
        st.sampled_from(
            [
                "kind",
                "path",
                "method",
                "times",
                "after",
                "chance",
                "seconds",
                "status",
                "body",
                "advance",
                "now",
                "limits",
                "latency",
                "fixed",
                "uniform",
                "median",
                "p99",
                "realm_id",
                "entity",
                "record",
                "client_secret",
                "retry_after",
                "per_minute",
                "as_of",
                "authorized_at",
                "scopes",
                "url",
                "entities",
                "merge_s",
                "lost",
                "format",
                "id",
                "operation",
                "deleted_id",
                "company",
                "steps",
            ]
        ),
        JSONISH
        | st.sampled_from([*KINDS, "Customer", "Invoice", "GET", {"per_minute": 5}, {"Id": "1"}, [0.1, 0.2], 1e300])
        | st.sampled_from(["http://127.0.0.1:9/", "Update", "2027-02-01", ["Customer"], {"seed": 5}, "legacy"])
        | st.lists(STEP, max_size=3),
        max_size=5,
    ),
    st.booleans(),
)
def test_control_answers_anything(client, route, given, as_form):
    method, path = route
    options = (
        {"data": urlencode(given, errors="replace"), "headers": {"Accept": "text/html"}} if as_form else {"json": None}
    )
    if as_form:
        options["headers"]["Content-Type"] = "application/x-www-form-urlencoded"
    else:
        options = {"data": json.dumps(given)}
    answer = client.control(method, path, allow_redirects=False, **options)
    assert answer.status_code < 500, answer.text
    assert client.emulator.crashes == []
    assert client.session.get(client.emulator.url + "/", timeout=PATIENCE_S).status_code == 200
    if route[1] not in ("state", "settings", "counters", "requests"):
        client.emulator.reset()
