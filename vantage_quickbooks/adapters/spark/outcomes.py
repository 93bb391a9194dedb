"""What happened to each company: the error that fails a job, and the row that is stored for `quickbooks_status`.

An outcome is stored under the names of the run and of what was read, when the company has ended. Another attempt of the
task, and another action on the same frame, replace it: it always is that of the last time the company was read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pyspark import TaskContext

from vantage_quickbooks.core.tokens import iso
from vantage_quickbooks.errors import ConnectorError
from vantage_quickbooks.registry import open_states

if TYPE_CHECKING:
    from vantage_quickbooks.adapters.spark.options import SparkOptions
    from vantage_quickbooks.connector.bundles import CompanyRun

__all__ = ["failure_of", "load_outcomes", "outcome_of", "save_outcome", "status_row"]

_SEPARATOR = ":"
"""Between the name of a run and what was read; no name of a run contains it."""

_HINTS = {
    "AUTHENTICATION_FAILED": "Check client id and client secret against the app's keys at Intuit.",
    "REAUTHORIZATION_REQUIRED": "A user has to connect the company again.",
    "PERMISSION_DENIED": "Check that realm, environment and plan of the company fit.",
    "RATE_LIMITED": "Read the company again later.",
    "APP_BLOCKED": "Wait for the next month, or change the plan of the app.",
    "SERVICE_UNAVAILABLE": "Read the company again later.",
    "NETWORK_ERROR": "Check that executors reach Intuit, and read the company again.",
    "RESPONSE_UNEXPECTED": "Read the company again; report it if it stays.",
    "RESULT_INCOMPLETE": "Read the company again, or raise max_api_calls.",
    "CREDENTIALS_NOT_LOADED": "Check that all executors have the token store and its key.",
    "CREDENTIALS_STORE_INVALID": "Check VANTAGE_QUICKBOOKS_TOKEN_STORE on the executors.",
    "INTERNAL_ERROR": "Report it with the log of the executor.",
}
"""What to do, for errors whose message is for a person but that name no field."""


def failure_of(run: CompanyRun) -> ConnectorError:
    """Return the error that fails a job because of a company."""
    error: dict[str, Any] = run.error or {}
    known = [name for name in (run.label, run.realm_id and f"company {run.realm_id}") if name][:1]
    return ConnectorError(
        f"Connection {' of '.join([run.id, *known])} failed: {error['message']}",
        code=error["code"],
        retryable=error["retryable"],
        details=error["details"],
    )


def outcome_of(run: CompanyRun) -> dict[str, Any]:
    """Return the outcome of a run that has ended, plain JSON without secrets."""
    context = TaskContext.get()
    return {
        "realmId": run.realm_id,
        "company": run.label or run.id,
        "status": run.status,
        "error": run.error,
        "notRead": sorted(run.result.get("failed", ())),
        "records": run.result.get("records", 0),
        "apiCalls": run.api_calls,
        "meteredCalls": run.metered_calls,
        "attempt": 1 if context is None else context.attemptNumber() + 1,
        "finishedAt": iso(datetime.now(UTC)),
    }


def save_outcome(options: SparkOptions, run: CompanyRun) -> None:
    """Store the outcome of a run that has ended, if the read has a name.

    Raises:
        RegistryError: It cannot be stored.
    """
    if options.run is not None:
        with open_states(options.registry) as states:
            name = f"{options.run}{_SEPARATOR}{options.entity_name}"
            states.save_statuses(name, {run.id: outcome_of(run)})


def load_outcomes(options: SparkOptions) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the outcomes of a run: by what was read, then by connection.

    Raises:
        RegistryError: They cannot be read.
        DamagedStateError: One is damaged.
    """
    with open_states(options.registry) as states:
        prefix = f"{options.run}{_SEPARATOR}"
        names = [name for name in states.runs() if name.startswith(prefix)]
        return {name.removeprefix(prefix): states.load_statuses(name) for name in names}


def status_row(connection_id: str, entity: str | None, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome as a row of `STATUS_SCHEMA`."""
    error = outcome["error"] or {}
    finished_at = datetime.fromisoformat(outcome["finishedAt"]) if outcome["finishedAt"] else None
    wait = error.get("retryAfter")
    return {
        "connection": connection_id,
        "realm_id": outcome["realmId"],
        "company": outcome["company"],
        "entity": entity,
        "status": outcome["status"],
        "code": error.get("code"),
        "message": error.get("message"),
        "hint": _hint(error),
        "retryable": error.get("retryable"),
        "intuit_tid": error.get("details", {}).get("intuitTid"),
        "retry_at": finished_at + timedelta(seconds=wait) if finished_at and wait else None,
        "not_read": outcome["notRead"],
        "records": outcome["records"],
        "api_calls": outcome["apiCalls"],
        "metered_calls": outcome["meteredCalls"],
        "attempt": outcome["attempt"],
        "finished_at": finished_at,
    }


def _hint(error: dict[str, Any]) -> str | None:
    hints = [entry["hint"] for entry in error.get("fields", ())]
    return " ".join(hints) or _HINTS.get(error.get("code", ""))
