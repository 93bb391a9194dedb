"""Runs tests that depend on Python and the demo on each Python that pyproject.toml declares, except the current one.

Interpreters are searched for on PATH and in pyenv. Each gets its own virtual environment, such as `.venv-3.12`, which
is kept until pyproject.toml changes. All run at the same time, one process each; their output is printed when they end.
A missing interpreter is skipped and reported at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
TESTS = (
    "tests/unit",
    "tests/wire",
    # The emulator's server, threads, signals, grammar, time and texts; its rules of QuickBooks do not depend on Python.
    "tests/emulator/test_api.py",
    "tests/emulator/test_batch.py",
    "tests/emulator/test_control.py",
    "tests/emulator/test_grammar.py",
    "tests/emulator/test_intuit_xml.py",
    "tests/emulator/test_latency.py",
    "tests/emulator/test_loader.py",
    "tests/emulator/test_oauth.py",
    "tests/emulator/test_robustness.py",
    "tests/emulator/test_scenarios.py",
    "tests/emulator/test_server_signals.py",
    "tests/emulator/test_webhooks.py",
    "tests/system/test_demo.py",
    "tests/system/test_fork.py",
    "tests/system/test_stores.py",
)
# Schemas and records of QuickBooks in tables: nothing in them depends on Python.
TABLES = (
    "tests/unit/test_contract_schemas.py",
    "tests/unit/test_one_schema.py",
    "tests/unit/test_recordings.py",
    "tests/unit/test_schemas.py",
)
# Without compiling ahead: Python compiles what the tests import, a sixth of all, when they import it.
INSTALL = ("-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile", "--editable", ".[test]")


def main() -> int:
    """Return how many of the interpreters failed."""
    versions = [version for version in declared() if version != f"{sys.version_info.major}.{sys.version_info.minor}"]
    print(f"---- Python {' and '.join(versions)}: {' '.join(TESTS)}, and the demo", flush=True)
    failed, missing = [], []
    with ThreadPoolExecutor(len(versions)) as pool:
        for version, (passed, output) in zip(versions, pool.map(check, versions), strict=True):
            print(f"---- Python {version}\n{output}", flush=True)
            if passed is None:
                missing.append(version)
            elif not passed:
                failed.append(version)
    for version in missing:
        print(f"!!! NOT TESTED ON PYTHON {version}: no python{version} with venv, on PATH or in pyenv !!!")
    for version in failed:
        print(f"!!! FAILED ON PYTHON {version} !!!")
    return len(failed)


def declared() -> list[str]:
    """Return the versions among the package's classifiers, such as `3.12`."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    return [found[1] for text in classifiers if (found := re.fullmatch(r".*:: Python :: (3\.\d+)", text))]


def check(version: str) -> tuple[bool | None, str]:
    """Return whether *version* passes, None without an interpreter, and what was printed."""
    with tempfile.TemporaryFile("w+") as output:
        python = environment(version, output)
        passed = python and install(version, python, output) and passes(version, python, output)
        output.seek(0)
        return passed, output.read()


def environment(version: str, output: IO[str]) -> Path | None:
    """Return the python of the version's environment, which is made if it is missing; None without an interpreter."""
    folder = ROOT / f".venv-{version}"
    python = folder / "bin/python"
    if is_of(version, python) or any(
        run(output, found, "-m", "venv", "--clear", folder) for found in candidates(version) if is_of(version, found)
    ):
        return python
    return None


def install(version: str, python: Path, output: IO[str]) -> bool:
    """Bring the environment up to date, and return whether that succeeded."""
    stamp = ROOT / f".venv-{version}" / ".test"
    if stamp.exists() and stamp.stat().st_mtime > (ROOT / "pyproject.toml").stat().st_mtime:
        return True
    if not run(output, python, *INSTALL):
        return False
    stamp.touch()
    return True


def candidates(version: str) -> list[Path]:
    """Return where an interpreter may lie, pyenv's newest first; what pyenv puts on PATH need not run."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = sorted(pyenv.glob(f"{version}.*"), key=lambda found: [int(n) for n in re.findall(r"\d+", found.name)])
    on_path = shutil.which(f"python{version}")
    return [*([Path(on_path)] if on_path else []), *(found / "bin/python" for found in reversed(installed))]


def is_of(version: str, python: Path) -> bool:
    """Return whether *python* runs, and is of *version*."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == version


def passes(version: str, python: Path, output: IO[str]) -> bool:
    """Run tests and demo on *python*."""
    options = ("-q", "-o", f"cache_dir={ROOT / f'.venv-{version}' / 'pytest_cache'}")
    ignored = [f"--ignore={name}" for name in TABLES]
    return run(output, python, "-m", "pytest", *options, *ignored, *TESTS) and run(
        output, python.with_name("vantage-quickbooks"), "demo", stdout=subprocess.DEVNULL
    )


def run(output: IO[str], *command: object, stdout: int | None = None) -> bool:
    """Run a command in the checkout; return whether it succeeded."""
    parts = [str(part) for part in command]
    done = subprocess.run(parts, cwd=ROOT, check=False, stdout=stdout or output, stderr=output)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
