"""`vantage-quickbooks tokens`: maintenance of stored tokens. Prints counts, never values."""

from __future__ import annotations

import contextlib

import click

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.options import Command, Group
from vantage_quickbooks.cli.output import FAILURE, SUCCESS, print_error, say, write
from vantage_quickbooks.errors import ConnectorError

__all__ = ["command"]

_REENCRYPT = "vantage-quickbooks tokens reencrypt"


@click.group(cls=Group, examples=(("Encrypt all tokens with the first key", _REENCRYPT),))
def command() -> None:
    """The variable VANTAGE_QUICKBOOKS_TOKEN_STORE selects the store."""


@command.command(cls=Command, examples=(("After a new key was put first in the list of keys", _REENCRYPT),))
def reencrypt() -> int:
    """Encrypt all tokens with the first key of VANTAGE_QUICKBOOKS_TOKEN_KEY.

    A registry of connections that is a database (VANTAGE_QUICKBOOKS_REGISTRY) is encrypted, too.

    Safe while other processes refresh tokens.
    """
    try:
        is_done = _reencrypt()
    except ConnectorError as error:
        print_error(error.to_dict())
        return FAILURE
    return SUCCESS if is_done else FAILURE


def _reencrypt() -> bool:
    """Encrypt every stored record with the first of the configured keys.

    Returns:
        Whether every record could be read, so that the other keys are no longer needed.

    Raises:
        UsageError: No key is configured, or tokens are kept in memory only.
        ConnectorError: The store or the key cannot be used.
    """
    from vantage_quickbooks.auth.stores import open_store
    from vantage_quickbooks.config.deployment import Deployment
    from vantage_quickbooks.registry import open_registry

    deployment = Deployment.from_environ()
    if deployment.token_key is None:
        raise UsageError(
            "No encryption key. Set VANTAGE_QUICKBOOKS_TOKEN_KEY to a JSON array, the new key first, then the old "
            'ones: ["new key", "old key"].'
        )
    with contextlib.ExitStack() as stack:
        store = open_store(deployment.token_store, encryption_key=deployment.token_key)
        stack.callback(store.close)
        runs = [getattr(store, "reencrypt", None)]
        if deployment.registry is not None:
            registry = stack.enter_context(open_registry(deployment=deployment))
            runs.append(getattr(registry, "reencrypt", None))  # a folder has none: it is not encrypted
        if not any(runs):
            raise UsageError(
                "Tokens in memory are not encrypted. Set VANTAGE_QUICKBOOKS_TOKEN_STORE to a file or a database."
            )
        reports = [run() for run in runs if run]
    for counts in reports:
        write(
            f"{counts.store}: {counts.changed} encrypted with the first key, {counts.current} already encrypted with "
            f"it, {counts.unreadable} unreadable.\n"
        )
    if any(counts.unreadable for counts in reports):
        say(
            "Unreadable records were not changed. Add the key that they were encrypted with to "
            "VANTAGE_QUICKBOOKS_TOKEN_KEY and run this command again. If that key is lost, connect the company again."
        )
        return False
    return True
