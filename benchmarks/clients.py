"""The clients to measure: for each a virtual environment with pinned packages, a script in `run/`, and a variant."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Client:
    """One row of the tables.

    Attributes:
        name: Its name in the tables.
        environment: Key of `ENVIRONMENTS`.
        script: File in `run/`.
        variant: Argument of the script.
        output: How the rows come: `counted` (the script hands them to Python and counts), `lines` of JSON, `singer`
            or `airbyte` messages, one JSON `array`, files that were `loaded`, or `none`.
        note: How it is run, for the reader of the results.
    """

    name: str
    environment: str
    script: str
    variant: str = ""
    output: str = "counted"
    note: str = ""

    @property
    def floor(self) -> bool:
        """Whether it is the minimum cost of every client, and not a client itself."""
        return self.output == "none"

    @property
    def always(self) -> bool:
        """Whether it is run in every round even if it is slow, because the targets compare it."""
        return self.environment == "ours" or self.name in {SESSION, PYTHON_QUICKBOOKS}


ENVIRONMENTS: dict[str, Sequence[str]] = {
    "ours": ("--editable", f"{ROOT}[bulk]"),
    "bare": ("requests==2.34.2", "orjson==3.13.0"),
    "python-quickbooks": ("python-quickbooks==0.9.12",),
    "tap-quickbooks": ("tap-quickbooks==2.5.0",),
    "airbyte": ("airbyte-source-quickbooks==4.0.4",),
    "dlt": ("dlt==1.31.0",),
    "qbo-cli": ("qbo-cli==0.9.0",),
}
"""What pip installs into each environment; the results list the dependencies that matter."""

STREAM = "ours, streamed"
BULK = "ours, bulk"
KEPT = "ours, streamed, Intuit's limits kept"
SESSION = "requests.Session + orjson"
PYTHON_QUICKBOOKS = "python-quickbooks"

CLIENTS = (
    Client(
        STREAM,
        "ours",
        "ours",
        "stream:lifted",
        note='`connection.stream("listInvoices", {"all": True})`, 10 at once and as fast as it can: more than Intuit '
        "allows, as the others run",
    ),
    Client(
        "ours, whole", "ours", "ours", "whole:lifted", note="the same by `connection.invoke`: all rows in one answer"
    ),
    Client(BULK, "ours", "ours", "bulk:lifted", "lines", 'the same by `stream(..., as_="ndjson")`, to a file'),
    Client(KEPT, "ours", "ours", "stream:kept", note="as it comes: at most 10 at once, 10 a second, 500 a minute"),
    Client("requests.get + json", "bare", "bare", "requests", note="a loop over pages of 1,000"),
    Client(SESSION, "bare", "bare", "session", note="the same with one session; sequential"),
    Client(
        PYTHON_QUICKBOOKS, "python-quickbooks", "python_quickbooks", note="a loop over `Invoice.all`, pages of 1,000"
    ),
    Client(
        "tap-quickbooks",
        "tap-quickbooks",
        "tap",
        output="singer",
        note="singer-io's; its `main`, batches with statements of 1,000, messages to a file",
    ),
    Client(
        "airbyte-source-quickbooks",
        "airbyte",
        "airbyte_source",
        output="airbyte",
        note="its manifest and `read`: pages of 200 in windows of 30 days, messages to a file",
    ),
    Client("dlt rest_api, rows only", "dlt", "dlt_rest", "read", note="the resource iterated, pages of 1,000"),
    Client(
        "dlt rest_api, to files",
        "dlt",
        "dlt_rest",
        "load",
        "loaded",
        "a pipeline to JSON lines in a folder, child tables and all",
    ),
    Client("qbo-cli", "qbo-cli", "qbo", output="array", note="`qbo --format json query`, pages of 1,000, to a file"),
    Client(
        "floor, 10 connections",
        "bare",
        "bare",
        "drain:10",
        "none",
        "reads the pages that there are and throws the bytes away: what emulator and network cost",
    ),
    Client(
        "floor, 10 connections, our order",
        "bare",
        "bare",
        "drain:10:created",
        "none",
        "the same, in the order of creation that our connector asks for",
    ),
    Client("floor, 1 connection", "bare", "bare", "drain:1", "none", "the first, one page after the other"),
)
