"""Forms: JSON Schema and form description to fields, and submitted values to an input.

Nothing is validated here: the connector is the authority, and text stays as it was typed. The schema only decides which
control a browser shows (a date picker, a numeric keyboard, a list of choices).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["ADVANCED", "BoundField", "Field", "FieldGroup", "OptionsSource", "bind", "fields_of", "groups_of", "parse"]

ADVANCED = "advanced"
"""Group of the fields that few callers need. It is folded even if the form does not describe it."""

_MAX_OPTIONS = 400


@dataclass(frozen=True, slots=True)
class OptionsSource:
    """The list action that offers the values of a field (`optionsFrom`).

    Attributes:
        action: Id of the action.
        value: The member of its rows that goes into the input.
        label: The member that people read.
        search: The action's input that narrows the rows by text; empty if it has none.
        pattern: The value of that input, with `{text}` for the text.
    """

    action: str
    value: str
    label: str
    search: str = ""
    pattern: str = "{text}"


@dataclass(frozen=True, slots=True)
class Field:
    """One input.

    Attributes:
        name: Name of the property.
        label: The label.
        kind: `text`, `multiline`, `secret`, `number`, `decimal`, `boolean`, `choice`, `date`, `multiselect`, `list`,
            `lookup` or `json`.
        help: What to enter; one sentence.
        hint: What to do if the value is wrong; one sentence.
        placeholder: A sample value.
        required: Whether it must have a value.
        default: The value that counts if it is empty, as it is displayed.
        options: Values and labels to choose from.
        source: Of a `lookup`: where its options come from.
        minimum: Smallest number.
        maximum: Largest number.
        max_length: Longest text.
        group: Id of its group.
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
    source: OptionsSource | None = None
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field with its value.

    Attributes:
        field: The field.
        value: The displayed value: a text, or a tuple of texts of a `multiselect`. Always empty for a secret.
        label: Of a `lookup`: the label of the value, if it is known.
        is_stored: Whether a secret is stored, so that an empty field keeps it.
        was_typed: Whether a secret was submitted with a form that is shown again: it has to be typed again.
        error: What is wrong, with `message` and `hint`.
    """

    field: Field
    value: str | tuple[str, ...] = ""
    label: str = ""
    is_stored: bool = False
    was_typed: bool = False
    error: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FieldGroup:
    """Fields that are shown together.

    Attributes:
        label: The heading; empty for fields without a group.
        is_open: Whether it is unfolded.
        is_foldable: Whether it can be folded.
        fields: Its fields.
    """

    label: str
    is_open: bool
    is_foldable: bool
    fields: tuple[BoundField, ...]


def fields_of(schema: Mapping[str, Any], form: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a form in the form's order; properties that the form does not list come last."""
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
    *,
    stored: Collection[str] = (),
    typed: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
) -> list[BoundField]:
    """Return fields with their values.

    Args:
        fields: The fields.
        values: Settings, an input, or submitted values.
        errors: What is wrong, one entry for each field.
        stored: Names of the secrets that are stored.
        typed: Names of the fields that were just submitted.
        labels: Labels of the values of `lookup` fields, by the field's name.
    """
    wrong = {entry["field"]: entry for entry in errors}
    labels = labels or {}
    return [
        BoundField(
            _with_current_option(field, values.get(field.name)),
            _displayed(field, values.get(field.name)),
            label=labels.get(field.name, ""),
            is_stored=field.name in stored,
            was_typed=field.kind == "secret" and field.name in typed,
            error=wrong.get(field.name),
        )
        for field in fields
    ]


def groups_of(
    bound: Sequence[BoundField], form: Mapping[str, Any], extra: Mapping[str, str] | None = None
) -> list[FieldGroup]:
    """Return the groups of a form description. Fields without a group come first, without a heading.

    A folded group that contains an error is unfolded.

    Args:
        bound: The fields.
        form: The form description.
        extra: Fields of an additional folded group that the description does not contain, with its heading.
    """
    extra = extra or {}
    described = [group for group in form.get("groups", []) if isinstance(group, dict)]
    if not any(group["id"] == ADVANCED for group in described):
        described.append({"id": ADVANCED, "label": "Advanced", "collapsed": True})
    known = {group["id"] for group in described}
    rest = [item for item in bound if item.field.name not in extra]
    groups = [_group("", [item for item in rest if item.field.group not in known], is_foldable=False)]
    for group in described:
        members = [item for item in rest if item.field.group == group["id"]]
        groups.append(_group(str(group.get("label", "")), members, is_foldable=bool(group.get("collapsed"))))
    for label in dict.fromkeys(extra.values()):
        members = [item for item in bound if extra.get(item.field.name) == label]
        # Before the other folded groups: it belongs to the fields above.
        index = next((at for at, group in enumerate(groups) if group.is_foldable), len(groups))
        groups.insert(index, _group(label, members, is_foldable=True))
    return [group for group in groups if group.fields]


def _group(label: str, members: Sequence[BoundField], *, is_foldable: bool) -> FieldGroup:
    return FieldGroup(label, not is_foldable or any(item.error for item in members), is_foldable, tuple(members))


def parse(fields: Iterable[Field], submitted: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return submitted values as an input; empty fields are left out.

    A text that should be JSON and is not stays a text: the connector reports the error.
    """
    data: dict[str, Any] = {}
    for field in fields:
        values = [value for value in submitted.get(field.name, ()) if value.strip()]
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
    source = _source(hints)
    default = rules.get("default")
    return Field(
        name=name,
        label=str(hints.get("label") or rules.get("title") or name),
        kind="lookup" if source else _kind(rules, hints, options),
        help=str(hints.get("tooltip") or rules.get("description") or ""),
        hint=str(rules.get("x-hint", "")),
        placeholder=str(hints.get("placeholder", "")),
        required=is_required,
        default="" if default is None else dict(options).get(str(default), str(default)),
        options=options,
        source=source,
        minimum=rules.get("minimum"),
        maximum=rules.get("maximum"),
        max_length=rules.get("maxLength"),
        group=str(hints.get("group", "")),
    )


def _kind(rules: Mapping[str, Any], hints: Mapping[str, Any], options: tuple[tuple[str, str], ...]) -> str:
    word, kind = hints.get("inputType"), rules.get("type")
    if isinstance(kind, list):  # the first type is the real one; the others are what forms send, such as text
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


def _source(hints: Mapping[str, Any]) -> OptionsSource | None:
    described = hints.get("optionsFrom")
    if not isinstance(described, dict) or not described.get("action") or not described.get("value"):
        return None
    value = str(described["value"])
    return OptionsSource(
        action=str(described["action"]),
        value=value,
        label=str(described.get("label") or value),
        search=str(described.get("search") or ""),
        pattern=str(described.get("pattern") or "{text}"),
    )


def _options(rules: Mapping[str, Any], hints: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    if hints.get("options"):
        pairs = [(str(option["value"]), str(option.get("label", option["value"]))) for option in hints["options"]]
    else:
        choices = rules.get("enum") or rules.get("items", {}).get("enum") or ()
        pairs = [(str(choice), str(choice)) for choice in choices if choice not in (None, "")]
    return tuple(pairs[:_MAX_OPTIONS])


def _with_current_option(field: Field, value: Any) -> Field:
    """Return a choice that also offers its current value: a program may have set one that the form does not list."""
    if field.kind != "choice" or value in (None, "") or str(value) in dict(field.options):
        return field
    return replace(field, options=(*field.options, (str(value), str(value))))


def _displayed(field: Field, value: Any) -> str | tuple[str, ...]:
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
