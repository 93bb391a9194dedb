"""The emulator as one object: start it, ask it, move its clock, break it, stop it."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company import loader
from vantage_quickbooks.emulator.company.company import Company
from vantage_quickbooks.emulator.company.entities import ENTITIES, Entity
from vantage_quickbooks.emulator.company.sample import Sample
from vantage_quickbooks.emulator.company.store import Store
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, zone_of
from vantage_quickbooks.emulator.control import endpoints
from vantage_quickbooks.emulator.faults.injector import Delivery, FaultsOnDemand
from vantage_quickbooks.emulator.faults.latency import Latency, Spec
from vantage_quickbooks.emulator.http import response
from vantage_quickbooks.emulator.http.data_api import PREFIX, Api
from vantage_quickbooks.emulator.http.limits import Limits
from vantage_quickbooks.emulator.http.oauth_endpoints import OAuthApi
from vantage_quickbooks.emulator.http.request import Request
from vantage_quickbooks.emulator.http.request_log import Journal
from vantage_quickbooks.emulator.http.response import Answer, Trace
from vantage_quickbooks.emulator.http.server import Server
from vantage_quickbooks.emulator.json_text import decode
from vantage_quickbooks.emulator.oauth.authorization_server import OAuth, Rotation

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

_LOGGER = logging.getLogger(__name__)
_GREAT_LOAD = 20_000  # from so many records on, indexes are made after the load
_LAST_MOMENT = 32_503_680_000  # the year 3000, far from where dates end


class Emulator:
    """A local QuickBooks on a port of its own.

    Args:
        port: 0 takes a free one.

        data: A folder of saved Intuit responses, served back unchanged; None is the sample company.

        customers: How many the sample company has; None is its hand-made thirty.

        invoices: How many it has; None is sixty.

        seed: Decides the sample company, client id, secret, realm and the first refresh token.

        database: A SQLite file that keeps the company; None is a temporary one.

        rotation: `daily` (a refresh token changes after 24 hours) or `always` (at every refresh).

        previous_token_grace_s: How long a replaced refresh token still works; 0 is not at all.

        access_token_lifetime_s: Of access tokens.

        limits: True for Intuit's (500 a minute, 10 a second, 10 at once, 40 batches a minute, each company for itself),
            False for none, or some of `limits.DEFAULTS` with other numbers.

        latency: How long answers take: seconds, a distribution or several for some paths, see `latency.py`.

        host: To listen on.

    Raises:
        ValueError: The data cannot be read, or an argument is impossible.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        data: str | os.PathLike[str] | None = None,
        customers: int | None = None,
        invoices: int | None = None,
        seed: int = 1,
        database: str | os.PathLike[str] | None = None,
        rotation: Rotation = "daily",
        previous_token_grace_s: float = 0,
        access_token_lifetime_s: int = 3600,
        limits: bool | Mapping[str, int] = True,
        latency: Spec = None,
        host: str = "127.0.0.1",
    ) -> None:
        if not 0 <= port <= 65_535:
            raise ValueError("a port is a number from 0 to 65535")
        for name, number in (("customers", customers), ("invoices", invoices)):
            if number is not None and number < 0:
                raise ValueError(f"{name} cannot be less than 0")
        if data is not None and (customers is not None or invoices is not None):
            raise ValueError("a company is either loaded from data or made from numbers, not both")
        self._address = (host, port)
        self._data = Path(data) if data is not None else None
        self._database = Path(database) if database is not None else None
        self._sizes = (customers, invoices)
        self._seed = seed
        self._offset = 0.0
        self._server: Server | None = None
        self._store: Store | None = None
        self._companies: dict[str, Company] = {}
        self._opening = threading.RLock()
        self._stopping = threading.Event()
        self.realm_id = str(9_341_450_000_000_000 + 17 * seed)
        self.limits = Limits(limits, self.now)
        self.oauth = OAuth(
            seed=seed,
            realm_id=self.realm_id,
            now=self.now,
            rotation=rotation,
            previous_token_grace_s=previous_token_grace_s,
            access_token_lifetime_s=access_token_lifetime_s,
        )
        self._latency = Latency(latency, seed)
        self._orders = FaultsOnDemand(seed)
        self._api = Api(self.oauth, self.limits, self._companies.get, lambda: self._companies[self.realm_id])
        self._oauth_api = OAuthApi(self.oauth, lambda: self.url, self._names)
        self._delivery = Delivery(self._api, self.oauth, self._route, self._stopping)
        self._journal = Journal()
        self.crashes: list[str] = []  # what the emulator failed at: its own mistakes, none is expected

    # ---- life ----

    def start(self) -> Self:
        """Load the company and begin to serve.

        Returns:
            The emulator itself.

        Raises:
            ValueError: The data cannot be read.
            OSError: The port is taken, or the database cannot be opened.
        """
        if self._server is not None:
            return self
        self._stopping.clear()
        self._server = Server(self._address, self._answer, self.crashes.append)
        try:
            self._store = Store(self._database)
            self._open_companies()
        except BaseException:
            self._server.server_close()
            self._server = None
            self._close_store()
            raise
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving, close every connection, wait for every thread, and remove a temporary company.

        Raises:
            RuntimeError: A thread did not end within 30 seconds. Everything else is closed.
        """
        if self._server is None:
            return
        self._stopping.set()
        try:
            self._server.close()
        finally:
            self._server = None
            self._close_store()

    def _close_store(self) -> None:
        if self._store:
            self._store.close()
        self._store = None
        self._companies.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the emulator listens, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the emulator is not started")
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}"

    @property
    def host(self) -> str:
        """The name or address that the emulator listens on."""
        return self._address[0]

    # ---- who may come in ----

    @property
    def client_id(self) -> str:
        """The app's client id."""
        return self.oauth.client_id

    @property
    def client_secret(self) -> str:
        """The app's client secret in force."""
        return self.oauth.client_secret

    @property
    def refresh_token(self) -> str:
        """The refresh token first granted: what a person would paste into the form."""
        return self.oauth.first_refresh_token

    def settings(self) -> dict[str, str]:
        """Fill in the connector's settings for the running emulator: they lead here and nowhere else.

        Returns:
            The credentials, the environment (`emulator`) and emulator_url, its address.
        """
        return self.credentials() | {"environment": "emulator", "emulator_url": self.url}

    def credentials(self) -> dict[str, str]:
        """Fill in a settings form, or any client: what the same seed gives, wherever the emulator listens.

        Returns:
            client_id, client_secret, refresh_token (of the last grant; the first one may be revoked) and realm_id.
        """
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.oauth.granted_refresh_token,
            "realm_id": self.realm_id,
        }

    def grant(self, realm_id: str | None = None) -> str:
        """Authorize the app once more, as if a person had connected again.

        Args:
            realm_id: For this company; one not yet known gets the sample company. None is the first.

        Returns:
            The refresh token of a new chain.

        Raises:
            ValueError: The realm is no number.
        """
        realm = realm_id or self.realm_id
        self.company(realm)
        return self.oauth.grant(realm)

    def expire_access_tokens(self) -> int:
        """Let every access token expire now.

        Returns:
            How many were alive.
        """
        return self.oauth.expire_access_tokens()

    def revoke_grants(self) -> int:
        """Disconnect the app from every company, as a user can inside QuickBooks.

        Returns:
            How many grants ended.
        """
        return self.oauth.revoke_grants()

    def rotate_client_secret(self, new: str | None = None, invalidate_tokens: bool = True) -> str:
        """Change the app's secret.

        Args:
            new: The secret; None makes one.

            invalidate_tokens: Access tokens issued before stop working.

        Returns:
            The secret in force.
        """
        return self.oauth.rotate_client_secret(new, invalidate_tokens=invalidate_tokens)

    # ---- time ----

    def now(self) -> float:
        """Tell the emulator's time.

        Returns:
            Epoch seconds.
        """
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock: tokens expire, limits pass, times move.

        Args:
            seconds: Forward; less than 0 moves back.

        Raises:
            ValueError: It would leave the years 1970 to 3000.
        """
        self._move(self._offset + seconds)

    def _move(self, offset: float) -> None:
        if not 0 <= time.time() + offset <= _LAST_MOMENT:
            raise ValueError("the clock runs from 1970 to 3000")
        self._offset = offset

    def set_now(self, iso: str) -> None:
        """Set the clock.

        Args:
            iso: A time with an offset, or in UTC without one.

        Raises:
            ValueError: It is no time, or not in the years 1970 to 3000.
        """
        moment = datetime.fromisoformat(iso)
        self._move((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time())

    # ---- faults ----

    def fault(
        self,
        kind: str,
        *,
        path: str | None = None,
        method: str | None = None,
        times: int = 1,
        after: int = 0,
        chance: float = 1.0,
        **options: object,
    ) -> None:
        """Order a fault.

        Args:
            kind: One of `ondemand.KINDS`; docs/emulator.md tells what each does.

            path: Hit only requests whose path contains this; None hits all.

            method: Hit only this method; None hits all.

            times: How many requests to hit; -1 hits for ever.

            after: How many matching requests to let pass first.

            chance: Of the requests whose turn it is, the share to hit; which ones is decided by the seed.

            **options: What the kind takes.

        Raises:
            ValueError: The kind or an option is unknown or impossible.
        """
        self._orders.order(kind, path=path, method=method, times=times, after=after, chance=chance, **options)

    def faults(self) -> list[dict[str, Any]]:
        """List the faults that are ordered and not yet delivered.

        Returns:
            One dictionary each.
        """
        return self._orders.pending()

    def clear_faults(self) -> None:
        """Forget every ordered fault."""
        self._orders.clear()

    def latency(self, spec: Spec) -> None:
        """Let answers take time.

        Args:
            spec: None for none; seconds; `{"uniform": [0.1, 0.4]}`; `{"median": 0.2, "p99": 1.5}`; with `path` and
                `method` for some requests; or a list of these, of which the first that fits counts.

        Raises:
            ValueError: It is impossible.
        """
        self._latency.choose(spec)

    def limit(self, chosen: bool | Mapping[str, int]) -> None:
        """Put other limits in force.

        Args:
            chosen: True for Intuit's, False for none, or some of per_minute, per_second, concurrent,
                batches_per_minute.

        Raises:
            ValueError: A limit is unknown or no positive number.
        """
        self.limits.choose(chosen)

    # ---- what happened ----

    def counters(self) -> dict[str, Any]:
        """Count what was asked since the start or the last reset.

        Returns:
            token_requests, api_requests (with by_status), connections, max_concurrent, faults_delivered.
        """
        server = self._server
        return self._journal.counts() | {
            "connections": server.connections if server else 0,
            "max_concurrent": server.max_concurrent if server else 0,
            "faults_delivered": self._orders.delivered,
        }

    def reset_counters(self) -> None:
        """Count from nought again, and forget the requests."""
        self._journal.clear()
        self._orders.delivered = 0
        if self._server:
            with self._server.counting:
                self._server.connections = 0
                self._server.max_concurrent = self._server.running

    def requests(self) -> list[dict[str, Any]]:
        """Tell of the last thousand requests, oldest first; never of secrets.

        Returns:
            time, method, path, statement, status (0 if none was sent), intuit_tid, headers of each.
        """
        return self._journal.requests()

    def state(self) -> dict[str, Any]:
        """Describe the emulator.

        Returns:
            Addresses, clock, companies with their counts, tokens, limits, latency, faults, counters.
        """
        return {
            "url": self.url,
            "realm_id": self.realm_id,
            "client_id": self.client_id,
            "now": datetime.fromtimestamp(self.now(), UTC).isoformat(timespec="milliseconds"),
            "clock_offset_s": round(self._offset, 3),
            "seed": self._seed,
            "companies": {realm: company.counts() for realm, company in list(self._companies.items())},
            "tokens": self.oauth.state(),
            "limits": self.limits.numbers,
            "latency": self._latency.rules(),
            "faults": self.faults(),
            "counters": self.counters(),
        }

    def reset(self) -> None:
        """Bring company, tokens, clock, faults, latency, limits and counters back to the start."""
        self._orders.clear()
        self._latency.reset()
        self.limits.reset()
        self._offset = 0.0
        self.oauth.reset()
        self.reset_counters()
        with self._opening:
            if self._store and (self._store.changed or len(self._companies) > 1):
                self._store.empty()
                self._open_companies()
            for company in self._companies.values():
                company.forget_answers()

    # ---- companies ----

    def company(self, realm_id: str | None = None) -> Company:
        """Open a company.

        Args:
            realm_id: Which; one not yet known gets the sample company. None is the first.

        Returns:
            Its records and rules.

        Raises:
            ValueError: The realm is no number.
        """
        realm = realm_id or self.realm_id
        if not (realm.isascii() and realm.isdigit()):
            raise ValueError("a realm id is digits")
        with self._opening:
            if realm not in self._companies:
                store = self._need_store()
                store.load(realm, self._sample(int(realm) % 2**31, None, None).records())
                self._companies[realm] = Company(store, realm, self.now)
            return self._companies[realm]

    def create(self, entity: str, record: Mapping[str, Any], realm_id: str | None = None) -> dict[str, Any]:
        """Create a record, by the rules that the API has.

        Args:
            entity: Its name, such as `Invoice`.

            record: As the body of a request.

            realm_id: The company; None is the first.

        Returns:
            The whole record.

        Raises:
            Fault: As the API would refuse it.
        """
        return self._write(Company.create, entity, record, realm_id)

    def update(self, entity: str, record: Mapping[str, Any], realm_id: str | None = None) -> dict[str, Any]:
        """Change a record: only what is given, whatever its SyncToken.

        Args:
            entity: Its name.

            record: With the Id; `"sparse": False` and a SyncToken make it what the API would do.

            realm_id: The company; None is the first.

        Returns:
            The whole record.

        Raises:
            Fault: As the API would refuse it.
        """
        return self._write(Company.update, entity, self._seen(entity, record, realm_id), realm_id)

    def delete(self, entity: str, id: str, realm_id: str | None = None) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Delete a transaction.

        Args:
            entity: Its name.

            id: Of the record.

            realm_id: The company; None is the first.

        Returns:
            `{"domain": "QBO", "status": "Deleted", "Id": ...}`.

        Raises:
            Fault: As the API would refuse it.
        """
        return self._write(Company.delete, entity, self._seen(entity, {"Id": id}, realm_id), realm_id)

    def void(self, entity: str, id: str, realm_id: str | None = None) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Void a transaction.

        Args:
            entity: Its name.

            id: Of the record.

            realm_id: The company; None is the first.

        Returns:
            The whole record.

        Raises:
            Fault: As the API would refuse it.
        """
        return self._write(Company.void, entity, self._seen(entity, {"Id": id}, realm_id), realm_id)

    def read(self, entity: str, id: str, realm_id: str | None = None) -> dict[str, Any]:  # noqa: A002 -- Intuit's word
        """Read a record, without a request.

        Args:
            entity: Its name.

            id: Of the record.

            realm_id: The company; None is the first.

        Returns:
            The whole record.

        Raises:
            Fault: There is none.
        """
        record: dict[str, Any] = json.loads(self.company(realm_id).read(_entity(entity), id))
        return record

    def _seen(self, entity: str, record: Mapping[str, Any], realm_id: str | None) -> dict[str, Any]:
        """Add the SyncToken that is current and `sparse`, where they are not given."""
        known = self.company(realm_id).find(_entity(entity).name, str(record.get("Id"))) or {}
        return {"sparse": True, "SyncToken": known.get("SyncToken", "0")} | dict(record)

    def _write(
        self,
        rule: Callable[[Company, Entity, dict[str, Any]], str],
        entity: str,
        record: Mapping[str, Any],
        realm_id: str | None,
    ) -> dict[str, Any]:
        plain = decode(json.dumps(dict(record)))  # amounts become exact, and what is no JSON is refused
        written: dict[str, Any] = json.loads(rule(self.company(realm_id), _entity(entity), plain))
        return written

    def _need_store(self) -> Store:
        if self._store is None:
            raise RuntimeError("the emulator is not started")
        return self._store

    def _sample(self, seed: int, customers: int | None, invoices: int | None) -> Sample:
        zone = zone_of(DEFAULT_ZONE)
        return Sample(seed=seed, now=self.now(), zone=zone, customers=customers, invoices=invoices)

    def _open_companies(self) -> None:
        """Load the first company, unless the database already holds it."""
        store = self._need_store()
        if store.body(self.realm_id, "CompanyInfo", "1") is None:
            customers, invoices = self._sizes
            sample = self._sample(self._seed, customers, invoices)
            if self._data:
                store.load(self.realm_id, loader.load(self._data))
                if store.body(self.realm_id, "CompanyInfo", "1") is None:  # a folder need not hold one
                    store.load(self.realm_id, (r for r in sample.records() if r[0] == "CompanyInfo"))
            elif (customers or 0) + (invoices or 0) >= _GREAT_LOAD:
                store.load_many(self.realm_id, sample.records())
            else:
                store.load(self.realm_id, sample.records())
        realms = store.realms()
        self._companies.update({realm: Company(store, realm, self.now) for realm in realms})
        for gone in self._companies.keys() - set(realms):
            del self._companies[gone]

    def _names(self) -> dict[str, str]:
        return {realm: company.name() for realm, company in list(self._companies.items())}

    # ---- requests ----

    def _answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        now = self.now()
        request = Request(method, path, query, headers, body, Trace.begin(now), now, wait=self._stopping.wait)
        try:
            controlled = endpoints.handle(self, request)
        except Exception as error:  # noqa: BLE001 -- it is told, and the client is answered
            self._crashed(request, error)
            return Answer(500, [("content-type", "text/plain")], f"emulator: {type(error).__name__}\n".encode())
        if controlled is not None:
            return controlled
        request.delay_s = self._latency.draw(method, path)
        try:
            order = self._orders.take(method, path)
            result = self._delivery.deliver(order, request) if order else self._route(request)
            request.pause()  # unless it has waited in its place: whoever is turned away at the door waits too
        except Exception as error:  # noqa: BLE001 -- it is told, and the client is answered
            self._crashed(request, error)
            result = self._api.refuse(request, errors.system_failure(f"emulator: {type(error).__name__}"))
        self._journal.write(request, result)
        return result

    def _crashed(self, request: Request, error: Exception) -> None:
        """Tell of a mistake of ours; the tests of the emulator hold that there is none."""
        _LOGGER.error("the emulator failed at %s %s", request.method, request.path, exc_info=error)
        self.crashes.append(f"{request.method} {request.path}: {error!r}")

    def _route(self, request: Request) -> Answer:
        if request.path.startswith(PREFIX):
            return self._api.handle(request)
        found = self._oauth_api.handle(request)
        if found is not None:
            return found
        # Recorded, 2015 (minimul irregular_char.yml): what lies outside the API is a plain 404 page.
        page = b"<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n</body></html>\n"
        return response.refusal(request.trace, 404, "text/html", page)


def _entity(name: str) -> Entity:
    if name not in ENTITIES:
        raise ValueError(f"unknown entity {name!r}")
    return ENTITIES[name]


def serve(  # noqa: PLR0917 -- the order of the command line's options
    port: int = 0,
    data: str | os.PathLike[str] | None = None,
    customers: int | None = None,
    invoices: int | None = None,
    seed: int = 1,
    database: str | os.PathLike[str] | None = None,
    on_ready: Callable[[Emulator], None] | None = None,
    **options: Any,
) -> None:
    """Serve until SIGINT or SIGTERM. Call it from the main thread.

    Args:
        port: 0 takes a free one.

        data: A folder of saved Intuit responses; None is the sample company.

        customers: How many the sample company has.

        invoices: How many it has.

        seed: Decides the sample company and the credentials.

        database: A SQLite file that keeps the company.

        on_ready: Called with the emulator once it serves.

        **options: Whatever else `Emulator` takes.

    Raises:
        ValueError: The data cannot be read, or an argument is impossible.
        OSError: The port is taken, or the database cannot be written.
    """
    done = threading.Event()
    kept = {number: signal.signal(number, lambda *_: done.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Emulator(
            port, data=data, customers=customers, invoices=invoices, seed=seed, database=database, **options
        ) as emulator:
            if on_ready is not None:
                on_ready(emulator)
            done.wait()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
