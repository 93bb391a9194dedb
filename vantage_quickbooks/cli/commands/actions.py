"""`vantage-quickbooks actions`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from vantage_quickbooks.cli.commands.call import complete_action
from vantage_quickbooks.cli.options import Command, format_option
from vantage_quickbooks.cli.output import SUCCESS, clean, json_text, write

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["command"]

MAX_CHOICES = 12
"""Choices of an input that are listed; a longer list is left to --format json."""


@click.command(
    cls=Command,
    examples=(
        ("All actions", "vantage-quickbooks actions"),
        ("The inputs of one, with examples", "vantage-quickbooks actions listInvoices"),
        ("With its schemas", "vantage-quickbooks actions listInvoices --format json"),
    ),
)
@click.argument("action", metavar="[ACTION]", required=False, shell_complete=complete_action)
@format_option("text", "json", default="text", help="Output format; default text.")
def command(action: str | None, format_: str) -> int:
    """With the id of an ACTION, print what it does, its inputs and examples."""
    from vantage_quickbooks.cli import descriptor

    if action is None:
        groups = descriptor.groups()
        write(json_text(_index(groups)) if format_ == "json" else _listed(groups))
        return SUCCESS
    described = descriptor.find_action(action)
    write(json_text(described) if format_ == "json" else _described(described, descriptor.inputs(described)))
    return SUCCESS


def _index(groups: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    return [
        {name: action[name] for name in ("id", "title", "group", "description")}
        for actions in groups.values()
        for action in actions
    ]


def _formatter() -> click.HelpFormatter:
    return click.get_current_context().make_formatter()


def _listed(groups: Mapping[str, list[Any]]) -> str:
    formatter = _formatter()
    for group, actions in groups.items():
        with formatter.section(group):
            formatter.write_dl([(action["id"], action["title"]) for action in actions], col_max=40)
    formatter.write('\nFor the inputs of an action, run "vantage-quickbooks actions ACTION".\n')
    return formatter.getvalue().lstrip("\n")


def _described(action: Mapping[str, Any], inputs: Mapping[str, Mapping[str, Any]]) -> str:
    formatter = _formatter()
    formatter.write_text(f"{action['id']}: {action['title']}")
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(action["description"])
    if inputs:
        with formatter.section("Inputs (KEY=VALUE)"):
            formatter.write_dl([(name, _help(field)) for name, field in inputs.items()])
    if action["examples"]:
        formatter.write("\nExamples:\n")
        for example in action["examples"]:
            pairs = " ".join(f"{name}={_quoted(_value(value))}" for name, value in example.items())
            formatter.write(f"  vantage-quickbooks call {action['id']} {pairs}".rstrip() + "\n")
    return formatter.getvalue()


def _help(field: Mapping[str, Any]) -> str:
    from vantage_quickbooks.cli import descriptor

    text = clean(field.get("tooltip") or field["label"])
    choices = descriptor.choices(field)
    if not choices:
        return text
    listed = ", ".join(choices) if len(choices) <= MAX_CHOICES else f"{len(choices)} choices"
    return f"{text} [{listed}]"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json_text(value).strip()


def _quoted(text: str) -> str:
    """Quote text for a shell; in double quotes if it contains single ones."""
    is_plain = "'" in text and not set(text) & set('"$`\\\\!')
    return f'"{text}"' if is_plain else shlex.quote(text)
