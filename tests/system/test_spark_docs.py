"""The code of docs/spark.md, run from the first block to the last in a real Spark, with emulated companies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from emulated_companies import books

pytest.importorskip("pyspark")

from vantage_quickbooks.adapters.spark.options import OPTIONS
from vantage_quickbooks.adapters.spark.schema import CHANGE_SCHEMA, STATUS_SCHEMA
from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import open_registry

PAGE = Path(__file__).parents[2] / "docs" / "spark.md"


def test_each_option_has_its_row():
    page = PAGE.read_text()
    rows = [f"| `{option.name}` | {option.type} | {option.default} | {option.doc} |" for option in OPTIONS]
    assert re.findall(r"^\| `\w+` \| .* \| .* \| .* \|$", page, re.MULTILINE) == rows
    offered = ", ".join(f"`{option.name}`" for option in OPTIONS if "status" in option.usages)
    assert f"`quickbooks_status` takes {' and '.join(offered.rsplit(', ', 1))}." in page


def test_each_column_of_the_status_and_of_the_change_table_is_named():
    page = PAGE.read_text()
    columns = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    assert {*STATUS_SCHEMA.fieldNames(), *CHANGE_SCHEMA.fieldNames()} <= columns


def test_the_calls_of_a_quiet_night_are_those_of_the_catalog():
    uncovered = sorted(resource.entity for resource in SYNC_DEFAULT if not resource.has_cdc)
    page = " ".join(PAGE.read_text().split())
    assert (len(SYNC_DEFAULT) - len(uncovered), 1 + len(uncovered)) == (29, 6)
    names = ", ".join(f"`{name}`" for name in uncovered)
    assert "six metered calls a night: one for the 29 entities" in page
    assert f"one for each of the five that it does not ({names})" in page


@pytest.fixture
def companies(tmp_path):
    """Two companies in the registry that the page names, in a directory of the test."""
    with Emulator(limits=False, customers=5, invoices=20) as running, open_registry(tmp_path / "companies") as registry:
        running.freeze()  # the date does not change between the read and the check
        made = [running.add_company(), running.add_company()]
        registry.add("acme", made[0].settings(), "Acme Ltd")
        registry.add("zulu", made[1].settings())
        yield running, made


def test_the_code_of_the_page_runs_and_does_what_it_says(spark, companies, tmp_path, capsys):
    running, (acme, zulu) = companies
    page = PAGE.read_text().replace("/srv/", f"{tmp_path}/")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict = {}

    def run(part):
        [block] = [block for block in blocks if part in block]
        exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 -- the page's code is the test
        blocks.remove(block)
        return block

    run("SparkSession.builder")
    assert names["spark"] is spark
    rows = spark.read.parquet(str(tmp_path / "tables/overdue")).collect()
    for company, name in ((acme, "Acme Ltd"), (zulu, "zulu")):
        expected = {
            invoice["DocNumber"]: invoice["Balance"]
            for invoice in books(running, company.realm_id, "Invoice").values()
            if invoice["Balance"] > 0 and invoice["DueDate"] < _today(running, company)
        }
        assert {row.DocNumber: row.Balance for row in rows if row.company == name} == expected
        assert expected

    run("agg(")
    assert "Acme Ltd" in capsys.readouterr().out

    nightly = run("merge_frames")
    _assert_copy(spark, tmp_path / "tables/books/0", companies)
    acme.create("Customer", {"DisplayName": "New"})
    acme.delete("TimeActivity", next(iter(books(running, acme.realm_id, "TimeActivity"))))
    running.revoke_grants(zulu.realm_id)
    exec(compile(nightly, PAGE.name, "exec"), names)  # noqa: S102 -- the next night
    _assert_copy(spark, tmp_path / "tables/books/1", companies)
    assert [(row.connection, row.code) for row in names["failed"].collect()] == [("zulu", "REAUTHORIZATION_REQUIRED")]
    calls = {row.connection: row.metered_calls for row in names["status"].collect()}
    assert calls["acme"] == 6 + 1  # as the page says, and one for the TimeActivity, because they have changed

    run(".schema(")
    assert names["part"].columns == ["company", "DocNumber", "Balance"]
    run("push_filters")
    assert {row.company for row in names["late"].collect()} == {"Acme Ltd"}
    run("problems")
    assert [row.connection for row in names["problems"].collect()] == ["zulu"]
    assert blocks == []


def _today(running, company):
    """Return the company's date, which decides what is overdue."""
    return running.company(company.realm_id).today(running.now()).isoformat()


def _assert_copy(spark, path, companies):
    running, made = companies
    copy: dict = {}
    for row in spark.read.parquet(str(path)).collect():
        copy.setdefault((row.realm_id, row.entity), {})[row.id] = json.loads(row.record)["SyncToken"]
    assert {realm_id for realm_id, _ in copy} == {company.realm_id for company in made}
    for company in made:
        for entity in ("Invoice", "Customer", "TimeActivity", "TaxCode"):
            there = books(running, company.realm_id, entity)
            assert copy[company.realm_id, entity] == {id_: record["SyncToken"] for id_, record in there.items()}
