"""
JSON Schema and form description to the fields of a page, and what a browser sends back to what a connector takes.

The connector is the authority on what is right: nothing is judged here, and text stays the text that was typed. What a
browser can help with (a date picker, a number pad, choices) it is told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["BoundField", "Field", "Group", "bind", "fields_of", "groups_of", "read"]

_MAX_OPTIONS = 400


@dataclass(frozen=True, slots=True)
class Field:
    """One input.

    Attributes:
        name: The property's.
        label: For people.
        kind: `text`, `multiline`, `secret`, `number`, `decimal`, `boolean`, `choice`, `date`, `multiselect`, `list` or
            `json`.
        help: What to fill in, as a sentence.
        hint: What to do when it is wrong, as a sentence.
        placeholder: A sample.
        required: Whether it cannot be left empty.
        default: What counts when it is left empty, as people read it.
        options: Values and labels to choose from.
        minimum: Of a number.
        maximum: Of a number.
        longest: Characters that a text may have.
        group: The id of its group.
    """

    name: str
    label: str
    kind: str
    help: str = ""
    hint: str = ""
    placeholder: str = ""
    required: bool = False
    default: str = ""
    options: tuple[tuple[str, str], ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    longest: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field with what is in it.

    Attributes:
        field: The field.
        value: What the input shows: text, or a tuple of texts where several can be chosen. Of a secret, nothing.
        is_stored: Whether a secret is kept, so that leaving it empty keeps it.
        was_typed: Whether a secret was typed into a form that is shown again: it must be typed again.
        error: What is wrong, with `message` and `hint`.
    """

    field: Field
    value: str | tuple[str, ...] = ""
    is_stored: bool = False
    was_typed: bool = False
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together.

    Attributes:
        label: For people; empty where there are no groups.
        is_open: Whether it is unfolded.
        is_foldable: Whether it can be folded.
        fields: Its fields.
    """

    label: str
    is_open: bool
    is_foldable: bool
    fields: tuple[BoundField, ...]


def fields_of(schema: Mapping[str, Any], form: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a form, in the form's order; a property that the form forgot comes last."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    hints: Mapping[str, Any] = form.get("fields", {})
    order = [name for name in form.get("order", []) if name in properties]
    order += [name for name in properties if name not in order]
    required = schema.get("required", ())
    return [_field(name, properties[name], hints.get(name, {}), name in required) for name in order]


def bind(
    fields: Iterable[Field],
    values: Mapping[str, Any],
    errors: Sequence[Mapping[str, str]] = (),
    stored: Iterable[str] = (),
    typed: Iterable[str] = (),
) -> list[BoundField]:
    """Fill in fields.

    Args:
        fields: The fields.
        values: What they hold, as settings, an input, or what a browser sent.
        errors: What is wrong, one entry a field.
        stored: The secrets that are kept.
        typed: The fields that something was just typed into.
    """
    wrong = {entry["field"]: entry for entry in errors}
    kept, again = set(stored), set(typed)
    return [
        BoundField(
            _offering(field, values.get(field.name)),
            _shown(field, values.get(field.name)),
            is_stored=field.name in kept,
            was_typed=field.kind == "secret" and field.name in again,
            error=wrong.get(field.name),
        )
        for field in fields
    ]


def groups_of(
    bound: Sequence[BoundField], form: Mapping[str, Any], apart: Mapping[str, str] | None = None
) -> list[Group]:
    """Put fields into the groups of a form description; what belongs to none comes first, without a label.

    A folded group with an error in it is shown unfolded.

    Args:
        bound: The fields.
        form: The form description.
        apart: Fields that stand in a folded group of their own, whatever the description says, and its label.
    """
    apart = apart or {}
    described = [group for group in form.get("groups", []) if isinstance(group, dict)]
    known = {group["id"] for group in described}
    rest = [item for item in bound if item.field.name not in apart]
    loose = tuple(item for item in rest if item.field.group not in known)
    groups = [_group("", loose, is_foldable=False)]
    for group in described:
        members = tuple(item for item in rest if item.field.group == group["id"])
        groups.append(_group(str(group.get("label", "")), members, is_foldable=bool(group.get("collapsed"))))
    for label in dict.fromkeys(apart.values()):
        members = tuple(item for item in bound if apart.get(item.field.name) == label)
        # Before what is folded anyway: it belongs to the fields above it.
        place = next((at for at, group in enumerate(groups) if group.is_foldable), len(groups))
        groups.insert(place, _group(label, members, is_foldable=True))
    return [group for group in groups if group.fields]


def _group(label: str, members: tuple[BoundField, ...], *, is_foldable: bool) -> Group:
    return Group(label, not is_foldable or any(item.error for item in members), is_foldable, members)


def read(fields: Iterable[Field], sent: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what a browser sent as a connector takes it; fields that were left empty are left out.

    Text that should be JSON and is not stays text: the connector says what is wrong with it.
    """
    data: dict[str, Any] = {}
    for field in fields:
        values = [value for value in sent.get(field.name, ()) if value.strip()]
        if not values:
            continue
        if field.kind == "multiselect":
            data[field.name] = values
        elif field.kind == "json":
            data[field.name] = _json(values[0])
        elif field.kind == "boolean":
            data[field.name] = {"true": True, "false": False}.get(values[0], values[0])
        elif field.kind == "decimal":
            data[field.name] = _number(values[0])
        else:
            data[field.name] = values[0]
    return data


def _field(name: str, rules: Mapping[str, Any], hints: Mapping[str, Any], is_required: bool) -> Field:
    options = _options(rules, hints)
    default = rules.get("default")
    return Field(
        name=name,
        label=str(hints.get("label") or rules.get("title") or name),
        kind=_kind(rules, hints, options),
        help=str(hints.get("tooltip") or rules.get("description") or ""),
        hint=str(rules.get("x-hint", "")),
        placeholder=str(hints.get("placeholder", "")),
        required=is_required,
        default="" if default is None else dict(options).get(str(default), str(default)),
        options=options,
        minimum=rules.get("minimum"),
        maximum=rules.get("maximum"),
        longest=rules.get("maxLength"),
        group=str(hints.get("group", "")),
    )


def _kind(rules: Mapping[str, Any], hints: Mapping[str, Any], options: tuple[tuple[str, str], ...]) -> str:
    word, kind = hints.get("inputType"), rules.get("type")
    if isinstance(kind, list):  # the first is meant; the others are what forms send for it, such as text for a number
        kind = kind[0] if kind else None
    if hints.get("secret") or rules.get("writeOnly"):
        return "secret"
    if word in {"Array of Strings", "Array"} or kind == "array":
        is_plain = rules.get("items", {}).get("type") in {"string", None} and word != "Array"
        return "multiselect" if options else "list" if is_plain else "json"
    if word == "Object" or kind == "object":
        return "json"
    if word == "Boolean" or kind == "boolean":
        return "boolean"
    if options:
        return "choice"
    if kind == "number":
        return "decimal"
    if word == "Numeric" or kind == "integer":
        return "number"
    if word == "Date" or rules.get("format") == "date":
        return "date"
    return "multiline" if hints.get("multiline") else "text"


def _options(rules: Mapping[str, Any], hints: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if hints.get("options"):
        pairs = [(str(option["value"]), str(option.get("label", option["value"]))) for option in hints["options"]]
    else:
        choices = rules.get("enum") or rules.get("items", {}).get("enum") or ()
        pairs = [(str(choice), str(choice)) for choice in choices if choice not in (None, "")]
    return tuple(pairs[:_MAX_OPTIONS])


def _offering(field: Field, value: Any) -> Field:
    """Return a choice that offers what it holds, too: not every value that a program may set is one of the form."""
    if field.kind != "choice" or value in (None, "") or str(value) in dict(field.options):
        return field
    return replace(field, options=(*field.options, (str(value), str(value))))


def _shown(field: Field, value: Any) -> str | tuple[str, ...]:
    if field.kind == "secret" or value is None:
        return () if field.kind == "multiselect" else ""
    if field.kind == "multiselect":
        return tuple(str(item) for item in value) if isinstance(value, list | tuple) else (str(value),)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        is_list = field.kind == "list"
        return ", ".join(map(str, value)) if is_list else json.dumps(value, ensure_ascii=False, indent=2)
    return str(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _number(text: str) -> Any:
    try:
        return json.loads(text.strip(), parse_constant=lambda _: text)
    except ValueError:
        return text
