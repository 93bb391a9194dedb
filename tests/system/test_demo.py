"""`vantage-quickbooks demo`, as a newcomer runs it."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vantage_quickbooks.cli import demo, main, stage
from vantage_quickbooks.emulator import Emulator

pytestmark = pytest.mark.system

PROGRAM = Path(sys.executable).with_name("vantage-quickbooks")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The demo, played once in a process of its own, piped."""
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
    assert "claims, all of them checked" in found.stdout


def test_demo__discovers_the_plugin_by_its_entry_point(played):
    assert 'pluggy.PluginManager("vantage") loaded' in played[0].stdout
    assert "It registered QuickBooks Online: listCustomers, listInvoices, getCompanyInfo, getAccessToken." in (
        played[0].stdout
    )


def test_demo__shows_a_wrong_form_with_its_mends(played):
    for text in ("Client Secret is missing.", "Did you mean environment?", "all 4 mistakes at once", "The right form"):
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
    assert "The second use got the same token from memory" in shown
    statuses = re.findall(r"^  (?:GET|POST) .* (\d{3})$", shown, flags=re.MULTILINE)
    assert statuses == ["401", "200", "200"]
    assert re.search(r"getCompanyInfo, token expired +success +200 +401 200 ", shown)


def test_demo__shows_failures_as_the_host_sees_them(played):
    assert '"code": "INPUT_INVALID"' in played[0].stdout
    assert '"code": "REAUTHORIZATION_REQUIRED"' in played[0].stdout


def test_demo__fits_100_columns_and_has_no_colour_when_piped(played):
    shown = played[0].stdout
    assert max(map(len, shown.splitlines())) <= 100
    assert "\x1b" not in shown


def test_demo__fits_100_columns_on_a_slow_machine(monkeypatch, capsys):
    clock = itertools.count(step=12_345.6)  # seconds, a step's length each
    monkeypatch.setattr(stage, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["demo"]) == 0
    shown = capsys.readouterr().out
    assert " 12345600\n" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_demo__shows_no_secret_and_leaves_nothing_behind(played):
    found, state = played
    form = Emulator().credentials()  # the same seed gives the same
    for secret in (form["client_secret"], form["refresh_token"]):
        assert secret not in found.stdout
    assert not re.search(r"eyJ[\w-]{20}|RT1-", found.stdout)
    assert list(state.iterdir()) == []


def test_demo__a_claim_that_does_not_hold_is_exit_status_1(monkeypatch, capsys):
    monkeypatch.setattr(Emulator, "expire_access_tokens", lambda _: 0)
    assert main(["demo"]) == 1
    assert "This does not hold, and the demo ends here: Refused, refreshed once" in capsys.readouterr().out


def test_demo__an_action_that_fails_is_exit_status_1(monkeypatch, capsys):
    monkeypatch.setattr(demo, "SHOWN", 3)
    chapter = stage.Stage.chapter

    def sabotage(self, title):
        chapter(self, title)
        if title == "listInvoices":
            self.emulator.revoke_grants()

    monkeypatch.setattr(stage.Stage, "chapter", sabotage)
    assert main(["demo"]) == 1
    assert "listInvoices: REAUTHORIZATION_REQUIRED" in " ".join(capsys.readouterr().out.split())
