"""
The command line: reads what a person hands over, asks the connector, prints, and exits. It decides nothing.

Exit status: 0 it succeeded, 1 it failed (the settings, the call, a check), 2 it cannot be carried out as written, 130
Ctrl-C ended it before it was done. A server that is asked to stop has done what it should: 0.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import importlib.util
import json
import logging
import os
import re
import shlex
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vantage_quickbooks import contract
from vantage_quickbooks.catalog.columns import columns_for
from vantage_quickbooks.cli.export import Export, fields_of, to_file, to_stdout
from vantage_quickbooks.cli.files import replacing
from vantage_quickbooks.cli.inputs import UsageError, read_input, read_object, read_settings
from vantage_quickbooks.cli.output import (
    clean,
    error_lines,
    field_lines,
    json_text,
    rows_of,
    say,
    write,
)
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.tabular import csv_header, csv_rows, csv_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["main"]

SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

_VERB = re.compile("^(list|get)", re.IGNORECASE)

_SETTINGS_HELP = "JSON file with the settings, - for standard input; VANTAGE_QUICKBOOKS_* variables override it"
_EPILOG = """\
settings:
  --settings FILE, and over it, key by key, the environment variables VANTAGE_QUICKBOOKS_CLIENT_ID,
  _CLIENT_SECRET, _REFRESH_TOKEN, _REALM_ID, _MAX_RESULTS and _ENVIRONMENT. Never on the command
  line: every user of this machine can read it there.

emulator:
  The settings that `emulator --write-settings FILE` writes lead to it by themselves. With other
  settings, --emulator URL or the variable VANTAGE_QUICKBOOKS_EMULATOR_URL leads there.

exit status:
  0 it succeeded; 1 it failed; 2 it cannot be carried out as written; 130 Ctrl-C ended it before it
  was done. `serve` and `emulator` run until they are asked to stop: Ctrl-C and SIGTERM end them with 0.
"""
_CALL_EPILOG = """\
formats:
  json   the envelope that a host gets, {"success": true, "data": ...} or {"success": false,
         "error": ...}; where nothing but a person reads it, a failure is told in words
  table  the columns that people like; of invoices, also what is outstanding; tokens are masked
  csv    the same columns whatever the rows hold: every property that Intuit's schema knows, of a
         reference value and name (CustomerRef.value), lists as JSON text (docs/command-line.md).
         A text that a spreadsheet would run as a formula (= + - @ or a tab in front) gets an
         apostrophe before it; numbers stay numbers; tokens are masked. With all, page by page
  ndjson with all: one record a line as Intuit sent it, page by page
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; those of the process by default.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # in JSON, what no encoding can write is written as \\uXXXX
    try:
        status = _run(argv)
        sys.stdout.flush()
    except UsageError as error:
        say(f"vantage-quickbooks: {clean(str(error))}")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `... | head` has seen enough
        _drop_output()
        return FAILURE
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO} or error.filename:
            return _defect(error)
        _drop_output()
        return _unwritable("Standard output", error)
    except Exception as error:  # noqa: BLE001 -- a person gets a sentence, whatever it is
        return _defect(error)
    return status


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = _parser().parse_args(argv)
    except SystemExit as ended:  # help, version and wrong usage: standard output is not flushed yet
        return int(ended.code or SUCCESS)
    if getattr(args, "verbose", False):
        _log_to_stderr()
    else:
        logging.getLogger("vantage_quickbooks").addHandler(logging.NullHandler())
    status: int = args.run(args)
    return status


def _drop_output() -> None:
    """Send what is still in the buffer of standard output nowhere, or Python would fail at it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _defect(error: Exception) -> int:
    """Report a defect by its place in the code: an unforeseen message could hold a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    say(f"vantage-quickbooks failed by a defect of its own: {type(error).__name__} at {frame.filename}:{frame.lineno}.")
    return FAILURE


def _log_to_stderr() -> None:
    log = logging.getLogger("vantage_quickbooks")  # the package's own logger: the root's would make libraries talk
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.DEBUG)


# ---- commands --------------------------------------------------------------------------------------------------------


def _describe(_: argparse.Namespace) -> int:
    write(json_text(QUICKBOOKS.describe()))
    return SUCCESS


def _validate(args: argparse.Namespace) -> int:
    found = QUICKBOOKS.validate(read_object(args.file, "settings"))
    if args.format == "json":
        write(json_text(found))
    elif found["valid"]:
        write("The settings are right.\n")
        _warn(found["warnings"])
    else:
        _print_error(_as_error(found["fields"]))
    return SUCCESS if found["valid"] else FAILURE


def _as_error(fields: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"code": "SETTINGS_INVALID", "message": "", "fields": fields, "retryable": False, "details": {}}


def _test(args: argparse.Namespace) -> int:
    settings = read_settings(args.settings, args.emulator)
    try:
        with QUICKBOOKS.connect(settings) as connection:
            found = connection.test()
    except ConnectorError as error:
        return _failed(contract.envelope(error=error), args.format)
    if args.format == "json":
        write(json_text(found))
        return SUCCESS if found["ok"] else FAILURE
    for check in found["checks"]:
        if check["ok"]:
            write(f"ok      {check['name']}: {clean(check['message'])}\n")
        else:
            write(f"FAILED  {check['name']}\n")
            sys.stdout.flush()
            _print_error(check["error"])
    _warn(found["warnings"])
    return SUCCESS if found["ok"] else FAILURE


def _warn(warnings: Sequence[Mapping[str, str]]) -> None:
    for line in field_lines(warnings):
        say(clean(line if line.startswith(" ") else f"Warning: {line}"))


def _call(args: argparse.Namespace) -> int:
    action = _action(args.action)
    if args.format == "table":
        _require("Tables need", cli=("rich",))
    if args.settings == "-" and args.input in {"-", "@-"}:
        raise UsageError("Settings and input cannot both be read from standard input. Give one of them as a file.")
    data = read_input(args.input)
    _check_export(args, action, data)
    try:
        with QUICKBOOKS.connect(read_settings(args.settings, args.emulator)) as connection:
            if args.dry_run:
                return _estimate(connection.estimate(action["id"], data))
            if args.format == "ndjson" or (args.format == "csv" and _is_full(action, data)):
                return _export(Export(connection, action["id"], data, args.format), args.output)
            envelope = connection.call(action["id"], data)
    except ConnectorError as error:
        envelope = contract.envelope(error=error, action=action)
    if not envelope["success"]:
        return _failed(envelope, args.format)
    if args.output:
        return _save_result(envelope, action, args, data)
    _print_result(envelope, action, args.format or "json", data)
    return SUCCESS


def _save_result(
    envelope: Mapping[str, Any], action: Mapping[str, Any], args: argparse.Namespace, data: Mapping[str, Any]
) -> int:
    try:
        is_private = action["sensitiveOutput"]
        with replacing(Path(args.output), is_private=is_private) as file, contextlib.redirect_stdout(file):
            _print_result(envelope, action, args.format or "json", data)
    except OSError as error:
        return _unwritable(args.output, error)
    return SUCCESS


def _unwritable(name: str, error: OSError) -> int:
    """Report an output that cannot be written."""
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    reason = "the disk is full" if is_full else error.strerror or "the system refused"
    say(f"vantage-quickbooks: {name} cannot be written: {clean(reason)}.")
    return FAILURE


def _is_full(action: Mapping[str, Any], data: Any) -> bool:
    """Return whether an input asks for a full read."""
    return bool(action["streamable"] and isinstance(data, dict) and (data.get("all") or "sync_cursor" in data))


def _check_export(args: argparse.Namespace, action: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    whole = _is_full(action, data)
    if (args.format == "ndjson" or args.dry_run) and not whole:
        raise UsageError("This is for whole reads: listCustomers or listInvoices with --input '{\"all\": true}'.")
    if args.format == "ndjson":
        _require("Newline-delimited JSON needs", bulk=("msgspec",))
    if args.format in {"ndjson", "csv"} and whole and "sync_cursor" in data:
        raise UsageError("Deleted records have no place in NDJSON or CSV. Read changes with --format json.")


def _estimate(found: Mapping[str, Any]) -> int:
    say(f"{found['totalCount']:,} records, about {found['apiCalls']:,} API calls. This estimate took one.")
    return SUCCESS


def _export(export: Export, output: str | None) -> int:
    if output is None:
        to_stdout(export)
        return SUCCESS
    try:
        told = to_file(export, Path(output))
    except OSError as error:
        return _unwritable(output, error)
    say(f"{told['records']:,} records in {output}, whole; {told['apiCalls']:,} API calls in this run.")
    return SUCCESS


def _action(name: str) -> dict[str, Any]:
    actions: dict[str, dict[str, Any]] = {action["id"]: action for action in QUICKBOOKS.describe()["actions"]}
    if name in actions:
        return actions[name]
    # What follows the verb is compared: listPayments has more letters of listCustomers than not, and is another thing.
    nouns = {_VERB.sub("", known).lower(): known for known in actions}
    near = difflib.get_close_matches(_VERB.sub("", name).lower(), nouns, n=1, cutoff=0.7)
    hint = f" Did you mean {nouns[near[0]]}?" if near else ""
    raise UsageError(f"{json.dumps(name[:60])} is not a known action.{hint} The actions are {', '.join(actions)}.")


def _print_result(envelope: Mapping[str, Any], action: Mapping[str, Any], form: str, given: Mapping[str, Any]) -> None:
    if form == "json":
        write(json_text(envelope))
        return
    data = envelope["data"]
    if form == "csv":
        rows, columns = rows_of(data, action), columns_for(action["id"], fields_of(given))
        write(csv_header(columns) + csv_rows(rows, columns) if columns else csv_text(rows))
    else:
        from vantage_quickbooks.cli import tables  # noqa: PLC0415 -- rich is an extra

        tables.show_result(data, action)
    if data["metadata"].get("mayHaveMore"):
        following = json.dumps({**given, "start_position": data["metadata"]["nextStartPosition"]})
        say(f"More may follow these {data['count']} {action['rowsKey']}: use --input {shlex.quote(following)}")


def _failed(envelope: Mapping[str, Any], form: str | None) -> int:
    """Report a failed call: as JSON where a program may read it, in words where a person does."""
    to_person = form in {"table", "csv", "text", "ndjson"} or (form is None and sys.stdout.isatty())
    if not to_person:
        write(json_text(envelope))
    if to_person or sys.stderr.isatty():
        _print_error(envelope["error"], envelope["meta"])
    return FAILURE


def _print_error(error: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
    lines = error_lines(error, meta)
    if sys.stderr.isatty() and importlib.util.find_spec("rich"):
        from vantage_quickbooks.cli import tables  # noqa: PLC0415 -- rich is an extra

        tables.print_lines(lines)
        return
    for _, text in lines:
        say(text)


def _emulator(args: argparse.Namespace) -> int:
    _require("The emulator needs", emulator=("lark",))
    from vantage_quickbooks.cli import emulate  # noqa: PLC0415 -- lark is an extra

    emulate.run(args)
    return SUCCESS


def _serve(args: argparse.Namespace) -> int:
    emulator = {"emulator": ("lark",)} if args.demo else {}
    _require("The web UI needs", web=("starlette", "uvicorn", "jinja2", "cryptography"), **emulator)
    from vantage_quickbooks.cli import serve  # noqa: PLC0415 -- starlette and the others are extras

    serve.run(args)
    return SUCCESS


def _connect(args: argparse.Namespace) -> int:
    from vantage_quickbooks.cli import connect  # noqa: PLC0415 -- needed here only

    try:
        return SUCCESS if connect.run(args) else FAILURE
    except ConnectorError as error:
        _print_error(error.to_dict())
        return FAILURE


def _tokens(_: argparse.Namespace) -> int:
    from vantage_quickbooks.cli import tokens  # noqa: PLC0415 -- needed here only

    try:
        is_done = tokens.reencrypt()
    except ConnectorError as error:
        _print_error(error.to_dict())
        return FAILURE
    return SUCCESS if is_done else FAILURE


def _demo(_: argparse.Namespace) -> int:
    _require("The demo needs", emulator=("lark",), cli=("rich",))
    from vantage_quickbooks.cli import demo  # noqa: PLC0415 -- rich and lark are extras

    return SUCCESS if demo.run() else FAILURE


def _require(why: str, **extras: tuple[str, ...]) -> None:
    """Refuse a command whose packages are missing, naming all of them and the one command that installs them."""
    missing = {extra: [name for name in names if not _is_there(name)] for extra, names in extras.items()}
    packages = [name for names in missing.values() for name in names]
    if packages:
        noun = "package" if len(packages) == 1 else "packages"
        wanted = ",".join(sorted(extra for extra, names in missing.items() if names))
        raise UsageError(
            f"{why} the {noun} {', '.join(packages)}. To install: pip install 'vantage-quickbooks[{wanted}]'"
        )


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # it is in sys.modules as None: somebody has shut it out
        return False


# ---- arguments -------------------------------------------------------------------------------------------------------


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 -- needed here only

        write(f"vantage-quickbooks {version('vantage-quickbooks')}\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vantage-quickbooks",
        description="QuickBooks Online for pluggy hosts, from the command line.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, run: Any, text: str, **kwargs: Any) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False, **kwargs)
        command.set_defaults(run=run)
        return command

    add("describe", _describe, "Print the connector as data: settings, form, actions and their schemas.")
    validate = add("validate", _validate, "Check a settings file, all fields at once; asks nothing of QuickBooks.")
    validate.add_argument("file", metavar="FILE", help="JSON file with the settings, - for standard input")
    validate.add_argument("--format", choices=("text", "json"), default="text")
    test = add("test", _test, "Prove the settings by the cheapest real calls: one token, one read of the company.")
    test.add_argument("--settings", metavar="FILE", help=_SETTINGS_HELP)
    test.add_argument("--format", choices=("text", "json"), default="text")
    _emulator_url(test)
    _verbose(test)
    _add_call(add)
    _add_connect(add)
    _add_serve(add)
    _add_emulator(add)
    _add_tokens(add)
    add("demo", _demo, "Show a host that finds the plugin and runs its actions against a local QuickBooks.")
    return parser


def _add_call(add: Any) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    call = add("call", _call, "Run an action and print what a host gets.", epilog=_CALL_EPILOG, formatter_class=raw)
    call.add_argument("action", metavar="ACTION", help="listCustomers, listInvoices, getCompanyInfo or getAccessToken")
    call.add_argument("--settings", metavar="FILE", help=_SETTINGS_HELP)
    call.add_argument("--input", metavar="JSON", help="the action's input: JSON, @FILE, or - for standard input")
    call.add_argument("--format", choices=("json", "table", "csv", "ndjson"), help="what to print (json)")
    call.add_argument(
        "--output",
        metavar="FILE",
        help="write to this file; csv and ndjson with all: the same command goes on after Ctrl-C",
    )
    call.add_argument("--dry-run", action="store_true", help="with all: count, and say what reading it costs")
    _emulator_url(call)
    _verbose(call)


def _add_connect(add: Any) -> None:
    connect = add("connect", _connect, "Connect a company: consent in the browser, then its settings in a file.")
    connect.add_argument("--write-settings", metavar="FILE", required=True, help="where the settings go (mode 0600)")
    connect.add_argument("--settings", metavar="FILE", help="the app's client id and secret, if not in that file yet")
    connect.add_argument("--port", type=_port, default=8765, metavar="N", help="port of the redirect address (8765)")
    connect.add_argument(
        "--redirect-uri", metavar="URL", help="registered address, if a proxy leads from it to the port"
    )
    connect.add_argument("--no-browser", action="store_true", help="print the address only")
    connect.add_argument("--force", action="store_true", help="replace FILE even if it holds something else")
    _emulator_url(connect)
    _verbose(connect)


def _add_serve(add: Any) -> None:
    serve = add("serve", _serve, "Serve a small host in the browser: settings, connect, run, look; until Ctrl-C.")
    demo = serve.add_mutually_exclusive_group()
    demo.add_argument("--demo", action="store_true", help="on a local QuickBooks with a sample company; keeps nothing")
    _emulator_url(demo)
    serve.add_argument("--port", type=_port, default=8765, metavar="N", help="port (8765); 0 takes a free one")
    serve.add_argument("--host", metavar="ADDRESS", help="address to listen on (this machine alone)")
    serve.add_argument("--public-url", metavar="URL", help="the address that browsers use, behind a proxy")
    serve.add_argument("--data", metavar="DIR", help="where settings are kept, encrypted (the user's state directory)")
    serve.add_argument("-v", "--verbose", action="store_true", help="log requests, without their queries")


def _add_emulator(add: Any) -> None:
    emulator = add("emulator", _emulator, "Serve a local QuickBooks with a sample company, until Ctrl-C.")
    emulator.add_argument("--port", type=_port, default=0, metavar="N", help="port on 127.0.0.1 (a free one)")
    emulator.add_argument("--data", metavar="DIR", help="serve a folder of saved QuickBooks responses instead")
    emulator.add_argument("--customers", type=int, metavar="N", help="how many customers to make up (about 30)")
    emulator.add_argument("--invoices", type=int, metavar="N", help="how many invoices to make up (about 60)")
    emulator.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed makes the same company (1)")
    emulator.add_argument("--database", metavar="FILE", help="keep the company in this SQLite file")
    emulator.add_argument(
        "--latency",
        metavar="L",
        action="append",
        default=[],
        help="let answers take 0.2 (seconds), 0.1..0.4 or median=0.3,p99=2; on some paths: /query=0.2 (repeatable)",
    )
    emulator.add_argument("--write-settings", metavar="FILE", help="write the settings that fit to this file")
    emulator.add_argument("--force", action="store_true", help="replace FILE even if it holds something else")


def _add_tokens(add: Any) -> None:
    text = "Look after the stored tokens (of VANTAGE_QUICKBOOKS_TOKEN_STORE)."
    commands = add("tokens", _tokens, text).add_subparsers(title="commands", metavar="COMMAND", required=True)
    text = "Encrypt all of them with the first key of VANTAGE_QUICKBOOKS_TOKEN_KEY; safe while others refresh."
    commands.add_parser("reencrypt", help=text, description=text, allow_abbrev=False)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _emulator_url(command: Any) -> None:
    command.add_argument("--emulator", metavar="URL", help="speak to a local emulator, whatever the settings say")


def _verbose(command: argparse.ArgumentParser) -> None:
    command.add_argument("-v", "--verbose", action="store_true", help="show the connector's own log on standard error")
