"""Companies as frames of a real Spark, compared with the emulator's books: rows, failures, and what they cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from emulated_companies import books

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.registry import open_registry

IDS = ("acme", "birch", "cedar")
KEY = ("realm_id", "entity", "id")


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def companies(quickbooks):
    """Return companies of this test alone, by their id in its registry."""
    made = {id_: quickbooks.add_company() for id_ in IDS}
    quickbooks.reset_counters()
    yield made
    quickbooks.clear_faults()
    for company in made.values():
        company.remove()


@pytest.fixture
def registry(companies, tmp_path):
    with open_registry(tmp_path / "registry") as made:
        for id_, company in companies.items():
            made.add(id_, company.settings(), "Acme Ltd" if id_ == "acme" else None)
        yield made


@pytest.fixture
def read(spark, registry):
    """Return a function that makes a frame of these companies."""
    from vantage_quickbooks.adapters.spark import register

    register(spark)

    def make(format_="quickbooks", **options):
        reader = spark.read.format(format_).option("registry", registry.describe().removeprefix("folder "))
        for name, value in options.items():
            reader = reader.option(name, value)
        return reader.load()

    return make


def data_calls(quickbooks):
    """Return the requests to the data of companies."""
    return [request for request in quickbooks.requests() if request["path"].startswith("/v3/company/")]


def apply(before, rows):
    """Return the records after the rows of a change table, by key; as docs/spark.md says."""
    complete = {(row.realm_id, row.entity) for row in rows if row._change_type == "complete"}
    named = {tuple(row[name] for name in KEY) for row in rows}
    after = {key: record for key, record in before.items() if key[:2] not in complete or key in named}
    for row in rows:
        key = tuple(row[name] for name in KEY)
        if row._change_type == "upsert":
            after[key] = json.loads(row.record)
        elif row._change_type == "delete":
            after.pop(key, None)
    return after


# ---- one entity ------------------------------------------------------------------------------------------------------


def test_a_frame_equals_the_books_of_all_companies(read, companies, quickbooks):
    frame = read(entity="Invoice", bundle_size=2)
    assert frame.schema["Balance"].dataType.simpleString() == "decimal(19,4)"
    rows = frame.collect()
    for id_, company in companies.items():
        own = {row.Id: row for row in rows if row.realm_id == company.realm_id}
        expected = books(quickbooks, company.realm_id, "Invoice")
        assert {key: row.Balance for key, row in own.items()} == {key: one["Balance"] for key, one in expected.items()}
        assert {row.company for row in own.values()} == {"Acme Ltd" if id_ == "acme" else id_}
        for key, row in own.items():
            record = json.loads(row._raw, parse_float=Decimal)
            assert record == expected[key]
            assert [line.Amount for line in row.Line] == [line["Amount"] for line in record["Line"]]
            assert row.DueDate.isoformat() == record["DueDate"]
            assert row.MetaData_LastUpdatedTime == _naive(record["MetaData"]["LastUpdatedTime"])
    # Two calls a company: the page, and the count that verifies it. The company's name costs none.
    assert len(data_calls(quickbooks)) == 2 * len(companies)


def _naive(text):
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)  # the session's zone is UTC


def test_inactive_records_are_rows_too(read, companies, quickbooks):
    customer = books(quickbooks, companies["acme"].realm_id, "Customer")["1"]
    companies["acme"].update("Customer", {"Id": "1", "Active": False})
    row = read(entity="Customer", connections="acme").filter("Id = '1'").first()
    assert (row.Active, row.customerName) == (False, f"{customer['DisplayName']} (deleted)")


def test_a_schema_selects_columns(read, spark, tmp_path):
    part = spark.read.format("quickbooks").schema("company string, DocNumber string, Balance decimal(19,4)")
    frame = part.option("entity", "Invoice").option("registry", str(tmp_path / "registry")).load()
    whole = read(entity="Invoice").select("company", "DocNumber", "Balance")
    assert sorted(frame.collect()) == sorted(whole.collect())
    with pytest.raises(Exception, match="There is no column 'DocNo'"):
        spark.read.format("quickbooks").schema("DocNo string").options(entity="Invoice").load().collect()


LATE = """
    company = 'birch' AND paymentStatus = 'overdue' AND DueDate >= DATE'2026-05-01'
    AND MetaData_LastUpdatedTime > TIMESTAMP'2026-06-01 00:00:00'
"""


def is_late(row, companies):
    return (
        row.realm_id == companies["birch"].realm_id
        and row.paymentStatus == "overdue"
        and row.DueDate.isoformat() >= "2026-05-01"
        and row.MetaData_LastUpdatedTime.isoformat() > "2026-06-01T00:00:00"
    )


def test_filters_reach_quickbooks_and_change_no_result(read, spark, quickbooks, companies):
    late = {(row.realm_id, row.Id) for row in read(entity="Invoice").collect() if is_late(row, companies)}
    quickbooks.reset_counters()
    assert {
        (row.realm_id, row.Id) for row in read(entity="Invoice", push_filters="true").filter(LATE).collect()
    } == late
    assert late
    asked = [request for request in data_calls(quickbooks) if "query" in request["path"]]
    assert {request["path"].split("/")[3] for request in asked} == {companies["birch"].realm_id}
    text = " ".join(json.dumps(request) for request in asked)
    for part in ("Balance > '0'", "DueDate >= '2026-05-01'", "LastUpdatedTime >= '2026-05-31T23"):
        assert part in text

    spark.conf.set("spark.sql.python.filterPushdown.enabled", "false")  # Spark's default
    try:
        assert read(entity="Invoice", push_filters="true").filter(LATE).count() == len(late)
    finally:
        spark.conf.set("spark.sql.python.filterPushdown.enabled", "true")


def test_queries_of_one_frame_do_not_narrow_each_other(read, companies):
    """Spark 4.3 itself mixes them up if filters are pushed, so they are not unless the user asks for it."""
    frame = read(entity="Invoice")
    late = frame.filter(LATE)
    assert late.count() < frame.filter("company = 'Acme Ltd'").count() == 60
    assert late.unionByName(frame).count() == late.count() + 60 * len(companies)


def test_an_input_selects_records_as_in_the_list_action(read, quickbooks):
    rows = read(entity="Invoice", input='{"status": "overdue", "due_date_from": "2026-05-01"}').collect()
    assert {row.paymentStatus for row in rows} == {"overdue"}
    assert min(row.DueDate.isoformat() for row in rows) >= "2026-05-01"
    assert "Balance > '0'" in " ".join(json.dumps(request) for request in data_calls(quickbooks))


def test_partitions_are_bundles_of_companies(read, quickbooks):
    assert read(entity="Term", bundle_size=1).rdd.getNumPartitions() == 3
    assert read(entity="Term", bundle_size=2).rdd.getNumPartitions() == 2
    assert read(entity="Term").rdd.getNumPartitions() == 1
    assert data_calls(quickbooks) == []  # planning reads nothing
    assert {row.company for row in read(entity="Term", connections="b*,cedar").collect()} == {"birch", "cedar"}


def test_options_that_are_wrong_fail_before_anything_is_read(read, quickbooks):
    for options, message in [
        ({"entity": "Invoces"}, "Did you mean Invoice"),
        ({"entity": "Invoice", "connection": "acme"}, "Did you mean connections"),
        ({"entity": "Invoice", "registry": "postgresql+psycopg://u:PLANTED@db/x"}, "VANTAGE_QUICKBOOKS_REGISTRY"),
    ]:
        with pytest.raises(Exception, match=message) as raised:
            read(**options)
        assert "PLANTED" not in str(raised.value)
    with pytest.raises(Exception, match=r"No connection matches x\*"):
        read(entity="Invoice", connections="x*").collect()
    assert data_calls(quickbooks) == []


def test_a_spark_that_runs_tasks_twice_is_refused(spark):
    """A setting of the core is fixed at the start of a session; without this rule of Spark's, it can be set here."""
    from vantage_quickbooks.adapters.spark import QuickBooksDataSource, QuickBooksStatusDataSource, register

    with_rule = "spark.sql.legacy.setCommandRejectsSparkCoreConfs"
    spark.conf.set(with_rule, "false")
    spark.conf.set("spark.speculation", "TRUE")  # Spark ignores case
    try:
        for run in (
            lambda: register(spark),
            lambda: spark.dataSource.register(QuickBooksDataSource),
            lambda: spark.dataSource.register(QuickBooksStatusDataSource),
        ):
            with pytest.raises(InputError, match=r"Start Spark with spark\.speculation=false"):
                run()
    finally:
        spark.conf.unset("spark.speculation")
        spark.conf.unset(with_rule)
    register(spark)


# ---- the change table ------------------------------------------------------------------------------------------------


def test_the_change_table_of_all_entities_equals_the_books_before_and_after_changes(read, companies, quickbooks):
    records = apply({}, read(entity="*").collect())
    assert _as_books(records, companies, quickbooks)
    calls = len(data_calls(quickbooks))

    acme = companies["acme"]
    since = datetime.fromtimestamp(int(quickbooks.now()), UTC).isoformat()
    acme.delete("Invoice", next(iter(books(quickbooks, acme.realm_id, "Invoice"))))
    acme.delete("TimeActivity", next(iter(books(quickbooks, acme.realm_id, "TimeActivity"))))  # no CDC covers it
    acme.create("Customer", {"DisplayName": "New"})
    rows = read(entity="*", updated_since=since).collect()
    assert {row.entity for row in rows if row._change_type == "delete"} == {"Invoice"}
    assert "TimeActivity" in {row.entity for row in rows if row._change_type == "complete"}
    assert len([row for row in rows if row.record]) < 100
    assert _as_books(apply(records, rows), companies, quickbooks)
    assert len(data_calls(quickbooks)) - calls <= 11 * len(companies)  # one CDC call, and the five without it


def _as_books(records, companies, quickbooks):
    found = {}
    for key, record in records.items():
        found.setdefault(key[:2], {})[key[2]] = record
    for (realm_id, entity), own in found.items():
        assert json.loads(json.dumps(own), parse_float=Decimal) == books(quickbooks, realm_id, entity), entity
    for company in companies.values():
        for entity in ("Invoice", "Customer", "TimeActivity", "JournalEntry"):
            assert (company.realm_id, entity) in found
    return True


def test_several_entities_are_one_table_and_a_filter_leaves_entities_out(read, quickbooks):
    frame = read(entity="Invoice,Term", connections="acme", push_filters="true")
    assert {row.entity for row in frame.select("entity").distinct().collect()} == {"Invoice", "Term"}
    quickbooks.reset_counters()
    assert frame.filter("entity = 'Term'").count() == 8
    assert not [request for request in data_calls(quickbooks) if "Invoice" in json.dumps(request)]


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_company_that_fails_is_a_row_of_the_status_and_not_the_end_of_the_job(read, companies, quickbooks):
    quickbooks.revoke_grants(companies["birch"].realm_id)
    # A page that stays damaged after the records of the first one were read.
    quickbooks.fault("broken_json", realm_id=companies["cedar"].realm_id, times=-1)
    options = {"entity": "Invoice", "on_error": "report", "run": "night", "connections": "*,zulu", "bundle_size": 2}
    rows = read(**options).collect()
    assert {row.realm_id for row in rows} == {companies["acme"].realm_id}
    assert {row.Id for row in rows} == set(books(quickbooks, companies["acme"].realm_id, "Invoice"))

    found = {row.connection: row for row in read("quickbooks_status", run="night").collect()}
    assert {id_: (row.status, row.code, row.retryable) for id_, row in found.items()} == {
        "acme": ("succeeded", None, None),
        "birch": ("failed", "REAUTHORIZATION_REQUIRED", False),
        "cedar": ("failed", "RESPONSE_UNEXPECTED", True),
        "zulu": ("failed", "CONNECTION_NOT_FOUND", False),
    }
    acme, birch = found["acme"], found["birch"]
    assert (acme.company, acme.realm_id, acme.entity) == ("Acme Ltd", companies["acme"].realm_id, "Invoice")
    assert (acme.records, acme.api_calls, acme.attempt) == (len(rows), 2, 1)
    assert birch.hint == "A user has to connect the company again."
    assert birch.intuit_tid in {request["intuit_tid"] for request in quickbooks.requests()}

    with pytest.raises(Exception, match="REAUTHORIZATION_REQUIRED") as raised:
        read(entity="Invoice", connections="birch").collect()
    assert f"Connection birch of company {companies['birch'].realm_id} failed" in str(raised.value)


def test_the_status_is_that_of_the_last_read_of_a_name_and_entity(read, companies, quickbooks):
    quickbooks.fault("throttle", realm_id=companies["acme"].realm_id, times=-1, retry_after=3600)
    frame = read(entity="Term", on_error="report", run="r", connections="acme")
    assert frame.count() == 0
    status = read("quickbooks_status", run="r")
    first = {row.connection: row for row in status.collect()}
    assert {id_: (row.entity, row.status, row.code) for id_, row in first.items()} == {
        "acme": ("Term", "failed", "RATE_LIMITED"),
        "birch": (None, "not_read", None),
        "cedar": (None, "not_read", None),
    }
    assert (first["acme"].retry_at - first["acme"].finished_at).total_seconds() == 3600
    quickbooks.clear_faults()
    assert frame.count() == 8
    read(entity="Class", run="r", connections="acme,birch").count()
    assert {(row.connection, row.entity, row.status) for row in status.collect()} == {
        ("acme", "Term", "succeeded"),
        ("acme", "Class", "succeeded"),
        ("birch", "Class", "succeeded"),
        ("cedar", None, "not_read"),
    }


def test_an_entity_that_fails_has_no_rows_and_the_others_of_the_company_do(read, companies, quickbooks):
    quickbooks.fault("broken_json", realm_id=companies["acme"].realm_id, path="query", after=6, times=-1)
    options = {"entity": "Term,Class,Department,Customer,Vendor", "connections": "acme"}
    rows = read(**options, on_error="report", run="r").collect()
    [status] = read("quickbooks_status", run="r", connections="acme").collect()
    assert (status.status, status.code, status.entity) == ("incomplete", "RESPONSE_UNEXPECTED", "*")
    assert status.not_read
    assert {row.entity for row in rows} == {"Term", "Class", "Department", "Customer", "Vendor"} - set(status.not_read)
    assert rows
    with pytest.raises(Exception, match="RESPONSE_UNEXPECTED"):
        read(**options).collect()


def test_a_limit_of_calls_holds_for_each_company_and_is_reported(read, companies, quickbooks):
    frame = read(entity="*", max_api_calls=12, on_error="report", run="r", connections="acme,birch")
    entities = {row.entity for row in frame.collect()}
    rows = read("quickbooks_status", run="r", connections="acme,birch").collect()
    assert {(row.status, row.code) for row in rows} == {("incomplete", "RESULT_INCOMPLETE")}
    assert all(row.api_calls <= 12 and entities.isdisjoint(row.not_read) for row in rows)
    assert entities
    assert len(data_calls(quickbooks)) <= 24

    # A company with a damaged page would be tried again in the same task, if its calls were not limited.
    quickbooks.fault("broken_json", realm_id=companies["cedar"].realm_id, times=-1)
    for entity in ("Invoice", "Term,Class"):
        quickbooks.reset_counters()
        frame = read(entity=entity, max_api_calls=5, on_error="report", run=entity[:4], connections="cedar")
        assert frame.count() == 0
        [status] = read("quickbooks_status", run=entity[:4], connections="cedar").collect()
        assert (status.code, status.retryable) == ("RESPONSE_UNEXPECTED", True)
        assert len(data_calls(quickbooks)) == status.api_calls <= 5


def test_two_connections_of_a_company_are_one_company(read, companies, registry):
    registry.add("acme2", companies["acme"].settings())
    rows = read(entity="Term", connections="acme*", on_error="report", run="r").collect()
    assert len(rows) == 8
    found = {row.connection: row for row in read("quickbooks_status", run="r", connections="acme*").collect()}
    assert (found["acme"].status, found["acme2"].status) == ("succeeded", "failed")
    assert "acme and acme2 are connections of the same company" in found["acme2"].message


def test_a_refusal_of_the_whole_app_fails_the_job_in_both_modes(read, companies, registry):
    for id_, company in companies.items():
        registry.add(id_, company.settings() | {"client_secret": "PLANTED-wrong"}, replace=True)
    with pytest.raises(Exception, match="AUTHENTICATION_FAILED") as raised:
        read(entity="Invoice", on_error="report", run="r").collect()
    assert "PLANTED" not in str(raised.value)


def test_without_a_run_the_status_tests_each_company_with_one_call(read, companies, quickbooks):
    quickbooks.revoke_grants(companies["birch"].realm_id)
    rows = {row.connection: row for row in read("quickbooks_status").collect()}
    assert {id_: (row.status, row.code) for id_, row in rows.items()} == {
        "acme": ("succeeded", None),
        "birch": ("failed", "REAUTHORIZATION_REQUIRED"),
        "cedar": ("succeeded", None),
    }
    assert (rows["acme"].api_calls, rows["acme"].entity) == (1, None)


def test_an_empty_registry_is_an_error(read, tmp_path):
    with pytest.raises(Exception, match="There are no connections in folder"):
        read(entity="Term", registry=str(tmp_path / "none")).collect()
