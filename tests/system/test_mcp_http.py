"""The MCP server as a process over HTTP, with the official client; and the options of the command."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_client import PROGRAM, check, converse, server_environment

from vantage_quickbooks.cli import main
from vantage_quickbooks.emulator import Emulator

TOKEN = "a-token-of-the-operators"

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def books():
    with Emulator(limits=False) as running:
        yield running


@pytest.fixture
def environment(tmp_path, books):
    return server_environment(books, tmp_path)


@contextlib.contextmanager
def served(environment, *options):
    """A server over HTTP: its URL, what it printed, and the process."""
    with subprocess.Popen(
        [*PROGRAM, "--http", "--port", "0", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        try:
            printed = ""
            while "token" not in printed:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                printed += line
            yield re.search(r"http://127\.0\.0\.1:\d+/mcp", printed)[0], printed, process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory, books):
    """One server over HTTP for several tests; its token is in the environment."""
    environment = server_environment(books, tmp_path_factory.mktemp("site"))
    with served(environment | {"VANTAGE_QUICKBOOKS_MCP_TOKEN": TOKEN}) as (url, printed, _):
        assert TOKEN not in printed
        yield url


def over_http(url, talk, token=TOKEN, **options):
    async def run():
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, **options) as client:
                return await talk(client)

    return anyio.run(run)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_over_http(site, books, mode):
    check(over_http(site, converse, mode=mode), books)


def test_clients_over_http_are_served_at_the_same_time(site):
    async def talk(client):
        found = []

        async def one(company):
            found.append(await client.call_tool("list", {"company": company, "entity": "Invoice", "limit": 1}))

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(one, ("acme", "zulu")[number % 2])
        return found

    found = over_http(site, talk)
    assert [item.structured_content["shown"] for item in found] == ["1 of 60"] * 10


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}}  # fmt: skip
MODERN = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def post(url, body=HELLO, **headers):
    base = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {TOKEN}"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    merged = {name: value for name, value in (base | given).items() if value is not None}
    return httpx2.post(url, json=body, headers=merged, timeout=30)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer \u00fc".encode()}, 401),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [None, "2026-07-28"])
def test_who_may_send_a_request(site, headers, status, version):
    """The checks hold for every version of the protocol and every path."""
    modern = {} if version is None else {"MCP_Protocol_Version": version}
    answer = post(site, HELLO if version is None else MODERN, **modern, **headers)
    assert (answer.status_code == status) if status != 200 or version is None else answer.status_code in {200, 400}
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    if status != 200:
        assert "jsonrpc" not in answer.text
        assert post(site.replace("/mcp", "/other"), **headers).status_code == status


@pytest.mark.parametrize("version", ["2025-11-25", "2025-03-26", "2024-11-05"])
def test_older_versions_over_http(site, version):
    hello = HELLO | {"params": HELLO["params"] | {"protocolVersion": version}}
    assert f'"protocolVersion":"{version}"' in post(site, hello).text


def test_the_origin_of_this_server_and_its_other_name_are_allowed(site):
    other = site.replace("127.0.0.1", "localhost")
    assert post(site, Origin=other.removesuffix("/mcp"), Host=other.split("/")[2]).status_code == 200


def test_a_new_token_is_printed_once_and_ctrl_c_ends_the_server(environment, tmp_path):
    with served(environment) as (url, printed, process):
        (token,) = re.findall(r"token  (\S+)", printed)
        assert len(token) >= 40

        async def talk(client):
            await client.call_tool("list", {"company": "acme", "entity": "Invoice", "save": "csv"})
            return await client.call_tool("companies", {})

        assert over_http(url, talk, token).structured_content["shown"] == "2 of 2"
        assert list(tmp_path.glob("vantage-quickbooks-mcp-*/invoice-1.csv"))
        process.send_signal(signal.SIGINT)
        rest, logged = process.communicate(timeout=30)
        assert (process.returncode, rest) == (0, "")
        assert token not in logged
        assert not list(tmp_path.glob("vantage-quickbooks-mcp-*"))


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_call_over_http_that_the_client_cancels_ends(environment, mode):
    """A thread that still waited for the end of throttling would keep the process from ending."""
    variables = {"VANTAGE_QUICKBOOKS_MCP_TOKEN": TOKEN}
    with Emulator(limits=False) as books:
        variables["VANTAGE_QUICKBOOKS_EMULATOR_URL"] = books.url
        with served(environment | variables) as (url, _, process):

            async def talk(client):
                async def until_refused():
                    while not books.counters()["faults_delivered"]:  # noqa: ASYNC110 -- the emulator has no event
                        await anyio.sleep(0.01)
                    tasks.cancel_scope.cancel()

                await client.call_tool("company_info", {"company": "acme"})
                books.fault("throttle", path="/v3/", times=-1, retry_after=100)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(until_refused)
                    await client.call_tool("summary", {"company": "acme", "entity": "Invoice"})
                return await client.call_tool("explain", {})

            assert not over_http(url, talk, mode=mode).is_error
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode == 0


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def refused(capsys):
    """Run the command in this process; return what it printed, after it refused its options."""

    def run(*args, status=2):
        assert main(["mcp", *map(str, args)]) == status
        out, err = capsys.readouterr()
        assert out == ""
        return err

    return run


@pytest.mark.parametrize("content", ["short", "two words of a token", "", "\u00fc" * 20])
def test_a_token_that_is_not_one_is_refused(refused, tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content)
    printed = refused("--http", "--token-file", file)
    assert "must have at least 16 visible ASCII characters" in printed
    assert not content or content not in printed


def test_a_token_of_the_environment_is_checked_too(refused, monkeypatch):
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_MCP_TOKEN", "short")
    assert "The token in VANTAGE_QUICKBOOKS_MCP_TOKEN must have" in refused("--http")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--token-file", "x"], "--token-file needs --http"),
        (["--http", "--token-file", "/nonexistent/token"], "cannot be read"),
        (["--settings", "a.json", "--registry", "b"], "cannot be combined"),
        (["--settings", "/nonexistent.json"], "/nonexistent.json"),
        (["--settings", "-"], "--settings - needs --http"),
        (["--port", "99999"], "from 0 to 65535"),
        (["--registry", "postgresql://u:p@h/d"], "password"),
    ],
)  # fmt: skip
def test_options_that_are_wrong(refused, options, message):
    assert message in refused(*options)


def test_settings_and_registries_that_cannot_be_used(refused, tmp_path):
    file = tmp_path / "s.json"
    file.write_text('{"client_id": "x"}')
    printed = refused("--settings", file, status=1)
    assert printed.startswith("SETTINGS_INVALID")
    assert "refresh_token" in printed
    assert refused("--registry", f"sqlite:///{tmp_path}/r.db", status=1).startswith("REGISTRY_INVALID")


def test_a_token_file_and_a_port_in_use(environment, tmp_path, refused):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with served(environment, "--token-file", str(file)) as (url, printed, _):
        assert TOKEN not in printed
        assert post(url).status_code == 200
        port = url.split(":")[2].split("/")[0]
        assert f"Port {port} is in use." in refused("--http", "--port", port)


def test_without_the_extra_the_message_has_the_command(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert "pip install 'vantage-quickbooks[mcp]'" in refused()
