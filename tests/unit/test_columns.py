"""The columns of a CSV are fixed and contain the values of the rows."""

from __future__ import annotations

import csv
import io
import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage_quickbooks.catalog.columns import MEMBERS, columns_for, columns_of
from vantage_quickbooks.catalog.resource import PropertyType
from vantage_quickbooks.catalog.resources import COMPANY_INFO, RESOURCES
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.tabular import csv_header, csv_rows

ROWS = {resource.entity: resource for resource in (*RESOURCES, COMPANY_INFO)}


def read(rows, columns):
    text = csv_header(columns) + csv_rows(rows, columns)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("resource", ROWS.values(), ids=ROWS)
def test_columns_are_unique_and_begin_with_the_id_and_the_flat_fields(resource):
    columns = columns_of(resource)
    has_id = any(known.name == "Id" for known in resource.properties)
    first = (*(["Id"] if has_id else []), *(field.name for field in resource.flat_fields))
    assert columns.names[: len(first)] == first
    assert len(set(columns.names)) == len(columns.names) == len(columns.types)
    assert set(columns.types) <= set(get_args(PropertyType))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.entity)
def test_list_and_get_actions_have_the_same_columns(resource):
    got = columns_for(resource.get_id)
    assert got == columns_of(resource)
    assert columns_for(resource.list_id) == (got if resource.is_queryable else None)


def test_each_column_has_the_type_of_its_values():
    columns = columns_for("listInvoices")
    types = dict(zip(columns.names, columns.types, strict=True))
    assert {name: types[name] for name in (
        "Id", "paymentStatus", "daysOverdue", "MetaData.CreateTime", "TxnDate", "TotalAmt", "ApplyTaxAfterDiscount",
        "CustomerRef.value", "TxnTaxDetail.TxnTaxCodeRef.name", "TxnTaxDetail.TotalTax", "Line",
    )} == {
        "Id": "id", "paymentStatus": "text", "daysOverdue": "integer", "MetaData.CreateTime": "instant",
        "TxnDate": "date", "TotalAmt": "decimal", "ApplyTaxAfterDiscount": "boolean", "CustomerRef.value": "text",
        "TxnTaxDetail.TxnTaxCodeRef.name": "text", "TxnTaxDetail.TotalTax": "decimal", "Line": "list",
    }  # fmt: skip


def test_an_action_without_rows_of_an_entity_has_no_fixed_columns():
    assert columns_for("getAccessToken") is None


def test_what_tables_leave_out_is_a_column_when_it_is_asked_for_by_name():
    assert "TrackingNum" not in columns_for("listInvoices").names
    assert "TrackingNum" in columns_for("listInvoices", ["TrackingNum"]).names


def test_references_and_times_are_columns_of_their_own():
    names = columns_for("listInvoices").names
    for name in ("CustomerRef.value", "CustomerRef.name", "CurrencyRef.value", "MetaData.CreateTime",
                 "MetaData.LastUpdatedTime", "BillAddr.Line1", "BillEmail.Address", "CustomerMemo.value",
                 "TxnTaxDetail.TotalTax", "TxnTaxDetail.TxnTaxCodeRef.value", "Line"):  # fmt: skip
        assert name in names


def test_every_kind_of_object_that_the_rows_name_is_known_and_used():
    kinds = {known.members for resource in ROWS.values() for known in resource.properties} - {""}
    assert kinds | {"reference"} == set(MEMBERS)


@pytest.mark.parametrize("entity", ["Customer", "Invoice"])
def test_no_property_of_the_sample_company_is_without_a_column(entity):
    columns = columns_of(ROWS[entity])
    with Emulator() as emulator:
        records = [emulator.company().find(entity, str(number)) for number in range(1, 400)]
    records = [json.loads(json.dumps(record, default=float)) for record in records if record]
    assert len(records) >= 20
    rows = read(records, columns)
    for record, row in zip(records, rows, strict=True):
        for name, value in record.items():
            found = [column for column in row if column == name or column.startswith(f"{name}.")]
            assert found, name
            filled = [row[column] for column in found if row[column]]
            assert filled or value in ("", {}, []), name
            if isinstance(value, dict) and set(value) <= {"value", "name"}:
                assert {key: row[f"{name}.{key}"] for key in value} == value
            if isinstance(value, list):
                assert json.loads(row[name]) == value


def test_rows_do_not_decide_about_columns():
    columns = columns_for("listCustomers")
    assert csv_header(columns) == csv_header(columns_for("listCustomers"))
    sparse, full = {"Id": "1"}, {"Id": "2", "CustomerTypeRef": {"value": "7", "name": "Big"}, "Unheard": {"of": 1}}
    rows = read([sparse, full], columns)
    assert [row["Id"] for row in rows] == ["1", "2"]
    assert rows[1]["CustomerTypeRef.name"] == "Big"
    assert {cell for name, cell in rows[0].items() if name != "Id"} == {""}


def test_the_fields_that_were_asked_for_are_the_columns():
    names = columns_for("listInvoices", ["TotalAmt", "CustomerRef"]).names
    assert names == (
        "Id",
        "customerName",
        "currency",
        "paymentStatus",
        "daysOverdue",
        "CustomerRef.value",
        "CustomerRef.name",
        "TotalAmt",
    )


def test_values_keep_their_form_and_formulas_become_text():
    row = {
        "Id": "1", "Balance": -5.25, "Active": True, "Taxable": False, "Notes": "=1+1", "CompanyName": "-2+3",
        "DisplayName": "\t=1", "PrimaryPhone": {"FreeFormNumber": "+1 (415)"}, "Title": None, "Suffix": "",
        "GivenName": 'say "hi", twice\nover', "ParentRef": {"value": "7"}, "BillAddr": {"Line1": "@SUM(A1)"},
        "FamilyName": " ＝1",  # noqa: RUF001 -- full width
    }  # fmt: skip
    (cells,) = read([row], columns_for("listCustomers"))
    assert {name: cell for name, cell in cells.items() if cell} == {
        "Id": "1", "Balance": "-5.25", "Active": "true", "Taxable": "false", "Notes": "'=1+1",
        "CompanyName": "'-2+3", "DisplayName": "'\t=1", "PrimaryPhone.FreeFormNumber": "'+1 (415)",
        "GivenName": 'say "hi", twice\nover', "ParentRef.value": "7", "BillAddr.Line1": "'@SUM(A1)",
        "FamilyName": "' ＝1",  # noqa: RUF001 -- full width
    }  # fmt: skip


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "name", "Line1"]), inner),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["Id", "CustomerRef", "BillAddr", "Line", "DocNumber", "x"]), _json)))
def test_the_line_of_any_row_has_every_column(records):
    columns = columns_for("listInvoices")
    text = csv_header(columns) + csv_rows(records, columns)
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len(lines) == 1 + len(records)
    assert {len(line) for line in lines} == {len(columns.names)}
