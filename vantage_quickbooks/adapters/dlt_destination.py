"""dlt destinations by a URL or by dlt's name for them, and loads of a source into one of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import dlt

from vantage_quickbooks.errors import FieldError, InputError
from vantage_quickbooks.locks import FileLocks, LockTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlt.extract import DltSource

    from vantage_quickbooks.adapters.company_load import LoadReport

__all__ = ["Destination", "load", "parse_destination"]

_PIPELINE = "vantage_quickbooks"

_NAMES = (
    *("athena", "bigquery", "clickhouse", "databricks", "dremio", "duckdb", "ducklake", "fabric", "filesystem"),
    *("motherduck", "mssql", "postgres", "redshift", "snowflake", "sqlalchemy", "synapse"),
)
"""dlt's destinations that can be queried; its configuration and secrets say where each is."""

_FORMS = "duckdb:///FILE, postgresql://USER@HOST/DATABASE, file:///DIRECTORY (Parquet), or a name of dlt's"


class Destination(NamedTuple):
    """A destination.

    Attributes:
        made: dlt's object.
        text: What it is, without a password, for a person.
        secret: The password; "" if there is none.
        file_format: The format of the files to load; None for the destination's own.
        catalog: DuckDB's name for the database, which no schema in it may have; "" elsewhere.
    """

    made: Any
    text: str
    secret: str = ""
    file_format: Any = None
    catalog: str = ""

    def __repr__(self) -> str:
        return f"Destination({self.text!r})"


def parse_destination(text: str) -> Destination:
    """Return the destination that a text names.

    Raises:
        InputError: The destination is unknown.
    """
    name, is_url, rest = text.strip().partition("://")
    make = _URLS.get(name.split("+")[0]) if is_url else None
    if make is not None:
        return make(text.strip(), rest)
    if not is_url and name in _NAMES:
        return Destination(dlt.destination(name, destination_name=name), name, file_format=_FORMATS.get(name))
    shown = f"{name[:20]}://" if is_url else repr(name[:20])
    raise _wrong(f"There is no destination {shown}.", f"Use {_FORMS}: {', '.join(_NAMES)}.")


def _duckdb(_: str, rest: str) -> Destination:
    path = rest.removeprefix("/")
    if not rest.startswith("/") or not path or path == ":memory:" or path.endswith("/"):
        raise _wrong("duckdb:// does not name a file.", "Use duckdb:///FILE, or duckdb:////absolute/path/to/FILE.")
    file = Path(path).absolute()
    if not file.parent.is_dir():
        raise _wrong(f"The directory {file.parent} does not exist.", "Create it first.")
    return Destination(dlt.destinations.duckdb(str(file)), f"duckdb {path}", catalog=file.name.split(".")[0])


def _postgresql(text: str, _: str) -> Destination:
    parts = _split(text)
    if not parts.hostname or not parts.path.strip("/"):
        raise _wrong("The URL has no host or no database.", "Use postgresql://USER@HOST:PORT/DATABASE.")
    url = f"postgresql://{text.partition('://')[2]}"  # without a SQLAlchemy driver
    where = f"{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    return Destination(dlt.destinations.postgres(url), f"postgresql {where}", parts.password or "")


def _filesystem(text: str, _: str) -> Destination:
    parts = _split(text)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return Destination(dlt.destinations.filesystem(text), where, parts.password or "", "parquet")


_URLS: dict[str, Callable[[str, str], Destination]] = {
    "duckdb": _duckdb,
    "postgresql": _postgresql,
    "postgres": _postgresql,
    **dict.fromkeys(("file", "s3", "gs", "gcs", "az", "abfss"), _filesystem),
}
_FORMATS = {"filesystem": "parquet"}


def load(source: DltSource, report: LoadReport, destination: Destination, *, dataset: str, locks: Path) -> None:
    """Run a source until it is finished, a load package after the other.

    Nothing is kept on this machine: the state is in the destination, so a package that was not loaded, because the
    process was killed for example, is read again.

    Args:
        source: The source.
        report: Its report.
        destination: Where to load it.
        dataset: The dataset, a schema in SQL.
        locks: A directory for a lock file: one load into a dataset at a time.

    Raises:
        InputError: Another process loads into the dataset, or DuckDB cannot distinguish it from the database.
        PipelineStepFailed: See dlt.
    """
    if destination.catalog.lower() == dataset.lower():
        raise _wrong(
            f"The file and the dataset have the same name, {dataset}, and DuckDB cannot distinguish them.",
            "Choose another name for one of them, --dataset books for example.",
        )
    files = FileLocks(locks)
    try:
        lock = files.acquire(f"{destination.text} {dataset}", 0)
    except LockTimeoutError:
        raise _wrong(
            f"Another process of this machine loads into {destination.text}, dataset {dataset}.", "Wait until it ends."
        ) from None
    try:
        with tempfile.TemporaryDirectory(prefix="vantage-quickbooks-dlt-") as directory:
            pipeline = dlt.pipeline(
                _PIPELINE, pipelines_dir=directory, destination=destination.made, dataset_name=dataset
            )
            while True:
                pipeline.run(source, loader_file_format=destination.file_format)
                if not report.has_more:
                    return
    finally:
        files.release(lock)


def _split(text: str) -> Any:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise _wrong("The URL of the destination is not valid.", f"Use {_FORMS}.") from None
    return parts


def _wrong(message: str, hint: str) -> InputError:
    return InputError(f"destination: {message} {hint}", [FieldError("destination", "value", message, hint)])
