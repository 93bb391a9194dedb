"""Help, examples and lazy imports of the command line; what it says without click."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from vantage_quickbooks.cli import main
from vantage_quickbooks.cli.app import COMMANDS, app
from vantage_quickbooks.connector.connector import QUICKBOOKS

PROGRAM = Path(sys.executable).with_name("vantage-quickbooks")
HEAVY = (
    "requests", "urllib3", "jsonschema", "oauthlib", "sqlalchemy", "lark", "rich", "starlette",
    "vantage_quickbooks.connector.description",
)  # fmt: skip


def all_commands():
    """Return each command with its path: ("tokens", "reencrypt")."""
    found = [((), app)]
    for path, command in found:
        if isinstance(command, click.Group):
            context = click.Context(command)
            found += [((*path, name), command.get_command(context, name)) for name in command.list_commands(context)]
    return dict(found)


def parse(words):
    """Parse a command line down to its last command, without running it; return that command's context."""
    context = app.make_context("vantage-quickbooks", list(words))
    command = app
    while isinstance(command, click.Group):
        _, command, words = command.resolve_command(context, words)
        context = command.make_context(command.name, list(words), parent=context)
    return context


COMMAND_PATHS = list(all_commands())
EXAMPLES = [line for command in all_commands().values() for _, line in command.examples]


@pytest.mark.parametrize("path", COMMAND_PATHS, ids=" ".join)
def test_every_help_ends_with_examples(path, capsys):
    assert main([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    examples = shown.split("\nExamples:\n")[1].splitlines()
    assert examples[0].startswith("  # ")
    assert examples[-1].startswith(("  vantage-quickbooks ", "  eval "))
    assert all(line.startswith(("  # ", "  vantage-quickbooks", "  eval ")) for line in examples)


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_parsed_by_the_parser(line):
    if line.startswith("eval "):
        line = line.removeprefix('eval "$(').removesuffix(')"')
    program, *words = shlex.split(line.partition(" > ")[0])
    assert program == "vantage-quickbooks"
    context = parse(words)
    action = context.params.get("action")
    if action:
        (described,) = (found for found in QUICKBOOKS.describe()["actions"] if found["id"] == action)
        given = {pair.partition("=")[0] for pair in context.params.get("pairs", ())}
        given |= set(json.loads(context.params.get("text") or "{}"))
        assert given <= set(described["inputSchema"]["properties"])


def test_an_example_that_the_parser_does_not_know_would_be_found():
    with pytest.raises(click.UsageError):
        parse(["call", "listInvoices", "--colour", "blue"])


def test_the_table_of_commands_is_the_folder_of_commands():
    modules = {path.stem for path in (Path(sys.modules[main.__module__].__file__).parent / "commands").glob("*.py")}
    assert modules - {"__init__"} == set(COMMANDS)


def test_help_fits_80_columns(capsys, monkeypatch):
    """Examples may be longer: a command line is not broken."""
    monkeypatch.setenv("COLUMNS", "80")
    for path in COMMAND_PATHS:
        main([*path, "--help"])
        assert max(map(len, capsys.readouterr().out.split("\nExamples:\n")[0].splitlines())) <= 80, path


@pytest.mark.parametrize(
    "args", [["--help"], ["call", "--help"], ["emulator", "--help"], ["serve", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(args):
    script = (
        f"import sys; from vantage_quickbooks.cli import main; status = main({args}); "
        f"sys.stderr.write(','.join(name for name in {HEAVY} if name in sys.modules)); sys.exit(status)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_command_imports_only_its_own_module():
    script = (
        "import sys; from vantage_quickbooks.cli import main; main(['describe']); "
        "sys.stderr.write(','.join(sorted(name for name in sys.modules if '.cli.commands.' in name)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert found.stderr == "vantage_quickbooks.cli.commands.describe"


@pytest.mark.parametrize("args", [[], ["--help"], ["call", "listCustomers"]])
def test_without_click_it_prints_how_to_install_it(tmp_path, args):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['click'] = None\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    found = subprocess.run([PROGRAM, *args], capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "vantage-quickbooks: The command line needs the package click. "
        "To install: pip install 'vantage-quickbooks[cli]'\n"
    )


@pytest.mark.parametrize(
    ("args", "expected"), [(["cal"], "Did you mean call?"), (["validat"], "Did you mean validate?")]
)
def test_an_unknown_command_gets_a_suggestion(capsys, args, expected):
    assert main(args) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("args", [[], ["tokens"]])
def test_without_a_command_the_help_is_printed_and_the_exit_status_is_2(capsys, args):
    assert main(args) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Commands:" in shown.err
