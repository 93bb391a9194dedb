"""`vantage-quickbooks emulator`: serves a local QuickBooks and says how to reach it."""

from __future__ import annotations

import contextlib
import errno
import shlex
import sqlite3
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from vantage_quickbooks.cli.files import SettingsFile, is_of_emulator
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import write
from vantage_quickbooks.emulator import serve
from vantage_quickbooks.emulator.control.page import ready_curl
from vantage_quickbooks.emulator.faults import latency

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from vantage_quickbooks.emulator import Emulator

__all__ = ["how_to", "run"]


def run(args: Namespace) -> None:
    """Serve until Ctrl-C.

    Args:
        args: The command's arguments.

    Raises:
        UsageError: The port, the data or a file cannot be used.
    """
    target = args.write_settings
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(SettingsFile(Path(target), is_of_emulator, force=args.force)) if target else None

        def on_ready(emulator: Emulator) -> None:
            if file:
                file.commit(emulator.settings())
            write(how_to(emulator, target))
            sys.stdout.flush()

        _serve(args, on_ready)


def _serve(args: Namespace, on_ready: Callable[[Emulator], None]) -> None:
    try:
        serve(
            args.port,
            data=args.data,
            customers=args.customers,
            invoices=args.invoices,
            seed=args.seed,
            database=args.database,
            latency=[latency.parse(text) for text in args.latency],
            on_ready=on_ready,
        )
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"Port {args.port} is taken. Choose another, or leave --port out for a free one."
            ) from None
        where = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"The emulator cannot start: {where}{error.strerror or error}.") from None
    except sqlite3.Error as error:
        raise UsageError(f"The emulator cannot keep its company in {args.database}: {error}.") from None
    except ValueError as error:
        raise UsageError(f"The emulator cannot start: {error}.") from None


def how_to(emulator: Emulator, settings_file: str | None) -> str:
    """Return what a person needs to try a running emulator, ready to paste. Its secrets are made up: they may be shown.

    Args:
        emulator: The emulator.
        settings_file: Where its settings were written; None shows them.
    """
    url = emulator.url
    company = f"{url}/v3/company/{emulator.realm_id}"
    counts = emulator.company().counts()
    exports, option = "", ""
    if settings_file is None:
        variables = {"EMULATOR_URL": url} | {name.upper(): value for name, value in emulator.credentials().items()}
        lines = (f"  export VANTAGE_QUICKBOOKS_{name}={shlex.quote(value)}" for name, value in variables.items())
        exports = "\n".join(lines) + "\n"
    else:
        option = f" --settings {shlex.quote(str(Path(settings_file).absolute()))}"
    written = f"written to {settings_file}" if settings_file else "below (--write-settings FILE writes them to a file)"
    return f"""\
A local QuickBooks is ready. Ctrl-C ends it.

  company   {emulator.company().name()}, realm {emulator.realm_id}: \
{counts.get("Customer", 0):,} customers, {counts.get("Invoice", 0):,} invoices
  page      {url}/  (what it was asked, and buttons for faults)
  API       {company}
  OAuth     {url}/oauth2/v1/tokens/bearer
  control   {url}/_emulator/state
  settings  {written}

In another terminal:

{exports}  vantage-quickbooks test{option}
  vantage-quickbooks call listInvoices{option} --format table

With curl:

{textwrap.indent(ready_curl(emulator), "  ")}
The secrets above are the emulator's own, made up and marked as such: Intuit is never sent them.
"""
