"""Bundles of companies, for engines that distribute them over tasks, and the reading of one bundle.

Theory of operation
1. Companies are grouped by a hash of environment and realm, so all connections of one company are in one bundle: no
   company is read by two tasks at once, and its limits (10 requests at once, 500 a minute) stay local to a task. The
   hash is that of the text (BLAKE2b), so every process and machine computes the same bundles from the same entries.
2. The companies are sorted by their hash and cut into bundles of equal size. So a bundle never has more connections
   than asked for, unless a single company has; and where no company is connected twice, there are as few bundles as
   possible, whose sizes differ by one at most. A company that is added may move others to a neighboring bundle, always
   with all of their connections.
3. A bundle contains ids and what the list of the registry shows, and never settings or tokens. The task that reads it
   loads the settings by id (`read_bundle`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import TYPE_CHECKING, Any, TypeVar

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.company_runs import (
    WORKERS,
    CompanyItem,
    CompanyRun,
    Crew,
    OpenCompany,
    check_count,
    check_positive,
    shared_store,
)
from vantage_quickbooks.connector.many import run_of, select_entries
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import AppBlockedError, ClientCredentialsError, ConnectorError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from vantage_quickbooks.connector.connection import Connection
    from vantage_quickbooks.registry import ConnectionEntry, ConnectionRegistry

__all__ = ["BUNDLE_SIZE", "Bundle", "CompanyItem", "CompanyRun", "is_app_wide", "make_bundles", "read_bundle"]

BUNDLE_SIZE = 50
"""Companies of a bundle by default: the start of a task costs little beside them, and thousands of companies are still
many tasks."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    """Companies that one task reads. It can be pickled, and contains no settings.

    Attributes:
        number: Its position among all bundles, from 0.
        entries: Its connections, as the registry lists them, without their errors: the task that reads the bundle finds
            the same errors, or finds that they were corrected.
    """

    number: int
    entries: tuple[ConnectionEntry, ...]

    @property
    def connection_ids(self) -> tuple[str, ...]:
        """The ids of its connections."""
        return tuple(entry.id for entry in self.entries)


def make_bundles(entries: Sequence[ConnectionEntry], size: int = BUNDLE_SIZE) -> tuple[Bundle, ...]:
    """Distribute connections over bundles, independently of their order; see the module's theory of operation.

    Args:
        entries: The connections, as `ConnectionRegistry.list` returns them; ids are distinct. An entry whose company is
            not known counts as a company of its own.
        size: Connections of a bundle at most, unless one company has more.

    Returns:
        The bundles, none of them empty; in each, connections of one company are neighbors.

    Raises:
        InputError: *size* is not an integer from 1.
    """
    check_count("size", size)
    companies: dict[tuple[str, ...], list[ConnectionEntry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.id):
        companies.setdefault(_company_of(entry), []).append(dataclasses.replace(entry, error=None))
    parts: list[list[ConnectionEntry]] = []
    left, room = len(entries), 0
    for company in sorted(companies, key=_position):
        found = companies[company]
        if len(found) > room:
            parts.append([])
            room = math.ceil(left / math.ceil(left / size))
        parts[-1] += found
        left -= len(found)
        room -= len(found)
    return tuple(Bundle(number, tuple(part)) for number, part in enumerate(parts))


def _company_of(entry: ConnectionEntry) -> tuple[str, ...]:
    """Return what identifies the company of a connection: sandboxes and production have realm ids of their own."""
    if entry.realm_id is None:
        return ("connection", entry.id)
    return ("company", entry.environment or "", entry.realm_id)


def _position(company: tuple[str, ...]) -> tuple[bytes, tuple[str, ...]]:
    return hashlib.blake2b("\0".join(company).encode(), digest_size=8).digest(), company


def is_app_wide(error: ConnectorError | Mapping[str, Any] | None) -> bool:
    """Return whether an error concerns the app and thus all of its companies, so that a job should end with it.

    Intuit refuses the client id and secret (`invalid_client`, RFC 6749 section 5.2), or the app has used up its calls
    of the month: Intuit blocks it, or the limit of the deployment is reached.

    Args:
        error: An error, the `error` of a `CompanyRun` or of an envelope, or None.
    """
    if isinstance(error, ConnectorError):
        return isinstance(error, AppBlockedError | ClientCredentialsError)
    if error is None:
        return False
    if error["code"] == ClientCredentialsError.code:  # shared with errors of one company
        return bool(error["details"].get("oauthError") == "invalid_client")
    return bool(error["code"] == AppBlockedError.code)


def read_bundle(
    registry: ConnectionRegistry,
    bundle: Bundle | Iterable[str],
    task: Callable[[Connection, CompanyRun], Iterable[T]],
    *,
    workers: int = WORKERS,
    retries: int = 1,
    timeout_s: float | None = None,
    buffered: int | None = None,
    context: HostContext | None = None,
    deployment: Deployment | None = None,
    **seams: Any,
) -> Generator[CompanyItem[T] | CompanyRun]:
    """Run a task for each company of a bundle, several at once, and yield what the tasks yield.

    Each item comes as a `CompanyItem` with its run, in the order in which its task has yielded it; items of several
    companies alternate. The `CompanyRun` itself comes last, once for each company, when it has ended: with its status,
    error and counts. A company that fails is such a run, and never an exception. The items that came before are what
    was read until then; a company of which an item was yielded is not tried again, because its items would come twice.

    Workers wait while *buffered* items were not consumed, so memory stays flat. Closing the generator, or an exception
    in the code that consumes it inside `contextlib.closing`, ends the workers before their next request, and returns
    when they have ended.

    Args:
        registry: The registry.
        bundle: The companies: a bundle, or ids of connections, for which the registry is listed once.
        task: Called in a worker thread with an open connection and the run, whose `result` it may fill; yields the
            items of the company. It may also set `run.error` itself.
        workers: Companies at once.
        retries: How often a company whose error is `retryable` is tried again, after all others.
        timeout_s: Seconds after which the calls of a company end with an error; None leaves the connector's own limits.
        buffered: Items that may wait for the consumer; *workers* by default.
        context: What the host knows; `connection_id`, `cancelled` and `audit` are set for each company and call those.
        deployment: The operator's options; by default those of the environment variables.
        **seams: As for `QuickBooksConnector.connect`.

    Yields:
        Items, and runs that have ended.

    Raises:
        RegistryError: The registry itself cannot be read. All of these are raised at the first step of the generator.
        TokenStoreError: The token store's URL or key is invalid.
        InputError: *workers*, *timeout_s* or *buffered* is not positive.
    """
    check_count("workers", workers)
    check_positive("timeout_s", timeout_s)
    check_count("buffered", buffered)
    context, deployment = context or HostContext(), deployment or Deployment.from_environ()
    entries = bundle.entries if isinstance(bundle, Bundle) else select_entries(registry, bundle)
    runs = [run_of(entry) for entry in entries]
    with shared_store(context, deployment, seams):
        open_company = OpenCompany(registry, context, deployment, timeout_s, seams)

        def read_one(run: CompanyRun) -> Generator[T]:
            with open_company(run) as connection:
                yield from task(connection, run)

        how: dict[str, Any] = {"workers": min(workers, len(runs)), "retries": retries, "buffered": buffered}
        with Crew(runs, read_one, stop=open_company.stop, **how) as found:
            yield from found
