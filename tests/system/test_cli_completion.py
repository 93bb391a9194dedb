"""Completion in real shells: the script is loaded, and the shell is asked what it would insert."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vantage_quickbooks.connector.connector import QUICKBOOKS

pytestmark = pytest.mark.system

BIN = Path(sys.executable).parent
ACTIONS = [action["id"] for action in QUICKBOOKS.describe()["actions"]]


def environment(**more):
    return {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb", **more}


def bash(line):
    """Return the candidates of bash for a line with the cursor at its end."""
    script = f"""
        eval "$(vantage-quickbooks completion bash)"
        COMP_LINE={_quoted(line)}; COMP_POINT=${{#COMP_LINE}}
        compopt() {{ printf 'compopt %s %s\\n' "$@" >&2; }}
        _vantage_quickbooks_completion vantage-quickbooks "" ""
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    found = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=60, env=environment()
    )
    return found.stdout.splitlines(), found.stderr


def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def test_bash_completes_commands_and_options():
    assert bash("vantage-quickbooks ca")[0] == ["call"]
    assert bash("vantage-quickbooks call --fo")[0] == ["--format"]
    assert bash("vantage-quickbooks call listInvoices --format ")[0] == [
        "table",
        "json",
        "ndjson",
        "csv",
        "arrow",
        "parquet",
    ]
    assert bash("vantage-quickbooks completion ")[0] == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("command", ["call", "actions"])
def test_bash_completes_the_ids_of_the_descriptor(command):
    assert bash(f"vantage-quickbooks {command} ")[0] == ACTIONS
    expected = [action for action in ACTIONS if action.startswith("listInv")]
    assert bash(f"vantage-quickbooks {command} listInv")[0] == expected


def test_bash_completes_inputs_without_a_space_and_values_after_the_equals_sign():
    names, options = bash("vantage-quickbooks call listInvoices st")
    assert names == ["status=", "start_position="]
    assert "compopt -o nospace" in options
    assert bash("vantage-quickbooks call listInvoices status=o")[0] == ["open", "overdue"]
    assert bash("vantage-quickbooks call listInvoices all=")[0] == ["true", "false"]
    assert bash("vantage-quickbooks call listInvoices status=open st")[0] == ["start_position="]
    assert bash("vantage-quickbooks call listInvoices fields=Id,DocN")[0] == ["Id,DocNumber"]
    assert "DueDate\\ ASC" in bash("vantage-quickbooks call listInvoices order_by=Due")[0]


def test_bash_completes_files():
    _, options = bash("vantage-quickbooks call listInvoices --settings s")
    assert "compopt -o default" in options


@pytest.mark.parametrize(
    "line", ["vantage-quickbooks call noSuchAction ", "vantage-quickbooks call listInvoices nothing="]
)
def test_bash_offers_nothing_where_there_is_nothing(line):
    assert bash(line)[0] in ([], [""])


@pytest.fixture
def printing_program(tmp_path):
    """A folder with a `vantage-quickbooks` that completes as the real one does, and otherwise prints its arguments."""
    program = tmp_path / "bin" / "vantage-quickbooks"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\n[ -n "$_VANTAGE_COMPLETE$COMPLETION" ] && exec {BIN}/vantage-quickbooks "$@"\nprintf "<%s>" "$@"\n'
    )
    program.chmod(0o755)
    return program.parent


def typed(shell, setup, keys, folder):
    """Type into an interactive shell on a terminal; return what the command line that results prints."""
    ours, its = pty.openpty()
    variables = {**environment(ZDOTDIR=str(folder)), "PATH": f"{folder}:{os.environ['PATH']}"}
    with subprocess.Popen(shell, stdin=its, stdout=its, stderr=its, env=variables, start_new_session=True) as process:
        os.close(its)
        try:
            os.write(ours, f"{setup}; printf 're''ady'\n".encode())
            _read_until(ours, "ready")
            os.write(ours, f"{keys}\n".encode())
            return _read_until(ours, ">\x1b", ">\r", ">%", ">$", ">#", ">bash")
        finally:
            process.kill()
            os.close(ours)


def _read_until(terminal, *ends):
    shown = ""
    while not any(end in shown for end in ends):
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


LINE = "vantage-quickbooks call listInvoices stat\tover\t"
EXPECTED = "<call><listInvoices><status=overdue>"


def test_an_interactive_bash_inserts_the_completion(printing_program):
    setup = 'eval "$(COMPLETION=1 vantage-quickbooks completion bash)"'
    assert EXPECTED in typed(["bash", "--norc", "--noprofile", "-i"], setup, LINE, printing_program)


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_an_interactive_zsh_inserts_the_completion(printing_program):
    setup = 'autoload -U compinit; compinit -u -D; eval "$(COMPLETION=1 vantage-quickbooks completion zsh)"'
    assert EXPECTED in typed(["zsh", "-f", "-i"], setup, LINE, printing_program)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_actions_inputs_and_values():
    def fish(line):
        script = f"vantage-quickbooks completion fish | source; complete --do-complete '{line}'"
        found = subprocess.run(
            ["fish", "--no-config", "-c", script], capture_output=True, text=True, check=True, timeout=60,
            env=environment(),
        )  # fmt: skip
        return [entry.split("\t")[0] for entry in found.stdout.splitlines()]

    assert set(fish("vantage-quickbooks call ")) >= set(ACTIONS)
    assert set(fish("vantage-quickbooks call listInvoices sta")) == {"status=", "start_position="}
    assert set(fish("vantage-quickbooks call listInvoices status=o")) == {"status=open", "status=overdue"}
