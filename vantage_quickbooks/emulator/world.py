"""The state behind an emulator: companies, tokens, clock, limits, faults, latency and the request log."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator.clock import Clock
from vantage_quickbooks.emulator.company.company import Company
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.faults.injector import FaultInjector, FaultRule
from vantage_quickbooks.emulator.http.request_log import RequestLog
from vantage_quickbooks.emulator.http.server import ConnectionCounts
from vantage_quickbooks.emulator.isolated_company import IsolatedCompany
from vantage_quickbooks.emulator.json_text import decode, encode
from vantage_quickbooks.emulator.oauth.authorization_server import ACCOUNTING_SCOPE
from vantage_quickbooks.emulator.profile import Profile
from vantage_quickbooks.emulator.scenario import Player, Scenario
from vantage_quickbooks.emulator.webhooks.events import Event
from vantage_quickbooks.emulator.webhooks.webhooks import Webhooks, check_event

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vantage_quickbooks.emulator.company.companies import Companies
    from vantage_quickbooks.emulator.company.entities import Entity
    from vantage_quickbooks.emulator.company.store import Changed
    from vantage_quickbooks.emulator.faults.latency import Latency, Spec
    from vantage_quickbooks.emulator.http.limits import Limits, LimitsChoice
    from vantage_quickbooks.emulator.oauth.authorization_server import AuthorizationServer

_DATE_LENGTH = len("2027-02-01")


class World:
    """The state of an emulator, and the methods that control it. Thread-safe.

    The control endpoints call the methods of this class over HTTP; `Emulator` adds a server to it.

    Attributes:
        realm_id: The first company's id.
        oauth: The app's credentials, grants and tokens.
        limits: Intuit's limits.
        profile: What depends on the chosen date.
        webhooks: Subscriptions and deliveries.
        crashes: Defects of the emulator itself, one text each; the list is expected to stay empty.

    Args:
        seed: Decides the credentials and the sample company.
        realm_id: The first company's id.
        clock: The clock of times, tokens and limits.
        profile: What depends on the chosen date.
        companies: Not opened yet.
        oauth: The authorization server.
        limits: Intuit's limits.
        latency: How long responses take.
        address: Host and port to listen on.
        scenario: Played at the start and after each reset.
        webhooks: Addresses that are subscribed to everything, at the start and after each reset.
    """

    def __init__(
        self,
        *,
        seed: int,
        realm_id: str,
        clock: Clock,
        profile: Profile,
        companies: Companies,
        oauth: AuthorizationServer,
        limits: Limits,
        latency: Latency,
        address: tuple[str, int],
        scenario: Scenario | None,
        webhooks: Sequence[str],
    ) -> None:
        self.realm_id = realm_id
        self.oauth = oauth
        self.limits = limits
        self.crashes: list[str] = []
        self._seed = seed
        self._clock = clock
        self.profile = self._profile_at_start = profile
        self._companies = companies
        self._latency = latency
        self._faults = FaultInjector(seed)
        self._request_log = RequestLog()
        self._connections = ConnectionCounts()
        self._address = address
        self._url: str | None = None
        self._adding = threading.Lock()
        self._added = 0
        self._player: Player | None = None
        self._webhooks_at_start = tuple(webhooks)
        self.webhooks = Webhooks(seed, clock.now, lambda: self.profile, lambda: self.client_id)
        self._subscribe_at_start()
        self._scenario_at_start = scenario

    # ---- addresses and credentials ----

    @property
    def url(self) -> str:
        """The emulator's address, without a trailing slash."""
        if self._url is None:
            raise RuntimeError("the emulator is not started")
        return self._url

    @property
    def host(self) -> str:
        """The name or address that the emulator listens on."""
        return self._address[0]

    @property
    def client_id(self) -> str:
        """The app's client id."""
        return self.oauth.client_id

    @property
    def client_secret(self) -> str:
        """The app's current client secret."""
        return self.oauth.client_secret

    @property
    def refresh_token(self) -> str:
        """The refresh token of the first grant."""
        return self.oauth.first_refresh_token

    def settings(self) -> dict[str, str]:
        """Return the connector's settings for this emulator: `credentials`, `environment` and `emulator_url`."""
        return self.credentials() | {"environment": "emulator", "emulator_url": self.url}

    def credentials(self) -> dict[str, str]:
        """Return client_id, client_secret, realm_id and the refresh_token of the latest grant.

        They depend on the seed and not on the address.
        """
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.oauth.granted_refresh_token,
            "realm_id": self.realm_id,
        }

    # ---- grants and tokens ----

    def grant(
        self, realm_id: str | None = None, *, scopes: Iterable[str] | None = None, authorized_at: str | None = None
    ) -> str:
        """Authorize the app again, as if a person had connected it.

        Args:
            realm_id: The company, created with sample data if it is new; None is the first company.
            scopes: What the person consents to; None is accounting.
            authorized_at: The time of the consent, ISO 8601, from which the token's five years count; None is now.

        Returns:
            The refresh token of the new chain.

        Raises:
            ValueError: The realm id is not a number, or `authorized_at` is not a time.
        """
        realm = realm_id or self.realm_id
        consented = None if authorized_at is None else _moment(authorized_at).timestamp()
        self.company(realm)
        return self.oauth.grant(realm, scopes=scopes or (ACCOUNTING_SCOPE,), authorized_at=consented)

    def expire_access_tokens(self) -> int:
        """Expire every access token now, and return how many were valid."""
        return self.oauth.expire_access_tokens()

    def revoke_grants(self, realm_id: str | None = None) -> int:
        """Disconnect the app from every company, or from one, as a user can inside QuickBooks.

        Args:
            realm_id: The company; None is all of them.

        Returns:
            How many grants ended.
        """
        return self.oauth.revoke_grants(realm_id)

    def rotate_client_secret(self, new: str | None = None, invalidate_tokens: bool = True) -> str:
        """Change the app's client secret.

        Args:
            new: The new secret; None generates one.
            invalidate_tokens: Access tokens issued before stop working. Intuit documents neither.

        Returns:
            The new secret.
        """
        return self.oauth.rotate_client_secret(new, invalidate_tokens=invalidate_tokens)

    # ---- clock ----

    def now(self) -> float:
        """Return the emulator's time as epoch seconds."""
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Move the clock by seconds, back if they are negative: tokens expire and limits reset accordingly."""
        self._clock.advance(seconds)
        self.webhooks.clock_moved()

    def freeze(self) -> None:
        """Stop the clock, so that a test decides when a second passes: until a reset, only the methods here move it."""
        self._clock.freeze()

    def set_now(self, iso: str) -> None:
        """Set the clock to an ISO 8601 time, which is UTC if it has no offset."""
        self._clock.set(iso)
        self.webhooks.clock_moved()

    def as_of(self, when: str) -> None:
        """Set the clock, and answer as QuickBooks does, or is announced to do, at that time.

        Args:
            when: ISO 8601; a date is its noon, UTC.

        Raises:
            ValueError: It is not a time, or not in the years 1970 to 3000.
        """
        moment = _moment(when)
        self._clock.set(moment.isoformat())
        self.profile = Profile(moment.date())
        self.webhooks.clock_moved()

    # ---- faults, latency and limits ----

    def fault(
        self,
        kind: str,
        *,
        path: str | None = None,
        method: str | None = None,
        times: int = 1,
        after: int = 0,
        chance: float = 1.0,
        realm_id: str | None = None,
        **options: object,
    ) -> None:
        """Inject a fault into requests to come.

        Args:
            kind: One of `faults.injector.KINDS`; docs/emulator.md describes each.
            path: Only requests whose path contains this text; None is all.
            method: Only requests of this method; None is all.
            times: How many requests to hit; -1 is without end.
            after: How many matching requests to let pass first.
            chance: The share of the remaining matching requests to hit, from 0 to 1; the seed decides which.
            realm_id: Only requests to this company's data; None is all.
            **options: The kind's own options.

        Raises:
            ValueError: The kind or an option is unknown, or a value is invalid.
        """
        self._faults.add(FaultRule(kind, path, method, times, after, chance, realm_id, options))

    def faults(self) -> list[dict[str, Any]]:
        """Return the fault rules that can still hit a request."""
        return self._faults.pending()

    def clear_faults(self) -> None:
        """Remove every fault rule."""
        self._faults.clear()

    def latency(self, spec: Spec) -> None:
        """Set how long responses take.

        Args:
            spec: None, seconds, `{"uniform": [0.1, 0.4]}`, `{"median": 0.2, "p99": 1.5}`, one of these with `path` or
                `method`, or a list of which the first matching rule applies; see faults/latency.py.

        Raises:
            ValueError: The spec is invalid.
        """
        self._latency.choose(spec)

    def limit(self, chosen: LimitsChoice) -> None:
        """Set the limits: True, `strict`, False for none, or a mapping that overrides some; see http/limits.py."""
        self.limits.choose(chosen)

    # ---- webhooks ----

    def subscribe(self, url: str, **options: Any) -> str:
        """Have changes posted to an address.

        Args:
            url: The endpoint.
            **options: `entities`, `realm_id`, `format`, `merge_s`, `duplicate`, `lost`, `out_of_order`, `mix_realms`;
                see `webhooks.Subscription`.

        Returns:
            The subscription's id.

        Raises:
            ValueError: An option is unknown or invalid.
        """
        return self.webhooks.subscribe(url, **options)

    def _subscribe_at_start(self) -> None:
        for url in self._webhooks_at_start:
            self.webhooks.subscribe(url)

    def notify(
        self,
        entity: str,
        id: str,  # noqa: A002 -- Intuit's word
        operation: str,
        *,
        deleted_id: str = "",
        realm_id: str | None = None,
    ) -> None:
        """Notify of a change without making one, such as a merge, which the API cannot do.

        Args:
            entity: The record's entity.
            id: Its Id.
            operation: Create, Update, Delete, Merge, Void or Emailed.
            deleted_id: Of a merge: the Id of the record that is gone.
            realm_id: The company; None is the first.

        Raises:
            ValueError: The entity has no events, or the operation is unknown.
        """
        check_event(entity, id, operation, deleted_id)
        self.webhooks.publish([Event(realm_id or self.realm_id, entity, id, operation, self.now(), deleted_id)])

    def _publish(self, changes: list[Changed]) -> None:
        now = self.now()
        self.webhooks.publish(Event(*change, now) for change in changes)

    # ---- what happened ----

    def counters(self) -> dict[str, Any]:
        """Return counts since the start or the last reset.

        Returns:
            token_requests, api_requests (with by_status), connections, max_concurrent, faults_delivered.
        """
        return self._request_log.counts() | self._connections.counts() | {"faults_delivered": self._faults.delivered}

    def reset_counters(self) -> None:
        """Set every count to zero and clear the request log."""
        self._request_log.clear()
        self._faults.delivered = 0
        self._connections.reset()

    def requests(self) -> list[dict[str, Any]]:
        """Return the last thousand requests without secrets, oldest first.

        Returns:
            time, method, path, statement, status (0 if none was sent), intuit_tid and headers of each.
        """
        return self._request_log.requests()

    def state(self) -> dict[str, Any]:
        """Return address, clock, companies with their counts, tokens, limits, latency, faults and counters."""
        return {
            "url": self.url,
            "realm_id": self.realm_id,
            "client_id": self.client_id,
            "now": datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds"),
            "clock_offset_s": round(self._clock.offset_s, 3),
            "seed": self._seed,
            "profile": self.profile.state(),
            "companies": {realm: company.counts() for realm, company in self._companies.all().items()},
            "tokens": self.oauth.state(),
            "limits": self.limits.numbers,
            "latency": self._latency.rules(),
            "faults": self.faults(),
            "webhooks": self.webhooks.summary(),
            "scenario": self._player.state() if self._player else None,
            "counters": self.counters(),
        }

    def reset(self) -> None:
        """Restore companies, tokens, clock, faults, latency, limits and counters of the start."""
        self._faults.clear()
        self._latency.reset()
        self.limits.reset()
        self._clock.reset()
        self.profile = self._profile_at_start
        self.oauth.reset()
        self.webhooks.reset()
        self._subscribe_at_start()
        self.reset_counters()
        self._companies.reset()
        self._player = None
        if self._scenario_at_start:
            self.play(self._scenario_at_start)

    # ---- scenarios ----

    def play(self, scenario: Scenario | str | os.PathLike[str] | Mapping[str, Any]) -> None:
        """Play a scenario: its steps up to the first that waits for requests; the others follow as requests come.

        Args:
            scenario: A YAML or JSON file, its data, or a scenario that has been read; see scenario.py.

        Raises:
            ValueError: The file cannot be read, something in it is wrong, or a step cannot be executed.
        """
        checked = scenario if isinstance(scenario, Scenario) else Scenario.load(scenario)
        self._player = Player(self, checked)
        self._player.run()

    def count_for_scenario(self) -> None:
        """Let a scenario that waits for API requests count one."""
        if self._player:
            self._player.on_request()

    # ---- companies and their records ----

    def add_company(self) -> IsolatedCompany:
        """Create a company apart from all others, with the first one's data of the start and a grant of its own.

        It takes some milliseconds, so that each of many tests can have one.

        Returns:
            The company; its `remove` deletes it.
        """
        with self._adding:
            self._added += 1
            realm_id = str(int(self.realm_id) + 1_000_000_000 + self._added)
        self._companies.add(realm_id)
        return IsolatedCompany(self, realm_id, self.oauth.grant(realm_id))

    def replace_company(
        self, *, seed: int | None = None, customers: int | None = None, invoices: int | None = None
    ) -> None:
        """Give the first company other sample data, until a reset.

        Args:
            seed: None is the emulator's.
            customers: None is the 30 of the sample company.
            invoices: None is 60.

        Raises:
            ValueError: A number is negative.
        """
        self._companies.replace_first(seed, customers, invoices)

    def remove_company(self, realm_id: str) -> None:
        """Delete a company and its grants.

        Raises:
            ValueError: It is the first company.
        """
        self._companies.remove(realm_id)
        self.oauth.remove_grants(realm_id)

    def company(self, realm_id: str | None = None) -> Company:
        """Return a company.

        Args:
            realm_id: Its id, created with sample data if it is new; None is the first company.

        Raises:
            ValueError: The realm id is not a number.
        """
        return self._companies.get(realm_id or self.realm_id)

    def create(self, entity: str, record: Mapping[str, Any], realm_id: str | None = None) -> dict[str, Any]:
        """Create a record by the API's rules, without a request.

        Args:
            entity: Its name, such as `Invoice`.
            record: As in the body of a request.
            realm_id: The company; None is the first.

        Returns:
            The stored record.

        Raises:
            Fault: The API would refuse the request.
        """
        return self._write(Company.create, entity, record, realm_id)

    def load(self, entity: str, record: Mapping[str, Any], realm_id: str | None = None) -> dict[str, Any]:
        """Store a record as it is given, without the API's rules: also of entities that the API cannot create.

        Args:
            entity: Its name, such as `ExchangeRate`, `TaxCode` or `TaxRate`.
            record: The record. One of the same Id is replaced; without an Id it gets the next.
            realm_id: The company; None is the first.

        Returns:
            The stored record.

        Raises:
            ValueError: The entity is unknown, or a time or an amount is invalid.
            TypeError: A value that should be text is not.
        """
        exact = decode(json.dumps(dict(record)))
        try:
            stored: dict[str, Any] = json.loads(encode(self.company(realm_id).load(_entity(entity), exact)))
        except AttributeError as error:  # a value that should be an object is not
            raise ValueError(f"{entity}: {error}") from None
        return stored

    def update(self, entity: str, record: Mapping[str, Any], realm_id: str | None = None) -> dict[str, Any]:
        """Change the given properties of a record, like `create`.

        The record needs an Id. Without `sparse` and SyncToken the update is sparse, with the current SyncToken.
        """
        return self._write(Company.update, entity, self._with_sync_token(entity, record, realm_id), realm_id)

    def delete(self, entity: str, id: str, realm_id: str | None = None) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Delete a transaction, like `create`; return `{"domain": "QBO", "status": "Deleted", "Id": ...}`."""
        return self._write(Company.delete, entity, self._with_sync_token(entity, {"Id": id}, realm_id), realm_id)

    def void(self, entity: str, id: str, realm_id: str | None = None) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Void a transaction, like `create`; return the stored record."""
        return self._write(Company.void, entity, self._with_sync_token(entity, {"Id": id}, realm_id), realm_id)

    def read(self, entity: str, id: str, realm_id: str | None = None) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Return a record, without a request; raise `Fault` if there is none of this Id."""
        record: dict[str, Any] = json.loads(self.company(realm_id).read(_entity(entity), id))
        return record

    def _with_sync_token(self, entity: str, record: Mapping[str, Any], realm_id: str | None) -> dict[str, Any]:
        current = self.company(realm_id).find(_entity(entity).name, str(record.get("Id"))) or {}
        return {"sparse": True, "SyncToken": current.get("SyncToken", "0")} | dict(record)

    def _write(
        self,
        operation: Callable[[Company, Entity, dict[str, Any]], str],
        entity: str,
        record: Mapping[str, Any],
        realm_id: str | None,
    ) -> dict[str, Any]:
        exact = decode(json.dumps(dict(record)))  # amounts become Decimal; values that are not JSON are refused
        written: dict[str, Any] = json.loads(operation(self.company(realm_id), _entity(entity), exact))
        return written


def dated(as_of: str | None) -> tuple[Clock, Profile]:
    """Return the clock and the profile of a chosen date; see `World.as_of`.

    Args:
        as_of: None is today.

    Raises:
        ValueError: It is not a time, or not in the years 1970 to 3000.
    """
    if as_of is None:
        return Clock(), Profile()
    moment = _moment(as_of)
    return Clock(moment.isoformat()), Profile(moment.date())


def _moment(text: str) -> datetime:
    """Parse an ISO 8601 time; a date is its noon, and UTC applies without an offset."""
    moment = datetime.fromisoformat(text)
    if len(text) == _DATE_LENGTH:
        moment = moment.replace(hour=12)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _entity(name: str) -> Entity:
    if name not in ENTITIES:
        raise ValueError(f"unknown entity {name!r}")
    return ENTITIES[name]
