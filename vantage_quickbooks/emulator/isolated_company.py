"""One company of an emulator, apart from all others: for one test of many that share the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.emulator.world import World


class IsolatedCompany:
    """A company with its own records, grant, limits and faults. Clock, latency and client secret are the emulator's.

    Attributes:
        emulator: The emulator that serves it.
        realm_id: Its id.
        refresh_token: Its grant's first refresh token.

    Args:
        emulator: The emulator that serves it.
        realm_id: Its id.
        refresh_token: Its grant's first refresh token.
    """

    def __init__(self, emulator: World, realm_id: str, refresh_token: str) -> None:
        self.emulator = emulator
        self.realm_id = realm_id
        self.refresh_token = refresh_token

    @property
    def url(self) -> str:
        """The emulator's address, without a trailing slash."""
        return self.emulator.url

    def credentials(self) -> dict[str, str]:
        """Return client_id, client_secret, refresh_token and realm_id."""
        own = {"refresh_token": self.refresh_token, "realm_id": self.realm_id}
        return self.emulator.credentials() | own

    def settings(self) -> dict[str, str]:
        """Return the connector's settings for this company."""
        return self.credentials() | {"environment": "emulator", "emulator_url": self.url}

    def create(self, entity: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Create a record; see `World.create`."""
        return self.emulator.create(entity, record, self.realm_id)

    def update(self, entity: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Change a record; see `World.update`."""
        return self.emulator.update(entity, record, self.realm_id)

    def delete(self, entity: str, id: str) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Delete a transaction; see `World.delete`."""
        return self.emulator.delete(entity, id, self.realm_id)

    def void(self, entity: str, id: str) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Void a transaction; see `World.void`."""
        return self.emulator.void(entity, id, self.realm_id)

    def read(self, entity: str, id: str) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Return a record; see `World.read`."""
        return self.emulator.read(entity, id, self.realm_id)

    def fault(self, kind: str, **options: Any) -> None:
        """Inject a fault into requests to this company's data; see `World.fault`."""
        self.emulator.fault(kind, **options, realm_id=self.realm_id)

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests to this company's data among the last thousand; see `World.requests`."""
        prefix = f"/v3/company/{self.realm_id}/"
        return [request for request in self.emulator.requests() if request["path"].startswith(prefix)]

    def remove(self) -> None:
        """End its grants and delete its records."""
        self.emulator.remove_company(self.realm_id)
