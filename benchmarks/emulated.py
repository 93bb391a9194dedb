"""The emulator of the benchmark: started once per size; sets latencies and reads counters over HTTP."""

import base64
import hashlib
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

_HERE = Path(__file__).resolve().parent
_CACHE = _HERE / ".cache"
_COMPANY = _HERE.parent / "vantage_quickbooks" / "emulator" / "company"
_TICKS = os.sysconf("SC_CLK_TCK")


class Emulated:
    """A company of *invoices* invoices, kept in a file from one run of the benchmark to the next."""

    def __init__(self, invoices: int) -> None:
        self.invoices = invoices
        database = _database(invoices)
        print(f"{'opening' if database.exists() else 'loading'} a company of {invoices:,} invoices", flush=True)
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "server.py"), str(database), str(invoices)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the emulator did not start; its error was printed before this")
        self._told: dict[str, Any] = json.loads(line)
        # One connection for all that is asked here, so that it is not counted among the clients'.
        self._connection = http.client.HTTPConnection(urlsplit(self._told["url"]).netloc)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.communicate()

    def _ask(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return dict(json.loads(text))

    def prepare(self, latency_s: float) -> dict[str, Any]:
        """Let the data API (not the tokens) wait *latency_s* before it answers, and return a fresh grant's job."""
        latency = {"latency": {"fixed": latency_s, "path": "/v3/"}} if latency_s else {}
        self._ask("POST", "/_emulator/latency", json.dumps(latency))
        task = self._told | {"refresh_token": self._ask("POST", "/_emulator/grants")["refresh_token"]}
        basic = base64.b64encode(f"{task['client_id']}:{task['client_secret']}".encode()).decode()
        form = urlencode({"grant_type": "refresh_token", "refresh_token": task["refresh_token"]})
        headers = {
            "Authorization": f"Basic {basic}",
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        tokens = self._ask("POST", "/oauth2/v1/tokens/bearer", form, headers)
        self._ask("DELETE", "/_emulator/counters")
        access = {name: tokens[name] for name in ("access_token", "refresh_token")}
        return task | access | {"invoices": self.invoices, "oldest": "2024-01-01T00:00:00Z"}

    def counters(self) -> dict[str, Any]:
        """Return what was asked since `prepare`."""
        return self._ask("GET", "/_emulator/counters")

    def cpu_s(self) -> float:
        """Return the processor time the emulator has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def _database(invoices: int) -> Path:
    """Return the company's file, after removing those that another emulator made."""
    _CACHE.mkdir(exist_ok=True)
    sources = [_COMPANY / "store.py", *sorted((_COMPANY / "sample").glob("*.*"))]
    made_by = b"".join(path.read_bytes() for path in sources)
    database = _CACHE / f"{invoices}-{hashlib.sha256(made_by).hexdigest()[:8]}.sqlite3"
    for old in _CACHE.glob(f"{invoices}[-.]*"):
        if not old.name.startswith(database.name):
            old.unlink()
    return database
