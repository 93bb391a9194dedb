"""Small costs that a host pays often: a cached token, and the plugin at the host's start."""

import json
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from emulated import Emulated

_RUN = Path(__file__).resolve().parent / "run"
_MANAGER = "import pluggy; m = pluggy.PluginManager('vantage')"
_USE = "found = []; m.hook.vantage_register_connectors(register=found.append); assert found[0].id == 'quickbooks'"
_SPECS = "from vantage_quickbooks import hookspecs; m.add_hookspecs(hookspecs)"
_STARTS = {
    "bare": _MANAGER,
    "plugin": f"{_MANAGER}; {_SPECS}; from vantage_quickbooks import plugin; m.register(plugin); {_USE}",
    "search": f"{_MANAGER}; m.load_setuptools_entrypoints('no-such-group')",
    "found": f"{_MANAGER}; {_SPECS}; m.load_setuptools_entrypoints('vantage'); {_USE}",
}


@dataclass(frozen=True, slots=True)
class Micro:
    """Small costs.

    Attributes:
        token_us: Microseconds of `getAccessToken` with a valid cached token.
        plugin_ms: Import, registration and the hook's call, over bare Python with pluggy.
        found_ms: The same by way of the entry point, over a search for entry points that finds none.
        bare_ms: Python with pluggy and a plugin manager.
    """

    token_us: float
    plugin_ms: float
    found_ms: float
    bare_ms: float


def micro(python: str, emulator: Emulated, rounds: int) -> Micro:
    """Measure the small costs.

    Args:
        python: Interpreter of our own environment.
        emulator: For the token.
        rounds: Fresh processes of each kind, by turns.

    Returns:
        Medians.
    """
    tokens = [_token(python, emulator) for _ in range(min(rounds, 5))]
    took: dict[str, list[float]] = {name: [] for name in _STARTS}
    for _ in range(rounds):
        for name, program in _STARTS.items():
            started = time.perf_counter()
            subprocess.run([python, "-c", program], check=True)
            took[name].append((time.perf_counter() - started) * 1000)
    ms = {name: statistics.median(times) for name, times in took.items()}
    return Micro(statistics.median(tokens), ms["plugin"] - ms["bare"], ms["found"] - ms["search"], ms["bare"])


def _token(python: str, emulator: Emulated) -> float:
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        job.write_text(json.dumps(emulator.prepare(0)))
        done = subprocess.run(
            [python, str(_RUN / "token_cache.py"), str(job)], capture_output=True, text=True, check=True
        )
        return float(done.stdout)
