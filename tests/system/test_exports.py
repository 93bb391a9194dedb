"""Exports: one writer per file, a changed file is never resumed, a full disk is reported."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vantage_quickbooks.emulator import Emulator

pytestmark = pytest.mark.system

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
INVOICES = 600
FORMATS = ("ndjson", "csv", "arrow")


@pytest.fixture(scope="module")
def company():
    with Emulator(limits=False, invoices=INVOICES, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def environment(tmp_path):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VANTAGE_")}
    return kept | {"VANTAGE_QUICKBOOKS_TOKEN_STORE": str(tmp_path / "tokens.sqlite3"), "PYTHONUNBUFFERED": ""}


@pytest.fixture
def command(tmp_path, company):
    company.reset()
    company.limit(False)
    settings = tmp_path / "s.json"
    settings.write_text(json.dumps(company.settings()))

    def made(form, output, *, size=20, action="listInvoices", full=True):
        given = {"all": True, "max_results": size} if full else {"max_results": size}
        more = ["--output", str(output)] if output else []
        return [*PROGRAM, "call", action, "--settings", str(settings), "--input", json.dumps(given),
                "--format", form, *more]  # fmt: skip

    return made


def run(args, environment, **options):
    return subprocess.run(args, env=environment, capture_output=True, text=True, timeout=180, check=False, **options)


def ids(path, form):
    if form == "ndjson":
        return [json.loads(line)["Id"] for line in path.read_text().splitlines()]
    if form == "arrow":
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
            return reader.read_all()["Id"].to_pylist()
    if form == "parquet":
        return pq.read_table(path, columns=["Id"])["Id"].to_pylist()
    with path.open(newline="", encoding="utf-8") as file:
        return [row["Id"] for row in csv.DictReader(file, strict=True)]


def interrupt(args, environment, note, how=signal.SIGKILL):
    """Start an export and stop it once the file contains some of it."""
    with subprocess.Popen(args, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while not note.exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(how)
        process.communicate(timeout=60)
        assert process.returncode, "the export was complete before it was interrupted"


@pytest.fixture(scope="module")
def whole(company, tmp_path_factory):
    """Return the bytes of an export that nothing interrupts."""
    folder, made = tmp_path_factory.mktemp("whole"), {}

    def export(form):
        if form not in made:
            (folder / "s.json").write_text(json.dumps(company.settings()))
            arguments = [
                "call",
                "listInvoices",
                "all=true",
                "max_results=20",
                "--settings",
                "s.json",
                "--format",
                form,
                "--output",
                form,
            ]
            store = {"VANTAGE_QUICKBOOKS_TOKEN_STORE": str(folder / f"{form}.sqlite3")}
            done = run([*PROGRAM, *arguments], {**os.environ, **store}, cwd=folder)
            assert done.returncode == 0, done.stderr
            made[form] = (folder / form).read_bytes()
        return made[form]

    return export


@pytest.mark.parametrize("form", FORMATS)
def test_two_exports_to_one_file_exclude_each_other(command, environment, tmp_path, form):
    target = tmp_path / f"out.{form}"
    for _ in range(3):
        both = [
            subprocess.Popen(command(form, target, size=60), env=environment, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [process.communicate(timeout=180)[1] for process in both]
        statuses = sorted(process.returncode for process in both)
        found = ids(target, form)
        assert len(found) == len(set(found)) == INVOICES, said
        assert not target.with_name(target.name + ".cursor").exists()
        if statuses == [0, 2]:
            assert any("Another export is writing to" in text for text in said)
        else:
            assert statuses == [0, 0], said  # one after the other


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_export_resumes_where_it_was_interrupted(command, environment, tmp_path, form, how, whole):
    target = tmp_path / "out"
    note = tmp_path / "out.cursor"
    interrupt(command(form, target), environment, note, how)
    with target.open("ab") as file:
        file.write(b"half a rec")
    again = run(command(form, target), environment)
    assert again.returncode == 0, again.stderr
    assert "Resuming after" in again.stderr
    found = ids(target, form)
    assert len(found) == len(set(found)) == INVOICES
    assert not note.exists()
    assert target.read_bytes() == whole(form)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_parquet_file_appears_when_it_is_complete_and_its_export_resumes(command, environment, tmp_path, how):
    target, part = tmp_path / "out.parquet", tmp_path / "out.parquet.part"
    target.write_text("last month's export\n")
    interrupt(command("parquet", target), environment, tmp_path / "out.parquet.part.cursor", how)
    assert target.read_text() == "last month's export\n"
    again = run(command("parquet", target), environment)
    assert again.returncode == 0, again.stderr
    assert "Resuming after" in again.stderr
    found = ids(target, "parquet")
    assert len(found) == len(set(found)) == INVOICES
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.parquet"]
    assert not part.exists()


def test_a_parquet_file_that_cannot_be_written_is_written_by_the_same_command(command, environment, tmp_path):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "out.parquet"
    limited = ["sh", "-c", 'ulimit -f 400; exec "$@"', "sh", *command("parquet", target)]
    found = run(limited, environment)
    assert (found.returncode, "File too large" in found.stderr) == (1, True)
    assert not target.exists()
    again = run(command("parquet", target), environment)
    assert again.returncode == 0, again.stderr
    assert "Resuming after" in again.stderr
    assert len(set(ids(target, "parquet"))) == INVOICES
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["out.parquet"]


def test_an_arrow_stream_goes_to_standard_output(command, environment):
    found = subprocess.run(command("arrow", None), env=environment, capture_output=True, timeout=180, check=True)
    assert pa.ipc.open_stream(found.stdout).read_all().num_rows == INVOICES


@pytest.mark.parametrize(
    ("form", "data", "message"),
    [
        ("parquet", {"all": True}, "Name it with --output FILE"),
        ("parquet", {}, "--format parquet needs a full read. Add all=true."),
        ("arrow", {}, "--format arrow needs a full read. Add all=true."),
        ("arrow", {"sync_cursor": "x"}, "Arrow cannot represent deletions. Use --format json."),
        ("parquet", {"sync_cursor": "x"}, "Parquet cannot represent deletions. Use --format json."),
    ],
)
def test_columns_are_for_full_reads(command, environment, form, data, message):
    args = command(form, None)
    args[args.index("--input") + 1] = json.dumps(data)
    found = run(args, environment)
    assert (found.returncode, message in found.stderr) == (2, True), found.stderr


@pytest.mark.parametrize("change", ["one byte", "longer file of another's", "shorter"])
def test_a_file_that_is_not_the_exports_own_is_not_touched(command, environment, tmp_path, change):
    target, note = tmp_path / "out", tmp_path / "out.cursor"
    interrupt(command("ndjson", target), environment, note)
    content = bytearray(target.read_bytes())
    if change == "one byte":
        content[len(content) // 3] ^= 1
    elif change == "shorter":
        del content[len(content) // 2 :]
    else:
        content = bytearray(b"a diary\n" * len(content))
    target.unlink()
    target.write_bytes(content)
    found = run(command("ndjson", target), environment)
    assert found.returncode == 2
    assert "was changed after the export was interrupted" in found.stderr
    assert str(note) in found.stderr
    assert target.read_bytes() == content
    note.unlink()
    assert run(command("ndjson", target), environment).returncode == 0
    assert len(ids(target, "ndjson")) == INVOICES


def test_another_format_does_not_resume_the_file(command, environment, tmp_path):
    target = tmp_path / "out"
    interrupt(command("ndjson", target), environment, tmp_path / "out.cursor")
    assert run(command("csv", target), environment).returncode == 0
    assert len(ids(target, "csv")) == INVOICES


def test_the_checkpoint_follows_no_link(command, environment, tmp_path):
    target, precious = tmp_path / "out", tmp_path / "precious"
    precious.write_text("keep me")
    for name in ("out.cursor", "out.cursor.new"):
        (tmp_path / name).symlink_to(precious)
    cut = command("ndjson", target)
    with subprocess.Popen(cut, env=environment, stderr=subprocess.DEVNULL) as process:
        process.wait(180)
    assert process.returncode == 0
    assert precious.read_text() == "keep me"
    assert len(ids(target, "ndjson")) == INVOICES


def test_an_export_that_gets_nothing_leaves_the_file_as_it_was(command, environment, tmp_path, company):
    target = tmp_path / "out"
    target.write_text("last month's export\n")
    company.revoke_grants()
    for path in (target, tmp_path / "new"):
        found = run(command("ndjson", path), environment)
        assert (found.returncode, "REAUTHORIZATION_REQUIRED" in found.stderr) == (1, True)
    assert target.read_text() == "last month's export\n"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("form", ["json", "table", "csv", "ndjson", "arrow"])
def test_a_full_disk_is_reported(command, environment, form, full):
    if form in {"ndjson", "arrow"} and not full:
        pytest.skip("the format is for full reads")
    args = command(form, None, full=full)
    with open("/dev/full", "wb") as device:  # noqa: PTH123 -- a device
        found = subprocess.run(
            args, env=environment, stdout=device, stderr=subprocess.PIPE, text=True, timeout=180, check=False
        )
    assert found.returncode == 1
    assert "Standard output cannot be written: the disk is full." in found.stderr
    assert "Traceback" not in found.stderr
    assert "Exception" not in found.stderr


@pytest.mark.parametrize("verb", [["describe"], ["--version"], ["validate", "-"], ["--help"]])
def test_a_full_disk_is_reported_by_every_command(environment, verb, company):
    with open("/dev/full", "wb") as device:  # noqa: PTH123 -- a device
        found = subprocess.run(
            [*PROGRAM, *verb], env=environment, stdout=device, stderr=subprocess.PIPE, text=True, timeout=60,
            check=False, input=json.dumps(company.settings()),
        )  # fmt: skip
    assert (found.returncode, found.stderr.count("the disk is full")) == (1, 1), found.stderr


def test_a_full_file_system_leaves_complete_records(command, environment, tmp_path):
    """Tested by the limit of a process on the size of files; with space, the same command resumes."""
    target = tmp_path / "out"
    limited = ["sh", "-c", 'ulimit -f 400; exec "$@"', "sh", *command("ndjson", target)]
    found = run(limited, environment)
    assert found.returncode == 1
    assert f"{target} cannot be written: File too large." in found.stderr
    assert "Run the same command to resume" in found.stderr
    again = run(command("ndjson", target), environment)
    assert again.returncode == 0, again.stderr
    assert "Resuming after" in again.stderr
    assert len(set(ids(target, "ndjson"))) == INVOICES


@pytest.mark.parametrize("form", ["json", "table", "csv"])
def test_output_takes_every_format(command, environment, tmp_path, form):
    target = tmp_path / "out"
    shown = run(command(form, None, full=False), environment)
    found = run(command(form, target, full=False), environment)
    assert (shown.returncode, found.returncode, found.stdout) == (0, 0, "")
    text = target.read_bytes().decode().replace("\r\n", "\n")
    if form == "json":
        assert json.loads(text)["data"] | {"metadata": 0} == json.loads(shown.stdout)["data"] | {"metadata": 0}
    else:
        assert text == shown.stdout
    assert target.stat().st_mode & 0o077 == 0o044 & ~os.umask(os.umask(0o022))
    assert sorted(path.name for path in tmp_path.glob(".out*")) == []


def test_a_token_goes_to_a_private_file(command, environment, tmp_path):
    target = tmp_path / "token"
    args = command("json", target, action="getAccessToken", full=False)
    args[args.index("--input") + 1] = "{}"
    assert run(args, environment).returncode == 0
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", ["json", "csv", "ndjson", "arrow", "parquet"])
@pytest.mark.parametrize("target", ["s.json", "fifo", "directory", "missing/x"])
def test_output_never_replaces_settings_and_takes_regular_files_only(command, environment, tmp_path, form, target):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    before = (tmp_path / "s.json").read_text()
    found = run(command(form, tmp_path / target, full=form not in {"json", "csv"}), environment)
    assert found.returncode in {1, 2}
    assert target in found.stderr
    assert (tmp_path / "s.json").read_text() == before
    assert "internal error" not in found.stderr


def test_changes_are_refused_as_csv(command, environment):
    args = command("csv", None)
    args[args.index("--input") + 1] = '{"sync_cursor": "x"}'
    found = run(args, environment)
    assert (found.returncode, "--format json" in found.stderr) == (2, True)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("fields", [["TotalAmt", "CustomerRef"], "TotalAmt, CustomerRef"])
def test_a_csv_of_chosen_fields_has_their_columns(command, environment, company, fields, full):
    args = command("csv", None)
    args[args.index("--input") + 1] = json.dumps({"fields": fields} | ({"all": True} if full else {}))
    lines = run(args, environment).stdout.splitlines()
    flat = "customerName,currency,paymentStatus,daysOverdue"
    assert lines[0] == f"Id,{flat},CustomerRef.value,CustomerRef.name,TotalAmt"
    assert len(lines) == 1 + (INVOICES if full else 100)
    assert company.crashes == []
