"""The ASGI application: routes, middleware, error pages."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vantage_quickbooks.web.action_pages import ActionPages
from vantage_quickbooks.web.api import Api, store_failure
from vantage_quickbooks.web.connection_pages import ConnectionPages
from vantage_quickbooks.web.dashboard_pages import DashboardPages
from vantage_quickbooks.web.dashboards import Dashboards
from vantage_quickbooks.web.health import HealthMiddleware, WebMetrics
from vantage_quickbooks.web.list_pages import ListPages
from vantage_quickbooks.web.live_pages import LivePages
from vantage_quickbooks.web.lookups import Lookups
from vantage_quickbooks.web.oauth import OAuthFlows
from vantage_quickbooks.web.reconnect import ReconnectPages
from vantage_quickbooks.web.record_pages import RecordPages
from vantage_quickbooks.web.report_pages import ReportPages
from vantage_quickbooks.web.result_pages import EXPIRED, ResultPages
from vantage_quickbooks.web.rows import ResultExpired, ResultFiles, ResultsError
from vantage_quickbooks.web.runs import Runs
from vantage_quickbooks.web.security import CALLBACK_PATH, RECONNECT_PATH, SecurityMiddleware
from vantage_quickbooks.web.store import StoreError
from vantage_quickbooks.web.sync_exports import ExportPages
from vantage_quickbooks.web.sync_pages import SyncPages
from vantage_quickbooks.web.templating import NotFound, Templates, on_not_found, on_store_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.requests import Request
    from starlette.responses import Response

    from vantage_quickbooks.web.host import Host
    from vantage_quickbooks.web.security import Sessions

__all__ = ["make_app"]


def make_app(host: Host, sessions: Sessions) -> Starlette:
    """Return the ASGI application.

    Args:
        host: The connectors and connections.
        sessions: The access key and the sessions.
    """
    runs, templates, lookups = Runs(host, ResultFiles()), Templates(), Lookups(host)
    dashboards = Dashboards(host)

    metrics = WebMetrics(host, runs)
    host.add_plugin(metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        dashboards.close()
        runs.close()
        host.close()

    flows = OAuthFlows(host, sessions.base_url + CALLBACK_PATH)
    connections = ConnectionPages(host, runs, templates, flows, sessions, dashboards)
    return Starlette(
        routes=[
            *_connection_routes(connections),
            *_dashboard_routes(DashboardPages(host, runs, templates, dashboards)),
            *_reconnect_routes(ReconnectPages(host, runs, templates, connections.start_flow)),
            *_sync_routes(SyncPages(host, runs, templates), ExportPages(host, runs, templates)),
            *_action_routes(ActionPages(host, runs, templates, lookups)),
            *_list_routes(ListPages(host, runs, templates, lookups), RecordPages(host, runs, templates)),
            *_report_routes(ReportPages(host, runs, templates, lookups)),
            *_result_routes(ResultPages(host, runs, templates, lookups)),
            *_live_routes(LivePages(host, sessions)),
            *Api(host, runs, sessions.base_url).routes(),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[
            Middleware(HealthMiddleware, metrics=metrics, sessions=sessions),
            Middleware(
                SecurityMiddleware,
                sessions=sessions,
                refuse=templates.message,
                ask_key=templates.sign_in,
                again=templates.again,
            ),
        ],
        exception_handlers=_error_pages(templates),
        lifespan=lifespan,
    )


def _connection_routes(pages: ConnectionPages) -> list[Route]:
    connector, connection, post = "/connectors/{connector}", "/connections/{connection}", ["POST"]
    return [
        Route("/", pages.home),
        Route(f"{connector}/new", pages.new),
        Route(f"{connector}/new", pages.create, methods=post),
        Route(connection, pages.connection),
        Route(f"{connection}/settings", pages.settings),
        Route(f"{connection}/settings", pages.save, methods=post),
        Route(f"{connection}/connect", pages.connect, methods=post),
        Route(f"{connection}/disconnect", pages.ask_disconnect),
        Route(f"{connection}/disconnect", pages.disconnect, methods=post),
        Route(f"{connection}/test", pages.test, methods=post),
        Route(f"{connection}/remove", pages.ask_remove),
        Route(f"{connection}/remove", pages.remove, methods=post),
        Route(CALLBACK_PATH, pages.callback),
    ]


def _dashboard_routes(pages: DashboardPages) -> list[Route]:
    dashboard = "/connections/{connection}/dashboard"
    return [
        Route(dashboard, pages.show),
        Route(f"{dashboard}/refresh", pages.refresh, methods=["POST"]),
        Route(f"{dashboard}/{{source}}", pages.rows),
    ]


def _reconnect_routes(pages: ReconnectPages) -> list[Route]:
    connection = "/connections/{connection}"
    return [
        Route(RECONNECT_PATH, pages.find),
        Route(f"{connection}/reconnect", pages.start),
        Route(f"{connection}/state", pages.state),
    ]


def _sync_routes(syncs: SyncPages, exports: ExportPages) -> list[Route]:
    connection, post = "/connections/{connection}", ["POST"]
    return [
        Route(f"{connection}/sync", syncs.start, methods=post),
        Route(f"{connection}/export", exports.show),
        Route(f"{connection}/export", exports.start, methods=post),
        Route("/runs/{run}/file", exports.file),
    ]


def _action_routes(pages: ActionPages) -> list[Route]:
    action = "/connections/{connection}/actions/{action}"
    return [
        Route(action, pages.action),
        Route(action, pages.submit, methods=["POST"]),
        Route(f"{action}/options/{{field}}", pages.options),
    ]


def _list_routes(lists: ListPages, records: RecordPages) -> list[Route]:
    connection = "/connections/{connection}"
    return [
        Route(f"{connection}/lists/{{action}}", lists.show),
        Route(f"{connection}/lists/{{action}}/refresh", lists.refresh, methods=["POST"]),
        Route(f"{connection}/records/{{action}}", records.show),
        Route(f"{connection}/records/{{action}}/summary", records.summary),
    ]


def _live_routes(pages: LivePages) -> list[Route]:
    return [Route("/events", pages.of_all), Route("/connections/{connection}/events", pages.of_connection)]


def _report_routes(pages: ReportPages) -> list[Route]:
    reports = "/connections/{connection}/reports"
    return [
        Route(reports, pages.index),
        Route(f"{reports}/{{action}}", pages.show),
        Route(f"{reports}/{{action}}/refresh", pages.refresh, methods=["POST"]),
    ]


def _result_routes(pages: ResultPages) -> list[Route]:
    post = ["POST"]
    return [
        Route("/runs/{run}", pages.result),
        Route("/runs/{run}/status", pages.status),
        Route("/runs/{run}/again", pages.again, methods=post),
        Route("/runs/{run}/cancel", pages.cancel, methods=post),
        Route("/runs/{run}/reveal", pages.reveal, methods=post),
        Route("/runs/{run}/download.{kind}", pages.download),
    ]


def _error_pages(templates: Templates) -> dict[Any, Any]:
    def not_found(_: Request, error: Exception) -> Response:
        return on_not_found(templates, error if isinstance(error, NotFound) else NotFound("This page does not exist."))

    def expired(_: Request, _error: Exception) -> Response:
        return on_not_found(templates, NotFound(EXPIRED))

    def store_failed(request: Request, error: Exception) -> Response:
        failure = cast("StoreError", error)
        is_api = request.url.path.startswith("/api/")
        return store_failure(failure) if is_api else on_store_error(templates, failure)

    def results_failed(_: Request, error: Exception) -> Response:
        return templates.message(500, "The result cannot be shown", str(error))

    def internal_error(_: Request, error: Exception) -> Response:
        text = f"The server failed because of a bug ({type(error).__name__}). The terminal shows the location."
        return templates.message(500, "Internal error", text)

    return {
        NotFound: not_found,
        404: not_found,
        ResultExpired: expired,
        ResultsError: results_failed,
        StoreError: store_failed,
        500: internal_error,
    }
