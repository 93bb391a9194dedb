"""Intuit's limits: requests a minute, a second and at once, and batches a minute."""

import pytest

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.http.limits import DEFAULTS, STRICT, Limits


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def run(limits, number, clock, step=0.0, **options):
    """Begin and end so many requests; how many were let in."""
    done = 0
    for _ in range(number):
        if limits.acquire("1", **options):
            limits.release("1")
            done += 1
        clock.now += step
    return done


def test_intuit_s_numbers():
    assert STRICT == {"per_minute": 500, "per_second": 10, "concurrent": 10, "batches_per_minute": 40}
    assert DEFAULTS == {"per_minute": 500, "concurrent": 10, "batches_per_minute": 40}


def test_ten_a_second_only_if_strict(clock):
    assert run(Limits(True, clock), 11, clock) == 11
    limits = Limits("strict", clock)
    assert run(limits, 11, clock) == 10
    clock.now += 1
    assert run(limits, 11, clock) == 10


def test_five_hundred_a_minute(clock):
    limits = Limits("strict", clock)
    assert run(limits, 600, clock, step=0.1) == 500
    clock.now += 60
    assert run(limits, 1, clock) == 1


def test_forty_batches_a_minute_in_addition_to_the_other_limits(clock):
    limits = Limits("strict", clock)
    assert run(limits, 50, clock, step=0.2, batch=True) == 40
    assert run(limits, 10, clock, step=0.2) == 10  # requests that are not batches pass
    clock.now += 60
    assert run(limits, 1, clock, batch=True) == 1


def test_a_refused_batch_is_not_counted(clock):
    limits = Limits({"batches_per_minute": 1, "per_minute": 3}, clock)
    assert run(limits, 9, clock, batch=True) == 1
    assert run(limits, 9, clock) == 2


def test_batches_are_throttled_over_http(open_client):
    with Emulator(limits={"batches_per_minute": 2, "per_second": 1000}) as emulator:
        emulator.freeze()
        client = open_client(emulator).connect()
        body = {"BatchItemRequest": [{"bId": "1", "Query": "select * from Customer maxresults 1"}]}
        assert [client.post("batch", json=body).status_code for _ in range(4)] == [200, 200, 429, 429]
        refused = client.post("batch", json=body)
        # XML though JSON was asked for (every quote found), and no Retry-After header
        assert "errorCode=003001; statusCode=429" in refused.text
        assert refused.headers["content-type"] == "text/xml"
        assert not [name for name in refused.headers if "limit" in name.lower() or name.lower() == "retry-after"]
        assert client.query("select * from Customer maxresults 1").status_code == 200
        emulator.advance(61)
        assert client.post("batch", json=body).status_code == 200


@pytest.mark.parametrize("chosen", ["none", "Strict", {"per_day": 1}, {"per_minute": 0}, {"per_second": True}])
def test_an_unknown_choice_is_refused(chosen, clock):
    with pytest.raises(ValueError, match="limit"):
        Limits(chosen, clock)


def test_a_client_of_one_request_at_a_time_is_not_throttled(open_client):
    with Emulator() as emulator:
        client = open_client(emulator).connect()
        assert {client.get("customer/1").status_code for _ in range(40)} == {200}
        assert client.control("POST", "limits", json={"limits": "strict"}).json()["limits"] == STRICT
        assert [client.get("customer/1").status_code for _ in range(11)] == [200] * 10 + [429]
        assert client.control("POST", "limits", json={"limits": "lenient"}).status_code == 400
