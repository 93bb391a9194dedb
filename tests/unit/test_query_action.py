"""The query action: which statements are sent, with which limit, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.query_action import check_statement
from vantage_quickbooks.config.validation import validate_input
from vantage_quickbooks.core import query
from vantage_quickbooks.emulator.query import parser
from vantage_quickbooks.errors import InputError


@pytest.mark.parametrize(
    ("text", "sent", "entity", "limit"),
    [
        ("SELECT * FROM Invoice", "SELECT * FROM Invoice MAXRESULTS 100", "Invoice", 100),
        (" select * from vendor ; ", "select * from vendor MAXRESULTS 100", "vendor", 100),
        ("SELECT * FROM Bill MAXRESULTS 1000", "SELECT * FROM Bill MAXRESULTS 1000", "Bill", 1000),
        ("SELECT Id,\n DocNumber\nFROM Invoice", "SELECT Id,\n DocNumber\nFROM Invoice MAXRESULTS 100", "Invoice", 100),
        ("SELECT Id, Line FROM Bill b", "SELECT Id, Line FROM Bill b MAXRESULTS 100", "Bill", 100),
        (
            "SELECT * FROM Bill MaxResults 5 StartPosition 6",
            "SELECT * FROM Bill MaxResults 5 StartPosition 6",
            "Bill",
            5,
        ),
        (
            r"SELECT * FROM Item WHERE Name = 'a; from \' maxresults 5000 -- b'",
            r"SELECT * FROM Item WHERE Name = 'a; from \' maxresults 5000 -- b' MAXRESULTS 100",
            "Item",
            100,
        ),
    ],
)
def test_a_statement_is_sent_with_its_limit(text, sent, entity, limit):
    assert check_statement(text, 100) == (sent, entity, limit, False)
    parser.parse(sent)


@pytest.mark.parametrize(
    ("text", "sent", "limit"),
    [
        ("SELECT * FROM Invoice", "SELECT * FROM Invoice MAXRESULTS 20", 20),
        ("SELECT * FROM Invoice MAXRESULTS 500", "SELECT * FROM Invoice MAXRESULTS 20", 20),
        (
            "SELECT * FROM Invoice MAXRESULTS 500 STARTPOSITION 9",
            "SELECT * FROM Invoice MAXRESULTS 20 STARTPOSITION 9",
            20,
        ),
        ("SELECT * FROM Invoice MAXRESULTS 5", "SELECT * FROM Invoice MAXRESULTS 5", 5),
        (
            "SELECT * FROM Invoice WHERE DocNumber = 'maxresults 500' MAXRESULTS 500",
            "SELECT * FROM Invoice WHERE DocNumber = 'maxresults 500' MAXRESULTS 20",
            20,
        ),
    ],
)
def test_the_hosts_cap_lowers_the_limit_of_a_statement(text, sent, limit):
    assert check_statement(text, 100, row_limit=20) == (sent, "Invoice", limit, False)


@pytest.mark.parametrize(
    "text", ["SELECT COUNT(*) FROM Customer", "select count ( * ) from Customer where Active = true"]
)
@pytest.mark.parametrize("row_limit", [None, 5])
def test_a_count_is_sent_as_it_is(text, row_limit):
    """It has one row, and no recorded COUNT has a MAXRESULTS."""
    statement = check_statement(text, 100, row_limit)
    assert (statement.text, statement.is_count) == (text, True)


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM Invoice",
        "UPDATE Invoice SET Balance = '0'",
        "SELECT * FROM Invoice; SELECT * FROM Bill",
        "SELECT * FROM Invoice SELECT * FROM Bill",
        "SELECT * FROM Invoice, Bill",
        "SELECT * FROM Invoice UNION SELECT * FROM Bill",
        "SELECT * FROM (SELECT * FROM Invoice)",
        "SELECT (SELECT Id FROM Bill) FROM Invoice",
        "SELECT * FROM Invoice WHERE Id IN (SELECT Id FROM Bill)",
        "SELECT * FROM Invoice -- MAXRESULTS 5",
        "SELECT * FROM Invoice /* MAXRESULTS 5 */",
        "SELECT * FROM Invoice # MAXRESULTS 5",
        "SELECT 'a' FROM Invoice",
        "SELECT * FROM Invoice WHERE DocNumber = 'abc",
        "SELECT * FROM Invoice WHERE DocNumber = 'abc MAXRESULTS 5",
        'SELECT * FROM Invoice WHERE DocNumber = "abc"',
        "SELECT * FROM Invoice MAXRESULTS 0",
        "SELECT * FROM Invoice MAXRESULTS -1",
        "SELECT * FROM Invoice MAXRESULTS 1001",
        "SELECT * FROM Invoice MAXRESULTS 5 MAXRESULTS 5000",
        "SELECT * FROM Invoice MAXRESULTS 5.5",
        "SELECT * FROM Invoice MAXRESULTS 5e3",
        "SELECT * FROM Invoice MAXRESULTS '5'",
        "SELECT * FROM Invoice MAXRESULTS",
        "SELECT * FROM Invoice MAXRESULTS " + "9" * 5000,
        "SELECT * FROM Invoice STARTPOSITION 0",
        "SELECT * FROM Invoice STARTPOSITION 1 STARTPOSITION 2",
        "SELECT * FROM Invoice STARTPOSITION " + "9" * 5000,
        "\u017felect * from Invoice",
    ],
)
def test_what_is_not_one_select_statement_with_numbers_in_bounds_is_refused(text):
    with pytest.raises(InputError) as caught:
        check_statement(text, 100)
    (entry,) = caught.value.fields
    assert entry.field == "query"
    assert entry.hint


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
        lambda text: not any("\x7f" <= character < "\xa0" for character in text)
    ),
    st.integers(1, 1000),
)
def test_the_words_of_a_string_never_count(text, limit):
    condition = query.compare("DocNumber", "=", text)
    statement = f"SELECT * FROM Invoice WHERE {condition} MAXRESULTS {limit}"  # noqa: S608 -- the value is quoted
    assert check_statement(statement, 100) == (statement, "Invoice", limit, False)


@pytest.mark.parametrize("text", ["DELETE FROM Invoice", "50", "", "Select", "\u017felect * from Invoice"])
def test_the_schema_refuses_what_is_not_a_select_statement(text):
    with pytest.raises(InputError) as caught:
        validate_input("query", {"query": text})
    assert "Query is missing" in str(caught.value) if not text else "must be a SELECT statement" in str(caught.value)


@pytest.mark.parametrize("text", ["SELECT\x00 * FROM Invoice", "SELECT * FROM Invoice\x85"])
def test_the_schema_refuses_control_characters_in_a_statement(text):
    with pytest.raises(InputError, match="must be a SELECT statement"):
        validate_input("query", {"query": text})
