"""Databases and files that a dlt pipeline loads into, read by their own clients; and books to compare them with."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

# dlt reads it when it is imported.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import duckdb
import psycopg

from vantage_quickbooks.adapters.dlt import LoadReport, quickbooks_source

# Of records that exist, in files that keep every version of a row.
CURRENT = """
    (SELECT * EXCLUDE (version_rank) FROM (
        SELECT *, rank() OVER (PARTITION BY realm_id, {key} ORDER BY _dlt_load_id DESC) AS version_rank
        FROM read_parquet('{files}', union_by_name = true)
    ) WHERE version_rank = 1 AND _deleted_at IS NULL AND _removed IS NULL)
"""


class DuckDB:
    """A DuckDB file."""

    def __init__(self, folder):
        self.path = folder / "books.duckdb"
        self.url = f"duckdb:///{self.path}"
        self.file_format = None

    def destination(self):
        return dlt.destinations.duckdb(str(self.path))

    def query(self, sql, table, key="id"):
        del key
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql.format(table=f"quickbooks.{table}")).fetchall()

    def types(self, table):
        with duckdb.connect(str(self.path)) as connection:
            return {row[0]: row[1] for row in connection.execute(f"DESCRIBE quickbooks.{table}").fetchall()}

    def tables(self):
        with duckdb.connect(str(self.path)) as connection:
            found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'quickbooks'")
            return {name for (name,) in found.fetchall()}


class PostgreSQL:
    """A PostgreSQL database."""

    def __init__(self, url):
        self.url = url.replace("postgresql+psycopg://", "postgresql://")
        self.file_format = None

    def destination(self):
        return dlt.destinations.postgres(self.url)

    def query(self, sql, table, key="id"):
        del key
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.format(table=f"quickbooks.{table}")).fetchall()

    def types(self, table):
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns "
                "WHERE table_schema = 'quickbooks' AND table_name = %s",
                [table],
            ).fetchall()
        return {name: f"{kind}({digits},{scale})" if digits else kind for name, kind, digits, scale in rows}


class Parquet:
    """A directory of Parquet files, in which every version of a record stays."""

    def __init__(self, folder):
        self.folder = folder / "books"
        self.url = f"file://{self.folder}"
        self.file_format = "parquet"

    def destination(self):
        return dlt.destinations.filesystem(self.url)

    def query(self, sql, table, key="id"):
        files = f"{self.folder}/quickbooks/{table}/*.parquet"
        with duckdb.connect() as connection:
            return connection.execute(sql.format(table=CURRENT.format(files=files, key=key))).fetchall()


class Copy:
    """A copy of companies: loads them, each time by a pipeline without any state of its own on this machine."""

    def __init__(self, warehouse, tmp_path, **arguments):
        self.warehouse = warehouse
        self.tmp_path = tmp_path
        self.arguments = arguments
        self.loads = 0

    def pipeline(self):
        self.loads += 1
        return dlt.pipeline(
            "books",
            pipelines_dir=str(self.tmp_path / f"pipeline-{self.loads}"),
            destination=self.warehouse.destination(),
            dataset_name="quickbooks",
        )

    def load(self, connections, *, select=(), refresh=None, packages=100, **arguments):
        """Load until there is no more, or so many packages; return the report."""
        report = LoadReport()
        source = quickbooks_source(connections, report=report, **(self.arguments | arguments))
        if select:
            source = source.with_resources(*select)
        for _ in range(packages):
            self.pipeline().run(source, loader_file_format=self.warehouse.file_format, refresh=refresh)
            if not report.has_more:
                break
        return report

    def records(self, table, columns="id, sync_token, balance", realm=None):
        where = "" if realm is None else f" WHERE realm_id = '{realm}'"
        return sorted(self.warehouse.query(f"SELECT {columns} FROM {{table}}{where}", table))  # noqa: S608 -- our words


def books(emulator, entity, *keys, realm=None):
    """Return what the emulator holds of an entity, sorted, without a request; amounts are decimals."""
    company = emulator.company(realm)
    with company.store.reading() as reader:
        rows = reader.execute(
            "SELECT body FROM body JOIN record USING (row) JOIN kind USING (kind) WHERE realm = ? AND entity = ?",
            (company.realm, entity),
        ).fetchall()
    records = [json.loads(body, parse_float=Decimal) for (body,) in rows]
    return sorted((tuple(_amount(record.get(key)) for key in keys) for record in records), key=lambda row: str(row[0]))


def _amount(value):
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def files_of(folder):
    """Return the names of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())
