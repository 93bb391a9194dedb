"""The rows of results on disk: private, in order, and deleted in time."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.web.formatting import Column
from vantage_quickbooks.web.rows import PREFIX, ResultExpired, ResultFiles, ResultsError

VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text()
HOLD = """
import sys, pathlib
from vantage_quickbooks.web.rows import ResultFiles
files = ResultFiles(pathlib.Path(sys.argv[1]))
files.new("one").append([{"a": 1}])
print(files.directory, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def files(tmp_path):
    made = ResultFiles(tmp_path)
    yield made
    made.close()


def fill(files, rows, name="r"):
    made = files.new(name)
    made.append(rows)
    return made


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_files_are_private_with_any_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        files = ResultFiles(tmp_path)
        fill(files, [{"a": 1}])
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files.directory.iterdir()}
    assert modes == {"lock": 0o600, "r.sqlite3": 0o600}
    assert stat.S_IMODE(files.directory.stat().st_mode) == 0o700
    files.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_before_the_first_row(files):
    rows = files.new("r")
    assert (len(rows), list(rows), rows.page(0, 10)) == (0, [], [])
    assert [path.name for path in files.directory.iterdir()] == ["lock"]


@given(st.lists(st.lists(st.dictionaries(st.text(), VALUES | st.lists(VALUES), max_size=4), max_size=6), max_size=4))
def test_appended_rows_are_read_back_unchanged(tmp_path_factory, pages):
    files = ResultFiles(tmp_path_factory.mktemp("rows"))
    rows = files.new("r")
    for page in pages:
        rows.append(page)
    expected = [row for page in pages for row in page]
    assert list(rows) == expected
    assert len(rows) == len(expected)
    assert [row for first in range(0, len(expected), 3) for row in rows.page(first, 3)] == expected
    files.close()


def test_rows_are_sorted_by_type_with_empty_cells_last(files):
    column = Column("n", "N", "money")
    rows = fill(files, [{"n": 10}, {"n": None}, {"n": 9}, {"n": -1}])
    assert [row["n"] for row in rows.page(0, 9, column)] == [-1, 9, 10, None]
    assert [row["n"] for row in rows.page(0, 9, column, descending=True)] == [10, 9, -1, None]
    assert [row["n"] for row in rows.page(1, 2, column)] == [9, 10]
    mixed = fill(files, [{"n": "b"}, {"n": 2}, {"n": "A"}, {"n": "\ud800"}], "mixed")
    assert [row["n"] for row in mixed.page(0, 9, Column("n", "N"))] == [2, "A", "b", "\ud800"]


def test_sort_keys_that_exceed_the_cache(files):
    """SQLite locks the file while it spills keys: reading rows at the same time must not wait for that."""
    rows = fill(files, [{"t": f"{number:05}{'x' * 70}"} for number in range(30_000)])
    shown = rows.page(29_998, 5, Column("t", "T"), descending=True)
    assert [row["t"][:5] for row in shown] == ["00001", "00000"]


def test_sorting_is_stable_in_both_directions(files):
    rows = fill(files, [{"n": 1, "i": i} for i in range(5)])
    for is_down in (False, True):
        assert [row["i"] for row in rows.page(0, 9, Column("n", "N"), descending=is_down)] == [0, 1, 2, 3, 4]


def test_each_currency_is_sorted_by_itself(files):
    rows = fill(files, [{"n": 5, "c": "USD"}, {"n": 300, "c": "JPY"}, {"n": 7, "c": "USD"}, {"n": 100, "c": "JPY"}])
    column = Column("n", "N", "money", "c", is_mixed=True)
    assert [row["n"] for row in rows.page(0, 9, column, descending=True)] == [300, 100, 7, 5]


def test_dropped_rows_leave_the_disk_and_an_open_reader_finishes(files):
    rows = fill(files, [{"n": n} for n in range(2000)])
    reader = iter(rows)
    assert next(reader) == {"n": 0}
    other = rows.page
    rows.drop()
    assert [path.name for path in files.directory.iterdir()] == ["lock"]
    assert len(list(reader)) == 1999
    assert other(0, 5) == []


def test_a_deleted_result_is_an_error_not_an_empty_result(files):
    rows = fill(files, [{"n": 1}])
    files.close()
    with pytest.raises(ResultExpired):
        rows.page(0, 5)
    with pytest.raises(ResultsError, match="was deleted"):
        rows.append([{"n": 2}])
    assert not files.directory.exists()


def test_a_full_disk_error_names_the_directory_and_the_remedy(files):
    rows = files.new("r")
    rows._path = type(rows._path)("/dev/full")
    rows._count = 1
    with pytest.raises(ResultsError, match=r"Rows cannot be stored in /dev: .*TMPDIR"):
        rows.append([{"n": 1}])


def test_only_leftovers_of_killed_servers_are_removed(tmp_path):
    servers = [
        subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    killed, living = (server.stdout.readline().strip() for server in servers)
    servers[0].send_signal(signal.SIGKILL)
    servers[0].wait(30)
    (tmp_path / "others").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "others")
    assert os.path.exists(killed)  # noqa: PTH110
    ResultFiles(tmp_path).close()
    assert not os.path.exists(killed)  # noqa: PTH110
    assert os.path.exists(living + "/one.sqlite3")  # noqa: PTH110
    assert (tmp_path / "others").exists()
    servers[1].communicate("", timeout=30)
    assert not os.path.exists(living)  # noqa: PTH110
    servers[0].communicate()
