"""Latency: its distributions, its rules, and the same values from the same seed."""

import contextlib
import statistics
import time
from threading import Thread

import pytest
import requests

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.faults.latency import MAX_LATENCY_S, Latency, parse


def draws(spec, seed=1, number=4000, method="GET", path="/v3/company/1/query"):
    latency = Latency(spec, seed)
    return [latency.draw(method, path) for _ in range(number)]


def test_none_and_fixed():
    assert set(draws(None, number=3)) == {0.0}
    assert set(draws(0.25, number=3)) == {0.25} == set(draws({"fixed": 0.25}, number=3))


def test_uniform_lies_between_its_bounds():
    drawn = draws({"uniform": [0.1, 0.4]})
    assert 0.1 <= min(drawn) < 0.11
    assert 0.39 < max(drawn) <= 0.4
    assert abs(statistics.mean(drawn) - 0.25) < 0.01


def test_lognormal_has_its_median_and_its_p99():
    drawn = sorted(draws({"median": 0.2, "p99": 1.5}, number=40_000))
    assert abs(drawn[20_000] - 0.2) < 0.01
    assert abs(drawn[39_600] - 1.5) < 0.1
    assert max(draws({"median": 250, "p99": 300})) == MAX_LATENCY_S


def test_the_same_seed_draws_the_same():
    spec = [{"path": "/query", "median": 0.2, "p99": 1.5}, {"uniform": [0, 1]}]
    assert draws(spec, 5) == draws(spec, 5) != draws(spec, 6)
    latency = Latency(spec, 5)
    first = [latency.draw("GET", "/query") for _ in range(3)]
    latency.draw("GET", "/other")  # another rule's draws do not disturb
    more = [latency.draw("GET", "/query") for _ in range(3)]
    assert first + more == draws(spec, 5, 6)
    latency.reset()
    assert [latency.draw("GET", "/query") for _ in range(3)] == first


def test_the_first_rule_that_matches_applies():
    spec = [
        {"path": "/query", "method": "post", "fixed": 1},
        {"path": "/query", "fixed": 2},
        {"method": "GET", "fixed": 3},
    ]
    latency = Latency(spec, 1)
    asked = [("POST", "/query"), ("GET", "/query"), ("GET", "/x"), ("POST", "/x")]
    assert [latency.draw(*one) for one in asked] == [1, 2, 3, 0]


@pytest.mark.parametrize(
    "spec",
    [
        True,
        -1,
        301,
        float("nan"),
        {},
        {"fixed": "x"},
        {"uniform": [1]},
        {"uniform": 1},
        {"uniform": [2, 1]},
        {"median": 1},
        {"median": 0, "p99": 1},
        {"median": 2, "p99": 1},
        {"fixed": 1, "median": 1, "p99": 2},
        {"fixed": 1, "colour": "red"},
        {"fixed": 1, "path": 5},
        ["x"],
    ],
)
def test_an_invalid_latency_is_refused_and_changes_nothing(spec):
    latency = Latency(0.5, 1)
    with pytest.raises(ValueError, match="latency"):
        latency.choose(spec)
    assert latency.rules() == [{"fixed": 0.5}]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0.2", {"fixed": 0.2}),
        ("0.1..0.4", {"uniform": [0.1, 0.4]}),
        ("median=0.2,p99=1.5", {"median": 0.2, "p99": 1.5}),
        ("/query=0.2", {"path": "/query", "fixed": 0.2}),
        ("tokens/bearer=median=0.2, p99=1.5", {"path": "tokens/bearer", "median": 0.2, "p99": 1.5}),
        ("/query=0..1", {"path": "/query", "uniform": [0.0, 1.0]}),
    ],
)
def test_a_rule_is_parsed_from_a_command_line(text, rule):
    assert parse(text) == rule


@pytest.mark.parametrize("text", ["", "soon", "1..2..3", "2..1", "median=1", "/query=", "a=b=c"])
def test_an_invalid_rule_is_refused(text):
    with pytest.raises(ValueError, match="latency"):
        parse(text)


# ---- in a running emulator ----


def took(call):
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def test_responses_are_delayed(client, emulator):
    emulator.latency({"path": "/customer/", "fixed": 0.3})
    assert took(lambda: client.get("customer/1")) >= 0.3
    reported = client.control("GET", "latency").json()
    assert reported == {"latency": [{"path": "/customer/", "fixed": 0.3}]}
    emulator.reset()
    assert emulator.state()["latency"] == []


def test_a_refused_request_waits_too(anonymous, emulator):
    emulator.latency(0.3)
    assert took(lambda: anonymous.get("customer/1")) >= 0.3
    emulator.latency(MAX_LATENCY_S)
    assert (
        anonymous.control("GET", "state").status_code == 200
    )  # control endpoints are not delayed: the timeout is shorter


def test_control(client, emulator):
    spec = [{"path": "/query", "median": 0.01, "p99": 0.02}]
    assert client.control("POST", "latency", json={"latency": spec}).json() == {"latency": spec}
    assert client.control("POST", "latency", json={"fixed": 0.01}).json() == {"latency": [{"fixed": 0.01}]}
    assert client.control("POST", "latency", json={"fixed": -1}).status_code == 400
    assert emulator.state()["latency"] == [{"fixed": 0.01}]
    assert client.control("DELETE", "latency").json() == {"latency": []}
    assert client.control("POST", "latency", json={"latency": 0.01}).json() == {"latency": [{"fixed": 0.01}]}
    assert client.control("POST", "latency", json={"latency": None}).json() == {"latency": []}


def test_the_constructors_latency_is_there_from_the_start_and_after_a_reset():
    with pytest.raises(ValueError, match="latency"):
        Emulator(latency={"median": 1})
    emulator = Emulator(latency={"uniform": (0.1, 0.2)})
    assert emulator._latency.rules() == [{"uniform": (0.1, 0.2)}]
    emulator.latency(None)
    emulator._latency.reset()
    assert emulator._latency.rules() == [{"uniform": (0.1, 0.2)}]


def test_a_slow_request_counts_as_concurrent(open_client):
    """Slow requests count as concurrent; a stopping emulator ends their waits."""
    with Emulator(limits={"per_minute": 1000, "per_second": 1000, "concurrent": 1}, latency=0) as emulator:
        slow, quick = open_client(emulator).connect(), open_client(emulator).connect()
        emulator.fault("latency", seconds=MAX_LATENCY_S, path="/customer/")

        def ask():
            with contextlib.suppress(requests.RequestException):
                slow.get("customer/1")

        thread = Thread(target=ask)
        thread.start()
        while not emulator.counters()["faults_delivered"]:
            time.sleep(0.01)
        while quick.get("invoice/1").status_code != 429:  # the slow request is not counted yet: on its way to its place
            assert thread.is_alive()
    thread.join(60)  # an emulator that waited for it would not have stopped, and would have said so
    assert not thread.is_alive()
