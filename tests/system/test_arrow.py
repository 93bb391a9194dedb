"""Arrow, Parquet and DataFrames of a whole company, read by the programs that people use."""

from __future__ import annotations

import json
import sys
from decimal import Decimal

import duckdb
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interceptor import Interceptor

from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.api.response_body import ResponseBody
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.cli.arrow_files import write_parquet
from vantage_quickbooks.cli.export import Export, to_file
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError, UnexpectedResponseError
from vantage_quickbooks.sync.arrow import metadata_of

INTERCEPTOR = Interceptor()
LISTED = [resource for resource in RESOURCES if resource.is_queryable]


@pytest.fixture(scope="module")
def company():
    with Emulator(limits=False) as running:
        yield running
        assert running.crashes == []


@pytest.fixture(scope="module")
def connect(company):
    def make(**context):
        return QUICKBOOKS.connect(
            company.credentials(),
            HostContext(**context),
            deployment=Deployment(api_url=company.url, oauth_url=company.url),
            store=MemoryStore(),
            rate_limiter=RateLimiter(10, 10**9, 10**9),
            intercept=INTERCEPTOR,
        )

    return make


@pytest.fixture(scope="module")
def connection(connect):
    with connect() as made:
        yield made


@pytest.fixture(scope="module")
def books(company):
    """The invoices as the emulator keeps them."""
    found = [company.company().find("Invoice", str(number)) for number in range(1, 1000)]
    invoices = [json.loads(json.dumps(record, default=str), parse_float=Decimal) for record in found if record]
    assert len(invoices) == company.company().counts()["Invoice"] == 60
    return invoices


@pytest.fixture(scope="module")
def table(connection):
    return pa.Table.from_batches(connection.stream("listInvoices", {"all": True, "max_results": 25}, as_="arrow"))


@pytest.fixture(scope="module")
def parquet(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("parquet") / "invoices.parquet"
    pq.write_table(table, path)
    return path


@pytest.fixture
def sql(parquet):
    with duckdb.connect() as made:
        made.read_parquet(str(parquet)).create_view("invoices")
        yield lambda query: made.sql(query).fetchall()


def total(books, name):
    return sum((Decimal(str(record[name])) for record in books), Decimal(0))


# ---- other programs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Balance", "TotalAmt"])
def test_sums_are_those_of_the_books_in_every_program(table, parquet, books, connection, name):
    expected = total(books, name)
    assert expected > 0
    sums = {
        "pandas, Parquet": pd.read_parquet(parquet, dtype_backend="pyarrow")[name].sum(),
        "pandas, DataFrame": connection.dataframe("listInvoices", {"all": True})[name].sum(),
        "polars, Parquet": pl.read_parquet(parquet)[name].sum(),
        "polars, Arrow": pl.from_arrow(table)[name].sum(),
        "DuckDB, Parquet": duckdb.read_parquet(str(parquet)).sum(name).fetchall()[0][0],
        "DuckDB, Arrow": duckdb.from_arrow(table).sum(name).fetchall()[0][0],
    }
    assert sums == dict.fromkeys(sums, expected)


def test_sums_of_lines_are_those_of_the_books(parquet, books, sql):
    """Lines of the kind SalesItemLineDetail, in DuckDB and polars."""
    kind = "SalesItemLineDetail"
    expected = sum(
        Decimal(str(line["Amount"])) for record in books for line in record["Line"] if line["DetailType"] == kind
    )
    ((amount, items),) = sql("""
        WITH lines AS (SELECT unnest(Line) AS line FROM invoices)
        SELECT sum(line.Amount), count(line.SalesItemLineDetail.ItemRef.name) FROM lines
        WHERE line.DetailType = 'SalesItemLineDetail'
    """)
    assert (amount, items > 0) == (expected, True)
    lines = pl.read_parquet(parquet)["Line"].explode().struct.unnest()
    assert lines.filter(pl.col("DetailType") == kind)["Amount"].sum() == expected


def test_dates_are_dates_in_every_program(parquet, books, sql):
    latest = max(record["DueDate"] for record in books)
    assert pd.read_parquet(parquet, dtype_backend="pyarrow")["DueDate"].max().isoformat() == latest
    assert pl.read_parquet(parquet)["DueDate"].max().isoformat() == latest
    query = "SELECT max(DueDate), typeof(max(DueDate)), typeof(max(MetaData_CreateTime)) FROM invoices"
    ((day, kind, instant),) = sql(query)
    assert (day.isoformat(), kind, instant) == (latest, "DATE", "TIMESTAMP WITH TIME ZONE")


def test_references_and_flat_fields_can_be_queried_without_quotes(sql):
    rows = sql("""
        SELECT customerName, CustomerRef_name, CustomerRef_value, sum(Balance) FROM invoices
        WHERE paymentStatus = 'overdue' AND daysOverdue > 0 AND realm_id IS NOT NULL GROUP BY ALL
    """)
    assert rows
    assert all(name == ref and value for name, ref, value, _ in rows)


# ---- every row of the catalog ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", LISTED, ids=lambda resource: resource.entity)
def test_every_sample_record_becomes_a_row(connection, resource):
    records = connection.invoke(resource.list_id, {"max_results": 1000})[resource.rows_key]
    frame = connection.dataframe(resource.list_id, {"max_results": 1000})
    assert len(frame) == len(records) > 0
    metadata = frame.attrs["metadata"]
    assert metadata["unreadableValues"] == {}
    assert set(frame["realm_id"]) == {metadata["realmId"]}
    assert set(frame["company_name"]) == {connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]}
    flat = {field.name for field in resource.flat_fields}
    for record, text in zip(records, frame["_raw"], strict=True):
        assert orjson.loads(text) == {key: value for key, value in record.items() if key not in flat}
    for name in flat:
        for value, sent in zip(frame[name], [record[name] for record in records], strict=True):
            assert (sent is None) == pd.isna(value)
            assert sent is None or str(value) == str(sent) or Decimal(str(value)) == Decimal(str(sent)), name


@pytest.mark.parametrize(
    "resource", [resource for resource in LISTED if resource.has_creation_order], ids=lambda resource: resource.entity
)
@pytest.mark.parametrize("fields", [None, ["SyncToken", "MetaData"]])
def test_a_full_read_has_the_rows_of_a_page(connection, resource, fields):
    data = {} if fields is None else {"fields": fields}
    if resource.has_active:
        data["active"] = "all"
    pages = list(connection.stream(resource.list_id, {"all": True, "max_results": 4} | data, as_="arrow"))
    single = next(connection.stream(resource.list_id, {"max_results": 1000} | data, as_="arrow"))
    assert {page.schema.remove_metadata() for page in pages} == {single.schema.remove_metadata()}
    read = pa.Table.from_batches(pages).sort_by("Id")
    assert read.num_rows == single.num_rows
    assert read.equals(pa.Table.from_batches([single]).sort_by("Id"))


# ---- pages, full reads, selections -----------------------------------------------------------------------------------


def test_a_dataframe_is_one_page_or_everything(connection):
    assert len(connection.dataframe("listInvoices")) == 60
    assert list(connection.dataframe("listInvoices", {"max_results": 3})["Id"]) == [
        record["Id"] for record in connection.invoke("listInvoices", {"max_results": 3})["invoices"]
    ]
    frame = connection.dataframe("listInvoices", {"all": True, "max_results": 7, "status": "overdue"})
    assert set(frame["paymentStatus"]) == {"overdue"}
    expected = connection.invoke("listInvoices", {"all": True, "status": "overdue"})
    assert sorted(frame["Id"]) == sorted(record["Id"] for record in expected["invoices"])
    assert frame.attrs["metadata"]["complete"] is True
    assert {str(kind) for kind in frame.dtypes} >= {"decimal128(19, 4)[pyarrow]", "date32[day][pyarrow]"}


def test_arithmetic_in_pandas_is_as_documented(connection):
    frame = connection.dataframe("listInvoices")
    sent = connection.invoke("listInvoices", {"max_results": 100})["invoices"]
    total, balance = (sum(Decimal(repr(one[key])) for one in sent) for key in ("TotalAmt", "Balance"))
    assert (frame["TotalAmt"] - frame["Balance"]).sum() == total - balance
    assert (frame["Balance"] * Decimal(2)).sum() == 2 * balance
    shares = frame["Balance"].astype(float) / frame["TotalAmt"].astype(float)
    assert shares.max() == 1.0
    assert frame["Balance"].astype(float).cumsum().iloc[-1] == pytest.approx(float(balance))
    months = frame.astype({"TxnDate": "datetime64[ns]"}).resample("ME", on="TxnDate")["TotalAmt"].sum()
    assert months.sum() == total
    lines = frame.explode("Line")["Line"].struct.explode()
    assert lines["Amount"].sum() == sum(Decimal(repr(line["Amount"])) for one in sent for line in one["Line"])


def test_pages_come_in_order_as_results_do(connection):
    data = {"max_results": 25, "order_by": "DueDate"}
    pages = list(connection.stream("listInvoices", data, as_="arrow"))
    results = list(connection.stream("listInvoices", data))
    assert [page.column("Id").to_pylist() for page in pages] == [
        [record["Id"] for record in result["invoices"]] for result in results
    ]
    assert [metadata_of(page)["startPosition"] for page in pages] == [1, 26, 51]


def test_a_list_without_rows_has_the_columns(connection):
    frame = connection.dataframe("listInvoices", {"doc_number": "no such number"})
    assert (len(frame), "Balance" in frame) == (0, True)
    assert frame["Balance"].sum() == 0
    full = connection.dataframe("listInvoices", {"all": True, "doc_number": "no such number"})
    assert (len(full), list(full.columns)) == (0, list(frame.columns))


def test_a_preview_is_capped(connect):
    with connect(row_limit=5) as preview:
        assert len(preview.dataframe("listInvoices", {"all": True})) == 5
        assert sum(page.num_rows for page in preview.stream("listInvoices", as_="arrow")) == 5


def test_a_cursor_continues_after_its_page(connection):
    data = {"all": True, "max_results": 25}
    reading = connection.stream("listInvoices", data, as_="arrow")
    first = next(reading)
    reading.close()
    rest = connection.stream("listInvoices", data | {"cursor": metadata_of(first)["cursor"]}, as_="arrow")
    ids = pa.Table.from_batches([first, *rest])["Id"].to_pylist()
    assert len(ids) == len(set(ids)) == 60


def test_the_companys_name_costs_one_call_a_connection(connect, company):
    with connect() as fresh:
        company.reset_counters()
        fresh.dataframe("listInvoices")
        assert company.counters()["api_requests"]["total"] == 2
        fresh.dataframe("listCustomers")
        assert company.counters()["api_requests"]["total"] == 3


def test_every_read_is_audited(connect):
    events = []
    with connect(audit=events.append, connection_id="c1") as audited:
        audited.dataframe("listInvoices", {"max_results": 3})
        audited.dataframe("listInvoices", {"all": True})
    assert [(event["operation"], event["outcome"], event["records"]) for event in events] == [
        ("quickbooks.listInvoices", "success", 3),
        ("quickbooks.listInvoices", "success", 60),
    ]


# ---- damaged records -------------------------------------------------------------------------------------------------


def damage(old, new):
    def answer(send, *request):
        status, headers, body = send(*request)
        return status, headers, ResponseBody(body.read().replace(old, new))

    return INTERCEPTOR.installed(answer)


@pytest.mark.parametrize("data", [{}, {"all": True}])
def test_damaged_values_are_null_counted_and_in_the_text(connection, data):
    sent = connection.invoke("listInvoices", {"max_results": 60})["invoices"]
    due = sent[0]["DueDate"]
    hit = sum(record["DueDate"] == due for record in sent)
    with damage(f'"DueDate":"{due}"'.encode(), b'"DueDate":"31/02/2026"'):
        frame = connection.dataframe("listInvoices", data)
    assert len(frame) == 60
    assert frame["DueDate"].isna().sum() == hit
    assert frame.attrs["metadata"]["unreadableValues"] == {"DueDate": hit}
    assert frame["_raw"].str.contains("31/02/2026").sum() == hit


@pytest.mark.parametrize("data", [{}, {"all": True}])
def test_records_without_amounts_have_no_status_and_fail_nothing(connection, data):
    with damage(b'"TotalAmt":', b'"Total":'):
        frame = connection.dataframe("listInvoices", data)
    assert frame["paymentStatus"].isna().all()
    assert frame.attrs["metadata"]["unreadableValues"] == {"daysOverdue": 60, "paymentStatus": 60}
    assert frame.attrs["metadata"]["valuesWithoutColumn"]["Total"] == 60
    assert frame["Balance"].notna().all()


@pytest.mark.parametrize("data", [{}, {"all": True}])
def test_a_damaged_answer_is_fetched_once_more(connection, data):
    damaged = []

    def answer(send, *request):
        status, headers, body = send(*request)
        if not damaged and body.startswith(b'{"QueryResponse":{"Invoice"'):
            damaged.append(body)
            return status, headers, ResponseBody(body.read()[:-20])
        return status, headers, body

    with INTERCEPTOR.installed(answer):
        assert len(connection.dataframe("listInvoices", data)) == 60
    assert len(damaged) == 1


@pytest.mark.parametrize("part", [b'"Fault":{"Error":[]},"time"', b'"fault":{},"time"'])
def test_a_fault_beside_records_is_not_a_page(connection, part):
    with damage(b'"time"', part), pytest.raises(UnexpectedResponseError):
        connection.dataframe("listInvoices")


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_changes_are_refused(connection):
    with pytest.raises(InputError, match="Arrow cannot represent deletions"):
        next(connection.stream("listInvoices", {"sync_cursor": "x"}, as_="arrow"))
    with pytest.raises(InputError, match="Arrow cannot represent deletions"):
        connection.dataframe("listInvoices", {"sync_cursor": "x"})


@pytest.mark.parametrize("action", ["getInvoice", "getCompanyInfo", "query"])
def test_an_action_that_lists_nothing_has_no_columns(connection, action):
    with pytest.raises(InputError, match=f"{action} does not list records"):
        next(connection.stream(action, {"id": "1"}, as_="arrow"))
    with pytest.raises(InputError, match=f"{action} does not list records"):
        connection.dataframe(action, {"id": "1"})


def test_an_unknown_format_is_refused(connection):
    with pytest.raises(InputError, match="use results, ndjson or arrow"):
        next(connection.stream("listInvoices", as_="feather"))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("pyarrow", r"Arrow needs pyarrow: run `pip install 'vantage-quickbooks\[arrow\]'`\."),
        ("msgspec", r"Arrow needs msgspec: run `pip install 'vantage-quickbooks\[arrow\]'`\."),
        ("pandas", r"A DataFrame needs pandas: run `pip install pandas`\."),
    ],
)
def test_a_missing_package_is_named_with_its_command(connection, monkeypatch, missing, message):
    for name in [name for name in sys.modules if name.startswith("vantage_quickbooks.sync.")]:
        if name.rpartition(".")[2] in {"arrow", "arrow_columns", "json_columns", "ndjson"}:
            monkeypatch.delitem(sys.modules, name)
            monkeypatch.delattr(sys.modules["vantage_quickbooks.sync"], name.rpartition(".")[2])
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError, match=message):
        connection.dataframe("listInvoices")


# ---- Parquet ---------------------------------------------------------------------------------------------------------


def test_a_parquet_file_has_the_counters_and_appears_when_it_is_complete(connection, tmp_path):
    action = next(one for one in QUICKBOOKS.describe(schemas=False)["actions"] if one["id"] == "listInvoices")
    export = Export(connection, action, {"all": True, "max_results": 20}, "arrow")
    target, seen = tmp_path / "out.parquet", []

    def finish(stream):
        seen.append(target.exists())
        seen.append(write_parquet(stream, target))

    with damage(b'"DueDate":"', b'"DueDate":"-'):
        to_file(export, tmp_path / "part", finish)
    assert seen[0] is False
    assert seen[1]["unreadableValues"] == {"DueDate": 60}
    file = pq.ParquetFile(target)
    assert json.loads(file.metadata.metadata[b"vantage_quickbooks"]) == seen[1]
    assert pq.read_metadata(target).metadata[b"vantage_quickbooks"] == file.metadata.metadata[b"vantage_quickbooks"]
    assert file.read()["DueDate"].null_count == file.metadata.num_rows == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "part"]
