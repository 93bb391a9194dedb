"""The HTTP API: envelopes for everything that the pages can do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vantage_quickbooks.contract import envelope
from vantage_quickbooks.web.connection_list import state_of
from vantage_quickbooks.web.events import CHANGES
from vantage_quickbooks.web.failures import error_of
from vantage_quickbooks.web.openapi import describe_api

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.runs import Runs
    from vantage_quickbooks.web.store import Record, StoreError

__all__ = ["Api", "store_failure"]

STATUSES = {
    "SETTINGS_INVALID": 422,
    "INPUT_INVALID": 422,
    "ACTION_NOT_FOUND": 404,
    "CONNECTOR_NOT_FOUND": 404,
    "CONNECTION_NOT_FOUND": 404,
    "CONNECTION_DAMAGED": 422,
    "REGISTRY_UNAVAILABLE": 503,
    "REGISTRY_INVALID": 500,
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
"""HTTP status by error code; 502 for others. 401 is for the caller's own key, so a refusal by the provider is 424."""


_SCHEMAS = {"inputSchema", "inputForm", "outputSchema"}


class Api:
    """The routes under `/api`.

    Args:
        host: The connectors and connections.
        runs: Calls actions.
        base_url: The URL of this server.
    """

    def __init__(self, host: Host, runs: Runs, base_url: str) -> None:
        self._host = host
        self._runs = runs
        self._base_url = base_url

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/openapi.json", self.openapi),
            Route("/api/connectors", self.connectors),
            Route("/api/connectors/{connector}", self.connector),
            Route("/api/connectors/{connector}/actions/{action}", self.action),
            Route("/api/connectors/{connector}/validate", self.validate, methods=["POST"]),
            Route("/api/connections", self.connections),
            Route("/api/connections/{connection}", self.status),
            Route("/api/connections/{connection}/test", self.test, methods=["POST"]),
            Route("/api/connections/{connection}/changes", self.changes, methods=["POST"]),
            Route("/api/connections/{connection}/call/{action}", self.call, methods=["POST"]),
            Route("/api/connections/{connection}/estimate/{action}", self.estimate, methods=["POST"]),
        ]

    def openapi(self, request: Request) -> Response:
        """Describe this API: all actions, or those of `?connection=`, `?group=` or `?action=`."""
        only = {name: request.query_params.get(name) for name in ("connection", "group", "action")}
        return JSONResponse(describe_api(self._host, self._base_url, **only))

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
        """Describe a connector; with `?schemas=false` without the schemas and forms of its actions."""
        key = request.path_params["connector"]
        if key not in self._host.connectors:
            return self._no_connector()
        if request.query_params.get("schemas") != "false":
            return _success(self._host.describe_in_full(key))
        actions = [
            {name: value for name, value in action.items() if name not in _SCHEMAS}
            for action in self._host.describe(key)["actions"]
        ]
        return _success(self._host.describe(key) | {"actions": actions})

    def action(self, request: Request) -> Response:
        """Describe an action with its schemas and form."""
        key = request.path_params["connector"]
        if key not in self._host.connectors:
            return self._no_connector()
        action = self._host.action(key, request.path_params["action"])
        return self._no_action(key) if action is None else _success(action)

    async def validate(self, request: Request) -> Response:
        """Validate settings."""
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
        found, failures = self._host.listed()
        for failure in failures:
            raise failure
        listed = [
            {
                "id": item.id,
                "connector": item.connector,
                "name": item.name,
                "ready": item.state == "ready",
                "state": state_of(item),
            }
            | ({"error": item.error.to_dict()} if item.error else {})
            | ({"throttledUntil": item.throttled.until.isoformat(timespec="seconds")} if item.throttled else {})
            | ({"reconnectUrl": self._reconnect_url(item.id)} if item.state == "refused" else {})
            for item in found
        ]
        return _success({"connections": listed})

    def _reconnect_url(self, connection_id: str) -> str:
        return f"{self._base_url}/connections/{connection_id}/reconnect"

    def status(self, request: Request) -> Response:
        """Return the state of a connection, and what its connector knows of it without a request."""
        record = self._host.record(request.path_params["connection"])
        if record is None:
            return self._no_connection()
        known = self._host.status(record)
        last, throttled = self._host.syncs.latest().get(record.id), self._host.throttled(record.id)
        state: str = self._host.state(record)
        found: dict[str, Any] = {
            "id": record.id,
            "connector": record.connector,
            "name": record.name,
            "ready": state == "ready",
            "state": "throttled" if state == "ready" and throttled else state,
            "status": known,
            "lastSync": last.to_dict() if last else None,
        }
        found |= {"throttledUntil": throttled.until.isoformat(timespec="seconds")} if throttled else {}
        found |= {"reconnectUrl": self._reconnect_url(record.id)} if state == "refused" else {}
        return _success(found)

    async def test(self, request: Request) -> Response:
        """Test a connection."""
        record = await run_in_threadpool(self._host.record, request.path_params["connection"])
        if record is None:
            return self._no_connection()
        return await run_in_threadpool(self._test, record)

    def _test(self, record: Record) -> Response:
        try:
            return _success(self._runs.test(record))
        except Exception as error:  # noqa: BLE001 -- a connector may fail in any way
            return _response(envelope(error=error_of(error)))

    def changes(self, request: Request) -> Response:
        """Learn from another program that records of a company changed, such as from a sync."""
        connection_id = request.path_params["connection"]
        if self._host.record(connection_id) is None:
            return self._no_connection()
        self._host.events.publish(connection_id, CHANGES)
        return _success({"pages": self._host.events.subscribers_of(connection_id)})

    async def call(self, request: Request) -> Response:
        """Call an action; the body is its input."""
        record = await run_in_threadpool(self._host.record, request.path_params["connection"])
        if record is None:
            return self._no_connection()
        return await self._for_action(request, record, self._runs.call)

    async def estimate(self, request: Request) -> Response:
        """Estimate a full read of an action; the body is its input."""
        record = await run_in_threadpool(self._host.record, request.path_params["connection"])
        if record is None:
            return self._no_connection()
        if not await run_in_threadpool(self._host.offers, record.connector, "estimate", record):
            return _failure("ACTION_NOT_FOUND", "This connector cannot estimate a full read.")
        return await self._for_action(request, record, self._runs.estimate)

    async def _for_action(
        self, request: Request, record: Record, method: Callable[[Record, str, Mapping[str, Any]], dict[str, Any]]
    ) -> Response:
        action_id = request.path_params["action"]
        if self._host.action(record.connector, action_id) is None:
            return self._no_action(record.connector)
        try:
            data = _object(await request.body())
        except ValueError as error:
            return _failure("BODY_INVALID", str(error))
        return _response(await run_in_threadpool(method, record, action_id, data))

    def _no_action(self, connector_id: str) -> Response:
        known = ", ".join(action["id"] for action in self._host.describe(connector_id)["actions"])
        return _failure("ACTION_NOT_FOUND", f"Unknown action. Known actions: {known}.")

    def _no_connector(self) -> Response:
        known = ", ".join(self._host.connectors)
        return _failure("CONNECTOR_NOT_FOUND", f"Unknown connector. Known connectors: {known}.")

    @staticmethod
    def _no_connection() -> Response:
        return _failure("CONNECTION_NOT_FOUND", "Unknown connection. GET /api/connections lists the connections.")


def _object(body: bytes) -> dict[str, Any]:
    """Return the body as a JSON object; an empty body is an empty object."""
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise ValueError("The body must be a JSON object.")
    return value


def store_failure(error: StoreError) -> Response:
    """Return the envelope for a store that cannot be used."""
    members = error.error.to_dict() if error.error else {"code": "INTERNAL_ERROR", "message": str(error)}
    return _response(envelope(error=members))


def _success(data: Mapping[str, Any]) -> Response:
    return _response(envelope(data=data))


def _failure(code: str, message: str) -> Response:
    return _response(envelope(error={"code": code, "message": message}))


def _response(outcome: Mapping[str, Any]) -> Response:
    status = 200 if outcome["success"] else _error_status(outcome["error"])
    wait = None if outcome["success"] else outcome["error"].get("retryAfter")
    headers = {"Retry-After": str(max(1, round(wait)))} if wait else None
    return JSONResponse(outcome, status, headers)


def _error_status(error: Mapping[str, Any]) -> int:
    if error["code"] == "RESULT_INCOMPLETE" and not error["retryable"]:
        return 422  # the input allows too few API calls
    return STATUSES.get(error["code"], 502)
