"""Results take disk, not memory, and are deleted when the server stops."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

PROGRAM = Path(__file__).parent / "large_list.py"
ROWS, RESULTS = 3000, 5
PATIENCE_S = 300


def rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


@pytest.fixture
def big(request, tmp_path):
    """A server in its own process, and a signed-in client."""
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, PROGRAM, tmp_path / "data", str(getattr(request, "param", ROWS))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    url = process.stdout.readline().strip()
    http = requests.Session()
    http.get(url, timeout=30)
    base = url.partition("/?")[0]
    yield process, http, base, tmp_path / "tmp"
    http.close()
    process.communicate("", timeout=60)
    assert list((tmp_path / "tmp").iterdir()) == []


def run_full_sync(http, base):
    page = http.get(f"{base}/connections/big/actions/list", timeout=30)
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
    answer = http.post(
        f"{base}/connections/big/actions/list", {"csrf": token, "mode": "full"}, allow_redirects=False, timeout=60
    )
    run = base + answer.headers["Location"]
    end = time.monotonic() + PATIENCE_S
    while http.get(f"{run}/status", timeout=60).json()["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.1)
    return run


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="NO /proc: memory was not measured")
def test_results_take_disk_instead_of_memory(big):
    """In memory each row would take about 20 kB: 300 MB for these."""
    process, http, base, _ = big
    run_full_sync(http, base)
    before = rss_mb(process.pid)
    for _ in range(RESULTS):
        run = run_full_sync(http, base)
        assert f"{ROWS:,} rows" in http.get(f"{run}?sort=-Balance&page=7", timeout=60).text
        for kind in ("json", "csv"):
            assert len(http.get(f"{run}/download.{kind}", timeout=60).content) > ROWS * 40
    assert rss_mb(process.pid) - before < 60


def test_pages_and_downloads_have_all_rows_in_order(big):
    _, http, base, _ = big
    run = run_full_sync(http, base)
    rows = http.get(f"{run}/download.json", timeout=60).json()
    assert [row["Id"] for row in rows["invoices"]] == [str(number) for number in range(ROWS)]
    assert rows["count"] == ROWS
    table = list(csv.DictReader(io.StringIO(http.get(f"{run}/download.csv", timeout=60).content.decode("utf-8-sig"))))
    assert [row["Id"] for row in table] == [str(number) for number in range(ROWS)]
    assert (table[7]["currency"], table[7]["Balance"], "Line" in table[7]) == ("USD", "7.5", False)
    last = http.get(f"{run}?page={ROWS // 50}", timeout=60).text
    assert f"Customer {ROWS - 1}<" in last
    assert f"{ROWS - 49:,}–{ROWS:,} of {ROWS:,}" in last  # noqa: RUF001 -- the displayed text


@pytest.mark.parametrize("big", [60], indirect=True)
def test_at_most_twenty_results_are_stored(big):
    _, http, base, place = big
    runs = [run_full_sync(http, base) for _ in range(22)]
    assert http.get(runs[0], timeout=30).status_code == 404
    assert http.get(runs[-1], timeout=30).status_code == 200
    assert len(list(place.glob("*/*.sqlite3"))) == 20
