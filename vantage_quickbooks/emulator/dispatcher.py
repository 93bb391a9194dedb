"""Routes every request: to the control endpoints, an injected fault, the data API or OAuth."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.control import endpoints
from vantage_quickbooks.emulator.faults.responder import FaultResponder
from vantage_quickbooks.emulator.http import response
from vantage_quickbooks.emulator.http.attachments import FILES_PREFIX
from vantage_quickbooks.emulator.http.data_api import PREFIX, DataApi
from vantage_quickbooks.emulator.http.oauth_endpoints import OAuthEndpoints
from vantage_quickbooks.emulator.http.request import Request
from vantage_quickbooks.emulator.http.response import Response, Trace

if TYPE_CHECKING:
    import threading

    from vantage_quickbooks.emulator.company.companies import Companies
    from vantage_quickbooks.emulator.faults.injector import FaultInjector
    from vantage_quickbooks.emulator.faults.latency import Latency
    from vantage_quickbooks.emulator.http.request_log import RequestLog
    from vantage_quickbooks.emulator.world import World

_LOGGER = logging.getLogger(__name__)
# Recorded, 2015 (minimul irregular_char.yml): a path outside the API is a plain 404 page.
_NOT_FOUND_PAGE = b"<html><head>\n<title>404 Not Found</title>\n</head><body>\n<h1>Not Found</h1>\n</body></html>\n"


class Dispatcher:
    """Answers the requests of one server.

    Args:
        world: The state.
        companies: The world's companies.
        faults: The world's fault rules.
        latency: The world's latency.
        request_log: The world's request log.
        stopping: Set when the server stops; ends every wait.
    """

    def __init__(
        self,
        world: World,
        *,
        companies: Companies,
        faults: FaultInjector,
        latency: Latency,
        request_log: RequestLog,
        stopping: threading.Event,
    ) -> None:
        self._world = world
        self._faults = faults
        self._latency = latency
        self._request_log = request_log
        self._stopping = stopping
        self._api = DataApi(world.oauth, world.limits, companies.find, world.company, lambda: world.profile)
        self._oauth = OAuthEndpoints(
            world.oauth,
            lambda: world.url,
            lambda: {realm: company.name() for realm, company in companies.all().items()},
        )
        self._responder = FaultResponder(self._api, world.oauth, self._route, stopping)

    def __call__(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Response:
        """Respond to a request; a defect of the emulator becomes a response with status 500."""
        now = self._world.now()
        request = Request(method, path, query, headers, body, Trace.begin(now), now, wait=self._stopping.wait)
        try:
            controlled = endpoints.handle(self._world, request)
        except Exception as error:  # noqa: BLE001 -- recorded as a crash, and the client gets a response
            self._record_crash(request, error)
            return Response(500, [("content-type", "text/plain")], f"emulator: {type(error).__name__}\n".encode())
        if controlled is not None:
            return controlled
        request.delay_s = self._latency.draw(method, path)
        try:
            rule = self._faults.take(method, path)
            result = self._responder.respond(rule, request) if rule else self._route(request)
            request.pause()  # does nothing if the data API has waited already
        except Exception as error:  # noqa: BLE001 -- recorded as a crash, and the client gets a response
            self._record_crash(request, error)
            result = self._api.refuse(request, errors.system_failure(f"emulator: {type(error).__name__}"))
        self._request_log.record(request, result)
        if path.startswith(PREFIX):
            self._world.count_for_scenario()  # before the response is sent: its client sees what the steps changed
        return result

    def _record_crash(self, request: Request, error: Exception) -> None:
        _LOGGER.error("the emulator failed at %s %s", request.method, request.path, exc_info=error)
        self._world.crashes.append(f"{request.method} {request.path}: {error!r}")

    def _route(self, request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return self._api.handle(request)
        if request.path.startswith(FILES_PREFIX) and request.method in ("GET", "HEAD"):
            return self._api.attachments.serve(request)
        found = self._oauth.handle(request)
        return found or response.refusal(request.trace, 404, "text/html", _NOT_FOUND_PAGE)
