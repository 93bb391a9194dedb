"""What happened to each company: the error that fails a job, and the row that is stored for `quickbooks_status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from vantage_quickbooks.adapters.spark.options import SparkOptions
    from vantage_quickbooks.connector.bundles import CompanyRun
    from vantage_quickbooks.registry import ConnectionRegistry

__all__ = ["Outcomes", "failure_of"]


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


class Outcomes:
    """Stores the outcome of each company, if the read has the option `run`."""

    def __init__(self, registry: ConnectionRegistry, options: SparkOptions) -> None:
        self._registry, self._options = registry, options

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def save(self, run: CompanyRun) -> None:
        """Store the outcome of a run that has ended; the outcome of an earlier attempt is replaced."""
