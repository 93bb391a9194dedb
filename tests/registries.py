"""Registries of all forms, and settings for them."""

from __future__ import annotations

import copy

from vantage_quickbooks.errors import ConnectionExistsError
from vantage_quickbooks.registry import HostRegistry, open_registry

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""A Fernet key: deriving one from a passphrase takes 0.15 s, each time that a registry is opened."""

PASSPHRASE = "a passphrase of the operator's"
FORMS = ("folder", "sqlite", "postgresql", "host")


def company(number=1, **more):
    """Return valid settings of a company whose secrets can be searched for."""
    return {
        "client_id": f"PLANTED-id-{number}",
        "client_secret": f"PLANTED-secret-{number}",
        "refresh_token": f"PLANTED-refresh-{number}",
        "realm_id": str(9130000000000000 + number),
        **more,
    }


class DictHost:
    """A host that keeps connections in a dict."""

    def __init__(self):
        self.kept = {}

    def load(self, connection_id):
        return copy.deepcopy(self.kept[connection_id][0])

    def list(self):
        return list(self.kept)

    def add(self, connection_id, settings, label, replace):
        if connection_id in self.kept and not replace:
            raise ConnectionExistsError("The host has such a connection.")
        self.kept[connection_id] = settings, label

    def remove(self, connection_id):
        del self.kept[connection_id]

    def registry(self):
        return HostRegistry(self.load, list=self.list, add=self.add, remove=self.remove)


def opener(form, request):
    """Return a function that opens an empty registry as a separate process would."""
    tmp_path = request.getfixturevalue("tmp_path")
    if form == "host":
        return DictHost().registry
    url = {
        "folder": lambda: str(tmp_path / "state" / "registry"),
        "sqlite": lambda: f"sqlite:///{tmp_path}/state/registry.sqlite3",
        "postgresql": lambda: request.getfixturevalue("fresh_postgresql_url"),
    }[form]()
    return lambda key=KEY: open_registry(url, encryption_key=key)
