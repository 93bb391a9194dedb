"""The judge of the conformance suite, on exchanges of our own: what it notices, and what a write's state comes from."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest
from emulator import conformance, recorded
from emulator.conformance import Answer, differences, state_of

HEADERS = {
    "content-type": "application/json;charset=UTF-8",
    "cache-control": "no-store",
    "intuit_tid": "1-69f9b317-3a5dcdfb2a46af0b58ac6dc1",
    "qbo-version": "2073.223",
}
TIME = "2026-05-05T02:08:54.543-07:00"


def exchange(name, body, *, sent=None, at=54, target="customer", **parts):
    """Make an exchange of a company with our own records."""
    parts = {"status": 200, "headers": HEADERS, "spelling": "values", "sent": {}} | parts
    return recorded._exchange(
        f"ours/{name}",
        family="ours",
        method="POST" if sent is not None else "GET",
        target=target,
        body=json.dumps(sent).encode() if sent is not None else b"",
        text=body if isinstance(body, str) else json.dumps(body | {"time": TIME}),
        at=datetime(2026, 5, 5, 9, 8, at, tzinfo=UTC),
        **parts,
    )


def answer_of(one, **changes):
    """Return the recorded response as the emulator's, with changes."""
    parts = {"status": one.status, "headers": dict(one.headers or {}), "text": one.text} | changes
    return Answer(**parts)


CUSTOMER = {
    "DisplayName": "Mira Lund",
    "Id": "7",
    "SyncToken": "1",
    "MetaData": {"CreateTime": "2026-04-01T00:00:00-07:00", "LastUpdatedTime": "2026-05-05T02:08:54-07:00"},
}


@pytest.fixture
def company(monkeypatch):
    """Let a company's exchanges be these alone."""

    def use(*made):
        monkeypatch.setattr(conformance, "exchanges", lambda: list(made))
        conformance._recorded_versions.cache_clear()
        conformance._mentions.cache_clear()
        return made

    yield use
    monkeypatch.undo()
    conformance._recorded_versions.cache_clear()
    conformance._mentions.cache_clear()


def test_an_equal_answer_has_no_difference():
    read = exchange("read", {"Customer": CUSTOMER}, target="customer/7")
    assert differences(read, answer_of(read)) == []


@pytest.mark.parametrize(
    ("name", "value", "noticed"),
    [
        ("cache-control", "no-cache", True),
        ("qbo-version", "2080.1", False),
        ("qbo-version", "unknown", True),
        ("intuit_tid", "1-69f9b317-000000000000000000000000", False),
        ("intuit_tid", "8cb2e5b6-76a4-d4b0-a223-02300df8004b", True),
    ],
)
def test_the_value_of_a_header_is_compared(name, value, noticed):
    read = exchange("read", {"Customer": CUSTOMER}, target="customer/7")
    found = differences(read, answer_of(read, headers=HEADERS | {name: value}))
    assert found == ([f"header = {name}"] if noticed else [])


FAULT = (
    '<IntuitResponse time="{time}" xmlns="http://schema.intuit.com/finance/v3"><Fault type="SERVICE">'
    '<Error code="3001"><Message>m</Message><Detail>d</Detail></Error></Fault></IntuitResponse>'
)


@pytest.mark.parametrize(
    ("old", "new", "mark"),
    [
        ('type="SERVICE"', 'type="SystemFault"', "xml ~ IntuitResponse/Fault@type"),
        ('code="3001"', 'code="3200"', "xml ~ IntuitResponse/Fault/Error@code"),
        ('code="3001"', 'code="3001" element=""', "xml ~ IntuitResponse/Fault/Error, attributes"),
        ("<Detail>d</Detail>", "", "xml # IntuitResponse/Fault/Error"),
        (">m<", ">n<", "xml ~ IntuitResponse/Fault/Error/Message"),
        ("/finance/v3", "/finance/v4", "xml ~ IntuitResponse, name"),
    ],
)
def test_a_fault_in_xml_is_compared_element_by_element(old, new, mark):
    text = FAULT.format(time=TIME)
    refused = exchange("fault", text, status=429, headers=None)
    assert (refused.kind, differences(refused, answer_of(refused))) == ("fault", [])
    assert mark in differences(refused, answer_of(refused, text=text.replace(old, new)))


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        ({"Line": [{"Id": "1"}], "Id": "7", "SyncToken": "0"}, "update"),
        ({"Id": "7", "SyncToken": "0", "Line": []}, "update"),
        ({"Line": [{"Id": "1"}]}, "create"),
    ],
)
def test_an_update_has_an_id_of_its_own_wherever_it_stands(sent, kind):
    assert exchange("write", {"Invoice": {"Id": "7"}}, sent=sent, target="invoice").kind == kind


UPDATE = {"Id": "7", "SyncToken": "0", "sparse": True, "DisplayName": "Mira Lund"}


def test_a_write_that_no_other_exchange_explains_is_not_judged(company):
    (write,) = company(exchange("write", {"Customer": CUSTOMER}, sent=UPDATE))
    state = state_of(write)
    assert set(state.unknown) == {"Customer 7 with SyncToken 0", "the company's tax code"}
    assert all(entity != "Customer" for entity, _, _ in state.rows)


def test_the_state_of_a_write_never_comes_from_its_own_response(company):
    before = CUSTOMER | {"DisplayName": "Mira", "SyncToken": "0", "DefaultTaxCodeRef": {"value": "2"}}
    read = exchange("read", {"Customer": before}, at=10, target="customer/7")
    write = exchange("write", {"Customer": CUSTOMER}, sent=UPDATE)
    lying = dataclasses.replace(write, text=write.text.replace("Mira Lund", "someone else"))
    states = []
    for one in (write, lying):
        company(read, one)
        states.append(state_of(one))
    assert states[0] == states[1]
    assert ("Customer", before) in [(entity, record) for entity, record, _ in states[0].rows]
    assert states[0].unknown == []


def test_a_name_that_changed_around_a_write_may_be_either(company):
    def line(item):
        return {"DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"ItemRef": item}}

    def estimate(id_, name):
        return {
            "Id": id_,
            "SyncToken": "0",
            "MetaData": CUSTOMER["MetaData"],
            "Line": [line({"value": "1", "name": name})],
        }

    made = company(
        exchange("before", {"Estimate": estimate("1", "Design")}, at=10, target="estimate/1"),
        exchange(
            "write",
            {"Estimate": estimate("3", "Garden design")},
            sent={"Line": [line({"value": "1"})]},
            target="estimate",
        ),
        exchange("after", {"Estimate": estimate("2", "Garden design")}, at=58, target="estimate/2"),
    )
    state = state_of(made[1])
    assert (r".*/name", {"Design", "Garden design"}) in state.either
    for name, found in (("Design", []), ("other", ["body ~ Estimate/Line/SalesItemLineDetail/ItemRef/name"])):
        answer = answer_of(made[1], text=made[1].text.replace("Garden design", name))
        assert differences(made[1], answer, state.either) == found
