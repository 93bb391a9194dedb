"""No 500 except an injected one, and no damage by many concurrent clients."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import json
from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vantage_quickbooks.emulator import Emulator

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
WORDS = [
    "select",
    "*",
    "from",
    "Customer",
    "Invoice",
    "Account",
    "where",
    "Id",
    "DisplayName",
    "Balance",
    "TxnDate",
    "MetaData.CreateTime",
    "Active",
    "=",
    "<",
    ">",
    "<=",
    ">=",
    "in",
    "like",
    "(",
    ")",
    ",",
    "'x'",
    "'%'",
    "'1'",
    "'2026-01-01'",
    "'0001-01-01T00:00:00-12:00'",
    "'",
    "'",
    "5",
    "true",
    "current_date",
    "and",
    "or",
    "order",
    "by",
    "orderby",
    "desc",
    "startposition",
    "maxresults",
    "99999999999999999999",
    "count(*)",
    "null",
    "\\",
    "''",
]
NAMES = [
    "Id",
    "SyncToken",
    "sparse",
    "DisplayName",
    "Active",
    "ParentRef",
    "CustomerRef",
    "Line",
    "TxnDate",
    "TotalAmt",
    "MetaData",
    "DocNumber",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "value", "DetailType", "LinkedTxn", "TxnId"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@FEW
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_statement_is_answered(client, statement):
    assert client.query(statement).status_code in (200, 400)


@FEW
@given(
    st.sampled_from(["customer", "invoice", "payment", "item", "bill", "nothing", "query", "customer/1"]),
    st.sampled_from(["", "?operation=delete", "?operation=void", "?operation=update", "?x=%ff&%"]),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6),
)
def test_any_body_is_answered(client, path, parameters, body):
    answer = client.post(path + parameters, data=json.dumps(body).encode())
    assert answer.status_code in (200, 400), answer.text


@FEW
@given(st.text(st.characters(codec="ascii", exclude_characters=" \r\n#\x7f", min_codepoint=33), max_size=20))
def test_any_path_is_answered(client, path):
    assert client.get(path.lstrip("/")).status_code in (200, 400, 403, 404)


def test_a_thousand_conditions_and_a_far_offset_are_answered(client):
    many = " and ".join(["DisplayName = 'x'"] * 3000)
    answer = client.post("query", data=f"select * from Customer where {many}")
    assert answer.status_code in (200, 400)
    far = client.query("select * from Customer startposition 99999999999999999999")
    assert (far.status_code, far.json()["Fault"]["Error"][0]["code"]) == (400, "4002")
    assert client.get("customer/1").status_code == 200


def test_of_two_refreshes_with_one_token_the_first_wins(open_client):
    with Emulator(rotation="always", limits=False) as emulator:
        clients = [open_client(emulator) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda client: client.refresh().status_code, clients))
        assert sorted(statuses) == [200] + [400] * 7
        assert emulator.counters()["token_requests"] == {"total": 8, "ok": 1, "failed": 7}


def test_reads_and_writes_at_once(emulator, open_client):
    clients = [open_client(emulator).connect() for _ in range(6)]

    def work(client):
        made = []
        for _ in range(10):
            line = {
                "Amount": 10,
                "DetailType": "SalesItemLineDetail",
                "SalesItemLineDetail": {"ItemRef": {"value": "1"}},
            }
            answer = client.post("invoice", json={"CustomerRef": {"value": "1"}, "Line": [line]})
            made.append((answer.json()["Invoice"]["Id"], answer.json()["Invoice"]["DocNumber"]))
            assert client.query("select * from Invoice maxresults 1000").status_code == 200
        return made

    before = emulator.read("Customer", "1")["Balance"]
    with ThreadPoolExecutor(6) as pool:
        made = [pair for pairs in pool.map(work, clients) for pair in pairs]
    assert 60 == len({id_ for id_, _ in made}) == len({number for _, number in made})
    assert round(before + 600, 2) == emulator.read("Customer", "1")["Balance"]
    assert emulator.counters()["max_concurrent"] >= 1
