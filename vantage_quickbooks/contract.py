"""
What host and connector agree on. Only plain JSON crosses the border: str, int, float, bool, None, list, dict.

A host in another language can drive the same contract over a process or HTTP: every description is data, every
result a JSON object, every failure a code with a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from logging import Logger
    from types import TracebackType

__all__ = [
    "CONTRACT_VERSION",
    "Action",
    "Connection",
    "Connector",
    "HostContext",
    "View",
    "as_node_output",
]

CONTRACT_VERSION = "1"

JSON = dict[str, Any]
View = Literal["named", "rows", "port"]


@dataclass(frozen=True, slots=True)
class Action:
    """One action, as a host shows and lists it.

    Attributes:
        id: The action's id, `listCustomers`.
        title: For a menu.
        description: For a person and for a model that chooses tools.
        rows_key: Member of the result that holds the rows; None when there are none.
        read_only: Whether the action changes nothing at QuickBooks.
        sensitive_output: Whether the result holds a secret: never cache, log or show it.
        agent_visible: Whether an AI agent may be offered the action.
        streamable: Whether `Connection.stream` yields more than one page.
        examples: Inputs that work.
        views: How a host may show the rows, as data: which columns, which charts (docs/host.md). A host shows what it
            knows and ignores the rest.
        whole_input: What to add to an input so that everything is read, not a page; None where there is no such thing.
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
    whole_input: JSON | None = None

    @property
    def node_name(self) -> str:
        """The workflow node's name: prefixed, since other connectors have actions of the same id."""
        return "quickbooks" + self.id[0].upper() + self.id[1:]


@dataclass(frozen=True, slots=True)
class HostContext:
    """What the host tells about the call's surroundings, and offers in place of hooks.

    Attributes:
        connection_id: Under which the host keeps this connection's credentials; needed if it keeps them.
        company_id: The tenant at the host (never the OAuth client, never the realm).
        user_id: Who calls, for the audit event.
        workflow_id: What calls, for the audit event.
        execution_id: Which run calls, for the audit event.
        row_limit: Rows at the most, for a preview; None means no cap.
        deadline: Aware instant by which every call must have ended; None leaves the connector's own time limit.
        cancelled: Asked now and then; True ends the call with `CANCELLED`.
        load_credentials: As the hook `vantage_load_credentials`.
        save_credentials: As the hook `vantage_save_credentials`.
        progress: As the hook `vantage_progress`.
        audit: As the hook `vantage_audit`.
        logger: Where defects and failing observers are logged; the package's own logger by default.
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

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> HostContext:
        """Make a context of what a host knows; keys that mean nothing to a connector are ignored."""
        return cls(**{key: value for key, value in known.items() if key in cls.__slots__})

    @classmethod
    def from_hooks(cls, hook: Any, **known: Any) -> HostContext:
        """Make a context whose callables are the hooks of a pluggy host.

        Args:
            hook: The host's `PluginManager.hook`, with `vantage_quickbooks.hookspecs` added.
            **known: Any attributes of the context.

        Returns:
            The context. A credentials callable is set where a plugin implements its hook.
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
    """One configured connection; thread-safe, a context manager.

    `action_id` is the action's id as `Connector.describe` lists it (`listInvoices`), never its node name.
    """

    def __enter__(self) -> Self:
        """Return the connection itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def invoke(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- the host's word
        """Run an action and return its result; raise a `ConnectorError` if it fails."""

    def call(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- the host's word
        """Run an action and return the host's envelope, whether it succeeds or fails.

        Returns:
            `success`, `data` or `error`, and `meta`: `request_id`, `timestamp`, `action` (the action's id) and
            `rows_key` (the member of `data` that holds the rows; None where there is none).
        """

    def stream(
        self,
        action_id: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 -- as above
        *,
        as_: Literal["results", "ndjson"] = "results",
    ) -> Iterator[Any]:
        """Run an action page by page.

        Args:
            action_id: As for `invoke`.
            input: As for `invoke`.
            as_: `results`: each page is a result of the action's shape. `ndjson`: each page is bytes, one record a line
                as the provider sent it; for full reads only.
        """

    def estimate(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- as above
        """Return what a full read of a streamable action would find and cost: `totalCount` and `apiCalls`."""

    def api_calls(self) -> dict[str, int]:
        """Return the API calls that this connection has spent so far, by action id."""

    async def ainvoke(self, action_id: str, input: Mapping[str, Any] | None = None) -> JSON:  # noqa: A002 -- as above
        """Run an action without blocking the event loop."""

    def test(self) -> JSON:
        """Prove the settings by the cheapest real calls and return what was checked."""

    def disconnect(self) -> JSON:
        """Revoke the grant and forget its tokens; offered where the descriptor's `auth` has `grantFields`."""

    def close(self) -> None:
        """Give back connections; calls under way may fail."""


class Connector(Protocol):
    """What a plugin registers."""

    id: str

    def describe(self) -> JSON:
        """Return everything a host needs to render, list and check the connector, as JSON."""

    def validate(self, settings: Mapping[str, Any]) -> JSON:
        """Check a settings form's data without opening anything."""

    def connect(self, settings: Mapping[str, Any], context: HostContext | None = None) -> Connection:
        """Make a connection; opens nothing, no network, no disk."""

    def authorization_url(self, settings: Mapping[str, Any], *, redirect_uri: str, state: str) -> str:
        """Return the address at which a person gives consent; offered where `auth` has `grantFields`.

        Where `auth.pkce` is true it also takes `code_challenge` (S256), and `exchange_code` takes `code_verifier`.
        """

    def exchange_code(self, settings: Mapping[str, Any], *, code: str, redirect_uri: str) -> JSON:
        """Turn the redirect's code into fields of the settings form; offered as `authorization_url` is."""


def as_node_output(
    envelope: Mapping[str, Any], action: Action | Mapping[str, Any] | str | None = None, view: View = "named"
) -> JSON:
    """Turn an envelope into what a workflow node hands on. A pure function.

    Args:
        envelope: What `Connection.call` returned; its `meta` names the action and the member that holds the rows.
        action: The action that was called: its id, or its entry of `Connector.describe()["actions"]`, or an `Action`.
            None means the one that the envelope names.
        view: `named`: the result as it is. `rows`: `{"data": [...], "metadata": {...}}`, which dashboards and outputs
            unwrap. `port`: the same under `output1`.

    Returns:
        The node's output. A failure has an `error` and no rows in any view: an empty list beside an error would paint
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
    """Return the member that holds the rows: None where there is none, `_UNKNOWN` where nothing says which."""
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
