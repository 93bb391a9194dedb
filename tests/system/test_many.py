"""Tasks and syncs of many companies from Python: each on its own, with limits, retries and a report in order."""

from __future__ import annotations

import contextlib
import json
import threading

import pytest
from registries import opener

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector import company_runs, many
from vantage_quickbooks.connector.many import run_companies, sync_companies
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError, TokenStoreError
from vantage_quickbooks.registry import HostRegistry

IDS = ("acme", "birch", "cedar", "dogwood", "elm")


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, rotation="always", previous_token_grace_s=86_400) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def forms(fresh_quickbooks):
    """Return the settings of the companies by id."""
    quickbooks = fresh_quickbooks
    return {
        id_: quickbooks.settings() | {"realm_id": str(number), "refresh_token": quickbooks.grant(str(number))}
        for number, id_ in enumerate(IDS, 9_100_000_000_000_001)
    }


@pytest.fixture
def registry(forms, request):
    with opener("folder", request)() as made:
        for id_, form in forms.items():
            made.add(id_, form, f"The {id_} company")
        yield made


def read_name(connection, run):
    run.result = {"name": connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]}


class Mirror:
    """A target in memory."""

    def __init__(self):
        self.state, self.records = None, {}

    def apply(self, changes):
        changes.apply_to(self.records.setdefault(changes.entity, {}))
        self.state = json.dumps(changes.state)


@pytest.fixture
def mirrors():
    return {id_: Mirror() for id_ in IDS}


# ---- the report ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "sqlite", "host"])
def test_each_form_of_registry_can_be_run(forms, request, form):
    with opener(form, request)() as registry:
        for id_, settings in forms.items():
            registry.add(id_, settings)
        report = run_companies(registry, read_name)
    assert report.ok
    assert [(run.id, run.status, run.realm_id) for run in report.runs] == [
        (id_, "succeeded", form_["realm_id"]) for id_, form_ in forms.items()
    ]
    assert {(run.api_calls, run.metered_calls, run.attempts) for run in report.runs} == {(1, 1, 1)}
    assert {run.result["name"] for run in report.runs} == {"Juniper & Finch Garden Works"}


def test_the_report_is_plain_json(registry):
    report = run_companies(registry, read_name, ["elm", "acme"])
    found = json.loads(json.dumps(report.to_dict()))
    assert [run["connection"] for run in found["runs"]] == ["elm", "acme"]
    assert (found["ok"], found["companies"], found["succeeded"], found["apiCalls"]) == (True, 2, 2, 2)
    assert found["runs"][1]["label"] == "The acme company"


def test_a_host_without_a_list_names_the_companies(forms):
    registry = HostRegistry(load=forms.__getitem__)
    assert run_companies(registry, read_name, ["birch"]).ok
    with pytest.raises(many.RegistryError, match="list"):
        run_companies(registry, read_name)


def test_companies_run_at_once_but_not_more_than_workers(registry):
    """Two of them meet; a third worker does not exist."""
    both = threading.Barrier(2, timeout=60)
    running, most = set(), []

    def task(_, run):
        running.add(run.id)
        most.append(len(running))
        with contextlib.suppress(threading.BrokenBarrierError):
            if run.id in IDS[:4]:
                both.wait()
        running.discard(run.id)

    assert run_companies(registry, task, workers=2).ok
    assert max(most) == 2


def test_one_token_store_serves_all(registry, monkeypatch):
    opened = []
    open_store = company_runs.open_store

    def noting(*args, **kwargs):
        opened.append(open_store(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(company_runs, "open_store", noting)
    assert run_companies(registry, read_name).ok
    assert len(opened) == 1


def test_a_hosts_own_credentials_and_observers_are_used(registry):
    kept, events = {}, []

    def save(id_, credentials, _):
        kept[id_] = credentials
        return 1

    context = HostContext(load_credentials=kept.get, save_credentials=save, audit=events.append)
    report = run_companies(registry, read_name, context=context)
    assert report.ok
    assert sorted(kept) == sorted(event["connectionId"] for event in events) == list(IDS)


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_defect_in_a_task_is_reported_by_its_place_and_not_by_its_text(registry, caplog):
    def task(_, run):
        if run.id == "cedar":
            raise LookupError("a-secret")

    report = run_companies(registry, task)
    assert [run.status for run in report.runs] == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    error = report.runs[2].error
    assert error["code"] == "INTERNAL_ERROR"
    assert "LookupError at" in error["message"]
    assert "test_many.py" in error["message"]
    assert "a-secret" not in json.dumps(report.to_dict()) + caplog.text


def test_what_may_be_over_is_tried_again_after_the_others(quickbooks, registry):
    """The answer to a token request is lost: the next attempt uses the token of before while it lives."""
    quickbooks.fault("token_response_lost", path="tokens/bearer")
    ended = []
    report = run_companies(registry, read_name, workers=1, on_done=lambda run: ended.append(run.id))
    assert report.ok
    assert [run.attempts for run in report.runs] == [2, 1, 1, 1, 1]
    assert ended == [*IDS[1:], IDS[0]]

    quickbooks.expire_access_tokens()
    quickbooks.fault("token_response_lost", path="tokens/bearer")
    report = run_companies(registry, read_name, workers=1, retries=0)
    assert [run.error and run.error["code"] for run in report.runs] == ["NETWORK_ERROR", None, None, None, None]


@pytest.mark.parametrize("kind", ["revoked", "asked to wait", "repeated already"])
def test_what_cannot_be_over_is_not_tried_again(quickbooks, forms, registry, kind):
    if kind == "revoked":
        quickbooks.revoke_grants(forms["acme"]["realm_id"])
    else:
        wait = {"retry_after": 3_600} if kind == "asked to wait" else {}
        quickbooks.fault("throttle", path=forms["acme"]["realm_id"], times=-1, **wait)
    report = run_companies(registry, read_name, new_call=lambda **known: CallContext(**known, sleep=lambda _: None))
    quickbooks.clear_faults()
    assert [run.status for run in report.runs] == ["failed", *["succeeded"] * 4]
    assert report.runs[0].attempts == 1


def test_a_host_can_cancel(registry):
    report = run_companies(registry, read_name, context=HostContext(cancelled=lambda: True))
    assert {run.status for run in report.runs} == {"cancelled"}
    assert not report.ok


def test_an_observer_that_fails_stops_the_runs(registry):
    def on_done(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_companies(registry, read_name, workers=1, on_done=on_done)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("company-")]


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": True}, {"timeout_s": -1}, {"timeout_s": "5"}])
def test_numbers_that_are_not_positive_are_refused(registry, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        run_companies(registry, read_name, **wrong)


def test_a_token_store_that_cannot_be_used_is_raised_at_once(registry):
    with pytest.raises(TokenStoreError):
        run_companies(registry, read_name, deployment=Deployment(token_store="sqlite:nonsense"))


# ---- syncs -----------------------------------------------------------------------------------------------------------


def test_syncs_go_on_where_they_stopped(quickbooks, forms, registry, mirrors):
    @contextlib.contextmanager
    def target(run):
        yield mirrors[run.id]

    report = sync_companies(registry, target, entities=["Customer", "Term"])
    assert report.ok
    assert {run.result["entities"] for run in report.runs} == {2}
    assert {run.metered_calls for run in report.runs} == {4}

    made = quickbooks.create("Customer", {"DisplayName": "Zoë"}, forms["birch"]["realm_id"])
    report = sync_companies(registry, target, entities=["Customer", "Term"])
    assert [(run.result["upserts"], run.metered_calls) for run in report.runs] == [(0, 1), (1, 1), *[(0, 1)] * 3]
    assert mirrors["birch"].records["Customer"][made["Id"]]["DisplayName"] == "Zoë"


def test_a_limit_of_calls_holds_for_all_attempts_together(quickbooks, registry, mirrors):
    """A damaged page may be over at the next attempt, which would need the calls again."""

    @contextlib.contextmanager
    def target(run):
        yield mirrors[run.id]

    def sync(limit):
        quickbooks.reset_counters()
        [run] = sync_companies(registry, target, ["acme"], entities=["Term", "Class"], max_api_calls=limit).runs
        sent = [request for request in quickbooks.requests() if request["path"].startswith("/v3/company/")]
        assert len(sent) == run.api_calls
        return run.status, run.error and run.error["code"], run.attempts, run.api_calls

    quickbooks.fault("token_response_lost", path="tokens/bearer")  # the first attempt spends no call
    assert sync(4) == ("succeeded", None, 2, 4)
    mirrors["acme"].state = None
    quickbooks.fault("broken_json", path="query", times=-1)
    assert sync(None) == ("incomplete", "RESPONSE_UNEXPECTED", 2, 8)
    assert sync(7) == ("incomplete", "RESPONSE_UNEXPECTED", 1, 4)


def test_a_target_that_cannot_write_loses_nothing(registry, mirrors):
    """What was applied before counts; the next sync has the rest."""
    broken = {"cedar"}

    class Full(Mirror):
        def apply(self, changes):
            if changes.entity == "Term" and broken:
                raise OSError(28, "No space left on device", "cedar.db")
            super().apply(changes)

    mirrors["cedar"] = Full()

    @contextlib.contextmanager
    def target(run):
        yield mirrors[run.id]

    report = sync_companies(registry, target, entities=["Customer", "Term"])
    assert [run.status for run in report.runs] == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    cedar = report.runs[2]
    assert (cedar.error["code"], cedar.result["entities"]) == ("OUTPUT_UNWRITABLE", 1)
    assert "cedar.db cannot be written: No space left on device" in cedar.error["message"]
    broken.clear()
    assert sync_companies(registry, target, entities=["Customer", "Term"]).ok
    assert mirrors["cedar"].records["Term"].keys() == mirrors["acme"].records["Term"].keys()


def test_wrong_arguments_are_refused_before_anything_is_sent(quickbooks, registry):
    quickbooks.reset_counters()
    with pytest.raises(InputError, match="Custmer"):
        sync_companies(registry, lambda _: pytest.fail("opened"), entities=["Custmer"])
    assert quickbooks.counters()["api_requests"]["total"] == 0
