"""What every engine does with a company: read its invoices, or take the batches of another one that were read before.

Where registry, tokens and key are, the environment says, as for any user of the package: no task carries a secret.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vantage_quickbooks import open_registry
from vantage_quickbooks.connector.bundles import Bundle, CompanyItem, CompanyRun, read_bundle

ENTITY = "Invoice"
ACTION = "listInvoices"
Sums = dict[str, tuple[int, int]]
"""Number of invoices and their total in cents, by realm."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with each company. A task of an engine can carry it.

    Attributes:
        name: `read`: its invoices are read. `idle`: it is opened, no request is sent, and one row comes of a file.
            `replay`: the same with all rows of the file, as many as the company has.
        stored: The file.
    """

    name: str
    stored: str = ""

    def batches(self, connection: Any, run: CompanyRun) -> Iterator[pa.RecordBatch]:
        """Yield the record batches of a company."""
        if self.name == "read":
            yield from read(connection, run)
            return
        for batch in stored(self.stored):
            rows = batch.slice(0, 1) if self.name == "idle" else batch
            yield rows.set_column(0, "realm_id", pa.repeat(run.realm_id, rows.num_rows))
            if self.name == "idle":
                return

    def company(self, connection: Any, run: CompanyRun) -> None:
        """Add up one company in its run's result."""
        sums: Sums = {}
        for batch in self.batches(connection, run):
            add(sums, run.realm_id or "", batch)
        run.result["sums"] = sums

    def bundle(self, bundle: Bundle, threads: int) -> Sums:
        """Add up the companies of a bundle.

        Args:
            bundle: The companies.
            threads: Companies at once.

        Raises:
            RuntimeError: A company could not be read.
        """
        sums: Sums = {}
        for run, batch in items(bundle, threads, self.batches):
            add(sums, run.realm_id or "", batch)
        return sums


def items(
    bundle: Bundle, threads: int, batches: Callable[[Any, CompanyRun], Iterator[pa.RecordBatch]]
) -> Iterator[tuple[CompanyRun, pa.RecordBatch]]:
    """Yield the batches of all companies of a bundle.

    Raises:
        RuntimeError: A company could not be read.
    """
    with open_registry() as registry, closing(read_bundle(registry, bundle, batches, workers=threads)) as found:
        for one in found:
            if isinstance(one, CompanyItem):
                yield one.run, one.item
            elif one.error:
                raise RuntimeError(f"{one.id}: {one.error}")


def read(connection: Any, run: CompanyRun) -> Iterator[pa.RecordBatch]:
    """Yield the invoices of one company; its name is not asked for."""
    yield from connection.stream(ACTION, {"all": True}, as_="arrow", company_name=run.id)


def stored(path: str) -> list[pa.RecordBatch]:
    """Return the batches of a file."""
    with pa.memory_map(path) as source, pa.ipc.open_file(source) as file:
        return [file.get_batch(number) for number in range(file.num_record_batches)]


def add(sums: Sums, realm: str, batch: pa.RecordBatch) -> None:
    """Count the rows of a batch, and add up their totals."""
    rows, cents = sums.get(realm, (0, 0))
    total = pc.sum(batch.column("TotalAmt")).as_py() or 0
    sums[realm] = (rows + batch.num_rows, cents + round(total * 100))
