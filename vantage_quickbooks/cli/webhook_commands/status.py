"""`vantage-quickbooks webhooks status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vantage_quickbooks.cli.options import Command, format_option
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, clean, json_text, print_error, write
from vantage_quickbooks.cli.webhook_inbox import inbox_option, make_inbox
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["command"]

_MAX_SHOWN = 20


@click.command(
    cls=Command,
    examples=(
        ("For people", "vantage-quickbooks webhooks status"),
        ("For a program, dead letters included", "vantage-quickbooks webhooks status --format json"),
    ),
)
@inbox_option
@format_option("text", "json", default="text", help="Output format; default text.")
def command(inbox: str | None, format_: str) -> int:
    """Show what waits in the inbox, which companies fail, and the dead letters.

    The exit status is 1 if a company fails or there are dead letters.
    """
    try:
        kept = make_inbox(inbox)
        state, dead = kept.state(), kept.dead_letters()
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    if format_ == "json":
        write(json_text({"inbox": kept.describe(), **state, "deadLetters": dead}))
    else:
        _print(kept.describe(), state, dead)
    return FAILURE if state["failing"] or state["dead"] else SUCCESS


def _print(where: str, state: Mapping[str, Any], dead: Sequence[Mapping[str, Any]]) -> None:
    oldest = "" if state["oldest"] is None else f", the oldest for {state['oldest']:,.0f} s"
    write(clean(f"inbox    {where}\n"))
    companies = _count(state["companies"], "company", "companies")
    write(f"waiting  {_count(state['waiting'], 'notice', 'notices')} of {companies}{oldest}\n")
    write(f"failing  {_count(len(state['failing']), 'company', 'companies')}\n")
    for company in state["failing"][:_MAX_SHOWN]:
        write(clean(f"  {company['realmId']}  attempt {company['attempts']}  {company['error']}\n"))
    write(f"dead     {_count(state['dead'], 'notice', 'notices')}\n")
    for letter in dead[:_MAX_SHOWN]:
        notices = _count(len(letter["notices"]), "notice", "notices")
        write(clean(f"  {letter['realmId'] or 'unreadable'}  {notices}  {letter['reason']}\n"))


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
