"""Arrow IPC streams, written page by page, and Parquet files made of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from vantage_quickbooks.catalog.columns import typed_members
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.cli.files import replacing_bytes
from vantage_quickbooks.sync.arrow import METADATA_KEY, counters_of, metadata_of, schema_of, sum_counters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["END", "batch_messages", "head", "write_batch", "write_parquet"]

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The end of a stream: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format."""

_ROW_GROUP_BYTES = 32 << 20


def head(action_id: str, fields: Iterable[str] | None) -> bytes:
    """Return the beginning of the stream of a list action: its schema."""
    resource = next(resource for resource in RESOURCES if resource.list_id == action_id)
    schema = schema_of(*typed_members(resource, fields), is_selection=fields is not None)
    return bytes(schema.serialize())


def batch_messages(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[bytes, int, dict[str, Any]]]:
    """Yield each batch as messages of a stream, with the number of its records and its page's metadata.

    A message carries the counters of its page, so that their sums are known after an interruption.
    """
    for batch in batches:
        metadata = metadata_of(batch)
        schema = batch.schema.remove_metadata()
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(batch, custom_metadata={METADATA_KEY: json.dumps(counters_of(metadata))})
        # Without the schema at the beginning, which the file has, and the end of this stream.
        yield sink.getvalue()[schema.serialize().size : -len(END)], batch.num_rows, metadata
        del batch, sink  # peak memory stays at one page


def write_parquet(stream: BinaryIO, path: Path) -> dict[str, Any]:
    """Make a Parquet file of a complete stream; it replaces *path* once it is complete.

    Returns:
        The sums of the counters, which are in the file's metadata, too.

    Raises:
        UsageError: The file contains settings, or is not a regular file.
        OSError: It cannot be written.
    """
    stream.seek(0)
    reader = pa.ipc.open_stream(stream)
    pages: list[dict[str, Any]] = []
    with (
        replacing_bytes(path) as file,
        pq.ParquetWriter(file, reader.schema, compression="zstd") as writer,
    ):
        for batches in _groups(reader, pages):
            writer.write_table(pa.Table.from_batches(batches))
            del batches
        counters = sum_counters(pages)
        writer.add_key_value_metadata({METADATA_KEY: json.dumps(counters)})
    return counters


def _groups(reader: pa.RecordBatchStreamReader, pages: list[dict[str, Any]]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches in groups for one row group each; add the counters of each to *pages*."""
    group: list[pa.RecordBatch] = []
    while True:
        try:
            batch, metadata = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            break
        pages.append(json.loads(metadata[METADATA_KEY]))
        group.append(batch)
        if sum(batch.nbytes for batch in group) >= _ROW_GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


def write_batch(batch: pa.RecordBatch, target: Path | BinaryIO, *, is_parquet: bool = False) -> None:
    """Write one batch as a complete stream or Parquet file.

    Args:
        batch: The batch.
        target: A path, whose file is replaced once the new one is complete, or an open file.
        is_parquet: Whether to write Parquet; only to a path.

    Raises:
        UsageError: The file contains settings, or is not a regular file.
        OSError: It cannot be written.
    """
    if not isinstance(target, Path):
        with pa.ipc.new_stream(target, batch.schema) as writer:
            writer.write_batch(batch)
        return
    with replacing_bytes(target) as file:
        if is_parquet:
            pq.write_table(pa.Table.from_batches([batch]), file, compression="zstd")
        else:
            write_batch(batch, file)
