"""Filters of Spark: what they let a read leave out, and that no row is lost by it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

pytest.importorskip("pyspark")

from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.datasource import (
    EqualNullSafe,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNotNull,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Not,
    StringContains,
    StringEndsWith,
    StringStartsWith,
)

from vantage_quickbooks.adapters.spark.filters import Pushed, holds, push
from vantage_quickbooks.adapters.spark.options import SparkOptions
from vantage_quickbooks.adapters.spark.reader import QuickBooksReader
from vantage_quickbooks.adapters.spark.schema import entity_schema
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.registry import open_registry

COMPARISONS = {
    EqualTo: lambda value, other: value == other,
    EqualNullSafe: lambda value, other: value == other,
    GreaterThan: lambda value, other: value > other,
    GreaterThanOrEqual: lambda value, other: value >= other,
    LessThan: lambda value, other: value < other,
    LessThanOrEqual: lambda value, other: value <= other,
    In: lambda value, others: value in others,
    StringStartsWith: lambda value, other: value.startswith(other),
    StringEndsWith: lambda value, other: value.endswith(other),
    StringContains: lambda value, other: other in value,
}


def meets(filter_, row):
    """Return whether a row meets a filter in SQL, where a comparison with null is neither true nor false."""
    return truth(filter_, row) is True


def truth(filter_, row):
    if isinstance(filter_, Not):
        inner = truth(filter_.child, row)
        return None if inner is None else not inner
    value = row[filter_.attribute[0]]
    if isinstance(filter_, IsNull | IsNotNull):
        return (value is None) == isinstance(filter_, IsNull)
    if isinstance(filter_, EqualNullSafe):
        return value == filter_.value
    if value is None or filter_.value is None:
        return None
    return COMPARISONS[type(filter_)](value, filter_.value)


@pytest.fixture(scope="module")
def companies(tmp_path_factory):
    """Return the path of a registry of three companies with different books."""
    folder = tmp_path_factory.mktemp("spark-filters")
    with pytest.MonkeyPatch.context() as patch, Emulator(limits=False) as running, open_registry(folder / "r") as made:
        patch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", str(folder / "tokens.sqlite3"))
        for number, label in enumerate(["Acme", "acme", None]):
            company = running.add_company()
            company.create("Customer", {"DisplayName": f"Zoë & Söhne 100% {number}"})
            invoice = {"CustomerRef": {"value": "1"}, "DueDate": "2026-02-0" + str(number + 1)}
            line = {"Amount": 10.5 + number, "DetailType": "SalesItemLineDetail"}
            line["SalesItemLineDetail"] = {"ItemRef": {"value": "1"}}
            company.create("Invoice", invoice | {"Line": [line]})
            made.add(f"c{number}", company.settings(), label)
        yield folder / "r", running, str(folder / "tokens.sqlite3")


@pytest.fixture
def read(companies, monkeypatch):
    path, _, tokens = companies
    monkeypatch.setenv("VANTAGE_QUICKBOOKS_TOKEN_STORE", tokens)

    def run(entity, filters=()):
        options = SparkOptions.parse({"entity": entity, "registry": str(path), "push_filters": "true"}, "batch")
        reader = QuickBooksReader(options, entity_schema(entity))
        left = list(reader.pushFilters(list(filters)))
        assert left == list(filters)  # Spark applies all of them again
        rows = [row for part in reader.partitions() for batch in reader.read(part) for row in batch.to_pylist()]
        return {(row["realm_id"], row["Id"]): row for row in rows}

    return run


COLUMNS = {
    "Invoice": [
        *("company", "realm_id", "DocNumber", "CustomerRef_value", "TxnDate", "DueDate", "paymentStatus", "Balance"),
        "MetaData_LastUpdatedTime",
    ],
    "Customer": ["company", "DisplayName", "PrimaryEmailAddr_Address", "Active", "MetaData_LastUpdatedTime"],
    "Bill": ["TotalAmt", "VendorRef_value", "DueDate", "paymentStatus"],
    "Item": ["Name", "Type"],
    "ReimburseCharge": ["HasBeenInvoiced", "CustomerRef_value"],
}


@pytest.fixture
def tables(read):
    return {entity: read(entity) for entity in COLUMNS}


def near(value):
    """Return values at which a comparison that is a little off would differ."""
    if isinstance(value, bool) or value is None:
        return [value, True, False]
    if isinstance(value, datetime):
        return [value, value + timedelta(seconds=1), value - timedelta(microseconds=1)]
    if isinstance(value, date):
        return [value, value + timedelta(days=1), value - timedelta(days=1), date(1, 1, 1)]
    if isinstance(value, Decimal):
        return [value, value + Decimal("0.0001"), value - Decimal("0.0001"), Decimal(12345678901234567) / 10000]
    return [
        value,
        value.upper(),
        value.lower(),
        value[:2],
        value + " ",
        value[:1] + "%",
        "'",
        "\\",
        "\t",
        "x" * 600,
        "",
    ]


@st.composite
def predicates(draw, rows, columns):
    found = []
    for _ in range(draw(st.integers(1, 3))):
        column = draw(st.sampled_from(columns))
        seen = sorted({row[column] for row in rows.values() if row[column] is not None})
        value = draw(st.sampled_from(near(draw(st.sampled_from(seen)))))
        kinds = [EqualTo, EqualNullSafe]
        if isinstance(value, str):
            kinds += [StringStartsWith, StringEndsWith, StringContains]
        elif not isinstance(value, bool):
            kinds += [GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual]
        kind = draw(st.sampled_from([*kinds, In, IsNull, IsNotNull]))
        made = kind((column,)) if kind in {IsNull, IsNotNull} else kind((column,), (value,) if kind is In else value)
        found.append(draw(st.sampled_from([made, made, made, Not(made)])))
    return found


def test_a_read_with_filters_has_all_rows_that_meet_them(tables, read):
    @settings(max_examples=40)
    @given(st.data())
    def check(data):
        entity = data.draw(st.sampled_from(sorted(COLUMNS)))
        filters = data.draw(predicates(tables[entity], COLUMNS[entity]))
        found = read(entity, filters)
        expected = {key for key, row in tables[entity].items() if all(meets(one, row) for one in filters)}
        assert {key for key, row in found.items() if all(meets(one, row) for one in filters)} == expected
        assert all(tables[entity][key] == row for key, row in found.items())

    check()


@pytest.mark.parametrize(
    ("entity", "filters", "inputs"),
    [
        ("Invoice", [EqualTo(("DocNumber",), "1037")], {"doc_number": "1037"}),
        ("Invoice", [StringStartsWith(("DocNumber",), "10")], {"doc_number": "10%"}),
        ("Invoice", [EqualTo(("CustomerRef_value",), "24")], {"customer_id": "24"}),
        ("Invoice", [EqualTo(("paymentStatus",), "overdue")], {"status": "overdue"}),
        (
            "Invoice",
            [GreaterThan(("DueDate",), date(2026, 1, 5)), LessThan(("DueDate",), date(2026, 2, 5))],
            {"due_date_from": "2026-01-05", "due_date_to": "2026-02-05"},
        ),
        (
            "Invoice",
            [GreaterThan(("MetaData_LastUpdatedTime",), datetime(2026, 1, 5, 8, 0, 0, 7, tzinfo=UTC))],
            {"updated_since": "2026-01-05T07:59:59Z"},
        ),
        ("Bill", [GreaterThanOrEqual(("TotalAmt",), Decimal("100.5000"))], {"amount_from": 100.5}),
        ("Customer", [EqualTo(("PrimaryEmailAddr_Address",), "a@example.com")], {"email": "a@example.com"}),
        ("Item", [EqualTo(("Type",), "Service")], {"type": "Service"}),
        ("ReimburseCharge", [EqualTo(("HasBeenInvoiced",), True)], {"invoiced": True}),
        # What QuickBooks would understand otherwise, or cannot compare.
        ("Invoice", [EqualTo(("DocNumber",), "100%")], {}),
        ("Invoice", [EqualTo(("DocNumber",), " 1037")], {}),
        ("Invoice", [EqualTo(("DocNumber",), "")], {}),
        ("Invoice", [Not(EqualTo(("DocNumber",), "1037"))], {}),
        ("Invoice", [EqualTo(("DocNumber",), None)], {}),
        ("Invoice", [EqualTo(("customerName",), "Amy")], {}),
        ("Invoice", [EqualTo(("CustomerRef", "value"), "24")], {}),
        ("Invoice", [EqualTo(("paymentStatus",), "Overdue")], {}),
        ("Invoice", [GreaterThan(("DueDate",), date(1, 1, 1))], {}),
        ("Invoice", [LessThan(("MetaData_LastUpdatedTime",), datetime(2026, 1, 5, tzinfo=UTC))], {}),
        ("Bill", [GreaterThan(("TotalAmt",), Decimal("12345678901234.5679"))], {}),
        ("Item", [EqualTo(("Type",), "service")], {}),
        ("ExchangeRate", [GreaterThan(("MetaData_LastUpdatedTime",), datetime(2026, 1, 5, tzinfo=UTC))], {}),
    ],
)
def test_quickbooks_is_asked_for_what_it_can_compare(entity, filters, inputs):
    assert push(filters, SYNC_ENTITIES[entity]).inputs == inputs


def test_each_filter_of_the_catalog_has_a_column_or_is_known_to_have_none():
    from vantage_quickbooks.adapters.spark.filters import _column_of

    without = {
        (entity, row.path)
        for entity, resource in SYNC_ENTITIES.items()
        for row in resource.filters
        if _column_of(row, resource) not in entity_schema(entity).fieldNames()
    }
    assert without == {
        ("Attachable", "AttachableRef.EntityRef.Type"),
        ("Attachable", "AttachableRef.EntityRef.value"),
        ("RecurringTransaction", "Type"),
    }


def test_companies_that_cannot_have_rows_are_not_read(companies, read):
    _, running, _ = companies
    running.reset_counters()
    assert {row["company"] for row in read("Invoice", [EqualTo(("company",), "acme")]).values()} == {"acme"}
    assert read("Invoice", [EqualTo(("company",), "ACME")]) == {}
    assert read("Invoice", [EqualTo(("realm_id",), "1"), In(("company",), ("Acme", "c2"))]) == {}
    assert {row["company"] for row in read("Term", [In(("company",), ("Acme", "c2"))]).values()} == {"Acme", "c2"}
    assert len({request["path"].split("/")[3] for request in running.requests() if "/company/" in request["path"]}) == 3


@pytest.mark.parametrize("value", ["a", "b", "ab", None])
@pytest.mark.parametrize(
    "filter_",
    [
        EqualTo(("x",), "a"),
        EqualNullSafe(("x",), "a"),
        EqualNullSafe(("x",), None),
        In(("x",), ("a", "c")),
        StringStartsWith(("x",), "a"),
        StringEndsWith(("x",), "b"),
        StringContains(("x",), "b"),
        IsNull(("x",)),
        IsNotNull(("x",)),
    ],
    ids=repr,
)
def test_a_text_meets_a_filter_as_in_sql(filter_, value):
    assert holds(filter_, value) == meets(filter_, {"x": value})
    assert holds(Not(filter_), value) == meets(Not(filter_), {"x": value})


def test_a_filter_of_an_unknown_kind_leaves_nothing_out():
    assert holds(GreaterThan(("x",), "a"), "a")
    assert holds(Not(GreaterThan(("x",), "a")), "b")


def test_a_change_table_is_read_for_the_entities_that_can_have_rows():
    assert push([In(("entity",), ("Invoice", "Bill"))], None) == Pushed(entities=frozenset({"Invoice", "Bill"}))
    assert push([EqualTo(("entity",), "Invoce")], None).entities == frozenset()
    assert push([EqualTo(("id",), "1")], None) == Pushed()


def test_a_company_whose_settings_cannot_be_read_is_not_left_out():
    assert Pushed((EqualTo(("realm_id",), "1"),)).wants(None, "c1")
