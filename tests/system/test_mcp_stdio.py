"""The MCP server as a process over stdio, with the official client and with older versions by hand."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess

import pytest
from leak_checks import assert_none
from mcp import StdioServerParameters
from mcp_client import PROGRAM, TOOLS, ZULU, check, converse, rows_of, run_client, server_environment, settings_of

from vantage_quickbooks.emulator import Emulator

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def books():
    with Emulator(limits=False) as running:
        yield running


@pytest.fixture
def environment(tmp_path, books):
    return server_environment(books, tmp_path)


def stdio(environment, *options):
    return StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], *options], env=environment)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_over_stdio(environment, books, mode):
    check(run_client(stdio(environment), converse, mode=mode), books)


def test_one_company_of_a_settings_file(environment, books, tmp_path):
    target = tmp_path / "one.json"
    target.write_text(json.dumps(settings_of(books, ZULU)))

    async def talk(client):
        return await client.call_tool("company_info", {}), await client.call_tool("companies", {})

    info, companies = run_client(stdio(environment, "--settings", str(target)), talk)
    assert info.structured_content["companyInfo"]["CompanyName"] == books.company(ZULU).name()
    assert [row["company"] for row in rows_of(companies.structured_content)] == ["default"]


class Raw:
    """Speaks JSON-RPC line by line, as any client may."""

    def __init__(self, process):
        self.process = process
        self.number = 0

    def send(self, method, params=None, *, is_request=True):
        message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
        if is_request:
            self.number += 1
            message["id"] = self.number
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return self.number

    def receive(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, method, params=None):
        number = self.send(method, params)
        answer = self.receive()
        assert answer["id"] == number
        return answer["error"] if "error" in answer else answer["result"]

    def call(self, tool, **arguments):
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def initialize(self, version):
        client = {"name": "by-hand", "version": "1"}
        result = self.ask("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": client})
        self.send("notifications/initialized", is_request=False)
        return result


@contextlib.contextmanager
def raw(environment, *options):
    with subprocess.Popen(
        [*PROGRAM, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    ) as process:  # fmt: skip
        try:
            yield Raw(process)
        finally:
            process.kill()


@pytest.mark.parametrize("version", ["2025-06-18", "2024-11-05"])
def test_older_versions_of_the_protocol(environment, version):
    with raw(environment) as client:
        hello = client.initialize(version)
        assert hello["protocolVersion"] == version
        assert hello["serverInfo"]["name"] == "vantage-quickbooks"
        assert "metered" in hello["instructions"]
        assert {tool["name"] for tool in client.ask("tools/list")["tools"]} == TOOLS
        result = client.call("list", company="acme", entity="Invoice", filters={"status": "overdue"})
        assert json.loads(result["content"][0]["text"])["shown"] == "13 of 13"
        assert client.call("nothing")["code"] == -32602
        assert client.call("list", company="acme", entity="x")["isError"] is True
        rest, logged = client.process.communicate(timeout=30)  # closes standard input
        assert (rest, logged, client.process.returncode) == ("", "", 0)


def test_secrets_are_neither_on_stdout_nor_in_the_log(environment, tmp_path):
    held = json.loads((tmp_path / "registry" / "acme.json").read_text())
    secrets = {name: held[name] for name in ("client_secret", "refresh_token")}
    with raw(environment, "--verbose") as client:
        client.initialize("2025-06-18")
        client.call("company_info", company="acme")
        client.call("get", company="acme", entity="Invoice")
        said, logged = client.process.communicate(timeout=30)
    assert "company_info: " in logged
    assert "get failed: INPUT_INVALID" in logged
    assert_none(said + logged, secrets)
    assert "Bearer" not in logged


def test_a_call_that_the_client_cancels_ends_and_is_not_answered(environment):
    """Throttled, it would wait for a minute; and the process would wait for its thread."""
    with Emulator(limits=False) as books, raw(environment | {"VANTAGE_QUICKBOOKS_EMULATOR_URL": books.url}) as client:
        client.initialize("2025-06-18")
        assert client.call("company_info", company="acme").get("isError") is False
        books.fault("throttle", path="/v3/", times=-1, retry_after=100)
        number = client.send("tools/call", {"name": "summary", "arguments": {"company": "acme", "entity": "Invoice"}})
        while not books.counters()["faults_delivered"]:
            assert client.ask("ping") == {}
        client.send("notifications/cancelled", {"requestId": number, "reason": "no longer needed"}, is_request=False)
        assert client.call("explain")["isError"] is False  # the answer to the next request, and none before it
        rest, _ = client.process.communicate(timeout=30)
        assert (rest, client.process.returncode) == ("", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_although_standard_input_is_open(environment, tmp_path, number):
    with raw(environment) as client:
        client.initialize("2025-06-18")
        client.call("list", company="acme", entity="Bill", save="csv")
        assert list(tmp_path.glob("vantage-quickbooks-mcp-*/bill-1.csv"))
        client.process.send_signal(number)
        assert client.process.wait(30) == 0
        assert client.process.stderr.read() == ""
        assert not list(tmp_path.glob("vantage-quickbooks-mcp-*"))
