"""Checks of the descriptor: nothing is connected and nothing is called."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema.exceptions import best_match

from ..contract import CONTRACT_VERSIONS, is_offered, node_name
from .subject import attempt, broken, explain, find, shown

if TYPE_CHECKING:
    from .subject import Subject

SCHEMA_MEMBERS = ("inputSchema", "inputForm", "outputSchema")

CONNECTOR_METHODS = {"describeAction": ("describe_action",), "authorize": ("authorization_url", "exchange_code")}
"""Methods of the connector that a capability promises."""

UNKNOWN_ACTION = "noSuchActionExists"


def test_descriptor_matches_its_schema(subject: Subject) -> None:
    """Plain JSON, `schemas/descriptor.schema.json`, and a JSON Schema of the settings; other checks rely on it."""
    if subject.descriptor_problem:
        broken(subject.descriptor_problem)


def test_descriptor_is_the_same_each_time(subject: Subject) -> None:
    """A host may change what it got."""
    first = attempt("describe()", subject.connector.describe)
    kept = copy.deepcopy(first)
    for action in first.get("actions", ()):
        action.clear()
    first.clear()
    if attempt("describe()", subject.connector.describe) != kept:
        broken("describe() returns another descriptor the second time; return a new one at each call")


def test_id_is_the_connectors(subject: Subject) -> None:
    """A host registers the connector by its attribute."""
    found, described = getattr(subject.connector, "id", None), subject.descriptor.get("id")
    if found != described:
        broken(f"the connector's attribute id is {found!r}, and the descriptor's id is {described!r}")


def test_contract_version_is_one_of_those_offered(subject: Subject) -> None:
    """A host can read which major versions are offered."""
    offered = subject.descriptor.get("contractVersions", ["1"])
    version = subject.descriptor.get("contractVersion")
    if not (isinstance(version, str) and is_offered(version, offered)):
        broken(f"contractVersion {version!r} is of none of contractVersions, {offered}")
    if not set(offered) & set(CONTRACT_VERSIONS):
        broken(f"contractVersions {offered} has none that this kit knows, {list(CONTRACT_VERSIONS)}")


def test_capabilities_have_their_methods(subject: Subject) -> None:
    """What the descriptor promises can be called."""
    for capability in subject.descriptor.get("capabilities", ()):
        for method in CONNECTOR_METHODS.get(capability, ()):
            if not callable(getattr(subject.connector, method, None)):
                broken(f"the capability {capability} is listed, and the connector has no method {method}()")
    modes = {mode for action in subject.actions.values() for mode in action.get("modes", ())}
    if subject.has("changes") and "changes" not in modes:
        broken("the capability changes is listed, and no action has the mode changes")
    if "capabilities" in subject.descriptor and "changes" in modes and not subject.has("changes"):
        broken("an action has the mode changes, and the capability changes is not listed")


def test_ids_and_node_names_are_unique(subject: Subject) -> None:
    """Actions, groups and triggers."""
    actions = subject.descriptor.get("actions", [])
    groups = subject.descriptor.get("groups", [])
    triggers = [trigger for action in actions for trigger in action.get("triggers", ())]
    for what, member, entries in (
        ("actions", "id", actions),
        ("actions", "nodeName", actions),
        ("groups", "id", groups),
        ("triggers", "id", triggers),
    ):
        values = [entry[member] for entry in entries if member in entry]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            broken(f"two {what} have the same {member}: {', '.join(twice)}")


def test_groups_exist_and_list_actions_in_order(subject: Subject) -> None:
    """A menu shows the groups in their order, and in each the actions in theirs."""
    known = [group["id"] for group in subject.descriptor.get("groups", [])]
    named = {action_id: action["group"] for action_id, action in subject.actions.items() if action.get("group")}
    for action_id, group in named.items():
        if group not in known:
            broken(
                f"{action_id}: the group {group!r} is not one of the descriptor's groups: {', '.join(known) or 'none'}"
            )
    order = [known.index(group) for group in named.values()]
    if order != sorted(order):
        broken("the actions are not in the order of their groups")


def test_settings_form_names_known_settings(subject: Subject) -> None:
    """Each field of the form is a property of the schema, and each secret is `writeOnly`."""
    schema = subject.descriptor.get("settingsSchema", {})
    properties = schema.get("properties", {})
    _check_form(subject.descriptor.get("settingsForm", {}), set(properties), "settingsForm", "settingsSchema")
    fields = subject.descriptor.get("settingsForm", {}).get("fields", {})
    secret = {name for name, field in fields.items() if field.get("secret")} | subject.secret_names
    echoed = sorted(name for name in secret if not properties.get(name, {}).get("writeOnly"))
    if echoed:
        broken(f"settings that are secret and not writeOnly in settingsSchema: {', '.join(echoed)}")
    grant_fields = (subject.descriptor.get("auth") or {}).get("grantFields", ())
    callback_fields = (subject.descriptor.get("auth") or {}).get("callbackFields", {}).values()
    unknown = sorted({*grant_fields, *callback_fields} - set(properties))
    if unknown:
        broken(f"auth names settings that settingsSchema does not have: {', '.join(unknown)}")


def test_action_schemas_are_json_schemas(subject: Subject, action_id: str) -> None:
    """Draft 2020-12, and an input is an object."""
    for member in ("inputSchema", "outputSchema"):
        reason = subject.schema_problem(action_id, member)
        if reason:
            broken(f"{action_id}: {member} {reason}")
    is_empty_valid = subject.validator(action_id, "inputSchema").is_valid({})
    if not is_empty_valid and not subject.schema(action_id, "inputSchema").get("required"):
        broken(f"{action_id}: inputSchema refuses an empty input, and has no required members that say why")


def test_action_node_name_names_the_connector(subject: Subject, action_id: str) -> None:
    """Two connectors may have actions of the same id."""
    found = subject.actions[action_id].get("nodeName")
    expected = node_name(str(subject.descriptor.get("id")), action_id)
    if found is not None and found != expected:
        broken(f"{action_id}: nodeName is {found!r}, not {expected!r}")


def test_action_form_names_known_inputs(subject: Subject, action_id: str) -> None:
    """Each field of the form is a property of the input schema."""
    inputs = subject.inputs(action_id)
    form = subject.actions[action_id].get("inputForm", {})
    if inputs is not None:
        _check_form(form, inputs, f"{action_id}: inputForm", "inputSchema")


def test_action_examples_are_valid_inputs(subject: Subject, action_id: str) -> None:
    """Examples work; here they match the schema."""
    for index, example in enumerate(subject.actions[action_id].get("examples", ())):
        error = best_match(subject.validator(action_id, "inputSchema").iter_errors(example))
        if error is not None:
            broken(f"{action_id}: examples[{index}] does not match inputSchema, {explain(error, 'input')}")


def test_action_choices_come_from_known_actions(subject: Subject, action_id: str) -> None:
    """`optionsFrom` of the input form: the action, its members and its search exist."""
    fields = subject.actions[action_id].get("inputForm", {}).get("fields", {})
    for name, field in fields.items():
        source = field.get("optionsFrom")
        if source is None:
            continue
        what, offering = f"{action_id}: optionsFrom of {name}", source["action"]
        if offering not in subject.actions:
            broken(f"{what}: there is no action {offering!r}")
        if subject.actions[offering].get("rowsKey") is None:
            broken(f"{what}: {offering} has no rows")
        known = _row_members(subject, offering)
        for member in ("value", "label"):
            if known is not None and source[member].split(".")[0] not in known:
                broken(f"{what}: the rows of {offering} have no member {source[member]!r} ({member})")
        inputs = subject.inputs(offering)
        if source.get("search") and inputs is not None and source["search"] not in inputs:
            broken(f"{what}: {offering} has no input {source['search']!r} (search)")


def test_action_rows_are_in_its_output_schema(subject: Subject, action_id: str) -> None:
    """`rowsKey` and `flatFields` name what the schema knows."""
    properties = subject.schema(action_id, "outputSchema").get("properties")
    rows_key = subject.actions[action_id].get("rowsKey")
    if rows_key is not None and isinstance(properties, dict) and rows_key not in properties:
        broken(f"{action_id}: rowsKey {rows_key!r} is not in outputSchema")
    if rows_key is None and (subject.actions[action_id].get("keys") or subject.actions[action_id].get("flatFields")):
        broken(f"{action_id}: it has keys or flatFields, and no rowsKey")


def test_action_modes_fit_together(subject: Subject, action_id: str) -> None:
    """A mode has what it takes: an input, a cost, a way to learn of deletions."""
    action = subject.actions[action_id]
    if "modes" not in action:
        pytest.skip("the action has no modes")
    modes = set(action["modes"])
    if ("full" in modes) is not bool(action.get("fullReadInput")):
        broken(f"{action_id}: the mode full and fullReadInput go together, and one is missing")
    if modes and action.get("rowsKey") is None:
        broken(f"{action_id}: it has modes, and no rowsKey")
    costs = [cost["mode"] for cost in action.get("cost", ())]
    unknown = sorted(set(costs) - (modes or {"call"}))
    if unknown:
        broken(f"{action_id}: cost of modes that it does not have: {', '.join(unknown)}")
    if costs and modes - set(costs):
        broken(f"{action_id}: no cost for {', '.join(sorted(modes - set(costs)))}")
    if modes and (action.get("keys") or {}).get("deletions") == "cdc" and "changes" not in modes:
        broken(f"{action_id}: keys.deletions is cdc, and there is no mode changes")
    if action.get("destructive") and action.get("readOnly", True):
        broken(f"{action_id}: it is readOnly and destructive")
    if action.get("fullReadInput"):
        error = best_match(subject.validator(action_id, "inputSchema").iter_errors(action["fullReadInput"]))
        if error is not None:
            broken(f"{action_id}: fullReadInput does not match inputSchema, {explain(error, 'input')}")


def test_action_triggers_use_known_actions_and_inputs(subject: Subject, action_id: str) -> None:
    """Polling: the action, its inputs and the place of the state exist."""
    for trigger in subject.actions[action_id].get("triggers", ()):
        what, polled = f"{action_id}: trigger {trigger['id']}", trigger["action"]
        if polled not in subject.actions:
            broken(f"{what}: there is no action {polled!r}")
        inputs = subject.inputs(polled)
        if inputs is not None and trigger["stateInput"] not in inputs:
            broken(f"{what}: {polled} has no input {trigger['stateInput']!r} (stateInput)")
        error = best_match(subject.validator(polled, "inputSchema").iter_errors(trigger["startInput"]))
        if error is not None:
            broken(f"{what}: startInput does not match inputSchema, {explain(error, 'input')}")


def test_action_listing_uses_known_inputs_and_rows(subject: Subject, action_id: str) -> None:
    """`listing`: inputs, presets, the sorted columns and the record exist."""
    listing = subject.actions[action_id].get("listing")
    if not listing:
        pytest.skip("the action has no listing")
    what, inputs = f"{action_id}: listing", subject.inputs(action_id)
    if subject.actions[action_id].get("rowsKey") is None:
        broken(f"{what}: the action has no rowsKey")
    ids = [entry["id"] for entry in listing.get("filters", ())]
    twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
    if twice:
        broken(f"{what}: two filters have the same id: {', '.join(twice)}")
    for entry in listing.get("filters", ()):
        _check_filter(subject, action_id, entry, f"{what}: filter {entry['id']}")
    for member in ("pageSize", "sort"):
        name = (listing.get(member) or {}).get("input")
        if name and inputs is not None and name not in inputs:
            broken(f"{what}: {member}: there is no input {name!r}")
    if listing.get("record"):
        _check_link(subject, action_id, listing["record"], f"{what}: record")


def test_action_links_lead_to_known_actions(subject: Subject, action_id: str) -> None:
    """`links`: the action and its inputs exist, and a link says where on the page it belongs."""
    links = subject.actions[action_id].get("links", ())
    for index, link in enumerate(links):
        what = f"{action_id}: links[{index}]"
        if not (link.get("field") or link.get("title")):
            broken(f"{what}: it has neither a field nor a title")
        _check_link(subject, action_id, link, what)


def test_action_report_uses_known_inputs(subject: Subject, action_id: str) -> None:
    """`report`, `variants` of its form and the view `outline`: inputs, values and members exist."""
    action, inputs = subject.actions[action_id], subject.inputs(action_id)
    variants = action.get("inputForm", {}).get("variants")
    if variants and inputs is not None:
        what = f"{action_id}: inputForm: variants"
        named = {name for names in variants["fields"].values() for name in names} | {variants["input"]}
        unknown = sorted(named - inputs)
        if unknown:
            broken(f"{what}: there is no input {', '.join(unknown)}")
        for value, names in variants.get("required", {}).items():
            missing = sorted(set(names) - set(variants["fields"].get(value, ())))
            if missing:
                broken(f"{what}: {value} requires what it does not have: {', '.join(missing)}")
    report = action.get("report")
    if report:
        _check_report(subject, action_id, report, inputs)
    properties = subject.schema(action_id, "outputSchema").get("properties")
    for view in action.get("views", ()):
        source = (
            view.get("columns") if view["kind"] == "outline" else view.get("rows") if view["kind"] == "table" else None
        )
        if isinstance(source, str) and isinstance(properties, dict) and source not in properties:
            broken(f"{action_id}: view {view['kind']}: the result has no member {source!r}")
        for section in view.get("sections", ()):
            links = section.get("links")
            if isinstance(links, str) and links not in subject.descriptor.get("linkSets", {}):
                broken(f"{action_id}: view {view['kind']}: the descriptor has no linkSets {links!r}")


def test_action_deprecation_names_a_known_replacement(subject: Subject, action_id: str) -> None:
    """A host offers the replacement."""
    replacement = (subject.actions[action_id].get("deprecated") or {}).get("replacement")
    if replacement is not None and replacement not in subject.actions:
        broken(f"{action_id}: deprecated.replacement: there is no action {replacement!r}")


def test_dashboard_uses_known_actions_and_inputs(subject: Subject) -> None:
    """Sources, tiles and links: what they name exists, and their inputs are valid."""
    dashboard = subject.descriptor.get("dashboard")
    if not dashboard:
        pytest.skip("the connector has no dashboard")
    sources = {source["id"]: source for source in dashboard["sources"]}
    for what, entries in (("sources", dashboard["sources"]), ("tiles", dashboard["tiles"])):
        ids = [entry["id"] for entry in entries]
        if len(set(ids)) < len(ids):
            broken(f"dashboard: two {what} have the same id")
    for source_id, source in sources.items():
        _check_question(subject, source, f"dashboard: source {source_id}")
        action = subject.actions[source["action"]]
        if not action.get("readOnly", True) or action.get("sensitiveOutput"):
            broken(f"dashboard: source {source_id}: {source['action']} changes data or returns a secret")
    for tile in dashboard["tiles"]:
        what = f"dashboard: tile {tile['id']}"
        if tile["source"] not in sources:
            broken(f"{what}: there is no source {tile['source']!r}")
        _check_members(subject, sources[tile["source"]]["action"], tile, what)
        for link in (tile.get("link"), tile.get("partLink"), *(bar.get("link") for bar in tile.get("bars", ()))):
            if link is not None:
                _check_question(subject, link, f"{what}: a link")


def test_menu_is_the_descriptor_without_schemas(subject: Subject) -> None:
    """`describe(schemas=False)`."""
    subject.needs("describeAction")
    menu = attempt("describe(schemas=False)", subject.connector.describe, schemas=False)
    expected = dict(subject.descriptor)
    expected["actions"] = [
        {name: value for name, value in action.items() if name not in SCHEMA_MEMBERS} for action in expected["actions"]
    ]
    for name in sorted(expected.keys() | menu.keys()):
        if menu.get(name) != expected.get(name):
            broken(f"describe(schemas=False) differs from describe() without its schemas, in {name}")


def test_each_action_is_described_alone(subject: Subject) -> None:
    """`describe_action(id)`."""
    subject.needs("describeAction")
    for action_id, action in subject.actions.items():
        if attempt(f"describe_action({action_id!r})", subject.connector.describe_action, action_id) != action:
            broken(f"describe_action({action_id!r}) differs from its entry in describe()")
    try:
        subject.connector.describe_action(UNKNOWN_ACTION)
    except KeyError:
        return
    except Exception as error:  # noqa: BLE001 -- a broken connector raises anything
        broken(f"describe_action({UNKNOWN_ACTION!r}) raised {type(error).__name__}, not KeyError: {shown(error)}")
    broken(f"describe_action({UNKNOWN_ACTION!r}) did not raise KeyError")


def _check_filter(subject: Subject, action_id: str, entry: dict[str, Any], what: str) -> None:
    inputs, presets = subject.inputs(action_id), entry.get("presets")
    unknown = sorted(set(entry["inputs"]) - inputs) if inputs is not None else []
    if unknown:
        broken(f"{what}: there is no input {', '.join(unknown)}")
    if isinstance(presets, str) and presets not in subject.descriptor.get("presets", {}):
        broken(f"{what}: the descriptor has no presets {presets!r}")
    if entry["kind"] == "lookup" and not _form_field(subject, action_id, entry["inputs"][0]).get("optionsFrom"):
        broken(f"{what}: it is a lookup, and its field in inputForm has no optionsFrom")


def _check_report(subject: Subject, action_id: str, report: dict[str, Any], inputs: set[str] | None) -> None:
    what, chooser = f"{action_id}: report", report.get("input")
    if subject.actions[action_id].get("rowsKey") is None:
        broken(f"{what}: the action has no rowsKey")
    if inputs is None:
        return
    for period in report.get("periods", ()):
        unknown = sorted({period["preset"], *period["inputs"]} - inputs)
        if unknown:
            broken(f"{what}: periods: there is no input {', '.join(unknown)}")
    if chooser is None:
        return
    if chooser not in inputs:
        broken(f"{what}: there is no input {chooser!r}")
    known = subject.schema(action_id, "inputSchema").get("properties", {}).get(chooser, {}).get("enum")
    listed = [value for group in report.get("groups", ()) for value in group["values"]]
    wrong = sorted(set(listed) - set(known)) if known else []
    if wrong:
        broken(f"{what}: groups: {chooser} has no value {', '.join(wrong)}")


def _check_link(subject: Subject, action_id: str, link: dict[str, Any], what: str) -> None:
    """Check that a link's action has the inputs, and that the rows have what they are filled with."""
    target = link["action"]
    if target not in subject.actions:
        broken(f"{what}: there is no action {target!r}")
    inputs = subject.inputs(target)
    unknown = sorted(set(link["input"]) - inputs) if inputs is not None else []
    if unknown:
        broken(f"{what}: {target} has no input {', '.join(unknown)}")
    rows_key = subject.actions[action_id].get("rowsKey")
    known = _row_members(subject, action_id) if rows_key and _is_closed(subject, action_id) else None
    for path in link["input"].values():
        if known is not None and path.split(".")[0] not in known:
            broken(f"{what}: the rows have no member {path!r}")


def _is_closed(subject: Subject, action_id: str) -> bool:
    """Return whether the schema of an action's rows allows no further members."""
    schema = subject.schema(action_id, "outputSchema")
    rows = (schema.get("properties") or {}).get(subject.actions[action_id]["rowsKey"]) or {}
    return _resolved(rows.get("items", rows), schema).get("additionalProperties") is False


def _form_field(subject: Subject, action_id: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = subject.actions[action_id].get("inputForm", {}).get("fields", {}).get(name, {})
    return found


def _check_form(form: dict[str, Any], known: set[str], what: str, schema: str) -> None:
    for member, names in (("order", form.get("order", ())), ("fields", form.get("fields", {}))):
        unknown = sorted(set(names) - known)
        if unknown:
            broken(f"{what}: {member} names what {schema} does not have: {', '.join(unknown)}")
    groups = {group["id"] for group in form.get("groups", ())}
    for name, field in form.get("fields", {}).items():
        if "group" in field and field["group"] not in groups:
            broken(f"{what}: {name} is in the group {field['group']!r}, which the form does not have")


def _check_question(subject: Subject, question: dict[str, Any], what: str) -> None:
    """Check what names an action with an input, days and presets."""
    action_id = question["action"]
    if action_id not in subject.actions:
        broken(f"{what}: there is no action {action_id!r}")
    listing = subject.actions[action_id].get("listing") or {}
    presets = {item["id"]: _preset_ids(subject, item) for item in listing.get("filters", ())}
    for name, preset in question.get("presets", {}).items():
        if preset not in presets.get(name, ()):
            broken(f"{what}: the listing of {action_id} has no preset {preset!r} of the filter {name!r}")
    inputs = subject.inputs(action_id)
    named = [*question.get("input", {}), *question.get("dates", {}), *question.get("rowInput", {})]
    unknown = sorted(set(named) - inputs) if inputs is not None else []
    if unknown:
        broken(f"{what}: {action_id} has no inputs {', '.join(unknown)}")
    if "rowInput" not in question:
        filled = {**question.get("input", {}), **dict.fromkeys(question.get("dates", {}), "2026-05-31")}
        error = best_match(subject.validator(action_id, "inputSchema").iter_errors(filled))
        if error is not None:
            broken(f"{what} does not match the inputSchema of {action_id}, {explain(error, 'input')}")


def _preset_ids(subject: Subject, item: dict[str, Any]) -> list[str]:
    """Return the ids of a filter's named ranges, its own or those of the set that it names."""
    presets = item.get("presets", ())
    if isinstance(presets, str):
        presets = subject.descriptor.get("presets", {}).get(presets, ())
    return [preset["id"] for preset in presets]


def _check_members(subject: Subject, action_id: str, tile: dict[str, Any], what: str) -> None:
    """Check that the members of rows that a tile names exist, where the output schema says which exist."""
    if subject.actions[action_id].get("rowsKey") is None:
        return
    known = _row_members(subject, action_id)
    value = tile.get("value", {})
    paths = [value.get("sum"), value.get("average"), tile.get("by"), tile.get("label")]
    paths += [entry["field"] for entry in tile.get("where", ())]
    paths += [entry["field"] for bar in tile.get("bars", ()) for entry in bar["where"]]
    paths += [entry["field"] for series in tile.get("series", ()) for entry in series["where"]]
    for path in filter(None, paths):
        if known is not None and path.split(".")[0] not in known:
            broken(f"{what}: the rows of {action_id} have no member {path!r}")


def _row_members(subject: Subject, action_id: str) -> set[str] | None:
    """Return the members of an action's rows that its schema and flat fields name; None if the schema names none."""
    schema = subject.schema(action_id, "outputSchema")
    rows = (schema.get("properties") or {}).get(subject.actions[action_id]["rowsKey"]) or {}
    row = _resolved(rows.get("items", rows), schema)
    if not isinstance(row.get("properties"), dict):
        return None
    return set(row["properties"]) | {flat["name"] for flat in subject.actions[action_id].get("flatFields", ())}


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    if reference.startswith("#/"):
        return find(root, reference.removeprefix("#/").replace("/", "."))[1] or {}
    return schema
