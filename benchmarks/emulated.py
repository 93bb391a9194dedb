"""The emulator of a benchmark: started once per size; sets latencies and reads counters over HTTP."""

import base64
import hashlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

_HERE = Path(__file__).resolve().parent
_CACHE = _HERE / ".cache"
_COMPANY = _HERE.parent / "vantage_quickbooks" / "emulator" / "company"
_TICKS = os.sysconf("SC_CLK_TCK")


class EmulatorProcess:
    """An emulator in a process of its own, which ends with its standard input.

    Args:
        command: Prints one line of JSON with the emulator's `url` once it serves.

    Attributes:
        told: What it has printed.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the emulator did not start; its error was printed before this")
        self.told: dict[str, Any] = json.loads(line)
        # One connection for all that is asked here, so that it is not counted among the clients'.
        self._connection = http.client.HTTPConnection(urlsplit(self.told["url"]).netloc)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._process.communicate()

    def ask(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Send one request and return the answer.

        Raises:
            RuntimeError: It was refused.
        """
        self._connection.request(method, path, body, headers or {})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {text}")
        return dict(json.loads(text))

    def delay(self, latency_s: float) -> None:
        """Let the data API (not the tokens) wait *latency_s* before it answers."""
        latency = {"latency": {"fixed": latency_s, "path": "/v3/"}} if latency_s else {}
        self.ask("POST", "/_emulator/latency", json.dumps(latency))

    def reset_counters(self) -> None:
        """Count from zero."""
        self.ask("DELETE", "/_emulator/counters")

    def counters(self) -> dict[str, Any]:
        """Return what was asked since `reset_counters`."""
        return self.ask("GET", "/_emulator/counters")

    def cpu_s(self) -> float:
        """Return the processor time the emulator has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


class Emulated(EmulatorProcess):
    """A company of *invoices* invoices, kept in a file from one run of the benchmark to the next."""

    def __init__(self, invoices: int) -> None:
        self.invoices = invoices
        database = database_file(str(invoices))
        print(f"{'opening' if database.exists() else 'loading'} a company of {invoices:,} invoices", flush=True)
        super().__init__([str(_HERE / "server.py"), str(database), str(invoices)])

    def prepare(self, latency_s: float) -> dict[str, Any]:
        """Set the latency, and return a fresh grant's job."""
        self.delay(latency_s)
        task = self.told | {"refresh_token": self.ask("POST", "/_emulator/grants")["refresh_token"]}
        basic = base64.b64encode(f"{task['client_id']}:{task['client_secret']}".encode()).decode()
        form = urlencode({"grant_type": "refresh_token", "refresh_token": task["refresh_token"]})
        headers = {
            "Authorization": f"Basic {basic}",
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        tokens = self.ask("POST", "/oauth2/v1/tokens/bearer", form, headers)
        self.reset_counters()
        access = {name: tokens[name] for name in ("access_token", "refresh_token")}
        return task | access | {"invoices": self.invoices, "oldest": "2024-01-01T00:00:00Z"}


def database_file(name: str) -> Path:
    """Return the file of an emulator's companies, after removing those that another emulator made."""
    _CACHE.mkdir(exist_ok=True)
    sources = [_COMPANY / "store.py", *sorted((_COMPANY / "sample").glob("*.*"))]
    made_by = b"".join(path.read_bytes() for path in sources)
    database = _CACHE / f"{name}-{hashlib.sha256(made_by).hexdigest()[:8]}.sqlite3"
    for old in _CACHE.glob(f"{name}[-.]*"):
        if not old.name.startswith(database.name):
            old.unlink()
    return database
