"""What the tests of connections that are shared with the command line have in common."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import requests
from running_site import Client, Site

from vantage_quickbooks.cli.web_connections import RegistryConnections
from vantage_quickbooks.cli.web_webhooks import PATH, receiving

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
PHONE = {"width": 390, "height": 844, "is_mobile": True, "has_touch": True}


@contextlib.contextmanager
def receiving_site(registry, emulator, directory):
    """A site that uses a registry and receives the webhooks of the emulator, as `vantage-quickbooks serve` does."""
    with contextlib.ExitStack() as stack:

        def make_mounts(host):
            tokens = [emulator.webhooks.verifier_token]
            return {PATH: stack.enter_context(receiving(host, registry, tokens, directory / "inbox.sqlite3"))}

        running = Site(directory / "web", shared={"quickbooks": RegistryConnections(registry)}, make_mounts=make_mounts)
        stack.callback(running.close)
        emulator.subscribe(running.url + PATH, merge_s=0)
        yield running


def api(site, method, path, **kwargs):
    headers = {"Authorization": f"Bearer {site.sessions.access_key}"}
    return requests.request(method, site.url + path, headers=headers, timeout=60, **kwargs)


def run(*args):
    """Run the command line in a process of its own; return its standard output."""
    found = subprocess.run([*PROGRAM, *args], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stderr
    return found.stdout


def fill(page, form, names=("client_id", "client_secret")):
    for name in names:
        page.fill(f"#field-{name}", form[name])


def create(client, form, **fields):
    data = {"name": "Garden Works", "intent": "save", **{f"field-{name}": value for name, value in form.items()}}
    return client.post("/connectors/quickbooks/new", data | fields)


def give_consent(client, emulator, path, decision="approve"):
    """Press Connect on a page, and decide at the emulator."""
    client.get(path)
    bounce = client.post(f"{path}/connect")
    url = re.search(r'url=([^"]+)"', bounce.text)[1].replace("&amp;", "&")
    return decide(client, emulator, url, decision)


def decide(client, emulator, url, decision="approve"):
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    data = {**asked, "realm": emulator.realm_id, "decision": decision}
    answer = requests.post(url.split("?")[0], data=data, timeout=60, allow_redirects=False)
    return client.get(answer.headers["location"].removeprefix(client.site.url))


def signed_in(site):
    opened = Client(site)
    assert opened.get(f"/?key={site.sessions.access_key}").status_code == 200
    opened.get("/connectors/quickbooks/new")
    return opened
