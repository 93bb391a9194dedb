"""Packages of npm that tests run, fetched once into pytest's cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def npm(request, tmp_path_factory):
    """Return the directory `node_modules` with packages in it, `npm("axe-core@4.14.1")`; a test skips without them."""
    cache = getattr(request.config, "cache", None)
    place = Path(cache.mkdir("npm")) if cache else tmp_path_factory.mktemp("npm")

    def fetched(*packages):
        wanted = " ".join(packages)
        directory = place / hashlib.sha256(wanted.encode()).hexdigest()[:16]
        if shutil.which("node") is None or shutil.which("npm") is None:
            pytest.skip(f"!!! NOT TESTED WITH {wanted}: as root, apt-get install npm !!!")
        with (place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of pytest-xdist fetch one after the other, each package once
            if not directory.exists():
                _install(packages, directory)
        return directory / "node_modules"

    return fetched


def _install(packages, directory):
    """Fetch next to *directory* and rename, so that it is always complete, even if another run fetches or is killed."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as parent:
        place = Path(parent, "whole")
        command = ["npm", "install", "--prefix", str(place), "--ignore-scripts", "--no-audit", "--no-fund", *packages]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        except subprocess.TimeoutExpired:
            pytest.skip(f"!!! NOT TESTED WITH {' '.join(packages)}: npm did not end within 300 s !!!")
        if done.returncode:
            why = done.stderr.strip()[-300:]
            pytest.skip(f"!!! NOT TESTED WITH {' '.join(packages)}: npm cannot fetch them: {why} !!!")
        with contextlib.suppress(OSError):  # another run was faster
            place.rename(directory)
