"""The rows of the catalog fit together: names, filters, orders, columns, flat fields, and what QuickBooks accepts."""

from __future__ import annotations

import re

import pytest

from vantage_quickbooks.catalog.flat_fields import PARENT, TEMPLATE_TYPE
from vantage_quickbooks.catalog.resources import COMPANY_INFO, RESOURCES
from vantage_quickbooks.core import query
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.query import parser
from vantage_quickbooks.sync.list_request import CHANGES_INPUTS, FULL_READ_ONLY, PAGE_ONLY

ROWS = {resource.entity: resource for resource in RESOURCES}
ENTITY_NAMES = {
    "Account", "Attachable", "Bill", "BillPayment", "Budget", "ChangeOrder", "Class", "CompanyCurrency",
    "CreditCardPaymentTxn", "CreditMemo", "Customer", "CustomerType", "Department", "Deposit", "Employee", "Estimate",
    "ExchangeRate", "InventoryAdjustment", "Invoice", "Item", "JournalCode", "JournalEntry", "Payment",
    "PaymentMethod", "Preferences", "Purchase", "PurchaseOrder", "RecurringTransaction", "RefundReceipt",
    "ReimburseCharge", "SalesReceipt", "TaxAgency", "TaxCode", "TaxRate", "Term", "TimeActivity", "Transfer",
    "Vendor", "VendorCredit",
}  # fmt: skip
GENERIC_INPUTS = {*CHANGES_INPUTS, *FULL_READ_ONLY, *PAGE_ONLY, "active", "status", "updated_since", "fields"}
FORMATS = {"text", "date", "money", "number", "days", "boolean", "status"}
MEMBERS_OF = {"reference": {"value", "name"}, "email": {"Address"}, "phone": {"FreeFormNumber"}, "list": {"0"}}

each_row = pytest.mark.parametrize("resource", RESOURCES, ids=ROWS)


def head(path):
    return path.removesuffix(PARENT).partition(".")[0]


def known_names(resource):
    return {known.name for known in resource.properties}


def shown_names(resource):
    return known_names(resource) | {field.name for field in resource.flat_fields}


# ---- all rows together ----------------------------------------------------------------------------------------------


def test_every_entity_that_can_be_queried_has_one_row():
    assert len(ROWS) == len(RESOURCES)
    assert set(ROWS) == ENTITY_NAMES


def test_customers_and_invoices_come_first_and_groups_stay_together():
    assert [resource.entity for resource in RESOURCES[:2]] == ["Customer", "Invoice"]
    groups = [resource.group for resource in RESOURCES]
    assert list(dict.fromkeys(groups)) == ["sales", "purchases", "lists", "accounting"]
    assert groups == sorted(groups, key=["sales", "purchases", "lists", "accounting"].index)


def test_ids_of_actions_are_unique_and_made_of_the_names():
    ids = [name for resource in RESOURCES for name in (resource.list_id, resource.get_id)]
    assert len(set(ids)) == len(ids)
    by_entity = {resource.entity: (resource.list_id, resource.rows_key, resource.get_id) for resource in RESOURCES}
    assert by_entity["CreditCardPaymentTxn"] == (
        "listCreditCardPayments", "creditCardPayments", "getCreditCardPayment",
    )  # fmt: skip
    assert by_entity["TaxAgency"] == ("listTaxAgencies", "taxAgencies", "getTaxAgency")
    assert COMPANY_INFO.get_id == "getCompanyInfo"


def test_change_data_capture_is_assumed_only_where_it_is_documented():
    without = {resource.entity for resource in RESOURCES if not resource.has_cdc}
    documented = {"JournalCode", "TaxAgency", "TaxCode", "TaxRate", "TimeActivity"}
    assert without == documented | {"InventoryAdjustment", "ChangeOrder"}


def test_full_reads_are_offered_only_where_the_order_of_creation_is_known():
    without = {resource.entity for resource in RESOURCES if not resource.has_creation_order}
    assert without == {"RecurringTransaction", "ExchangeRate", "Preferences", "InventoryAdjustment", "ChangeOrder"}
    assert [resource.entity for resource in RESOURCES if resource.path is None] == ["ExchangeRate"]
    assert [resource.entity for resource in RESOURCES if resource.is_singleton] == ["Preferences"]


# ---- each row -------------------------------------------------------------------------------------------------------


@each_row
def test_names_are_words_in_lower_case_and_entities_lead_to_them(resource):
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", resource.name)
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", resource.plural)
    assert (resource.name == resource.plural) == resource.is_singleton
    assert resource.name.replace(" ", "") == resource.entity.removesuffix("Txn").lower()
    assert resource.path in {None, resource.name.replace(" ", "")}
    assert resource.description.endswith(".")
    assert resource.source


@each_row
def test_properties_are_known_once(resource):
    names = [known.name for known in resource.properties]
    assert len(set(names)) == len(names)
    assert ("Id" in names) == (resource.primary_key == ("Id",) and not resource.template_key)
    assert set(resource.primary_key) <= {*names, "Id"}
    assert not resource.has_active or "Active" in names
    assert resource.kind != "list" or resource.has_active or resource.entity == "TaxAgency"


@each_row
def test_filters_compare_known_properties_and_have_examples_that_work(resource):
    inputs = [name for row in resource.filters for name in row.inputs]
    assert len(set(inputs)) == len(inputs)
    assert not set(inputs) & GENERIC_INPUTS
    for row in resource.filters:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", row.input)
        assert head(row.path) in known_names(resource) or (resource.template_key and row.path == "Type")
        assert row.title
        assert row.examples
        assert all(text.endswith(".") and "{" not in text for text in row.descriptions)
        assert len(row.inputs) == len(row.titles) == len(row.descriptions) == len(set(row.descriptions))
        example = row.examples[0]
        assert {
            "text": isinstance(example, str) and len(example) <= row.max_length,
            "id": str(example).isdigit(),
            "boolean": isinstance(example, bool),
            "choice": example in row.values,
            "date_range": re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(example)) is not None,
            "amount_range": isinstance(example, int | float),
        }[row.kind]
        assert bool(row.values) == (row.kind == "choice")
        assert not row.options_from or row.options_from in {other.list_id for other in RESOURCES if other.path}


@each_row
def test_orders_are_sortable_and_sorted_by_known_properties(resource):
    assert {head(name) for name in resource.sortable} <= known_names(resource)
    assert resource.default_order is None or resource.default_order.removesuffix(" DESC") in resource.sortable
    assert resource.tie_breaker is None or resource.tie_breaker in resource.sortable
    assert ("MetaData.CreateTime" in resource.sortable) == resource.has_creation_order
    assert len(set(resource.sortable.values())) == len(resource.sortable)


@each_row
def test_the_emulator_filters_and_sorts_by_what_the_row_offers(resource):
    """The emulator refuses what Intuit's pages do not mark, unless its documentation says that it is assumed."""
    entity = ENTITIES[resource.entity]
    if not resource.is_queryable:
        assert not resource.filters
        assert not resource.sortable
        return
    for row in resource.filters:
        found = entity.find(row.path)
        assert found is not None
        assert found.filterable
    for name in resource.sortable:
        found = entity.find(name)
        assert found is not None
        assert found.sortable
    order = (resource.default_order,) if resource.default_order else ()
    assert parser.parse(str(query.Select(resource.entity, order_by=order))).entity == resource.entity


@each_row
def test_reads_by_id_are_offered_where_the_emulator_has_them(resource):
    operations = ENTITIES[resource.entity].operations
    assert (resource.path is not None and not resource.is_singleton) <= ("R" in operations)
    assert resource.path in {None, ENTITIES[resource.entity].path}
    assert resource.is_queryable <= ("Q" in operations)


@each_row
def test_columns_show_what_records_have(resource):
    fields = [column.field for column in resource.columns]
    assert len(set(fields)) == len(fields)
    assert fields
    for column in resource.columns:
        assert head(column.field) in shown_names(resource)
        assert column.format in FORMATS
        assert column.label
        assert not column.currency or column.format == "money"
        assert column.currency or column.format != "money" or not column.is_summed  # a price has no code of its own
        assert not column.currency or head(column.currency) in shown_names(resource)
        assert column.format != "status" or (resource.status is not None and column.field == resource.status.field)


@each_row
def test_flat_fields_are_camel_case_and_read_known_properties(resource):
    fields = resource.flat_fields
    names = [field.name for field in fields]
    assert len(set(names)) == len(names)
    types = {known.name: known.members or known.type for known in resource.properties}
    for field in fields:
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", field.name)
        assert field.name not in types
        assert field.type in {"text", "decimal", "date", "integer", "boolean"}
        assert field.description.endswith(".")
        for path in () if resource.template_key else field.paths:
            assert head(path) in types
            member = path.partition(".")[2].partition(".")[0]
            assert not member or member in MEMBERS_OF.get(types[head(path)], {member})
        assert resource.template_key or TEMPLATE_TYPE not in field.paths
    assert all(field.paths for field in resource.flat)
    assert resource.status is None or not any(field.paths for field in resource.status.fields)


@each_row
def test_a_status_is_one_of_its_flat_fields_with_labels_for_each_value(resource):
    status = resource.status
    if status is None:
        assert resource.summarize is None
        return
    (field,) = [field for field in status.fields if field.name == status.field]
    assert field.values == tuple(status.values)
    for value in status.values.values():
        assert value["label"]
        assert value["tone"] in {"good", "notice", "info", "bad", "muted"}
    assert (resource.summarize is None) == (not resource.summary_defs)


@each_row
def test_charts_show_fields_that_records_have(resource):
    for view in resource.views:
        for key in {"by", "amount", "part", "days", "currency"} & set(view):
            assert head(view[key]) in shown_names(resource)
        assert view["title"]


@each_row
def test_examples_use_inputs_of_the_row(resource):
    inputs = {name for row in resource.filters for name in row.inputs} | {"max_results", "updated_since"}
    inputs |= {"active"} if resource.has_active else set()
    inputs |= {"status"} if resource.status else set()
    for example in resource.examples:
        assert set(example) <= inputs
        for row in resource.filters:
            assert row.kind != "choice" or example.get(row.input, next(iter(row.values))) in row.values
    assert bool(resource.examples) == resource.is_queryable
