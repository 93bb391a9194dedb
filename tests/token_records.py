"""Token records, and hosts that keep credentials, for tests of the token stores."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from vantage_quickbooks.auth.stores import HostStore
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import CredentialConflict

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = "sandbox:9130000000000000:0123456789abcdef0123456789abcdef"


def record(version=0, **changes):
    values = {
        "realm_id": "9130000000000000",
        "environment": "sandbox",
        "fingerprint": "f" * 64,
        "refresh_token": "PLANTED-refresh",
        "access_token": "PLANTED-access",
        "access_token_expires_at": NOW + timedelta(hours=1),
        "obtained_at": NOW,
        "version": version,
    }
    return TokenRecord(**values | changes)


class CountingHost:
    """A host that keeps credentials in memory and counts their versions."""

    def __init__(self):
        self.credentials = {}
        self.versions = {}

    def load(self, connection_id):
        credentials = self.credentials.get(connection_id)
        return credentials and {**json.loads(credentials), "version": self.versions[connection_id]}

    def save(self, connection_id, credentials, expected_version):
        if expected_version != self.versions.get(connection_id, 0):
            raise CredentialConflict("another process saved first")
        self.credentials[connection_id] = json.dumps(credentials)
        self.versions[connection_id] = self.next_version(expected_version)
        return self.versions[connection_id]

    def next_version(self, version):
        return version + 1


class EtagHost(CountingHost):
    """A host whose versions are strings."""

    def next_version(self, version):
        return f'W/"{int(version[3:-1]) + 1 if version else 1}"'


def host_store(host):
    return HostStore("c1", host.load, host.save)
