"""`vantage-quickbooks sync` of several companies of a registry, into a directory."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.cli.connections import deployment_at, opened
from vantage_quickbooks.cli.files import check_not_settings, replacing
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import worker_logging
from vantage_quickbooks.cli.output import (
    FAILURE,
    INTERRUPTED,
    SUCCESS,
    clean,
    json_text,
    print_error,
    say,
    unwritable,
    write,
)
from vantage_quickbooks.cli.sync_options import CONCURRENCY
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vantage_quickbooks.cli.sync_directory import SyncDirectory
    from vantage_quickbooks.cli.sync_options import Options
    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.connector.many import CompanyRun, RunReport
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = ["check_report", "print_report", "run"]

_HEADINGS = ("CONNECTION", "COMPANY", "STATUS", "CHANGED", "DELETED", "CALLS", "SECONDS", "ERROR")


def run(options: Options) -> int:
    """Sync the companies and print the report; return the exit status.

    Raises:
        UsageError: Options cannot be combined, or a file or directory cannot be written. Nothing was sent.
    """
    from vantage_quickbooks.connector.many import RunsInterrupted

    options.check_several()
    check_report(options.report)
    try:
        with _sigterm_interrupts(), opened(options.registry) as registry:
            return print_report(_run(registry, options), options)
    except RunsInterrupted as interrupted:
        return print_report(interrupted.report, options, status=INTERRUPTED)
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the runs as Ctrl-C does, so that a scheduler that stops the command gets its report."""
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)


def _run(registry: ConnectionRegistry, options: Options) -> RunReport:
    from vantage_quickbooks.cli.sync_directory import SyncDirectory
    from vantage_quickbooks.connector.many import SyncTask, run_companies

    directory = SyncDirectory(options.output, options.state)
    task: Callable[[Connection, CompanyRun], None]
    if options.dry_run:
        task = _Estimate(options.entities, directory)
    else:
        task = SyncTask(directory.open_target, options.entities, options.max_api_calls, options.until, options.since)
    ids = options.connection_ids or None
    how: dict[str, Any] = {"workers": options.concurrency or CONCURRENCY, "timeout_s": options.timeout}
    if options.workers is None or options.workers == 1:
        return run_companies(registry, task, ids, deployment=deployment_at(options.emulator), **how)
    from vantage_quickbooks.connector.processes import run_in_processes

    return run_in_processes(
        functools.partial(opened, options.registry),
        task,
        ids,
        processes=options.workers,
        make_deployment=functools.partial(deployment_at, options.emulator),
        on_start=worker_logging(),
        **how,
    )


@dataclass(frozen=True, slots=True)
class _Estimate:
    """Estimates the sync of a company."""

    entities: str | None
    directory: SyncDirectory

    def __call__(self, connection: Connection, company: CompanyRun) -> None:
        company.result = connection.estimate_sync(self.entities, self.directory.state_of(company.id))


def check_report(report: str | None) -> None:
    """Check that the report can be written, before anything is sent.

    Raises:
        UsageError: It cannot.
    """
    if report is None:
        return
    path = Path(report)
    check_not_settings(path)
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise UsageError(f"--report: {path} cannot be written. Choose a file in a directory that exists.")


def print_report(report: RunReport, options: Options, *, status: int = SUCCESS, destination: str | None = None) -> int:
    """Print the report, write its file, and return the exit status.

    Args:
        report: The report.
        options: The options.
        status: The exit status if it is not that of the report.
        destination: Where the companies were loaded.
    """
    document = report.to_dict() | ({} if destination is None else {"destination": destination})
    if options.format_ == "json":
        write(json_text(document))
    else:
        _print(report, is_estimate=options.dry_run)
    if options.report is not None:
        try:
            with replacing(Path(options.report), is_private=True) as file:
                json.dump(document, file, indent=2)
                file.write("\n")
        except OSError as error:
            return unwritable(options.report, error)
    if not report.runs:
        say("There are no connections in the registry. Add them with: vantage-quickbooks connections add")
        return FAILURE
    return status if status or report.ok else FAILURE


def _print(report: RunReport, *, is_estimate: bool) -> None:
    """Write one row for each company, then the errors on standard error."""
    calls = "estimated" if is_estimate else "API"
    if not report.runs:
        return
    _print_table([_HEADINGS, *(_row(company) for company in report.runs)])
    for company in report.runs:
        if company.error is not None:
            say(f"\n{clean(company.id)}:")
            print_error(company.error)
    total = sum(company.result.get("apiCalls", 0) if is_estimate else company.api_calls for company in report.runs)
    count = len(report.runs)
    say(
        f"{count:,} {'company' if count == 1 else 'companies'}: {report.count('succeeded'):,} succeeded, "
        f"{count - report.count('succeeded'):,} did not. {total:,} {calls} calls, {report.seconds:,.1f} s."
    )


def _row(company: CompanyRun) -> tuple[str, ...]:
    result = company.result
    return (
        clean(company.id),
        company.realm_id or "?",
        company.status,
        f"{result['upserts']:,}" if "upserts" in result else "",
        f"{result['deletions']:,}" if "deletions" in result else "",
        f"{result.get('apiCalls', company.api_calls):,}",
        f"{company.seconds:.1f}" if company.seconds else "",
        company.error["code"] if company.error else "",
    )


def _print_table(table: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[number]) for row in table) for number in range(len(table[0]))]
    for row in table:
        cells = [
            text.rjust(width) if heading in {"CHANGED", "DELETED", "CALLS", "SECONDS"} else text.ljust(width)
            for heading, text, width in zip(table[0], row, widths, strict=True)
        ]
        write("  ".join(cells).rstrip() + "\n")
