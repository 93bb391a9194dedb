"""A statement as data; `str()` prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Value:
    """A literal.

    Attributes:
        kind: `text`, `number`, `bool` or `today`.

        text: What it says, without quotes and escapes.
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

        operator: `=`, `<`, `>`, `<=`, `>=`, `LIKE` or `IN`.

        values: One literal, or for IN at least one.
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
    """What was asked. `str()` prints a statement that parses to the same.

    Attributes:
        entity: Its name as written.

        fields: The properties asked for; empty is all.

        count: Asks for the number of records alone.

        where: Conditions that must all hold.

        order: Properties and whether descending.

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
