"""The repository: names, imports, and documentation compared with the code."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path

import pluggy
import pytest
import yaml

import vantage_quickbooks
from vantage_quickbooks import errors, hookspecs, plugin
from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.docs_tables import PAGES, write_tables
from vantage_quickbooks.catalog.generate import generated_files
from vantage_quickbooks.connector.connector import QUICKBOOKS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "vantage_quickbooks"


def read(name):
    return (ROOT / name).read_text()


def test_registering_imports_neither_requests_nor_jsonschema_nor_oauthlib():
    """In a fresh interpreter, over sys.modules."""
    script = (
        "import sys, pluggy, vantage_quickbooks.plugin as p; m = pluggy.PluginManager('vantage'); m.register(p);"
        "found = []; m.hook.vantage_register_connectors(register=found.append) if m.add_hookspecs("
        "__import__('vantage_quickbooks.hookspecs', fromlist=['x'])) is None else None; assert found;"
        "print([n for n in ('requests', 'jsonschema', 'oauthlib', 'requests_oauthlib', 'orjson', 'sqlite3',"
        " 'urllib3', 'lark', 'rich', 'sqlalchemy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_entry_point_names_the_plugin_module():
    """Group vantage, name quickbooks."""
    (entry,) = (entry for entry in entry_points(group="vantage") if entry.name == "quickbooks")
    assert entry.load() is plugin


def test_a_host_finds_no_unknown_hook():
    """pluggy ignores a hook with a typo silently."""
    manager = pluggy.PluginManager("vantage")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    registered = []
    manager.hook.vantage_register_connectors(register=registered.append)
    assert registered == [QUICKBOOKS]


def test_the_description_is_plain_json():
    """A host in any language can read it."""
    described = QUICKBOOKS.describe()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["actions"][3]["agentVisible"] is False
    assert described["actions"][3]["sensitiveOutput"] is True
    assert [action["nodeName"] for action in described["actions"]][:4] == [
        "quickbooksListCustomers", "quickbooksListInvoices", "quickbooksGetCompanyInfo", "quickbooksGetAccessToken"
    ]  # fmt: skip


def test_an_actions_id_names_its_schemas():
    """One id, three schemas, and no other files; the four core actions come first."""
    ids = list(ACTIONS)
    assert ids[:4] == ["listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken"]
    schemas = {f"{name}.{kind}.json" for name in ids for kind in ("input.schema", "output.schema", "form")}
    assert schemas | {
        "settings.schema.json",
        "settings.form.json",
        "descriptor.schema.json",
        "envelope.schema.json",
    } == {p.name for p in (ROOT / "schemas").iterdir()}


def test_every_action_is_documented():
    """Each action's id is in the docs, in a heading or in the generated tables."""
    page = read("docs/actions.md")
    assert [action for action in ACTIONS if f"`{action}`" not in page] == []


def test_what_is_generated_is_up_to_date():
    """`make schemas` would change nothing."""
    for name, text in generated_files().items():
        assert read(f"schemas/{name}.json") == text, f"schemas/{name}.json is out of date: run `make schemas`"
    for name in PAGES:
        page = read(f"docs/{name}")
        assert write_tables(page) == page, f"docs/{name} is out of date: run `make schemas`"


def test_public_names_resolve():
    """All names in __all__ exist, and it is sorted."""
    assert set(vantage_quickbooks.__all__) == {*vantage_quickbooks._HOMES, "__version__"}
    for name in vantage_quickbooks.__all__:
        assert getattr(vantage_quickbooks, name) is not None
    with pytest.raises(AttributeError):
        _ = vantage_quickbooks.nonsense


def test_the_changelog_has_this_version():
    """The newest heading other than Unreleased is the package's version."""
    headings = re.findall(r"^## \[(\d[^\]]*)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == version("vantage-quickbooks")


@pytest.mark.parametrize("name", ["settings.schema", *(f"{action}.input.schema" for action in ACTIONS)])
def test_every_setting_and_input_is_documented(name):
    """Each property of a form's schema has a row in the docs."""
    pages = {"settings": "docs/settings.md", "getReport": "docs/reports.md"}
    page = read(pages.get(name.partition(".")[0], "docs/actions.md"))
    properties = json.loads(read(f"schemas/{name}.json")).get("properties", {})
    assert [key for key in properties if f"| `{key}` |" not in page] == []


def test_every_error_code_is_documented():
    """Codes that the code can raise are the rows of docs/errors.md."""
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", read("docs/errors.md"), re.MULTILINE))
    sources = [path.read_text() for path in PACKAGE.rglob("*.py") if "emulator" not in path.parts]
    raised = {
        code
        for text in sources
        for code in re.findall(r'(?:\bcode ?= ?|= |"code": )"([A-Z]+(?:_[A-Z]+)*|CREDENTIALS_[A-Z_]+)"', text)
    }
    assert raised - {"CONNECTOR_ERROR"} >= documented
    assert {code for code in raised if code.startswith("CREDENTIALS_")} <= documented
    of_calls = {
        code
        for text in sources
        for code in re.findall(r'(?:^    code = |\bcode=|"code": )"([A-Z]+(?:_[A-Z]+)+)"', text, re.MULTILINE)
    }
    of_web_ui = set(re.findall(r"`([A-Z]+_?[A-Z_]*)` \(\d{3}\)", read("docs/web.md")))
    assert of_calls - {"CONNECTOR_ERROR"} - of_web_ui <= documented
    assert {error.code for error in vars(errors).values() if hasattr(error, "code")} - {"CONNECTOR_ERROR"} <= documented


def test_every_hook_is_documented():
    """Each hook is in the docs with its exact arguments."""
    page = read("docs/host.md")
    for name, function in vars(hookspecs).items():
        if name.startswith("vantage_"):
            arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
            assert f"`{name}({', '.join(arguments)})`" in page


@pytest.mark.parametrize("name", ["descriptor", "envelope"])
def test_every_member_of_the_contract_is_documented(name):
    """Each property of the published schemas is on the page for hosts."""

    def members(schema):
        if isinstance(schema, dict):
            properties = schema.get("properties")
            yield from properties if isinstance(properties, dict) else ()
        for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from members(value)

    page = read("docs/host.md")
    found = set(members(json.loads(read(f"schemas/{name}.schema.json"))))
    assert len(found) > 10
    assert [member for member in sorted(found) if not re.search(rf"(?<!\w){re.escape(member)}(?!\w)", page)] == []


def test_every_environment_variable_is_documented():
    """Operators find each variable on one page."""
    page = read("docs/settings.md")
    source = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    variables = set(re.findall(r"VANTAGE_QUICKBOOKS_[A-Z_]+[A-Z]", source))
    assert [name for name in sorted(variables) if name not in page] == []


def test_cassettes_belong_to_tests_and_hold_no_secret():
    """Each file belongs to a test of tests/wire, and none contains a token or credential."""
    claimed = {
        f"{path.stem.removeprefix('test_')}/{node.name}.yaml"
        for path in (ROOT / "tests/wire").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    files = {str(path.relative_to(ROOT / "cassettes")): path for path in (ROOT / "cassettes").rglob("*.yaml")}
    assert set(files) == claimed
    for path in files.values():
        text = path.read_text()
        assert not re.search(
            r"RT1-|AB1\d|eyJ[\w-]{10}|Basic [A-Za-z0-9+/=]{8}|Bearer ey|127\.0\.0\.1|localhost", text
        ), path
        for exchange in yaml.safe_load(text)["interactions"]:
            headers = {key.lower(): value for key, value in exchange["request"]["headers"].items()}
            assert headers["authorization"] == ["<authorization>"]


def test_the_extra_all_has_every_extra_that_users_install():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    named = re.fullmatch(r"vantage-quickbooks\[(.*)\]", everything)[1].split(",")
    assert sorted(named) == sorted(extras.keys() - {"all", "test", "lint", "spark"})
    assert "vantage-quickbooks[test,spark]" in extras["lint"]  # `make lint` checks the types of Spark's adapter


def test_the_readme_runs_the_command_that_ci_runs():
    """README and CI agree on how to test."""
    assert "make test" in read("README.md")
    assert "make demo" in read("README.md")
    commands = [line for line in read(".ci/run").splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make lint", "make test"]
