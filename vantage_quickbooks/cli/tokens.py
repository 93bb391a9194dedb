"""`vantage-quickbooks tokens`: what an operator does with stored tokens. It prints counts, and never a value."""

from __future__ import annotations

from vantage_quickbooks.auth.stores import open_store
from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.output import say, write
from vantage_quickbooks.config.deployment import Deployment

__all__ = ["reencrypt"]


def reencrypt() -> bool:
    """Encrypt every stored record with the first of the keys that the environment names.

    Returns:
        Whether each record could be read, so that the other keys are needed no more.

    Raises:
        UsageError: There is no key, or nothing that outlives the process.
        ConnectorError: The store or the key is no good.
    """
    deployment = Deployment.from_environ()
    if deployment.token_key is None:
        raise UsageError(
            "There is no key to encrypt with. Set VANTAGE_QUICKBOOKS_TOKEN_KEY: the new key first, the old ones after "
            'it, as a JSON array: ["new key", "old key"].'
        )
    store = open_store(deployment.token_store, encryption_key=deployment.token_key)
    try:
        run = getattr(store, "reencrypt", None)
        if run is None:
            raise UsageError("Tokens in memory are not encrypted. Name a file or a database.")
        counts = run()
    finally:
        store.close()
    write(
        f"{counts.store}: {counts.changed} encrypted anew with the first key, {counts.current} were so already, "
        f"{counts.unreadable} cannot be read.\n"
    )
    if counts.unreadable:
        say(
            "What cannot be read was left as it is. Add the key it was encrypted with to VANTAGE_QUICKBOOKS_TOKEN_KEY "
            "and run this again; a connection whose key is lost must be connected again."
        )
    return not counts.unreadable
