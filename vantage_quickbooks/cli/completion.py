"""Shell completion: click's, with inputs of actions (`status=overdue`) that bash and zsh complete without a space."""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, FishComplete, ZshComplete

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem, ShellComplete

__all__ = ["PREFIX", "SHELLS", "VARIABLE", "answer", "script"]

PROGRAM = "vantage-quickbooks"
VARIABLE = "_VANTAGE_COMPLETE"
"""Set by the completion scripts, with what they want: `bash_complete`."""

PREFIX = "prefix"
"""Type of a completion that is continued: no space follows it."""

_SPECIAL = re.compile(r"([^\w=@%+:,./-])")
_ESCAPED = r"\\\1"


def _split(line: str) -> list[str]:
    """Split a command line into words as a shell does; the last quote may be open."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = []
    try:
        for word in lexer:
            words.append(word)  # noqa: PERF402 -- an open quote raises at the last word
    except ValueError:
        words.append(lexer.token)
    return words


class _Bash(BashComplete):
    """Bash splits words at "=" and gives no types to its completions, so both are handled here."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' line type value
    COMPREPLY=()
    for line in $(env COMPLETE_LINE="${COMP_LINE:0:COMP_POINT}" COMPLETE_BREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1"); do
        IFS=',' read -r type value <<< "$line"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            prefix) compopt -o nospace; COMPREPLY+=("$value") ;;
            *) COMPREPLY+=("$value") ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor and the incomplete one, "=" and all."""
        line = os.environ["COMPLETE_LINE"]
        words = _split(line)
        incomplete = words.pop() if words and not line[-1].isspace() else ""
        self._replaced = incomplete[: incomplete.rfind("=") + 1] if "=" in os.environ["COMPLETE_BREAKS"] else ""
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return the type and what replaces the word that bash sees."""
        value = str(item.value).removeprefix(self._replaced)
        return f"{item.type},{_SPECIAL.sub(_ESCAPED, value)}"


class _Zsh(ZshComplete):
    source_template = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local type key descr
    local -a response plain described prefixes
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s)}")
    for type key descr in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            prefix) prefixes+=("$key") ;;
            *) if [[ $descr == _ ]]; then plain+=("$key"); else described+=("$key:$descr"); fi ;;
        esac
    done
    [[ -n $described ]] && _describe -V unsorted described -U
    [[ -n $plain ]] && compadd -U -V unsorted -a plain
    [[ -n $prefixes ]] && compadd -U -S '' -V unsorted -a prefixes
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class _Fish(FishComplete):
    def format_completion(self, item: CompletionItem) -> str:
        """Return the item as plain: fish adds no space after "=" (fish, completions)."""
        if item.type == PREFIX:
            item.type = "plain"
        return super().format_completion(item)


SHELLS: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}


def script(shell: str, app: click.Command) -> str:
    """Return what a shell's start file evaluates."""
    return SHELLS[shell](app, {}, PROGRAM, VARIABLE).source()


def answer(app: click.Command) -> int:
    """Print the completions that a script asks for.

    Returns:
        The exit status.
    """
    shell, _, instruction = os.environ[VARIABLE].partition("_")
    if shell not in SHELLS or instruction != "complete":
        return 1
    print(SHELLS[shell](app, {}, PROGRAM, VARIABLE).complete())  # noqa: T201 -- the script reads it
    return 0
