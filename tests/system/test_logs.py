"""Log records with fields: of every module, in every thread of a call, as JSON lines of the command line."""

from __future__ import annotations

import functools
import json
import logging
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from vantage_quickbooks import logs
from vantage_quickbooks.cli import main
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator

PROGRAM = Path(sys.executable).with_name("vantage-quickbooks")
SOURCE = Path(__file__).parents[2] / "vantage_quickbooks"
NAMES = [logs.PREFIX + name for name in logs.FIELDS]


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(rotation="always", limits=False, invoices=700) as running:
        yield running


@pytest.fixture
def emulator(fresh_quickbooks):
    return fresh_quickbooks


@pytest.fixture
def connect(connect):
    """Make connections with the id `acme`, by which records and spans name them."""
    return functools.partial(connect, context=HostContext(connection_id="acme"))


class Records(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.all = []

    def emit(self, record):
        self.all.append(record)


@pytest.fixture
def records():
    """What the package logs, at all levels."""
    log, handler = logging.getLogger("vantage_quickbooks"), Records()
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield handler.all
    log.removeHandler(handler)
    log.setLevel(logging.NOTSET)


def known(record):
    """Return the fields of a record that are known, by their names."""
    values = {name: getattr(record, logs.PREFIX + name) for name in logs.FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def test_the_records_of_a_call(records, connect, emulator):
    emulator.fault("status", path="/query", status=503)

    meta = connect().call("listCustomers", {"max_results": 5})["meta"]

    token, first, pause, second, end = map(known, records)
    for found in (token, first, pause, second, end):
        assert (found["request_id"], found["connection_id"], found["action"]) == (
            meta["request_id"],
            "acme",
            "listCustomers",
        )
    assert token["api_calls"] == 0
    assert (first["http_status"], second["http_status"]) == (503, 200)
    assert second["duration_s"] > 0
    assert (pause["error_code"], pause["attempt"]) == ("SERVICE_UNAVAILABLE", 1)
    assert pause["delay_s"] > 0
    assert end["outcome"] == "success"
    assert end["api_calls"] == 2
    assert end["intuit_tid"] == second["intuit_tid"] != first["intuit_tid"]
    assert [record.levelname for record in records] == ["INFO", "DEBUG", "INFO", "DEBUG", "INFO"]


def test_a_failed_call(records, connect, emulator):
    emulator.revoke_grants()

    connect().call("listCustomers")

    assert known(records[-1])["outcome"] == "error"
    assert known(records[-1])["error_code"] == "REAUTHORIZATION_REQUIRED"


def test_a_bug__is_logged_with_the_fields_of_its_call(records, connect, monkeypatch):
    connection = connect()
    monkeypatch.setattr(connection, "_get_client", lambda: 1 / 0)

    error = connection.call("listCustomers")["error"]

    bug = next(record for record in records if record.levelname == "ERROR")
    assert known(bug)["request_id"] == error["details"]["requestId"]


def test_pages_that_other_threads_fetch__belong_to_the_call(records, connect):
    for _ in connect().stream("listInvoices", {"all": True, "max_results": 100}):
        pass

    sent = [record for record in records if record.levelname == "DEBUG"]
    assert len({record.threadName for record in sent}) > 1
    assert len({known(record)["request_id"] for record in records}) == 1


def test_between_two_pages__the_records_of_the_caller_are_not_the_calls(records, connect):
    caller = logs.get_logger("vantage_quickbooks.of_the_caller")

    for _ in connect().stream("listInvoices", {"all": True}):
        caller.info("a page")

    mine = [record for record in records if record.name == "vantage_quickbooks.of_the_caller"]
    assert mine
    assert [known(record) for record in mine] == [{}] * len(mine)


def test_the_hosts_own_logger_gets_the_fields(connect):
    handler = Records()
    log = logging.getLogger("the_host_of_test_logs")
    log.setLevel(logging.INFO)
    log.addHandler(handler)

    connect(context=HostContext(connection_id="acme", logger=log)).invoke("listCustomers", {"max_results": 1})

    assert known(handler.all[-1])["action"] == "listCustomers"


def test_no_field_clashes_with_an_attribute_of_log_records_or_of_a_hosts_record_factory(connect, records):
    """`makeRecord` raises KeyError for a field that the record already has, and hosts often add `request_id`."""
    made = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        record = made(*args, **kwargs)
        record.request_id, record.action = "the host's", "the host's"
        return record

    logging.setLogRecordFactory(factory)
    try:
        connect().invoke("listCustomers", {"max_results": 1})
    finally:
        logging.setLogRecordFactory(made)

    assert records[-1].request_id == "the host's"
    assert not set(NAMES) & set(vars(logging.makeLogRecord({})))


def test_a_format_string_may_name_every_field(connect, records):
    connect().invoke("listCustomers", {"max_results": 1})

    formatter = logging.Formatter(" ".join(f"%({name})s" for name in NAMES))
    assert all(formatter.format(record) for record in records)


def test_json__has_the_known_fields_and_no_secret(connect, records, emulator):
    connection = connect()
    connection.invoke("listCustomers", {"max_results": 5, "name": "Geeta"})
    connection.test()
    secrets = [emulator.credentials()[name] for name in ("client_secret", "refresh_token")]
    secrets += connection._get_client().authorizer.secrets()

    lines = [logs.JsonFormatter().format(record) for record in records]

    end = json.loads(lines[-1])
    assert set(end) == {
        "time", "level", "logger", "message", "request_id", "connection_id", "action", "intuit_tid", "api_calls",
        "outcome", "duration_s",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", end["time"])
    for secret in (*secrets, "Geeta", emulator.credentials()["realm_id"]):
        assert not [line for line in lines if secret in line], secret


def test_json__of_a_record_of_another_library_and_of_an_exception():
    try:
        int("wrong\nin two lines")
    except ValueError:
        record = logging.LogRecord("uvicorn", logging.ERROR, "f", 1, "a %s\nb", ("text",), sys.exc_info())

    line = logs.JsonFormatter().format(record)

    assert "\n" not in line
    assert json.loads(line)["message"] == "a text\nb"
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_an_unknown_field_is_an_error():
    with pytest.raises(KeyError):
        logs.fields(unknown=1)


def test_every_logger_of_the_package_has_the_fields():
    """The emulator is an island, and imports nothing of the package."""
    for path in SOURCE.rglob("*.py"):
        if "emulator" not in path.parts:
            assert "= logging.getLogger(__name__)" not in path.read_text(), path


# ---- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def settings_file(tmp_path, emulator):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(emulator.settings()))
    return path


def test_sync__log_format(settings_file, tmp_path, capsys):
    arguments = ["sync", "--settings", str(settings_file), "--entities", "Customer"]

    assert main([*arguments, "--state", str(tmp_path / "a"), "--log-format", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert {line["level"] for line in lines} == {"INFO"}
    assert (lines[-1]["action"], lines[-1]["outcome"]) == ("sync", "success")

    assert main([*arguments, "--state", str(tmp_path / "b"), "-v", "--log-format", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert {line["level"] for line in lines} == {"INFO", "DEBUG"}

    assert main([*arguments, "--state", str(tmp_path / "c"), "--log-format", "text"]) == 0
    assert "sync: success, " in capsys.readouterr().err

    assert main([*arguments, "--state", str(tmp_path / "d")]) == 0
    assert "success" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["serve", "--port", "0", "--data"], "/healthz"),
        (["webhooks", "serve", "--no-sync", "--port", "0", "--inbox"], "/metrics"),
    ],
    ids=["web", "webhooks"],
)
def test_servers__log_format(command, path, tmp_path):
    variables = {
        "VANTAGE_QUICKBOOKS_WEBHOOK_TOKEN": "a-verifier-token-of-the-app",
        "XDG_STATE_HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
    }
    process = subprocess.Popen(
        [PROGRAM, *command, str(tmp_path / "data"), "--verbose", "--log-format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
    )
    try:
        shown = next(line for line in process.stdout if "http://" in line)
        origin = re.search(r"http://localhost:\d+", shown)[0]
        assert requests.get(origin + path, timeout=60).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 0
    access = [json.loads(line) for line in errors.splitlines() if f"GET {path}" in line]
    assert [line["logger"] for line in access] == ["uvicorn.access"]
