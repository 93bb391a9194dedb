"""A virtual environment for each competitor, made once and kept under `.venvs`."""

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from clients import ROOT

_FOLDER = Path(__file__).resolve().parent / ".venvs"
_SHOWN = {
    "requests",
    "urllib3",
    "orjson",
    "requests-oauthlib",
    "airbyte-cdk",
    "singer-python",
    "intuit-oauth",
    "msgspec",
}


class InstallError(Exception):
    """pip could not install what an environment needs; the message is its last line."""


def python_of(name: str, requirements: Sequence[str]) -> str:
    """Return the interpreter of an environment, which is created if it is missing or out of date.

    Args:
        name: Name of the environment.
        requirements: Arguments of pip.

    Raises:
        InstallError: pip failed.
    """
    folder = _FOLDER / name
    python, stamp = folder / "bin" / "python", folder / "requirements.json"
    wanted = json.dumps([sys.version, *requirements, _declared(requirements)])
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing {' '.join(requirements)}", flush=True)
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InstallError(" ".join(done.stderr.strip().splitlines()[-1:]) or f"pip exited {done.returncode}")
        stamp.write_text(wanted)
    return str(python)


def _declared(requirements: Sequence[str]) -> str:
    """Return what an editable project declares, so that a new dependency gets installed."""
    return (ROOT / "pyproject.toml").read_text() if requirements[0] == "--editable" else ""


def versions(python: str, requirements: Sequence[str]) -> str:
    """Return what is installed there, in words: what was asked for and the packages that matter for speed."""
    pip = [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(pip, capture_output=True, text=True, check=True).stdout)
    asked = {requirement.partition("==")[0] for requirement in requirements} | {"vantage-quickbooks"}
    chosen = [package for package in listed if package["name"].lower() in asked | _SHOWN]
    chosen.sort(key=lambda package: (package["name"] not in asked, package["name"]))
    return ", ".join(f"{package['name']} {package['version']}" for package in chosen)
