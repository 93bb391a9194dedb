"""`listCustomers` on the wire."""

import pytest

pytestmark = pytest.mark.vcr


def test_a_page_is_one_query_in_the_url(connection, vcr):
    """A page of customers is one GET that names order, position, size and minor version."""
    result = connection.invoke("listCustomers", {"max_results": 3})

    assert result["count"] == 3
    assert result["metadata"]["mayHaveMore"] is True
    assert result["metadata"]["nextStartPosition"] == 4
    assert result["metadata"]["apiCalls"] == 1
    request = vcr.requests[-1]
    assert request.method == "GET"
    assert dict(request.query) == {
        "query": "SELECT * FROM Customer WHERE Active = true ORDERBY DisplayName STARTPOSITION 1 MAXRESULTS 3",
        "minorversion": "75",
    }


def test_an_apostrophe_is_escaped(connection, vcr):
    """An apostrophe in a name goes out escaped, and the answer is that customer."""
    result = connection.invoke("listCustomers", {"name": "%'%", "active": "all"})

    assert result["count"] >= 1
    assert all("'" in customer["customerName"] for customer in result["customers"])
    assert r"LIKE '%\'%'" in dict(vcr.requests[-1].query)["query"]


def test_past_the_end_is_an_empty_page(connection):
    """QuickBooks answers with an empty object past the end: no customers, and nothing may follow."""
    result = connection.invoke("listCustomers", {"start_position": 900})

    assert result["customers"] == []
    assert result["metadata"]["mayHaveMore"] is False
