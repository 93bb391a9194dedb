"""
Find the JSON Schemas, validate what a form or a program hands over, say what is wrong with it, and tidy the rest.

Rules
1. The published schema decides, of values just as they were handed over: a host that validates first and this module
   accept the same. What forms send is therefore in the schema: numbers as text, blanks around text, null and "".
   Tidying comes after: blanks go, null, "" and [] mean "not given", "100" is 100. No keyword counts here whose meaning
   depends on a validator's options (`format`).
2. All violations come at once, one entry a field, in the order of the form.
3. The sentences are ours. jsonschema's own messages print the offending value, so they are never read; the value of
   a `writeOnly` field appears nowhere, and another field's only if it is short and holds no such value.
4. The words about one field stand beside it in its schema: `title`, and `x-hint`, which says what to do.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import FieldError, InputError, InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jsonschema import Draft202012Validator

__all__ = ["clean", "kind_of", "load_schema", "summarize", "validate_input"]

_PLACES = (Path(__file__).parents[1] / "_schemas", Path(__file__).parents[2] / "schemas")
"""A wheel carries the schemas inside the package; a checkout and an editable install have them beside it."""

_BLANKS = (
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u200b\u2060\ufeff"  # the last three have no width: copied from web pages, unseen
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.0+)?")
_KEY = re.compile(r"(?:[^\W\d]|[ .-]){1,64}[0-9]{0,3}")  # a name, not a token that was pasted into its place

_MOST_VALUES = 10_000  # of one field, nested ones included: no form holds more, and a list inside itself never ends
_MOST_LEVELS = 32
_MOST_BITS = 1024  # of a whole number: as far as a JSON double reaches
_MOST_SHOWN = 20  # characters of a value that a message repeats: shorter than any of Intuit's keys and tokens
_MOST_CHOICES = 8  # that a message spells out

# The most telling rule first: where a field breaks several, this one is reported.
_RULES = ("json", "size", "encoding", "required", "type", "enum", "format", "pattern", "uniqueItems")


def load_schema(name: str) -> dict[str, Any]:
    """Return a schema or form description.

    Args:
        name: File name without `.json`: `settings.schema`, `settings.form`, `listCustomers.input.schema`.

    Returns:
        A dict of the caller's own: changing it changes nothing here.

    Raises:
        InternalError: There is no such file, or it cannot be read: the installation is damaged.
    """
    try:
        schema = json.loads(_text(name))
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise InternalError(f"{name}.json, a file of this connector, is damaged. Install vantage-quickbooks again.")
    return schema


def clean(schema_name: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """Validate *data* and tidy what is right.

    Never raises because of *data*, whatever it is, and never changes it.

    Args:
        schema_name: As for `load_schema`.
        data: What a form, a file or a program handed over.

    Returns:
        What was given, tidied, without the fields that are wrong; and one entry for each of these, in the order of
        the schema, fields that do not exist last.

    Raises:
        InternalError: The schema itself is missing or damaged.
    """
    validator = _validator(schema_name)
    schema: Any = validator.schema
    noun = "setting" if schema_name.startswith("settings.") else "input"
    if not isinstance(data, Mapping):
        message = f"The {noun}s must be an object of names and values, not {_kind(data)}."
        return {}, [FieldError("", "type", message, 'Hand over an object like {"max_results": 50}.')]
    report = _Report(noun=noun, schema=schema, secrets=_secrets(schema, data))
    given: dict[str, Any] = {}
    for key, value in data.items():
        if not isinstance(key, str) or key not in report.properties:
            report.unknown(key)
        elif (rule := _unfit(value)) is not None:
            report.unfit(key, rule, value)
        else:
            given[key] = list(value) if isinstance(value, tuple) else value
    for error in validator.iter_errors(given):
        report.violation(error, given)
    sound = {key: value for key, value in given.items() if key not in report.found}
    tidied = {key: _tidy(value, report.properties[key]) for key, value in sound.items()}
    return {key: value for key, value in tidied.items() if value is not None}, report.entries()


def validate_input(action_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Tidy and validate the input of one call.

    Args:
        action_id: Id of the action, as `listCustomers`.
        data: The input; every key may be left out.

    Returns:
        What was given, tidied; nothing is filled in.

    Raises:
        InputError: With one entry for each field that is wrong.
    """
    if type(data) is dict and not data:
        return {}  # as said above; a host asks for its cached token often
    cleaned, fields = clean(f"{action_id}.input.schema", data)
    if fields:
        raise InputError(summarize("input", fields), fields)
    return cleaned


def summarize(noun: str, fields: Sequence[FieldError]) -> str:
    """Put entries into one message for a person.

    Args:
        noun: What they are about, in the singular: `setting` or `input`.
        fields: The entries, at least one.
    """
    told = " ".join(f"{entry.message} {entry.hint}" for entry in fields)
    return told if len(fields) == 1 else f"{len(fields)} {noun}s are not right. {told}"


# ---- files and validators -------------------------------------------------------------------------------------------


@functools.cache
def _text(name: str) -> str:
    for place in _PLACES:
        path = place / f"{name}.json"
        try:
            # Names come from hosts, too (an action's id): a path in one must not lead out of the folder.
            if path.parent == place:
                return path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
    raise InternalError(f"{name}.json, a file of this connector, is missing. Install vantage-quickbooks again.")


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    # Imported at the first validation: jsonschema costs 70 ms, and a host starts hundreds of plugins.
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- see above

    return Draft202012Validator(load_schema(name))


# ---- tidying --------------------------------------------------------------------------------------------------------


def _unfit(value: object) -> str | None:
    """Return the rule that a value breaks before any schema: JSON's own, and those of a sane size."""
    pending: list[tuple[object, int]] = [(value, 0)]
    for _ in range(_MOST_VALUES):
        if not pending:
            return None
        item, level = pending.pop()
        rule = _unfit_alone(item) if level < _MOST_LEVELS else "size"
        if rule is not None:
            return rule
        if isinstance(item, dict):
            pending += [(child, level + 1) for pair in item.items() for child in pair]
        elif isinstance(item, list | tuple):
            pending += [(child, level + 1) for child in item]
    return "size"


def _unfit_alone(item: object) -> str | None:
    match item:
        case None | bool():
            return None
        case str():
            return None if _is_unicode(item) else "encoding"
        case int():
            return None if item.bit_length() <= _MOST_BITS else "size"
        case float():
            return None if math.isfinite(item) else "json"
        case dict():
            return None if all(isinstance(key, str) for key in item) else "json"
        case list() | tuple():
            return None
    return "json"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: no file, header or URL can carry it
        return False
    return True


def _tidy(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a valid value as the schema means it, or None if nothing was given."""
    kind = kind_of(schema)
    if isinstance(value, str):
        value = value.strip(_BLANKS)
        if kind == "array":
            value = [name for item in value.split(",") if (name := item.strip(_BLANKS))]
            return list(dict.fromkeys(value)) or None
    if value is None or value in ("", []):
        return None
    if kind == "integer":
        return _whole(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"  # a form's select hands over text
    if kind == "string" and not isinstance(value, str):
        return str(_whole(value))  # an Id of a record: few digits, so that no number has lost one
    return value


def kind_of(schema: Mapping[str, Any]) -> Any:
    """Return the type that a property has once it is tidied: the first that its schema names."""
    kind = schema.get("type")
    return kind[0] if isinstance(kind, list) else kind


def _whole(value: Any) -> Any:
    """Return what stands for a whole number as an int, anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value.partition(".")[0])
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else value


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip(_BLANKS))


def _secrets(schema: Mapping[str, Any], data: Mapping[str, Any]) -> list[Any]:
    """Return what the secret fields hold, of whatever type: it may have been pasted into other fields as well."""
    properties = schema.get("properties", {})
    return [data.get(key) for key, rules in properties.items() if rules.get("writeOnly") and data.get(key) is not None]


# ---- what is wrong, in words ----------------------------------------------------------------------------------------


@dataclass
class _Report:
    """Collects one entry a field."""

    noun: str
    schema: Mapping[str, Any]
    secrets: list[Any]
    found: dict[str, FieldError] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        # Properties that forms do not show are patterns of one name: form libraries make no field of a pattern.
        unlisted = {name.strip("^$"): rules for name, rules in self.schema.get("patternProperties", {}).items()}
        return {**self.schema.get("properties", {}), **unlisted}

    def entries(self) -> list[FieldError]:
        """Return the entries in the order of the schema, unknown fields last."""
        order = {name: number for number, name in enumerate(self.properties)}
        return sorted(self.found.values(), key=lambda entry: order.get(entry.field, len(order)))

    def unknown(self, key: object) -> None:
        """Report a field that does not exist."""
        # A key may be anything, even a token in the wrong place: only what looks like a name is repeated.
        name = key if isinstance(key, str) and _KEY.fullmatch(key) and self._may_show(key) else ""
        subject = f'"{name}"' if name else "A field whose name is not repeated here"
        nearest = _nearest(name, self.properties)
        known = f"The {self.noun}s are {', '.join(self.properties)}." if self.properties else "There are none here."
        hint = f"Did you mean {nearest}? {known}" if nearest else f"Remove it. {known}"
        self._add(FieldError(name, "additionalProperties", f"{subject} is not a known {self.noun}.", hint))

    def unfit(self, key: str, rule: str, value: object) -> None:
        """Report a value that no schema can take."""
        rules = self.properties[key]
        inside = isinstance(value, dict | list | tuple)
        message = {
            "json": "holds something that JSON cannot carry"
            if inside
            else f"is {_kind(value)}, which JSON cannot carry",
            "size": "is too large or too deeply nested",
            "encoding": "contains half a character (a lone surrogate), which nothing can store or send",
        }[rule]
        self._add(FieldError(key, rule, f"{_title(key, rules)} {message}.", _hint(rules)))

    def violation(self, error: Any, given: Mapping[str, Any]) -> None:
        """Report a `jsonschema.ValidationError`; its message is never read."""
        rule = str(error.validator)
        if not error.absolute_path:
            if rule == "required":
                self._missing(set(error.schema["required"]) - set(given))
            elif rule != "not":  # inputs that do not go together: `reading.check` says in words which
                self._add(FieldError("", rule, f"The {self.noun}s do not fit together.", "Look them over."))
            return
        key = str(error.absolute_path[0])
        rules = self.properties[key]
        if key in self.schema.get("required", ()) and _is_blank(error.instance):
            self._missing({key})
            return
        rule, wrong = _broken(rule, error, rules)
        shown = "" if rules.get("writeOnly") else self._shown(wrong)
        message = _message(_title(key, rules), rule, error, shown)
        self._add(FieldError(key, rule, message, self._remedy(rule, error, rules, wrong if shown else None)))

    def _missing(self, names: set[str]) -> None:
        for name in names:
            rules = self.properties.get(name, {})
            self._add(FieldError(name, "required", f"{_title(name, rules)} is missing.", _hint(rules)))

    def _remedy(self, rule: str, error: Any, rules: Mapping[str, Any], wrong: Any) -> str:
        """Say what to do; *wrong* is what a message may repeat, or None."""
        hint = _hint(rules)
        if rule == "type" and _is_number(error.instance) and _takes_text_alone(error.schema):
            return f"Put it in quotes: a long number loses digits when it is not text. {hint}"
        choices = rules.get("enum") or rules.get("items", {}).get("enum", ())
        known = [choice for choice in choices if choice]
        if rule == "enum" and wrong is not None and (nearest := _nearest(str(wrong), known)):
            return f'Did you mean "{nearest}"? {hint}'
        return hint

    def _shown(self, value: object) -> str:
        """Return the value as a message may repeat it, or "" if it had better not."""
        if not isinstance(value, bool | int | float | str):
            return ""
        text = json.dumps(value, ensure_ascii=False)
        fits = len(text) <= _MOST_SHOWN and text.isprintable()
        # A secret that is no text was not typed into its field: who knows what else went astray.
        sound = all(isinstance(secret, str) for secret in self.secrets)
        return text if fits and sound and self._may_show(text) and self._may_show(str(value)) else ""

    def _may_show(self, text: str) -> bool:
        secrets = (secret.strip(_BLANKS) for secret in self.secrets if isinstance(secret, str))
        return not any(secret in text for secret in secrets if secret)

    def _add(self, entry: FieldError) -> None:
        other = self.found.get(entry.field)
        if other is None or _rank(entry.rule) < _rank(other.rule):
            self.found[entry.field] = entry


def _broken(rule: str, error: Any, rules: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the rule that a value breaks as a person sees it, and the value or the part of it that does.

    Text stands for values of other types, whose bounds are in its pattern.
    """
    value = error.instance
    if rule in {"minimum", "maximum"} and kind_of(rules) == "string":
        return "pattern", value
    if rule != "pattern":
        return rule, value
    kind = kind_of(rules)
    if kind == "integer":
        number = _whole(value.strip(_BLANKS))
        if not isinstance(number, int):
            return "type", value
        return "minimum" if number < rules["minimum"] else "maximum", value
    if kind == "array":
        names = [name.strip(_BLANKS) for name in value.split(",")]
        return "enum", next((name for name in names if name not in rules["items"]["enum"]), value)
    if rules.get("x-format") in {"date", "date-time"}:
        return "format", value
    return ("type" if kind == "boolean" else rule), value


def _message(title: str, rule: str, error: Any, shown: str) -> str:
    limit = error.validator_value
    expected = _expected(error.schema)
    if rule == "type" and _is_number(error.instance) and _takes_text_alone(error.schema):
        return f"{title} must be text, but it came as a number."
    if rule == "pattern" and expected == "text":
        return f"{title} contains a character that does not belong there: a blank, a line break or a foreign letter."
    if rule == "maxLength":
        return f"{title} is longer than {limit} characters."
    if rule == "uniqueItems":
        return f"{title} names something twice."
    refused = shown or (_kind(error.instance) if rule == "type" and not isinstance(error.instance, str) else "")
    tail = f", not {refused}" if refused else ""
    if len(error.absolute_path) > 1 or (rule == "enum" and error.validator == "pattern"):
        return f"{title} must be a list of names that it knows; {refused or 'one of these'} is none of them."
    return f"{title} must be {expected}{tail}."


def _takes_text_alone(rules: Mapping[str, Any]) -> bool:
    kinds = rules.get("type", ())
    return _expected(rules) in {"text", "digits only"} and "integer" not in kinds


def _expected(rules: Mapping[str, Any]) -> str:
    """Say what a field takes, in words."""
    least, most = rules.get("minimum"), rules.get("maximum")
    choices = [choice for choice in rules.get("enum", ()) if choice]
    kind = kind_of(rules)
    if kind == "integer":
        return f"a whole number from {least} to {most}" if most is not None else "a whole number"
    if choices:
        few = ", ".join(map(str, choices))
        return f"one of {few}" if len(choices) <= _MOST_CHOICES else f"one of its {len(choices)} choices"
    formats = {
        "digits": "digits only",
        "date": "a date of the calendar",
        "date-time": "a date, or a time with its zone",
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


def _kind(value: object) -> str:
    """Name a value's type for a person; the value itself stays out."""
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


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that *name* was probably meant to be: clientId and "Client ID" mean client_id."""
    plain = {re.sub(r"[\W_]", "", candidate).casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(re.sub(r"[\W_]", "", name).casefold(), plain, n=1)
    return plain[found[0]] if found else None
