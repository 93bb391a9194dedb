"""Schemas of the frames: of one entity, of the change table of several, and of the companies' status.

The types of an entity's columns are those of `Connection.dataframe` (`sync.arrow`); pyspark's own conversion makes
Spark's types of them. Batches are converted to the exact Arrow schema that Spark expects, without copying columns.
"""

from __future__ import annotations

import difflib
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from vantage_quickbooks.adapters.spark.options import option_error
from vantage_quickbooks.catalog.change_batches import ChangeBatches
from vantage_quickbooks.catalog.columns import typed_members
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
from vantage_quickbooks.sync.arrow import schema_of
from vantage_quickbooks.sync.arrow_columns import Node

if TYPE_CHECKING:
    from vantage_quickbooks.catalog.resource import Resource

__all__ = [
    "CHANGE_SCHEMA",
    "STATUS_SCHEMA",
    "arrow_schema",
    "check_schema",
    "columns_needed",
    "entity_change_schema",
    "entity_schema",
    "fit",
]

CHANGE_SCHEMA = StructType(
    [
        StructField("realm_id", StringType(), nullable=False),
        StructField("entity", StringType(), nullable=False),
        StructField("id", StringType()),
        StructField("sync_token", StringType()),
        StructField("updated", TimestampType()),
        StructField("deleted", BooleanType()),
        StructField("record", StringType()),
        StructField("_change_type", StringType(), nullable=False),
        StructField("_commit_time", TimestampType()),
    ]
)
"""The change table of one or several entities, the same for batches and streams (Spark asks for the schema before it
says which of them it is). `record` is the record's JSON; `_commit_time` is when QuickBooks was asked.

| `_change_type` | The row says |
|---|---|
| `upsert` | The record exists, and may have been created or changed |
| `delete` | It was deleted; `deleted` is true, and `record` is null |
| `exists` | It exists and did not change; `record` is null. Only beside `complete` |
| `complete` | Without an id: this read, or in a stream a later batch, has a row for each record of this company and
  entity that exists; any other one was deleted. QuickBooks could not list the deletions |
"""

STATUS_SCHEMA = StructType(
    [
        StructField("connection", StringType(), nullable=False),
        StructField("realm_id", StringType()),
        StructField("company", StringType()),
        StructField("entity", StringType()),
        StructField("status", StringType(), nullable=False),
        StructField("code", StringType()),
        StructField("message", StringType()),
        StructField("hint", StringType()),
        StructField("retryable", BooleanType()),
        StructField("intuit_tid", StringType()),
        StructField("retry_at", TimestampType()),
        StructField("not_read", ArrayType(StringType())),
        StructField("records", LongType()),
        StructField("api_calls", LongType()),
        StructField("metered_calls", LongType()),
        StructField("attempt", IntegerType()),
        StructField("finished_at", TimestampType()),
    ]
)
"""One row for each company and read of a run."""


@cache
def entity_schema(entity: str) -> StructType:
    """Return the schema of an entity's frame: `realm_id`, `company`, and the columns of its records."""
    found = schema_of(*typed_members(SYNC_ENTITIES[entity]), is_selection=False)
    return from_arrow_schema(
        pa.schema([field.with_name("company") if field.name == "company_name" else field for field in found])
    )


@cache
def entity_change_schema(entity: str) -> StructType:
    """Return the schema of a stream of one entity: its columns, null but for `upsert`, and what the row says.

    Rows of other kinds have `realm_id`, `company` and `Id`; see `CHANGE_SCHEMA`. What depends on today's date is left
    out, because a stream has no row for a day on which nothing changes.
    """
    batches = ChangeBatches(SYNC_ENTITIES[entity], realm_id="", company_name=None, typed_lists=True)
    fields = [field.with_nullable(field.name != "realm_id") for field in batches.schema]
    return StructType(
        [
            *from_arrow_schema(pa.schema(fields)).fields,
            *(CHANGE_SCHEMA[name] for name in ("_change_type", "_commit_time")),
        ]
    )


_UTC: dict[str, Any] = {"timezone": "UTC"} if "timezone" in signature(to_arrow_schema).parameters else {}
"""Spark 4.0 has no such argument, and takes UTC."""


def arrow_schema(schema: StructType) -> pa.Schema:
    """Return the Arrow schema that Spark expects of the batches of a frame."""
    return to_arrow_schema(schema, **_UTC)


_COLUMNS_HINT = "Leave the schema out, and printSchema() shows the columns."


def check_schema(schema: StructType, offered: StructType) -> None:
    """Check a schema that the user has given: some of the columns, with their own types.

    Raises:
        InputError: There is no such column, or it has another type.
    """
    types = {field.name: field.dataType for field in offered}
    for field in schema:
        if field.name not in types:
            near = difflib.get_close_matches(field.name.lower(), [name.lower() for name in types], n=1)
            hint = f"Did you mean {next(name for name in types if name.lower() == near[0])}?" if near else _COLUMNS_HINT
            raise option_error("schema", f"There is no column {field.name[:60]!r}.", hint)
        if types[field.name] != field.dataType:
            raise option_error(
                "schema",
                f"The column {field.name} is {types[field.name].simpleString()}, not {field.dataType.simpleString()}.",
                "Use its own type, and cast afterwards.",
            )


def columns_needed(resource: Resource, schema: StructType) -> list[str] | None:
    """Return the properties to read for the columns of a schema; None means all."""
    wanted = set(schema.fieldNames())
    if "_raw" in wanted:
        return None
    members = typed_members(resource, [known.name for known in resource.properties])[1]
    chosen = [member.key for member in members if wanted.intersection(field.name for field in Node(member).fields)]
    return ["Id", *(key for key in chosen if key != "Id")]


def fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of a batch that a schema has, typed as there; `company` is the batch's `company_name`."""
    names = set(batch.schema.names)
    columns = [batch.column(field.name if field.name in names else "company_name").cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
