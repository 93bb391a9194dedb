"""A running site on the emulator, a plain HTTP client for it, and a real browser."""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

import pytest
import requests
from loaded_pages import loaded_pages
from registries import KEY
from running_site import Client, Site
from sharing import signed_in

from vantage_quickbooks.cli.web_connections import RegistryConnections
from vantage_quickbooks.registry import open_registry

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = "axe-core@4.14.1"


@pytest.fixture
def serve(tmp_path):
    """Start sites: `serve(plugins=...)`."""
    made = []

    def start(plugins=(), directory=None, shared=None, sync_target=None):
        made.append(Site(directory or tmp_path / "web", plugins, shared, sync_target=sync_target))
        return made[-1]

    yield start
    for site in made:
        site.close()


@pytest.fixture
def site(serve, emulator, monkeypatch):
    """A site whose QuickBooks is the emulator, with the sample company connected as `demo`."""
    for name in ("API_URL", "OAUTH_URL"):
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", emulator.url)
    running = serve()
    running.host.save("quickbooks", "Garden Works", emulator.credentials(), "demo")
    return running


@pytest.fixture
def client(site):
    """A signed-in client."""
    opened = Client(site)
    assert opened.get(f"/?key={site.sessions.access_key}").status_code == 200
    opened.get("/connections/demo/settings")  # not its page, whose dashboard would call QuickBooks
    yield opened
    opened.close()


@pytest.fixture
def api(site):
    """Call the API: `api("POST", path, json=...)`."""

    def call(method, path, **kwargs):
        headers = {"Authorization": f"Bearer {site.sessions.access_key}", **kwargs.pop("headers", {})}
        return requests.request(method, site.url + path, headers=headers, timeout=60, **kwargs)

    return call


@pytest.fixture
def shared_environment(monkeypatch, tmp_path, emulator):
    """Make this process and the command line use the emulator, the same registry and the same token store."""
    variables = {
        "API_URL": emulator.url,
        "OAUTH_URL": emulator.url,
        "TOKEN_STORE": str(tmp_path / "tokens.sqlite3"),
        "REGISTRY": str(tmp_path / "companies"),
        "TOKEN_KEY": KEY,
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"VANTAGE_QUICKBOOKS_{name}", value)


@pytest.fixture
def registry(shared_environment):  # noqa: ARG001 -- names the registry
    """The registry of the environment, an empty folder."""
    return open_registry()


@pytest.fixture
def shared_site(serve, registry):
    """A site that uses the registry, as `vantage-quickbooks serve` does."""
    return serve(shared={"quickbooks": RegistryConnections(registry)})


@pytest.fixture
def shared_client(shared_site):
    """A signed-in client of such a site."""
    opened = signed_in(shared_site)
    yield opened
    opened.close()


# ---- browser ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium, headless. Module scope: its event loop must not outlive the module."""
    if CHROMIUM is None:
        pytest.skip("!!! NO PAGE WAS SEEN: as root, apt-get install chromium !!!")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright, loaded_pages():
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser, request):
    """Open signed-in browser pages, of `site` by default; errors are in `page.problems`."""
    contexts = []

    def open_one(width=1280, height=900, site=None, **kwargs):
        site = site or request.getfixturevalue("site")
        context = browser.new_context(viewport={"width": width, "height": height}, **kwargs)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("console", lambda said: "Content Security Policy" in said.text and page.problems.append(said.text))
        page.on("request", lambda asked: _is_foreign(asked.url) and page.problems.append(asked.url))
        page.goto(site.sessions.sign_in_url)
        return page

    yield open_one
    for context in contexts:
        context.close()


def _is_foreign(url):
    return not re.match(r"http://(localhost|127\.0\.0\.1)[:/]|data:", url)


@pytest.fixture(scope="session")
def axe(npm):
    """The accessibility checker: `axe.problems(page)`."""
    source = (npm(AXE) / "axe-core/axe.min.js").read_text()

    def problems(page):
        # Through the debugger, not as a script of the page: the site's policy refuses that, as it should.
        page.evaluate(source)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [(item["id"], [node["target"] for node in item["nodes"]][:3]) for item in result["violations"]]

    return SimpleNamespace(problems=problems)
