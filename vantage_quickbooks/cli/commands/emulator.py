"""`vantage-quickbooks emulator`: serves a local QuickBooks and prints how to reach it."""

from __future__ import annotations

import contextlib
import errno
import shlex
import sqlite3
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from vantage_quickbooks.cli.files import SettingsFile, is_of_emulator
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import Command, port_option
from vantage_quickbooks.cli.output import SUCCESS, require, write

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vantage_quickbooks.emulator import Emulator

__all__ = ["command"]

_CLIENTS = ("curl", "intuit-oauth", "python-quickbooks", "node-intuit-oauth", "node-quickbooks")
_LIMITS: dict[str | None, Literal["strict"] | bool] = {None: True, "strict": "strict", "none": False}


@click.command(
    cls=Command,
    examples=(
        (
            "Serve, and write settings for the other commands",
            "vantage-quickbooks emulator --port 8085 --write-settings emulator.json",
        ),
        ("A company with 100,000 invoices", "vantage-quickbooks emulator --customers 5000 --invoices 100000"),
        ("The lines for another client", "vantage-quickbooks emulator --for python-quickbooks"),
        ("What will break in February 2027", "vantage-quickbooks emulator --as-of 2027-02-01"),
        ("Slow answers", "vantage-quickbooks emulator --latency median=0.3,p99=2 --latency /query=0.2"),
    ),
)
@port_option(0, "Port on 127.0.0.1; default: any free port.")
@click.option("--data", metavar="DIR", type=click.Path(), help="Serve a folder of saved QuickBooks responses instead.")
@click.option("--customers", type=int, metavar="N", help="Number of customers to generate; default about 30.")
@click.option("--invoices", type=int, metavar="N", help="Number of invoices to generate; default about 60.")
@click.option(
    "--seed", type=int, default=1, metavar="S", help="Seed of the generated company; the same seed gives the same one."
)
@click.option("--database", metavar="FILE", type=click.Path(), help="Keep the company in this SQLite file.")
@click.option(
    "--latency",
    metavar="L",
    multiple=True,
    help="Delay of answers: 0.2 (seconds), 0.1..0.4 or median=0.3,p99=2; for some paths only: /query=0.2. Repeatable.",
)
@click.option(
    "--strict-limits", "limits", flag_value="strict", help="Also refuse more than 10 requests a second, as Intuit does."
)
@click.option("--no-limits", "limits", flag_value="none", help="Never throttle.")
@click.option(
    "--rotation",
    type=click.Choice(("daily", "always")),
    default="daily",
    help="When a refresh returns a new refresh token: after 24 hours (default), or every time.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="S",
    help="Seconds for which a replaced refresh token still works; default 0.",
)
@click.option("--scenario", metavar="FILE", type=click.Path(), help="Play this scenario, a YAML file.")
@click.option(
    "--webhook", metavar="URL", multiple=True, help="Post signed notifications of every change to URL. Repeatable."
)
@click.option("--as-of", metavar="DATE", help="Answer as QuickBooks does, or is announced to do, on this date.")
@click.option(
    "--write-settings",
    metavar="FILE",
    type=click.Path(),
    help="Write the settings of this emulator to FILE (mode 0600).",
)
@click.option(
    "--for",
    "client",
    type=click.Choice(_CLIENTS),
    help="Print the lines that point this client at the emulator, and nothing else.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE regardless of its content.")
def command(
    port: int,
    data: str | None,
    customers: int | None,
    invoices: int | None,
    seed: int,
    database: str | None,
    latency: Sequence[str],
    limits: str | None,
    rotation: Literal["daily", "always"],
    grace: float,
    as_of: str | None,
    scenario: str | None,
    webhook: Sequence[str],
    write_settings: str | None,
    client: str | None,
    force: bool,
) -> int:
    """Prints the addresses, settings and example commands. Nothing is sent to Intuit."""
    require("The emulator needs", emulator=("lark", "yaml", "reportlab"))
    from vantage_quickbooks.emulator import serve
    from vantage_quickbooks.emulator.faults import latency as latencies

    target = write_settings
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(SettingsFile(Path(target), is_of_emulator, force=force)) if target else None

        def on_ready(emulator: Emulator) -> None:
            if file:
                file.commit(emulator.settings())
            write(_lines_for(client, emulator) if client else how_to(emulator, target))
            sys.stdout.flush()

        with _explained(port, database):
            serve(
                port,
                data=data,
                customers=customers,
                invoices=invoices,
                seed=seed,
                database=database,
                limits=_LIMITS[limits],
                rotation=rotation,
                previous_token_grace_s=grace,
                as_of=as_of,
                scenario=scenario,
                webhooks=webhook,
                latency=[latencies.parse(text) for text in latency],
                on_ready=on_ready,
            )
    return SUCCESS


@contextlib.contextmanager
def _explained(port: int, database: str | None) -> Iterator[None]:
    """Turn errors of the start into usage errors."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"Port {port} is in use. Choose another, or omit --port for any free port.") from None
        where = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"The emulator cannot start: {where}{error.strerror or error}.") from None
    except sqlite3.Error as error:
        raise UsageError(f"The emulator cannot use the database {database}: {error}.") from None
    except ValueError as error:
        raise UsageError(f"The emulator cannot start: {error}.") from None


def _lines_for(client: str, emulator: Emulator) -> str:
    from vantage_quickbooks.emulator.control.clients import lines_for

    return lines_for(client, emulator)


def how_to(emulator: Emulator, settings_file: str | None) -> str:
    """Return how to use a running emulator, ready to paste. Its secrets are generated, so they may be shown.

    Args:
        emulator: The emulator.
        settings_file: Where its settings were written; None shows them.
    """
    from vantage_quickbooks.emulator.control.clients import lines_for
    from vantage_quickbooks.emulator.http.limits import describe

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
    hooks = ""
    if emulator.state()["webhooks"]["subscriptions"]:
        hooks = f"\n  webhooks  verifier token {emulator.webhooks.verifier_token}"
    written = f"written to {settings_file}" if settings_file else "below (--write-settings FILE writes them to a file)"
    return f"""\
A local QuickBooks is running. Press Ctrl-C to stop it.

  company   {emulator.company().name()}, realm {emulator.realm_id}: \
{counts.get("Customer", 0):,} customers, {counts.get("Invoice", 0):,} invoices
  page      {url}/  (requests received, faults to switch on)
  API       {company}
  OAuth     {url}/oauth2/v1/tokens/bearer
  control   {url}/_emulator/state
  limits    {describe(emulator.limits.numbers)}
  clients   {", ".join(_CLIENTS)}: --for CLIENT prints the lines that point it here
  settings  {written}{hooks}

In another terminal:

{exports}  vantage-quickbooks test{option}
  vantage-quickbooks call listInvoices{option} --format table

With curl:

{textwrap.indent(lines_for("curl", emulator), "  ")}
The secrets above are generated by the emulator and are never sent to Intuit.
"""
