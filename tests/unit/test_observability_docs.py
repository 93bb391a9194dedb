"""docs/observability.md has each metric, span, log field and check, in the words of the code."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from vantage_quickbooks import logs, telemetry
from vantage_quickbooks.cli.commands.doctor import AREAS
from vantage_quickbooks.web.health import WebMetrics
from vantage_quickbooks.web.host import Host
from vantage_quickbooks.web.rows import ResultFiles
from vantage_quickbooks.web.runs import Runs
from vantage_quickbooks.web.store import Store
from vantage_quickbooks.webhooks import Inbox, WebhookApp

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()


def rows_below(heading, *, tables=1):
    """Return the rows of the first tables below a heading."""
    text = PAGE.split(f"\n{heading}\n")[1]
    found = [part.strip() for part in text.split("\n\n") if part.strip().startswith("|")][:tables]
    return [line for table in found for line in table.splitlines()[2:]]


def row(family):
    return f"| `{family.name}` | {family.kind} | {family.help} |"


def test_metrics_of_the_web_ui(tmp_path):
    host, files = Host(Store(tmp_path)), ResultFiles()
    metrics = WebMetrics(host, Runs(host, files))
    try:
        assert rows_below("### Web UI") == [row(family) for family in asyncio.run(metrics.families())]
    finally:
        files.close()
        host.close()


def test_metrics_of_the_webhook_receiver(tmp_path):
    app = WebhookApp(Inbox(tmp_path / "inbox.sqlite3"), "a token")
    assert rows_below("### Webhook receiver") == [row(family) for family in app.families()]


def cells(*texts):
    return f"| {' | '.join(texts)} |"


def names(attributes):
    return ", ".join(f"`{name}`" for name in attributes)


def test_spans_and_metrics_of_opentelemetry():
    expected = [
        cells(f"`{name}`", kind.lower(), text, names(attributes))
        for name, (kind, text, attributes) in telemetry.SPANS.items()
    ]
    expected += [
        cells(f"`{name}`", f"{metric.kind}, {metric.unit}", metric.text, names(metric.attributes))
        for name, metric in telemetry.METRICS.items()
    ]
    assert rows_below("## OpenTelemetry", tables=2) == expected


def test_log_fields():
    assert rows_below("## Log records") == [cells(f"`{name}`", text) for name, text in logs.FIELDS.items()]


def test_checks_of_the_doctor():
    documented, area = [], ""
    for line in rows_below("## Doctor"):
        first, id_, _ = (cell.strip() for cell in line.strip("|").split("|"))
        area = first or area
        documented.append((area, id_.strip("`")))

    assert documented == [(area, check.id) for area, checks in AREAS.items() for check in checks]


@pytest.mark.parametrize("variable", ["VANTAGE_QUICKBOOKS_METRICS_KEY"])
def test_variables(variable):
    assert variable in PAGE
