"""Batches of one company, kept until it has been read: they become rows only if it has not failed."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Spool"]

_IN_MEMORY = 4 << 20
"""Bytes of a company that stay in memory; more go to a file without a name in Spark's own scratch directory."""


class Spool:
    """Batches, each with the entity that it belongs to.

    Args:
        schema: The schema of all of them.
    """

    def __init__(self, schema: pa.Schema) -> None:
        folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115 -- closed by `read`, or with the object
            _IN_MEMORY,
            dir=folder if os.path.isdir(folder) else None,  # noqa: PTH112 -- as short as it can be
        )
        self._writer = pa.ipc.new_stream(self._file, schema)
        self._entities: list[str] = []

    def write(self, entity: str, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        self._writer.write_batch(batch)
        self._entities.append(entity)

    def read(self, without: Collection[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield the batches, once, except for those of some entities."""
        self._writer.close()
        self._file.seek(0)
        with self._file, pa.ipc.open_stream(self._file) as stream:
            for entity in self._entities:
                batch = stream.read_next_batch()
                if entity not in without:
                    yield batch
                del batch  # one page in memory at a time
