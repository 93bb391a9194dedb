"""The official MCP client, for synchronous tests, and companies for it."""

from __future__ import annotations

import json
import os
import sys

import anyio
from mcp import Client

from vantage_quickbooks.adapters.mcp.companies import Companies
from vantage_quickbooks.adapters.mcp.results import Results
from vantage_quickbooks.adapters.mcp.server import make_server
from vantage_quickbooks.adapters.mcp.tools import Session
from vantage_quickbooks.registry import open_registry

ZULU = "9341450000000999"
PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())", "mcp"]
TOOLS = {"companies", "company_info", "find", "list", "summary", "get", "changes", "query", "report", "explain"}


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


def server_environment(emulator, folder):
    """Return the environment of a server of two companies."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VANTAGE_")}
    two_companies(emulator, folder / "registry").close()
    return kept | {
        "XDG_STATE_HOME": str(folder / "state"),
        "TMPDIR": str(folder),
        "VANTAGE_QUICKBOOKS_REGISTRY": str(folder / "registry"),
    }


async def converse(client):
    """Use what every client uses."""
    tools = {tool.name for tool in (await client.list_tools()).tools}
    companies = (await client.call_tool("companies", {})).structured_content
    found = await client.call_tool("list", {"company": "zulu", "entity": "Invoice", "limit": 2})
    error = await client.call_tool("list", {"company": "zulu", "entity": "Nothing"})
    company = await client.read_resource("quickbooks://companies/acme")
    seen = []

    async def progress(done, total, _message):
        seen.append((done, total))

    total = await client.call_tool("summary", {"company": "acme", "entity": "Bill"}, progress_callback=progress)
    return tools, companies, found, error, company, total, seen


def check(said, emulator):
    tools, companies, found, error, company, total, seen = said
    assert tools == TOOLS
    assert [row["company"] for row in rows_of(companies)] == ["acme", "zulu"]
    assert found.structured_content["shown"] == "2 of 60"
    assert error.is_error
    assert error.structured_content["error"]["fields"] == ["entity"]
    assert json.loads(company.contents[0].text)["companyInfo"]["CompanyName"] == emulator.company().name()
    count = sum(entry["count"] for entry in total.structured_content["totals"])
    assert seen == [(count, count)]
