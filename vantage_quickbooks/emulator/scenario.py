"""Scenario files: what an emulator starts with, and what happens to it then, as YAML or JSON.

    as_of: 2027-02-01
    company: {seed: 7, customers: 50, invoices: 200}
    limits: strict
    steps:
      - create: Customer
        record: {DisplayName: Mira Lund}
        name: mira
      - create: Invoice
        record: {CustomerRef: {value: "${mira.Id}"}, Line: [...]}
      - after_requests: 3      # the next steps wait until three more API requests have been answered
      - fault: throttle
        path: /query
        times: 2
      - advance: 3600

A scenario is checked completely before its first step. The same file gives the same records and faults.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.errors import Fault

if TYPE_CHECKING:
    import os

    from vantage_quickbooks.emulator.world import World

MAX_BYTES = 1_000_000
MAX_STEPS = 10_000
_REFERENCE = re.compile(r"\$\{(\w+)((?:\.\w+)+)\}")
_WAIT = "after_requests"
_Types = type | tuple[type, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of step: the types of its own value and of its other keys, and what it does."""

    value: _Types
    keys: Mapping[str, _Types]
    run: Callable[[World, dict[str, Any]], object]
    required: tuple[str, ...] = ()
    is_open: bool = False  # further keys are checked by the method that it calls


def _number(step: dict[str, Any], key: str) -> float:
    return float(step[key])


def _fault(world: World, step: dict[str, Any]) -> None:
    options = {key: value for key, value in step.items() if key != "fault"}
    world.fault(step["fault"], **options)


def _subscribe(world: World, step: dict[str, Any]) -> None:
    world.subscribe(step["subscribe"], **{key: value for key, value in step.items() if key != "subscribe"})


def _notify(world: World, step: dict[str, Any]) -> None:
    options = {key: value for key, value in step.items() if key != "notify"}
    world.notify(step["notify"], **options)


_RECORD: Mapping[str, _Types] = {"record": dict, "name": str, "realm_id": str}
_ID: Mapping[str, _Types] = {"id": (str, int), "realm_id": str}
_STEPS: dict[str, _Kind] = {
    "company": _Kind(dict, {}, lambda w, s: w.replace_company(**s["company"])),
    "create": _Kind(str, _RECORD, lambda w, s: w.create(s["create"], s["record"], s.get("realm_id")), ("record",)),
    "update": _Kind(str, _RECORD, lambda w, s: w.update(s["update"], s["record"], s.get("realm_id")), ("record",)),
    "delete": _Kind(str, _ID, lambda w, s: w.delete(s["delete"], str(s["id"]), s.get("realm_id")), ("id",)),
    "void": _Kind(str, _ID, lambda w, s: w.void(s["void"], str(s["id"]), s.get("realm_id")), ("id",)),
    "fault": _Kind(str, {}, _fault, is_open=True),
    "subscribe": _Kind(str, {}, _subscribe, is_open=True),
    "notify": _Kind(str, {"id": str, "operation": str}, _notify, ("id", "operation"), is_open=True),
    "clear_faults": _Kind(bool, {}, lambda w, _: w.clear_faults()),
    "latency": _Kind((int, float, dict, list, type(None)), {}, lambda w, s: w.latency(s["latency"])),
    "limits": _Kind((bool, str, dict), {}, lambda w, s: w.limit(s["limits"])),
    "advance": _Kind((int, float), {}, lambda w, s: w.advance(_number(s, "advance"))),
    "now": _Kind(str, {}, lambda w, s: w.set_now(s["now"])),
    "as_of": _Kind(str, {}, lambda w, s: w.as_of(s["as_of"])),
    "expire_tokens": _Kind(bool, {}, lambda w, _: w.expire_access_tokens()),
    "revoke_grants": _Kind(bool, {}, lambda w, _: w.revoke_grants()),
    "rotate_secret": _Kind(bool, {}, lambda w, _: w.rotate_client_secret()),
    _WAIT: _Kind(int, {}, lambda _, __: None),
}
"""What a step can be, by the key that names it."""

_START: dict[str, _Types] = {
    "as_of": str,
    "company": dict,
    "limits": (bool, str, dict),
    "latency": (int, float, dict, list),
    "steps": list,
}
_COMPANY = ("seed", "customers", "invoices")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that has been checked.

    Attributes:
        steps: In order; those of the start first.
    """

    steps: tuple[dict[str, Any], ...]

    @classmethod
    def load(cls, source: str | os.PathLike[str] | Mapping[str, Any]) -> Scenario:
        """Read and check a scenario.

        Args:
            source: A YAML or JSON file, or its data.

        Raises:
            ValueError: The file cannot be read, or something in it is wrong; the message names the step.
        """
        data = source if isinstance(source, Mapping) else _read(Path(source))
        unknown = data.keys() - _START.keys()
        if unknown:
            raise ValueError(f"scenario: unknown {_listed(unknown)}; known: {', '.join(_START)}")
        for key, kinds in _START.items():
            if key in data and not _is_of(data[key], kinds):
                raise ValueError(f"scenario: {key} is of the wrong type")
        steps = data.get("steps", [])
        if len(steps) > MAX_STEPS:
            raise ValueError(f"scenario: more than {MAX_STEPS:,} steps")
        for number, step in enumerate(steps, 1):
            _check(number, step)
        start = [{key: data[key]} for key in ("as_of", "company", "limits", "latency") if key in data]
        for step in (*start, *steps):
            _check_company(step.get("company", {}))
        return cls((*start, *(dict(step) for step in steps)))


def _read(path: Path) -> Mapping[str, Any]:
    import yaml  # noqa: PLC0415 -- only scenario files need it

    class Loader(yaml.SafeLoader):
        """Reads dates as text, and refuses aliases: they can make a small file enormous."""

        yaml_implicit_resolvers = {  # noqa: RUF012 -- PyYAML's own attribute
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("aliases are not supported")
            return super().compose_node(parent, index)

    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"{path}: larger than {MAX_BYTES:,} bytes")
        data = yaml.load(text, Loader)  # noqa: S506 -- a SafeLoader
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"{path} is not a scenario: a mapping with {', '.join(_START)}")
    return data


def _check_company(data: Mapping[Any, Any]) -> None:
    for key, value in data.items():
        if key not in _COMPANY:
            raise ValueError(f"scenario: unknown company.{key}; known: {', '.join(_COMPANY)}")
        if not _is_of(value, int):
            raise ValueError(f"scenario: company.{key} is a number")


def _check(number: int, step: object) -> None:
    if not isinstance(step, Mapping):
        raise ValueError(f"step {number} is not a mapping")
    names = [key for key in step if key in _STEPS]
    # A fault can have a `latency` in seconds and the like: the first key decides.
    if not names or next(iter(step)) != names[0]:
        raise ValueError(f"step {number}: the first key is one of {', '.join(_STEPS)}")
    name, kind = names[0], _STEPS[names[0]]
    allowed = {name: kind.value, **kind.keys}
    for key, value in step.items():
        if not isinstance(key, str) or (key not in allowed and not kind.is_open):
            raise ValueError(f"step {number}: unknown {key!r}; known: {', '.join(allowed)}")
        if key in allowed and not _is_of(value, allowed[key]):
            raise ValueError(f"step {number}: {key} is of the wrong type")
    for key in kind.required:
        if key not in step:
            raise ValueError(f"step {number}: {key} is missing")
    if name == _WAIT and step[name] < 1:
        raise ValueError(f"step {number}: {_WAIT} is a number from 1 on")


def _is_of(value: object, kinds: _Types) -> bool:
    """Like isinstance, but a boolean is not a number."""
    known = kinds if isinstance(kinds, tuple) else (kinds,)
    return isinstance(value, known) and (bool in known or not isinstance(value, bool))


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(repr, names)))


class Player:
    """Plays a scenario's steps: at once until one waits for requests, and then as requests are answered.

    Args:
        world: What the steps change.
        scenario: The scenario.
    """

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world = world
        self._steps = scenario.steps
        self._lock = threading.RLock()
        self._next = 0
        self._awaited = 0
        self._named: dict[str, Any] = {}
        self._error = ""

    def run(self) -> None:
        """Play the steps up to the next that waits.

        Raises:
            ValueError: A step cannot be executed; the message names it.
        """
        with self._lock:
            while self._next < len(self._steps) and not self._awaited:
                step = self._steps[self._next]
                self._next += 1
                self._execute(step)

    def _execute(self, step: dict[str, Any]) -> None:
        name = next(iter(step))
        self._awaited = step[name] if name == _WAIT else 0
        try:
            result = _STEPS[name].run(self._world, self._resolve(step))
        except (ValueError, TypeError, OverflowError, RecursionError, KeyError, Fault) as error:
            self._next = len(self._steps)
            self._error = f"step {name} {step[name]!r}: {error}"
            raise ValueError(self._error) from None
        if "name" in step and name in ("create", "update"):
            self._named[step["name"]] = result

    def on_request(self) -> None:
        """Count an answered API request. A step that then fails ends the play; `state` has its error."""
        with self._lock:
            if not self._awaited:
                return
            self._awaited -= 1
            if not self._awaited:
                try:
                    self.run()
                except ValueError:
                    return

    def state(self) -> dict[str, Any]:
        """Return how far the play is, as JSON data."""
        with self._lock:
            error = {"error": self._error} if self._error else {}
            return {"steps": len(self._steps), "done": self._next, "awaited_requests": self._awaited} | error

    def _resolve(self, value: Any) -> Any:
        """Replace `${name.Id}` by the property of the record that an earlier step named."""
        if isinstance(value, dict):
            return {key: self._resolve(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolve(inner) for inner in value]
        found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        inner = self._named.get(found[1])
        for key in found[2].split(".")[1:]:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if inner is None:
            raise ValueError(f"{value} is not known")
        return inner
