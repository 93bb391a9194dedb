"""`sync --to` as real processes: killed at any instant, it loses nothing; passwords are never printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import duckdb
import pytest
from warehouses import Copy, DuckDB, PostgreSQL, books

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator import Emulator

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]

# Kills itself when it has taken so many change sets, or before the n-th statement that begins with a text.
KILLED = [
    sys.executable,
    "-c",
    """
import os, signal, sys
text, left = sys.argv.pop(1), int(sys.argv.pop(1))
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from vantage_quickbooks.adapters.company_package import CompanyPackage
from vantage_quickbooks.cli import main

def count():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

take, execute = CompanyPackage.rows_of, DuckDbSqlClient.execute_query

def rows_of(self, found):
    text == "set" and count()
    return take(self, found)

def execute_query(self, query, *args, **kwargs):
    str(query).lstrip().startswith(text) and count()
    return execute(self, query, *args, **kwargs)

CompanyPackage.rows_of, DuckDbSqlClient.execute_query = rows_of, execute_query
sys.exit(main())
""",
]
MERGED, DONE = 'DELETE FROM "quickbooks"."', 'INSERT INTO "quickbooks"."_dlt_loads"'
LINE = {"Amount": 10, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
INVOICE = {"CustomerRef": {"value": "1"}, "Line": [LINE]}


@pytest.fixture(scope="module")
def company():
    with Emulator(limits=False, invoices=40, customers=5) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def sync(company, tmp_path, monkeypatch):
    """Return the arguments of a sync of two entities."""
    company.reset()
    company.limit(False)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(tmp_path / "tokens.sqlite3"))
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(company.settings()))
    return lambda *more: ["sync", "--settings", str(path), "--entities", "Customer,Invoice", *more]


@pytest.fixture
def database(tmp_path):
    return DuckDB(tmp_path)


def equals_books(database, tmp_path, company):
    copy = Copy(database, tmp_path)
    wanted = books(company, "Invoice", "Id", "SyncToken", "TotalAmt", "Balance")
    assert copy.records("invoices", "id, sync_token, total_amt, balance") == wanted
    assert copy.records("customers", "id, sync_token, balance") == books(
        company, "Customer", "Id", "SyncToken", "Balance"
    )


def test_tables_are_kept_up_to_date_with_one_call(sync, database, company, capsys, tmp_path):
    """No state file, and no directory of dlt's in the home."""
    assert main(sync("--to", database.url)) == 0
    first = capsys.readouterr()
    assert first.out == (
        "Juniper & Finch Garden Works (company 9341450000000017)\n"
        "  customers                         5 rows\n"
        "  invoices                         40 rows\n"
        "  API calls: 5.\n"
        f"Loaded into duckdb {database.path}, dataset quickbooks.\n"
    )
    assert first.err == ""
    equals_books(database, tmp_path, company)
    company.delete("Invoice", "101")
    assert main(sync("--to", database.url, "--format", "json")) == 0
    report = json.loads(capsys.readouterr().out)
    (found,) = report["companies"]
    assert (found["apiCalls"], found["meteredCalls"], found["error"]) == (1, 1, None)
    assert found["tables"]["invoices"] == {"rows": 0, "deleted": 1}
    equals_books(database, tmp_path, company)
    assert main(sync("--to", database.url)) == 0
    assert "  Nothing changed.\n  API calls: 1.\n" in capsys.readouterr().out


@pytest.mark.system
def test_loads_that_are_killed_lose_nothing(sync, database, company, tmp_path):
    """SIGKILL while changes are extracted, and before statements of the load, with edits in between."""
    made = []
    points = [(MERGED, 2), None, ("set", 2), (DONE, 1), None]
    for point in points:
        program = PROGRAM if point is None else [*KILLED, point[0], str(point[1])]
        done = subprocess.run([*program, *sync("--to", database.url)], capture_output=True, check=False)
        assert done.returncode == (0 if point is None else -signal.SIGKILL), done
        if point is None:
            equals_books(database, tmp_path, company)
        made.append(company.create("Invoice", INVOICE)["Id"])
        company.update("Customer", {"Id": "2", "Notes": str(len(made))})
        if len(made) > 2:
            company.delete("Invoice", made.pop(0))


@pytest.mark.system
def test_a_database_with_a_password(sync, fresh_postgresql_url, company, capsys, tmp_path, monkeypatch):
    """The URL stands in the environment; in an argument it is refused."""
    database = PostgreSQL(fresh_postgresql_url)
    password = database.url.split(":")[2].split("@")[0]
    assert main(sync("--to", database.url)) == 2
    refused = capsys.readouterr()
    assert "VANTAGE_QUICKBOOKS_DESTINATION" in refused.err
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_DESTINATION", database.url)
    assert main(sync("--lines", "--dataset", "quickbooks")) == 0
    loaded = capsys.readouterr()
    equals_books(database, tmp_path, company)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_DESTINATION", database.url.replace(":" + password, ":wrong-word"))
    assert main(sync("--format", "json")) == 1
    failed = capsys.readouterr()
    assert json.loads(failed.out)["error"]["code"] == "LOAD_FAILED"
    assert "password authentication failed" in failed.err
    for text in (refused, loaded, failed):
        assert password not in text.out + text.err
        assert "wrong-word" not in text.out + text.err


def test_a_failed_load_does_not_quote_records(sync, database, company):
    """Databases quote the values that they refuse, and dlt logs their messages with the stack."""
    load = sync("--to", database.url, "--entities", "Customer", "--format", "json")
    assert main(load) == 0
    with duckdb.connect(str(database.path)) as connection:
        connection.execute("ALTER TABLE quickbooks.customers DROP display_name")
        connection.execute("ALTER TABLE quickbooks.customers ADD COLUMN display_name INTEGER")
    company.create("Customer", {"DisplayName": "Wilhelmina O'Featherstonehaugh", "Notes": "Owes Zebulon a favor"})
    done = subprocess.run([*PROGRAM, *load], capture_output=True, check=False, text=True)
    assert done.returncode == 1
    reason = "Could not convert string '...' to INT32 when casting from source column display_name"
    assert reason in json.loads(done.stdout)["error"]["message"]
    for word in ("Wilhelmina", "Featherstonehaugh", "Zebulon", "Traceback"):
        assert word not in done.stdout + done.stderr


@pytest.mark.usefixtures("sync")
def test_companies_of_a_registry(database, company, capsys, tmp_path):
    """One that was revoked is a row of the report, and the exit status says so."""
    registry, realm = tmp_path / "registry", "9000000000000002"
    forms = {
        "acme": company.settings(),
        "birch": company.settings() | {"realm_id": realm, "refresh_token": company.grant(realm)},
    }
    registry.mkdir()
    for id_, form in forms.items():
        (registry / f"{id_}.json").write_text(json.dumps(form))
    company.revoke_grants(company.realm_id)
    args = ["sync", "--all", "--registry", str(registry), "--entities", "Term", "--to", database.url]
    assert main([*args, "--format", "json"]) == 1
    found = capsys.readouterr()
    runs = {run["connection"]: run for run in json.loads(found.out)["runs"]}
    assert (runs["acme"]["status"], runs["acme"]["error"]["code"]) == ("failed", "REAUTHORIZATION_REQUIRED")
    assert (runs["birch"]["status"], runs["birch"]["error"]) == ("succeeded", None)
    assert runs["birch"]["result"]["tables"] == {"terms": {"rows": 8, "deleted": 0}}
    assert main(["sync", "--connection", "acme", *args[2:]]) == 1
    assert "REAUTHORIZATION_REQUIRED" in capsys.readouterr().err
    assert main(["sync", "--connection", "birch", *args[2:]]) == 0


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (["--to", "oracle://host/db"], 1, "There is no destination oracle://."),
        (["--to", "orcl"], 1, "There is no destination 'orcl'."),
        (["--to", "duckdb:///"], 1, "does not name a file"),
        (["--to", "duckdb:///quickbooks.duckdb"], 1, "The file and the dataset have the same name"),
        (["--to", "duckdb:////no/such/directory/x.duckdb"], 1, "/no/such/directory does not exist"),
        (["--to", "postgresql://host"], 1, "no host or no database"),
        (["--to", "filesystem"], 1, "dlt needs DESTINATION__FILESYSTEM__BUCKET_URL"),
        (["--to", "x", "--state", "f"], 2, "--to and --state cannot be combined"),
        (["--to", "x", "--format", "ndjson"], 2, "json or table"),
        (["--state", "f", "--lines"], 2, "--lines needs --to"),
        (["--to", "duckdb:///x.duckdb", "--entities", "Invoices"], 1, "Did you mean Invoice?"),
        ([], 2, "use --to DESTINATION"),
    ],
)
def test_what_cannot_be_loaded_is_refused(sync, capsys, tmp_path, monkeypatch, more, status, message):
    monkeypatch.chdir(tmp_path)
    assert main(sync(*more)) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.duckdb").exists()


def test_one_load_at_a_time(sync, database, capsys, tmp_path):
    """Two at once would empty each other's staging tables."""
    from vantage_quickbooks.locks import FileLocks

    locks = FileLocks(tmp_path / "state" / "vantage-quickbooks" / "loads")
    held = locks.acquire(f"duckdb {database.path} quickbooks", 0)
    try:
        assert main(sync("--to", database.url)) == 1
    finally:
        locks.release(held)
    assert "Another process of this machine loads into" in capsys.readouterr().err
    assert main(sync("--to", database.url)) == 0


@pytest.mark.system
def test_without_the_extra_the_command_says_how_to_install_it(sync, tmp_path):
    """Packages of dlt are blocked, as where they are not installed."""
    blocked = "import sys; sys.modules['dlt'] = None; from vantage_quickbooks.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", blocked, *sync("--to", "duckdb:///x.duckdb")],
        capture_output=True,
        check=False,
        text=True,
        cwd=tmp_path,
        env=os.environ,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'vantage-quickbooks[dlt]'" in done.stderr
