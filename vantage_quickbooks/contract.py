"""The contract between a host and a connector: data types, protocols, envelopes and views.

Host and connector exchange plain JSON only: str, int, float, bool, None, list, dict. A host in another language can use
the same contract over a process or HTTP: every description is data, every result is a JSON object, every failure has a
code and a message.

This module, `hookspecs` and `conformance` import no connector, and nothing but the standard library and pluggy (the
conformance kit also pytest and jsonschema), so that they can become a separate distribution.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
    from logging import Logger
    from types import TracebackType

__all__ = [
    "CAPABILITIES",
    "CONTRACT_VERSION",
    "CONTRACT_VERSIONS",
    "Action",
    "ChangeSet",
    "Connection",
    "Connector",
    "Cost",
    "Deprecation",
    "FlatField",
    "Group",
    "HostContext",
    "Keys",
    "Limits",
    "Trigger",
    "View",
    "as_node_output",
    "describe_action",
    "envelope",
    "is_offered",
    "node_name",
]

CONTRACT_VERSION = "1.3"
"""The version of this contract, MAJOR.MINOR. A minor version adds keys; a major version changes or removes some."""

CONTRACT_VERSIONS = ("1",)
"""The major versions that this module implements."""

CAPABILITIES: Mapping[str, str] = {
    "describeAction": "`describe(schemas=False)` and `describe_action(id)`",
    "test": "`Connection.test()`",
    "invoke": "`Connection.invoke()`",
    "ainvoke": "`Connection.ainvoke()`",
    "stream": "`Connection.stream()`",
    "ndjson": '`Connection.stream(as_="ndjson")` for full reads',
    "arrow": '`Connection.stream(as_="arrow")` for lists',
    "dataframe": "`Connection.dataframe()` for lists",
    "estimate": "`Connection.estimate()`",
    "apiCalls": "`Connection.api_calls()`",
    "monthlyUsage": "`Connection.monthly_usage()`",
    "status": "`Connection.status()`",
    "changes": "some actions have the mode `changes`",
    "sync": "`Connection.sync()` and `Connection.estimate_sync()`",
    "authorize": "`Connector.authorization_url()` and `exchange_code()`",
    "disconnect": "`Connection.disconnect()`",
    "credentials": "uses `load_credentials` and `save_credentials` of the context",
    "rowLimit": "honors `row_limit` of the context",
    "deadline": "honors `deadline` of the context",
    "cancellation": "honors `cancelled` of the context",
    "progress": "calls `progress` of the context",
    "audit": "calls `audit` of the context",
}
"""What a connector can offer beyond `describe`, `validate`, `connect`, `call` and `close`, by name."""

JSON = dict[str, Any]
View = Literal["named", "rows", "port"]
Mode = Literal["page", "full", "changes"]
Deletions = Literal["cdc", "idListing", "none"]


@dataclass(frozen=True, slots=True)
class Group:
    """A heading under which a host lists actions.

    Attributes:
        id: `sales`.
        title: `Sales`.
    """

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Keys:
    """How the rows of a list are identified and compared. Dots separate nested members.

    Attributes:
        primary_key: The members that identify a row, together.
        version: The member that changes with each edit; None if there is none.
        updated_at: The member that holds the time of the last edit; None if there is none.
        deletions: How a host learns which rows were deleted. `cdc`: the mode `changes` reports them. `idListing`: what
            a later full read does not contain was deleted. `none`: deletions are not reported.
    """

    primary_key: tuple[str, ...]
    version: str | None = None
    updated_at: str | None = None
    deletions: Deletions = "idListing"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Polling for new and changed rows: call an action repeatedly, and pass the state from call to call.

    1. Call `action` with `start_input`. Its rows are the initial state, not events.
    2. Store the value at `state_path` of the result.
    3. At each poll, call `action` with `{state_input: state}`. Its rows are the events. Store the new state.

    Attributes:
        id: `invoiceChanged`; unique within the connector.
        title: `Invoice created, updated or deleted`.
        action: Id of the action to call.
        state_input: The input that carries the state.
        state_path: Where the next state is in the result, `metadata.syncCursor`.
        start_input: The input of the first call.
        deleted_path: Where the result of a poll lists what was deleted, if it can.
        existing_path: Where it lists the primary keys of all that exist, if it cannot: what is missing was deleted.
            Both are None if deletions are not reported.
    """

    id: str
    title: str
    action: str
    state_input: str
    state_path: str
    start_input: JSON
    deleted_path: str | None = None
    existing_path: str | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """The API calls that a call of an action takes.

    A call that returns n rows takes at most `api_calls + ceil(n / records_per_api_call)` API calls, or `api_calls`
    where `records_per_api_call` is None; metered calls likewise. Retries and concurrent edits at the provider come on
    top.

    Attributes:
        mode: `page`, `full` or `changes`; `call` for an action without modes.
        api_calls: The part that does not depend on the number of rows.
        metered_calls: Those of them that the provider counts or charges for.
        text: The same in words.
        records_per_api_call: Number of rows for each further API call.
        records_per_metered_call: Number of rows for each further metered call.
    """

    mode: Literal["call", "page", "full", "changes"]
    api_calls: int
    metered_calls: int
    text: str
    records_per_api_call: int | None = None
    records_per_metered_call: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What the provider allows; None where there is no limit or none is known. The connector keeps to them itself.

    Attributes:
        concurrent_requests: Requests at once.
        requests_per_second: Requests started in a second.
        requests_per_minute: Requests started in a minute.
        max_page_size: Rows that one API call returns at most.
    """

    concurrent_requests: int | None = None
    requests_per_second: int | None = None
    requests_per_minute: int | None = None
    max_page_size: int | None = None


@dataclass(frozen=True, slots=True)
class FlatField:
    """A top-level member of each row that the connector adds to the provider's own.

    Attributes:
        name: `customerName`.
        type: `text`, `decimal`, `integer`, `date`, `instant` or `boolean`. Any may be null.
        title: `Customer`, as a table's heading.
    """

    name: str
    type: Literal["text", "decimal", "integer", "date", "instant", "boolean"]
    title: str


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Why a host should no longer offer an action for new use; the action still works.

    Attributes:
        since: The connector's version that deprecated it.
        replacement: Id of the action to use in its place; None if there is none.
    """

    since: str
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One action, as a host shows and lists it.

    Attributes:
        id: The action's id, `listCustomers`.
        title: For a menu.
        description: For a person and for a model that chooses tools.
        rows_key: Member of the result that holds the rows; None when there are none.
        read_only: Whether the action changes nothing at the provider.
        sensitive_output: Whether the result holds a secret: never cache, log or show it.
        agent_visible: Whether an AI agent may be offered the action.
        streamable: Whether `Connection.stream` yields more than one page.
        examples: Inputs that work.
        views: How a host may show the rows, as data: which columns, which charts (docs/host.md). A host shows what it
            knows and ignores the rest.
        full_read_input: What to add to an input to read all rows instead of a page; None if there is no such input.
        group: Id of the group that lists it; empty if the connector has no groups.
        modes: How a list can be read: a `page`, `full`, `changes` since an earlier read. Empty for other actions.
        keys: How rows are identified; None where there are no rows.
        triggers: What a host can poll with this action.
        cost: API calls by mode, or one entry of the mode `call`.
        limits: What the provider allows for this action.
        flat_fields: What the connector adds to each row.
        idempotent: Whether calling it twice has the effect of calling it once.
        destructive: Whether it deletes or overwrites something that cannot be restored.
        version: The action's own version: a new one when its input or result changes in a way that callers notice.
        deprecated: None while it is recommended.
        listing: How people narrow, sort and open the rows, as data (docs/host.md, "Listings"); None if a host finds
            out by itself.
        links: What a row leads to: other records and lists, as data (docs/host.md, "Links").
        report: How people choose a report and read it, as data (docs/host.md, "Reports"); None if it is not a report.
    """

    id: str
    title: str
    description: str
    rows_key: str | None = None
    read_only: bool = True
    sensitive_output: bool = False
    agent_visible: bool = True
    streamable: bool = False
    examples: tuple[JSON, ...] = ()
    views: tuple[JSON, ...] = ()
    full_read_input: JSON | None = None
    group: str = ""
    modes: tuple[Mode, ...] = ()
    keys: Keys | None = None
    triggers: tuple[Trigger, ...] = ()
    cost: tuple[Cost, ...] = ()
    limits: Limits | None = None
    flat_fields: tuple[FlatField, ...] = ()
    idempotent: bool = True
    destructive: bool = False
    version: str = "1"
    deprecated: Deprecation | None = None
    listing: JSON | None = None
    links: tuple[JSON, ...] = ()
    report: JSON | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A part of what changed in one entity: apply it by key, then store `state`.

    Sets come at least once: after a crash between applying a set and storing its state, the same changes come again.
    Applied by key, in their order, they lead to the same result. `apply_to` is the reference.

    Attributes:
        entity: The provider's name of the entity.
        mode: `snapshot`: with the other sets of the entity, all records there are. `changes`: what changed since.
        upserts: Records that were created or changed, as the provider sent them, with the connector's flat fields.
        deletions: Keys of deleted records with `deletedAt`, where the provider reports them.
        existing_ids: Keys of all records that exist: any other record was deleted. None if `deletions` says it all.
        changed_later: Keys of records that were changed after the upper bound of the window; they come in a later one.
        is_first: Whether it is the first set of a snapshot: what the consumer has of the entity is discarded.
        is_last: Whether the entity is up to date with this set.
        primary_key: The members that identify a record, together; `*` is the only member of a record.
        state: Where the next sync continues once this set was applied.
        metadata: How the set was obtained, and what is `pending`.
        error: Why the entity could not be read, as in an envelope; None if it was.
    """

    entity: str
    mode: Literal["snapshot", "changes"]
    upserts: list[JSON]
    deletions: list[JSON]
    existing_ids: list[str] | None
    changed_later: list[str]
    is_first: bool
    is_last: bool
    primary_key: tuple[str, ...]
    state: JSON
    metadata: JSON
    error: JSON | None = None

    def key_of(self, record: Mapping[str, Any]) -> str:
        """Return the key of a record of this entity; several members are joined by a vertical bar."""
        return "|".join(str(_member(record, path.split("."))) for path in self.primary_key)

    def apply_to(self, mirror: MutableMapping[str, JSON]) -> None:
        """Apply the set to the consumer's records of the entity, by key."""
        if self.mode == "snapshot" and self.is_first:
            mirror.clear()
        for record in self.upserts:
            mirror[self.key_of(record)] = record
        for deletion in self.deletions:
            mirror.pop(deletion["Id"], None)
        if self.existing_ids is not None:
            for key in set(mirror).difference(self.existing_ids):
                del mirror[key]

    def to_dict(self) -> JSON:
        """Return the set as plain JSON, without its state."""
        return {
            "entity": self.entity,
            "mode": self.mode,
            "isFirst": self.is_first,
            "isLast": self.is_last,
            "primaryKey": list(self.primary_key),
            "upserts": self.upserts,
            "deletions": self.deletions,
            "existingIds": self.existing_ids,
            "changedLater": self.changed_later,
            "metadata": self.metadata,
            "error": self.error,
        }


def _member(record: Any, path: Sequence[str]) -> Any:
    for name in path:
        record = next((value for value in record.values() if isinstance(value, dict)), {}) if name == "*" else record
        record = record if name == "*" else record.get(name)
    return record


def node_name(connector_id: str, action_id: str) -> str:
    """Return a workflow node's name, `acmeListCustomers`: two connectors may have actions of the same id."""
    return connector_id + action_id[:1].upper() + action_id[1:]


def describe_action(action: Action, connector_id: str, **members: Any) -> JSON:
    """Return an action's entry of the descriptor, as JSON.

    Args:
        action: The action.
        connector_id: The connector's id.
        **members: Further members, with their keys as in JSON: `requiredScopes`, and `inputSchema`, `inputForm` and
            `outputSchema` where they are wanted.

    Returns:
        The entry; nothing in it is shared with the action.
    """
    keys, limits, deprecated = action.keys, action.limits, action.deprecated
    return {
        "id": action.id,
        "nodeName": node_name(connector_id, action.id),
        "title": action.title,
        "description": action.description,
        "group": action.group or None,
        "version": action.version,
        "deprecated": deprecated and {"since": deprecated.since, "replacement": deprecated.replacement},
        "readOnly": action.read_only,
        "destructive": action.destructive,
        "idempotent": action.idempotent,
        "sensitiveOutput": action.sensitive_output,
        "agentVisible": action.agent_visible,
        "rowsKey": action.rows_key,
        "streamable": action.streamable,
        "modes": list(action.modes),
        "fullReadInput": copy.deepcopy(action.full_read_input),
        "keys": keys
        and {
            "primaryKey": list(keys.primary_key),
            "version": keys.version,
            "updatedAt": keys.updated_at,
            "deletions": keys.deletions,
        },
        "triggers": [_describe_trigger(trigger) for trigger in action.triggers],
        "cost": [_describe_cost(cost) for cost in action.cost],
        "limits": limits
        and {
            "concurrentRequests": limits.concurrent_requests,
            "requestsPerSecond": limits.requests_per_second,
            "requestsPerMinute": limits.requests_per_minute,
            "maxPageSize": limits.max_page_size,
        },
        "flatFields": [{"name": flat.name, "type": flat.type, "title": flat.title} for flat in action.flat_fields],
        "examples": copy.deepcopy(list(action.examples)),
        "views": copy.deepcopy(list(action.views)),
        "listing": copy.deepcopy(action.listing),
        "links": copy.deepcopy(list(action.links)),
        "report": copy.deepcopy(action.report),
        **members,
    }


def _describe_trigger(trigger: Trigger) -> JSON:
    return {
        "id": trigger.id,
        "title": trigger.title,
        "type": "polling",
        "action": trigger.action,
        "startInput": copy.deepcopy(trigger.start_input),
        "stateInput": trigger.state_input,
        "statePath": trigger.state_path,
        "deletedPath": trigger.deleted_path,
        "existingPath": trigger.existing_path,
    }


def _describe_cost(cost: Cost) -> JSON:
    return {
        "mode": cost.mode,
        "apiCalls": cost.api_calls,
        "meteredCalls": cost.metered_calls,
        "recordsPerApiCall": cost.records_per_api_call,
        "recordsPerMeteredCall": cost.records_per_metered_call,
        "text": cost.text,
    }


def is_offered(wanted: str | None, offered: Sequence[str] = CONTRACT_VERSIONS) -> bool:
    """Return whether a contract version that a host speaks is among the major versions that a connector offers.

    Args:
        wanted: `HostContext.contract_version`, `1` or `1.1`. None means the host does not say, which is accepted.
        offered: The descriptor's `contractVersions`.
    """
    return wanted is None or wanted.partition(".")[0] in offered


@dataclass(frozen=True, slots=True)
class HostContext:
    """What the host knows about a connection and its calls, and its callables in place of hooks.

    Attributes:
        connection_id: The host's name for the connection; required if the host stores its credentials.
        company_id: The tenant of the host (not the OAuth client, not the provider's company).
        user_id: The user, for the audit event.
        workflow_id: The workflow, for the audit event.
        execution_id: The run of the workflow, for the audit event.
        row_limit: Maximum number of rows, for a preview; None means no limit.
        deadline: Aware datetime by which each call must end; None leaves the connector's own time limit.
        cancelled: Called between requests and while waiting; if it returns True, the call fails with `CANCELLED`.
        load_credentials: The hook `vantage_load_credentials` as a callable.
        save_credentials: The hook `vantage_save_credentials` as a callable.
        progress: The hook `vantage_progress` as a callable.
        audit: The hook `vantage_audit` as a callable.
        logger: Logger for defects and failing observers; by default the connector's own.
        contract_version: The version of the contract that the host implements, `1` or `1.1`; None if the host does not
            say. A connector that does not offer its major version refuses to connect.
    """

    connection_id: str | None = None
    company_id: str | None = None
    user_id: str | None = None
    workflow_id: str | None = None
    execution_id: str | None = None
    row_limit: int | None = None
    deadline: datetime | None = None
    cancelled: Callable[[], bool] | None = None
    load_credentials: Callable[[str], Mapping[str, Any] | None] | None = None
    save_credentials: Callable[[str, dict[str, Any], Any], Any] | None = None
    progress: Callable[[str, str, int, int | None], None] | None = None
    audit: Callable[[dict[str, Any]], None] | None = None
    logger: Logger | None = None
    contract_version: str | None = None

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> HostContext:
        """Return a context with these attributes; unknown keys are ignored."""
        return cls(**{key: value for key, value in known.items() if key in cls.__slots__})

    @classmethod
    def from_hooks(cls, hook: Any, **known: Any) -> HostContext:
        """Return a context whose callables are the hooks of a pluggy host.

        Args:
            hook: The host's `PluginManager.hook`, with the specifications of `hookspecs` added.
            **known: Other attributes of the context; they override the hooks.

        Returns:
            The context. `load_credentials` and `save_credentials` are set if a plugin implements their hooks.
        """
        offered: dict[str, Any] = {
            "progress": lambda connection_id, action, done, total: hook.vantage_progress(
                connection_id=connection_id, action=action, done=done, total=total
            ),
            "audit": lambda event: hook.vantage_audit(event=event),
        }
        implemented = [
            name
            for name in ("vantage_load_credentials", "vantage_save_credentials")
            if getattr(hook, name).get_hookimpls()
        ]
        if "vantage_load_credentials" in implemented:
            offered["load_credentials"] = lambda connection_id: hook.vantage_load_credentials(
                connection_id=connection_id
            )
        if "vantage_save_credentials" in implemented:
            offered["save_credentials"] = lambda connection_id, credentials, expected_version: (
                hook.vantage_save_credentials(
                    connection_id=connection_id, credentials=credentials, expected_version=expected_version
                )
            )
        return cls(**{**offered, **known})


class Connection(Protocol):
    """One configured connection. It is thread-safe and a context manager.

    `action_id` is the id of the action in the descriptor (`listInvoices`), not its node name. `input` is what the
    action's input schema accepts; None and {} mean no input.

    Every connection has `call` and `close`. The descriptor's `capabilities` list which other methods can be called.
    """

    def __enter__(self) -> Self:
        """Return the connection itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""

    def call(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- the host's word
        """Run an action and return its envelope; do not raise for expected failures.

        Returns:
            `success`, `data` or `error`, and `meta`: `request_id`, `timestamp`, `action` (the action's id) and
            `rows_key` (the member of `data` that contains the rows; None if there is none). See `envelope`.
        """

    def invoke(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- the host's word
        """Run an action and return its result, the `data` of its envelope.

        Raises:
            Exception: A failure; it has `code`, `message`, `retryable`, and a `to_dict` that returns the `error` of the
                envelope.
        """

    async def ainvoke(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- the host's word
        """Run an action without blocking the event loop; otherwise the same as `invoke`."""

    def stream(
        self,
        action_id: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 -- the host's word
        *,
        as_: Literal["results", "ndjson", "arrow"] = "results",
    ) -> Iterator[Any]:
        """Run an action page by page.

        Args:
            action_id: The action; one that is not streamable yields its one result.
            input: Its input. With `full_read_input`, the pages come from one full read.
            as_: `results`: each page is a result of the action. `ndjson`: each page is bytes, one record per line as
                the provider sent it; for full reads only. `arrow`: each page is a `pyarrow.RecordBatch` with the
                columns of the list, whatever its rows hold.

        Raises:
            Exception: As for `invoke`, from the page that failed.
        """

    def dataframe(self, action_id: str, input: Mapping[str, Any] | None = None) -> Any:  # noqa: A002 -- the host's word
        """Return the rows of a list as a `pandas.DataFrame` with the columns of `stream(as_="arrow")`."""

    def estimate(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- the host's word
        """Return `totalCount` and `apiCalls`: the number of records of a full read, and its API calls."""

    def sync(
        self,
        entities: Sequence[str] | None = None,
        state: Mapping[str, Any] | None = None,
        *,
        max_api_calls: int | None = None,
    ) -> Iterator[ChangeSet]:
        """Bring a copy of many entities up to date.

        Args:
            entities: The provider's names; None for all that can be read in full.
            state: The state of the last set that was applied; None to read everything.
            max_api_calls: Limit of API calls; what does not fit is read by a later sync.
        """

    def estimate_sync(
        self, entities: Sequence[str] | None = None, state: Mapping[str, Any] | None = None, *, count: bool = True
    ) -> JSON:
        """Return the API calls that a sync would take."""

    def api_calls(self) -> dict[str, int]:
        """Return the API calls that this connection has made so far, by action id."""

    def monthly_usage(self) -> JSON:
        """Return the calls of this month that the provider counts or charges for, and where they lead.

        Returns:
            `month`; `calls`; `projected` for the whole month; `limit` and `reachedOn`, None where there is no limit.
        """

    def status(self) -> JSON:
        """Return what is known about the connection, without a request to the provider.

        Returns:
            `state`: `ready`, `reauthorizationRequired` or `throttled`. Optional: `message`; `account`, the provider's
            id of what is connected; `refreshTokenExpiresAt` and `grantExpiresAt`, when a person has to connect again at
            the latest; `throttledUntil`; `monthlyCalls`, as `monthly_usage` but of this connection alone.
        """

    def test(self) -> JSON:
        """Verify settings and credentials with as few API calls as possible.

        Returns:
            `ok`, and `checks`: a list of `name`, `ok`, `message` and, if it failed, `error`.
        """

    def disconnect(self) -> JSON:
        """Revoke the grant at the provider and delete the stored tokens.

        Returns:
            `revoked`, false if the grant had already ended, and a `message`.
        """

    def close(self) -> None:
        """Release resources. Calls in progress may fail. Closing twice is allowed."""


class Connector(Protocol):
    """What a plugin registers."""

    id: str

    def describe(self, *, schemas: bool = True) -> JSON:
        """Return the descriptor: what a host needs to show, list and check the connector, as plain JSON.

        Args:
            schemas: False omits `inputSchema`, `inputForm` and `outputSchema` of all actions. This is sufficient for a
                menu, and fast for a connector with many actions. When the user chooses an action, `describe_action`
                returns it in full.

        Returns:
            A new object at each call; the caller may change it.
        """

    def describe_action(self, action_id: str) -> JSON:
        """Return one entry of `describe()["actions"]` in full.

        Raises:
            KeyError: The action does not exist.
        """

    def validate(self, settings: Mapping[str, Any]) -> JSON:
        """Check the values of the settings form. Open no file and no connection.

        Returns:
            `valid`, and `fields`: for each invalid field `field`, `message` and, if there is one, `hint`.
        """

    def connect(self, settings: Mapping[str, Any], context: HostContext | None = None) -> Connection:
        """Return a connection. Open no file and no network connection before the first call.

        Raises:
            Exception: The settings or the context are invalid, or the host's contract version is not offered. It has
                `code`, `message` and `fields`.
        """

    def authorization_url(self, settings: Mapping[str, Any], *, redirect_uri: str, state: str) -> str:
        """Return the URL where the user gives consent; the capability `authorize`.

        If `auth.pkce` is true, this method also takes `code_challenge` (S256), and `exchange_code` takes
        `code_verifier` (RFC 7636).
        """

    def exchange_code(self, settings: Mapping[str, Any], *, code: str, redirect_uri: str) -> JSON:
        """Exchange the code of the redirect for values of the settings form; the capability `authorize`."""


def envelope(
    *,
    data: Mapping[str, Any] | None = None,
    error: Any = None,
    action: Action | Mapping[str, Any] | None = None,
    request_id: str | None = None,
    timestamp: datetime | None = None,
) -> JSON:
    """Return the envelope of a result or of an error.

    Args:
        data: The result of a success.
        error: The error of a failure: a mapping with at least `code` and `message`, or an exception with a `to_dict`
            that returns one. Other members default to an error that is not retryable.
        action: The action that was called, or its entry in the descriptor; None if it does not exist.
        request_id: Identifies the call in logs and audit events; by default a new id.
        timestamp: End of the call, an aware datetime; by default now.

    Raises:
        ValueError: Neither or both of `data` and `error` were given.
    """
    if (data is None) is (error is None):
        raise ValueError("an envelope contains either data or an error")
    if request_id is None:
        import uuid  # noqa: PLC0415 -- importing the contract must stay cheap, and most callers have an id

        request_id = str(uuid.uuid4())
    utc = datetime.now(UTC) if timestamp is None else timestamp.astimezone(UTC)
    if action is None:
        action_id = rows_key = None
    elif isinstance(action, Action):
        action_id, rows_key = action.id, action.rows_key
    else:
        action_id, rows_key = action["id"], action.get("rowsKey")
    meta = {
        "request_id": request_id,
        "timestamp": f"{utc.date().isoformat()}T{utc.time().isoformat('milliseconds')}Z",
        "action": action_id,
        "rows_key": rows_key,
    }
    if error is None:
        return {"success": True, "data": data, "meta": meta}
    members = error.to_dict() if hasattr(error, "to_dict") else error
    defaults: JSON = {"retryable": False, "retryAfter": None, "fields": [], "details": {}}
    first = {"code": members["code"], "message": members["message"]}
    return {"success": False, "error": {**first, **defaults, **members}, "meta": meta}


def as_node_output(
    envelope: Mapping[str, Any], action: Action | Mapping[str, Any] | str | None = None, view: View = "named"
) -> JSON:
    """Return the output of a workflow node for an envelope. A pure function.

    Args:
        envelope: What `Connection.call` returned; its `meta` names the action and the member that contains the rows.
        action: The action that was called: its id, its entry in the descriptor, or an `Action`. None means the one
            that the envelope names.
        view: `named`: the unchanged result. `rows`: `{"data": [...], "metadata": {...}}`, which dashboards and outputs
            unwrap. `port`: the same under `output1`.

    Returns:
        The node's output. A failure has an `error` and no rows in any view: an empty list beside an error would show
        "0 open invoices" on a dashboard.

    Raises:
        ValueError: No such view; or the envelope is another action's; or it does not name its rows (a host removed
            `meta`), and the action was not given as data.
    """
    if view not in {"named", "rows", "port"}:
        raise ValueError(f"no such view: {view!r}; there are named, rows and port")
    rows_key = _rows_key(envelope, action)
    if not envelope["success"]:
        error = envelope["error"]
        return {
            "error": f"{error['code']}: {error['message']}",
            "errorCode": error["code"],
            "retryable": error["retryable"],
        }
    data: JSON = dict(envelope["data"])
    if view == "named":
        return data
    if rows_key is _UNKNOWN:
        raise ValueError("the envelope's meta has no rows_key; pass the action's entry of describe()['actions']")
    rows = data.pop(rows_key) if rows_key else []
    metadata = {**data.pop("metadata", {}), **({} if rows_key is None else data)}
    output = {"data": rows if isinstance(rows, list) else [rows], "metadata": metadata}
    return output if view == "rows" else {"output1": output}


_UNKNOWN: Any = object()


def _rows_key(envelope: Mapping[str, Any], action: Action | Mapping[str, Any] | str | None) -> Any:
    """Return the member that holds the rows: None if there are no rows, `_UNKNOWN` if neither argument names it."""
    meta: Mapping[str, Any] = envelope.get("meta") or {}
    if action is None or isinstance(action, str):
        action_id, rows_key = action, meta.get("rows_key", _UNKNOWN)
    elif isinstance(action, Action):
        action_id, rows_key = action.id, action.rows_key
    else:
        action_id, rows_key = action.get("id"), action["rowsKey"]
    called = meta.get("action")
    if action_id is not None and called is not None and action_id != called:
        raise ValueError(f"the envelope is of {called!r}, not of {action_id!r}")
    return rows_key
