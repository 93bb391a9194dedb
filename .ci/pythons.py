"""Runs unit tests, emulator tests and the demo on each Python that pyproject.toml declares, except the current one.

Interpreters are searched for on PATH and in pyenv. Each gets its own virtual environment, such as `.venv-3.12`, which
is kept until pyproject.toml changes. A missing interpreter is skipped and reported at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ("tests/unit", "tests/meta", "tests/wire", "tests/emulator", "tests/system/test_demo.py")
INSTALL = ("-m", "pip", "install", "-qq", "--disable-pip-version-check", "--editable", ".[test]")


def main() -> int:
    """Return how many of the interpreters failed."""
    failed, missing = [], []
    for version in declared():
        if version == f"{sys.version_info.major}.{sys.version_info.minor}":
            continue
        python = environment(version)
        if python is None:
            missing.append(version)
        elif not passes(version, python):
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


def environment(version: str) -> Path | None:
    """Return the python of the version's environment, made or brought up to date; None without an interpreter."""
    folder = ROOT / f".venv-{version}"
    python, stamp = folder / "bin/python", folder / ".test"
    if stamp.exists() and stamp.stat().st_mtime > (ROOT / "pyproject.toml").stat().st_mtime and is_of(version, python):
        return python
    if not is_of(version, python) and not any(
        run(found, "-m", "venv", "--clear", folder) for found in candidates(version) if is_of(version, found)
    ):
        return None
    if not run(python, *INSTALL):
        sys.exit(f"!!! pip cannot install for Python {version} !!!")
    stamp.touch()
    return python


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


def passes(version: str, python: Path) -> bool:
    """Run tests and demo on *python*."""
    print(f"---- Python {version}: {' '.join(TESTS)}, and the demo", flush=True)
    options = ("-q", "-o", f"cache_dir={ROOT / f'.venv-{version}' / 'pytest_cache'}")
    return run(python, "-m", "pytest", *options, *TESTS) and run(
        python.with_name("vantage-quickbooks"), "demo", stdout=subprocess.DEVNULL
    )


def run(*command: object, stdout: int | None = None) -> bool:
    """Run a command in the checkout; return whether it succeeded."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, check=False, stdout=stdout).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
