r"""Build statements of Intuit's query language; the only module that quotes and escapes values.

Sources: https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries;
for escapes, recorded answers: inside single quotes the lexer reads `\'` as an apostrophe and `\\` as a backslash. It
rejects double quotes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_PAGE", "Select", "compare", "is_one_of", "is_pattern", "matches", "quote", "whether"]

MAX_PAGE = 1000
"""Maximum number of records in one answer (MAXRESULTS)."""

_OPERATORS = frozenset({"=", "<", ">", "<=", ">="})


def quote(value: str, *, field: str = "value") -> str:
    r"""Return *value* as a string literal, escaped so that it cannot end the literal.

    Args:
        value: Any text. Numbers and dates are quoted, too: Intuit's parser accepts that everywhere, but not every
            number without quotes (reported in December 2025).
        field: Name of the input that the value came from, for the error.

    Returns:
        The literal with its quotes; `\` and `'` are escaped by a backslash.

    Raises:
        InputError: The text is empty (Intuit's lexer has no empty string), or contains a control character such as a
            tab or line break, which no QuickBooks name can contain and Intuit's parser rejects.
    """
    if not value:
        raise InputError(
            f"{field} is empty.",
            [FieldError(field, "minLength", "It is empty.", "Leave it out, or give it a value.")],
        )
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in value):
        raise InputError(
            f"{field} contains a tab, a line break or another control character.",
            [FieldError(field, "characters", "It contains a control character.", "Remove tabs and line breaks.")],
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{field} is not valid Unicode text.",
            [FieldError(field, "characters", "It contains half of a surrogate pair.", "Type the text again.")],
        ) from None
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def compare(prop: str, operator: str, value: str, *, field: str = "value") -> str:
    """Return the condition `prop operator 'value'`.

    Args:
        prop: Intuit's name of the property, `MetaData.CreateTime`.
        operator: `=`, `<`, `>`, `<=` or `>=`.
        value: See `quote`.
        field: See `quote`.

    Raises:
        InputError: See `quote`.
        ValueError: The name or the operator is invalid: a defect of the caller.
    """
    if operator not in _OPERATORS:
        raise ValueError(f"unknown operator {operator!r}")
    return f"{_name(prop)} {operator} {quote(value, field=field)}"


def is_pattern(value: str) -> bool:
    """Return whether *value* contains `%`, Intuit's only wildcard, which stands for any text of any length."""
    return "%" in value


def matches(prop: str, value: str, *, field: str = "value") -> str:
    """Return the condition that *prop* equals *value*, or matches it if it is a pattern.

    Intuit ignores case in both comparisons. `%` cannot be escaped.

    Args:
        prop: Intuit's name of the property.
        value: Text, or a pattern (see `is_pattern`).
        field: See `quote`.

    Raises:
        InputError: See `quote`.
    """
    if is_pattern(value):
        return f"{_name(prop)} LIKE {quote(value, field=field)}"
    return compare(prop, "=", value, field=field)


def whether(prop: str, *values: bool) -> str:
    """Return the condition that the boolean *prop* is one of *values*; booleans are not quoted."""
    words = [str(value).lower() for value in values]
    return f"{_name(prop)} = {words[0]}" if len(words) == 1 else f"{_name(prop)} IN ({', '.join(words)})"


def is_one_of(prop: str, values: Iterable[str], *, field: str = "value") -> str:
    """Return the condition that *prop* is one of *values*.

    Args:
        prop: Intuit's name of the property.
        values: At least one text.
        field: See `quote`.

    Raises:
        InputError: See `quote`.
    """
    return f"{_name(prop)} IN ({', '.join(quote(value, field=field) for value in values)})"


@dataclass(frozen=True, slots=True)
class Select:
    """One statement over one entity.

    Attributes:
        entity: Intuit's name, `Customer`.
        where: Conditions made by the functions above, joined by AND (there is no OR).
        order_by: `Property` or `Property DESC`; the first is the most significant.
        start_position: Position of the first record, counted from 1.
        max_results: Maximum number of records, 1 to 1000.
    """

    entity: str
    where: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()
    start_position: int = 1
    max_results: int = 100

    def count(self) -> str:
        """Return the statement that counts the records of this one, regardless of its page."""
        return " ".join([f"SELECT COUNT(*) FROM {_name(self.entity)}", *self._condition()])  # noqa: S608 -- names are checked, values quoted

    def also(self, *where: str) -> Select:
        """Return the same statement with further conditions."""
        return replace(self, where=(*self.where, *where))

    def page(self, start_position: int, max_results: int) -> Select:
        """Return the same statement for another page."""
        return replace(self, start_position=start_position, max_results=max_results)

    def __str__(self) -> str:
        """Return the statement as text.

        Raises:
            ValueError: A position, size or name is invalid: a defect of the caller.
        """
        if self.start_position < 1 or not 1 <= self.max_results <= MAX_PAGE:
            raise ValueError(f"invalid page: {self.start_position}, {self.max_results}")
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
        raise ValueError(f"invalid name of a property or entity: {name!r}")
    return name


def _order(key: str) -> str:
    name, _, direction = key.partition(" ")
    if direction not in {"", "ASC", "DESC"}:
        raise ValueError(f"invalid sort direction: {direction!r}")
    return f"{_name(name)} {direction}".rstrip()
