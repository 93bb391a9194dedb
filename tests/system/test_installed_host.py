"""The wheel in a fresh environment, with a host that names no connector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
HOST = Path(__file__).parent / "host_package"
OTHER = Path(__file__).parent / "connector_package"
ACTIONS = ("listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken")


def run(*command, **kwargs):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **kwargs)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def pip_of(environment):
    """Return the command that installs into an environment without its own pip, whose installation takes seconds."""
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin/python", "install")
    return *pip, "-qq", "--disable-pip-version-check", "--no-compile"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A virtual environment with the built wheel and the toy host, and nothing else."""
    place = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "build", "--installer=pip", "--wheel", "--outdir", place / "dist", ROOT)
    run(sys.executable, "-m", "build", "--installer=pip", "--wheel", "--outdir", place / "dist", HOST)
    venv.create(place / "venv", with_pip=False)
    wheels = sorted((place / "dist").glob("*.whl"))
    assert len(wheels) == 2
    run(*pip_of(place / "venv"), *wheels)
    return place / "venv"


@pytest.fixture
def report(environment, emulator, tmp_path):
    job = {"settings": emulator.credentials(), "calls": [[action, {}] for action in ACTIONS]}
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "VANTAGE_QUICKBOOKS_API_URL": emulator.url,
        "VANTAGE_QUICKBOOKS_OAUTH_URL": emulator.url,
    }
    return json.loads(run(environment / "bin/toy-host", input=json.dumps(job), env=variables, cwd=tmp_path))


def test_every_action_runs_through_discovery_alone(report):
    """The host found one plugin, asked it, and called its actions by name."""
    assert report["found"] == 1
    assert [envelope["success"] for envelope in report["envelopes"]] == [True] * 4
    customers, invoices, company, token = (envelope["data"] for envelope in report["envelopes"])
    assert customers["count"] == len(customers["customers"]) > 0
    assert invoices["count"] == len(invoices["invoices"]) > 0
    assert company["companyInfo"]["CompanyName"]
    assert token["accessToken"]


def test_the_wheel_carries_its_schemas(report, environment):
    """Schemas are found in the wheel, not in a checkout nearby."""
    assert report["home"].startswith(str(environment))
    assert report["described"]["settingsSchema"]["properties"].keys() >= {"client_id", "realm_id"}
    described = report["described"]["actions"]
    assert [action["id"] for action in described[:4]] == list(ACTIONS)
    assert all(action["inputSchema"] and action["outputSchema"] for action in described)
    (schemas,) = environment.glob("lib/python*/site-packages/vantage_quickbooks/_schemas")
    for name, instances in (("descriptor", [report["described"]]), ("envelope", report["envelopes"])):
        validator = Draft202012Validator(json.loads((schemas / f"{name}.schema.json").read_text()))
        for each in instances:
            validator.validate(each)


def test_registering_imports_no_heavy_package(report):
    """A host loads hundreds of plugins at its start."""
    assert report["imported"] == []


@pytest.fixture
def bare(tmp_path):
    """The variables of a user who has set none."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}


@pytest.fixture
def settings(emulator, tmp_path):
    """Settings that contain the address of their company."""
    path = tmp_path / "emulator.json"
    path.write_text(json.dumps(emulator.settings()))
    return path


def test_the_one_line_way_in_works_without_any_extra(environment, settings, bare, tmp_path):
    """As the README has it."""
    script = (
        "import json, sys; from vantage_quickbooks import QUICKBOOKS; "
        "print(QUICKBOOKS.connect(json.load(sys.stdin)).call('listInvoices', {'status': 'overdue'})['success'])"
    )
    shown = run(environment / "bin/python", "-c", script, input=settings.read_text(), env=bare, cwd=tmp_path)
    assert shown == "True\n"


def test_the_installed_command_works_with_its_extra(environment, settings, bare, tmp_path):
    """Without it, the command says what to install."""
    command = environment / "bin/vantage-quickbooks"
    done = subprocess.run([command, "test"], env=bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'vantage-quickbooks[cli]'" in done.stderr
    (wheel,) = (environment.parent / "dist").glob("vantage_quickbooks-*.whl")
    run(*pip_of(environment), f"vantage-quickbooks[cli] @ {wheel.as_uri()}")
    assert "on the emulator" in run(command, "test", "--settings", settings, env=bare, cwd=tmp_path)
    everything = ("--input", '{"all": true}', "--format", "csv")
    csv_text = run(command, "call", "listInvoices", "--settings", settings, *everything, env=bare, cwd=tmp_path)
    assert csv_text.startswith("Id,customerName,currency,paymentStatus,daysOverdue,")


# ---- two connectors, each with a set of specifications ---------------------------------------------------------------


@pytest.fixture(scope="module")
def both(environment, tmp_path_factory):
    """An environment with another vendor's connector beside ours; it can import the packages of the first."""
    place = tmp_path_factory.mktemp("both")
    run(sys.executable, "-m", "build", "--installer=pip", "--wheel", "--outdir", place / "dist", OTHER)
    venv.create(place / "venv", with_pip=False)
    python = place / "venv/bin/python"
    (ours,) = environment.glob("lib/python*/site-packages")
    (wheel,) = (place / "dist").glob("*.whl")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "first.pth").write_text(f"{ours}\n")
    run(*pip_of(place / "venv"), "--no-deps", wheel)
    return python


def work_both(python, emulator, how):
    variables = {"PATH": os.environ["PATH"], "VANTAGE_QUICKBOOKS_TOKEN_STORE": "memory:"}
    variables |= {f"VANTAGE_QUICKBOOKS_{name}_URL": emulator.url for name in ("API", "OAUTH")}
    return subprocess.run(
        [python, OTHER / "both.py", how], input=json.dumps(emulator.settings()), env=variables, cwd=python.parent,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["the other's, then ours", "ours twice", "the other's alone"])
def test_two_connectors_work_side_by_side_with_one_set_of_specifications(both, emulator, how):
    done = work_both(both, emulator, how)
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["found"] == ["quickbooks", "weather"]
    assert report["rows"]["quickbooks"] > 1
    assert report["rows"]["weather"] == 1
    assert report["heard"] == ["quickbooks.listCustomers", "weather.today"]


def test_two_sets_are_what_pluggy_refuses(both, emulator):
    """Why there is `hookspecs.add_hookspecs`."""
    done = work_both(both, emulator, "both by hand")
    assert done.returncode != 0
    assert "is already registered" in done.stderr
