"""The contract can become a separate distribution: its files work under another name, without this package."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "vantage_quickbooks"
MODULES = ("contract.py", "hookspecs.py")

CONNECTOR = '''
"""A connector that is written on the copied contract."""

from lifted.contract import CONTRACT_VERSION, Action, FlatField, HostContext, Keys, describe_action, envelope
from lifted.hookspecs import hookimpl

LIST = Action("listStones", "List stones", "All stones.", rows_key="stones", keys=Keys(("id",)),
              flat_fields=(FlatField("weight", "integer", "Weight"),))
SCHEMA = {"type": "object", "additionalProperties": False, "properties": {"color": {"enum": ["red", "gray"]}}}


class Connection:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, action_id, input=None):
        if action_id != "listStones":
            return envelope(error={"code": "ACTION_NOT_FOUND", "message": "There is no such action."})
        data = {} if input is None else input
        if not isinstance(data, dict) or set(data) - {"color"} or data.get("color", "red") not in ("red", "gray"):
            fields = [{"field": name, "message": "Wrong."} for name in data] if isinstance(data, dict) else []
            return envelope(error={"code": "INPUT_INVALID", "message": "Wrong.", "fields": fields}, action=LIST)
        return envelope(data={"stones": [{"id": 1, "weight": 2}]}, action=LIST)

    def close(self):
        pass


class Quarry:
    id = "quarry"

    def describe(self):
        return {"contractVersion": CONTRACT_VERSION, "id": self.id, "displayName": "Quarry", "settingsSchema": {},
                "actions": [describe_action(LIST, self.id, inputSchema=dict(SCHEMA), outputSchema={})]}

    def validate(self, settings):
        return {"valid": True, "fields": []}

    def connect(self, settings, context=None):
        assert context is None or isinstance(context, HostContext)
        return Connection()


@hookimpl
def vantage_register_connectors(register):
    register(Quarry())
'''

HOST = """
import json, sys
sys.modules["vantage_quickbooks"] = None  # importing it raises ImportError
import pluggy, pytest
import quarry
from lifted import contract, hookspecs

manager = pluggy.PluginManager(hookspecs.PROJECT)
hookspecs.add_hookspecs(manager)
manager.register(quarry)
manager.check_pending()
found = []
manager.hook.vantage_register_connectors(register=found.append)
context = contract.HostContext.from_hooks(manager.hook, connection_id="c1")
with found[0].connect({}, context) as connection:
    node = contract.as_node_output(connection.call("listStones"), "listStones", "rows")
status = pytest.main(["-q", "-p", "lifted.conformance", "-p", "no:cacheprovider",
                      "--connector", "quarry:Quarry", "--settings", "settings.json"])
names = [action["nodeName"] for action in found[0].describe()["actions"]]
json.dump({"rows": node["data"], "status": int(status), "names": names}, open("report.json", "w"))
"""


def test_the_contract_works_in_an_empty_package_of_another_name(tmp_path):
    lifted = tmp_path / "lifted"
    lifted.mkdir()
    (lifted / "__init__.py").touch()
    for name in MODULES:
        shutil.copy(PACKAGE / name, lifted)
    shutil.copytree(PACKAGE / "conformance", lifted / "conformance", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "quarry.py").write_text(CONNECTOR)
    (tmp_path / "settings.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", HOST], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report == {"rows": [{"id": 1, "weight": 2}], "status": 0, "names": ["quarryListStones"]}, done.stdout


def imported(path):
    """Yield the top-level names that a file imports; `.` for its own package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else node.module.partition(".")[0]


def test_the_contract_imports_the_standard_library_and_pluggy_alone():
    for name in MODULES:
        assert set(imported(PACKAGE / name)) <= {".", "pluggy", *sys.stdlib_module_names}, name
    for path in (PACKAGE / "conformance").glob("*.py"):
        assert set(imported(path)) <= {".", "pluggy", "pytest", "jsonschema", *sys.stdlib_module_names}, path.name


def test_the_contract_names_no_provider():
    for path in (*(PACKAGE / name for name in MODULES), *(PACKAGE / "conformance").glob("*.py")):
        text = path.read_text().replace("vantage_quickbooks.conformance", "")  # how the kit is called today
        assert "quickbooks" not in text.lower(), path.name
        assert "intuit" not in text.lower(), path.name
