"""`vantage-quickbooks completion`."""

from __future__ import annotations

import click

from vantage_quickbooks.cli.completion import SHELLS, script
from vantage_quickbooks.cli.options import Command
from vantage_quickbooks.cli.output import SUCCESS, write

__all__ = ["command"]


@click.command(
    cls=Command,
    examples=(
        ("bash: add to ~/.bashrc", 'eval "$(vantage-quickbooks completion bash)"'),
        ("zsh: add to ~/.zshrc, after compinit", 'eval "$(vantage-quickbooks completion zsh)"'),
        (
            "fish: write once",
            "vantage-quickbooks completion fish > ~/.config/fish/completions/vantage-quickbooks.fish",
        ),
    ),
)
@click.argument("shell", metavar="SHELL", type=click.Choice(list(SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> int:
    """SHELL is bash, zsh or fish. Completes commands, options, files, actions and their inputs."""
    write(script(shell, context.find_root().command))
    return SUCCESS
