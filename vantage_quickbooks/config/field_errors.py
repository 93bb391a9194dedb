"""Field errors: what a user reads about invalid settings and inputs, made from JSON Schema violations.

Rules
1. jsonschema's own messages print the invalid value, so they are never read. The value of a `writeOnly` field appears
   in no message, and the value of another field only if it is short and does not contain such a value.
2. The words about one field are in its schema: `title`, and `x-hint`, which says what to do.
3. A field has one entry. If it breaks several rules, the most helpful one is reported.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.config.form_values import BLANKS, is_blank, property_type, to_int
from vantage_quickbooks.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["FieldErrors", "describe_type"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NAME = re.compile(r"(?:[^\W\d]|[ .-]){1,64}[0-9]{0,3}")
"""A field's name, but not a token that was pasted into its place."""

_MAX_SHOWN = 20
"""Characters of a value that a message repeats: shorter than any of Intuit's keys and tokens."""

_MAX_CHOICES = 8
"""Choices that a message lists."""

_RULES = ("json", "size", "encoding", "required", "type", "enum", "format", "pattern", "uniqueItems")
"""The most helpful rule first."""


class FieldErrors:
    """Collects one entry per field.

    Args:
        noun: What the fields are, in the singular: `setting` or `input`.
        schema: The schema of the whole object.
        data: The object.
    """

    def __init__(self, noun: str, schema: Any, data: Mapping[Any, Any]) -> None:
        # Properties that forms do not show are patterns of one name: form libraries make no field of a pattern.
        hidden = {name.strip("^$"): rules for name, rules in schema.get("patternProperties", {}).items()}
        listed = schema.get("properties", {})
        self.properties: Mapping[str, Any] = {**listed, **hidden}
        self._noun = noun
        self._required = frozenset(schema.get("required", ()))
        # Of any type: a secret may have been pasted into other fields, too.
        secrets = [data.get(name) for name, rules in listed.items() if rules.get("writeOnly")]
        self._secrets = [secret for secret in secrets if secret is not None]
        self._entries: dict[str, FieldError] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entries(self) -> list[FieldError]:
        """Return the entries in the order of the schema, unknown fields last."""
        order = {name: number for number, name in enumerate(self.properties)}
        return sorted(self._entries.values(), key=lambda entry: order.get(entry.field, len(order)))

    def add_unknown(self, key: object) -> None:
        """Report a field that does not exist.

        Args:
            key: Its name, of any type; repeated only if it looks like a name, since it may be a misplaced token.
        """
        name = key if isinstance(key, str) and _NAME.fullmatch(key) and self._may_show(key) else ""
        subject = f'"{name}"' if name else "A field whose name is not repeated here"
        nearest = _nearest(name, self.properties)
        known = f"The {self._noun}s are {', '.join(self.properties)}." if self.properties else "There are none here."
        hint = f"Did you mean {nearest}? {known}" if nearest else f"Remove it. {known}"
        self._add(FieldError(name, "additionalProperties", f"{subject} is not a known {self._noun}.", hint))

    def add_unusable(self, key: str, rule: str, value: object) -> None:
        """Report a value that no schema can accept.

        Args:
            key: Name of the field.
            rule: See `form_values.find_unusable`.
            value: The value; only its type is reported.
        """
        rules = self.properties[key]
        is_nested = isinstance(value, dict | list | tuple)
        message = {
            "json": "contains a value that JSON cannot carry"
            if is_nested
            else f"is {describe_type(value)}, which JSON cannot carry",
            "size": "is too large or too deeply nested",
            "encoding": "contains half a character (a lone surrogate), which cannot be stored or sent",
        }[rule]
        self._add(FieldError(key, rule, f"{_title(key, rules)} {message}.", _hint(rules)))

    def add_violation(self, error: Any, given: Mapping[str, Any]) -> None:
        """Report a violation of the schema.

        Args:
            error: A `jsonschema.ValidationError`.
            given: The object that was validated.
        """
        rule = str(error.validator)
        if not error.absolute_path:
            if rule == "required":
                self._add_missing(set(error.schema["required"]) - set(given))
            elif rule != "not":  # inputs that exclude each other: the action reports which
                message = f"The {self._noun}s contradict each other."
                self._add(FieldError("", rule, message, "Check which of them can be combined."))
            return
        key = str(error.absolute_path[0])
        rules = self.properties[key]
        if key in self._required and is_blank(error.instance):
            self._add_missing({key})
            return
        rule, wrong = _rule_and_value(rule, error, rules)
        shown = "" if rules.get("writeOnly") else self._shown(wrong)
        message = _message(_title(key, rules), rule, error, shown)
        self._add(FieldError(key, rule, message, _remedy(rule, error, rules, wrong if shown else None)))

    def _add_missing(self, names: Iterable[str]) -> None:
        for name in names:
            rules = self.properties.get(name, {})
            self._add(FieldError(name, "required", f"{_title(name, rules)} is missing.", _hint(rules)))

    def _shown(self, value: object) -> str:
        """Return the value as a message may repeat it, or "" if it must not."""
        if not isinstance(value, bool | int | float | str):
            return ""
        text = json.dumps(value, ensure_ascii=False)
        fits = len(text) <= _MAX_SHOWN and text.isprintable()
        # A secret that is not text was not typed into its field, so parts of it may be in others.
        is_safe = all(isinstance(secret, str) for secret in self._secrets)
        return text if fits and is_safe and self._may_show(text) and self._may_show(str(value)) else ""

    def _may_show(self, text: str) -> bool:
        secrets = (secret.strip(BLANKS) for secret in self._secrets if isinstance(secret, str))
        return not any(secret in text for secret in secrets if secret)

    def _add(self, entry: FieldError) -> None:
        other = self._entries.get(entry.field)
        if other is None or _rank(entry.rule) < _rank(other.rule):
            self._entries[entry.field] = entry


def describe_type(value: object) -> str:
    """Return the name of a value's type for users, without the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case float() if not math.isfinite(value):
            return "NaN or an infinite number"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
    return f"a Python {type(value).__name__}"


def _rule_and_value(rule: str, error: Any, rules: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the rule that is broken as a user sees it, and the value, or the item of it, that breaks it.

    A pattern covers values of other types that are sent as text, so a broken pattern may mean that a number is too
    large, or that a name is unknown.
    """
    value = error.instance
    if rule in {"minimum", "maximum"} and property_type(rules) == "string":
        return "pattern", value
    if rule != "pattern":
        return rule, value
    kind = property_type(rules)
    if kind == "integer":
        number = to_int(value.strip(BLANKS))
        if not isinstance(number, int):
            return "type", value
        return "minimum" if number < rules["minimum"] else "maximum", value
    if kind == "array":
        names = [name.strip(BLANKS) for name in value.split(",")]
        return "enum", next((name for name in names if name not in rules["items"]["enum"]), value)
    if rules.get("x-format") in {"date", "date-time"}:
        return "format", value
    return ("type" if kind == "boolean" else rule), value


def _message(title: str, rule: str, error: Any, shown: str) -> str:
    limit = error.validator_value
    expected = _expected(error.schema)
    if rule == "type" and _is_number(error.instance) and _accepts_text_only(error.schema):
        return f"{title} must be text, but it came as a number."
    if rule == "pattern" and expected == "text":
        if isinstance(error.instance, str) and _CONTROL.search(error.instance):
            return f"{title} contains an invalid character: a tab, a line break or another control character."
        return f"{title} contains an invalid character: a blank or a letter that is not ASCII."
    if rule == "maxLength":
        return f"{title} is longer than {limit} characters."
    if rule == "uniqueItems":
        return f"{title} contains a value twice."
    refused = shown or (describe_type(error.instance) if rule == "type" and not isinstance(error.instance, str) else "")
    tail = f", not {refused}" if refused else ""
    if len(error.absolute_path) > 1 or (rule == "enum" and error.validator == "pattern"):
        return f"{title} must be a list of known names; {refused or 'one of these'} is not one of them."
    return f"{title} must be {expected}{tail}."


def _remedy(rule: str, error: Any, rules: Mapping[str, Any], wrong: Any) -> str:
    """Return what the user can do; *wrong* is the value that a message may repeat, or None."""
    hint = _hint(rules)
    if rule == "type" and _is_number(error.instance) and _accepts_text_only(error.schema):
        return f"Put it in quotes: a long number loses digits when it is not text. {hint}"
    choices = rules.get("enum") or rules.get("items", {}).get("enum", ())
    known = [choice for choice in choices if choice]
    if rule == "enum" and wrong is not None and (nearest := _nearest(str(wrong), known)):
        return f'Did you mean "{nearest}"? {hint}'
    return hint


def _accepts_text_only(rules: Mapping[str, Any]) -> bool:
    kinds = rules.get("type", ())
    return _expected(rules) in {"text", "digits only", "a SELECT statement"} and "integer" not in kinds


def _expected(rules: Mapping[str, Any]) -> str:
    """Return what a field accepts, in words."""
    least, most = rules.get("minimum"), rules.get("maximum")
    choices = [choice for choice in rules.get("enum", ()) if choice]
    kind = property_type(rules)
    if kind in {"integer", "number"}:
        number = "a whole number" if kind == "integer" else "a number"
        return f"{number} from {least} to {most}" if most is not None else number
    if choices:
        few = ", ".join(map(str, choices))
        return f"one of {few}" if len(choices) <= _MAX_CHOICES else f"one of its {len(choices)} choices"
    formats = {
        "digits": "digits only",
        "date": "a calendar date",
        "date-time": "a date, or a time with its zone",
        "statement": "a SELECT statement",
    }
    return formats.get(
        rules.get("x-format", ""),
        {"array": "a list", "boolean": "true or false", "string": "text"}.get(kind, "something else"),
    )


def _title(key: str, rules: Mapping[str, Any]) -> str:
    return str(rules.get("title") or key)


def _hint(rules: Mapping[str, Any]) -> str:
    return str(rules.get("x-hint") or "Correct it or leave it out.")


def _rank(rule: str) -> int:
    return _RULES.index(rule) if rule in _RULES else len(_RULES)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that *name* probably means: `clientId` and `Client ID` mean `client_id`."""
    plain = {re.sub(r"[\W_]", "", candidate).casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(re.sub(r"[\W_]", "", name).casefold(), plain, n=1)
    return plain[found[0]] if found else None
