"""`vantage-quickbooks serve`: the host in the browser; with `--demo`, on a local QuickBooks with a sample company."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import write
from vantage_quickbooks.web.host import Host
from vantage_quickbooks.web.rows import ResultsError
from vantage_quickbooks.web.server import bind, make_sessions, serve
from vantage_quickbooks.web.store import Store, StoreError, default_directory

if TYPE_CHECKING:
    from argparse import Namespace

    from vantage_quickbooks.web.security import Sessions

__all__ = ["run"]

DEMO_ID = "demo"


def run(args: Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        args: The command's arguments.

    Raises:
        UsageError: An address or a directory cannot be used.
    """

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    kept = signal.signal(signal.SIGTERM, stop)  # or it would end the process before anything is cleaned up
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _run(args)
    finally:
        signal.signal(signal.SIGTERM, kept)


def _run(args: Namespace) -> None:
    public_url = _public_url(args.public_url)
    if args.emulator:
        os.environ["VANTAGE_QUICKBOOKS_EMULATOR_URL"] = args.emulator  # where the connector of this process looks
    with contextlib.ExitStack() as stack:
        try:
            sockets = [stack.enter_context(bound) for bound in bind(args.host, args.port)]
        except OSError as error:
            raise UsageError(_why_not_bound(args, error)) from None
        demo = _start_emulator(stack) if args.demo else None
        directory = Path(args.data) if args.data else default_directory()
        if demo:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vantage-demo-")))
        try:
            host = Host(Store(directory))
        except StoreError as error:
            raise UsageError(str(error)) from None
        if demo:
            host.save("quickbooks", demo[0], dict(demo[1]), DEMO_ID)
        sessions = make_sessions(args.host, sockets[0].getsockname()[1], public_url)
        place = "nowhere: the demo forgets" if demo else str(directory)

        def on_ready(sessions: Sessions) -> None:
            write(how_to(sessions, place, is_demo=bool(demo), is_open=args.host is not None))
            sys.stdout.flush()

        try:
            serve(host, sessions, sockets, on_ready=on_ready, is_verbose=args.verbose)
        except ResultsError as error:
            raise UsageError(str(error)) from None


def how_to(sessions: Sessions, place: str, *, is_demo: bool, is_open: bool) -> str:
    """Return what a person needs to begin."""
    warning = "  Others on the network can reach it; the key below is all that keeps them out.\n" if is_open else ""
    what = (
        "A host for connectors is ready, on a local QuickBooks with a sample company."
        if is_demo
        else ("A host for connectors is ready.")
    )
    return f"""\
{what} Ctrl-C ends it.

  open      {sessions.sign_in_url}
  API       {sessions.base_url}/api/openapi.json, with the key as a bearer token
  settings  {place}
{warning}"""


def _start_emulator(stack: contextlib.ExitStack) -> tuple[str, dict[str, str]]:
    """Start a local QuickBooks and point this process's connector to it, for as long as the stack lasts."""
    from vantage_quickbooks.emulator import Emulator  # noqa: PLC0415 -- lark is an extra

    emulator = stack.enter_context(Emulator(rotation="always"))
    variables = {"EMULATOR_URL": emulator.url, "TOKEN_STORE": "memory:"}
    os.environ.update({f"VANTAGE_QUICKBOOKS_{name}": value for name, value in variables.items()})
    return emulator.company().name(), emulator.credentials()


def _public_url(text: str | None) -> str | None:
    if text is None:
        return None
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UsageError("--public-url takes a scheme and a host, like https://vantage.example.com.")
    return f"{parts.scheme}://{parts.netloc}"


def _why_not_bound(args: Namespace, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {args.port} is taken. Choose another with --port, or 0 for a free one."
    return f"{args.host or 'This machine'} cannot be listened on, port {args.port}: {error.strerror or error}."
