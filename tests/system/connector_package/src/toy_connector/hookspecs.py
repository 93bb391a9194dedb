"""A copy of the hook specifications, so that this package depends on no other connector."""

import pluggy

hookspec = pluggy.HookspecMarker("vantage")
hookimpl = pluggy.HookimplMarker("vantage")


@hookspec
def vantage_register_connectors(register):
    """Call register(connector) for each connector on offer."""


@hookspec(firstresult=True)
def vantage_load_credentials(connection_id):
    """Return the credentials last saved for a connection."""


@hookspec(firstresult=True)
def vantage_save_credentials(connection_id, credentials, expected_version):
    """Store credentials, return their new version."""


@hookspec
def vantage_progress(connection_id, action, done, total):
    """Observe a long read."""


@hookspec
def vantage_audit(event):
    """Observe what was called."""
