"""Stores the record batches of the first company of the registry in a file."""

import json
import sys
from pathlib import Path

import pyarrow as pa
from scale_work import read

from vantage_quickbooks import connect_registered, open_registry
from vantage_quickbooks.connector.bundles import CompanyRun


def main() -> None:
    """Write the file that the job names."""
    job = json.loads(Path(sys.argv[1]).read_text())
    with open_registry() as registry, connect_registered(registry, id_ := registry.list()[0].id) as connection:
        found = list(read(connection, CompanyRun(id_)))
    with pa.ipc.new_file(job["path"], found[0].schema) as file:
        for batch in found:
            file.write_batch(batch)
    Path(job["report"]).write_text("{}")


main()
