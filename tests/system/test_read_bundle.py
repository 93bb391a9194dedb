"""Reading a bundle: items with their companies, in bounded memory, and each company's end."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter

import pytest

from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.connector.bundles import CompanyItem, CompanyRun, is_app_wide, make_bundles, read_bundle
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError, NetworkError, TokenStoreError
from vantage_quickbooks.registry import open_registry

IDS = ("acme", "birch", "cedar", "dogwood", "elm")


@pytest.fixture(scope="module")
def quickbooks():
    with Emulator(limits=False, rotation="always", previous_token_grace_s=86_400) as running:
        yield running
        assert running.crashes == []


@pytest.fixture
def forms(fresh_quickbooks):
    """Return the settings of the companies by id."""
    return {
        id_: fresh_quickbooks.settings()
        | {"realm_id": str(number), "refresh_token": fresh_quickbooks.grant(str(number))}
        for number, id_ in enumerate(IDS, 9_100_000_000_000_001)
    }


@pytest.fixture
def registry(forms, tmp_path):
    with open_registry(tmp_path / "registry") as made:
        for id_, form in forms.items():
            made.add(id_, form, f"The {id_} company")
        yield made


@pytest.fixture
def bundle(registry):
    (bundle,) = make_bundles(registry.list())
    return bundle


def pages(connection, run):
    """Yield two pages of invoices."""
    for page in connection.stream("listInvoices", {"all": True, "max_results": 20}):
        run.result["pages"] = run.result.get("pages", 0) + 1
        yield len(page["invoices"])


def names(connection, _):
    yield connection.invoke("getCompanyInfo")["companyInfo"]["CompanyName"]


def no_company_threads():
    return not [thread for thread in threading.enumerate() if thread.name.startswith("company-")]


# ---- what is yielded -------------------------------------------------------------------------------------------------


def test_items_come_with_their_company_and_each_company_ends_once(registry, bundle):
    items, ended = Counter(), {}
    for found in read_bundle(registry, bundle, pages, workers=2):
        if isinstance(found, CompanyRun):
            ended[found.id] = found
        else:
            assert found.run.id not in ended
            items[found.run.id] += found.item
    assert {id_: run.status for id_, run in ended.items()} == dict.fromkeys(IDS, "succeeded")
    assert set(items) == set(IDS)
    assert len(set(items.values())) == 1
    assert min(run.result["pages"] for run in ended.values()) > 1
    assert {run.label for run in ended.values()} == {f"The {id_} company" for id_ in IDS}
    assert {run.realm_id for run in ended.values()} == {entry.realm_id for entry in bundle.entries}
    assert all(run.api_calls for run in ended.values())


def test_ids_can_be_read_without_a_bundle(registry):
    found = list(read_bundle(registry, ["elm", "acme", "unknown"], names))
    assert {one.run.id for one in found if isinstance(one, CompanyItem)} == {"elm", "acme"}
    ended = {run.id: run for run in found if isinstance(run, CompanyRun)}
    assert ended["elm"].label == "The elm company"
    assert ended["unknown"].error["code"] == "CONNECTION_NOT_FOUND"


def test_a_bundle_is_read_without_a_list_of_the_registry(registry, bundle, monkeypatch):
    monkeypatch.setattr(type(registry), "list", lambda _: pytest.fail("the registry was listed"))
    assert sum(isinstance(found, CompanyRun) for found in read_bundle(registry, bundle, names)) == len(IDS)


def test_no_company_is_nothing(registry):
    assert list(read_bundle(registry, [], names)) == []


# ---- failures --------------------------------------------------------------------------------------------------------


def test_a_company_that_fails_is_a_run_and_the_others_are_read(quickbooks, forms, registry, bundle):
    quickbooks.revoke_grants(forms["birch"]["realm_id"])
    (registry._path / "cedar.json").write_text("{")
    found = list(read_bundle(registry, bundle, names))
    ended = {run.id: run for run in found if isinstance(run, CompanyRun)}
    assert {id_: run.error and run.error["code"] for id_, run in ended.items()} == dict.fromkeys(IDS) | {
        "birch": "REAUTHORIZATION_REQUIRED",
        "cedar": "CONNECTION_DAMAGED",
    }
    assert {one.run.id for one in found if isinstance(one, CompanyItem)} == {"acme", "dogwood", "elm"}
    assert not any(is_app_wide(run.error) for run in ended.values())


def test_a_client_that_is_refused_is_a_condition_of_the_whole_app(registry, forms):
    registry.add("acme", forms["acme"] | {"client_secret": "wrong"}, replace=True)
    ended = {run.id: run for run in read_bundle(registry, ["acme", "elm"], names) if isinstance(run, CompanyRun)}
    assert is_app_wide(ended["acme"].error)
    assert not is_app_wide(ended["elm"].error)


def test_a_limit_of_calls_of_the_month_is_a_condition_of_the_whole_app(quickbooks, registry, forms):
    # Only production is metered; the emulator stands in for it.
    production = {key: value for key, value in forms["acme"].items() if key != "emulator_url"}
    registry.add("acme", production | {"environment": "production"}, replace=True)
    deployment = Deployment(
        api_url=quickbooks.url, oauth_url=quickbooks.url, token_store="memory", monthly_call_limit="1"
    )

    def task(connection, _):
        for _ in range(3):
            yield connection.invoke("getCompanyInfo")

    ended = [run for run in read_bundle(registry, ["acme"], task, deployment=deployment) if isinstance(run, CompanyRun)]
    assert [run.error["code"] for run in ended] == ["APP_BLOCKED"]
    assert is_app_wide(ended[0].error)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_company_is_tried_again_only_if_none_of_its_items_was_yielded(registry, is_late):
    """Its items would come twice."""
    attempts = Counter()

    def task(_, run):
        attempts[run.id] += 1
        if is_late:
            yield "first"
        if run.id == "acme" and attempts["acme"] == 1:
            raise NetworkError("No response.")
        yield "last"

    found = list(read_bundle(registry, IDS[:2], task, workers=1))
    items = [(one.run.id, one.item) for one in found if isinstance(one, CompanyItem)]
    ended = [(run.id, run.status, run.attempts) for run in found if isinstance(run, CompanyRun)]
    if is_late:
        assert items == [("acme", "first"), ("birch", "first"), ("birch", "last")]
        assert ended == [("acme", "failed", 1), ("birch", "succeeded", 1)]
    else:
        assert items == [("birch", "last"), ("acme", "last")]
        assert ended == [("birch", "succeeded", 1), ("acme", "succeeded", 2)]


def test_a_defect_in_a_task_is_a_run(registry):
    def task(_, run):
        yield 1
        if run.id == "cedar":
            raise LookupError("a-secret")

    ended = {run.id: run for run in read_bundle(registry, IDS, task) if isinstance(run, CompanyRun)}
    assert {id_ for id_, run in ended.items() if run.status == "failed"} == {"cedar"}
    assert ended["cedar"].error["code"] == "INTERNAL_ERROR"
    assert "a-secret" not in str(ended["cedar"])


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"timeout_s": -1}, {"buffered": 0}])
def test_numbers_that_are_not_positive_are_refused(registry, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        next(read_bundle(registry, IDS, names, **wrong))


def test_a_token_store_that_cannot_be_used_is_raised(registry):
    with pytest.raises(TokenStoreError):
        next(read_bundle(registry, IDS, names, deployment=Deployment(token_store="sqlite:nonsense")))


# ---- the consumer sets the pace, and may stop ------------------------------------------------------------------------


def test_workers_wait_for_a_slow_consumer(registry):
    """With two workers and room for three items, no more than five exist that were not consumed."""
    made, taken, most = Counter(), 0, 0

    def task(_, run):
        for number in range(50):
            made[run.id] += 1
            yield number

    for found in read_bundle(registry, IDS, task, workers=2, buffered=3):
        if isinstance(found, CompanyItem):
            taken += 1
            most = max(most, made.total() - taken)
    assert taken == 250
    assert most <= 3 + 2


def test_closing_ends_the_workers_and_closes_their_tasks(quickbooks, registry):
    """One company hangs in a request, one waits for room, the others have not begun."""
    quickbooks.fault("hang", path="companyinfo", times=-1, seconds=60)
    begun, ended = set(), set()

    def task(connection, run):
        begun.add(run.id)
        try:
            if run.id == "birch":
                connection.invoke("getCompanyInfo")
            while True:
                yield run.id
        finally:
            ended.add(run.id)

    found = read_bundle(registry, IDS, task, workers=2, buffered=1)
    assert next(found).item == "acme"
    while not quickbooks.counters()["faults_delivered"]:
        next(found)
    found.close()
    assert begun == ended == {"acme", "birch"}
    assert no_company_threads()


def test_an_error_of_the_consumer_ends_the_workers(registry):
    def endless(_, run):
        while True:
            yield run.id

    def consume():
        with contextlib.closing(read_bundle(registry, IDS, endless)) as found:
            next(found)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        consume()
    assert no_company_threads()


def test_a_host_can_cancel(registry):
    found = list(read_bundle(registry, IDS, names, context=HostContext(cancelled=lambda: True)))
    assert {run.id: run.status for run in found} == dict.fromkeys(IDS, "cancelled")
