"""What a check is, what it finds, and how all of them run."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from vantage_quickbooks.api.probe import Answer
    from vantage_quickbooks.config.deployment import Deployment, Endpoints
    from vantage_quickbooks.connector.connection import Connection

__all__ = ["Check", "Finding", "Patient", "failed", "ok", "run", "skipped", "warning"]

Status = Literal["ok", "warning", "failed", "skipped"]


class Finding(NamedTuple):
    """The result of a check.

    Attributes:
        status: `skipped` if something before it failed, or was not asked for.
        message: What was found.
        hint: What to do about it; empty if there is nothing to do.
        facts: The same for programs, plain JSON.
    """

    status: Status
    message: str
    hint: str = ""
    facts: Mapping[str, Any] = MappingProxyType({})

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON."""
        return {"status": self.status, "message": self.message, "hint": self.hint, "facts": dict(self.facts)}


def ok(message: str, **facts: Any) -> Finding:
    """Return a finding about something that works.

    Args:
        message: What was found.
        **facts: The same for programs.
    """
    return Finding("ok", message, facts=facts)


def warning(message: str, hint: str, **facts: Any) -> Finding:
    """Return a finding about something that may become a problem.

    Args:
        message: What was found.
        hint: What to do.
        **facts: The same for programs.
    """
    return Finding("warning", message, hint, facts)


def failed(message: str, hint: str, **facts: Any) -> Finding:
    """Return a finding about something that does not work.

    Args:
        message: What was found.
        hint: What to do.
        **facts: The same for programs.
    """
    return Finding("failed", message, hint, facts)


def skipped(message: str) -> Finding:
    """Return a finding about something that was not checked, for the reason in *message*."""
    return Finding("skipped", message)


@dataclass
class Patient:
    """What is examined. Checks leave here what later ones need.

    Attributes:
        deployment: The operator's options.
        registry_url: The registry that was asked for; None for that of the environment.
        connect: Makes the connection; None if no company was named.
        name: The connection, for a person.
        reconnect: The command that connects the company again.
        test: The command that tests the connection.
        is_offline: Whether nothing may be sent.
        connection: The connection, once its settings were found valid.
        endpoints: The servers of the connection; None without one.
        answers: The answers of the servers, by name.
        tested: What `Connection.test` found.
    """

    deployment: Deployment
    registry_url: str | None
    connect: Callable[[], Connection] | None
    name: str
    reconnect: str
    test: str
    is_offline: bool
    connection: Connection | None = None
    endpoints: Endpoints | None = None
    answers: dict[str, Answer] = field(default_factory=dict)
    tested: dict[str, Any] | None = None


class Check(NamedTuple):
    """A row of a table of checks.

    Attributes:
        id: Its name for programs.
        title: Its name for people.
        run: Examines the patient.
        needs_network: Whether it sends anything.
    """

    id: str
    title: str
    run: Callable[[Patient], Finding]
    needs_network: bool = False


def run(checks: Iterable[Check], patient: Patient) -> Iterator[tuple[Check, Finding]]:
    """Run checks in order; a check that raises has failed.

    Args:
        checks: The checks.
        patient: What they examine.

    Yields:
        Each check with its finding.
    """
    for check in checks:
        if check.needs_network and patient.is_offline:
            yield check, skipped("not checked (--offline)")
            continue
        try:
            finding = check.run(patient)
        except ConnectorError as error:
            finding = from_error(error)
        except Exception as error:  # noqa: BLE001 -- the other checks are worth seeing; the message may contain a secret
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {frame.filename}:{frame.lineno}"
            finding = failed(f"The check itself failed: {where}.", "Report this as a bug.")
        yield check, finding


def from_error(error: ConnectorError, hint: str = "") -> Finding:
    """Return a failed finding for an error.

    Args:
        error: The error.
        hint: What to do, if the error's message does not say it.
    """
    facts: dict[str, Any] = {"code": error.code}
    if error.details.get("intuitTid"):
        facts["intuitTid"] = error.details["intuitTid"]
    return failed(error.message, hint, **facts)
