"""Patterns of inputs: what forms and programs send as text, with blanks around it, or blank for not given."""

from __future__ import annotations

__all__ = ["BLANK", "DATE", "TEXT", "TIME", "TRUE", "optional", "up_to"]

BLANK = r"[\s\u200b\u2060\ufeff]*"
_CONTROL = r"\u0000-\u001f\u007f-\u009f\ud800-\udfff"
TEXT = rf"[^\s\u200b\u2060\ufeff{_CONTROL}](?:[^{_CONTROL}]*[^\s\u200b\u2060\ufeff{_CONTROL}])?"
DATE = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
    "-02-29)"
)
TIME = r"T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}(?:\.[0-9]{1,30})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
TRUE = f"^{BLANK}[tT][rR][uU][eE]{BLANK}$"


def optional(pattern: str) -> str:
    """Return the pattern for a text that matches, or is blank: blank means not given."""
    return f"^{BLANK}(?:{pattern})?{BLANK}$"


def up_to(maximum: int) -> str:
    """Return the pattern for a whole number from 1 to *maximum*, as forms write it: `+007`, `7.0`."""
    digits = str(maximum)
    parts = [f"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for index, digit in enumerate(digits):
        lowest, highest = (1 if index == 0 else 0), int(digit) - 1
        if highest < lowest:
            continue
        choice = str(lowest) if lowest == highest else f"[{lowest}-{highest}]"
        rest = len(digits) - index - 1
        parts.append(digits[:index] + choice + (f"[0-9]{{{rest}}}" if rest else ""))
    return rf"\+?0{{0,99}}(?:{'|'.join([*parts, digits])})(?:\.0{{1,99}})?"
