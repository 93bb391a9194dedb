"""The text format of Prometheus, read by the parser of its own client."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from vantage_quickbooks.metrics import Counter, Family, Histogram, Sample, may_read, render

HARD = 'a "quoted" \\ back\\nslash\nand a line, with {braces} é'


def parsed(*families):
    return list(text_string_to_metric_families(render(families).decode()))


def test_render__escapes_labels_and_help():
    (found,) = parsed(Family("x", "gauge", f"Help: {HARD}", [Sample(1, {"label": HARD})]))

    assert found.documentation == f"Help: {HARD}"
    assert found.samples[0].labels == {"label": HARD}


def test_render__numbers():
    values = [0, 1, 0.1, 1e300, 2**53, float("inf"), True]

    (found,) = parsed(Family("x", "gauge", "h", [Sample(value, {"n": str(n)}) for n, value in enumerate(values)]))

    assert [it.value for it in found.samples] == values


def test_counter__counts_by_labels():
    counter = Counter("x_total", "h", "a", "b")
    counter.add("1", "2")
    counter.add("1", "2", count=4)
    counter.add("2", "1")

    (found,) = parsed(counter.family())

    assert found.type == "counter"
    assert [(it.labels, it.value) for it in found.samples] == [({"a": "1", "b": "2"}, 5), ({"a": "2", "b": "1"}, 1)]


def test_histogram__is_cumulative_and_includes_its_bounds():
    histogram = Histogram("x_seconds", "h", (1.0, 2.5))
    for seconds in (0.5, 1.0, 2.0, 3.0):
        histogram.observe(seconds)

    (found,) = parsed(histogram.family())

    assert found.type == "histogram"
    assert [(it.name, it.labels.get("le"), it.value) for it in found.samples] == [
        ("x_seconds_bucket", "1", 2),
        ("x_seconds_bucket", "2.5", 3),
        ("x_seconds_bucket", "+Inf", 4),
        ("x_seconds_sum", None, 6.5),
        ("x_seconds_count", None, 4),
    ]


def scope(client="127.0.0.1", **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (client, 5), "headers": named}


def test_may_read__programs_of_this_machine_need_no_key_if_the_server_is_local():
    for host in ("localhost:80", "127.0.0.1", "[::1]:8765"):
        assert may_read(scope(host=host), (None,), local=True)
        assert not may_read(scope(host=host), (None,), local=False)
    assert not may_read(scope("10.0.0.1", host="localhost"), (None,), local=True)
    assert not may_read(scope(host="example.com"), (None,), local=True)
    assert not may_read({"client": None, "headers": []}, (), local=True)


def test_may_read__a_wrong_key_is_refused_even_from_this_machine():
    assert not may_read(scope(host="localhost", authorization="Bearer wrong"), ("right", None), local=True)
    assert may_read(scope("10.0.0.1", authorization="bearer right"), (None, "right"), local=False)
    assert not may_read(scope("10.0.0.1", authorization="Bearer "), ("", None), local=False)
