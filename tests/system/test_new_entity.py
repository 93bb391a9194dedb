"""Adding an entity changes one source file: a row, in a copy of the checkout, makes actions, schemas and docs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("vantage-quickbooks"))
PARTS = (
    ".ci", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks", "cassettes", "docs",
    "pyproject.toml", "schemas", "tests", "vantage_quickbooks",
)  # fmt: skip
FILE = "vantage_quickbooks/catalog/resources/accounting.py"
ROW = '''
_TAX_PAYMENT = Resource(
    entity="TaxPayment",
    name="tax payment",
    plural="tax payments",
    group="accounting",
    kind="transaction",
    description="Lists payments of sales tax to a tax agency, and refunds from it. Newest first.",
    properties=properties(f"""
        Id SyncToken MetaData:times PaymentDate PaymentAmount:decimal Refund:boolean Description PaymentAccountRef
        {short.ENVELOPE}
    """),
    columns=(
        Column("Id", "Id"),
        Column("PaymentDate", "Date", "date"),
        Column("accountName", "Account"),
        Column("PaymentAmount", "Amount", "money"),
    ),
    filters=(short.date_filter("tax payments", "Payment date", "PaymentDate", "payment_date", "paid"),),
    flat=(short.name_of("accountName", "PaymentAccountRef.name", what="account that paid"),),
    default_order="MetaData.CreateTime DESC",
    sortable={"PaymentDate": "Date", "MetaData.CreateTime": "Created"},
    path="taxpayment",
    has_cdc=False,
    source="https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/taxpayment",
)
'''
RECORDS = [
    {
        "Id": str(number),
        "SyncToken": "0",
        "MetaData": {
            "CreateTime": f"2026-03-{number:02}T08:00:00-07:00",
            "LastUpdatedTime": f"2026-03-{number:02}T08:00:00-07:00",
        },
        "PaymentDate": f"2026-03-{number:02}",
        "PaymentAmount": 10.5 * number,
        "Refund": False,
        "PaymentAccountRef": {"value": "35", "name": "Checking"},
    }
    for number in range(1, 13)
]
CALLS = """
import json, sys
from vantage_quickbooks import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator

with Emulator(data=sys.argv[1], limits=False) as emulator, QUICKBOOKS.connect(emulator.settings()) as connection:
    calls = {
        "page": connection.invoke("listTaxPayments", {"payment_date_from": "2026-03-05", "max_results": 3}),
        "full": connection.invoke("listTaxPayments", {"all": True, "max_results": 5}),
        "one": connection.invoke("getTaxPayment", {"id": "7"}),
    }
    lines = b"".join(connection.stream("listTaxPayments", {"all": True}, as_="ndjson")).decode().splitlines()
    print(json.dumps(calls | {"ndjson": len(lines)}))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout with one more row, after `make schemas`."""
    copy = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / part)
    table = copy / FILE
    text = table.read_text()
    table.write_text(text.replace("\nACCOUNTING = (", f"{ROW}\nACCOUNTING = (\n    _TAX_PAYMENT,", 1))
    run(copy, "-m", "vantage_quickbooks.catalog.generate", ".")
    return copy


def run(checkout, *arguments):
    """Run Python on the copy, in a separate process; return what it prints."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("VANTAGE_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env=variables | {"PYTHONPATH": str(checkout), "HOME": str(checkout), "XDG_STATE_HOME": str(checkout / "state")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_one_row_makes_a_list_and_a_get_that_work(checkout, tmp_path):
    (tmp_path / "TaxPayment.json").write_text(json.dumps(RECORDS))
    results = json.loads(run(checkout, "-c", CALLS, str(tmp_path)))
    assert [record["Id"] for record in results["page"]["taxPayments"]] == ["12", "11", "10"]
    assert [record["Id"] for record in results["full"]["taxPayments"]] == [record["Id"] for record in RECORDS]
    assert results["full"]["metadata"]["complete"] is True
    assert results["one"]["taxPayment"]["PaymentAmount"] == 73.5
    assert results["one"]["taxPayment"]["accountName"] == "Checking"
    assert results["ndjson"] == len(RECORDS)


def test_only_generated_files_changed_beside_the_row(checkout):
    changed = {
        str(path.relative_to(checkout))
        for folder in ("vantage_quickbooks", "schemas", "docs")
        for path in (checkout / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if not (ROOT / path.relative_to(checkout)).exists()
        or (ROOT / path.relative_to(checkout)).read_bytes() != path.read_bytes()
    }
    schemas = {
        f"schemas/{action}.{part}.json"
        for action in ("listTaxPayments", "getTaxPayment", "sync")
        for part in ("input.schema", "form", "output.schema")
    }
    assert changed == {FILE, "docs/actions.md", *schemas}


def test_the_meta_tests_and_the_demo_still_pass(checkout):
    run(checkout, "-m", "pytest", "tests/meta", "-q", "-p", "no:cacheprovider")
    assert "listTaxPayments" in run(checkout, PROGRAM, "actions")
    run(checkout, PROGRAM, "demo")
