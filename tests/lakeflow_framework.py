"""What Databricks' community connectors do with a connector, as their sources describe it: parse, page, and check.

Source: https://github.com/databrickslabs/lakeflow-community-connectors, `libs/utils.py` (how a value becomes one of its
column's type), `sparkpds/lakeflow_datasource.py` (who calls what with which offset) and
`tests/unit/sources/test_suite.py` (what every connector has to do).
"""

from __future__ import annotations

import abc
import json
import sys
import types
from datetime import date, datetime
from decimal import Decimal

INTERFACE = "databricks.labs.community_connector.interface"


def install_interface(monkeypatch):
    """Offer modules with the names and abstract methods of their interface; return the two classes."""

    class LakeflowConnect(abc.ABC):
        def __init__(self, options):
            self.given = options

        @abc.abstractmethod
        def list_tables(self): ...

        @abc.abstractmethod
        def get_table_schema(self, table_name, table_options): ...

        @abc.abstractmethod
        def read_table_metadata(self, table_name, table_options): ...

        @abc.abstractmethod
        def read_table(self, table_name, start_offset, table_options): ...

        def read_table_deletes(self, table_name, start_offset, table_options):
            raise NotImplementedError

    class SupportsPartition(abc.ABC):
        @abc.abstractmethod
        def get_partitions(self, table_name, table_options): ...

        @abc.abstractmethod
        def read_partition(self, table_name, partition, table_options): ...

    parts = INTERFACE.split(".")
    for depth in range(1, len(parts) + 1):
        module = types.ModuleType(".".join(parts[:depth]))
        module.__path__ = []
        monkeypatch.setitem(sys.modules, module.__name__, module)
    sys.modules[INTERFACE].LakeflowConnect = LakeflowConnect
    sys.modules[INTERFACE].SupportsPartition = SupportsPartition
    return LakeflowConnect, SupportsPartition


# ---- values ----------------------------------------------------------------------------------------------------------


def parse(value, kind):
    """Return a JSON value as its column's type has it.

    Raises:
        ValueError: It is none.
    """
    if value is None:
        return None
    name = type(kind).__name__
    if name == "StructType":
        return _struct(value, kind)
    if name == "ArrayType":
        if not isinstance(value, list):
            raise ValueError(f"{value!r} is not a list")
        return [parse(member, kind.elementType) for member in value]
    return _PARSERS[name](value)


def _struct(value, kind):
    from pyspark.sql import Row

    if not isinstance(value, dict) or not value:
        raise ValueError(f"{value!r} is not an object with members")
    missing = [field.name for field in kind if not field.nullable and value.get(field.name) is None]
    if missing:
        raise ValueError(f"{missing} must not be null")
    return Row(**{field.name: parse(value.get(field.name), field.dataType) for field in kind})


def _types(kind):
    """Return the names of the plain types in a type."""
    if hasattr(kind, "elementType"):
        return _types(kind.elementType)
    if hasattr(kind, "fields"):
        return set().union(*(_types(field.dataType) for field in kind))
    return {type(kind).__name__}


def _long(value):
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(f"{value!r} is not an integer")
    return int(value)


def _boolean(value):
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not a boolean")
    return value


def _string(value):
    if not isinstance(value, str):  # their parser would take the text of a list as Python writes it
        raise ValueError(f"{value!r} is not a text")
    return value


_PARSERS = {
    "StringType": _string,
    "LongType": _long,
    "DecimalType": lambda value: Decimal(str(value)),
    "BooleanType": _boolean,
    "DateType": date.fromisoformat,
    "TimestampType": datetime.fromisoformat,
}
"""A type that is not here is one that connectors should not use, such as IntegerType."""


# ---- streams ---------------------------------------------------------------------------------------------------------


def drain(read, table, offset, options=None):
    """Read until the offset stays as it is, as a stream does; return the records of each batch, and the last offset."""
    batches = []
    for _ in range(50):
        records, following = read(table, offset, options or {})
        records = list(records)
        following = json.loads(json.dumps(following))
        if following == offset:
            assert records == []  # they would be lost
            return batches, following
        batches.append(records)
        offset = following
    raise AssertionError("the offset never settles")


class Destination:
    """A table into which changes are merged by key; an older version replaces no newer one."""

    def __init__(self, connector, table):
        metadata = connector.read_table_metadata(table, {})
        self.keys, self.cursor = metadata["primary_keys"], metadata["cursor_field"]
        self.rows, self.versions = {}, {}

    def upsert(self, batches):
        for key, record in self._newer(batches):
            self.rows[key] = record

    def delete(self, batches):
        for key, _ in self._newer(batches):
            self.rows.pop(key, None)

    def _newer(self, batches):
        for record in (record for batch in batches for record in batch):
            key = tuple(record[name] for name in self.keys)
            if record[self.cursor] > self.versions.get(key, ""):
                self.versions[key] = record[self.cursor]
                yield key, record


# ---- Spark -----------------------------------------------------------------------------------------------------------


def register(spark):  # noqa: C901 -- classes in a function travel to the workers by value
    """Register the format `lakeflow_connect`, which calls the connector as the framework's own data source does."""
    from pyspark import cloudpickle
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition, SimpleDataSourceStreamReader

    from vantage_quickbooks.adapters.lakeflow import QuickBooksLakeflowConnect

    class BatchReader(DataSourceReader):
        def __init__(self, made, schema, options):
            self.made, self.schema, self.options = made, schema, options

        def partitions(self):
            found = self.made.get_partitions(self.options["tableName"], self.options)
            return [InputPartition(json.dumps(part)) for part in found]

        def read(self, partition):
            part = json.loads(partition.value)
            records = self.made.read_partition(self.options["tableName"], part, self.options)
            return (parse(record, self.schema) for record in records)

    class StreamReader(SimpleDataSourceStreamReader):
        def __init__(self, made, schema, options):
            self.schema, self.options = schema, options
            self.read_records = made.read_table_deletes if options.get("isDeleteFlow") == "true" else made.read_table

        def initialOffset(self):  # noqa: N802 -- Spark's name
            return {}

        def read(self, start):
            records, offset = self.read_records(self.options["tableName"], start, self.options)
            return iter([parse(record, self.schema) for record in records]), offset

        def readBetweenOffsets(self, start, end):  # noqa: ARG002, N802 -- Spark's signature
            return self.read(start)[0]

    class Source(DataSource):
        def __init__(self, options):
            self.options = options
            self.made = QuickBooksLakeflowConnect(options)

        @classmethod
        def name(cls):
            return "lakeflow_connect"

        def schema(self):
            return self.made.get_table_schema(self.options["tableName"], self.options)

        def reader(self, schema):
            return BatchReader(self.made, schema, self.options)

        def simpleStreamReader(self, schema):  # noqa: N802 -- Spark's name
            return StreamReader(self.made, schema, self.options)

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers know no modules of tests
    try:
        spark.dataSource.register(Source)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


# ---- the checks ------------------------------------------------------------------------------------------------------


def check_table(connector, table, read, options):
    """Check what every connector has to do for a table; return the records of its first call."""
    schema = connector.get_table_schema(table, options)
    names = [field.name for field in schema]
    assert names
    assert len({name.lower() for name in names}) == len(names)
    assert _types(schema) <= _PARSERS.keys()
    metadata = connector.read_table_metadata(table, options)
    assert metadata["ingestion_type"] in {"snapshot", "cdc", "cdc_with_deletes", "append"}
    assert set(metadata["primary_keys"]) <= set(names)
    if metadata["ingestion_type"] != "snapshot":
        assert metadata["cursor_field"] in names
    records, offset = read(table, {}, options)
    records = list(records)
    assert (offset is None) == (metadata["ingestion_type"] == "snapshot")
    needed = [*metadata["primary_keys"], *filter(None, [metadata.get("cursor_field")])]
    for record in records:
        assert json.loads(json.dumps(record)) == record
        assert record.keys() <= set(names)
        assert [name for name in needed if record.get(name) is None] == []
        parse(record, schema)
    if offset is not None:
        again = read(table, json.loads(json.dumps(offset)), options)
        assert isinstance(again[1], dict)
    return records
