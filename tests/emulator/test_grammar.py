"""The language: what parses, what it prints, and Intuit's words for what does not."""

# ruff: noqa: ISC004, S608 -- a statement and its fault are one case; statements go to no database

import contextlib
import re
import sqlite3
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark

from vantage_quickbooks.emulator.company.entities import _MARKS, BY_LOWER_NAME
from vantage_quickbooks.emulator.errors import Fault
from vantage_quickbooks.emulator.query.parser import grammar, parse
from vantage_quickbooks.emulator.query.sql import compile_statement
from vantage_quickbooks.emulator.query.statement import Condition, Statement, Value

AFTER_CONDITION = (
    '\nWas expecting one of:\n    <EOF> \n    <AND> ...\n    "iterator" ...\n    "maxresults" ...\n    <OR> ...\n'
    '    "order" ...\n    "orderby" ...\n    "startposition" ...\n    '
)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "emulator.md"
TODAY = date(2026, 5, 5)
ZONE = ZoneInfo("America/Los_Angeles")


def plan(statement):
    return compile_statement(parse(statement), today=TODAY, zone=ZONE)


# Expected words as shared/wire.md and the recordings have them.
@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        ("", 'Encountered "<EOF>" at line 0, column 0.\nWas expecting:\n    "select" ...\n    '),
        (
            'SELECT * FROM Customer WHERE DisplayName = "Amy"',
            'Invalid content. Lexical error at line 1, column 44.  Encountered: "\\"" (34), after : ""',
        ),
        (
            "SELECT * FROM Customer WHERE DisplayName = Amy's Bird Sanctuary'",
            'Encountered " <IDENTIFIER> "Amy "" at line 1, column 44.\n'
            'Was expecting one of:\n    "false" ...\n    "true" ...\n    ',
        ),
        (
            r"SELECT * FROM Customer WHERE DisplayName = \'Amy\'",
            'Invalid content. Lexical error at line 1, column 44.  Encountered: "\\\\" (92), after : ""',
        ),
        (
            r"SELECT * FROM Customer WHERE DisplayName = 'Amy\'s Bird Sanctuary\'",
            "Invalid content. Lexical error at line 1, column 68.  Encountered: <EOF> after : "
            r'''"\'Amy\\\'s Bird Sanctuary\\\'"''',
        ),
        (
            r"SELECT * FROM Customer WHERE DisplayName = 'Amy\\'s Bird Sanctuary'",
            'Encountered " <IDENTIFIER> "s "" at line 1, column 51.' + AFTER_CONDITION,
        ),
        (
            r"SELECT * FROM Customer WHERE DisplayName = 'Amy'\\'s Bird Sanctuary'",
            'Invalid content. Lexical error at line 1, column 49.  Encountered: "\\\\" (92), after : ""',
        ),
        (
            "SELECT * FROM Customer WHERE DisplayName = 'Amy's Bird Sanctuary'",
            'Encountered " <IDENTIFIER> "s "" at line 1, column 49.' + AFTER_CONDITION,
        ),
        (
            "SELECT * FROM NULL",
            'Encountered " "null" "NULL "" at line 1, column 15.\nWas expecting:\n    <IDENTIFIER> ...\n    ',
        ),
        (
            "select * from Purchase wher TxnDate > '2026-01-01'",
            'Encountered " <IDENTIFIER> "TxnDate "" at line 1, column 29.\nWas expecting one of:\n    <EOF> \n'
            '    "," ...\n    "iterator" ...\n    "maxresults" ...\n    "order" ...\n    "orderby" ...\n'
            '    "startposition" ...\n    "where" ...\n    ',
        ),
        (
            "SELECT * FROM Customer WHERE DisplayName = %27Amy%27",
            'Invalid content. Lexical error at line 1, column 44.  Encountered: "%" (37), after : ""',
        ),
        ("select * from Customer where Active", None),
        ("select * from Customer where Id in '1'", None),
        ("select * from Invoice where Balance > 5", None),
        ("select * from Customer where DisplayName = ''", None),
        ("select * from Customer where DisplayName = 'a\\nb'", None),
        (
            "SELECT & FROM Customer",
            'Invalid content. Lexical error at line 1, column 9.  Encountered: " " (32), after : "&"',
        ),
        (
            "select * from Customer where Id = '1' |",
            'Invalid content. Lexical error at line 1, column 40.  Encountered: <EOF> after : "|"',
        ),
        ("select * from Customer where Id !'1'", None),
        ("select * from Customer maxresults 5 maxresults 5", None),
        ("select from Customer", None),
        ("delete from Customer", None),
        ("select * from Customer;", None),
        ("select * from Customer startposition '5'", None),
        ("select * from Customer where DisplayName like a", None),
    ],
)
def test_what_does_not_parse_is_refused_in_javacc_s_words(statement, detail):
    with pytest.raises(Fault) as caught:
        parse(statement)
    assert (caught.value.status, caught.value.code, caught.value.message) == (400, "4000", "Error parsing query")
    assert caught.value.detail.startswith("QueryParserError: ")
    if detail is not None:
        assert f"QueryParserError: {detail}" == caught.value.detail


def test_after_in_only_a_parenthesis_is_expected():
    with pytest.raises(Fault, match=r'Was expecting:\n    "\(" \.\.\.'):
        parse("select * from Customer where Id in '1'")


@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        ("select * from Custmoer", "invalid context declaration: Custmoer"),
        ("select * from Purchase where NoSuchField = '1'", "Property NoSuchField not found for Entity Purchase"),
        ("select * from Invoice where PrivateNote = 'x'", "property 'PrivateNote' is not queryable"),
        ("select * from Customer startposition -1", "value -1 is too small. Min allowed value is 1"),
        ("select * from Customer maxresults 0", "value 0 is too small. Min allowed value is 1"),
        ("select * from Customer maxresults 1500", "value 1500 is too large. Max allowed value is 1000"),
        ("select * from Item where UnitPrice > '5'", "property 'UnitPrice' is not queryable"),
        ("select * from Bill orderby Balance", "property 'Balance' is not sortable"),
        ("select * from Customer where CustomerRef.value = '1'", "Property CustomerRef.value not found for"),
        ("select * from Account where DisplayName = 'x'", "Property DisplayName not found for Entity Account"),
        ("select * from Customer orderby Id", "property 'Id' is not sortable"),
        ("select * from Customer orderby PrimaryEmailAddr", "property 'PrimaryEmailAddr' is not sortable"),
        ("select * from Customer where BalanceWithJobs > '1'", "property 'BalanceWithJobs' is not queryable"),
        ("select * from Customer where Id > '5'", "operator > is not supported for property 'Id'"),
        ("select * from Customer where Id like '5%'", "operator LIKE is not supported for property 'Id'"),
        ("select * from Customer where Active > true", "operator > is not supported"),
        ("select * from Invoice where TxnDate > 'soon'", "invalid value 'soon' for property 'TxnDate'"),
        ("select * from Invoice where TotalAmt > 'much'", "invalid value 'much'"),
        ("select * from Invoice where TotalAmt > 'nan'", "invalid value 'nan'"),
        ("select * from Invoice where MetaData.CreateTime > 'x'", "invalid value 'x'"),
        ("select * from Customer where DisplayName = 'a' or DisplayName = 'b'", "OR is not supported"),
        ("select * from Customer where DisplayName = 'a' || DisplayName = 'b'", "OR is not supported"),
        ("select * from Customer where Id != '1'", "operator != is not supported for property 'Id'"),
        ("select * from Customer iterator", "ITERATOR is not supported"),
        ("select * from Customer, Invoice", "invalid context declaration: Invoice"),
        ("select NoSuchField from Customer", "Property NoSuchField not found"),
        ("select * from TaxService", "invalid context declaration: TaxService"),
    ],
)
def test_what_parses_and_is_not_allowed_is_a_4001(statement, detail):
    with pytest.raises(Fault) as caught:
        plan(statement)
    assert (caught.value.status, caught.value.code, caught.value.message) == (400, "4001", "Invalid query")
    assert caught.value.detail.startswith(f"QueryValidationError: {detail}")


@pytest.mark.parametrize(
    ("statement", "canonical"),
    [
        ("select*from customer", "SELECT * FROM customer"),
        ("Select Count(*) From Invoice", "SELECT COUNT(*) FROM Invoice"),
        ("select Id,DisplayName from Customer", "SELECT Id, DisplayName FROM Customer"),
        (
            "select c.Id from Customer as c where c.Active in(true,false) order by c.Balance desc, c.DisplayName asc",
            "SELECT Id FROM Customer WHERE Active IN (true, false) ORDERBY Balance DESC, DisplayName",
        ),
        ("select * from Invoice maxresults 5 startposition 6", "SELECT * FROM Invoice STARTPOSITION 6 MAXRESULTS 5"),
        ("select * from Invoice where TxnDate<=current_date", "SELECT * FROM Invoice WHERE TxnDate <= CURRENT_DATE"),
        ("select * from assets\n\twhere selection = 1", "SELECT * FROM assets WHERE selection = 1"),
        (r"select * from A where b like '%\'\\%'", r"SELECT * FROM A WHERE b LIKE '%\'\\%'"),
    ],
)
def test_statements_print_in_one_canonical_form(statement, canonical):
    assert canonical == str(parse(statement))
    assert parse(canonical) == parse(statement)


def test_a_page_has_100_records_by_default():
    assert (plan("select * from Invoice").limit, plan("select * from Invoice maxresults 1000").limit) == (100, 1000)


# Each mark as Intuit's page of the entity has it, or as reported (vantage_quickbooks/emulator/company/entities.py).
@pytest.mark.parametrize(
    ("entity", "name", "filterable", "sortable"),
    [
        ("Bill", "VendorRef", True, True),
        ("Bill", "Balance", True, False),
        ("BillPayment", "DocNumber", True, True),
        ("VendorCredit", "Balance", False, True),
        ("VendorCredit", "VendorRef", False, False),
        ("CreditMemo", "SalesTermRef", True, False),
        ("Estimate", "DueDate", True, True),
        ("Item", "Type", True, True),
        ("Item", "UnitPrice", False, True),
        ("Item", "FullyQualifiedName", True, False),
        ("Payment", "TotalAmt", True, False),
        ("Payment", "PaymentRefNum", True, False),
        ("SalesReceipt", "TotalAmt", True, False),
        ("TimeActivity", "BillableStatus", True, False),
        ("TimeActivity", "EmployeeRef", False, False),
        ("TaxRate", "AgencyRef", True, True),
        ("Department", "SubDepartment", False, True),
        ("Employee", "Suffix", True, True),
        ("Vendor", "PrimaryEmailAddr", False, False),
        ("SalesReceipt", "DepartmentRef", False, False),
        ("JournalEntry", "DepartmentRef", False, False),
        ("Purchase", "DepartmentRef", False, False),
        ("PurchaseOrder", "POStatus", False, False),
    ],
)
def test_what_a_page_marks_can_be_filtered_and_sorted_and_nothing_else(entity, name, filterable, sortable):
    prop = BY_LOWER_NAME[entity.lower()].find(name)
    assert (prop.filterable, prop.sortable) == (filterable, sortable)


@pytest.mark.parametrize("entity", ["JournalEntry", "Invoice", "Deposit"])
def test_what_an_entity_does_not_have_is_not_found(entity):
    with pytest.raises(Fault, match=f"Property AccountRef not found for Entity {entity}"):
        plan(f"select * from {entity} where AccountRef = '1'")


def property_rows():
    """The table of docs/emulator.md, from the data."""
    rows = ["| Entity | Filter and sort | Filter | Sort | Assumed |", "| --- | --- | --- | --- | --- |"]
    return rows + [f"| {name} | {' | '.join(' '.join(m.split()) for m in marks)} |" for name, marks in _MARKS.items()]


def test_the_docs_list_what_can_be_filtered_and_sorted():
    listed = re.search(r"<!-- properties -->\n(.*?)\n<!-- /properties -->", DOCS.read_text("utf-8"), re.DOTALL)[1]
    assert property_rows() == listed.splitlines()


def test_a_recurring_transaction_is_found_by_the_type_of_its_template():
    asked = plan("select * from RecurringTransaction where type = 'bill'")
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE body (body TEXT)")
        database.executemany("INSERT INTO body VALUES (?)", [('{"Bill": {"Id": "1"}}',), ('{"Invoice": {"Id": "2"}}',)])
        found = database.execute(f"SELECT body FROM body b WHERE {asked.where}", asked.parameters).fetchall()
    assert found == [('{"Bill": {"Id": "1"}}',)]
    assert asked.needs_body


def test_an_attachment_is_found_by_what_it_is_attached_to():
    asked = plan("select Id from attachable where AttachableRef.EntityRef.Type = 'invoice'")
    assert "AttachableRef[0].EntityRef.type" in asked.where


@pytest.mark.parametrize(
    "moment",
    [
        "2026-05-05T03:00:00-07:00",
        "2026-05-05T03:00:00-0700",
        "2026-05-05T10:00:00Z",
        "2026-05-05T10:00:00.000Z",
        "2026-05-05T15:30:00+05:30",
        "2026-05-05T03:00:00",  # without an offset: the company's zone
    ],
)
def test_a_time_can_have_any_offset(moment):
    asked = plan(f"select * from Invoice where MetaData.LastUpdatedTime >= '{moment}'")
    assert asked.parameters == (1_777_975_200.0,)


def test_an_unencoded_plus_sign_is_not_an_offset():
    with pytest.raises(Fault, match="invalid value"):  # a bare + in a URL is a blank
        plan("select * from Invoice where MetaData.CreateTime >= '2026-05-05T15:30:00 05:30'")


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: (
        name.lower()
        not in [
            "select",
            "from",
            "where",
            "count",
            "and",
            "or",
            "in",
            "like",
            "as",
            "orderby",
            "order",
            "by",
            "asc",
            "desc",
            "startposition",
            "maxresults",
            "iterator",
            "true",
            "false",
            "current_date",
            "null",
        ]
    )
)
texts = st.builds(Value, st.just("text"), st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
numbers = st.builds(Value, st.just("number"), st.decimals(-1000, 1000, places=2).map(str))
flags = st.builds(Value, st.just("bool"), st.sampled_from(["true", "false"]))
today = st.just(Value("today", "CURRENT_DATE"))
conditions = st.one_of(
    st.builds(Condition, names, st.just("="), st.tuples(texts | numbers | flags | today)),
    st.builds(Condition, names, st.sampled_from(["<", ">", "<=", ">="]), st.tuples(texts | flags | today)),
    st.builds(Condition, names, st.just("LIKE"), st.tuples(texts)),
    st.builds(Condition, names, st.just("IN"), st.lists(texts | numbers | flags, min_size=1, max_size=3).map(tuple)),
)
positions = st.none() | st.integers(1, 10**9)
statements = st.builds(
    Statement,
    entity=names,
    fields=st.lists(names, max_size=3).map(tuple),
    where=st.lists(conditions, max_size=3).map(tuple),
    order=st.lists(st.tuples(names, st.booleans()), max_size=2).map(tuple),
    start=positions,
    max_results=st.none() | st.integers(1, 1000),
)

# Statements generated from the grammar itself: everything that it accepts.
words = Lark(grammar(), parser="lalr", lexer="basic")
keywords = [t.name for t in words.terminals if t.pattern.type == "str" and t.pattern.value.isalpha()]
sayings = from_lark(
    words,
    start="start",
    explicit={
        **{name: st.sampled_from([f" {name.lower()} ", f" {name} ", f"\n{name.title()}\t"]) for name in keywords},
        "CURRENT_DATE": st.just(" current_date "),
        "IDENTIFIER": names.map(lambda name: f" {name} "),
        "NUMBER": st.integers(1, 1000).map(lambda n: f" {n} "),
        "STRING": texts.map(str),
    },
)


@given(sayings)
def test_every_statement_of_the_grammar_prints_and_parses_to_the_same(saying):
    with contextlib.suppress(Fault):  # OR, ITERATOR and a second entity are accepted by the grammar and refused after
        statement = parse(saying)
        assert statement == parse(str(statement))
        assert str(statement) == str(parse(str(statement)))


@given(statements)
def test_every_printed_statement_parses_to_the_same(statement):
    assert statement == parse(str(statement))


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["select", "*", "from", "Customer", "where", "Id", "=", "'x'", "(", ")", ",", "'", "\\", "and", "or", "1"]
        )
    ).map(" ".join)
)
def test_any_text_parses_or_is_refused_and_nothing_else(text):
    with contextlib.suppress(Fault):
        parsed = parse(text)
        assert parsed == parse(str(parsed))
