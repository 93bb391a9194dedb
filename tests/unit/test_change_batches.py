"""Records of change sets as columns of a database."""

from __future__ import annotations

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention

from vantage_quickbooks.catalog.change_batches import ChangeBatches
from vantage_quickbooks.catalog.sync_action import SYNC_ENTITIES
from vantage_quickbooks.sync.arrow import counters_of, metadata_of


def batches(entity):
    return ChangeBatches(SYNC_ENTITIES[entity], realm_id="1", company_name="Acme")


@pytest.mark.parametrize("entity", SYNC_ENTITIES)
def test_columns_have_distinct_names_in_snake_case(entity):
    """And short enough for PostgreSQL, which cuts names at 63 bytes."""
    found, naming = batches(entity), NamingConvention()
    for schema in filter(None, (found.schema, found.line_schema)):
        names = [naming.normalize_identifier(name) for name in schema.names]
        assert len(set(names)) == len(names)
        assert max(map(len, names)) <= 63
        assert not any(pa.types.is_nested(kind) for kind in schema.types)


def test_records_are_what_intuit_sent_and_values_of_today_are_left_out():
    """The flat fields of a change set are not part of the record's JSON."""
    record = {
        "Id": "7",
        "Balance": 0,
        "TotalAmt": 10.1,
        "CustomerRef": {"value": "1", "name": "Ann"},
        "Line": [{"a": 1}],
    }
    sent = record | {"customerName": "Ann", "paymentStatus": "overdue", "daysOverdue": 3, "currency": None}
    found = batches("Invoice")
    (row,) = found.records(found.rows([sent])).to_pylist()
    assert json.loads(row["_raw"]) == record
    assert (row["realm_id"], row["company"], row["Id"], row["customerName"]) == ("1", "Acme", "7", "Ann")
    assert (row["Balance"], row["TotalAmt"]) == (Decimal("0.0000"), Decimal("10.1000"))
    assert json.loads(row["Line"]) == [{"a": 1}]
    assert not {"paymentStatus", "daysOverdue"} & row.keys()


def test_lines_are_rows_with_their_position():
    """Amounts are exact where a double is not, and what is no object is an empty row that is counted."""
    lines = [
        {"Id": "1", "Amount": 0.1, "SalesItemLineDetail": {"ItemRef": {"value": "5", "name": "Tree"}, "Qty": 2}},
        "damaged",
        {"Amount": 123456789012345.67, "LinkedTxn": [{"TxnId": "9"}]},
    ]
    found = batches("Invoice")
    rows = found.rows([{"Id": "7", "Line": lines}, {"Id": "8"}, {"Id": "9", "Line": None}])
    batch = found.lines(rows, ["7", "8", "9"])
    first, damaged, large = batch.to_pylist()
    assert (first["Invoice_Id"], first["position"], first["Id"], first["Amount"]) == ("7", 1, "1", Decimal("0.1000"))
    assert (first["SalesItemLineDetail_ItemRef_name"], first["SalesItemLineDetail_Qty"]) == ("Tree", 2)
    assert (damaged["position"], damaged["Amount"], damaged["DetailType"]) == (2, None, None)
    assert (large["position"], large["Amount"]) == (3, Decimal("123456789012345.6700"))
    assert json.loads(large["LinkedTxn"]) == [{"TxnId": "9"}]
    assert counters_of(metadata_of(batch))["unreadableValues"] == {"Line": 1}


def test_an_entity_without_lines_has_none():
    found = batches("Customer")
    assert found.line_schema is None
    with pytest.raises(TypeError):
        found.lines([], [])
