"""Parse errors in JavaCC's words. Source: recordings of 2015 to 2026."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedToken

# In JavaCC's order, which its lists keep (recorded). Strings, numbers and CURRENT_DATE are never listed: after `=` the
# list is only "false", "true" (recorded, 2015).
_IMAGES = {
    "$END": "<EOF>",
    "NE": '"!="',
    "LPAR": '"("',
    "RPAR": '")"',
    "STAR": '"*"',
    "COMMA": '","',
    "LT": '"<"',
    "LE": '"<="',
    "EQ": '"="',
    "GT": '">"',
    "GE": '">="',
    "AND": "<AND>",
    "AS": '"as"',
    "ASC": '"asc"',
    "BY": '"by"',
    "COUNT": '"count"',
    "DESC": '"desc"',
    "FALSE": '"false"',
    "FROM": '"from"',
    "IN": '"in"',
    "ITERATOR": '"iterator"',
    "LIKE": '"like"',
    "MAXRESULTS": '"maxresults"',
    "OR": "<OR>",
    "ORDER": '"order"',
    "ORDERBY": '"orderby"',
    "SELECT": '"select"',
    "STARTPOSITION": '"startposition"',
    "TRUE": '"true"',
    "WHERE": '"where"',
    "IDENTIFIER": "<IDENTIFIER>",
}
_UNLISTED = {
    "DOUBLE_AMPERSAND": "<AND>",
    "DOUBLE_BAR": "<OR>",
    "CURRENT_DATE": '"current_date"',
    "NULL": '"null"',
    "NUMBER": "<NUMBER>",
    "STRING": "<STRING>",
}

_HALVES = "&|!"
"""The first characters of `&&`, `||` and `!=`, which begin no other token.

Source: a live answer to `SELECT & FROM` names column 9 and `" "` after `"&"`. `<AND>` and `<OR>` are listed by name,
unlike all keywords, because they have more than one spelling.
"""


def unexpected_token(statement: str, error: UnexpectedToken) -> str:
    """Word a parse error as JavaCC's ParseException does.

    Args:
        statement: The statement.
        error: Where the parser stopped.
    """
    token = error.token
    accepted = error.accepts or set()
    if token.type == "$END":
        line, column = _end(statement)
        found = "<EOF>"
    else:
        line, column = token.line or 0, token.column or 0
        image = _IMAGES.get(token.type) or _UNLISTED[token.type]
        found = f' {image} "{_escaped(token)} "'
    listed = [image for kind, image in _IMAGES.items() if kind in accepted]
    listed = listed or [image for kind, image in _UNLISTED.items() if kind in accepted]
    expecting = "".join(f"{image} {'' if image == '<EOF>' else '...'}\n    " for image in listed)
    heading = "Was expecting:" if len(listed) == 1 else "Was expecting one of:"
    return f'Encountered "{found}" at line {line}, column {column}.\n{heading}\n    {expecting}'


def _end(statement: str) -> tuple[int, int]:
    """Return line and column of the last character, which is where JavaCC reports the end."""
    if not statement:
        return 0, 0
    before = statement[:-1]
    return before.count("\n") + 1, len(statement) - (before.rfind("\n") + 1)


def lexical_error(statement: str, start: int) -> str:
    """Word a lexical error as JavaCC's TokenMgrError does: at the character that no token can continue with.

    Args:
        statement: The statement.
        start: The position of the first character that is not part of a token.
    """
    at = start
    if statement[start] in _HALVES:  # half of a token of two characters: the fault is at the next one
        at += 1
    elif statement[start] == "'":  # a string can be invalid inside
        at += 1
        while at < len(statement) and statement[at] != "'":
            if statement[at] == "\\":
                at += 1
                if at < len(statement) and statement[at] not in "'\\":
                    break
            at += 1
        at = min(at, len(statement))
    before = statement[:at]
    line, column = before.count("\n") + 1, at - before.rfind("\n")
    after = _escaped(statement[start:at])
    what = "<EOF> " if at == len(statement) else f'"{_escaped(statement[at])}" ({ord(statement[at])}), '
    return f'Invalid content. Lexical error at line {line}, column {column}.  Encountered: {what}after : "{after}"'


def _escaped(text: str) -> str:
    """Escape as JavaCC's addEscapes does."""
    known = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "'": "\\'", "\\": "\\\\"}
    return "".join(known.get(c) or (c if " " <= c <= "~" else f"\\u{ord(c):04x}") for c in text)
