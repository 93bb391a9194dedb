"""Requests that the core builds and responses that it reads, over live HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import requests

from vantage_quickbooks.core import endpoints, responses
from vantage_quickbooks.errors import RecordNotFoundError, RequestRejectedError


@pytest.fixture
def send(connect):
    """Send a request of the core with a valid token, and decipher the response."""
    token = connect().invoke("getAccessToken")["accessToken"]

    def send(request):
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        response = requests.request(request.method, request.url, headers=headers, data=request.body, timeout=30)
        return responses.decipher(response.status_code, response.headers, response.content)

    return send


@pytest.fixture
def company(emulator):
    return emulator.url, emulator.credentials()["realm_id"]


@pytest.mark.parametrize(
    ("entity", "path", "id_"),
    [("Customer", "customer", "3"), ("Item", "item", "1"), ("Preferences", "preferences", None)],
)
def test_one_record_is_read(send, company, entity, path, id_):
    record = responses.with_member(send(endpoints.read_request(*company, path, id_)), entity).body[entity]

    assert record["Id"] == id_ or id_ is None
    assert record["domain"] == "QBO"


def test_a_record_that_does_not_exist_is_not_found(send, company):
    with pytest.raises(RecordNotFoundError) as caught:
        send(endpoints.read_request(*company, "customer", "987654"))

    assert caught.value.code == "RESOURCE_NOT_FOUND"
    assert caught.value.details["faultCode"] == "610"


@pytest.mark.parametrize("id_", ["1/../2", "2?x=1", "2#", "%32", "a b"])
def test_an_id_never_names_another_record(send, company, id_):
    with pytest.raises(RequestRejectedError):
        send(endpoints.read_request(*company, "customer", id_))


def test_changes_of_several_entities_come_by_entity_in_one_answer(send, company, emulator):
    emulator.advance(600)
    since = (datetime.fromisoformat(emulator.state()["now"]) - timedelta(seconds=1)).astimezone(UTC).isoformat()
    vendor = emulator.create("Vendor", {"DisplayName": "New vendor"})["Id"]
    customers = [emulator.create("Customer", {"DisplayName": f"New {n}"})["Id"] for n in range(3)]
    entities = ["Invoice", "Customer", "Vendor"]

    changed = responses.changed_records(send(endpoints.changes_request(*company, entities, since)), entities)

    ids = {entity: [record["Id"] for record in records] for entity, records in changed.items()}
    assert ids == {"Invoice": [], "Customer": customers, "Vendor": [vendor]}
