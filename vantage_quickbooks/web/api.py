"""What programs see: the host's envelope over HTTP, for the things that the pages do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vantage_quickbooks.contract import envelope
from vantage_quickbooks.web.openapi import describe_api
from vantage_quickbooks.web.runs import failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record

__all__ = ["Api"]

STATUSES = {
    "SETTINGS_INVALID": 422,
    "INPUT_INVALID": 422,
    "ACTION_NOT_FOUND": 404,
    "CONNECTOR_NOT_FOUND": 404,
    "CONNECTION_NOT_FOUND": 404,
    "BODY_INVALID": 400,
    "AUTHENTICATION_FAILED": 424,
    "REAUTHORIZATION_REQUIRED": 424,
    "PERMISSION_DENIED": 403,
    "RESOURCE_NOT_FOUND": 404,
    "RATE_LIMITED": 429,
    "REQUEST_REJECTED": 400,
    "SERVICE_UNAVAILABLE": 503,
    "NETWORK_ERROR": 502,
    "DEADLINE_EXCEEDED": 504,
    "CANCELLED": 409,
    "RESPONSE_UNEXPECTED": 502,
    "RESULT_INCOMPLETE": 502,
    "INTERNAL_ERROR": 500,
}
"""HTTP status of each error code; of others 502. Not 401: the caller's own key was right, the provider's is not."""


class Api:
    """The routes under `/api`.

    Args:
        host: Knows connectors and connections.
        runs: Makes calls.
        base_url: Where this is served.
    """

    def __init__(self, host: Host, runs: Runs, base_url: str) -> None:
        self._host = host
        self._runs = runs
        self._base_url = base_url

    def routes(self) -> list[Route]:
        """Return which path goes where."""
        return [
            Route("/api/openapi.json", self.openapi),
            Route("/api/connectors", self.connectors),
            Route("/api/connectors/{connector}", self.connector),
            Route("/api/connectors/{connector}/validate", self.validate, methods=["POST"]),
            Route("/api/connections", self.connections),
            Route("/api/connections/{connection}/test", self.test, methods=["POST"]),
            Route("/api/connections/{connection}/call/{action}", self.call, methods=["POST"]),
        ]

    def openapi(self, _: Request) -> Response:
        """Describe this API."""
        return JSONResponse(describe_api(self._host, self._base_url))

    def connectors(self, _: Request) -> Response:
        """List connectors, without their schemas."""
        kept = ("id", "displayName", "version", "category", "description")
        listed = [
            {name: self._host.describe(key).get(name) for name in kept}
            | {"actions": [action["id"] for action in self._host.describe(key)["actions"]]}
            for key in self._host.connectors
        ]
        return _success({"connectors": listed})

    def connector(self, request: Request) -> Response:
        """Describe a connector."""
        key = request.path_params["connector"]
        if key not in self._host.connectors:
            return self._no_connector()
        return _success(self._host.describe(key))

    async def validate(self, request: Request) -> Response:
        """Check a settings form's data."""
        connector = self._host.connectors.get(request.path_params["connector"])
        if connector is None:
            return self._no_connector()
        try:
            data = _object(await request.body())
        except ValueError as error:
            return _failure("BODY_INVALID", str(error))
        return _success(await run_in_threadpool(connector.validate, data))

    def connections(self, _: Request) -> Response:
        """List connections, without their settings."""
        listed = [
            {
                "id": record.id,
                "connector": record.connector,
                "name": record.name,
                "ready": (state := self._host.state(record)) == "ready",
                "state": state,
            }
            for record in self._host.records()
        ]
        return _success({"connections": listed})

    async def test(self, request: Request) -> Response:
        """Prove a connection by the cheapest real calls."""
        record = self._host.record(request.path_params["connection"])
        if record is None:
            return self._no_connection()
        return await run_in_threadpool(self._test, record)

    def _test(self, record: Record) -> Response:
        try:
            return _success(self._runs.test(record))
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            return _answer(envelope(error=failure(error)))

    async def call(self, request: Request) -> Response:
        """Call an action; the body is its input."""
        record = self._host.record(request.path_params["connection"])
        if record is None:
            return self._no_connection()
        action_id = request.path_params["action"]
        if self._host.action(record.connector, action_id) is None:
            known = ", ".join(action["id"] for action in self._host.describe(record.connector)["actions"])
            return _failure("ACTION_NOT_FOUND", f"There is no such action; there are {known}.")
        try:
            data = _object(await request.body())
        except ValueError as error:
            return _failure("BODY_INVALID", str(error))
        return _answer(await run_in_threadpool(self._runs.call, record, action_id, data))

    def _no_connector(self) -> Response:
        known = ", ".join(self._host.connectors)
        return _failure("CONNECTOR_NOT_FOUND", f"There is no such connector; there are {known}.")

    @staticmethod
    def _no_connection() -> Response:
        return _failure("CONNECTION_NOT_FOUND", "There is no such connection; GET /api/connections lists them.")


def _object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; no body is an empty one."""
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise ValueError("The body must be a JSON object.")
    return value


def _success(data: Mapping[str, Any]) -> Response:
    return _answer(envelope(data=data))


def _failure(code: str, message: str) -> Response:
    return _answer(envelope(error={"code": code, "message": message}))


def _answer(outcome: Mapping[str, Any]) -> Response:
    status = 200 if outcome["success"] else STATUSES.get(outcome["error"]["code"], 502)
    wait = None if outcome["success"] else outcome["error"].get("retryAfter")
    headers = {"Retry-After": str(max(1, round(wait)))} if wait else None
    return JSONResponse(outcome, status, headers)
