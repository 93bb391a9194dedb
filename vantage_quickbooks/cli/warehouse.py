"""Loads of companies into a database or files, for `sync --to`."""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from vantage_quickbooks.cli.connections import connect, deployment_at, has_password, opened
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, clean, json_text, print_error, require, say, write
from vantage_quickbooks.cli.sync_many import check_report, print_report
from vantage_quickbooks.cli.sync_options import CONCURRENCY, DESTINATION
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.adapters.company_load import CompanyReport, LoadReport
    from vantage_quickbooks.adapters.dlt_destination import Destination
    from vantage_quickbooks.cli.sync_options import Options
    from vantage_quickbooks.connector.many import CompanyRun

__all__ = ["load_companies", "open_destination", "run"]

_MAX_RECORDS = 25_000
"""Records of a load package, about: what a killed process reads again, and what bounds the memory of DuckDB's merge."""

_DATASET = "quickbooks"
_MAX_TEXT = 600

_CONFIGURATION = re.compile(r"[( ](DESTINATION__(?!CREDENTIALS__)[A-Z]+__[A-Z_]+)\)")
"""What dlt's message about missing configuration names, among the other places in which it has looked."""

_DRIVER = re.compile(r"pip install \"(dlt\[[a-z,]+\])\"")
"""What dlt's message about a missing driver says to install."""


def run(options: Options) -> int:
    """Load companies, print what was loaded, and return the exit status: 1 if something failed.

    Raises:
        UsageError: Options cannot be combined, the destination is unknown, or packages are missing.
    """
    options.check_load()
    check_report(options.report)
    try:
        destination = open_destination(options)
        if not options.has_several:
            connection = connect(
                options.settings, next(iter(options.connection_ids), None), options.registry, options.emulator
            )
            return _load(destination, options, connections=connection)
        with opened(options.registry) as registry:
            deployment = deployment_at(options.emulator)
            ids = options.connection_ids or None
            return _load(destination, options, connections=ids, registry=registry, deployment=deployment)
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE


def open_destination(options: Options) -> Destination:
    """Return the destination of `--to`, or of the environment variable.

    Raises:
        UsageError: The URL contains a password, or packages are missing.
        ConnectorError: The destination is unknown.
    """
    to = options.to
    if to is not None and has_password(to):
        raise UsageError(
            "--to contains a password, and every user of this machine can read arguments. "
            f"Set the variable {DESTINATION} to this URL instead."
        )
    require("Loading into a database needs", dlt=("dlt", "pyarrow", "msgspec"))
    # dlt reads them when it is imported: it reports what it is used for to its maker otherwise.
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # Its log has a failure's stack with the values of the row. The failure is reported without them: see `_error`.
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "CRITICAL")
    from vantage_quickbooks.adapters.dlt_destination import parse_destination

    return parse_destination(to or os.environ[DESTINATION])


def load_companies(
    destination: Destination, options: Options, report: LoadReport, **companies: Any
) -> dict[str, Any] | None:
    """Load companies, and report each.

    Args:
        destination: Where.
        options: What.
        report: Filled with the companies.
        **companies: `connections`, and where they come from: see `adapters.dlt.quickbooks_source`.

    Returns:
        Why what was read could not be loaded, as the error of an envelope; None if it could.

    Raises:
        ConnectorError: Nothing could be begun.
    """
    from vantage_quickbooks.adapters.dlt import quickbooks_source
    from vantage_quickbooks.adapters.dlt_destination import load
    from vantage_quickbooks.auth.stores.base import state_directory

    given = options.load_options
    dataset = given.pop("dataset", _DATASET)
    source = quickbooks_source(
        **companies,
        entities=options.entities and [name.strip() for name in options.entities.split(",")],
        max_api_calls=options.max_api_calls,
        max_records=_MAX_RECORDS,
        workers=options.concurrency or CONCURRENCY,
        report=report,
        **given,
    )
    try:
        load(source, report, destination, dataset=dataset, locks=state_directory() / "loads")
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001 -- dlt and the drivers raise classes of their own
        if not _is_reported(error):
            return _error(error, destination)
    return None


def _load(destination: Destination, options: Options, **companies: Any) -> int:
    from vantage_quickbooks.adapters.dlt import LoadReport

    report, started = LoadReport(), (datetime.now(UTC), time.monotonic())
    failure = load_companies(destination, options, report, **companies)
    dataset = options.load_options.get("dataset", _DATASET)
    where = f"{destination.text}, dataset {dataset}"
    if options.has_several:
        return _report_many(report, where, failure, options, started)
    if options.format_ == "json":
        write(json_text({"destination": where, **report.to_dict(), "error": failure}))
    else:
        _print(report, where, is_loaded=failure is None)
    for company in report.failed:
        for reported in filter(None, (*company.errors, company.error)):
            say(clean(f"Not synced: {reported.get('entity', 'the company')} of {company.connection}."))
            print_error(reported)
    if failure is not None:
        print_error(failure)
    return FAILURE if failure is not None or report.failed else SUCCESS


def _report_many(
    report: LoadReport, where: str, failure: dict[str, Any] | None, options: Options, started: tuple[datetime, float]
) -> int:
    """Report on several companies as every other sync of several does."""
    from vantage_quickbooks.connector.many import RunReport

    runs = tuple(_run_of(company) for company in report.companies)
    if failure is not None:  # nothing was loaded of the last package, so that the next load reads it again
        for run in runs:
            run.error, run.status = run.error or failure, "failed"
    found = RunReport(runs, started[0], time.monotonic() - started[1])
    return print_report(found, options, destination=where)


def _run_of(company: CompanyReport) -> CompanyRun:
    from vantage_quickbooks.connector.many import CompanyRun

    tables = company.tables.values()
    first = company.errors[0] if company.errors else None
    return CompanyRun(
        company.connection,
        company.company,
        company.realm_id,
        status="failed" if company.error else "incomplete" if first else "succeeded",
        error=company.error or first,
        result={
            "upserts": sum(counts["rows"] for counts in tables),
            "deletions": sum(counts["deleted"] for counts in tables),
            "tables": company.tables,
            "notSynced": company.errors,
            "pending": company.pending,
            "unreadableValues": company.unreadable_values,
        },
        attempts=1,
        api_calls=company.api_calls,
        metered_calls=company.metered_calls,
    )


def _print(report: LoadReport, where: str, *, is_loaded: bool) -> None:
    for company in report.companies:
        write(clean(f"{company.company or company.connection} (company {company.realm_id or 'unknown'})\n"))
        if is_loaded:
            for name, counts in sorted(company.tables.items()):
                deleted = f"{counts['deleted']:>10,} deleted" if counts["deleted"] else ""
                write(f"  {name:<24} {counts['rows']:>10,} rows{deleted}\n")
            if not company.tables and not company.failed:
                write("  Nothing changed.\n")
        if company.pending:
            write(f"  Left to the next sync: {', '.join(company.pending)}.\n")
        if company.unreadable_values:
            write(f"  Unreadable values, null in their column: {_counts(company.unreadable_values)}.\n")
        write(f"  API calls: {company.api_calls:,}.\n")
    if is_loaded:
        write(clean(f"Loaded into {where}.\n"))


def _counts(values: Mapping[str, int]) -> str:
    return ", ".join(f"{path} ({count:,})" for path, count in values.items())


def _is_reported(error: BaseException | None) -> bool:
    """Return whether an error of a pipeline is the error of a company, which is in the report."""
    while error is not None:
        if isinstance(error, ConnectorError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _error(error: BaseException, destination: Destination) -> dict[str, Any]:
    """Return what made a pipeline fail as an error of an envelope, without the destination's password and records."""
    from vantage_quickbooks.adapters.load_errors import describe_failure

    text, error = describe_failure(error)
    wanted, drivers = dict.fromkeys(_CONFIGURATION.findall(text)), dict.fromkeys(_DRIVER.findall(text))
    if drivers:
        text = f"its driver is missing. To install it: pip install '{next(iter(drivers))}'"
    elif wanted:
        text = f"dlt needs {', '.join(wanted)}, as environment variables or in .dlt/secrets.toml."
    elif destination.secret:
        text = text.replace(destination.secret, "***").replace(unquote(destination.secret), "***")
    text = text[:_MAX_TEXT] or type(error).__name__
    return {
        "code": "LOAD_FAILED",
        "message": f"{destination.text} could not be loaded: {text}",
        "retryable": False,
        "retryAfter": None,
        "fields": [],
        "details": {"exception": type(error).__name__},
    }
