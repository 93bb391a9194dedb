"""What the commands of `webhooks` share: the inbox, and what notices are handed on to."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vantage_quickbooks.cli.connections import deployment_at, has_password, opened
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import complete_connection, emulator_option, registry_option
from vantage_quickbooks.cli.output import require
from vantage_quickbooks.cli.sync_options import CONCURRENCY, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from vantage_quickbooks.registry import ConnectionRegistry
    from vantage_quickbooks.webhooks.inbox import Inbox
    from vantage_quickbooks.webhooks.notices import Notice
    from vantage_quickbooks.webhooks.worker import Worker

__all__ = ["inbox_option", "make_inbox", "make_worker", "sync_options"]

INBOX_VARIABLE = "VANTAGE_QUICKBOOKS_WEBHOOK_INBOX"

_BATCH = 100
"""Companies that are loaded into a database together."""

F = TypeVar("F", bound="Callable[..., Any]")


def inbox_option(command: F) -> F:
    """Add `--inbox URL`."""
    return click.option(
        "--inbox",
        metavar="URL",
        help=f"The inbox, a file or a database URL; default: {INBOX_VARIABLE}, or a file of this user's.",
    )(command)


def sync_options(command: F) -> F:
    """Add the options of where companies are synced, and when."""
    for option in reversed((
        click.option(
            "--window",
            metavar="SECONDS",
            type=click.FloatRange(0, 86_400),
            default=900.0,
            help="Collect the notices of a company for so long, then sync it once; default 900.",
        ),
        click.option(
            "--output",
            metavar="DIR",
            type=click.Path(),
            help="Append the changes of each company to a file in this directory, as `sync --all` does.",
        ),
        click.option(
            "--state", metavar="DIR", type=click.Path(), help="Where states are kept; default: that of --output."
        ),
        click.option("--to", metavar="DESTINATION", help="Load into a database or files; see `sync --help`."),
        click.option("--entities", metavar="A,B", help="Entities to sync; all that can be verified by default."),
        click.option(
            "--connection",
            "connection_ids",
            metavar="ID",
            multiple=True,
            shell_complete=complete_connection,
            help="A connection of the registry; can be repeated. All by default.",
        ),
        registry_option,
        click.option(
            "--reconcile",
            metavar="HOURS",
            type=click.FloatRange(0.01, 24 * 29),
            default=24.0,
            help="Sync each company at least this often, because notifications get lost; default 24.",
        ),
        click.option(
            "--concurrency",
            metavar="N",
            type=click.IntRange(1, 100),
            help=f"Companies at once; default {CONCURRENCY}.",
        ),
        click.option(
            "--max-api-calls", metavar="N", type=click.IntRange(1), help="Limit of API calls of one sync of a company."
        ),
        click.option("--dataset", metavar="NAME", help="With --to: the schema of the tables; default quickbooks."),
        click.option("--lines", is_flag=True, help="With --to: lines are tables of their own, invoice_lines."),
        click.option(
            "--deletions",
            type=click.Choice(["hard", "soft"]),
            help="With --to: delete rows of deleted records (hard, the default), or keep them with _deleted_at.",
        ),
        emulator_option,
    )):  # fmt: skip
        command = option(command)
    return command


def make_inbox(url: str | None, **options: Any) -> Inbox:
    """Return the inbox of `--inbox`, or of the environment variable.

    Raises:
        UsageError: The URL contains a password, or packages are missing.
        ConnectorError: The URL is invalid.
    """
    if url is not None and has_password(url):
        raise UsageError(
            "--inbox contains a password, and every user of this machine can read arguments. "
            f"Set the variable {INBOX_VARIABLE} to this URL instead."
        )
    require("Webhooks need", webhooks=("sqlalchemy", "uvicorn"))
    from vantage_quickbooks.webhooks.inbox import Inbox

    return Inbox(url or os.environ.get(INBOX_VARIABLE, "").strip() or None, **options)


@contextlib.contextmanager
def make_worker(inbox: Inbox, given: dict[str, Any]) -> Generator[Worker]:
    """Yield a worker that syncs companies.

    Args:
        inbox: The inbox.
        given: The values of the options that `sync_options` adds.

    Raises:
        UsageError: Options cannot be combined, or a directory cannot be written.
        ConnectorError: The registry or the destination cannot be used.
    """
    from vantage_quickbooks.webhooks.worker import Worker

    reconcile_s, options = given.pop("reconcile") * 3_600, _options(given)
    stopping = threading.Event()
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(opened(options.registry))
        handler: Any
        if options.has_destination:
            handler = _DestinationHandler(registry, options)
        else:
            handler = _directory_handler(registry, options, stopping)
            stack.callback(handler.close)
        yield Worker(
            inbox,
            handler,
            companies=handler.companies.realms,
            reconcile_s=reconcile_s,
            threads=_BATCH if options.has_destination else options.concurrency or CONCURRENCY,
            stopping=stopping,
        )


def _options(given: dict[str, Any]) -> Options:
    """Return the options of the syncs, checked."""
    options = Options(
        **given,
        settings=None,
        is_all=not given["connection_ids"],
        format_=None,
        report=None,
        workers=None,
        timeout=None,
        until=None,
        dry_run=False,
        restart=False,
    )
    if options.has_destination:
        options.check_load()
    elif options.output is None:
        raise UsageError(
            "Missing option '--output DIR' or '--to DESTINATION': where companies are synced. "
            "To receive only, and sync in another process, use --no-sync."
        )
    else:
        options.check_several()
    return options


def _directory_handler(registry: ConnectionRegistry, options: Options, stopping: threading.Event) -> Any:
    from vantage_quickbooks.cli.sync_directory import SyncDirectory
    from vantage_quickbooks.connector.connection import sync_input
    from vantage_quickbooks.contract import HostContext
    from vantage_quickbooks.webhooks.handlers import SyncHandler

    sync_input(options.entities, None, options.max_api_calls, None, None)
    return SyncHandler(
        registry,
        SyncDirectory(options.output, options.state).open_target,
        connection_ids=options.connection_ids or None,
        entities=options.entities,
        max_api_calls=options.max_api_calls,
        context=HostContext(cancelled=stopping.is_set),
        deployment=deployment_at(options.emulator),
    )


class _DestinationHandler:
    """Loads companies into a database, those of a batch together.

    Args:
        registry: The registry.
        options: Where and what.
    """

    def __init__(self, registry: ConnectionRegistry, options: Options) -> None:
        from vantage_quickbooks.cli.warehouse import open_destination
        from vantage_quickbooks.webhooks.handlers import RegisteredCompanies

        self.companies = RegisteredCompanies(registry, options.connection_ids or None)
        self._registry = registry
        self._options = options
        self._destination = open_destination(options)

    def handle_batch(self, work: Sequence[tuple[str, Sequence[Notice]]]) -> dict[str, BaseException]:
        """Load the companies; return the errors of those that failed."""
        from vantage_quickbooks.adapters.dlt import LoadReport
        from vantage_quickbooks.cli.warehouse import load_companies
        from vantage_quickbooks.errors import ConnectorError
        from vantage_quickbooks.webhooks.worker import UnknownCompanyError

        failures: dict[str, BaseException] = {}
        realms: dict[str, str] = {}  # by connection
        for realm, _ in work:
            try:
                realms |= dict.fromkeys(self.companies.ids_of(realm), realm)
            except UnknownCompanyError as error:
                failures[realm] = error
        if not realms:
            return failures
        report = LoadReport()
        failure = load_companies(
            self._destination,
            self._options,
            report,
            connections=list(realms),
            registry=self._registry,
            deployment=deployment_at(self._options.emulator),
        )
        if failure is not None:
            failed = ConnectorError.from_dict(failure)
            failures |= dict.fromkeys(realms.values(), failed)
        for company in report.companies:
            errors = [company.error] if company.error else [one for one in company.errors if one["retryable"]]
            for found in errors[:1]:
                failures[realms[company.connection]] = ConnectorError.from_dict(found)
        return failures
