"""A firm with several emulated companies, whose `sync` is run and whose files are compared with the books."""

from __future__ import annotations

import json
import sys

import pytest
from emulated_companies import books

from vantage_quickbooks.cli import main

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
IDS = ("acme", "birch", "cedar", "dogwood")
ENTITIES = "Customer,Invoice"


class Firm:
    """A registry of emulated companies, one realm each, and the directory of their syncs."""

    def __init__(self, emulator, folder, output):
        self.emulator, self.folder, self.output = emulator, folder, output
        self.realms = {id_: str(9_000_000_000_000_001 + number) for number, id_ in enumerate(IDS)}
        folder.mkdir()
        for id_, realm in self.realms.items():
            self.connect(id_, realm)

    def connect(self, id_, realm, **more):
        form = self.emulator.settings() | {"realm_id": realm, "refresh_token": self.emulator.grant(realm)} | more
        (self.folder / f"{id_}.json").write_text(json.dumps(form))

    def args(self, *more, entities=ENTITIES):
        return ["sync", "--all", "--output", str(self.output), "--entities", entities, *more]

    def sync(self, *more, capsys):
        """Run the command; return the exit status and the report's runs by id."""
        status = main(self.args("--format", "json", *more))
        report = json.loads(capsys.readouterr().out)
        return status, {run["connection"]: run for run in report["runs"]}

    def state(self, id_):
        return self.output / f"{id_}.state"

    def mirror(self, id_):
        """Apply the lines of a company's file."""
        found = {}
        for line in (self.output / f"{id_}.ndjson").read_bytes().splitlines():
            change = json.loads(line)
            records = found.setdefault(change["entity"], {})
            match change["op"]:
                case "reset":
                    records.clear()
                case "upsert":
                    records[change["record"]["Id"]] = change["record"]["SyncToken"]
                case "delete":
                    records.pop(change["id"], None)
                case other:
                    pytest.fail(f"unexpected {other}")
        return found

    def books(self, id_):
        """Return what the emulator holds, without a request."""
        return {
            name: {key: row["SyncToken"] for key, row in books(self.emulator, self.realms[id_], name).items()}
            for name in ENTITIES.split(",")
        }
