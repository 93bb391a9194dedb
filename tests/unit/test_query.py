"""Statements of the query language: a value cannot end its literal, and names are checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.core import query
from vantage_quickbooks.emulator.query import parser
from vantage_quickbooks.emulator.query.statement import Condition, Value
from vantage_quickbooks.errors import InputError

CONTROL = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}
SPECIAL = "'\\%\"_*();,.=<>- \u2028\u00a0\uff07\u2019\U0001f33b"
"""Characters that are difficult for lexers: other kinds of apostrophe, blanks, and an emoji."""

INJECTIONS = [
    "O'Brien",
    "\\",
    "\\'",
    "'\\",
    "''",
    "\\\\'",
    "x' OR Active = false",
    "x\\' OR '1' = '1",
    "' MAXRESULTS 1000",
    "') OR Id IN ('1",
    "'; DROP TABLE Customer",
    "%",
    "%'%",
    "\u2028' OR \u2029",
    "Robertson & Associates",
    "100%25",
    "\\u0027",
    "'" * 500,
    "\\" * 501,
]

texts = (
    st.text(min_size=1) | st.text(alphabet=st.sampled_from(SPECIAL + "ab"), min_size=1) | st.sampled_from(INJECTIONS)
)
safe_texts = texts.filter(lambda text: not set(text) & CONTROL and not _has_surrogate(text))


def _has_surrogate(text):
    return any(0xD800 <= ord(character) < 0xE000 for character in text)


def _read_literal(literal):
    """Read a literal as Intuit's lexer does, by hand: a backslash takes the next character as it is."""
    assert literal[0] == "'"
    characters, escaped = [], False
    for position, character in enumerate(literal[1:], 1):
        if escaped:
            assert character in "'\\"
            characters.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "'":
            assert position == len(literal) - 1, "the literal ended early"
            return "".join(characters)
        else:
            characters.append(character)
    raise AssertionError("the literal did not end")


@given(safe_texts)
def test_no_value_can_end_its_literal(value):
    assert value == _read_literal(query.quote(value))


@given(
    values=st.lists(safe_texts, min_size=1, max_size=4),
    operator=st.sampled_from(["=", "<", ">", "<=", ">=", "matches"]),
    start=st.integers(1, 10**9),
    size=st.integers(1, 1000),
)
def test_any_value_is_parsed_back_unchanged(values, operator, start, size):
    """Neither more conditions nor others, and each value to the letter, by the emulator's own parser."""
    make = query.matches if operator == "matches" else lambda p, v: query.compare(p, operator, v)
    statement = query.Select(
        "Customer",
        where=(query.whether("Active", True, False), *(make("DisplayName", value) for value in values)),
        order_by=("DisplayName", "MetaData.CreateTime DESC"),
        start_position=start,
        max_results=size,
    )
    read = parser.parse(str(statement))
    assert read.entity == "Customer"
    assert read.where[0] == Condition("Active", "IN", (Value("bool", "true"), Value("bool", "false")))
    expected = ["LIKE" if operator == "matches" and "%" in v else operator.replace("matches", "=") for v in values]
    assert [("DisplayName", op, value) for op, value in zip(expected, values, strict=True)] == [
        (condition.name, condition.operator, *(v.text for v in condition.values)) for condition in read.where[1:]
    ]
    assert all(value.kind == "text" for condition in read.where[1:] for value in condition.values)
    assert read.order == (("DisplayName", False), ("MetaData.CreateTime", True))
    assert (read.start, read.max_results) == (start, size)


@pytest.mark.parametrize("value", INJECTIONS)
def test_an_injection_attempt_remains_a_value(value):
    read = parser.parse(str(query.Select("Customer", where=(query.matches("DisplayName", value),))))
    ((condition,), (text,)) = read.where, read.where[0].values
    assert (condition.name, text.text) == ("DisplayName", value)


@pytest.mark.parametrize("character", sorted(CONTROL), ids=lambda c: f"U+{ord(c):04X}")
def test_a_control_character_is_refused_with_the_field_name(character):
    for value in (character, f"a{character}", f"{character}a", f"a{character}' OR '1' = '1"):
        with pytest.raises(InputError) as caught:
            query.compare("DisplayName", "=", value, field="name")
        (entry,) = caught.value.fields
        assert (entry.field, entry.rule) == ("name", "characters")


@given(st.text(max_size=20), st.characters(categories=["Cs"]), st.text(max_size=20))
def test_half_a_surrogate_pair_is_refused(before, half, after):
    with pytest.raises(InputError):
        query.quote(before + half + after, field="email")


def test_an_empty_value_is_refused_because_intuit_has_no_empty_string():
    with pytest.raises(InputError) as caught:
        query.matches("DisplayName", "", field="name")
    assert caught.value.fields[0].field == "name"


@pytest.mark.parametrize(
    ("value", "condition"),
    [
        ("Amy's Bird Sanctuary", r"DisplayName = 'Amy\'s Bird Sanctuary'"),
        (r"a\b", r"DisplayName = 'a\\b'"),
        ("Amy%", "DisplayName LIKE 'Amy%'"),
        ("%'%", r"DisplayName LIKE '%\'%'"),
        ('"', "DisplayName = '\"'"),
        ("Łódź 🌻", "DisplayName = 'Łódź 🌻'"),
        ("24", "DisplayName = '24'"),
    ],
)
def test_a_condition_is_written_exactly(value, condition):
    assert condition == query.matches("DisplayName", value)


def test_booleans_are_not_quoted():
    assert query.whether("Active", True) == "Active = true"
    assert query.whether("Active", False) == "Active = false"
    assert query.whether("Active", True, False) == "Active IN (true, false)"


BAD_NAMES = ["", " ", "a b", "a'", "a;b", "a.", ".a", "a..b", "1a", "a.1", "é", "a-b", "a\n", "Name = '1' OR Name", "*"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_invalid_name_is_refused_everywhere(name):
    for make in (
        lambda: query.compare(name, "=", "x"),
        lambda: query.matches(name, "x"),
        lambda: query.matches(name, "x%"),
        lambda: query.whether(name, True),
        lambda: str(query.Select(name)),
    ):
        with pytest.raises(ValueError, match="invalid name"):
            make()


@pytest.mark.parametrize("key", [*BAD_NAMES, "Name desc", "Name  DESC", "Name DESC, Id", "Name DESC "])
def test_an_invalid_order_is_refused(key):
    with pytest.raises(ValueError, match=r"invalid (name|sort direction)"):
        str(query.Select("Customer", order_by=(key,)))


@pytest.mark.parametrize("operator", ["!=", "LIKE", "IN", "", "= '1' OR x =", "<>", "=="])
def test_an_unknown_operator_is_refused(operator):
    with pytest.raises(ValueError, match="operator"):
        query.compare("Balance", operator, "1")


@pytest.mark.parametrize(("start", "size"), [(0, 100), (-1, 100), (1, 0), (1, -1), (1, 1001), (0, 0)])
def test_an_invalid_page_is_refused(start, size):
    with pytest.raises(ValueError, match="invalid page"):
        str(query.Select("Customer", start_position=start, max_results=size))


@pytest.mark.parametrize("size", [1, 2, 100, 999, 1000])
def test_a_statement_always_has_a_position_and_a_size(size):
    assert str(query.Select("Invoice", start_position=7, max_results=size)).endswith(
        f" FROM Invoice STARTPOSITION 7 MAXRESULTS {size}"
    )


def test_another_page_differs_only_in_position_and_size():
    first = query.Select("Invoice", where=(query.compare("Balance", ">", "0"),), order_by=("DueDate",))
    second = first.page(101, 50)
    assert str(second) == ("SELECT * FROM Invoice WHERE Balance > '0' ORDERBY DueDate STARTPOSITION 101 MAXRESULTS 50")
    assert (first.start_position, first.max_results) == (1, 100)
