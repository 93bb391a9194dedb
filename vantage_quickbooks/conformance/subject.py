"""The connector under test, with what several checks need of it: its descriptor, settings, connections and results."""

from __future__ import annotations

import copy
import functools
import importlib
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from ..contract import HostContext
from .schemas import DESCRIPTOR, ENVELOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from jsonschema.exceptions import ValidationError

__all__ = ["Subject", "attempt", "broken", "explain", "find", "not_json", "shown"]

JSON = dict[str, Any]
T = TypeVar("T")

SHORTEST_SECRET = 5
"""Shorter secrets are not searched for: they occur by chance."""

MAX_SHOWN = 200
"""Characters of a value that a reason shows."""


def broken(reason: str) -> NoReturn:
    """End a check: the connector breaks the contract."""
    raise pytest.fail.Exception(reason, pytrace=False) from None


def attempt(what: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call the connector where it must not raise.

    Args:
        what: The call in words, `describe()`.
        function: What to call.
        *args: Its arguments.
        **kwargs: See `args`.
    """
    try:
        return function(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 -- a broken connector raises anything
        broken(f"{what} raised {type(error).__name__}: {shown(error)}")


def shown(value: Any) -> str:
    """Return a value as a reason shows it: on one line, and not too long."""
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " ..."


def explain(error: ValidationError | SchemaError, root: str, *, is_sensitive: bool = False) -> str:
    """Say where an instance does not match its schema, and why.

    Args:
        error: What the validator found.
        root: The instance's name, `data`.
        is_sensitive: The instance holds secrets: name the keyword only.
    """
    place = root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    why = f"the schema's {error.validator!r} does not hold" if is_sensitive else shown(error.message)
    return f"at {place}: {why}"


def schema_problem(schema: Any) -> str | None:
    """Return why something is not a JSON Schema of draft 2020-12; None if it is one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is not a JSON Schema (draft 2020-12), {explain(error, 'schema')}"
    for reference in _references(schema):
        if reference.startswith("#/") and not find(schema, reference.removeprefix("#/").replace("/", "."))[0]:
            return f"has a $ref that leads nowhere: {reference}"
    return None


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def not_json(value: Any, place: str) -> str | None:
    """Return where a value is not plain JSON, and why; None if it is."""
    if value is None or type(value) in {bool, int}:
        return None
    if type(value) is float:
        return None if math.isfinite(value) else f"{place} is {value}, which JSON does not have"
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{place} is text with a lone surrogate, which is not valid Unicode"
        return None
    if type(value) is list:
        found = (not_json(item, f"{place}[{index}]") for index, item in enumerate(value))
        return next((reason for reason in found if reason), None)
    if type(value) is dict:
        for key, item in value.items():
            if type(key) is not str:
                return f"{place} has the key {key!r}, which is not text"
            reason = not_json(item, f"{place}.{key}")
            if reason:
                return reason
        return None
    return f"{place} is a {type(value).__name__}, which JSON does not have"


def find(value: Any, path: str) -> tuple[bool, Any]:
    """Return whether a dotted path leads anywhere in a value, and what is there."""
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False, None
        value = value[name]
    return True, value


class Subject:
    """One connector and its settings.

    Args:
        spec: `MODULE:NAME`, for names of checks.
        connector: The connector.
        settings: Settings that work; None: nothing is called.
        only: Ids of the actions to call; None: all that are read only.
    """

    def __init__(
        self, spec: str, connector: Any, settings: Mapping[str, Any] | None, only: Sequence[str] | None = None
    ) -> None:
        self.spec = spec
        self.connector = connector
        self._settings = settings
        self._only = only
        self._inputs: dict[str, JSON] = {}
        self._results: dict[str, JSON] = {}
        self._connections: list[Any] = []

    @classmethod
    def load(cls, spec: str, settings_file: str | None, only: Sequence[str] | None) -> Subject:
        """Import a connector by its name; modules in the current directory are found, too.

        Raises:
            pytest.UsageError: There is no such connector, or the file is not a JSON object.
        """
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)
        module, _, name = spec.partition(":")
        try:
            connector: Any = functools.reduce(getattr, name.split("."), importlib.import_module(module))
            settings = None if settings_file is None else json.loads(Path(settings_file).read_text(encoding="utf-8"))
        except (ImportError, AttributeError, OSError, ValueError) as error:
            raise pytest.UsageError(f"--connector {spec}: {type(error).__name__}: {error}") from None
        if settings is not None and not isinstance(settings, dict):
            raise pytest.UsageError(f"--settings {settings_file}: not a JSON object")
        return cls(spec, connector() if isinstance(connector, type) else connector, settings, only)

    # ---- the descriptor ----------------------------------------------------------------------------------------------

    @functools.cached_property
    def descriptor(self) -> JSON:
        """What `describe()` returns, if it is an object."""
        described = attempt("describe()", self.connector.describe)
        if not isinstance(described, dict):
            broken("describe() does not return a JSON object")
        return copy.deepcopy(described)

    @functools.cached_property
    def descriptor_problem(self) -> str | None:
        """Why the descriptor is not plain JSON, or where it does not match its schema; None if it does."""
        reason = not_json(self.descriptor, "descriptor")
        if reason:
            return f"describe() is not plain JSON: {reason}"
        error = best_match(_DESCRIPTORS.iter_errors(self.descriptor))
        if error is not None:
            return f"describe() does not match descriptor.schema.json, {explain(error, 'descriptor')}"
        reason = schema_problem(self.descriptor["settingsSchema"])
        return f"settingsSchema {reason}" if reason else None

    @functools.cached_property
    def actions(self) -> dict[str, JSON]:
        """The actions of the descriptor by id, as far as they have one."""
        listed = self.descriptor.get("actions")
        entries = listed if isinstance(listed, list) else []
        return {entry["id"]: entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)}

    def action_ids(self) -> list[str]:
        """Return the ids of all actions; none if the descriptor cannot be read, which another check reports."""
        try:
            return list(self.actions)
        except pytest.fail.Exception:
            return []

    def callable_ids(self) -> list[str]:
        """Return the ids of the actions to call."""
        wanted = self.action_ids() if self._only is None else self._only
        return [action_id for action_id in wanted if self.actions.get(action_id, {}).get("readOnly", True)]

    def has(self, capability: str) -> bool:
        """Return whether the descriptor lists a capability."""
        return capability in (self.descriptor.get("capabilities") or ())

    def needs(self, capability: str) -> None:
        """Skip the check unless the connector offers a capability."""
        if not self.has(capability):
            pytest.skip(f"the descriptor's capabilities do not have {capability}")

    def schema(self, action_id: str, member: str) -> JSON:
        """Return a schema of an action; an empty one where it has none."""
        schema = self.actions[action_id].get(member)
        return schema if isinstance(schema, dict) else {}

    @functools.cache  # noqa: B019 -- as long-lived as the run
    def validator(self, action_id: str, member: str) -> Draft202012Validator:
        """Return a validator of an action's `inputSchema` or `outputSchema`."""
        if self.schema_problem(action_id, member):
            pytest.skip(f"{action_id}: {member} is not a JSON Schema, which another check reports")
        return Draft202012Validator(self.schema(action_id, member))

    @functools.cache  # noqa: B019 -- as long-lived as the run
    def schema_problem(self, action_id: str, member: str) -> str | None:
        """Return why an action's schema is not one; None if it is."""
        return schema_problem(self.schema(action_id, member))

    @functools.cached_property
    def settings_validator(self) -> Draft202012Validator:
        """A validator of the `settingsSchema`."""
        return Draft202012Validator(self.descriptor["settingsSchema"])

    def inputs(self, action_id: str) -> set[str] | None:
        """Return the names of an action's inputs; None if its schema does not list them."""
        properties = self.schema(action_id, "inputSchema").get("properties")
        return set(properties) if isinstance(properties, dict) else None

    @functools.cached_property
    def secret_names(self) -> set[str]:
        """The names of the settings that are secrets: `writeOnly` in the schema, or in `auth.secretFields`."""
        schema = self.descriptor.get("settingsSchema") or {}
        properties = schema.get("properties") or {}
        listed = (self.descriptor.get("auth") or {}).get("secretFields") or []
        marked = {name for name, rules in properties.items() if isinstance(rules, dict) and rules.get("writeOnly")}
        return marked | set(listed)

    # ---- settings and connections ------------------------------------------------------------------------------------

    @property
    def settings(self) -> JSON:
        """A copy of the settings that work; without them the check is skipped."""
        if self._settings is None:
            pytest.skip("no --settings")
        return dict(self._settings)

    @property
    def secrets(self) -> dict[str, str]:
        """The secrets among the settings, by name."""
        known = self._settings or {}
        return {
            name: value
            for name in sorted(self.secret_names)
            if isinstance(value := known.get(name), str) and len(value) >= SHORTEST_SECRET
        }

    def must_not_leak(self, text: str, where: str) -> None:
        """Fail if a text contains a secret."""
        for name, secret in self.secrets.items():
            if secret in text:
                broken(f"{where} contains the secret {name}")

    def connect(self, **context: Any) -> Any:
        """Make a connection with a context; it is closed at the end of the run."""
        made = attempt("connect()", self.connector.connect, self.settings, HostContext(**context))
        self._connections.append(made)
        return made

    @functools.cached_property
    def connection(self) -> Any:
        """The connection that most checks share."""
        return self.connect()

    def close(self) -> None:
        """Close all connections; another check tests `close`."""
        for connection in self._connections:
            try:
                connection.close()
            except Exception:  # noqa: BLE001, S112 -- see the docstring
                continue

    # ---- calls -------------------------------------------------------------------------------------------------------

    def call(self, action_id: Any, data: Any = None, *, connection: Any = None) -> JSON:
        """Call an action, check the envelope by itself, and return it."""
        what = f"call({shown(repr(action_id))}, {shown(repr(data))})"
        envelope: JSON = attempt(what, (connection or self.connection).call, action_id, data)
        self.check_envelope(envelope, what, action_id)
        return envelope

    def check_envelope(self, envelope: Any, what: str, action_id: Any) -> None:
        """Check what holds for each envelope: plain JSON, the schema, the action's name, no secret."""
        is_sensitive = bool(
            self.actions.get(action_id if isinstance(action_id, str) else "", {}).get("sensitiveOutput")
        )
        reason = not_json(envelope, "the envelope")
        if reason:
            broken(f"{what}: {reason}")
        error = best_match(_ENVELOPES.iter_errors(envelope))
        if error is not None:
            reason = explain(error, "envelope", is_sensitive=is_sensitive)
            broken(f"{what} returned what is not an envelope, {reason}")
        called = envelope["meta"].get("action")
        if called is not None and called != action_id:
            broken(f"{what}: meta.action is {called!r}")
        if not (is_sensitive and envelope["success"]):
            self.must_not_leak(json.dumps(envelope, ensure_ascii=False), f"the envelope of {what}")

    def result(self, action_id: str) -> JSON:
        """Return the data of a call with an input that works; made once."""
        self.working_input(action_id)
        return self._results[action_id]

    @functools.cache  # noqa: B019 -- as long-lived as the run
    def full_result(self, action_id: str) -> JSON:
        """Return the data of a full read; made once."""
        return self.data(action_id, self.actions[action_id]["fullReadInput"])

    def data(self, action_id: str, data: Mapping[str, Any], *, connection: Any = None) -> JSON:
        """Call an action where it must succeed, and return its data."""
        envelope = self.call(action_id, data, connection=connection)
        return self.successful(envelope, f"call({action_id!r}, {shown(dict(data))})")

    @staticmethod
    def successful(envelope: JSON, what: str) -> JSON:
        """Return the data of an envelope that must be a success."""
        if not envelope["success"]:
            error = envelope["error"]
            broken(f"{what} failed with {error['code']}: {shown(error['message'])}")
        result: JSON = envelope["data"]
        return result

    def working_input(self, action_id: str) -> JSON:
        """Return an input that the action should accept: none, one from `optionsFrom`, or an example.

        The check is skipped if there is none, or if the example names a record that this company does not have.
        """
        if action_id not in self._inputs:
            data, is_example = self._find_input(action_id)
            envelope = self.call(action_id, data)
            if is_example and not envelope["success"] and envelope["error"]["code"] == "RESOURCE_NOT_FOUND":
                pytest.skip(f"the example of {action_id} names a record that is not there: give it optionsFrom")
            self._results[action_id] = self.successful(envelope, f"call({action_id!r}, {shown(data)})")
            self._inputs[action_id] = data
        return copy.deepcopy(self._inputs[action_id])

    def _find_input(self, action_id: str) -> tuple[JSON, bool]:
        """Return an input, and whether it is an example that names something of one company."""
        required = self.schema(action_id, "inputSchema").get("required") or []
        chosen = {name: self._choice(action_id, name) for name in required}
        validator = self.validator(action_id, "inputSchema")
        if None not in chosen.values() and validator.is_valid(chosen):
            return chosen, False
        examples = self.actions[action_id].get("examples", ())
        found = next((dict(each) for each in examples if validator.is_valid(each)), None)
        if found is None:
            pytest.skip(f"{action_id} has no input that works: give it an example, or optionsFrom for what it requires")
        return found, True

    def _choice(self, action_id: str, name: str) -> Any:
        fields = (self.actions[action_id].get("inputForm") or {}).get("fields") or {}
        source = (fields.get(name) or {}).get("optionsFrom") or {}
        if source.get("action") not in self.actions or source["action"] == action_id:
            return None
        rows = self.rows(source["action"], self.result(source["action"]))
        if not rows:
            pytest.skip(f"{source['action']} returns no rows to take {name} from")
        return find(rows[0], source["value"])[1]

    def rows(self, action_id: str, data: Mapping[str, Any]) -> list[Any]:
        """Return the rows of a result; none where the action has none."""
        rows_key = self.actions[action_id].get("rowsKey")
        if rows_key is None:
            return []
        if rows_key not in data:
            broken(f"the result of {action_id} has no {rows_key!r}, which is its rowsKey")
        rows = data[rows_key]
        return rows if isinstance(rows, list) else [rows]

    def check_result(self, action_id: str, data: Mapping[str, Any], what: str) -> None:
        """Check a result against the action's output schema."""
        reason = not_json(data, "the result")
        if reason:
            broken(f"{what}: {reason}")
        error = best_match(self.validator(action_id, "outputSchema").iter_errors(data))
        if error is not None:
            is_sensitive = bool(self.actions[action_id].get("sensitiveOutput"))
            broken(
                f"the result of {what} does not match outputSchema, {explain(error, 'data', is_sensitive=is_sensitive)}"
            )

    def pages(self, action_id: str, data: Mapping[str, Any], *, connection: Any = None, **how: Any) -> Generator[Any]:
        """Yield what `stream` yields; fail where it raises."""
        what = f"stream({action_id!r}, {shown(dict(data))})"
        pages = iter(attempt(what, (connection or self.connection).stream, action_id, dict(data), **how))
        end = object()
        while (page := attempt(what, next, pages, end)) is not end:
            yield page


_DESCRIPTORS = Draft202012Validator(DESCRIPTOR)
_ENVELOPES = Draft202012Validator(ENVELOPE)
