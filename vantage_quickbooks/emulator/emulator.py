"""The emulator as one object: a world and the server that gives access to it."""

from __future__ import annotations

import queue
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

from vantage_quickbooks.emulator.company.companies import Companies
from vantage_quickbooks.emulator.dispatcher import Dispatcher
from vantage_quickbooks.emulator.faults.latency import Latency
from vantage_quickbooks.emulator.http.limits import Limits
from vantage_quickbooks.emulator.http.server import Server
from vantage_quickbooks.emulator.oauth.authorization_server import AuthorizationServer
from vantage_quickbooks.emulator.scenario import Scenario
from vantage_quickbooks.emulator.world import World, dated

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from vantage_quickbooks.emulator.faults.latency import Spec
    from vantage_quickbooks.emulator.http.limits import LimitsChoice
    from vantage_quickbooks.emulator.oauth.authorization_server import Rotation


class Emulator(World):
    """A local QuickBooks on its own port.

    Args:
        port: 0 takes a free one.
        data: A folder of saved Intuit responses, served byte for byte; None generates a sample company.
        customers: The sample company's number of customers; None is 30, written by hand.
        invoices: The sample company's number of invoices; None is 60.
        seed: Decides the sample company, client id, client secret, realm id and the first refresh token.
        database: A SQLite file that keeps the company; None is a temporary one.
        rotation: `daily` (a refresh token changes after 24 hours) or `always` (with every refresh).
        previous_token_grace_s: Seconds for which a replaced refresh token still works.
        access_token_lifetime_s: Seconds for which an access token is valid.
        limits: True for 500 requests a minute, 10 at once and 40 batches a minute, per company; `strict` for 10
            requests a second in addition; False for none; or a mapping that overrides some of `limits.DEFAULTS`.
        latency: How long responses take: seconds, a distribution, or rules for some paths; see faults/latency.py.
        as_of: A date or time, ISO 8601: the clock starts there, and QuickBooks answers as it does then; see profile.py.
            None is today, by the machine's clock.
        scenario: A scenario file, or its data, played at the start and after each reset; see scenario.py.
        webhooks: Addresses that get signed notifications of every change; see webhooks/webhooks.py.
        host: The address to listen on.

    Raises:
        ValueError: An argument is invalid, or the scenario is.
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
        limits: LimitsChoice = True,
        latency: Spec = None,
        as_of: str | None = None,
        scenario: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        webhooks: Sequence[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        if not 0 <= port <= 65_535:
            raise ValueError("a port is a number from 0 to 65535")
        clock, profile = dated(as_of)
        realm_id = str(9_341_450_000_000_000 + 17 * seed)
        companies = Companies(
            realm_id=realm_id,
            now=clock.now,
            seed=seed,
            data=data,
            customers=customers,
            invoices=invoices,
            database=database,
            on_changes=self._publish,
        )
        oauth = AuthorizationServer(
            seed=seed,
            realm_id=realm_id,
            now=clock.now,
            rotation=rotation,
            previous_token_grace_s=previous_token_grace_s,
            access_token_lifetime_s=access_token_lifetime_s,
        )
        super().__init__(
            seed=seed,
            realm_id=realm_id,
            clock=clock,
            profile=profile,
            companies=companies,
            oauth=oauth,
            limits=Limits(limits, clock.now),
            latency=Latency(latency, seed),
            address=(host, port),
            webhooks=webhooks,
            scenario=None if scenario is None else Scenario.load(scenario),
        )
        self._server: Server | None = None
        self._stopping = threading.Event()
        self._dispatcher = Dispatcher(
            self,
            companies=companies,
            faults=self._faults,
            latency=self._latency,
            request_log=self._request_log,
            stopping=self._stopping,
        )

    def start(self) -> Self:
        """Load the company and begin to serve.

        Returns:
            The emulator itself.

        Raises:
            ValueError: The data cannot be read, or a step of the scenario cannot be executed.
            OSError: The port is taken, or the database cannot be opened.
        """
        if self._server is not None:
            return self
        self._stopping.clear()
        self.webhooks.open()
        server = Server(self._address, self._dispatcher, self.crashes.append, self._connections, self._clock.now)
        try:
            self._companies.open()
            if self._scenario_at_start:
                self.play(self._scenario_at_start)
        except BaseException:
            server.server_close()
            self._companies.close()
            raise
        self._server, self._url = server, server.url
        server.start()
        return self

    def stop(self) -> None:
        """Stop serving, close every connection, wait for every thread, and remove a temporary company.

        Raises:
            RuntimeError: A thread did not end within 30 seconds. Everything else is closed.
        """
        if self._server is None:
            return
        self._stopping.set()
        self.webhooks.close()
        try:
            self._server.close()
        finally:
            self._server = self._url = None
            self._connections.reset()
            self._companies.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(port: int = 0, *, on_ready: Callable[[Emulator], None] | None = None, **options: Any) -> None:
    """Serve until SIGINT or SIGTERM. Call it from the main thread.

    Args:
        port: 0 takes a free one.
        on_ready: Called with the emulator once it serves.
        **options: The other arguments of `Emulator`.

    Raises:
        ValueError: The data cannot be read, or an argument is invalid.
        OSError: The port is taken, or the database cannot be written.
    """
    # An Event would deadlock: a handler that runs while the main thread enters `wait` takes the same lock. The queue's
    # `put` may run in a signal handler (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    previous = {
        number: signal.signal(number, lambda received, _: signals.put(received))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with Emulator(port, **options) as emulator:
            if on_ready is not None:
                on_ready(emulator)
            signals.get()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
