"""A host that knows the contract and no connector: it finds what is installed and runs it by name."""

import importlib
import json
import sys

import pluggy

hookspec = pluggy.HookspecMarker("vantage")


class Specs:
    """The host's own copy of the one hook that it calls."""

    @hookspec
    def vantage_register_connectors(self, register):
        """Call register(connector) for each connector on offer."""


def main():
    """Read {"settings": ..., "calls": [[action, input], ...]} and print the results."""
    job = json.load(sys.stdin)
    manager = pluggy.PluginManager("vantage")
    manager.add_hookspecs(Specs)
    found = manager.load_setuptools_entrypoints("vantage")
    manager.check_pending()
    connectors = {}

    def register(connector):
        if connector.id in connectors:
            raise ValueError(f"two connectors are called {connector.id}")
        connectors[connector.id] = connector

    manager.hook.vantage_register_connectors(register=register)
    before = sorted(name for name in ("requests", "jsonschema", "oauthlib", "orjson") if name in sys.modules)
    (connector,) = connectors.values()
    described = connector.describe()
    connection = connector.connect(job["settings"])
    envelopes = [connection.call(action, data) for action, data in job["calls"]]
    home = importlib.import_module(type(connector).__module__).__file__
    print(
        json.dumps(
            {
                "found": found,
                "imported": before,
                "described": described,
                "envelopes": envelopes,
                "home": home,
            },
            allow_nan=False,
        )
    )
