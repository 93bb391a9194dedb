r"""
Statements of Intuit's query language, and the only place that quotes and escapes.

Source: Intuit, "Query operations and syntax"; the escapes from recorded answers: the lexer reads `\'` as an apostrophe
and `\\` as a backslash inside single quotes, and knows no other quote.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vantage_quickbooks.errors import FieldError, InputError

__all__ = ["MAX_PAGE", "Select", "compare", "is_pattern", "matches", "quote", "whether"]

MAX_PAGE = 1000
"""Records in one answer at the most (Intuit, "Query operations and syntax": MAXRESULTS)."""

_OPERATORS = frozenset({"=", "<", ">", "<=", ">="})


def quote(value: str, *, field: str = "value") -> str:
    r"""Write *value* as a string literal that it cannot leave.

    Args:
        value: Any text. Numbers and dates are quoted too: Intuit's parser takes them so everywhere.
        field: Name of the input that the value came from, for the error.

    Returns:
        The literal with its quotes; `\` and `'` are escaped by a backslash.

    Raises:
        InputError: The text is empty (Intuit's lexer knows no empty string), or holds a control character (a tab or
            line break, say), which no QuickBooks name can hold and Intuit's parser does not take.
    """
    if not value:
        raise InputError(
            f"{field} is empty.",
            [FieldError(field, "minLength", "It is empty.", "Leave it out, or give it a value.")],
        )
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in value):
        raise InputError(
            f"{field} holds a tab, a line break or another control character.",
            [FieldError(field, "characters", "It holds a control character.", "Remove tabs and line breaks from it.")],
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{field} is not valid Unicode text.",
            [FieldError(field, "characters", "It holds half of a surrogate pair.", "Type the text in again.")],
        ) from None
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def compare(prop: str, operator: str, value: str, *, field: str = "value") -> str:
    """Return the condition `prop operator 'value'`."""
    if operator not in _OPERATORS:
        raise ValueError(f"unknown operator {operator!r}")
    return f"{_name(prop)} {operator} {quote(value, field=field)}"


def is_pattern(value: str) -> bool:
    """Tell whether *value* holds `%`, Intuit's only wildcard (any text of any length)."""
    return "%" in value


def matches(prop: str, value: str, *, field: str = "value") -> str:
    """Return the condition that *prop* equals *value*, or is like it where it holds a `%`.

    Intuit compares both without regard to case. There is no escape for `%`.
    """
    if is_pattern(value):
        return f"{_name(prop)} LIKE {quote(value, field=field)}"
    return compare(prop, "=", value, field=field)


def whether(prop: str, *values: bool) -> str:
    """Return the condition that the boolean *prop* is one of *values*; booleans stand bare."""
    words = [str(value).lower() for value in values]
    return f"{_name(prop)} = {words[0]}" if len(words) == 1 else f"{_name(prop)} IN ({', '.join(words)})"


@dataclass(frozen=True, slots=True)
class Select:
    """One statement over one entity.

    Attributes:
        entity: Intuit's name, `Customer`.
        where: Conditions made by the functions above, joined by AND (there is no OR).
        order_by: `Property` or `Property DESC`, several in order of weight.
        start_position: Position of the first record, counted from 1.
        max_results: Records at the most, 1 to 1000.
    """

    entity: str
    where: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    start_position: int = 1
    max_results: int = 100

    def count(self) -> str:
        """Write the statement that counts what this one finds."""
        return " ".join([f"SELECT COUNT(*) FROM {_name(self.entity)}", *self._condition()])  # noqa: S608 -- as below

    def also(self, *where: str) -> Select:
        """Return the same statement with further conditions."""
        return replace(self, where=(*self.where, *where))

    def page(self, start_position: int, max_results: int) -> Select:
        """Return the same statement for another page."""
        return replace(self, start_position=start_position, max_results=max_results)

    def __str__(self) -> str:
        """Write the statement.

        Raises:
            ValueError: A position or size is out of Intuit's bounds, or a name is no name: a defect of the caller.
        """
        if self.start_position < 1 or not 1 <= self.max_results <= MAX_PAGE:
            raise ValueError(f"no such page: {self.start_position}, {self.max_results}")
        parts = [f"SELECT * FROM {_name(self.entity)}"]  # noqa: S608 -- names are checked, values quoted
        parts += self._condition()
        if self.order_by:
            parts.append("ORDERBY " + ", ".join(_order(key) for key in self.order_by))
        parts.append(f"STARTPOSITION {self.start_position} MAXRESULTS {self.max_results}")
        return " ".join(parts)

    def _condition(self) -> list[str]:
        return ["WHERE " + " AND ".join(self.where)] if self.where else []


def _name(name: str) -> str:
    if not all(part.isascii() and part.isalnum() and part[0].isalpha() for part in name.split(".")):
        raise ValueError(f"no name of a property or entity: {name!r}")
    return name


def _order(key: str) -> str:
    name, _, direction = key.partition(" ")
    if direction not in {"", "ASC", "DESC"}:
        raise ValueError(f"no sort direction: {direction!r}")
    return f"{_name(name)} {direction}".rstrip()
