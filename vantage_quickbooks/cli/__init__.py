"""The command line: reads arguments, calls the connector, prints the result, and exits.

Exit status: 0 success; 1 failure (settings, call, check, output); 2 usage error; 130 interrupted by Ctrl-C before the
command was done. A server that is stopped by Ctrl-C or SIGTERM exits with 0.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import FAILURE, INTERRUPTED, SUCCESS, USAGE, clean, require, say, unwritable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

PROGRAM = "vantage-quickbooks"

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what the encoding lacks becomes \\uXXXX, valid in JSON
    logging.getLogger("vantage_quickbooks").addHandler(logging.NullHandler())
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except UsageError as error:
        say(f"{PROGRAM}: {clean(str(error))}")
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `... | head` closed the pipe
        _discard_output()
        return FAILURE
    except OSError as error:
        if error.errno not in _DISK_ERRORS or error.filename:
            return _internal_error(error)
        _discard_output()
        return unwritable("Standard output", error)
    except Exception as error:  # noqa: BLE001 -- the user gets a sentence, not a traceback
        return _internal_error(error)
    return status


def _run(argv: list[str]) -> int:
    require("The command line needs", cli=("click",))
    import click

    from vantage_quickbooks.cli import completion
    from vantage_quickbooks.cli.app import app
    from vantage_quickbooks.cli.options import stop_logging

    if completion.VARIABLE in os.environ:
        return completion.answer(app)
    stop_logging()
    try:
        with app.make_context(PROGRAM, argv) as context:
            return app.invoke(context) or SUCCESS
    except click.exceptions.Exit as ended:  # --help and --version
        return ended.exit_code
    except click.ClickException as error:
        context_of_error = getattr(error, "ctx", None)
        path = context_of_error.command_path if context_of_error else PROGRAM
        say(f"{PROGRAM}: {clean(error.format_message())}\nTry: {path} --help")
        return USAGE


def _discard_output() -> None:
    """Send the rest of the buffer to the null device, or Python would fail on it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _internal_error(error: Exception) -> int:
    """Report a bug by its place in the code: an unforeseen message could contain a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    say(f"{PROGRAM}: internal error, please report it: {type(error).__name__} at {frame.filename}:{frame.lineno}.")
    return FAILURE
