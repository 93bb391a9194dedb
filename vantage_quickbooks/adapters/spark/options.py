"""The options of the Spark formats: one row of a table each, parsed once.

Spark shows options in plans and event logs, so none of them may hold a secret: a registry URL with a password is
refused. Spark passes names in lower case on some ways and as written on others; case does not matter here either.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote_plus, urlsplit

from vantage_quickbooks.catalog.sync_action import SYNC_DEFAULT, SYNC_ENTITIES
from vantage_quickbooks.config.validation import validate_input
from vantage_quickbooks.connector.bundles import BUNDLE_SIZE
from vantage_quickbooks.connector.many import WORKERS
from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vantage_quickbooks.catalog.resource import Resource

__all__ = ["ALL_ENTITIES", "OPTIONS", "Option", "SparkOptions", "Usage", "option_error"]

Usage = Literal["batch", "stream", "read", "status"]
"""What options are for: `spark.read` or `spark.readStream` of the format `quickbooks`, one of the two (Spark asks for
the schema before it says which), or `quickbooks_status`."""

ALL_ENTITIES = "*"

_BATCH: tuple[Usage, ...] = ("batch",)
_READS: tuple[Usage, ...] = ("batch", "stream")
_EVERYWHERE: tuple[Usage, ...] = ("batch", "stream", "status")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PATTERN = re.compile(r"[A-Za-z0-9._*?\[\]!-]{1,128}")
_PASSWORD = re.compile(r"(?:password|passwd|pwd)\s*=", re.IGNORECASE)
"""In a query, or in the connection string that some drivers take there: `sslpassword=`, `odbc_connect=…PWD=`."""

_MAX_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: As users write it; it is also the name of the attribute of `SparkOptions`.
        parse: Returns the value of a text; raises ValueError with what is expected.
        usages: Where it can be given.
        default: What holds without it.
        doc: What it does; for the table of the documentation.
        type: What its values are, in words.
    """

    name: str
    parse: Callable[[str], Any]
    usages: tuple[Usage, ...]
    default: str
    doc: str
    type: str


def _entities(text: str) -> tuple[str, ...]:
    """Return the names of the entities as Intuit spells them; `*` stands for itself."""
    if text == ALL_ENTITIES:
        return (ALL_ENTITIES,)
    known = {name.lower(): name for name in SYNC_ENTITIES}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name.lower() not in known:
            near = difflib.get_close_matches(name.lower(), known, n=3)
            some = ", ".join(known[one] for one in near) if near else "Invoice, Customer or * for all"
            raise ValueError(
                f"There is no entity {name[:_MAX_SHOWN]!r}.|{'Did you mean' if near else 'Use'} {some}"
                f"{'?' if near else '.'}"
            )
    if not names:
        raise ValueError("No entity is named.|Use Invoice, Customer or * for all.")
    return tuple(dict.fromkeys(known[name.lower()] for name in names))


def _registry(text: str) -> str:
    try:
        has_password = "://" in text and bool(urlsplit(text).password)
    except ValueError:
        raise ValueError("It is not a path or URL.|Write postgresql+psycopg://host/database, or a path.") from None
    if has_password or _PASSWORD.search(unquote_plus(text)):
        raise ValueError(
            "It contains a password, and Spark shows options in plans, event logs and its UI.|Set "
            "VANTAGE_QUICKBOOKS_REGISTRY in the environment of the driver and the executors, or leave the password out "
            "and use a password file (PGPASSFILE) or service file."
        )
    return text


def _connections(text: str) -> tuple[str, ...]:
    patterns = [pattern.strip() for pattern in text.split(",") if pattern.strip()]
    if not patterns or not all(map(_PATTERN.fullmatch, patterns)):
        raise ValueError("It does not name connections.|Write ids or patterns, separated by commas: acme,north-*.")
    return tuple(dict.fromkeys(patterns))


def _instant(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
        is_instant = at.tzinfo is not None
    except ValueError:
        is_instant = False
    if not is_instant:
        raise ValueError("It is not an instant with a zone.|Write it like 2026-05-31T00:00:00Z.")
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text)):
        raise ValueError("It is not a whole number from 1.|Write it in digits, like 100.")
    return int(text)


def _choice(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"It is not one of {', '.join(values)}.|Use {' or '.join(values)}.")
        return text.lower()

    return parse


def _input(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError('It is not a JSON object.|Write it like {"status": "overdue"}.')
    return found


def _boolean(text: str) -> bool:
    return _choice("true", "false")(text) == "true"


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            "It is not a name.|Use up to 40 letters, digits, dots, hyphens and underscores: nightly-2026-05-31."
        )
    return text


OPTIONS: tuple[Option, ...] = (
    Option(
        "entity",
        _entities,
        _READS,
        "required",
        "Intuit's name of an entity, `Invoice`: a frame with its columns. `*`, or several names separated by commas: "
        "one change table for all of them",
        "names",
    ),
    Option(
        "registry",
        _registry,
        _EVERYWHERE,
        "`VANTAGE_QUICKBOOKS_REGISTRY`",
        "The registry of connections: a path, or a database URL without a password",
        "path or URL",
    ),
    Option(
        "connections",
        _connections,
        _EVERYWHERE,
        "all",
        "Ids of connections, or patterns (`north-*`), separated by commas. An id that the registry does not have fails",
        "ids",
    ),
    Option(
        "updated_since",
        _instant,
        _BATCH,
        "all records",
        "Only what changed at or after this instant",
        "instant",
    ),
    Option(
        "input",
        _input,
        _BATCH,
        "all records",
        'Filters of the entity\'s list action as JSON, `{"status": "overdue"}`: QuickBooks sends only these records',
        "JSON",
    ),
    Option(
        "push_filters",
        _boolean,
        _BATCH,
        "`false`",
        "Whether filters of the query narrow what is read; for frames that one query uses, once",
        "`true` or `false`",
    ),
    Option(
        "changes",
        _choice("true", "false", "columns"),
        _READS,
        "`true` for `*` and several entities",
        "Whether the frame is the change table. A stream of one entity needs `true`, or `columns`: its own columns, "
        "and those that say what has changed",
        "`true`, `false` or `columns`",
    ),
    Option("bundle_size", _positive, _EVERYWHERE, str(BUNDLE_SIZE), "Companies that one task reads", "number"),
    Option("concurrency", _positive, _EVERYWHERE, str(WORKERS), "Companies that a task reads at once", "number"),
    Option(
        "max_api_calls",
        _positive,
        _READS,
        "no limit",
        "Limit of API calls for each company and attempt of a task, failed calls included",
        "number",
    ),
    Option(
        "on_error",
        _choice("fail", "report"),
        _READS,
        "`fail`",
        "`fail`: the job fails with the first company that fails. `report`: it continues, and the company is a row of "
        "`quickbooks_status`; needs `run`",
        "`fail` or `report`",
    ),
    Option(
        "run",
        _name,
        _EVERYWHERE,
        "none",
        "Name under which the outcome of each company is stored in the registry, for `quickbooks_status`",
        "name",
    ),
)
"""All options, in the order of the documentation."""

_BY_NAME = {option.name: option for option in OPTIONS}


@dataclass(frozen=True, slots=True)
class SparkOptions:
    """Parsed options; it contains no secret and can be pickled. See `OPTIONS` for the attributes."""

    entity: tuple[str, ...] = ()
    registry: str | None = None
    connections: tuple[str, ...] = ()
    updated_since: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    push_filters: bool = False
    changes: str | None = None
    bundle_size: int = BUNDLE_SIZE
    concurrency: int = WORKERS
    max_api_calls: int | None = None
    on_error: str = "fail"
    run: str | None = None

    @classmethod
    def parse(cls, options: Mapping[str, str], usage: Usage) -> SparkOptions:
        """Parse options; a blank value counts as not given.

        Args:
            options: As Spark passes them.
            usage: What they are for.

        Raises:
            InputError: An option is unknown or not valid; it names the option and says what to do.
        """
        found: dict[str, Any] = {}
        for name, text in options.items():
            option = _BY_NAME.get(name.lower())
            if option is None or not _is_for(option, usage):
                raise _unknown(name, usage, option)
            if not str(text).strip():
                continue
            try:
                found[option.name] = option.parse(str(text).strip())
            except ValueError as error:
                message, _, hint = str(error).partition("|")
            else:
                continue
            raise option_error(option.name, message, hint)
        parsed = cls(**found)
        _check(parsed, usage)
        return parsed

    @property
    def is_change_table(self) -> bool:
        """Whether the frame is the change table, and not that of one entity with its columns."""
        return len(self.entity) > 1 or self.entity == (ALL_ENTITIES,) or self.changes == "true"

    @property
    def entity_name(self) -> str:
        """What is read, as text: the entity, or `*` for a change table of several."""
        return self.entity[0] if len(self.entity) == 1 else ALL_ENTITIES

    @property
    def has_change_columns(self) -> bool:
        """Whether the frame has the columns of one entity, and those that say what has changed."""
        return self.changes == "columns" and not self.is_change_table

    @property
    def resources(self) -> tuple[Resource, ...]:
        """The rows of the catalog of all entities that are read."""
        if self.entity == (ALL_ENTITIES,):
            return SYNC_DEFAULT
        return tuple(SYNC_ENTITIES[name] for name in self.entity)


def _check(parsed: SparkOptions, usage: Usage) -> None:
    """Check options that depend on each other.

    Raises:
        InputError: They do not go together.
    """
    if usage != "status" and not parsed.entity:
        raise option_error("entity", "It is missing.", "Add .option('entity', 'Invoice'), or '*' for all.")
    if parsed.on_error == "report" and parsed.run is None:
        raise option_error(
            "run",
            "It is missing: on_error=report stores what failed under its name.",
            "Add .option('run', 'nightly-2026-05-31'), and read it with the format quickbooks_status.",
        )
    if parsed.changes in {"false", "columns"} and parsed.is_change_table:
        raise option_error("changes", "Several entities have no columns in common.", "Leave it out, or name one.")
    if parsed.input:
        _check_input(parsed)
    if not parsed.is_change_table and not all(resource.has_creation_order for resource in parsed.resources):
        raise option_error(
            "entity",
            f"{parsed.entity[0]} has no frame of its own: QuickBooks cannot sort it by creation time, so that several "
            "pages could not be verified as complete.",
            "Add .option('changes', 'true') for the change table.",
        )
    if usage == "stream" and not parsed.is_change_table and not parsed.has_change_columns:
        raise option_error(
            "changes", "A stream is a change table.", "Add .option('changes', 'true'), or 'columns' for typed columns."
        )
    if usage == "batch" and parsed.has_change_columns:
        raise option_error("changes", "columns is for spark.readStream.", "Leave it out, or use 'true'.")


def _check_input(parsed: SparkOptions) -> None:
    if parsed.is_change_table:
        raise option_error("input", "The change table has no filters.", "Leave it out, or name one entity.")
    resource = parsed.resources[0]
    offered = [name for row in resource.filters for name in row.inputs]
    offered += ["status"] * (resource.status is not None) + ["active"] * resource.has_active
    for name in parsed.input:
        if name not in offered:
            near = difflib.get_close_matches(name, offered, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Use some of: {', '.join(offered)}."
            raise option_error("input", f"{resource.list_id} has no filter {name[:_MAX_SHOWN]!r}.", hint)
    try:
        validate_input(resource.list_id, {"all": True, **parsed.input})
    except InputError as error:
        failure = error
    else:
        return
    raise option_error("input", failure.message, "")


def _is_for(option: Option, usage: Usage) -> bool:
    return bool({"batch", "stream"}.intersection(option.usages)) if usage == "read" else usage in option.usages


def option_error(name: str, message: str, hint: str) -> InputError:
    """Return the error for one option."""
    return InputError(f"Option {name}: {message} {hint}".rstrip(), [FieldError(name, "option", message, hint)])


def _unknown(name: str, usage: Usage, option: Option | None) -> InputError:
    shown = name[:_MAX_SHOWN]
    if option is not None:
        return option_error(option.name, f"It is not for {_USED[usage]}.", "Leave it out.")
    offered = [one.name for one in OPTIONS if _is_for(one, usage)]
    if name.lower() == "path":
        return option_error("path", "There is no path to load.", "Use load() without arguments, and option registry.")
    near = difflib.get_close_matches(name.lower(), offered, n=1)
    hint = f"Did you mean {near[0]}?" if near else f"The options are {', '.join(offered)}."
    return option_error(shown, "There is no such option.", hint)


_USED: dict[Usage, str] = {
    "batch": "spark.read of quickbooks",
    "stream": "spark.readStream of quickbooks",
    "read": "the format quickbooks",
    "status": "quickbooks_status",
}
