"""Eight Python workers of a Spark that keeps logs: 50 companies, one token request each, and no secret anywhere.

The program is a process of its own: it needs more slots and another configuration than the session of the other tests,
and what a JVM writes can be searched only when it has ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from leak_checks import spellings

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.many import run_companies
from vantage_quickbooks.core.secret import revealed
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import open_registry

if TYPE_CHECKING:
    from pathlib import Path

COMPANIES = 50
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # a Fernet key: no process has to derive it

LOGGING = """
rootLogger.level = info
logger.spark.name = org.apache.spark
logger.spark.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""

PROGRAM = """
import json, re, sys, urllib.request
from pyspark.sql import SparkSession
from vantage_quickbooks.adapters.spark import register

folder, configuration = sys.argv[1], json.loads(sys.argv[2])
found = {}


def failure(run):
    try:
        run()
    except Exception as error:
        return str(error)


spark = SparkSession.builder.master("local[8]").config(map=configuration).getOrCreate()
register(spark)


def read(format_="quickbooks", **options):
    return spark.read.format(format_).options(**options).load()


frame = spark.read.format("quickbooks").schema("company string, Balance decimal(19,4)")
frame = frame.options(entity="Invoice", connections="c*", bundle_size=7).load()
frame.explain(True)
found["partitions"] = frame.rdd.getNumPartitions()
found["invoices"] = {row.company: row["count"] for row in frame.groupBy("company").count().collect()}
found["failure"] = failure(read(entity="Term", connections="revoked").collect)
url = "postgresql+psycopg://me:PLANTED-in-url@db/x"
found["url"] = failure(lambda: read(entity="Invoice", registry=url).collect())
read(entity="Term", connections="revoked,c001", on_error="report", run="night").collect()
status = read("quickbooks_status", run="night", connections="revoked,c001")
status.show(truncate=False)
found["status"] = {row.connection: row.code for row in status.collect()}

# Every page of the UI and of its REST API that they link to.
root = spark.sparkContext.uiWebUrl
app = f"{root}/api/v1/applications/{spark.sparkContext.applicationId}"
todo = [f"{root}/{name}/" for name in ("jobs", "stages", "storage", "environment", "executors", "SQL")]
todo += [f"{app}/{name}" for name in ("jobs", "stages?details=true", "environment", "executors", "sql?details=true")]
seen = set()
with open(f"{folder}/ui.html", "w") as file:
    while todo:
        page = todo.pop()
        if page in seen or len(seen) > 60:
            continue
        seen.add(page)
        text = urllib.request.urlopen(page, timeout=3600).read().decode()
        file.write(text)
        links = re.findall(r'href="(/(?:SQL/execution|jobs/job)/[^"]*)"', text)
        todo += [root + link.replace("&amp;", "&") for link in links]
found["pages"] = len(seen)
print("FOUND", json.dumps(found))
spark.stop()
"""


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, rotation="always", customers=2, invoices=3) as running:
        yield running
        assert running.crashes == []


def test_no_secret_leaves_the_workers_and_each_expired_company_refreshes_once(
    quickbooks, fresh_postgresql_url, spark_configuration, spark_environment, tmp_path, monkeypatch
):
    """`rotation="always"` ends a refresh token with its first use, so a second refresh by another worker would fail."""
    ids = [f"c{number:03}" for number in range(COMPANIES)]
    for name in ("REGISTRY", "TOKEN_STORE"):
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", fresh_postgresql_url)
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_KEY", KEY)
    registry = open_registry()
    for id_ in ids:
        registry.add(id_, quickbooks.add_company().settings())
    revoked = quickbooks.add_company()
    registry.add("revoked", revoked.settings())
    quickbooks.revoke_grants(revoked.realm_id)
    tokens = _access_tokens(registry, ids)
    quickbooks.expire_access_tokens()
    quickbooks.reset_counters()

    logs, events = tmp_path / "logs", tmp_path / "events"
    logs.mkdir()
    events.mkdir()
    logging = tmp_path / "log4j2.properties"
    logging.write_text(LOGGING)
    configuration = spark_configuration | {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": str(events),
        "spark.eventLog.compress": "false",
        "spark.log.level": "INFO",
        "spark.network.timeout": "3600s",  # a machine with other work is no reason to give up
        "spark.driver.extraJavaOptions": f"{spark_configuration['spark.driver.extraJavaOptions']} "
        f"-Dlog4j2.configurationFile={logging}",
        "spark.ui.enabled": "true",
        "spark.ui.port": "0",
    }
    environment = {**os.environ, **spark_environment}
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with (logs / "stdout").open("w") as stdout, (logs / "stderr").open("w") as stderr:
        command = [sys.executable, str(program), str(logs), json.dumps(configuration)]
        done = subprocess.run(command, env=environment, stdout=stdout, stderr=stderr, check=False, cwd=tmp_path)
    output = (logs / "stdout").read_text()
    assert done.returncode == 0, (logs / "stderr").read_text()[-3000:]
    found = json.loads(output.rpartition("FOUND ")[2].splitlines()[0])

    assert found["partitions"] == 8
    assert found["invoices"] == dict.fromkeys(ids, 3)
    assert "REAUTHORIZATION_REQUIRED" in found["failure"]
    assert "VANTAGE_QUICKBOOKS_REGISTRY" in found["url"]
    assert found["status"] == {"c001": None, "revoked": "REAUTHORIZATION_REQUIRED"}

    refreshes = Counter(
        request["status"] for request in quickbooks.requests() if request["path"].startswith("/oauth2/")
    )
    assert refreshes[200] == COMPANIES
    assert set(refreshes) == {200, 400}  # the revoked one

    secrets = {KEY, "PLANTED-in-url", fresh_postgresql_url.split(":")[2].split("@")[0], quickbooks.client_secret}
    secrets |= tokens | _access_tokens(registry, ids)
    secrets |= {registry.load(id_)["refresh_token"] for id_ in [*ids, "revoked"]}
    assert len(secrets) > 3 * COMPANIES
    written = "\n".join(file.read_text(errors="replace") for folder in (logs, events) for file in _files(folder))
    for part in (
        "== Physical Plan ==",
        "SparkListenerJobStart",
        "SparkListenerSQLExecutionStart",
        "</html>",
        "Running task",
    ):
        assert part in written, part
    assert found["pages"] > 10
    assert [secret[:8] for secret in secrets if any(spelled in written for spelled in spellings(secret))] == []


def _access_tokens(registry, ids):
    """Return an access token of each company, of those in the store."""

    def task(connection, run):
        run.result["token"] = connection.invoke("getAccessToken")["accessToken"]

    report = run_companies(registry, task, ids, deployment=Deployment.from_environ())
    assert report.ok, [run.error for run in report.runs if run.error][:1]
    return {revealed(run.result["token"]) for run in report.runs}


def _files(folder: Path):
    return [path for path in folder.rglob("*") if path.is_file()]
