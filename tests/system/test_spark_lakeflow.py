"""The community connector of Databricks' framework: companies as tables of changes, deletes and snapshots."""

from __future__ import annotations

import importlib.util
import json
import pickle
import re
import sys
from pathlib import Path

import pytest
import yaml
from emulated_companies import books
from fixtures_spark import need_spark
from lakeflow_framework import Destination, check_table, drain, install_interface, parse, register
from registries import opener

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.registry import open_registry

PAGE = Path(__file__).parents[2] / "docs" / "lakeflow.md"
IDS = ("acme", "birch", "cedar")
REALMS = {id_: str(9_100_000_000_000_001 + number) for number, id_ in enumerate(IDS)}
LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
INVOICE = {"CustomerRef": {"value": "1"}, "Line": [LINE]}


@pytest.fixture(scope="module", autouse=True)
def _spark():
    need_spark()


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, invoices=30, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def companies(fresh_quickbooks, request, monkeypatch, tmp_path):
    """The emulator, with three companies in the registry of the environment."""
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_REGISTRY", str(tmp_path / "state" / "registry"))
    with opener("folder", request)() as registry:
        for id_, realm in REALMS.items():
            settings = {"realm_id": realm, "refresh_token": fresh_quickbooks.grant(realm)}
            registry.add(id_, fresh_quickbooks.settings() | settings, f"The {id_} company")
    return fresh_quickbooks


def connector(**options):
    from vantage_quickbooks.adapters.lakeflow import QuickBooksLakeflowConnect

    return QuickBooksLakeflowConnect(options)


class Pipeline:
    """A table that a pipeline keeps up to date, with a new connector in each run and an offset for each flow."""

    def __init__(self, table, options=None, **connection):
        self.table, self.options, self.connection = table, options or {}, connection
        self.offsets = {"upserts": {}, "deletes": {}}
        self.destination = Destination(connector(**connection), table)

    def run(self):
        for flow, method, apply in (
            ("upserts", "read_table", self.destination.upsert),
            ("deletes", "read_table_deletes", self.destination.delete),
        ):
            read = getattr(connector(**self.connection), method)
            batches, self.offsets[flow] = drain(read, self.table, self.offsets[flow], self.options)
            apply(batches)

    def ids(self, id_):
        return {key[1] for key in self.destination.rows if key[0] == REALMS[id_]}


def api_calls(emulator, realm=None):
    return [
        found for found in emulator.requests() if "/v3/company/" in found["path"] and (realm or "") in found["path"]
    ]


def test_the_form_of_the_page_offers_the_options_that_it_describes():
    """A parameter that connector_spec.yaml does not declare cannot be given."""
    page = PAGE.read_text()
    spec = yaml.safe_load(re.search(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1])

    def described(of):
        table = page.partition(f"| Option of {of} |")[2].partition("\n\n")[0]
        return {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1:2][0])}

    assert {parameter["name"] for parameter in spec["connection"]["parameters"]} == described("the connection")
    assert set(spec["external_options_allowlist"].split(",")) == described("a table")


# ---- the contract ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("companies")
def test_every_table_does_what_the_framework_expects():
    """Names, schemas, metadata, records, offsets: of all tables, for records and deletes."""
    tables = connector().list_tables()
    assert len(set(tables)) == len(tables) > 30
    for number, table in enumerate(tables):
        made = connector(connections=IDS[number % len(IDS)])  # each company allows ten calls a second
        check_table(made, table, made.read_table, {})
        if made.read_table_metadata(table, {})["ingestion_type"] == "cdc_with_deletes":
            check_table(made, table, made.read_table_deletes, {})


@pytest.mark.parametrize("call", ["get_table_schema", "read_table_metadata", "read_table", "get_partitions"])
@pytest.mark.usefixtures("companies")
def test_an_unknown_table_is_refused_with_a_suggestion(call):
    made = connector()
    arguments = ("invoice", {}, {}) if call == "read_table" else ("invoice", {})
    with pytest.raises(InputError, match=r"Did you mean .*invoices"):
        getattr(made, call)(*arguments)


@pytest.mark.parametrize("name", ["client_id", "client_secret", "refresh_token", "access_token"])
def test_credentials_are_not_options(name):
    with pytest.raises(InputError, match="registry") as raised:
        connector(**{name: "PLANTED"})
    assert "PLANTED" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connections": "acme,zulu"}, "zulu"),
        ({"on_error": "ignore"}, "fail or report"),
        ({"workers": "-1"}, "whole number"),
    ],
)
@pytest.mark.usefixtures("companies")
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(InputError, match=message):
        connector(**options).read_table("invoices", {}, {})


def test_the_file_works_in_their_repository(companies, monkeypatch):
    """Copied there, on its own, it extends their classes."""
    bases = install_interface(monkeypatch)
    from vantage_quickbooks.adapters import lakeflow

    name = "databricks.labs.community_connector.sources.quickbooks.quickbooks"
    spec = importlib.util.spec_from_file_location(name, lakeflow.__file__)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    made = module.QuickBooksLakeflowConnect({"connections": "acme"})
    assert isinstance(made, bases)
    assert made.given == {"connections": "acme"}
    records, _ = made.read_table("invoices", {}, {})
    assert {record["Id"] for record in records} == books(companies, REALMS["acme"], "Invoice").keys()


# ---- a pipeline ------------------------------------------------------------------------------------------------------


def test_the_table_equals_the_books_after_edits_and_deletions(companies):
    """Of all companies, in runs that are apart, each flow with an offset of its own."""
    pipeline = Pipeline("invoices")
    pipeline.run()
    for id_, realm in REALMS.items():
        assert pipeline.ids(id_) == books(companies, realm, "Invoice").keys()
    realm = REALMS["birch"]
    dropped = sorted(books(companies, realm, "Invoice"))[:3]
    for number in dropped:
        companies.delete("Invoice", number, realm)
    made = companies.create("Invoice", INVOICE, realm)
    changed = companies.read("Invoice", min(books(companies, realm, "Invoice")), realm)
    companies.update("Invoice", changed | {"PrivateNote": "changed", "sparse": True}, realm)
    pipeline.run()
    assert pipeline.ids("birch") == books(companies, realm, "Invoice").keys()
    assert made["Id"] in pipeline.ids("birch")
    assert pipeline.destination.rows[realm, changed["Id"]]["PrivateNote"] == "changed"


def test_a_record_that_is_deleted_while_the_first_run_reads_is_deleted(companies):
    """The deletes begin later than the records, and look back."""
    pipeline = Pipeline("invoices")
    batches, _ = drain(connector().read_table, "invoices", {})
    pipeline.destination.upsert(batches)
    number = min(pipeline.ids("acme"))
    companies.delete("Invoice", number, REALMS["acme"])
    batches, _ = drain(connector().read_table_deletes, "invoices", {})
    pipeline.destination.delete(batches)
    assert number not in pipeline.ids("acme")


def test_money_and_lines_have_their_types(companies):
    made = connector(connections="acme")
    records, _ = made.read_table("invoices", {}, {})
    row = parse(next(records), made.get_table_schema("invoices", {}))
    book = books(companies, REALMS["acme"], "Invoice")[row.Id]
    assert row.TotalAmt == book["TotalAmt"]
    assert row.Line[0].Amount == book["Line"][0]["Amount"]
    assert json.loads(row._raw)["Id"] == row.Id
    assert (row.realm_id, row.company) == (REALMS["acme"], "The acme company")


def test_a_run_after_which_nothing_changed_takes_one_call_for_each_company(companies):
    _, offset = drain(connector().read_table, "invoices", {})
    before = len(api_calls(companies))
    batches, _ = drain(connector().read_table, "invoices", offset)
    assert [record for batch in batches for record in batch] == []
    assert len(api_calls(companies)) - before == len(IDS)


def test_one_call_serves_both_flows_that_share_an_offset(companies):
    """A program that keeps one offset pays once; whichever flow comes first."""
    _, offset = drain(connector().read_table, "invoices", {})
    companies.delete("Invoice", min(books(companies, REALMS["acme"], "Invoice")), REALMS["acme"])
    companies.create("Invoice", INVOICE, REALMS["acme"])
    for order in (("read_table", "read_table_deletes"), ("read_table_deletes", "read_table")):
        made, before = connector(), len(api_calls(companies))
        found = {name: getattr(made, name)("invoices", offset, {}) for name in order}
        assert len(api_calls(companies)) - before == len(IDS)
        assert found["read_table"][1] == found["read_table_deletes"][1]
        assert [len(list(found[name][0])) for name in ("read_table", "read_table_deletes")] == [1, 1]


def test_a_batch_has_no_more_than_the_limit_and_a_page(companies):
    """The rest comes with the next calls; nothing is read twice."""
    made = connector(workers="1")
    before = len(api_calls(companies))
    batches, _ = drain(made.read_table, "invoices", {}, {"max_records_per_batch": "10"})
    assert len(batches) == len(IDS)
    assert all(len({record["realm_id"] for record in batch}) == 1 for batch in batches)
    paged = len(api_calls(companies)) - before
    drain(connector(workers="1").read_table, "invoices", {})
    assert len(api_calls(companies)) - before == 2 * paged


def test_changes_that_come_during_a_run_are_left_to_the_next(companies):
    """Otherwise a stream of what is available now would not end while people work."""
    made = connector()
    _, offset = drain(made.read_table, "invoices", {})
    companies.create("Invoice", INVOICE, REALMS["acme"])
    assert drain(made.read_table, "invoices", offset) == ([], offset)
    batches, _ = drain(pickle.loads(pickle.dumps(made)).read_table, "invoices", offset)  # noqa: S301 -- ours
    assert sum(map(len, batches)) == 1


def test_one_table_of_all_changes_costs_one_call_for_each_company(companies):
    pipeline = Destination(connector(), "changes")
    batches, offset = drain(connector().read_table, "changes", {})
    pipeline.upsert(batches)
    realm = REALMS["cedar"]
    number = min(books(companies, realm, "Invoice"))
    companies.delete("Invoice", number, realm)
    companies.create("Customer", {"DisplayName": "New"}, realm)
    before = len(api_calls(companies))
    batches, _ = drain(connector().read_table, "changes", offset)
    assert len(api_calls(companies)) - before == len(IDS)
    pipeline.upsert(batches)
    kept = {key[1:] for key, row in pipeline.rows.items() if key[0] == realm and not row["deleted"]}
    for entity in ("Invoice", "Customer"):
        assert {key[1] for key in kept if key[0] == entity} == books(companies, realm, entity).keys()
    assert pipeline.rows[realm, "Invoice", number]["deleted"] is True


def disconnect(emulator, id_):
    """Do what a user does who disconnects the app from a company."""
    emulator.revoke_grants(REALMS[id_])
    emulator.expire_access_tokens()


def reconnect(emulator, id_):
    """Connect a company again."""
    with open_registry() as registry:
        settings = registry.load(id_) | {"refresh_token": emulator.grant(REALMS[id_])}
        registry.add(id_, settings, f"The {id_} company", replace=True)


def test_a_company_with_two_connections_is_read_once(companies, caplog):
    with open_registry() as registry:
        registry.add("zulu", registry.load("acme"))
    records, offset = connector(connections="acme,zulu").read_table("invoices", {}, {})
    assert len(list(records)) == len(books(companies, REALMS["acme"], "Invoice"))
    assert offset.keys() == {"acme"}
    assert "zulu is left out: acme is a connection of the same company." in caplog.messages


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_company_that_fails_does_not_hold_up_the_others(companies):
    """They are committed first; then the stream fails, and the next run catches up with the company."""
    from vantage_quickbooks.adapters.lakeflow import CompanyFailedError

    _, offset = drain(connector().read_table, "invoices", {})
    for realm in REALMS.values():
        companies.create("Invoice", INVOICE, realm)
    disconnect(companies, "birch")
    made = connector()
    records, following = made.read_table("invoices", offset, {})
    assert {record["realm_id"] for record in records} == {REALMS["acme"], REALMS["cedar"]}
    assert following["birch"] == offset["birch"]
    with pytest.raises(CompanyFailedError, match="birch: "):
        made.read_table("invoices", following, {})
    reconnect(companies, "birch")
    batches, _ = drain(connector().read_table, "invoices", following)
    assert [record["realm_id"] for batch in batches for record in batch] == [REALMS["birch"]]


def test_a_company_that_fails_is_logged_and_tried_again_in_the_next_run(companies, caplog):
    """With on_error=report."""
    _, offset = drain(connector().read_table, "invoices", {})
    companies.create("Invoice", INVOICE, REALMS["birch"])
    disconnect(companies, "birch")
    batches, offset = drain(connector(on_error="report").read_table, "invoices", offset)
    assert sum(map(len, batches)) == 0
    assert [record.message for record in caplog.records if record.message.startswith("birch: ")] != []
    reconnect(companies, "birch")
    batches, _ = drain(connector(on_error="report").read_table, "invoices", offset)
    assert [record["realm_id"] for batch in batches for record in batch] == [REALMS["birch"]]


def test_deletes_that_fail_at_first_are_found_by_the_next_run(companies):
    """The deletes of a company begin when they were first asked for, not when that first worked."""
    from vantage_quickbooks.adapters.lakeflow import CompanyFailedError

    disconnect(companies, "birch")
    made = connector(connections="birch")
    _, offset = made.read_table_deletes("invoices", {}, {})
    with pytest.raises(CompanyFailedError, match="birch: "):
        made.read_table_deletes("invoices", offset, {})
    reconnect(companies, "birch")
    number = min(books(companies, REALMS["birch"], "Invoice"))
    companies.delete("Invoice", number, REALMS["birch"])
    batches, _ = drain(connector(connections="birch").read_table_deletes, "invoices", offset, {"delete_lookback": "1"})
    assert [record["Id"] for batch in batches for record in batch] == [number]


def test_deletes_that_quickbooks_cannot_list_are_an_error_that_says_what_to_do(companies):
    """A run more than 29 days later: change data capture does not reach back."""
    from vantage_quickbooks.adapters.lakeflow import CompanyFailedError

    _, offset = drain(connector(connections="acme").read_table_deletes, "invoices", {})
    companies.delete("Invoice", min(books(companies, REALMS["acme"], "Invoice")), REALMS["acme"])
    companies.advance(35 * 86_400)
    with pytest.raises(CompanyFailedError, match="ingestion_type to snapshot"):
        connector(connections="acme").read_table_deletes("invoices", offset, {})


# ---- snapshots and partitions ----------------------------------------------------------------------------------------


def test_partitions_have_each_company_once_and_all_of_its_records(companies):
    made = connector(bundle_size="2")
    partitions = made.get_partitions("tax_codes", {})
    assert sorted(id_ for part in partitions for id_ in part["connections"].split(",")) == sorted(IDS)
    assert len(partitions) == 2
    found = [(row["realm_id"], row["Id"]) for part in partitions for row in made.read_partition("tax_codes", part, {})]
    expected = [(realm, key) for realm in REALMS.values() for key in books(companies, realm, "TaxCode")]
    assert sorted(found) == sorted(expected)


def test_a_snapshot_without_one_of_the_companies_fails(companies):
    """Even with on_error=report: the framework would delete what is missing."""
    from vantage_quickbooks.adapters.lakeflow import CompanyFailedError

    disconnect(companies, "birch")
    records, _ = connector(on_error="report").read_table("tax_codes", {}, {})
    with pytest.raises(CompanyFailedError, match="birch: "):
        list(records)


def test_a_table_of_changes_can_be_a_snapshot(companies):
    made, options = connector(), {"ingestion_type": "snapshot"}
    assert made.read_table_metadata("invoices", options) == {
        "primary_keys": ["realm_id", "Id"],
        "ingestion_type": "snapshot",
    }
    assert "_sequence" not in made.get_table_schema("invoices", options).names
    records, offset = made.read_table("invoices", {}, options)
    assert offset is None
    first = {(record["realm_id"], record["Id"]): record for record in records}
    again = {(record["realm_id"], record["Id"]): record for record in made.read_table("invoices", {}, options)[0]}
    assert first == again  # a row that did not change is the same row
    assert len(first) == sum(len(books(companies, realm, "Invoice")) for realm in REALMS.values())


# ---- in Spark --------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_spark(spark, companies, tmp_path):
    """Return readers for a table: of a batch, and of a stream that has what is available now in a folder."""
    register(spark)
    options = {
        "registry": str(tmp_path / "state" / "registry"),
        "token_store": str(tmp_path / "tokens.sqlite3"),
        "bundle_size": "1",
    }

    def batch(table):
        return spark.read.format("lakeflow_connect").options(**options, tableName=table).load()

    def stream(table, flow):
        place = tmp_path / flow
        more = {"isDeleteFlow": "true"} if flow == "deletes" else {}
        changes = spark.readStream.format("lakeflow_connect").options(**options, tableName=table, **more).load()
        output = changes.writeStream.trigger(availableNow=True).option("checkpointLocation", f"{place}-checkpoint")
        query = output.format("parquet").start(str(place))
        try:
            assert query.awaitTermination(120)
        finally:
            query.stop()
        return spark.read.schema(changes.schema).parquet(str(place))

    assert companies
    return batch, stream


def test_streams_of_spark_keep_a_table_equal_to_the_books(companies, in_spark):
    """In two runs over a checkpoint, with columns that Parquet files keep."""
    _, stream = in_spark
    realm = REALMS["birch"]
    stream("invoices", "upserts")
    companies.delete("Invoice", min(books(companies, realm, "Invoice")), realm)
    companies.create("Invoice", INVOICE, realm)
    gone = {(row.realm_id, row.Id): row._sequence for row in stream("invoices", "deletes").collect()}
    rows = {}
    for row in stream("invoices", "upserts").orderBy("_sequence").collect():
        rows[row.realm_id, row.Id] = row
    kept = {key: row.TotalAmt for key, row in rows.items() if gone.get(key, "") < row._sequence}
    assert kept == {
        (realm, key): record["TotalAmt"]
        for realm in REALMS.values()
        for key, record in books(companies, realm, "Invoice").items()
    }
    assert len(gone) == 1


def test_executors_read_the_partitions_of_a_snapshot(companies, in_spark):
    """A task for each bundle."""
    batch, _ = in_spark
    frame = batch("tax_codes")
    assert frame.rdd.getNumPartitions() == len(IDS)
    expected = [(realm, key) for realm in REALMS.values() for key in books(companies, realm, "TaxCode")]
    assert sorted((row.realm_id, row.Id) for row in frame.collect()) == sorted(expected)
