"""The official MCP client, for synchronous tests, and companies for it."""

from __future__ import annotations

import json

import anyio
from mcp import Client

from vantage_quickbooks.adapters.mcp.companies import Companies
from vantage_quickbooks.adapters.mcp.results import Results
from vantage_quickbooks.adapters.mcp.server import make_server
from vantage_quickbooks.adapters.mcp.tools import Session
from vantage_quickbooks.registry import open_registry

ZULU = "9341450000000999"


def settings_of(emulator, realm_id=None):
    """Return settings of a company of an emulator; a new one has sample data of its own."""
    if realm_id is None:
        return emulator.settings()
    emulator.company(realm_id)
    emulator.update("CompanyInfo", {"Id": "1", "CompanyName": "Zulu Trading"}, realm_id)
    return emulator.settings() | {"realm_id": realm_id, "refresh_token": emulator.grant(realm_id)}


def two_companies(emulator, folder):
    """Return a registry of two companies of one emulator."""
    registry = open_registry(folder)
    registry.add("acme", settings_of(emulator), "Acme Ltd")
    registry.add("zulu", settings_of(emulator, ZULU))
    return registry


def run_client(server, talk, **options):
    """Run a conversation; what it raises is raised as it is, not in an exception group."""
    failures = []

    async def serve():
        async with Client(server, **options) as client:
            try:
                return await talk(client)
            except Exception as error:  # noqa: BLE001 -- raised below
                failures.append(error)

    found = anyio.run(serve)
    if failures:
        raise failures[0]
    return found


class Agent:
    """Talks to a server in this process, over all steps of the protocol but the transport."""

    def __init__(self, registry, results=None):
        self.session = Session(Companies(registry), results or Results())
        self.said = []

    def close(self):
        self.session.companies.close()
        self.session.results.close()

    def run(self, talk, **options):
        return run_client(make_server(self.session), talk, **options)

    def call(self, tool, **arguments):
        """Return the result of a tool; its text is the JSON of its structured content."""
        result = self.run(lambda client: client.call_tool(tool, arguments))
        assert json.loads(text_of(result)) == result.structured_content
        self.said.append(text_of(result))
        return result

    def ask(self, tool, **arguments):
        """Return the data of an answer."""
        result = self.call(tool, **arguments)
        assert not result.is_error, text_of(result)
        return result.structured_content

    def fail(self, tool, **arguments):
        """Return the error of a failure."""
        result = self.call(tool, **arguments)
        assert result.is_error, text_of(result)
        return result.structured_content["error"]


def text_of(result):
    return result.content[0].text


def rows_of(table):
    """Return the rows of a table as objects."""
    return [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
