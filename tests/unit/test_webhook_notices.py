"""`webhooks.verify` and `webhooks.parse`: signatures, both formats, what is merged, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.emulator.webhooks.events import NAMES, OPERATIONS, Event, cloud_body, legacy_body, sign
from vantage_quickbooks.webhooks import Notice, NotificationError, group, merge, parse, read, verify

TOKEN = "7c1f27a6-0b9d-4b8e-9d0f-6d8f3f1c2b11"
BODY = b'{"eventNotifications":[]}'
AT = datetime(2026, 5, 1, 15, 30, 12, tzinfo=UTC)


def signed(body, token=TOKEN):
    return base64.b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()


# ---- verify ----------------------------------------------------------------------------------------------------------


def test_the_signature_of_the_body_is_valid():
    assert verify(BODY, signed(BODY), TOKEN)
    assert verify(BODY, sign(BODY, TOKEN), TOKEN)


def test_during_a_rotation_either_token_is_valid():
    for token in (TOKEN, "the next one"):
        assert verify(BODY, signed(BODY, token), [TOKEN, "the next one"])
    assert not verify(BODY, signed(BODY, "the one before"), [TOKEN, "the next one"])


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        signed(BODY)[:-1],
        signed(BODY) + "=",
        signed(BODY).lower(),
        signed(b"other"),
        "\udcff",
        "é",
        "=" * 5000,
    ],
)
def test_any_other_signature_is_not(signature):
    assert verify(BODY, signature, TOKEN) is False


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], b"", BODY.replace(b"e", b"E")])
def test_a_changed_body_is_not(body):
    assert not verify(body, signed(BODY), TOKEN)


@pytest.mark.parametrize("tokens", ["", " ", [], [TOKEN, ""]])
def test_without_a_token_nothing_can_be_verified(tokens):
    with pytest.raises(ValueError, match="verifier token"):
        verify(BODY, signed(BODY, ""), tokens)


def test_verifying_and_parsing_import_only_the_standard_library():
    program = (
        "import sys; before = set(sys.modules); import vantage_quickbooks.webhooks as w;"
        "w.verify(b'', None, 't'); w.parse(b'[]');"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    found = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["vantage_quickbooks"]


# ---- parse -----------------------------------------------------------------------------------------------------------


def legacy(*entities, realm="9341450000000017"):
    return {"realmId": realm, "dataChangeEvent": {"entities": list(entities)}}


def body_of(*notifications):
    return json.dumps({"eventNotifications": notifications}).encode()


def test_the_older_format():
    customer = {"name": "Customer", "id": "1", "operation": "Create", "lastUpdated": "2015-10-05T14:42:19-0700"}
    merged = {**customer, "operation": "Merge", "deletedID": "6"}
    assert parse(body_of(legacy(customer, merged))) == {
        "9341450000000017": [
            Notice("9341450000000017", "Customer", "1", "created", datetime(2015, 10, 5, 21, 42, 19, tzinfo=UTC)),
            Notice("9341450000000017", "Customer", "1", "merged", datetime(2015, 10, 5, 21, 42, 19, tzinfo=UTC), "6"),
        ]
    }


def test_cloud_events():
    event = {
        "specversion": "1.0",
        "id": "88cd52aa-33b6-4351-9aa4-47572edbd068",
        "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
        "datacontenttype": "application/json",
        "time": "2026-05-01T15:30:12Z",
        "intuitaccountid": "310687",
        "data": {},
    }
    events = [
        {**event, "type": "qbo.billpayment.created.v1", "intuitentityid": "1234"},
        {**event, "type": "qbo.vendor.merged.v1", "intuitentityid": "5", "data": {"deletedId": "6"}},
        {**event, "type": "qbo.invoice.void.v1", "intuitentityid": "7", "intuitaccountid": "310688"},
    ]
    expected = {
        "310687": [
            Notice("310687", "BillPayment", "1234", "created", AT),
            Notice("310687", "Vendor", "5", "merged", AT, "6"),
        ],
        "310688": [Notice("310688", "Invoice", "7", "void", AT)],
    }
    assert parse(json.dumps(events).encode()) == expected
    assert parse(json.dumps(events[2]).encode()) == {"310688": expected["310688"]}


@pytest.mark.parametrize("write", [legacy_body, lambda events: cloud_body(events, "app", random.Random(1))])
def test_both_formats_say_the_same_of_every_entity_and_operation(write):
    events = [
        Event("1", entity, str(number), operation, AT.timestamp(), "9" if operation == "Merge" else "")
        for number, entity in enumerate(NAMES)
        for operation in OPERATIONS
    ]
    (notices,) = parse(write(events)).values()
    assert {(n.entity, n.id, n.operation, n.time, n.deleted_id) for n in notices} == {
        (e.entity, e.id, OPERATIONS[e.operation], AT, e.deleted_id or None) for e in events
    }


def test_every_entity_of_the_catalog_has_its_name():
    for resource in RESOURCES:
        event = {"type": f"qbo.{resource.entity.lower()}.updated.v1", "intuitentityid": "1", "intuitaccountid": "1"}
        assert parse(json.dumps([event]).encode())["1"][0].entity == resource.entity


def test_what_is_unknown_is_kept_as_it_was_sent():
    item = {"name": "Spaceship", "id": "1", "operation": "Launch", "lastUpdated": "2026-05-01T15:30:12Z"}
    assert parse(body_of(legacy(item, realm="1"))) == {"1": [Notice("1", "Spaceship", "1", "Launch", AT)]}
    events = [
        {"type": type_, "intuitentityid": "1", "intuitaccountid": "1"}
        for type_ in ("qbo.spaceship.launched.v2", "qbo.invoice.updated.v2", "payroll.run")
    ]
    found = {(notice.entity, notice.operation, notice.time) for notice in parse(json.dumps(events).encode())["1"]}
    assert found == {
        ("spaceship", "launched", None),
        ("Invoice", "updated", None),
        ("payroll.run", "unknown", None),
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"eventNotifications":[{"realmId":"1"', "not JSON"),
        (b"null", "neither a list of CloudEvents nor"),
        (b"7", "neither"),
        (b'{"eventnotifications":[]}', "neither"),
        (b'{"eventNotifications":null}', "eventNotifications is not a list"),
        (b'{"eventNotifications":[3]}', "notification 1 is not an object"),
        (body_of({"realmId": "1"}), "notification 1 has no dataChangeEvent"),
        (body_of({"dataChangeEvent": {"entities": []}}), "notification 1 has no realmId"),
        (body_of({"realmId": "1", "dataChangeEvent": {}}), "entities of notification 1 is not a list"),
        (body_of(legacy({"name": "Customer", "operation": "Create"})), "entity 1 of notification 1 has no id"),
        (body_of(legacy({"name": "Customer", "id": "1", "operation": None})), "has no operation"),
        (body_of(legacy({"name": "C", "id": "1", "operation": "Create", "lastUpdated": "now"})), "a time that"),
        (body_of(legacy({"name": "C", "id": "1", "operation": "Create", "lastUpdated": 1})), "time that is not one"),
        (body_of(legacy({"name": "C", "id": "x" * 201, "operation": "Create"})), "has no id"),
        (b'[{"type":"qbo.customer.created.v1","intuitentityid":"1"}]', "event 1 has no intuitaccountid"),
        (b'[{"type":"qbo.customer.created.v1","intuitaccountid":"1"}]', "event 1 has no intuitentityid"),
        (b'[{"intuitentityid":"1","intuitaccountid":"1"}]', "event 1 has no type"),
        (b'[{"type":"a","intuitentityid":"1","intuitaccountid":"1\\u0000"}]', "is not a company"),
        (b"[[]]", "event 1 is not an object"),
    ],
)  # fmt: skip
def test_a_damaged_body_says_what_is_damaged(body, message):
    with pytest.raises(NotificationError, match=message) as raised:
        parse(body)
    assert raised.value.__cause__ is None


@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["eventNotifications", "realmId", "dataChangeEvent", "entities", "id", "name", "operation",
                         "lastUpdated", "specversion", "type", "intuitentityid", "intuitaccountid", "time", "data"]),
        inner),
).map(lambda data: json.dumps(data).encode()))  # fmt: skip
def test_no_body_raises_another_error(body):
    try:
        found = parse(body)
    except NotificationError:
        return
    assert all(notice.realm_id == realm for realm, notices in found.items() for notice in notices)


def test_the_good_parts_of_a_damaged_body_can_be_read_in_both_formats():
    good = {"name": "Customer", "id": "1", "operation": "Create", "lastUpdated": "2026-05-01T15:30:12Z"}
    bad = {"name": "Customer", "operation": "Create"}
    found = read(body_of(legacy(good, bad, realm="1"), {"dataChangeEvent": {}}, legacy(good, realm="2")))
    assert found.notices == {realm: [Notice(realm, "Customer", "1", "created", AT)] for realm in ("1", "2")}
    assert [damage.part for damage in found.damaged] == [
        {"realmId": "1", "dataChangeEvent": {"entities": [bad]}},
        {"dataChangeEvent": {}},
    ]
    assert [damage.reason.partition("damaged: ")[2] for damage in found.damaged] == [
        "entity 2 of notification 1 has no id.",
        "notification 2 has no realmId.",
    ]
    cloud = {"type": "qbo.customer.created.v1", "intuitentityid": "1", "intuitaccountid": "1"}
    found = read(json.dumps([7, cloud]).encode())
    assert found.notices == {"1": [Notice("1", "Customer", "1", "created")]}
    assert [(damage.part, damage.reason.partition("damaged: ")[2]) for damage in found.damaged] == [
        (7, "event 1 is not an object.")
    ]


# ---- merge and group -------------------------------------------------------------------------------------------------


def notice(id_="1", operation="updated", second=0, realm="1"):
    return Notice(realm, "Invoice", id_, operation, AT.replace(second=second))


NOTICES = st.lists(
    st.builds(
        notice,
        st.sampled_from("123"),
        st.sampled_from(["created", "updated"]),
        st.integers(0, 3),
        st.sampled_from("12"),
    )
)


@given(NOTICES, st.randoms())
def test_neither_order_nor_repetition_matters(notices, chance):
    again = notices * 2
    chance.shuffle(again)
    assert group(again) == group(notices)
    for realm, found in group(notices).items():
        assert found == merge(found) == sorted(found, key=lambda one: one.time)
        keys = [(one.id, one.operation) for one in found]
        assert len(set(keys)) == len(keys)
        latest = {}
        for one in sorted((one for one in notices if one.realm_id == realm), key=lambda one: one.time):
            latest[one.id, one.operation] = one
        assert set(found) == set(latest.values())


def test_a_notice_without_a_time_gives_way_to_one_with_a_time():
    without = Notice("1", "Invoice", "1", "updated")
    assert merge([notice(), without]) == merge([without, notice()]) == [notice()]


@given(NOTICES)
def test_plain_json_and_back(notices):
    data = json.loads(json.dumps([one.to_dict() for one in notices]))
    assert [Notice.from_dict(one) for one in data] == notices
