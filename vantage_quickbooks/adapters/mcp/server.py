"""Offers the tools and resources over the official SDK, whatever the transport.

Theory of operation
1. The SDK negotiates the protocol version, 2024-11-05 to the newest that it knows, and runs several requests at once.
2. The connector blocks, so each tool call runs in a worker thread. If the client cancels it, the handler ends at
   once, and the thread as soon as it checks: before its next request, and while it waits.
3. A failure is a result with `isError`, so that the model reads it: code, message, hint, and whether to retry.
"""

from __future__ import annotations

import functools
import math
import threading
import traceback
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import anyio
import anyio.from_thread
import anyio.to_thread
import mcp_types as types
import orjson
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from vantage_quickbooks.adapters.mcp.companies import RunningCall
from vantage_quickbooks.adapters.mcp.entities import find_entity
from vantage_quickbooks.adapters.mcp.errors import error_of
from vantage_quickbooks.adapters.mcp.tools import INSTRUCTIONS, TOOLS, Answer, Session, Tool, company_info, run_tool
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.errors import ConnectorError, InternalError
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.streams.memory import MemoryObjectReceiveStream
    from mcp.server.context import ServerRequestContext

__all__ = ["make_server", "serve_stdio"]

T = TypeVar("T")

_log = get_logger(__name__)

MAX_CALLS = 32
"""Tool calls at once; further ones wait. Each company's rate limits apply besides."""

_PAGE = 100
"""Resources of one page of the list."""

_MAX_READ_BYTES = 64 * 2**20
"""Size of a saved result that can be read as a resource."""

SCHEME = "quickbooks"
_COMPANY, _SCHEMA, _RESULT = "companies", "schemas", "results"


def make_server(session: Session) -> Server[Any]:
    """Return a server of the tools and resources."""
    handlers = _Handlers(session)
    return Server(
        "vantage-quickbooks",
        title="QuickBooks Online",
        version=version("vantage-quickbooks"),
        instructions=INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_resource_templates,
        on_read_resource=handlers.read_resource,
    )


def serve_stdio(session: Session) -> None:
    """Serve one client over standard input and output, until it closes standard input."""

    async def serve() -> None:
        server = make_server(session)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(serve)


class _Handlers:
    """Handles the requests of all clients of a server."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tools = [_describe(tool) for tool in TOOLS.values()]
        self._limiter: anyio.CapacityLimiter | None = None

    async def list_tools(
        self, _context: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._tools)

    async def call_tool(
        self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"There is no tool {params.name[:60]!r}.")
        try:
            answer: Answer = await self._run(context, run_tool, tool, self._session, params.arguments)
        except ConnectorError as error:
            _log.info("%s failed: %s", tool.name, error.code)
            return _result({"error": error_of(error)}, is_error=True)
        _log.info("%s: %s API calls", tool.name, answer.data.get("apiCalls", 0))
        return _result(answer.data, answer)

    async def list_resources(
        self, context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        start = _offset(params.cursor if params else None)
        entries = await self._resource(context, self._session.companies.entries)
        found = [
            types.Resource(
                uri=_uri(_COMPANY, entry.id),
                name=entry.label or entry.id,
                description="Company information",
                mime_type="application/json",
            )
            for entry in entries
            if entry.error is None
        ]
        found += [
            types.Resource(
                uri=_uri(_RESULT, file.name), name=file.name, description=file.title, mime_type=file.media_type
            )
            for file in self._session.results.list()
        ]
        following = str(start + _PAGE) if len(found) > start + _PAGE else None
        return types.ListResourcesResult(resources=found[start : start + _PAGE], next_cursor=following)

    async def list_resource_templates(
        self, _context: ServerRequestContext[Any, Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        templates = {
            f"{SCHEME}://{_COMPANY}/{{company}}": ("company", "Company information"),
            f"{SCHEME}://{_SCHEMA}/{{entity}}": ("schema", "JSON Schemas of the actions of an entity"),
        }
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(uri_template=uri, name=name, description=text, mime_type="application/json")
                for uri, (name, text) in templates.items()
            ]
        )

    async def read_resource(
        self, context: ServerRequestContext[Any, Any], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        scheme, _, path = str(params.uri).partition("://")
        kind, _, name = path.partition("/")
        name = unquote(name)
        read = {_COMPANY: self._read_company, _SCHEMA: self._read_schema, _RESULT: self._read_result}.get(kind)
        if scheme != SCHEME or read is None or not name:
            raise _not_found(str(params.uri))
        media_type, text = await self._resource(context, read, name)
        content = types.TextResourceContents(uri=str(params.uri), mime_type=media_type, text=text)
        return types.ReadResourceResult(contents=[content])

    def _read_company(self, name: str) -> tuple[str, str]:
        return "application/json", _json(company_info(self._session, name))

    def _read_schema(self, name: str) -> tuple[str, str]:
        entity = find_entity(name)
        actions = {
            action_id: {part: described[part] for part in ("inputSchema", "outputSchema")}
            for action_id in (entity.list_id, entity.get_id)
            if action_id and (described := QUICKBOOKS.describe_action(action_id))
        }
        return "application/json", _json({"entity": entity.resource.entity, "actions": actions})

    def _read_result(self, name: str) -> tuple[str, str]:
        file = self._session.results.find(name)
        if file is None:
            raise _not_found(_uri(_RESULT, name[:100]))
        if file.path.stat().st_size > _MAX_READ_BYTES:
            raise MCPError(types.INVALID_PARAMS, f"The result is too large to be sent. It is in the file {file.path}.")
        return file.media_type, file.path.read_text(encoding="utf-8")

    async def _resource(self, context: ServerRequestContext[Any, Any], run: Callable[..., T], *arguments: Any) -> T:
        """Run a function for a resource; resources have no results with `isError`, so a failure is an error."""
        try:
            return await self._run(context, run, *arguments)
        except ConnectorError as error:
            raise MCPError(types.INVALID_PARAMS, error.message, error_of(error)) from None

    async def _run(self, context: ServerRequestContext[Any, Any], run: Callable[..., T], *arguments: Any) -> T:
        """Run a function of the connector in a thread; report its progress, and end it if the client cancels.

        Raises:
            ConnectorError: The function failed.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(MAX_CALLS)
        cancelled = threading.Event()
        send, receive = anyio.create_memory_object_stream[tuple[int, int | None]](math.inf)

        def report(done: int, total: int | None) -> None:
            if not cancelled.is_set():
                anyio.from_thread.run_sync(send.send_nowait, (done, total))

        call = RunningCall(cancelled.is_set, report)
        outcome: list[T | ConnectorError] = []
        try:
            async with anyio.create_task_group() as tasks, send:
                tasks.start_soon(_forward_progress, context, receive)
                work = functools.partial(_attempt, call, run, *arguments)
                outcome.append(await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter))
                send.close()
        finally:
            cancelled.set()
        if isinstance(outcome[0], ConnectorError):
            raise outcome[0]
        return outcome[0]


def _attempt(call: RunningCall, run: Callable[..., T], *arguments: Any) -> T | ConnectorError:
    """Return what a function returns, or its failure: one that is raised would be wrapped in an exception group."""
    try:
        with call.active():
            return run(*arguments)
    except MCPError:
        raise
    except ConnectorError as error:
        return error.without_traceback()
    except Exception as error:  # noqa: BLE001 -- the agent gets an error that it knows
        frame = traceback.extract_tb(error.__traceback__)[-1]  # an unforeseen message could contain a secret
        _log.error("a tool failed because of a bug: %s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
    return InternalError("The server failed because of a bug. Tell the user to report it with the server's log.")


async def _forward_progress(
    context: ServerRequestContext[Any, Any], reports: MemoryObjectReceiveStream[tuple[int, int | None]]
) -> None:
    """Send progress to the client, if it asked for it. It must increase with each notification (the specification)."""
    latest = -1
    async with reports:
        async for done, total in reports:
            if done > latest:
                latest = done
                text = f"{done:,} records" if total is None else f"{done:,} of {total:,} records"
                await context.session.report_progress(done, total, text)


def _describe(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(read_only_hint=True),
    )


def _result(data: dict[str, Any], answer: Answer | None = None, *, is_error: bool = False) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(text=_json(data))]
    file = answer.file if answer else None
    if file is not None:
        content.append(
            types.ResourceLink(
                uri=_uri(_RESULT, file.name), name=file.name, description=file.title, mime_type=file.media_type
            )
        )
    return types.CallToolResult(content=content, structured_content=data, is_error=is_error)


def _json(data: Any) -> str:
    return orjson.dumps(data).decode()


def _uri(kind: str, name: str) -> str:
    return f"{SCHEME}://{kind}/{name}"


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise MCPError(types.INVALID_PARAMS, "The cursor is not valid.")
    return int(cursor)


def _not_found(uri: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, f"There is no resource {uri[:120]}.")
