"""Every row of the catalog against the sample company: lists, full reads, changes, filters and single records."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from vantage_quickbooks.api.rate_limiter import RateLimiter
from vantage_quickbooks.auth.stores import MemoryStore
from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.config.deployment import Deployment
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.errors import InputError, RecordNotFoundError

LISTED = [resource for resource in RESOURCES if resource.is_queryable]
FULLY_READ = [resource for resource in LISTED if resource.has_creation_order]
READ = [resource for resource in RESOURCES if resource.path is not None]
# What QuickBooks sends as an Id without a name (recorded, May 2026; Intuit's pages of TaxRate and ChangeOrder).
ID_ONLY = {
    ("Bill", "termName"),
    ("ChangeOrder", "projectName"),
    ("Payment", "depositAccountName"),
    ("Payment", "paymentMethodName"),
    ("TaxRate", "agencyName"),
}


def by_entity(resources):
    return pytest.mark.parametrize("resource", resources, ids=lambda resource: resource.entity)


@pytest.fixture(scope="module")
def connection():
    """The sample company as `vantage-quickbooks emulator` starts it."""
    with Emulator(limits=False) as emulator:
        deployment = Deployment(api_url=emulator.url, oauth_url=emulator.url)
        with QUICKBOOKS.connect(
            emulator.credentials(),
            deployment=deployment,
            store=MemoryStore(),
            rate_limiter=RateLimiter(10, 10**9, 10**9),
        ) as made:
            yield made


WITHOUT_VALUES = {("Estimate", "due_date")}
"""Filters by a property that no record of the sample company has: recorded estimates have no DueDate either."""


def validate(action_id, result):
    Draft202012Validator(load_schema(f"{action_id}.output.schema")).validate(result)
    json.dumps(result, allow_nan=False)


def everything(resource):
    """The input for a page of all records."""
    return {"max_results": 1000} | ({"active": "all"} if resource.has_active else {})


def value_at(record, path):
    for key in path.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record


def body_of(resource, record):
    return next(iter(record.values())) if resource.template_key else record


@by_entity(LISTED)
def test_a_list_has_records_with_flat_fields_that_meet_its_schema(connection, resource):
    result = connection.invoke(resource.list_id, everything(resource))
    assert result["count"] == len(result[resource.rows_key]) > 0
    validate(resource.list_id, result)
    for flat in resource.flat_fields:
        values = [row[flat.name] for row in result[resource.rows_key]]
        if (resource.entity, flat.name) in ID_ONLY:
            assert set(values) == {None}
            continue
        assert any(value is not None for value in values), f"{flat.name} is None in all {len(values)} records"


@by_entity(LISTED)
def test_a_table_of_the_list_has_no_empty_column(connection, resource):
    rows = connection.invoke(resource.list_id, everything(resource))[resource.rows_key]
    for column in resource.columns:
        values = [value_at(row if column.field in row else body_of(resource, row), column.field) for row in rows]
        assert any(value is not None for value in values), f"{column.field} is empty in all {len(values)} records"


@by_entity(FULLY_READ)
def test_a_full_read_and_ndjson_have_the_records_that_quickbooks_counts(connection, resource):
    active = {"active": "all"} if resource.has_active else {}
    paged = connection.invoke(resource.list_id, everything(resource))
    full = connection.invoke(resource.list_id, {"all": True, **active})
    lines = b"".join(connection.stream(resource.list_id, {"all": True, "max_results": 7, **active}, as_="ndjson"))

    validate(resource.list_id, full)
    statement = f"SELECT COUNT(*) FROM {resource.entity}{_any_state(resource)}"  # noqa: S608 -- names of the catalog
    counted = connection.invoke("query", {"query": statement})
    ids = sorted(row["Id"] for row in full[resource.rows_key])
    assert len(ids) == counted["totalCount"] == full["metadata"]["totalCount"]
    assert ids == sorted(row["Id"] for row in paged[resource.rows_key])
    assert ids == sorted(json.loads(line)["Id"] for line in lines.splitlines())
    estimate = connection.estimate(resource.list_id, {**active})
    assert estimate["totalCount"] == len(ids)


def _any_state(resource):
    return " WHERE Active IN (true, false)" if resource.has_active else ""


@by_entity(FULLY_READ)
def test_nothing_has_changed_since_a_full_read_of_a_quiet_company(connection, resource):
    active = {"active": "all"} if resource.has_active else {}
    cursor = connection.invoke(resource.list_id, {"all": True, **active})["metadata"]["syncCursor"]
    changed = connection.invoke(resource.list_id, {"sync_cursor": cursor})
    validate(resource.list_id, changed)
    assert changed["count"] == 0
    assert changed["metadata"]["deletions"] == ("cdc" if resource.has_cdc else "idListing")


@by_entity([resource for resource in LISTED if not resource.has_creation_order])
def test_what_cannot_be_verified_is_not_offered(connection, resource):
    """Intuit's pages mark MetaData as sortable and filterable together; these entities have no such page."""
    for data in ({"all": True}, {"updated_since": "2026-05-01"}):
        with pytest.raises(InputError) as caught:
            connection.invoke(resource.list_id, data)
        assert [entry.field for entry in caught.value.fields] == [*data]
    with pytest.raises(InputError, match="no full read"):
        connection.estimate(resource.list_id)


@by_entity(READ)
def test_a_record_is_read_by_its_id_as_the_list_has_it(connection, resource):
    if resource.is_singleton:
        result = connection.invoke(resource.get_id)
        validate(resource.get_id, result)
        assert result[resource.record_key]["Id"]
        return
    rows = connection.invoke(resource.list_id, everything(resource))[resource.rows_key]
    row = rows[len(rows) // 2]
    record_id = body_of(resource, row)["Id"]
    result = connection.invoke(resource.get_id, {"id": record_id})
    validate(resource.get_id, result)
    record = result[resource.record_key]
    assert body_of(resource, record)["Id"] == record_id
    assert body_of(resource, record)["SyncToken"] == body_of(resource, row)["SyncToken"]
    assert {flat.name: record[flat.name] for flat in resource.flat_fields} == {
        flat.name: row[flat.name] for flat in resource.flat_fields
    }
    assert result["metadata"]["apiCalls"] == 1


@by_entity([resource for resource in READ if not resource.is_singleton])
def test_a_record_that_does_not_exist_is_not_found(connection, resource):
    with pytest.raises(RecordNotFoundError):
        connection.invoke(resource.get_id, {"id": "999999999"})
    with pytest.raises(InputError) as caught:
        connection.invoke(resource.get_id)
    assert [(entry.field, entry.rule) for entry in caught.value.fields] == [("id", "required")]


@by_entity([resource for resource in LISTED if resource.status])
def test_each_status_lists_its_records_and_no_others(connection, resource):
    status = resource.status
    rows = connection.invoke(resource.list_id, everything(resource))[resource.rows_key]
    for value in status.values:
        wanted = sorted(row["Id"] for row in rows if row[status.field] == value)
        found = connection.invoke(resource.list_id, {"status": value, "max_results": 1000})
        assert sorted(row["Id"] for row in found[resource.rows_key]) == wanted, value
        if resource.has_creation_order:
            full = connection.invoke(resource.list_id, {"status": value, "all": True})
            assert sorted(row["Id"] for row in full[resource.rows_key]) == wanted, value


@by_entity([resource for resource in LISTED if resource.filters])
def test_each_filter_finds_the_records_that_have_its_value(connection, resource):
    rows = connection.invoke(resource.list_id, everything(resource))[resource.rows_key]
    for row in resource.filters:
        by_value = {}
        for record in rows:
            for value in _values(resource, record, row):
                by_value.setdefault(value, []).append(_key(resource, record))
        assert by_value or (resource.entity, row.input) in WITHOUT_VALUES
        value, wanted = next(iter(by_value.items()), (row.examples[0], []))
        found = connection.invoke(resource.list_id, everything(resource) | _input_for(row, value))
        assert sorted(_key(resource, record) for record in found[resource.rows_key]) == sorted(wanted), row.input


def _key(resource, row):
    record = body_of(resource, row)
    return tuple(value_at(record, name) for name in resource.primary_key)


def _values(resource, row, of):
    """Return what a record has at the path of a filter, as QuickBooks compares it: without regard to case."""
    if resource.template_key and of.path == "Type":
        return [next(iter(row))]
    values = [body_of(resource, row)]
    for name in of.path.split("."):
        members = [value[key] for value in values for key in value if key.lower() == name.lower()]
        values = [part for member in members for part in (member if isinstance(member, list) else [member])]
    texts = [value.get("value") or value.get("Address") if isinstance(value, dict) else value for value in values]
    return dict.fromkeys(text.lower() if isinstance(text, str) and of.kind == "text" else text for text in texts)


def _input_for(row, value):
    if row.is_range:
        return dict.fromkeys(row.inputs, value)
    if row.kind == "boolean":
        return {row.input: bool(value)}
    return {row.input: str(value)}


@by_entity([resource for resource in LISTED if resource.sortable])
def test_quickbooks_sorts_by_each_property_that_the_row_calls_sortable(connection, resource):
    for name in resource.sortable:
        result = connection.invoke(resource.list_id, {"order_by": f"{name} DESC", "max_results": 2})
        assert result["count"] > 0, name


def test_every_action_is_described_with_the_data_that_hosts_ask_for():
    described = {action["id"]: action for action in QUICKBOOKS.describe()["actions"]}
    assert list(described) == list(ACTIONS)
    for resource in RESOURCES:
        if resource.is_queryable:
            action = described[resource.list_id]
            assert action["keys"]["primaryKey"]
            assert ("full" in action["modes"]) is resource.has_creation_order
            assert bool(action["triggers"]) is resource.has_creation_order
            assert {flat["name"] for flat in action["flatFields"]} == {flat.name for flat in resource.flat_fields}
            for field in action["inputForm"]["fields"].values():
                if "optionsFrom" in field:
                    offered = described[field["optionsFrom"]["action"]]
                    search = field["optionsFrom"].get("search")
                    assert search is None or search in offered["inputSchema"]["properties"]
