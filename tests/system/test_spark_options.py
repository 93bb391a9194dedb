"""Options of the Spark formats, and the schemas that follow from them; no JVM is needed."""

from __future__ import annotations

import pickle

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructField, StructType

from vantage_quickbooks.adapters.spark.options import OPTIONS, SparkOptions
from vantage_quickbooks.adapters.spark.schema import check_schema, columns_needed, entity_schema
from vantage_quickbooks.catalog.columns import typed_members
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT, SYNC_ENTITIES
from vantage_quickbooks.errors import InputError
from vantage_quickbooks.sync.arrow import schema_of

GIVEN = {"entity": "Invoice"}


def test_options_are_parsed():
    options = SparkOptions.parse(
        {
            "ENTITY": "invoice",  # Spark changes the case of names
            "registry": "postgresql+psycopg://reader@db.example.com/books?passfile=/run/pgpass",
            "connections": " acme, north-* ",
            "updated_since": "2026-05-01T00:00:00Z",
            "bundle_size": "20",
            "concurrency": "4",
            "max_api_calls": "",
            "on_error": "REPORT",
            "run": "nightly",
        },
        "batch",
    )
    assert options == SparkOptions(
        entity=("Invoice",),
        registry="postgresql+psycopg://reader@db.example.com/books?passfile=/run/pgpass",
        connections=("acme", "north-*"),
        updated_since="2026-05-01T00:00:00Z",
        bundle_size=20,
        concurrency=4,
        on_error="report",
        run="nightly",
    )
    assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 -- as Spark does


@pytest.mark.parametrize(
    ("text", "is_change_table", "names"),
    [
        ("Invoice", False, ["Invoice"]),
        ("invoice, CUSTOMER", True, ["Invoice", "Customer"]),
        ("*", True, [resource.entity for resource in SYNC_DEFAULT]),
    ],
)
def test_an_entity_is_a_frame_and_several_are_a_change_table(text, is_change_table, names):
    options = SparkOptions.parse({"entity": text}, "batch")
    assert (options.is_change_table, [resource.entity for resource in options.resources]) == (is_change_table, names)
    assert SparkOptions.parse({"entity": text, "changes": "true"}, "stream").is_change_table


@pytest.mark.parametrize(
    ("given", "usage", "expected"),
    [
        ({}, "batch", "Option entity: It is missing. Add .option('entity', 'Invoice'), or '*' for all."),
        ({"entity": "Invoces"}, "batch", "Option entity: There is no entity 'Invoces'. Did you mean Invoice?"),
        ({"entity": "xyz"}, "batch", "There is no entity 'xyz'. Use Invoice, Customer or * for all."),
        ({"entity": ","}, "batch", "Option entity: No entity is named."),
        ({"entity": "ExchangeRate"}, "batch", "Option entity: ExchangeRate has no frame of its own"),
        (GIVEN | {"conections": "a"}, "batch", "Option conections: There is no such option. Did you mean connections?"),
        (GIVEN | {"zzz": "a"}, "batch", "Option zzz: There is no such option. The options are entity, registry,"),
        (GIVEN | {"path": "/x"}, "batch", "Option path: There is no path to load. Use load() without arguments"),
        (GIVEN | {"run": "x"} | {"updated_since": "1"}, "batch", "Option updated_since: It is not an instant"),
        (GIVEN | {"updated_since": "2026-05-01"}, "batch", "Write it like 2026-05-31T00:00:00Z."),
        (GIVEN | {"bundle_size": "0"}, "batch", "Option bundle_size: It is not a whole number from 1."),
        (GIVEN | {"max_api_calls": "1.5"}, "batch", "Option max_api_calls: It is not a whole number from 1."),
        (
            GIVEN | {"on_error": "ignore"},
            "batch",
            "Option on_error: It is not one of fail, report. Use fail or report.",
        ),
        (GIVEN | {"on_error": "report"}, "batch", "Option run: It is missing: on_error=report stores what failed"),
        (GIVEN | {"run": "a b"}, "batch", "Option run: It is not a name."),
        (GIVEN | {"connections": ","}, "batch", "Option connections: It does not name connections."),
        (GIVEN | {"connections": "a/b"}, "batch", "Write ids or patterns, separated by commas: acme,north-*."),
        ({"entity": "*", "changes": "false"}, "batch", "Option changes: Several entities have no columns in common."),
        (GIVEN | {"input": "status"}, "batch", "Option input: It is not a JSON object. Write it like"),
        (GIVEN | {"input": '{"statu": "paid"}'}, "batch", "listInvoices has no filter 'statu'. Did you mean status?"),
        (GIVEN | {"input": '{"all": true}'}, "batch", "has no filter 'all'. Use some of: customer_id,"),
        (GIVEN | {"input": '{"status": "late"}'}, "batch", "Option input: "),
        ({"entity": "*", "input": '{"a": 1}'}, "batch", "Option input: The change table has no filters."),
        (GIVEN | {"changes": "1"}, "batch", "Option changes: It is not one of true, false, columns."),
        (GIVEN | {"changes": "columns"}, "batch", "Option changes: columns is for spark.readStream."),
        (GIVEN, "stream", "Option changes: A stream is a change table. Add .option('changes', 'true'), or"),
        ({"entity": "Invoice"}, "status", "Option entity: It is not for quickbooks_status. Leave it out."),
    ],
)
def test_an_option_that_is_wrong_is_named_with_what_to_do(given, usage, expected):
    with pytest.raises(InputError) as raised:
        SparkOptions.parse(given, usage)
    assert expected in raised.value.message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://user:PLANTED@db/books",
        "postgresql+psycopg://db/books?user=me&password=PLANTED",
        "postgresql+psycopg://db/books?sslpassword=PLANTED",
        "mysql+pymysql://:PLANTED@db/books",
        "postgresql://[PLANTED",
        "mysql+pymysql://db/books?passwd=PLANTED",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dme%3BPwd%3DPLANTED",
        "postgresql+psycopg:///?conninfo=host%3Ddb%20password%20%3D%20PLANTED",
        "host=db dbname=books password=PLANTED",
    ],
)
def test_a_registry_with_a_password_is_refused_and_not_repeated(url):
    with pytest.raises(InputError, match="Option registry") as raised:
        SparkOptions.parse(GIVEN | {"registry": url}, "batch")
    assert "PLANTED" not in str(raised.value)


def test_each_option_is_an_attribute():
    assert [option.name for option in OPTIONS] == list(SparkOptions.__dataclass_fields__)


@pytest.mark.parametrize("entity", SYNC_ENTITIES)
def test_the_schema_is_that_of_the_column_path(entity):
    """pyspark converts the types back to exactly those of the batches, so no value is converted on the way."""
    expected = schema_of(*typed_members(SYNC_ENTITIES[entity]), is_selection=False)
    found = entity_schema(entity)
    assert to_arrow_schema(found, timezone="UTC").types == expected.types
    assert found.fieldNames() == [name.replace("company_name", "company") for name in expected.names]
    assert len({name.lower() for name in found.fieldNames()}) == len(found)  # Spark ignores case


def test_a_schema_of_the_user_is_a_part_of_the_columns():
    whole = entity_schema("Invoice")
    part = StructType([whole["Balance"], whole["realm_id"], whole["customerName"]])
    check_schema(part, whole)
    assert columns_needed(SYNC_ENTITIES["Invoice"], part) == ["Id", "Balance"]
    assert columns_needed(SYNC_ENTITIES["Invoice"], whole) is None
    with pytest.raises(InputError, match=r"There is no column 'balance'\. Did you mean Balance\?"):
        check_schema(StructType([StructField("balance", StringType())]), whole)
    with pytest.raises(InputError, match=r"The column Balance is decimal\(19,4\), not bigint"):
        check_schema(StructType([StructField("Balance", LongType())]), whole)
