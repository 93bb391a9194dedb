"""What a large company costs the emulator, and how fast it serves pages of 1,000 invoices.

    python benchmarks/emulator_scale.py --invoices 1000000

Prints the duration of the load, the size of the file and the memory; the time of a page at the start, in the middle and
at the end, compared with reading the same rows by sqlite3; what reports cost; and pages per second to parallel clients
in a separate process, which read and discard the bytes.
"""

import argparse
import resource
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import requests

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH
from vantage_quickbooks.emulator.query.execute import execute

PAGE = 1000
CLIENTS = 10
ROUNDS = 5
REPORTS = (
    "ProfitAndLoss?date_macro=all",
    "ProfitAndLoss?date_macro=all&accounting_method=Cash",
    "BalanceSheet?summarize_column_by=Month",
    "AgedReceivables",
    "CustomerSales?date_macro=all",
    "TransactionList?date_macro=all",
    "GeneralLedger?date_macro=all",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--invoices", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=300, help="for the parallel clients")
    parser.add_argument("--database", help="keep the company here; it is loaded only once")
    parser.add_argument("--client", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.client:
        _clients(*args.client)
        return
    with tempfile.TemporaryDirectory() as folder:
        _measure(args.invoices, args.pages, args.database or str(Path(folder) / "company.sqlite3"))


def _measure(invoices: int, pages: int, database: str) -> None:
    known = Path(database).exists()
    begun = time.perf_counter()
    with Emulator(invoices=invoices, customers=max(30, invoices // 100), database=database, limits=False) as emulator:
        took = time.perf_counter() - begun
        size = Path(database).stat().st_size
        print(f"{invoices:,} invoices {'found' if known else 'loaded'} in {took:.1f} s; file {size / 1e9:.2f} GB")
        print(f"memory at its highest {_memory():.0f} MB\n")
        session, url = _connect(emulator)
        print("a page of 1,000       bare sqlite3   joined in the emulator   over HTTP   with gzip")
        for name, offset in (("first", 0), ("middle", invoices // 2), ("last", max(0, invoices - PAGE))):
            bare = _best(_bare_read(database, offset))
            statement = f"SELECT * FROM Invoice STARTPOSITION {offset + 1} MAXRESULTS {PAGE}"  # noqa: S608 -- Intuit's
            company = emulator.company()
            joined = _best(lambda company=company, statement=statement: execute(company, statement, time.time()).json())
            over_http = []
            for encoding in ("identity", "gzip"):
                session.headers["Accept-Encoding"] = encoding
                over_http.append(_best(_get(session, f"{url}?query={quote(statement)}")))
            print(f"  {name:18}{bare:11.1f} ms{joined:19.1f} ms{over_http[0]:14.1f} ms{over_http[1]:9.1f} ms")
        print("\nreports over HTTP; the first one also posts what was loaded")
        reports = url.removesuffix("query") + "reports/"
        session.headers["Accept-Encoding"] = "identity"
        print(f"  {'first':58}{_once(_get(session, reports + REPORTS[0])):11.0f} ms")
        for name in REPORTS:
            print(f"  {name:58}{_once(_get(session, reports + name)):11.0f} ms")
        print(f"\npages a second, {pages} pages, clients in another process")
        for encoding in ("identity", "gzip"):
            session.headers["Accept-Encoding"] = encoding
            head = session.prepare_request(requests.Request("GET", f"{url}?query=%s")).headers
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            command = [sys.executable, __file__, "--client", emulator.url, lines, f"{url} {invoices} {pages}"]
            subprocess.run(command, check=True)
        print(f"\nmemory at its highest {_memory():.0f} MB")


def _statement(offset: int) -> str:
    return quote(f"SELECT * FROM Invoice STARTPOSITION {offset + 1} MAXRESULTS {PAGE}")  # noqa: S608 -- Intuit's


def _get(session: requests.Session, address: str) -> Callable[[], bytes]:
    """Read the bytes as they come, neither unpacked nor decoded."""

    def read() -> bytes:
        with session.get(address, stream=True, timeout=600) as answer:
            return bytes(answer.raw.read())

    return read


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _connect(emulator: Emulator) -> tuple[requests.Session, str]:
    session = requests.Session()
    form = {"grant_type": "refresh_token", "refresh_token": emulator.refresh_token}
    answer = session.post(
        emulator.url + TOKEN_PATH, data=form, auth=(emulator.client_id, emulator.client_secret), timeout=60
    )
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    session.headers["Accept"] = "application/json"
    return session, f"{emulator.url}/v3/company/{emulator.realm_id}/query"


def _once(work: Callable[[], object]) -> float:
    """Return the duration of one run in milliseconds."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def _best(work: Callable[..., object]) -> float:
    """Return the median of a few runs in milliseconds, after one to warm up."""
    work()
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def _bare_read(database: str, offset: int) -> Callable[[], object]:
    """Read the same rows in the same order, row by row, as any program would."""
    sql = (
        "SELECT b.body FROM (SELECT row FROM record WHERE kind = ? ORDER BY updated DESC, row DESC"
        " LIMIT ? OFFSET ?) page CROSS JOIN body b ON b.row = page.row"
    )
    connection = sqlite3.connect(database)
    kind = connection.execute("SELECT kind FROM kind WHERE entity = 'Invoice'").fetchone()[0]
    return lambda: connection.execute(sql, (kind, PAGE, offset)).fetchall()


# ---- the clients' process ----


def _clients(address: str, headers: str, what: str) -> None:
    url, invoices, pages = what.split()
    path = url.removeprefix(address)
    host, port = address.removeprefix("http://").split(":")
    name = "gzip " if "gzip" in headers else "plain"
    last_page = max(1, int(invoices) // PAGE)
    for clients in (1, CLIENTS):
        each = int(pages) // clients

        def work(number: int, each: int = each) -> None:
            with socket.create_connection((host, int(port))) as connection:
                for turn in range(each):
                    start = (number * each + turn) % last_page * PAGE
                    line = f"GET {path}?query={_statement(start)} HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n"
                    connection.sendall(line.encode())
                    _drain(connection)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rate = each * clients / (time.perf_counter() - begun)
        print(f"  {name} {clients:2} clients  {rate:6.0f} pages/s  {rate * PAGE:10,.0f} invoices/s", flush=True)


def _drain(connection: socket.socket) -> None:
    end = b""
    while not end.endswith(b"\r\n0\r\n\r\n"):
        part = connection.recv(1 << 20)
        if not part:
            raise ConnectionError("the emulator ended the connection")
        end = (end + part[-7:])[-7:]


if __name__ == "__main__":
    main()
