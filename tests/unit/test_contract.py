"""What a host gets: plain JSON in three views, and never rows beside a failure."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from vantage_quickbooks import contract
from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.connector.connection import Connection
from vantage_quickbooks.connector.connector import QUICKBOOKS, QuickBooksConnector
from vantage_quickbooks.contract import Action, HostContext, as_node_output
from vantage_quickbooks.errors import ConnectorError, SettingsError

META = {"request_id": "6f0c", "timestamp": "2026-10-01T12:00:00.000Z"}
METADATA = {
    "realmId": "123",
    "environment": "sandbox",
    "retrievedAt": "2026-10-01T12:00:00.000Z",
    "apiCalls": 1,
    "intuitTids": ["1-a"],
    "minorVersion": 75,
}
DATA = {
    "listCustomers": {"customers": [{"Id": "1"}, {"Id": "2"}, {"Id": "3"}], "count": 3, "metadata": METADATA},
    "listInvoices": {
        "invoices": [{"Id": "9", "TotalAmt": 0.1}, {"Id": "8", "TotalAmt": 0.2}],
        "count": 2,
        "summary": {"scope": "page", "byCurrency": []},
        "metadata": METADATA,
    },
    "getCompanyInfo": {"companyInfo": {"Id": "1", "CompanyName": "Pine & Sons"}, "metadata": METADATA},
    "getAccessToken": {"accessToken": "planted", "tokenType": "bearer", "metadata": METADATA},
}
ROWS = {"listCustomers": 3, "listInvoices": 2, "getCompanyInfo": 1, "getAccessToken": 0}
"""Results of the four core actions, of every shape: rows with and without a summary, one row, none."""
EMPTY = {"listCustomers": {**DATA["listCustomers"], "customers": [], "count": 0}}

FAILURE = {
    "success": False,
    "error": ConnectorError("Broken. Fix it.", code="RATE_LIMITED", retryable=True).to_dict(),
    "meta": META,
}


def success(data):
    return {"success": True, "data": data, "meta": META}


def dashboard_output(inputs):
    """The rows that `dashboardOutput` shows: host.md section 4, from the platform's page of the node."""
    value = next((inputs[key] for key in ("data", "input1") if inputs.get(key) is not None), inputs)
    if isinstance(value, list):
        return value
    data = value.get("data") if isinstance(value, dict) else None
    if isinstance(data, dict) and isinstance(data.get("sheets"), list):
        return data["sheets"]
    return data if isinstance(data, list) else None


def workflow_output(inputs):
    """The rows that `workflowOutput` returns: host.md section 4; absent ones are an empty list."""
    value = inputs.get("input1")
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("output1"), dict):
        value = value["output1"]
    return value["data"] if isinstance(value.get("data"), list) else []


def rows_shown(output):
    """Count what each terminator sees of a node's output that an edge carries to its first input."""
    shown = dashboard_output({"input1": output})
    return len(shown or []), len(workflow_output({"input1": output}))


def actions():
    return [ACTIONS[action_id].action for action_id in DATA]


@pytest.mark.parametrize("action", actions(), ids=lambda action: action.id)
def test_rows_reach_both_terminators_a_port_one_and_names_none(action):
    """Host.md 11.5: `rows` is the view for dashboards, `port` is for workflow outputs, `named` is for other nodes."""
    envelope, count = success(DATA[action.id]), ROWS[action.id]
    assert rows_shown(as_node_output(envelope, action)) == (0, 0)
    assert rows_shown(as_node_output(envelope, action, "named")) == (0, 0)
    assert rows_shown(as_node_output(envelope, action, "rows")) == (count, count)
    assert rows_shown(as_node_output(envelope, action, "port")) == (0, count)
    assert rows_shown(envelope) == (0, 0)


@pytest.mark.parametrize("action", actions(), ids=lambda action: action.id)
def test_rows_reach_a_dashboard_that_reads_the_output_itself(action):
    output = as_node_output(success(DATA[action.id]), action, "rows")
    assert len(dashboard_output(output)) == ROWS[action.id]


@pytest.mark.parametrize("view", ["named", "rows", "port"])
@pytest.mark.parametrize("action", actions(), ids=lambda action: action.id)
def test_a_failure_shows_no_rows_and_no_empty_list_in_any_view(action, view):
    """An empty list beside an error would show "0 open invoices" on a dashboard."""
    output = as_node_output(FAILURE, action, view)
    assert output == {"error": "RATE_LIMITED: Broken. Fix it.", "errorCode": "RATE_LIMITED", "retryable": True}
    assert rows_shown(output) == (0, 0)
    assert dashboard_output({"input1": output}) is None
    assert dashboard_output(output) is None
    assert not any(isinstance(value, list | dict) for value in output.values())


def test_no_rows_are_an_empty_list_where_the_call_succeeded():
    """Zero customers and a failure are distinguished."""
    output = as_node_output(success(EMPTY["listCustomers"]), ACTIONS["listCustomers"].action, "rows")
    assert output["data"] == []
    assert dashboard_output({"input1": output}) == []


@pytest.mark.parametrize("action", actions(), ids=lambda action: action.id)
@pytest.mark.parametrize("view", ["named", "rows", "port"])
def test_a_view_is_the_same_for_an_action_as_data(action, view):
    described = {"id": action.id, "rowsKey": action.rows_key}
    envelope = success(DATA[action.id])
    assert as_node_output(envelope, described, view) == as_node_output(envelope, action, view)


@pytest.mark.parametrize("envelope", [*(success(data) for data in DATA.values()), FAILURE])
@pytest.mark.parametrize("view", ["named", "rows", "port"])
def test_a_view_is_plain_json_and_changes_nothing_of_the_envelope(envelope, view):
    before = json.dumps(envelope)
    name = next((name for name, data in DATA.items() if envelope.get("data") is data), "listCustomers")
    output = as_node_output(envelope, ACTIONS[name].action, view)
    assert json.loads(json.dumps(output, allow_nan=False)) == output
    assert json.dumps(envelope) == before


def test_counts_and_sums_go_with_the_metadata_of_rows():
    action = ACTIONS["listInvoices"].action
    output = as_node_output(success(DATA["listInvoices"]), action, "rows")
    assert set(output) == {"data", "metadata"}
    assert output["metadata"] == METADATA | {"count": 2, "summary": {"scope": "page", "byCurrency": []}}
    assert as_node_output(success(DATA["listInvoices"]), action, "port") == {"output1": output}


def test_named_is_the_result_itself():
    for name, data in DATA.items():
        assert as_node_output(success(data), ACTIONS[name].action) == data


def test_a_token_shows_in_no_view_but_the_one_that_names_it():
    action = ACTIONS["getAccessToken"].action
    for view in ("rows", "port"):
        assert "planted" not in json.dumps(as_node_output(success(DATA["getAccessToken"]), action, view))


@pytest.mark.parametrize("view", ["", "ROWS", "table", None])
@pytest.mark.parametrize("envelope", [success(DATA["listCustomers"]), FAILURE])
def test_a_view_that_does_not_exist_is_refused(view, envelope):
    with pytest.raises(ValueError, match="no such view"):
        as_node_output(envelope, ACTIONS["listCustomers"].action, view)


def named(action_id, data, **meta):
    rows_key = next(action.rows_key for action in actions() if action.id == action_id)
    return success(data) | {"meta": META | {"action": action_id, "rows_key": rows_key} | meta}


@pytest.mark.parametrize("view", ["named", "rows", "port"])
@pytest.mark.parametrize("action", actions(), ids=lambda action: action.id)
def test_a_view_is_the_same_for_an_id_and_without_an_action(action, view):
    """The envelope names the member that holds the rows."""
    envelope = named(action.id, DATA[action.id])
    expected = as_node_output(success(DATA[action.id]), action, view)
    assert as_node_output(envelope, action.id, view) == expected
    assert as_node_output(envelope, view=view) == expected
    assert as_node_output(FAILURE, action.id, view) == as_node_output(FAILURE, action, view)


@pytest.mark.parametrize("view", ["named", "rows", "port"])
@pytest.mark.parametrize(
    "action", ["listCustomers", {"id": "listCustomers", "rowsKey": "customers"}, ACTIONS["listCustomers"].action]
)
def test_an_envelope_of_another_action_is_refused(action, view):
    with pytest.raises(ValueError, match="the envelope is of 'listInvoices', not of 'listCustomers'"):
        as_node_output(named("listInvoices", DATA["listInvoices"]), action, view)


@pytest.mark.parametrize("action", ["listInvoices", None])
def test_an_envelope_that_does_not_name_its_rows_needs_the_action_as_data(action):
    envelope = success(DATA["listInvoices"])
    assert as_node_output(envelope, action) == DATA["listInvoices"]
    with pytest.raises(ValueError, match=r"pass the action's entry of describe\(\)\['actions'\]"):
        as_node_output(envelope, action, "rows")
    assert as_node_output(envelope, {"rowsKey": "invoices"}, "rows")["data"] == DATA["listInvoices"]["invoices"]


# ---- the protocols and what implements them -------------------------------------------------------------------------


def methods(protocol):
    return {
        name: value
        for name, value in vars(protocol).items()
        if callable(value) and (not name.startswith("_") or name in {"__enter__", "__exit__"})
        and not name.startswith("_abc")
    }  # fmt: skip


def parameters(method):
    """Names, kinds and defaults; what an implementation takes beside these must be optional."""
    return {
        name: (parameter.kind, parameter.default) for name, parameter in inspect.signature(method).parameters.items()
    }


@pytest.mark.parametrize(
    ("protocol", "implementation"), [(contract.Connection, Connection), (contract.Connector, QuickBooksConnector)]
)
def test_the_implementation_takes_what_the_protocol_says(protocol, implementation):
    for name, method in methods(protocol).items():
        if protocol is contract.Connection and name == "__init__":
            continue
        asked, taken = parameters(method), parameters(getattr(implementation, name))
        assert asked.items() <= taken.items(), name
        more = {key: value for key, value in taken.items() if key not in asked}
        assert all(
            default is not inspect.Parameter.empty or kind is inspect.Parameter.VAR_KEYWORD
            for kind, default in more.values()
        ), name
        assert inspect.iscoroutinefunction(method) is inspect.iscoroutinefunction(getattr(implementation, name)), name


def test_the_protocol_has_every_public_method_of_the_implementation():
    public = {name for name in vars(Connection) if not name.startswith("_")}
    assert public == {name for name in methods(contract.Connection) if not name.startswith("_")}


def test_the_page_for_hosts_mentions_every_method():
    page = (Path(__file__).parents[2] / "docs" / "host.md").read_text()
    for name in (name for name in methods(contract.Connection) if not name.startswith("_")):
        assert re.search(rf"\| `{name}\(", page), name
    for name in (name for name in methods(contract.Connector) if not name.startswith("_")):
        assert re.search(rf"\b{name}\(", page), name
    assert 'as_="ndjson"' in page


# ---- actions and contexts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", actions(), ids=lambda action: action.id)
def test_an_action_is_plain_json(action):
    described = contract.describe_action(action, "quickbooks", requiredScopes=["a"])
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert described["nodeName"] == "quickbooks" + action.id[0].upper() + action.id[1:]
    assert described["requiredScopes"] == ["a"]
    assert action.read_only is True


def test_the_description_of_an_action_has_every_attribute():
    """An attribute without its member in the descriptor would be lost."""
    camel = {re.sub(r"_(\w)", lambda found: found[1].upper(), field.name) for field in dataclasses.fields(Action)}
    assert set(contract.describe_action(Action("a", "A", "B"), "c")) == camel | {"nodeName"}
    for kind, described in (
        (contract.Keys(("Id",)), lambda keys: contract.describe_action(Action("a", "A", "B", keys=keys), "c")["keys"]),
        (
            contract.Limits(),
            lambda limits: contract.describe_action(Action("a", "A", "B", limits=limits), "c")["limits"],
        ),
        (
            contract.Cost("page", 1, 1, "One."),
            lambda cost: contract.describe_action(Action("a", "A", "B", cost=(cost,)), "c")["cost"][0],
        ),
        (
            contract.Trigger("t", "T", "a", "since", "metadata.state", {"all": True}),
            lambda one: contract.describe_action(Action("a", "A", "B", triggers=(one,)), "c")["triggers"][0],
        ),
        (
            contract.FlatField("n", "text", "N"),
            lambda flat: contract.describe_action(Action("a", "A", "B", flat_fields=(flat,)), "c")["flatFields"][0],
        ),
        (
            contract.Deprecation("2.0", "b"),
            lambda since: contract.describe_action(Action("a", "A", "B", deprecated=since), "c")["deprecated"],
        ),
    ):
        names = {re.sub(r"_(\w)", lambda found: found[1].upper(), field.name) for field in dataclasses.fields(kind)}
        assert set(described(kind)) - {"type"} == names - {"type"}, kind


def test_a_description_shares_nothing_with_the_action():
    action = Action("a", "A", "B", full_read_input={"all": True}, examples=({"x": [1]},))
    described = contract.describe_action(action, "c")
    described["fullReadInput"]["all"] = described["examples"][0]["x"][0] = None
    assert (action.full_read_input, action.examples) == ({"all": True}, ({"x": [1]},))


def test_the_access_token_is_sensitive_and_it_and_whole_companies_are_kept_from_agents():
    known = [handler.action for handler in ACTIONS.values()]
    assert {action.id for action in known if action.sensitive_output} == {"getAccessToken"}
    assert {action.id for action in known if not action.agent_visible} == {"getAccessToken", "sync"}
    computed = {"listPaidInvoices"}  # from several entities, so it has no pages
    lists = {id_ for id_ in ACTIONS if id_.startswith("list")}
    assert {action.id for action in known if action.streamable} == lists - computed


def test_an_action_and_a_context_cannot_be_changed():
    for value, name in ((Action("a", "A", "B"), "id"), (HostContext(), "connection_id")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, "other")


# ---- envelopes, versions, descriptions ------------------------------------------------------------------------------


def test_an_envelope_of_a_result_names_action_and_rows():
    at = datetime(2026, 10, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    for action in (Action("listCars", "A", "B", rows_key="cars"), {"id": "listCars", "rowsKey": "cars"}):
        made = contract.envelope(data={"cars": []}, action=action, request_id="r1", timestamp=at)
        assert made == {
            "success": True,
            "data": {"cars": []},
            "meta": {
                "request_id": "r1",
                "timestamp": "2026-10-01T12:00:00.123Z",
                "action": "listCars",
                "rows_key": "cars",
            },
        }


def test_an_envelope_of_an_error_is_complete():
    error = ConnectorError("Broken.", code="RATE_LIMITED", retryable=True)
    assert contract.envelope(error=error)["error"] == error.to_dict()
    assert contract.envelope(error={"code": "A", "message": "B", "mood": 1})["error"] == {
        "code": "A", "message": "B", "retryable": False, "retryAfter": None, "fields": [], "details": {}, "mood": 1
    }  # fmt: skip
    first, second = (contract.envelope(error=error)["meta"] for _ in range(2))
    assert first["request_id"] != second["request_id"]
    assert (first["action"], first["rows_key"]) == (None, None)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["timestamp"])


@pytest.mark.parametrize("members", [{}, {"data": {}, "error": {"code": "A", "message": "B"}}])
def test_an_envelope_holds_data_or_an_error(members):
    with pytest.raises(ValueError, match="contains either data or an error"):
        contract.envelope(**members)


def test_envelopes_are_built_in_one_place():
    package = Path(contract.__file__).parent
    files = [path for path in package.rglob("*.py") if "emulator" not in path.parts]
    builders = [path.name for path in files if re.search(r'\{\s*"success": (True|False)', path.read_text())]
    assert builders == ["contract.py"]


@pytest.mark.parametrize(("wanted", "offered", "expected"), [
    (None, ["1"], True), ("1", ["1"], True), ("1.7", ["2", "1"], True), ("2", ["1"], False), ("11", ["1"], False),
    ("", ["1"], False),
])  # fmt: skip
def test_a_major_version_is_offered_with_any_minor_version(wanted, offered, expected):
    assert contract.is_offered(wanted, offered) is expected


@pytest.mark.parametrize("version", ["2", "0.9", "", 1, ["1"]])
def test_a_host_of_another_contract_version_is_refused(version):
    settings = {"client_id": "a", "client_secret": "b", "refresh_token": "c", "realm_id": "1"}
    with pytest.raises(SettingsError, match=r"contract_version .* is not offered; 1 is"):
        QUICKBOOKS.connect(settings, HostContext(contract_version=version))
    for spoken in (None, "1", "1.0", contract.CONTRACT_VERSION):
        QUICKBOOKS.connect(settings, HostContext(contract_version=spoken)).close()


def test_a_menu_has_no_schemas_and_an_action_alone_has_them():
    described, menu = QUICKBOOKS.describe(), QUICKBOOKS.describe(schemas=False)
    large = {"inputSchema", "inputForm", "outputSchema"}
    for full, short in zip(described["actions"], menu["actions"], strict=True):
        assert {key: value for key, value in full.items() if key not in large} == short
        assert large <= full.keys()
    assert QUICKBOOKS.describe_action("listInvoices") == described["actions"][1]
    with pytest.raises(KeyError):
        QUICKBOOKS.describe_action("quickbooksListInvoices")


def test_a_menu_imports_nothing_that_runs_actions():
    script = (
        "import sys; from vantage_quickbooks import QUICKBOOKS; QUICKBOOKS.describe(schemas=False);"
        "print([name for name in sys.modules if name.startswith(('vantage_quickbooks.sync', 'vantage_quickbooks.api',"
        " 'vantage_quickbooks.auth', 'vantage_quickbooks.core.responses', 'requests', 'orjson', 'jsonschema'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_four_first_actions_are_the_core_and_groups_follow_in_order():
    menu = QUICKBOOKS.describe(schemas=False)
    assert [group["id"] for group in menu["groups"]] == [
        "core", "sales", "purchases", "lists", "accounting", "reports"
    ]  # fmt: skip
    assert [(action["id"], action["group"]) for action in menu["actions"][:4]] == [(key, "core") for key in DATA]
    groups = [action["group"] for action in menu["actions"]]
    assert list(dict.fromkeys(groups)) == [group["id"] for group in menu["groups"]]


def test_all_capabilities_are_offered_and_known():
    assert QUICKBOOKS.describe(schemas=False)["capabilities"] == list(contract.CAPABILITIES)


# ---- hooks ----------------------------------------------------------------------------------------------------------


def _host(*plugins):
    import pluggy

    from vantage_quickbooks import hookspecs

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager


def _hookimpl():
    from vantage_quickbooks.hookspecs import hookimpl

    return hookimpl


def test_a_host_without_credentials_hooks_offers_none():
    context = HostContext.from_hooks(_host().hook, connection_id="c1")
    assert (context.load_credentials, context.save_credentials) == (None, None)
    assert context.connection_id == "c1"
    context.audit({"action": "listCustomers"})
    context.progress("c1", "listCustomers", 1, None)


def test_a_hosts_hooks_get_what_the_contract_says():
    seen = []

    class Plugin:
        @_hookimpl()
        def vantage_load_credentials(self, connection_id):
            seen.append(("load", connection_id))
            return {"version": 4}

        @_hookimpl()
        def vantage_save_credentials(self, connection_id, credentials, expected_version):
            seen.append(("save", connection_id, credentials, expected_version))
            return 5

        @_hookimpl()
        def vantage_progress(self, connection_id, action, done, total):
            seen.append(("progress", connection_id, action, done, total))

        @_hookimpl()
        def vantage_audit(self, event):
            seen.append(("audit", event))

    context = HostContext.from_hooks(_host(Plugin()).hook)
    assert context.load_credentials("c1") == {"version": 4}
    assert context.save_credentials("c1", {"a": 1}, 4) == 5
    context.progress("c1", "listInvoices", 10, 20)
    context.audit({"ok": True})
    assert seen == [
        ("load", "c1"),
        ("save", "c1", {"a": 1}, 4),
        ("progress", "c1", "listInvoices", 10, 20),
        ("audit", {"ok": True}),
    ]


def test_one_of_the_two_credentials_hooks_is_not_taken_for_both():
    class OnlyLoads:
        @_hookimpl()
        def vantage_load_credentials(self, connection_id):
            return {"connection": connection_id}

    context = HostContext.from_hooks(_host(OnlyLoads()).hook)
    assert context.load_credentials("c1") == {"connection": "c1"}
    assert context.save_credentials is None


def test_what_the_caller_knows_wins_over_the_hooks():
    audit = [].append
    assert HostContext.from_hooks(_host().hook, audit=audit).audit is audit


def test_the_hooks_have_the_hosts_prefix():
    from vantage_quickbooks import hookspecs

    assert hookspecs.PROJECT == "vantage"
    assert {name for name in vars(hookspecs) if name.startswith("vantage_")} == {
        "vantage_register_connectors",
        "vantage_load_credentials",
        "vantage_save_credentials",
        "vantage_progress",
        "vantage_audit",
        "vantage_changes",
    }


# ---- one set of specifications --------------------------------------------------------------------------------------


def copied(**changed):
    """Another package's own copy of the specifications."""
    import pluggy

    hookspec = pluggy.HookspecMarker("vantage")

    class Specs:
        @hookspec
        def vantage_register_connectors(self, register): ...
        @hookspec(firstresult=True)
        def vantage_load_credentials(self, connection_id): ...
        @hookspec(firstresult=True)
        def vantage_save_credentials(self, connection_id, credentials, expected_version): ...
        @hookspec
        def vantage_progress(self, connection_id, action, done, total): ...
        @hookspec
        def vantage_audit(self, event): ...
        @hookspec
        def vantage_changes(self, connection_id, notices): ...

    for name, method in changed.items():
        setattr(Specs, name, method)
    return Specs


def manager(project="vantage"):
    import pluggy

    return pluggy.PluginManager(project)


def specified(plugins):
    return {name for name, caller in vars(plugins.hook).items() if getattr(caller, "spec", None)}


def test_two_sets_by_hand_are_refused_by_pluggy():
    from vantage_quickbooks import hookspecs

    plugins = manager()
    plugins.add_hookspecs(copied())
    with pytest.raises(ValueError, match="already registered"):
        plugins.add_hookspecs(hookspecs)


@pytest.mark.parametrize("first", ["ours", "a copy", "part of a copy", "nothing"])
def test_specifications_are_added_once_in_any_order(first):
    from vantage_quickbooks import hookspecs

    plugins = manager()
    if first == "ours":
        plugins.add_hookspecs(hookspecs)
    elif first == "a copy":
        plugins.add_hookspecs(copied())
    elif first == "part of a copy":
        partial = copied()
        del partial.vantage_audit, partial.vantage_progress
        plugins.add_hookspecs(partial)
    for _ in range(2):
        hookspecs.add_hookspecs(plugins)
        assert specified(plugins) == set(hookspecs._SPECS)
    heard = []

    class Plugin:
        @_hookimpl()
        def vantage_audit(self, event):
            heard.append(event)

        @_hookimpl()
        def vantage_load_credentials(self, connection_id):
            return {"of": connection_id}

    plugins.register(Plugin())
    plugins.check_pending()
    context = HostContext.from_hooks(plugins.hook)
    context.audit({"a": 1})
    assert heard == [{"a": 1}]
    assert context.load_credentials("c") == {"of": "c"}  # the first result, not a list of all


def test_plugins_that_were_registered_before_are_called():
    from vantage_quickbooks import hookspecs

    class Plugin:
        @_hookimpl()
        def vantage_load_credentials(self, connection_id):
            return {"of": connection_id}

    plugins = manager()
    plugins.register(Plugin())
    hookspecs.add_hookspecs(plugins)
    assert plugins.hook.vantage_load_credentials(connection_id="c") == {"of": "c"}


def test_a_set_that_is_called_otherwise_is_named_with_what_differs():
    import pluggy

    from vantage_quickbooks import hookspecs

    hookspec = pluggy.HookspecMarker("vantage")

    @hookspec
    def vantage_audit(record): ...

    @hookspec
    def vantage_load_credentials(connection_id): ...

    for changed, said in (
        ({"vantage_audit": staticmethod(vantage_audit)}, "vantage_audit .* Specs, .* it takes record, not event"),
        ({"vantage_load_credentials": staticmethod(vantage_load_credentials)}, "returns all results, not the first"),
    ):
        plugins = manager()
        plugins.add_hookspecs(copied(**changed))
        with pytest.raises(ValueError, match=said):
            hookspecs.add_hookspecs(plugins)


def test_a_manager_of_another_project_is_refused():
    from vantage_quickbooks import hookspecs

    with pytest.raises(ValueError, match="of project 'datasette'; these hooks are of 'vantage'"):
        hookspecs.add_hookspecs(manager("datasette"))
