"""Every kind of injected fault."""

import json
import threading
import time

import pytest
import requests

from vantage_quickbooks.emulator import Emulator


def test_a_status_in_each_body(client, emulator):
    for body, kind in (("json", "application/json"), ("xml", "application/xml"), ("html", "text/html")):
        emulator.fault("status", status=502, body=body, retry_after=7)
        answer = client.get("customer/1")
        assert (502, kind, "7") == (answer.status_code, answer.headers["content-type"], answer.headers["retry-after"])
    emulator.fault("status", status=500, body="empty")
    assert client.get("customer/1").content == b""
    assert client.get("customer/1").status_code == 200
    assert emulator.counters()["faults_delivered"] == 4


def test_throttling_is_xml_unless_json_is_requested(client, emulator):
    emulator.fault("throttle", retry_after=3)
    answer = client.get("customer/1")
    assert (answer.status_code, answer.headers["content-type"], answer.headers["retry-after"]) == (429, "text/xml", "3")
    assert "<Message>message=ThrottleExceeded; errorCode=003001; statusCode=429</Message>" in answer.text
    assert "<Detail>The request limit was reached.  Try again later</Detail>" in answer.text
    emulator.fault("throttle", json=True)
    body = client.get("customer/1").json()
    message = "message=ThrottleExceeded; errorCode=003001; statusCode=429"
    assert body["fault"] == {
        "error": [{"message": message, "detail": None, "code": "3001", "element": None}],
        "type": "SERVICE",
    }
    assert isinstance(body["time"], int)


def test_html_timeouts_and_faults_with_status_200(client, emulator):
    emulator.fault("html")
    page = client.get("customer/1")
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html")
    assert "intuit_tid" in page.headers
    emulator.fault("gateway_timeout")
    late = client.get("customer/1")
    assert (late.status_code, 'code="6002"' in late.text, "Detail" in late.text) == (504, True, False)
    emulator.fault("fault_in_200")
    hidden = client.get("customer/1")
    assert (hidden.status_code, hidden.json()["Fault"]["Error"][0]["code"]) == (200, "10000")
    emulator.fault("plain_text_200")
    text = client.get("customer/1")
    assert (text.status_code, text.text.startswith("Invalid Company Status")) == (200, True)


def test_any_fault_of_intuits(client, emulator):
    emulator.fault("fault", code="5010", message="Stale Object Error", detail="injected", element="")
    answer = client.post("customer", json={"DisplayName": "Never made"})
    error = {"Message": "Stale Object Error", "Detail": "injected", "code": "5010", "element": ""}
    assert (answer.status_code, answer.json()["Fault"]) == (400, {"Error": [error], "type": "ValidationFault"})
    emulator.fault("fault", status=403, type="AuthorizationFault")
    answer = client.get("customer/1")
    assert (answer.status_code, answer.json()["Fault"]["type"]) == (403, "AuthorizationFault")


def test_a_lost_response_leaves_a_record_unknown_to_the_client(client, emulator):
    emulator.fault("response_lost", method="POST")
    with pytest.raises(requests.ConnectionError):
        client.post("customer", json={"DisplayName": "Made and lost"})
    assert client.ids("select * from Customer where DisplayName = 'Made and lost'")


def test_a_response_in_two_halves_is_complete(client, emulator):
    for path in ("customer/1", "customer/none"):
        emulator.fault("drip", seconds=0.1)
        begun = time.monotonic()
        assert client.get(path).json()
        assert time.monotonic() - begun >= 0.1


def test_broken_json_has_valid_framing(client, emulator):
    emulator.fault("broken_json")
    answer = client.get("customer/1")
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_a_share_of_the_requests_is_hit_the_same_from_the_same_seed(client, emulator):
    def statuses():
        emulator.clear_faults()
        emulator.fault("status", status=503, times=-1, chance=0.3)
        return [client.get("customer/1").status_code for _ in range(40)]

    first = statuses()
    assert 3 < first.count(503) < 25
    assert first == statuses()
    assert emulator.faults()[0]["chance"] == 0.3


def test_a_valid_token_is_refused_as_expired(client, emulator):
    emulator.fault("expired_token")
    answer = client.get("customer/1")
    assert (answer.status_code, "Token expired: AB0" in answer.text) == (401, True)
    assert client.get("customer/1").status_code == 200


def test_resets_and_broken_bodies(client, emulator):
    emulator.fault("reset", times=2)
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            client.get("customer/1")
    for encoding in ("gzip", "identity"):
        emulator.fault("truncate")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            client.query("select * from Invoice", headers={"Accept-Encoding": encoding})
    emulator.fault("truncate")
    with pytest.raises(requests.exceptions.RequestException):
        client.get("customer/none")
    assert client.get("customer/1").status_code == 200


def test_a_lost_token_response_rotates_the_token(open_client):
    with Emulator(rotation="always", limits=False) as emulator:
        client = open_client(emulator)
        emulator.fault("token_response_lost")
        with pytest.raises(requests.ConnectionError):
            client.refresh()
        assert client.refresh().json() == {"error": "invalid_grant"}


def test_which_requests_are_hit(client, emulator):
    emulator.fault("status", path="/customer/", method="get", after=1, times=2)
    assert client.query("select * from Customer").status_code == 200
    assert [client.get("customer/1").status_code for _ in range(4)] == [200, 500, 500, 200]
    emulator.fault("status", path="tokens/bearer", status=503)
    assert client.get("customer/1").status_code == 200
    assert client.refresh().status_code == 503
    emulator.fault("status", times=-1)
    assert [client.get("customer/1").status_code for _ in range(3)] == [500] * 3
    emulator.clear_faults()
    assert client.get("customer/1").status_code == 200


def test_latency_waits_and_hang_ends_without_an_answer(client, emulator):
    emulator.fault("latency", seconds=0.05)
    begun = time.monotonic()
    assert client.get("customer/1").status_code == 200
    assert time.monotonic() - begun >= 0.05
    emulator.fault("hang", seconds=0.01)
    with pytest.raises(requests.ConnectionError):
        client.get("customer/1")


def test_a_hang_ends_when_the_emulator_stops(open_client):
    with Emulator() as emulator:
        client = open_client(emulator).connect()
        emulator.fault("hang", seconds=600)
        failed = threading.Event()

        def ask():
            try:
                client.get("customer/1")
            except requests.ConnectionError:  # no patience of the client's that came to its end
                failed.set()

        thread = threading.Thread(target=ask)
        thread.start()
        while not emulator.counters()["faults_delivered"]:
            time.sleep(0.005)
    thread.join(60)
    assert failed.is_set()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("earthquake", {}),
        ("status", {"status": 20}),
        ("status", {"body": "yaml"}),
        ("status", {"colour": "red"}),
        ("latency", {"seconds": -1}),
        ("reset", {"times": 0}),
        ("reset", {"after": -1}),
        ("reset", {"chance": 2}),
        ("reset", {"path": 5}),
        ("fault", {"code": 5010}),
    ],
)
def test_an_invalid_fault_rule_is_refused(emulator, kind, options):
    with pytest.raises(ValueError, match=r"fault|times|after|chance|path"):
        emulator.fault(kind, **options)


def test_limits_refuse_the_eleventh_of_a_second_and_the_501st_of_a_minute(open_client):
    with Emulator(limits="strict") as emulator:
        emulator.freeze()
        client = open_client(emulator).connect()
        statuses = [client.get("customer/1").status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]
        emulator.advance(1)
        assert client.get("customer/1").status_code == 200
        emulator.limit({"per_minute": 15, "per_second": 1000})
        assert [client.get("customer/1").status_code for _ in range(16)] == [200] * 15 + [429]
        emulator.advance(60)
        assert client.get("customer/1").status_code == 200
        emulator.limit(False)
        assert {200} == {client.get("customer/1").status_code for _ in range(30)}


def test_each_company_has_its_own_limits_and_invalid_ones_are_refused(emulator):
    with pytest.raises(ValueError, match="unknown limit"):
        Emulator(limits={"per_day": 5})
    with pytest.raises(ValueError, match="positive"):
        emulator.limit({"per_minute": 0})


def test_ten_requests_can_run_at_once(open_client):
    with Emulator(limits={"per_second": 1000, "concurrent": 1}) as emulator:
        client = open_client(emulator).connect()
        limits = emulator.limits
        assert limits.acquire(emulator.realm_id)  # another request is running
        assert client.get("customer/1").status_code == 429
        limits.release(emulator.realm_id)
        assert client.get("customer/1").status_code == 200


def test_the_request_log_has_every_request_and_no_secret(client, emulator):
    client.query("select * from Customer maxresults 1")
    client.post("query", data="select * from Item")
    reported = emulator.requests()
    assert ["/oauth2/v1/tokens/bearer", *[f"/v3/company/{emulator.realm_id}/query"] * 2] == [
        t["path"] for t in reported
    ]
    assert [t["statement"] for t in reported[1:]] == ["select * from Customer maxresults 1", "select * from Item"]
    assert {200} == {t["status"] for t in reported}
    assert reported[1]["headers"]["accept"] == "application/json"
    token = client.session.headers["Authorization"].removeprefix("Bearer ")
    everything = json.dumps([reported, emulator.state(), emulator.counters()])
    for secret in (token, emulator.client_secret, emulator.refresh_token):
        assert secret not in everything
    emulator.reset_counters()
    assert (emulator.counters()["api_requests"]["total"], emulator.requests()) == (0, [])
