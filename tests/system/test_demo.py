"""`vantage-quickbooks demo` in a separate process, and with injected failures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from vantage_quickbooks.cli import demo, demo_report, main
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("vantage-quickbooks")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The demo, run once in a separate process, with its output piped."""
    state = tmp_path_factory.mktemp("state")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VANTAGE_") and key != "COLUMNS"}
    found = subprocess.run(
        [PROGRAM, "demo"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=kept | {"XDG_STATE_HOME": str(state), "HOME": str(state)},
    )
    return found, state


def test_demo__ends_by_itself_and_well(played):
    found, _ = played
    assert (found.returncode, found.stderr) == (0, "")
    assert " checks passed in " in found.stdout


WITHOUT = """
import sys
from vantage_quickbooks.cli import main
sys.modules.update(dict.fromkeys({blocked!r}))
sys.argv = ["vantage-quickbooks", "demo"]
main()
"""


def test_demo__runs_on_what_make_demo_installs(tmp_path):
    makefile, project = ((ROOT / name).read_text() for name in ("Makefile", "pyproject.toml"))
    installed = re.search(r"^demo: \.venv/\.(\S+)", makefile, re.MULTILINE)[1].split(",")
    extras = tomllib.loads(project)["project"]["optional-dependencies"]
    packages = {name: {re.match(r"[\w-]+", line)[0].lower() for line in lines} for name, lines in extras.items()}
    others = set().union(*packages.values()) - set().union(*(packages[name] for name in installed))
    blocked = [
        module
        for module, names in packages_distributions().items()
        if any(name.lower() in others - {"vantage-quickbooks"} for name in names)
    ]
    assert {"pyarrow", "msgspec", "sqlalchemy"} <= set(blocked)
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(blocked=blocked)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_demo__discovers_the_plugin_by_its_entry_point(played):
    assert 'pluggy.PluginManager("vantage") loaded' in played[0].stdout
    said = " ".join(played[0].stdout.split())
    assert "The first: listCustomers, listInvoices, getCompanyInfo, getAccessToken." in said


def test_demo__shows_a_wrong_form_with_its_hints(played):
    for text in (
        "Client Secret is missing.",
        "Did you mean environment?",
        "All 4 errors are reported at once",
        "The corrected form is valid",
    ):
        assert text in played[0].stdout


def test_demo__shows_company_customers_invoices_and_sums(played):
    shown = played[0].stdout
    for text in (
        "Juniper & Finch Garden Works LLC",
        "nadia@alderstreet.example",
        "Outstanding",
        "overdue",
        "partly paid",
        "CAD, EUR, USD",
        "25 + 25 + 10",
    ):
        assert text in shown


def test_demo__shows_what_the_token_did(played):
    shown = played[0].stdout
    assert re.search(r"accessToken +eyJ…\(\d+ characters\)", shown)
    assert "The second call returned the same token from memory" in shown
    statuses = re.findall(r"^  (?:GET|POST) .* (\d{3})$", shown, flags=re.MULTILINE)
    assert statuses == ["401", "200", "200"]
    assert "4 threads found the token expired at once: one refreshed it, all calls succeeded." in shown
    assert re.search(r"(\d+) API calls; QuickBooks received \1\.", shown)


def test_demo__shows_failures_as_the_host_sees_them(played):
    assert '"code": "INPUT_INVALID"' in played[0].stdout
    assert '"code": "REAUTHORIZATION_REQUIRED"' in played[0].stdout


def test_demo__fits_100_columns_and_has_no_colour_when_piped(played):
    shown = played[0].stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown


def test_demo__does_not_depend_on_the_number_of_actions(monkeypatch, capsys):
    described = QUICKBOOKS.describe()
    described["actions"].append(described["actions"][0] | {"id": "listWidgets"})
    monkeypatch.setattr(type(QUICKBOOKS), "describe", lambda _, **__: described)
    assert main(["demo"]) == 0
    assert f"It registered QuickBooks Online, {len(described['actions'])} actions." in capsys.readouterr().out


def test_demo__shows_no_secret_and_leaves_nothing_behind(played):
    found, state = played
    form = Emulator().credentials()  # the same seed gives the same
    for secret in (form["client_secret"], form["refresh_token"]):
        assert secret not in found.stdout
    assert not re.search(r"eyJ[\w-]{20}|RT1-", found.stdout)
    assert list(state.iterdir()) == []


def test_demo__a_failed_check_is_exit_status_1(monkeypatch, capsys):
    monkeypatch.setattr(Emulator, "expire_access_tokens", lambda _: 0)
    assert main(["demo"]) == 1
    assert "Check failed: The request was refused, the token refreshed once" in capsys.readouterr().out


def test_demo__an_action_that_fails_is_exit_status_1(monkeypatch, capsys):
    monkeypatch.setattr(demo, "SHOWN", 3)
    section = demo_report.DemoRun.section

    def sabotage(self, title):
        section(self, title)
        if title == "listInvoices":
            self.emulator.revoke_grants()

    monkeypatch.setattr(demo_report.DemoRun, "section", sabotage)
    assert main(["demo"]) == 1
    assert "listInvoices: REAUTHORIZATION_REQUIRED" in " ".join(capsys.readouterr().out.split())
