"""A statement as data. `str()` writes it back as text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Value:
    """A literal.

    Attributes:
        kind: `text`, `number`, `bool` or `today`.
        text: Its value, without quotes and escapes.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        if self.kind != "text":
            return self.text
        return "'" + self.text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        name: The property.
        operator: `=`, `!=`, `<`, `>`, `<=`, `>=`, `LIKE` or `IN`.
        values: One literal; one or more for IN.
    """

    name: str
    operator: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        if self.operator == "IN":
            return f"{self.name} IN ({', '.join(map(str, self.values))})"
        return f"{self.name} {self.operator} {self.values[0]}"


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed statement. `str()` returns a statement that parses to an equal one.

    Attributes:
        entity: Its name as written.
        fields: The selected properties; empty is all.
        count: Whether only the number of records is selected.
        where: Conditions, combined by AND.
        order: Properties, and whether descending.
        start: STARTPOSITION, or None.
        max_results: MAXRESULTS, or None.
    """

    entity: str
    fields: tuple[str, ...] = ()
    count: bool = False
    where: tuple[Condition, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    start: int | None = None
    max_results: int | None = None

    def __str__(self) -> str:
        what = "COUNT(*)" if self.count else ", ".join(self.fields) or "*"
        parts = [f"SELECT {what} FROM {self.entity}"]  # noqa: S608 -- no SQL: Intuit's language
        if self.where:
            parts.append("WHERE " + " AND ".join(map(str, self.where)))
        if self.order:
            parts.append("ORDERBY " + ", ".join(f"{name} DESC" if desc else name for name, desc in self.order))
        if self.start is not None:
            parts.append(f"STARTPOSITION {self.start}")
        if self.max_results is not None:
            parts.append(f"MAXRESULTS {self.max_results}")
        return " ".join(parts)
