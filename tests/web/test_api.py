"""The HTTP API: single requests, and requests generated from its OpenAPI description."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.web.shared_sets import with_sets

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_connectors_are_listed_and_described(api):
    (listed,) = api("GET", "/api/connectors").json()["data"]["connectors"]
    assert listed["id"] == "quickbooks"
    assert listed["actions"] == [action["id"] for action in QUICKBOOKS.describe(schemas=False)["actions"]]
    assert listed["actions"][:4] == ["listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken"]
    assert api("GET", "/api/connectors/quickbooks").json()["data"] == QUICKBOOKS.describe()
    (menu,) = [api("GET", "/api/connectors/quickbooks?schemas=false").json()["data"]]
    assert {action["id"] for action in menu["actions"]} == set(listed["actions"])
    assert not any("Schema" in name or "Form" in name for action in menu["actions"] for name in action)
    missing = api("GET", "/api/connectors/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "CONNECTOR_NOT_FOUND")


def test_an_action_is_described_on_its_own(api):
    path = "/api/connectors/quickbooks/actions"
    alone = with_sets(QUICKBOOKS.describe_action("listVendors"), QUICKBOOKS.describe(schemas=False))
    assert api("GET", f"{path}/listVendors").json()["data"] == alone
    assert alone["listing"]["filters"][-1]["presets"][0]["id"] == "today"  # what the descriptor has once
    missing = api("GET", f"{path}/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ACTION_NOT_FOUND")


def test_a_full_read_is_estimated(api, emulator):
    answer = api("POST", "/api/connections/demo/estimate/listInvoices", json={"status": "open"})
    assert answer.status_code == 200
    assert answer.json()["data"]["apiCalls"] >= 2
    assert answer.json()["meta"]["action"] == "listInvoices"
    assert len([request for request in emulator.requests() if "/query" in request["path"]]) == 1
    wrong = api("POST", "/api/connections/demo/estimate/listInvoices", json={"status": "later"})
    assert (wrong.status_code, wrong.json()["error"]["fields"][0]["field"]) == (422, "status")


def test_connections_are_listed_without_their_settings(api, emulator):
    answer = api("GET", "/api/connections")
    assert answer.json()["data"]["connections"] == [
        {"id": "demo", "connector": "quickbooks", "name": "Garden Works", "ready": True, "state": "ready"}
    ]
    assert emulator.credentials()["client_id"] not in answer.text


def test_settings_are_validated_by_the_connectors_own_validator(api, emulator):
    form = emulator.credentials() | {"max_results": "lots"}
    assert api("POST", "/api/connectors/quickbooks/validate", json=form).json()["data"] == QUICKBOOKS.validate(form)


def test_an_action_returns_an_envelope(api):
    answer = api("POST", "/api/connections/demo/call/listInvoices", json={"status": "overdue", "max_results": 3})
    body = answer.json()
    assert answer.status_code == 200
    assert body["success"] is True
    assert {invoice["paymentStatus"] for invoice in body["data"]["invoices"]} == {"overdue"}
    assert body["meta"]["request_id"]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("demo/call/listInvoices", b'{"max_results": "lots"}', 422, "INPUT_INVALID"),
        ("demo/call/nothing", b"{}", 404, "ACTION_NOT_FOUND"),
        ("nothing/call/listInvoices", b"{}", 404, "CONNECTION_NOT_FOUND"),
        ("demo/call/listInvoices", b"[1]", 400, "BODY_INVALID"),
        ("demo/call/listInvoices", b"{", 400, "BODY_INVALID"),
        ("demo/call/listInvoices", b"[" * 100_000, 400, "BODY_INVALID"),
    ],
)
def test_a_failure_returns_an_envelope(api, path, body, status, code):
    answer = api("POST", f"/api/connections/{path}", data=body)
    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert answer.json()["error"]["code"] == code


def test_too_few_api_calls_are_the_callers_to_change(api):
    answer = api("POST", "/api/connections/demo/call/listInvoices", json={"all": True, "max_api_calls": 1})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "RESULT_INCOMPLETE"


def test_a_revoked_grant_is_not_the_callers_fault(api, emulator):
    emulator.revoke_grants()
    answer = api("POST", "/api/connections/demo/call/getCompanyInfo")
    assert answer.status_code == 424
    assert answer.json()["error"]["code"] == "REAUTHORIZATION_REQUIRED"


def test_a_cookie_needs_the_token_of_its_session(client):
    path = "/api/connections/demo/call/getCompanyInfo"
    assert client.http.post(client.site.url + path).status_code == 403
    answer = client.http.post(client.site.url + path, headers={"X-CSRF-Token": client.token})
    assert answer.json()["success"] is True


def test_the_openapi_description_can_be_limited(api):
    for query, expected in (("action=listVendors", {"listVendors"}), ("connection=nothing", set())):
        paths = api("GET", f"/api/openapi.json?{query}").json()["paths"]
        assert {path.rpartition("/")[2] for path in paths if "/call/" in path} == expected


def test_the_openapi_description_is_complete(api):
    described = api("GET", "/api/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for action in QUICKBOOKS.describe()["actions"]:
        assert f"/api/connections/demo/call/{action['id']}" in described["paths"]
    for schema in described["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    ids = [operation["operationId"] for path in described["paths"].values() for operation in path.values()
           if isinstance(operation, dict)]  # fmt: skip
    assert len(ids) == len(set(ids))


@pytest.mark.emulator(rotation="daily", limits=False, invoices=20, customers=10)
@pytest.mark.usefixtures("no_rate_limit")
def test_schemathesis_finds_no_undescribed_response(site, api):
    """Valid and invalid requests of every operation, generated from the description."""
    schema = schemathesis.openapi.from_dict(api("GET", "/api/openapi.json?group=core").json())
    headers = {"Authorization": f"Bearer {site.sessions.access_key}"}
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=20,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def probe(case):
            answer = case.call(base_url=site.url, headers=headers, timeout=120)  # on a busy machine, too
            case.validate_response(answer, checks=CHECKS)
            seen.add((case.operation.path, answer.status_code))

        probe()
    assert len({path for path, _ in seen}) == len(schema)
    assert {status for _, status in seen} <= {200, 400, 404, 422}
