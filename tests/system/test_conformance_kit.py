"""The conformance kit: our connector and the toys pass, and each broken connector fails with a reason that says why."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HERE = Path(__file__).parent
SOURCES = (HERE, HERE.parent / "web", HERE / "connector_package" / "src")

# The broken connector: the one check that fails, and why.
BROKEN = {
    "NoTitle": ("descriptor_matches_its_schema", r"at descriptor\.actions\[0\]: 'title' is a required property"),
    "NotJson": ("descriptor_matches_its_schema", r"descriptor\.released is a Decimal, which JSON does not have"),
    "NoSchema": ("action_schemas_are_json_schemas", r"listCars: inputSchema is not a JSON Schema .* 'text'"),
    "UnknownField": ("action_form_names_known_inputs", r"listCars: inputForm: fields names .*: color"),
    "BadExample": ("action_examples_are_valid_inputs", r"examples\[0\] .* at input\.sold_only: 'yes' is not of type"),
    "DanglingChoices": (
        "action_choices_come_from_known_actions",
        r"getCar: optionsFrom of plate: the rows of listCars have no member 'nickname' \(label\)",
    ),
    "UnknownFilter": (
        "action_listing_uses_known_inputs_and_rows",
        r"listCars: listing: filter color: there is no input color",
    ),
    "UnknownPresets": (
        "action_listing_uses_known_inputs_and_rows",
        r"filter since: the descriptor has no presets 'years'",
    ),
    "LookupWithoutChoices": (
        "action_listing_uses_known_inputs_and_rows",
        r"filter since: it is a lookup, and its field",
    ),
    "SameFilter": ("action_listing_uses_known_inputs_and_rows", r"two filters have the same id: since"),
    "UnknownSort": ("action_listing_uses_known_inputs_and_rows", r"listing: sort: there is no input 'order'"),
    "DanglingRecord": ("action_listing_uses_known_inputs_and_rows", r"listing: record: there is no action 'getBus'"),
    "DanglingLink": ("action_links_lead_to_known_actions", r"listCars: links\[0\]: there is no action 'getBus'"),
    "UnknownLinkInput": ("action_links_lead_to_known_actions", r"links\[0\]: getCar has no input number"),
    "LinkToNowhere": ("action_links_lead_to_known_actions", r"links\[0\]: it has neither a field nor a title"),
    "UnknownReport": ("action_report_uses_known_inputs", r"listCars: report: there is no input 'kind'"),
    "UnknownPeriod": ("action_report_uses_known_inputs", r"report: periods: there is no input period"),
    "ImpossibleVariant": ("action_report_uses_known_inputs", r"variants: a requires what it does not have: all"),
    "UnknownColumns": ("action_report_uses_known_inputs", r"view outline: the result has no member 'heads'"),
    "UnknownLinkSet": ("action_report_uses_known_inputs", r"view record: the descriptor has no linkSets 'owners'"),
    "UnknownGroup": ("groups_exist_and_list_actions_in_order", r"countCars: the group 'attic' .*: cars, office"),
    "NoCost": ("action_modes_fit_together", r"listCars: no cost for changes"),
    "UnknownState": ("triggers_start_and_poll", r"trigger carSold: the result of .* has no metadata\.cursor"),
    "SharedDescriptor": ("descriptor_is_the_same_each_time", r"return a new one at each call"),
    "UnnamedSettings": ("settings_are_reported_by_field", r"does not name"),
    "BareError": (
        "connect_refuses_wrong_settings_with_an_error_that_has_a_code",
        r"raised KeyError, which has no code",
    ),
    "OpensFile": ("connect_opens_nothing", r"connect\(\) opens something: writes /dev/zero"),
    "Raises": ("input_that_is_not_an_object_is_refused", r"call\('listCars', \[\]\) raised TypeError: input must be a"),
    "AcceptsAnyAction": ("unknown_actions_are_refused", r"call\('noSuchActionExists'\) succeeds, and there is no such"),
    "NotANumber": ("call_", r"the envelope\.data\.cars\[7\]\.km is nan, which JSON does not have"),
    "WrongResult": ("call_succeeds_and_matches_the_output_schema", r"at data\.cars\[3\]\.km: 'many' is not of type"),
    "SamePlate": (
        "rows_have_their_keys_and_flat_fields",
        r'listCars: row 1 has the primary key of a row before: \["T-1"\]',
    ),
    "LosesARow": ("full_read_is_the_same_streamed", r"has 248 rows, and not the 250 of call\(\)"),
    "OneThread": ("threads_share_a_connection", r"raised RuntimeError: objects created in a thread can only"),
    "UnnamedInput": ("wrong_inputs_are_reported_by_field", r"the error does not name the input \w+ in its fields"),
    "NoContextManager": ("connection_is_a_context_manager", r"the connection is not a context manager"),
    "NoRowLimit": ("row_limit_is_honored", r"call\('listCars', \{\}\) returns 250 rows, and row_limit is 1"),
    "NoDeadline": ("deadline_is_honored", r"call\('listCars', \{\}\) succeeds, and must fail with DEADLINE_EXCEEDED"),
    "NoCancellation": ("cancellation_is_honored", r"call\('listCars', \{\}\) succeeds, and must fail with CANCELLED"),
    "NoAudit": ("calls_are_audited", r"audit was called 0 times for two calls of listCars"),
    "AnyVersion": ("connect_refuses_a_contract_version", r"connect\(\) with contract_version 999 is not refused"),
    "ShowsSecret": ("text_forms_hold_no_secret", r"the text form of the connection contains the secret api_key"),
    "ErrorWithSecret": ("", r"the envelope of call\('noSuchActionExists', \{\}\) contains the secret api_key"),
    "LogsSecret": ("logs_hold_no_secret", r"the log contains the secret api_key"),
}
SEVERAL = {"UnnamedSettings", "Raises", "NotANumber", "WrongResult", "ErrorWithSecret"}
"""Those whose one defect shows in several checks."""

KEY = "k3y-of-the-garage"


def kit(tmp_path, *arguments, **variables):
    """Run the kit in a separate process; return the exit status, what it printed and each check's reason."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": os.pathsep.join(map(str, SOURCES)),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the kit needs no other plugin, and each start would import all
        **variables,
    }
    report = tmp_path / "report.xml"
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "vantage_quickbooks.conformance", "-p", "no:cacheprovider", "-q",
            "--junitxml", report, *arguments,
        ],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    reasons = {}
    for case in ET.parse(report).iter("testcase") if report.exists() else ():  # noqa: S314 -- our own report
        found = [*case.iter("failure"), *case.iter("error")]
        reasons[case.get("name")] = found[0].get("message") if found else None
    return done.returncode, done.stdout + done.stderr, reasons


def written(path, value):
    path.write_text(json.dumps(value))
    return path


def test_our_connector_conforms(emulator, tmp_path):
    """Against the emulator; descriptors are checked for all actions, and a sample of each group is called."""
    settings = written(tmp_path / "settings.json", emulator.settings())
    sample = (
        "listCustomers,listInvoices,getCompanyInfo,getAccessToken,listPayments,listBills,getBill,listItems,"
        "listTaxCodes,listRecurringTransactions,getPreferences,query"
    )
    status, output, reasons = kit(
        tmp_path, "--connector", "vantage_quickbooks:QUICKBOOKS", "--settings", settings, "--actions", sample
    )
    assert status == 0, output
    assert "test_triggers_start_and_poll[listInvoices]" in reasons
    assert "test_deadline_is_honored[getAccessToken]" in reasons


@pytest.mark.parametrize(
    ("connector", "settings"), [("garage:Garage", {"api_key": KEY}), ("toy_connector.plugin:Weather", {})]
)
def test_toy_connectors_conform(connector, settings, tmp_path):
    status, output, reasons = kit(
        tmp_path, "--connector", connector, "--settings", written(tmp_path / "settings.json", settings)
    )
    assert status == 0, output
    assert len(reasons) > 50


def test_without_settings_nothing_is_called(tmp_path):
    status, output, _ = kit(tmp_path, "--connector", "garage:Garage", "-rs")
    assert status == 0, output
    assert "no --settings" in output
    assert "test_descriptor" not in output  # the checks that were skipped


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """The reasons of each broken connector by check; one process for all."""
    place = tmp_path_factory.mktemp("broken")
    settings = written(place / "settings.json", {"api_key": KEY})
    chosen = [f"--connector=broken_connectors:{name}" for name in BROKEN] + [f"--settings={settings}"] * len(BROKEN)
    status, output, reasons = kit(place, *chosen, "--actions", "listCars")
    assert status == 1, output
    assert KEY not in output  # not even where the kit found it
    found = {name: {} for name in BROKEN}
    for case, reason in reasons.items():
        check, name = re.fullmatch(r"test_(\w+)\[broken_connectors:(\w+)(?::\w+)?\]", case).groups()
        if reason is not None:
            found[name][check] = reason
    return found


@pytest.mark.parametrize("name", BROKEN)
def test_broken_connector_fails_with_a_readable_reason(name, failures):
    check, reason = BROKEN[name]
    matching = [failed for failed, why in failures[name].items() if check in failed and re.search(reason, why)]
    assert matching, failures[name]
    assert set(failures[name]) == set(matching) or name in SEVERAL, failures[name]
    assert all("\n" not in why and len(why) < 700 for why in failures[name].values())


@pytest.mark.parametrize("arguments", [
    ["--connector", "no_such_module:Thing"],
    ["--connector", "garage:NoSuchThing"],
    ["--connector", "garage:Garage", "--settings", "no-such-file.json"],
    ["--connector", "garage:Garage", "--connector", "garage:Garage", "--settings", "one.json"],
])  # fmt: skip
def test_wrong_options_are_usage_errors(arguments, tmp_path):
    status, output, _ = kit(tmp_path, *arguments)
    assert (status, "Traceback" in output) == (4, False), output
