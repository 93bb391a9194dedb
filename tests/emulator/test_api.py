"""Reads over HTTP: envelopes, headers, dialects, order, what is hidden, what is projected."""

# ruff: noqa: S608 -- these statements are in Intuit's language and go to no database

import re
from datetime import UTC, datetime, timedelta

import pytest

# Recorded, May 2026 (Nango send-invoice.test.json).
SUCCESS_HEADERS = (
    "date content-type server strict-transport-security intuit_tid x-spanid x-amzn-trace-id x-request-id qbo-version"
    " service-time expires cache-control x-content-type-options x-xss-protection x-envoy-upstream-service-time"
    " x-intuit-upstream-locality-region transfer-encoding connection"
)
# Recorded, 2020: what a 400 lacks.
ONLY_ON_SUCCESS = {"qbo-version", "service-time", "expires", "cache-control", "transfer-encoding"}


def test_a_success_carries_the_recorded_headers(client):
    answer = client.query("select * from Customer maxresults 1", headers={"Accept-Encoding": "identity"})
    assert set(SUCCESS_HEADERS.split()) == set(answer.headers)
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    tid = answer.headers["intuit_tid"]
    assert re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", tid)
    assert (tid, f"Root={tid}") == (answer.headers["x-request-id"], answer.headers["x-amzn-trace-id"])
    assert re.fullmatch(r"total=\d+, db=\d+", answer.headers["service-time"])
    assert answer.headers["expires"] == "0"


def test_a_refusal_has_fewer_headers(client):
    answer = client.query("select * from Custmoer")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert not ONLY_ON_SUCCESS & set(answer.headers)
    assert {"intuit_tid", "x-spanid", "x-amzn-trace-id", "strict-transport-security"} <= set(answer.headers)


def test_gzip_if_the_client_accepts_it(client):
    zipped = client.query("select * from Customer", headers={"Accept-Encoding": "gzip"})
    plain = client.query("select * from Customer", headers={"Accept-Encoding": "identity"})
    assert (zipped.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)
    assert zipped.json()["QueryResponse"] == plain.json()["QueryResponse"]


def test_the_envelope_and_its_time(client, emulator):
    emulator.freeze()
    emulator.set_now("2026-05-05T10:17:56.362Z")
    body = client.query("select * from Customer maxresults 2").json()
    assert list(body) == ["QueryResponse", "time"]
    assert list(body["QueryResponse"]) == ["Customer", "startPosition", "maxResults"]
    assert (body["QueryResponse"]["startPosition"], body["QueryResponse"]["maxResults"]) == (1, 2)
    assert body["time"] == "2026-05-05T03:17:56.362-07:00"
    emulator.set_now("2026-01-05T10:00:00Z")
    assert "-08:00" in client.get("customer/1").json()["time"]


def test_only_some_entities_return_a_total_count(client):
    invoices = client.query("select * from Invoice maxresults 3").json()["QueryResponse"]
    assert list(invoices) == ["Invoice", "startPosition", "maxResults", "totalCount"]
    assert "totalCount" not in client.query("select * from Payment").json()["QueryResponse"]


def test_no_matches_and_positions_past_the_end_are_empty(client):
    assert client.query("select * from Invoice where DocNumber = 'none'").json()["QueryResponse"] == {}
    assert client.query("select * from Invoice startposition 1000").json()["QueryResponse"] == {}
    assert client.query("select * from TaxPayment").json()["QueryResponse"] == {}


def test_counting(client):
    assert client.query("select count(*) from Customer").json()["QueryResponse"] == {"totalCount": 28}
    everyone = "select count(*) from Customer where Active in (true, false)"
    assert client.query(everyone).json()["QueryResponse"] == {"totalCount": 30}


def test_the_default_orders(client):
    names = [row["FullyQualifiedName"] for row in client.rows("select * from Customer maxresults 1000")]
    assert sorted(names) == names
    times = [row["MetaData"]["LastUpdatedTime"] for row in client.rows("select * from Invoice maxresults 1000")]
    moments = [datetime.fromisoformat(text) for text in times]
    assert sorted(moments, reverse=True) == moments


def test_pages_together_contain_all_records(client):
    whole = client.ids("select * from Invoice maxresults 1000")
    pages = [client.ids(f"select * from Invoice startposition {at} maxresults 25") for at in (1, 26, 51, 76)]
    assert [len(page) for page in pages] == [25, 25, 10, 0]
    assert whole == [id_ for page in pages for id_ in page]


def test_a_statement_may_come_by_post(client):
    statement = "select * from Customer maxresults 2"
    by_get = client.query(statement).json()["QueryResponse"]
    for kind in ("application/text", "text/plain"):
        body = client.post("query", data=statement, headers={"Content-Type": kind})
        assert by_get == body.json()["QueryResponse"]
    in_url = client.post("query", params={"query": statement}, headers={"Content-Type": "text/plain"})
    assert by_get == in_url.json()["QueryResponse"]


def test_no_statement_and_an_empty_one(client):
    detail = "QueryParserError: The query provided was empty"
    for answer in (client.post("query"), client.get("query")):
        assert (400, detail) == (answer.status_code, answer.json()["Fault"]["Error"][0]["Detail"])
    answer = client.query("")
    assert 'Encountered "<EOF>" at line 0, column 0.' in answer.json()["Fault"]["Error"][0]["Detail"]


def test_a_bare_ampersand_cuts_the_statement(client):
    answer = client.get("query?query=select * from Customer where DisplayName = 'Chen %26 Daughters Nursery'")
    assert len(answer.json()["QueryResponse"]["Customer"]) == 1
    cut = client.get("query?query=select * from Customer where DisplayName = 'Chen & Daughters Nursery'")
    assert cut.status_code == 400


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (r"DisplayName = 'Hollis O\'Rourke'", ["Hollis O'Rourke"]),
        ("displayname = 'KESTREL robotics'", ["Kestrel Robotics"]),
        ("DisplayName = 'CAFÉ løvetann'", ["Café Løvetann"]),
        ("DisplayName like 'Chen & %'", ["Chen & Daughters Nursery"]),
        ("DisplayName like '%é l%'", ["Café Løvetann"]),
        ("DisplayName like 'b_%'", []),
        ("DisplayName in ('Jasper Wynn', 'umber studio')", ["Jasper Wynn"]),
        (
            "DisplayName in ('Jasper Wynn', 'umber studio (deleted)') and Active in (true,false)",
            ["Jasper Wynn", "Umber Studio (deleted)"],
        ),
        ("PrimaryEmailAddr = 'RAY@cobaltbikes.example'", ["Cobalt Bicycle Co-op"]),
        ("CompanyName = ' ' and GivenName = 'Jasper'", ["Jasper Wynn"]),
        ("Active = false", ["Umber Studio (deleted)", "Viola Castellanos (deleted)"]),
        ("FullyQualifiedName = 'Brightwater Homes:Lot 12 Heron Court'", ["Lot 12 Heron Court"]),
        ("Id = '1'", ["Alder Street Books"]),
        ("Id in ('1', '2', '999')", ["Alder Street Books", "Bellweather Dental"]),
        ("DisplayName > 'W'", ["Willow & Sons Masonry"]),
    ],
)  # fmt: skip
def test_conditions_on_customers(client, condition, names):
    assert names == [row["DisplayName"] for row in client.rows(f"select * from Customer where {condition}")]


def test_conditions_on_invoices(client):
    everything = client.rows("select * from Invoice maxresults 1000")
    for condition, keep in (
        ("Balance > '0'", lambda row: row["Balance"] > 0),
        ("Balance = '0.00'", lambda row: row["Balance"] == 0),
        ("Balance = 0", lambda row: row["Balance"] == 0),
        ("TotalAmt >= '1000' and TotalAmt < '2000'", lambda row: 1000 <= row["TotalAmt"] < 2000),
        ("CustomerRef = '6'", lambda row: row["CustomerRef"]["value"] == "6"),
        ("SalesTermRef in ('1', '2')", lambda row: row["SalesTermRef"]["value"] in "12"),
        ("DocNumber like '%03_'", lambda _: False),
        ("DocNumber like '%3%'", lambda row: "3" in row["DocNumber"]),
        ("DueDate < CURRENT_DATE", lambda row: row["DueDate"] < today(everything)),
    ):
        wanted = {row["Id"] for row in everything if keep(row)}
        assert wanted == set(client.ids(f"select * from Invoice where {condition} maxresults 1000")), condition


def today(rows):
    # the newest invoice is of the day on which the books end
    return max(row["TxnDate"] for row in rows)


def test_times_compare_as_instants(client):
    row = client.rows("select * from Invoice maxresults 1")[0]
    moment = datetime.fromisoformat(row["MetaData"]["LastUpdatedTime"])
    in_utc = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    in_india = moment.astimezone(UTC) + timedelta(hours=5, minutes=30)
    property_ = "MetaData.LastUpdatedTime"
    assert row["Id"] in client.ids(f"select * from Invoice where {property_} = '{in_utc}'")
    elsewhere = in_india.strftime("%Y-%m-%dT%H:%M:%S+05:30")
    assert row["Id"] in client.ids(f"select * from Invoice where metadata.lastupdatedtime >= '{elsewhere}'")
    assert row["Id"] not in client.ids(f"select * from Invoice where {property_} > '{in_utc}'")
    local = moment.strftime("%Y-%m-%dT%H:%M:%S")  # without an offset: the company's time
    assert row["Id"] in client.ids(f"select * from Invoice where {property_} = '{local}'")


def test_sorting_by_several_keys(client):
    rows = client.rows("select * from Invoice orderby DueDate desc, TotalAmt maxresults 1000")
    keys = [(row["DueDate"], -row["TotalAmt"]) for row in rows]
    assert sorted(keys, reverse=True) == keys


def test_selected_fields_come_with_id_domain_and_sparse(client):
    row = client.rows("select displayname, MetaData.CreateTime from Customer maxresults 1")[0]
    assert {"domain", "sparse", "Id", "MetaData", "DisplayName"} == set(row)
    assert (row["sparse"], list(row["MetaData"])) == (True, ["CreateTime"])


def test_selected_amounts_keep_their_format(client):
    answer = client.query("select Balance, Line from Invoice where Balance > '0' maxresults 1")
    assert re.search(r'"Balance":\d+\.\d\d[,}]', answer.text)


def test_reading_one_record(client, emulator):
    body = client.get("customer/4").json()
    assert (list(body), body["Customer"]["DisplayName"]) == (["Customer", "time"], "Lot 12 Heron Court")
    assert client.get("customer/28").json()["Customer"]["Active"] is False
    for path in (f"companyinfo/{emulator.realm_id}", "companyinfo/1"):
        info = client.get(path).json()["CompanyInfo"]
        assert (info["Id"], info["DefaultTimeZone"]) == ("1", "America/Los_Angeles")
    assert client.rows("select * from CompanyInfo")[0] == info


@pytest.mark.parametrize(
    ("path", "code", "detail", "timed"),
    [
        ("customer/1.5", "2030", "Id should be a valid number. Supplied value:1.5", False),
        ("customer/99999", "610", "Object Not Found : Something you're trying to use has been made inactive.", True),
        ("customer/1/5", "500", "Operation Could not find resource for relative : /v3/company/", True),
        ("nothing/1", "500", "Operation Could not find resource for relative : /v3/company/", True),
        ("Customer/1", "500", "Operation Could not find resource for relative", True),
        ("", "500", "Operation Could not find resource", True),
        ("reports/NoSuchReport", "500", "Operation Could not find resource", True),
    ],
)
def test_a_missing_record_or_path_is_a_400_in_intuits_words(client, path, code, detail, timed):
    answer = client.get(path)
    error = answer.json()["Fault"]["Error"][0]
    assert (400, code, timed) == (answer.status_code, error["code"], "time" in answer.json())
    assert error["Detail"].startswith(detail)


def test_outside_the_api_is_a_plain_404(anonymous, emulator):
    answer = anonymous.session.get(f"{emulator.url}/v2/nothing", timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html")


@pytest.mark.parametrize("accept", ["*/*", None, "application/xml"])
def test_a_client_that_does_not_ask_for_json_gets_xml(client, accept):
    headers = {"Accept": accept}
    found = client.query("select * from Invoice where LinkedTxn = 'x'", headers=headers)
    assert (found.status_code, found.headers["content-type"]) == (400, "application/xml")
    assert '<Fault type="ValidationFault"><Error code="4001"><Message>Invalid query</Message><Detail>' in found.text
    page = client.query("select * from Invoice maxresults 2", headers=headers)
    assert page.headers["content-type"] == "application/xml;charset=UTF-8"
    assert (
        '<QueryResponse startPosition="1" maxResults="2" totalCount="2"><Invoice domain="QBO" sparse="false">'
        in page.text
    )
    assert '<CurrencyRef name="United States Dollar">USD</CurrencyRef>' in page.text
    refused = client.get("customer/1", headers=headers | {"Authorization": "Bearer x"})
    assert (refused.headers["content-type"], refused.status_code) == ("text/xml", 401)
    assert '    <Fault type="AUTHENTICATION">\n        <Error code="3200">\n' in refused.text


def test_connections_are_kept_alive(client, emulator):
    before = emulator.counters()["connections"]
    for _ in range(5):
        client.get("customer/1")
    client.query("select * from nothing")
    assert before == emulator.counters()["connections"]


def test_other_methods_and_invalid_bodies_get_a_response(client):
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "customer/1").status_code == 400
    assert client.request("HEAD", "customer/1").text == ""
    chunks = client.post("query", data=iter([b"select", b" *"]))
    assert chunks.status_code == 411
    assert client.get("customer/1").status_code == 200
