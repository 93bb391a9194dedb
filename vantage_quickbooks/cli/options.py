"""What commands share: examples at the end of the help, and options."""

from __future__ import annotations

import functools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "Command",
    "Examples",
    "Group",
    "access_key_option",
    "complete_connection",
    "connection_option",
    "emulator_option",
    "format_option",
    "format_server_logs",
    "log_format_option",
    "log_to_stderr",
    "metrics_key_option",
    "port_option",
    "read_access_key",
    "read_metrics_key",
    "registry_option",
    "settings_option",
    "stop_logging",
    "verbose_option",
    "worker_logging",
]

_LOGGER = "vantage_quickbooks"

MIN_KEY_LENGTH = 16
"""Characters of the access key, and of the key for `/metrics`."""

F = TypeVar("F", bound="Callable[..., Any]")


class Examples:
    """Mixin of a click command: its help ends with examples.

    Args:
        examples: Each with what it does and the command line, ready to paste.
    """

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog and the examples."""
        super().format_epilog(ctx, formatter)  # type: ignore[misc]  # the click command beside this mixin has it
        if self.examples:
            formatter.write("\nExamples:\n")
            for title, line in self.examples:
                formatter.write(f"  # {title}\n  {line}\n")


class Command(Examples, click.Command):
    """A command with examples."""


class Group(Examples, click.Group):
    """A group of commands with examples. Without a command, it prints its help on standard error and exits with 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, no_args_is_help=False, **kwargs)  # click's own exit status depends on its version

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help if there are no arguments."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)


def settings_option(command: F) -> F:
    """Add `--settings FILE`."""
    return click.option(
        "--settings",
        metavar="FILE",
        type=click.Path(),
        help="JSON file with the settings; - reads standard input. VANTAGE_QUICKBOOKS_* variables override it.",
    )(command)


def connection_option(command: F) -> F:
    """Add `--connection ID` and `--registry URL`, in place of `--settings`."""
    option = click.option(
        "--connection",
        metavar="ID",
        shell_complete=complete_connection,
        help="A connection of the registry, in place of --settings.",
    )
    return option(registry_option(command))


def registry_option(command: F) -> F:
    """Add `--registry URL`."""
    return click.option(
        "--registry",
        metavar="URL",
        help="The registry of connections: a folder or a database URL; default: VANTAGE_QUICKBOOKS_REGISTRY.",
    )(command)


def complete_connection(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of a connection."""
    from vantage_quickbooks.cli.connections import opened
    from vantage_quickbooks.cli.inputs import UsageError
    from vantage_quickbooks.errors import ConnectorError

    try:
        with opened(context.params.get("registry")) as registry:
            entries = registry.list()
    except (ConnectorError, UsageError):
        return []
    return [CompletionItem(entry.id, help=entry.label) for entry in entries if entry.id.startswith(incomplete)]


def emulator_option(command: F) -> F:
    """Add `--emulator URL`."""
    return click.option("--emulator", metavar="URL", help="Use the local emulator at this address.")(command)


def verbose_option(command: F) -> F:
    """Add `--verbose`, which logs to standard error."""

    def enable(_: click.Context, __: click.Parameter, value: bool) -> None:
        if value:
            log_to_stderr()

    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=enable,
        help="Write the connector's log to standard error.",
    )(command)


def format_option(*formats: str, help: str, default: str | None = None) -> Callable[[F], F]:  # noqa: A002 -- click's word
    """Return a decorator that adds `--format`."""
    return click.option("--format", "format_", type=click.Choice(formats), default=default, help=help)


def port_option(default: int, text: str) -> Callable[[F], F]:
    """Return a decorator that adds `--port N`."""
    return click.option("--port", type=_port, default=default, metavar="N", help=text)


def metrics_key_option(command: F) -> F:
    """Add `--metrics-key-file FILE`; see `read_metrics_key`."""
    text = "File with the bearer token for /metrics; default: VANTAGE_QUICKBOOKS_METRICS_KEY."
    return _file_option("--metrics-key-file", text)(command)


def read_metrics_key(path: str | None) -> str | None:
    """Return the bearer token for `/metrics`: from a file, or from the environment variable; None for none.

    Raises:
        UsageError: The file cannot be read, or the token is too short.
    """
    return _read_key(path, "--metrics-key-file", "VANTAGE_QUICKBOOKS_METRICS_KEY", "key for /metrics")


def access_key_option(command: F) -> F:
    """Add `--access-key-file FILE`; see `read_access_key`."""
    text = "File with the access key; default: VANTAGE_QUICKBOOKS_ACCESS_KEY, or a new key at each start."
    return _file_option("--access-key-file", text)(command)


def read_access_key(path: str | None) -> str | None:
    """Return the access key of the web UI: from a file, or from the environment variable; None for a new one.

    Raises:
        UsageError: The file cannot be read, or the key is too short.
    """
    return _read_key(path, "--access-key-file", "VANTAGE_QUICKBOOKS_ACCESS_KEY", "access key")


def _file_option(name: str, text: str) -> Callable[[F], F]:
    return click.option(name, metavar="FILE", type=click.Path(), help=text)


def _read_key(path: str | None, option: str, variable: str, what: str) -> str | None:
    from vantage_quickbooks.cli.inputs import UsageError

    if path is None:
        key = os.environ.get(variable, "").strip()
        if not key:
            return None
    else:
        try:
            key = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise UsageError(f"{option}: {path} cannot be read: {reason}.") from None
    if len(key) < MIN_KEY_LENGTH or not key.isascii() or any(it.isspace() for it in key):
        raise UsageError(
            f"The {what} must be at least {MIN_KEY_LENGTH} characters of ASCII without spaces. "
            "To make one: openssl rand -hex 24"
        )
    return key


def _port(value: str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise click.BadParameter("a port is a number from 0 to 65535.")
    return int(text)


def log_format_option(command: F) -> F:
    """Add `--log-format FORMAT`, which logs to standard error without the details of `--verbose`."""

    def enable(_: click.Context, __: click.Parameter, value: str | None) -> None:
        if value is not None:
            log_to_stderr(is_json=value == "json", level=logging.INFO)

    return click.option(
        "--log-format",
        type=click.Choice(("text", "json")),
        expose_value=False,
        callback=enable,
        help="Write the log to standard error, as text or as lines of JSON; -v adds details.",
    )(command)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """The handler of the command line; there is one."""


def log_to_stderr(*, is_json: bool | None = None, level: int = logging.DEBUG) -> None:
    """Write this package's log, and no library's, to standard error.

    Args:
        is_json: Write lines of JSON; None keeps the format of an earlier call.
        level: The lowest level; that of an earlier call remains if it is lower.
    """
    from vantage_quickbooks.logs import JsonFormatter

    log = logging.getLogger(_LOGGER)
    handler = _StderrHandler()
    earlier = next((it for it in log.handlers if isinstance(it, _StderrHandler)), None)
    if earlier is not None:
        handler.setFormatter(earlier.formatter)
        level = min(level, log.level)
        log.removeHandler(earlier)
    if is_json is not None:
        handler.setFormatter(JsonFormatter() if is_json else None)
    log.addHandler(handler)
    log.setLevel(level)


def stop_logging() -> None:
    """Undo what `log_to_stderr` did: tests run several commands in one process."""
    log = logging.getLogger(_LOGGER)
    for handler in [it for it in log.handlers if isinstance(it, _StderrHandler)]:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def worker_logging() -> Callable[[], None] | None:
    """Return what makes a worker process log as this one does; None if it does not log. It can be pickled."""
    log = logging.getLogger(_LOGGER)
    handler = next((it for it in log.handlers if isinstance(it, _StderrHandler)), None)
    if handler is None:
        return None
    return functools.partial(log_to_stderr, is_json=handler.formatter is not None, level=log.level)


def format_server_logs() -> None:
    """Write uvicorn's records as JSON to standard error, if this package's are; uvicorn has set up its handlers."""
    ours = next((it for it in logging.getLogger(_LOGGER).handlers if isinstance(it, _StderrHandler)), None)
    if ours is not None and ours.formatter is not None:
        for name in ("uvicorn", "uvicorn.access"):
            for handler in logging.getLogger(name).handlers:
                handler.setFormatter(ours.formatter)
                if isinstance(handler, logging.StreamHandler):  # that of requests writes to standard output
                    handler.setStream(ours.stream)
