"""Which path goes where."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vantage_quickbooks.web.api import Api
from vantage_quickbooks.web.oauth import OAuthFlows
from vantage_quickbooks.web.pages import Pages
from vantage_quickbooks.web.results import GONE
from vantage_quickbooks.web.rows import ResultExpired, ResultFiles, ResultsError
from vantage_quickbooks.web.runs import Runs
from vantage_quickbooks.web.security import CALLBACK_PATH, SecurityMiddleware
from vantage_quickbooks.web.store import StoreError
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
        host: Knows connectors and connections.
        sessions: Knows who may come in.
    """
    runs = Runs(host, ResultFiles())
    templates = Templates()
    pages = Pages(host, runs, OAuthFlows(host, sessions.base_url + CALLBACK_PATH), sessions, templates)
    post = ["POST"]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        runs.close()
        host.close()

    def not_found(_: Request, error: Exception) -> Response:
        told = error if isinstance(error, NotFound) else NotFound("There is no such page.")
        return on_not_found(templates, told)

    def gone(_: Request, _error: Exception) -> Response:
        return on_not_found(templates, NotFound(GONE))

    def store_failed(_: Request, error: Exception) -> Response:
        return on_store_error(templates, cast("StoreError", error))

    def rows_failed(_: Request, error: Exception) -> Response:
        return templates.message(500, "The result cannot be shown", str(error))

    def defect(_: Request, error: Exception) -> Response:
        text = f"The server failed by a defect of its own ({type(error).__name__}). The terminal has its place."
        return templates.message(500, "Something went wrong here", text)

    connection = "/connections/{connection}"
    handlers: dict[Any, Any] = {
        NotFound: not_found,
        404: not_found,
        ResultExpired: gone,
        ResultsError: rows_failed,
        StoreError: store_failed,
        500: defect,
    }
    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/connectors/{connector}/new", pages.new),
            Route("/connectors/{connector}/new", pages.create, methods=post),
            Route(connection, pages.connection),
            Route(f"{connection}/settings", pages.settings),
            Route(f"{connection}/settings", pages.save, methods=post),
            Route(f"{connection}/connect", pages.connect, methods=post),
            Route(f"{connection}/disconnect", pages.ask_disconnect),
            Route(f"{connection}/disconnect", pages.disconnect, methods=post),
            Route(f"{connection}/test", pages.test, methods=post),
            Route(f"{connection}/remove", pages.ask_remove),
            Route(f"{connection}/remove", pages.remove, methods=post),
            Route(f"{connection}/actions/{{action}}", pages.action),
            Route(f"{connection}/actions/{{action}}", pages.run, methods=post),
            Route("/runs/{run}", pages.result),
            Route("/runs/{run}/status", pages.status),
            Route("/runs/{run}/cancel", pages.cancel, methods=post),
            Route("/runs/{run}/reveal", pages.reveal, methods=post),
            Route("/runs/{run}/download.{kind}", pages.download),
            Route(CALLBACK_PATH, pages.callback),
            *Api(host, runs, sessions.base_url).routes(),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[Middleware(SecurityMiddleware, sessions=sessions, refuse=templates.message)],
        exception_handlers=handlers,
        lifespan=lifespan,
    )
