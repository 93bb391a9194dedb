"""Each request goes to the right URL, and no value in it leaves its place there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core import endpoints


def test_a_short_statement_goes_into_the_url_and_a_long_one_into_the_body():
    short = endpoints.query_request("https://api", "12", "SELECT * FROM Customer WHERE DisplayName = 'R & B\\'s 100%'")
    assert short.method == "GET"
    assert short.url == (
        "https://api/v3/company/12/query?query=SELECT%20*%20FROM%20Customer%20WHERE%20DisplayName%20="
        "%20%27R%20%26%20B%5C%27s%20100%25%27&minorversion=75"
    )
    assert short.headers == {"Accept": "application/json"}
    assert short.body is None
    long = endpoints.query_request(
        "https://api", "12", "SELECT * FROM Customer WHERE DisplayName = '" + "ż" * 700 + "'"
    )
    assert long.method == "POST"
    assert long.url == "https://api/v3/company/12/query?minorversion=75"
    assert long.headers == {"Accept": "application/json", "Content-Type": "application/text"}
    assert long.body.decode().endswith("ż'")


def test_company_information_is_asked_for_by_the_realm():
    request = endpoints.company_info_request("https://api", "12")
    assert (request.method, request.url) == ("GET", "https://api/v3/company/12/companyinfo/12?minorversion=75")


DOT_SEGMENTS = ["", ".", ".."]


@given(st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: text not in DOT_SEGMENTS))
def test_no_realm_id_leaves_its_place_in_the_path(realm):
    for request in (
        endpoints.query_request("https://api", realm, "SELECT * FROM Customer"),
        endpoints.company_info_request("https://api", realm),
    ):
        path, _, parameters = request.url.removeprefix("https://api/v3/company/").partition("?")
        assert path.count("/") <= 2
        assert "#" not in request.url
        assert parameters.endswith("minorversion=75")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost", True),
        ("http://LOCALHOST:8080", True),
        ("http://127.0.0.1:1", True),
        ("https://127.255.255.255", True),
        ("http://[::1]:8080", True),
        ("http://127.0.0.1.evil.test", False),
        ("http://127.0.0.256", False),
        ("http://127.1", False),
        ("http://localhost.evil.test", False),
        ("http://0.0.0.0", False),
        ("http://[::]", False),
        ("http://128.0.0.1", False),
        ("http://127.\u0660.\u0660.\u0661", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(url, expected):
    assert endpoints.is_loopback(url) is expected


def test_a_record_is_read_at_its_path_and_id():
    request = endpoints.read_request("https://api", "12", "customer", "7")
    assert (request.method, request.body) == ("GET", None)
    assert request.url == "https://api/v3/company/12/customer/7?minorversion=75"
    assert request.headers == {"Accept": "application/json"}


def test_the_only_record_of_an_entity_is_read_without_an_id():
    request = endpoints.read_request("https://api", "12", "preferences")
    assert request.url == "https://api/v3/company/12/preferences?minorversion=75"


@pytest.mark.parametrize("id_", DOT_SEGMENTS)
def test_an_id_that_would_change_the_path_is_refused(id_):
    for make in (
        lambda: endpoints.read_request("https://api", "12", "customer", id_),
        lambda: endpoints.read_request("https://api", id_, "preferences"),
        lambda: endpoints.company_info_request("https://api", id_),
        lambda: endpoints.query_request("https://api", id_, "SELECT * FROM Customer"),
        lambda: endpoints.changes_request("https://api", id_, ["Invoice"], "2026-10-01"),
    ):
        with pytest.raises(ValueError, match="dot segment"):
            make()


def test_changes_of_all_entities_are_requested_at_once():
    request = endpoints.changes_request("https://api", "12", iter(["Invoice", "Customer"]), "2026-10-01T00:00:00+00:00")
    assert request.method == "GET"
    assert request.url == (
        "https://api/v3/company/12/cdc?entities=Invoice,Customer&changedSince=2026-10-01T00%3A00%3A00%2B00%3A00"
        "&minorversion=75"
    )
