"""Which companies a read is about, and in which partitions: bundles that contain ids and never settings."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pyspark.sql.datasource import InputPartition

from vantage_quickbooks.adapters.spark.options import option_error
from vantage_quickbooks.connector.bundles import make_bundles
from vantage_quickbooks.connector.many import select_entries
from vantage_quickbooks.errors import FieldError, InputError
from vantage_quickbooks.registry import open_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vantage_quickbooks.adapters.spark.options import SparkOptions
    from vantage_quickbooks.connector.bundles import Bundle
    from vantage_quickbooks.registry import ConnectionEntry

__all__ = ["BundlePartition", "company_of", "duplicate_error", "duplicates_of", "partitions_of", "select"]


class BundlePartition(InputPartition):
    """The companies of one task.

    Args:
        bundle: The companies.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle.number)
        self.bundle = bundle


def select(options: SparkOptions) -> list[ConnectionEntry]:
    """Return the connections that the options name.

    Raises:
        InputError: A pattern matches no connection, or the registry has none.
        RegistryError: The registry cannot be read.
    """
    with open_registry(options.registry) as registry:
        if not options.connections:
            entries = registry.list()
            if not entries:
                raise option_error(
                    "registry",
                    f"There are no connections in {registry.describe()}.",
                    "Add some with vantage-quickbooks connect, or name another registry.",
                )
            return entries
        known = [entry.id for entry in registry.list()]
        ids: list[str] = []
        for pattern in options.connections:
            found = [id_ for id_ in known if fnmatchcase(id_, pattern)]
            if not found and set(pattern) & set("*?[]"):
                raise option_error("connections", f"No connection matches {pattern}.", "Check it against the registry.")
            ids += found or [pattern]
        return select_entries(registry, ids)


def partitions_of(
    options: SparkOptions, wants: Callable[[ConnectionEntry], bool] = lambda _: True
) -> Sequence[BundlePartition]:
    """Return the partitions of a read.

    Args:
        options: The options.
        wants: Whether a connection is read.

    Raises:
        ConnectorError: As `select`.
    """
    entries = [entry for entry in select(options) if wants(entry)]
    return [BundlePartition(bundle) for bundle in make_bundles(entries, options.bundle_size)]


def company_of(connection_id: str, label: str | None) -> str:
    """Return what the column `company` holds: the label of the connection, or its id. QuickBooks is not asked."""
    return label or connection_id


def duplicates_of(bundle: Bundle) -> dict[str, str]:
    """Return the connections of companies that an earlier connection of the bundle reads, each with that one's id.

    A bundle has all connections of its companies, so this finds all that there are in the read.
    """
    first: dict[tuple[str | None, str | None], str] = {}
    found: dict[str, str] = {}
    for entry in bundle.entries:
        company = (entry.environment, entry.realm_id)
        if entry.realm_id is not None and first.setdefault(company, entry.id) != entry.id:
            found[entry.id] = first[company]
    return found


def duplicate_error(connection_id: str, other: str) -> InputError:
    """Return the error for a connection of a company that another one reads."""
    message, hint = f"{other} and {connection_id} are connections of the same company.", "Leave one of them out."
    return InputError(f"{message} {hint}", [FieldError("connections", "distinct", message, hint)])
