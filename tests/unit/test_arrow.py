"""Record batches have the types of the catalog's row, exact values, and a count of what they could not hold."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vantage_quickbooks.catalog.actions import ACTIONS
from vantage_quickbooks.catalog.columns import LINE_DETAILS, typed_members
from vantage_quickbooks.catalog.resources import RESOURCES
from vantage_quickbooks.errors import UnexpectedResponseError
from vantage_quickbooks.sync import arrow
from vantage_quickbooks.sync.arrow import BatchMaker, metadata_of, schema_of, to_table
from vantage_quickbooks.sync.json_columns import Place

TODAY = date(2026, 10, 1)
LISTED = [resource for resource in RESOURCES if resource.is_queryable]
ROWS = {resource.entity: resource for resource in LISTED}
TIMES = {"CreateTime": "2026-02-28T23:30:00-08:00", "LastUpdatedTime": "2026-03-01T00:00:00Z"}


def maker(entity="Invoice", fields=None):
    handler = ACTIONS[ROWS[entity].list_id]
    resource = handler.resource
    return BatchMaker(
        *typed_members(resource, fields),
        typed_members(resource, [known.name for known in resource.properties])[1],
        read_flat=handler._flat_reader(arrow),
        status=resource.status,
        realm_id="9130",
        company_name="Paddle & Oar",
        is_selection=fields is not None,
    )


def page(*records, entity="Invoice"):
    """Return the body of an answer; a record is a dict, or JSON text for what no encoder writes."""
    texts = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return f'{{"QueryResponse":{{"{entity}":[{",".join(texts)}]}},"time":"2026-10-01T09:00:00-07:00"}}'.encode()


def record(**members):
    return {"Id": "7", "MetaData": TIMES, "TotalAmt": 100, "Balance": 0} | members


def text(**members):
    """Return a record as JSON text whose further members are JSON texts."""
    return json.dumps(record())[:-1] + "".join(f',"{key}":{value}' for key, value in members.items()) + "}"


def batches(*records, entity="Invoice", fields=None):
    """Return whether a page was read into columns, and its batch, which is that of the page decoded into dicts."""
    made = maker(entity, fields)
    body = page(*records, entity=entity)
    found = []
    for _ in range(2):  # the first page teaches the reader which members there are
        rows = made.decode(body, entity).rows
        found.append((is_in_columns(rows), made.batch(rows, TODAY, {})))
    plain = [(orjson.loads(bytes(row)), row) for _, row in rows]
    expected = made.batch(plain, TODAY, {})
    for _, batch in found:
        assert batch.equals(expected, check_metadata=True), "columns and dicts differ"
    expected.validate(full=True)
    return found[-1]


def is_in_columns(rows):
    return all(type(row[0]) is Place for row in rows)


def batch(*records, **options):
    return batches(*records, **options)[1]


def only(batch, name):
    return batch.column(name).to_pylist()


# ---- schema ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", LISTED, ids=ROWS)
def test_names_of_columns_differ_in_more_than_case_and_need_no_quotes(resource):
    schema = schema_of(*typed_members(resource), is_selection=False)
    assert len({name.lower() for name in schema.names}) == len(schema.names)
    assert all(name.isidentifier() for name in schema.names)
    assert schema.names[:2] == ["realm_id", "company_name"]
    assert schema.names[-1] == "_raw"


@pytest.mark.parametrize("resource", LISTED, ids=ROWS)
def test_an_empty_page_has_all_columns(resource):
    made = maker(resource.entity)
    empty = made.batch([], TODAY, {})
    assert empty.schema.remove_metadata() == made.schema
    assert empty.num_rows == 0


def test_each_entity_with_lines_says_what_they_hold():
    assert set(LINE_DETAILS) == {
        resource.entity for resource in RESOURCES if any(known.name == "Line" for known in resource.properties)
    }


def test_types_come_from_the_row():
    schema = maker().schema
    assert {name: str(schema.field(name).type) for name in (
        "Id", "customerName", "daysOverdue", "TxnDate", "MetaData_CreateTime", "TotalAmt", "ExchangeRate",
        "ApplyTaxAfterDiscount", "CustomerRef_value", "TxnTaxDetail_TotalTax", "TxnTaxDetail_TxnTaxCodeRef_name",
        "BillAddr_City", "CheckPayment", "_raw",
    )} == {
        "Id": "string", "customerName": "string", "daysOverdue": "int64", "TxnDate": "date32[day]",
        "MetaData_CreateTime": "timestamp[us, tz=UTC]", "TotalAmt": "decimal128(19, 4)",
        "ExchangeRate": "decimal128(28, 10)", "ApplyTaxAfterDiscount": "bool", "CustomerRef_value": "string",
        "TxnTaxDetail_TotalTax": "decimal128(19, 4)", "TxnTaxDetail_TxnTaxCodeRef_name": "string",
        "BillAddr_City": "string", "CheckPayment": "string", "_raw": "string",
    }  # fmt: skip
    line = schema.field("Line").type.value_type
    assert str(line.field("Amount").type) == "decimal128(19, 4)"
    detail = line.field("SalesItemLineDetail").type
    assert (str(detail.field("Qty").type), str(detail.field("ServiceDate").type)) == (
        "decimal128(28, 10)",
        "date32[day]",
    )


def test_zero_and_whole_amounts_do_not_change_a_type():
    whole = batch(record(TotalAmt=0, Balance=0), record(TotalAmt=12, Balance=0.0))
    assert whole.schema.field("TotalAmt").type == pa.decimal128(19, 4)
    assert only(whole, "TotalAmt") == [Decimal("0.0000"), Decimal("12.0000")]


def test_fields_select_columns_and_leave_the_text_out():
    found = batch(record(DocNumber="1001", PrivateNote="secret"), fields=["DocNumber", "CustomerRef"])
    assert found.schema.names == [
        "realm_id", "company_name", "Id", "customerName", "currency", "paymentStatus", "daysOverdue", "DocNumber",
        "CustomerRef_value", "CustomerRef_name",
    ]  # fmt: skip
    assert (only(found, "DocNumber"), only(found, "paymentStatus")) == (["1001"], ["paid"])
    assert metadata_of(found)["valuesWithoutColumn"] == {}


# ---- values ----------------------------------------------------------------------------------------------------------


def test_a_record_becomes_a_row():
    sent = record(
        DocNumber="1001", TxnDate="2026-02-28", DueDate="2026-03-30", TotalAmt=1357.5, Balance=57.25,
        CustomerRef={"value": "20", "name": "Maple \u2028 \U0001f341"}, ApplyTaxAfterDiscount=False,
        ExchangeRate=0.7312345, CurrencyRef={"value": "CAD"},
        TxnTaxDetail={"TotalTax": 1.2, "TxnTaxCodeRef": {"value": "TAX"}},
        BillAddr={"Line1": "2250 River Rd.", "City": ""}, CheckPayment={"CheckNum": "12", "Amount": 1.50},
        Line=[
            {"Id": "1", "LineNum": 1, "Amount": 10.25, "SalesItemLineDetail": {
                "ItemRef": {"value": "2", "name": "Visit"}, "Qty": 3.75, "UnitPrice": 0.0000001,
                "ServiceDate": "2026-02-27"}},
            {"Amount": 10.25, "SubTotalLineDetail": {}},
        ],
        LinkedTxn=[],
    )  # fmt: skip
    typed, found = batches(sent)
    assert typed
    (row,) = found.to_pylist()
    line = row.pop("Line")
    assert json.loads(row.pop("_raw")) == sent
    assert {name: value for name, value in row.items() if value is not None} == {
        "realm_id": "9130", "company_name": "Paddle & Oar", "Id": "7", "customerName": "Maple \u2028 \U0001f341",
        "currency": "CAD", "paymentStatus": "overdue", "daysOverdue": 185, "DocNumber": "1001",
        "TxnDate": date(2026, 2, 28), "DueDate": date(2026, 3, 30), "TotalAmt": Decimal("1357.5000"),
        "Balance": Decimal("57.2500"), "ExchangeRate": Decimal("0.7312345000"), "ApplyTaxAfterDiscount": False,
        "CustomerRef_value": "20", "CustomerRef_name": "Maple \u2028 \U0001f341", "CurrencyRef_value": "CAD",
        "TxnTaxDetail_TotalTax": Decimal("1.2000"), "TxnTaxDetail_TxnTaxCodeRef_value": "TAX",
        "BillAddr_Line1": "2250 River Rd.", "BillAddr_City": "", "CheckPayment": '{"CheckNum":"12","Amount":1.5}',
        "LinkedTxn": [], "MetaData_CreateTime": datetime(2026, 3, 1, 7, 30, tzinfo=UTC),
        "MetaData_LastUpdatedTime": datetime(2026, 3, 1, tzinfo=UTC),
    }  # fmt: skip
    assert [(part["Id"], part["LineNum"], part["Amount"]) for part in line] == [
        ("1", 1, Decimal("10.2500")),
        (None, None, Decimal("10.2500")),
    ]
    detail = line[0]["SalesItemLineDetail"]
    assert (detail["ItemRef"], detail["Qty"], detail["UnitPrice"], detail["ServiceDate"]) == (
        {"value": "2", "name": "Visit"}, Decimal("3.75"), Decimal("0.0000001000"), date(2026, 2, 27)
    )  # fmt: skip
    assert line[1]["SalesItemLineDetail"] is None
    assert metadata_of(found) == {"unreadableValues": {}, "valuesWithoutColumn": {}}


MISTYPED = [
    ("TotalAmt", '"12.50"', "TotalAmt", "TotalAmt"),
    ("TotalAmt", "true", "TotalAmt", "TotalAmt"),
    ("HomeTotalAmt", "true", "HomeTotalAmt", "HomeTotalAmt"),
    ("HomeTotalAmt", "[1]", "HomeTotalAmt", "HomeTotalAmt"),
    ("HomeTotalAmt", "0.00001", "HomeTotalAmt", "HomeTotalAmt"),
    ("HomeTotalAmt", "1234567890123456", "HomeTotalAmt", "HomeTotalAmt"),
    ("HomeTotalAmt", "1e300", "HomeTotalAmt", "HomeTotalAmt"),
    ("HomeTotalAmt", "100000000000000.00001", "HomeTotalAmt", "HomeTotalAmt"),
    ("DocNumber", "1001", "DocNumber", "DocNumber"),
    ("DocNumber", '{"a":1}', "DocNumber", "DocNumber"),
    ("DueDate", '"2026-02-30"', "DueDate", "DueDate"),
    ("DueDate", '"2026-02-28T00:00:00Z"', "DueDate", "DueDate"),
    ("DueDate", '"0000-01-01"', "DueDate", "DueDate"),
    ("DueDate", '"soon"', "DueDate", "DueDate"),
    ("DueDate", '""', "DueDate", "DueDate"),
    ("DueDate", "20260228", "DueDate", "DueDate"),
    ("ECloudStatusTimeStamp", '"2026-02-28T10:00:00"', "ECloudStatusTimeStamp", "ECloudStatusTimeStamp"),
    ("ECloudStatusTimeStamp", '"0001-01-01T00:00:00+01:00"', "ECloudStatusTimeStamp", "ECloudStatusTimeStamp"),
    ("CfdiUse", "1.0", "CfdiUse", "CfdiUse"),
    ("CfdiUse", "true", "CfdiUse", "CfdiUse"),
    ("CfdiUse", "9223372036854775808", "CfdiUse", "CfdiUse"),
    ("FinanceCharge", "1", "FinanceCharge", "FinanceCharge"),
    ("FinanceCharge", '"true"', "FinanceCharge", "FinanceCharge"),
    ("CustomerRef", '"20"', "CustomerRef_value", "CustomerRef"),
    ("CustomerRef", "[]", "CustomerRef_value", "CustomerRef"),
    ("CustomerRef", '{"value":20}', "CustomerRef_value", "CustomerRef.value"),
    ("BillAddr", '{"City":5,"Line1":"x"}', "BillAddr_City", "BillAddr.City"),
    ("TxnTaxDetail", '{"TotalTax":"1"}', "TxnTaxDetail_TotalTax", "TxnTaxDetail.TotalTax"),
    ("Line", '"ab"', "Line", "Line"),
    ("Line", "{}", "Line", "Line"),
]


@pytest.mark.parametrize(("key", "value", "column", "path"), MISTYPED)
def test_a_value_that_does_not_fit_is_null_counted_and_in_the_text(key, value, column, path):
    good = text(DocNumber='"good"')
    damaged = text(**{key: value})
    found = batch(good, damaged, good)
    assert only(found, column)[1] is None
    counts = metadata_of(found)["unreadableValues"]
    computed = {"paymentStatus": 1, "daysOverdue": 1} if key == "TotalAmt" else {}
    assert counts == {path: 1} | computed
    assert only(found, "DocNumber")[::2] == ["good", "good"]
    assert only(found, "_raw") == [good, damaged, good]
    assert only(found, "paymentStatus")[::2] == ["paid", "paid"]


def test_damage_in_one_line_leaves_the_others():
    lines = [{"Amount": "x", "Id": "1"}, "line", None, {"Amount": 2, "SalesItemLineDetail": {"ItemRef": 5, "Qty": 1}}]
    found = batch(record(Line=lines), record(Line=None), record(Line=[]))
    first, second, third = only(found, "Line")
    assert [part and part["Amount"] for part in first] == [None, None, None, Decimal("2.0000")]
    assert first[0]["Id"] == "1"
    assert (first[1], first[2], first[3]["SalesItemLineDetail"]["Qty"]) == (None, None, 1)
    assert first[3]["SalesItemLineDetail"]["ItemRef"] is None
    assert (second, third) == (None, [])
    assert metadata_of(found)["unreadableValues"] == {
        "Line": 1,
        "Line.Amount": 1,
        "Line.SalesItemLineDetail.ItemRef": 1,
    }


def test_members_without_a_column_are_counted_by_path_and_are_in_the_text():
    sent = record(
        NewThing=0, Empty={}, None_=None, CustomerRef={"value": "1", "type": "x"}, BillAddr={"Id": "5", "Note": ""},
        Line=[{"CustomExtensions": []}, {"CustomExtensions": [1]}, {"SubTotalLineDetail": {}}],
    )  # fmt: skip
    found = batch(sent, record(NewThing=[1]))
    assert metadata_of(found)["valuesWithoutColumn"] == {
        "NewThing": 2, "CustomerRef.type": 1, "BillAddr.Id": 1, "BillAddr.Note": 1, "Line.CustomExtensions": 1,
    }  # fmt: skip
    assert json.loads(only(found, "_raw")[0]) == sent


NEW_MEMBERS = [
    ({"NewThing": {"deep": [1, 2]}}, {"NewThing": 1}),
    ({"NewThing": 1}, {"NewThing": 1}),
    ({"NewThing": 1.5}, {"NewThing": 1}),
    ({"NewThing": "2026-02-28"}, {"NewThing": 1}),
    ({"NewThing": "text"}, {"NewThing": 1}),
    ({"NewThing": None}, {}),
    ({"NewThing": []}, {}),
    ({"NewThing": [{}]}, {"NewThing": 1}),
    ({"NewThing": {}}, {}),
    ({"NewThing": {"deep": {"deeper": None}}}, {"NewThing": 1}),
    ({"NewThing": {"deep": None}}, {"NewThing": 1}),
    ({"BillAddr": {"City": "x", "Id": "1"}}, {"BillAddr.Id": 1}),
    ({"BillAddr": {"City": None}}, {}),
    ({"BillAddr": None}, {}),
    ({"Line": [{"Amount": 1}, None, {"New": False}]}, {"Line.New": 1}),
    ({"Line": [{"SalesItemLineDetail": {"ItemRef": {"type": "x", "value": "1"}}}]},
     {"Line.SalesItemLineDetail.ItemRef.type": 1}),
    ({"Line": []}, {}),
]  # fmt: skip


def test_pages_with_and_without_new_members_follow_each_other():
    made = maker()
    refused = []
    for members, counts in NEW_MEMBERS + NEW_MEMBERS[::-1]:
        rows = made.decode(page(record(), record(**members), record(DocNumber="1")), "Invoice").rows
        assert is_in_columns(rows)
        found = made.batch(rows, TODAY, {})
        assert metadata_of(found)["valuesWithoutColumn"] == counts
        assert found.equals(maker().batch([(orjson.loads(bytes(row)), row) for _, row in rows], TODAY, {}))
        if len(made._reader._others) > len(refused):
            refused = made._reader._others
    assert {path[0] for path in refused} == {"NewThing", "BillAddr", "Line"}


def test_a_page_of_members_that_all_pages_before_had_is_parsed_once(monkeypatch):
    parsed = []

    def read_json(*args, **options):
        parsed.append(options["parse_options"].unexpected_field_behavior)
        return read(*args, **options)

    read = pa.json.read_json
    monkeypatch.setattr(pa.json, "read_json", read_json)
    made = maker()
    for members in ({"New": 1}, {"New": 2.5}, {}, {"New": None}, {"PrivateNote": "x"}, {"PrivateNote": None}):
        assert is_in_columns(made.decode(page(record(**members)), "Invoice").rows)
    assert parsed == ["infer", "error", "error", "error", "error", "infer", "error"]
    parsed.clear()
    for _ in range(3):  # null in a member that no record has had
        assert is_in_columns(made.decode(page(record(CustomerMemo=None)), "Invoice").rows)
    assert parsed == ["error", "infer", "error", "error"]


def test_a_company_with_ever_new_members_is_still_read():
    made = maker()
    in_columns = []
    for number in range(5):
        members = {f"New{number}_{key}": key + 1 for key in range(200)}
        rows = made.decode(page(record(**members)), "Invoice").rows
        in_columns.append(is_in_columns(rows))
        counts = metadata_of(made.batch(rows, TODAY, {}))["valuesWithoutColumn"]
        assert counts == dict.fromkeys(members, 1)
    assert in_columns == [True, True, True, False, False]


def test_a_company_whose_pages_never_fit_is_read_by_dicts(monkeypatch):
    made = maker()
    for _ in range(5):
        rows = made.decode(page(record(DocNumber=1)), "Invoice").rows
        assert metadata_of(made.batch(rows, TODAY, {}))["unreadableValues"] == {"DocNumber": 1}
    monkeypatch.delattr(pa.json, "read_json")
    assert made.decode(page(record()), "Invoice").rows


def test_one_page_that_does_not_fit_leaves_the_others_in_columns():
    made = maker()
    in_columns = []
    for value in ("1", 1, 1, "1", 1, 1, "1"):
        rows = made.decode(page(record(DocNumber=value)), "Invoice").rows
        in_columns.append(is_in_columns(rows))
        assert only(made.batch(rows, TODAY, {}), "DocNumber") == ["1" if value == "1" else None]
    assert in_columns == [True, False, False, True, False, False, True]


def test_rows_of_pages_decoded_differently_make_one_batch():
    made = maker()
    first = made.decode(page(record(Id="1", New=1)), "Invoice").rows
    second = made.decode(page(record(Id="2", New=1, DocNumber=5)), "Invoice").rows
    third = made.decode(page(record(Id="3", New=1)), "Invoice").rows
    assert [is_in_columns(rows) for rows in (first, second, third)] == [True, False, True]
    for rows, ids in (([*first, *second], ["1", "2"]), ([*first, *third], ["1", "3"])):
        mixed = made.batch(rows, TODAY, {})
        assert only(mixed, "Id") == ids
        assert metadata_of(mixed)["valuesWithoutColumn"] == {"New": 2}


@pytest.mark.parametrize("places", [[1, 2, 3], [0, 2], [3], [2, 0, 1], range(4)])
def test_some_rows_of_a_page_have_their_own_values_and_counts(places):
    made = maker()
    sent = [
        record(
            Id=str(number), DocNumber=str(number), New=number or None, CheckPayment={"CheckNum": number},
            Line=[{"Amount": number, "New": 1}] * number, BillAddr={"City": f"c{number}", "Id": "1"},
        )
        for number in range(4)
    ]  # fmt: skip
    page_rows = made.decode(page(*sent), "Invoice").rows
    rows = [page_rows[place] for place in places]
    assert is_in_columns(rows)
    found = made.batch(rows, TODAY, {})
    found.validate(full=True)
    expected = maker().batch([(orjson.loads(bytes(row)), row) for _, row in rows], TODAY, {})
    assert found.equals(expected, check_metadata=True)
    assert only(found, "Id") == [str(place) for place in places]


@pytest.mark.parametrize("size", [1, 3, 64, 65, 200])
def test_every_row_keeps_its_own_values(size):
    sent = [
        record(
            Id=str(number),
            TotalAmt=number / 4,
            CustomerRef={"value": str(number)} if number % 3 else None,
            Line=[{"Amount": number + part / 8, "SalesItemLineDetail": {"Qty": part} if part else None}
                  for part in range(number % 4)],
        )
        for number in range(size)
    ]  # fmt: skip
    found = batch(*sent)
    assert only(found, "Id") == [one["Id"] for one in sent]
    assert [float(value) for value in only(found, "TotalAmt")] == [one["TotalAmt"] for one in sent]
    assert only(found, "CustomerRef_value") == [(one["CustomerRef"] or {}).get("value") for one in sent]
    assert [[float(part["Amount"]) for part in lines] for lines in only(found, "Line")] == [
        [part["Amount"] for part in one["Line"]] for one in sent
    ]


def test_the_flat_field_and_the_property_of_the_same_name_are_two_columns():
    found = batch(record(RemainingCredit=12.5), entity="CreditMemo")
    assert (only(found, "remainingCredit"), only(found, "RemainingCredit_1")) == ([Decimal("12.5")], [Decimal("12.5")])


@pytest.mark.parametrize(
    ("entity", "sent", "flat"),
    [
        ("Account", {"FullyQualifiedName": "Plants:Trees", "Name": "Trees"}, {"parentName": "Plants"}),
        (
            "Estimate",
            {"TxnStatus": "Pending", "ExpirationDate": "2026-09-01"},
            {"estimateStatus": "pending", "isExpired": True},
        ),
        ("Customer", {"PrimaryPhone": {"FreeFormNumber": ""}, "Mobile": {"FreeFormNumber": "2"}}, {"phone": "2"}),
        (
            "Attachable",
            {"AttachableRef": [{"EntityRef": {"type": "Invoice", "value": "5"}}]},
            {"linkedType": "Invoice", "linkedId": "5"},
        ),
    ],
)
@pytest.mark.parametrize("fields", [None, ["SyncToken"]])
def test_flat_fields_are_those_of_results(entity, sent, flat, fields):
    sent = {"Id": "7", "MetaData": TIMES} | sent
    expected = ACTIONS[ROWS[entity].list_id]._read_flat(sent, TODAY)
    assert expected.items() >= flat.items()
    typed, found = batches(sent, entity=entity, fields=fields)
    assert typed
    assert {name: only(found, name)[0] for name in expected} == expected


# ---- pages that are refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"QueryResponse":{"Invoice":[{"Id":"1"}]},"time":"2026-10-01T09:00:00-07:00"}',
        page(record(Id=7)),
        page(record(MetaData={"CreateTime": "today"})),
        page(record()).replace(b'"time"', b'"Fault":{},"time"'),
        page(record()).replace(b"-07:00", b""),
        page(record()).replace(b"Invoice", b"Bill"),
        page(text(PrivateNote='"\\ud800"')),
        page(text(PrivateNote='"\\udc00"')),
        page(text(New='"\\ud83c\\ud83c"')),
        page(text(TotalAmt="1e400")),
        page(text(New="NaN")),
        page(text(New="Infinity")),
        page(text(New='"a\nb"')),
        page(record(PrivateNote="x")).replace(b'"x"', b'"\xff"'),
        page(text(New="1e400")),
        page(text(New="[" * 5000 + "]" * 5000)),
    ],
)
def test_a_damaged_page_is_an_error(body):
    with pytest.raises(UnexpectedResponseError):
        maker().decode(body, "Invoice")


def test_text_with_line_breaks_between_tokens_is_on_one_line():
    body = json.dumps(json.loads(page(record(PrivateNote="a\nb"))), indent=2).encode()
    made = maker()
    found = made.batch(made.decode(body, "Invoice").rows, TODAY, {})
    (raw,) = only(found, "_raw")
    assert "\n" not in raw
    assert json.loads(raw) == record(PrivateNote="a\nb")


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_has_the_last_pages_metadata_and_the_sums_of_the_counters():
    made = maker()
    parts = [
        made.batch([(found, json.dumps(found).encode())], TODAY, {"readCount": number})
        for number, found in enumerate((record(DueDate=5), record(DueDate="x", New=1)), start=1)
    ]
    table, metadata = to_table(parts)
    assert metadata == {"readCount": 2, "unreadableValues": {"DueDate": 2}, "valuesWithoutColumn": {"New": 1}}
    assert json.loads(table.schema.metadata[b"vantage_quickbooks"]) == metadata
    assert table.num_rows == 2


# ---- properties ------------------------------------------------------------------------------------------------------

few = settings(max_examples=40)

_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
    | st.sampled_from(["2026-02-28", "2026-02-28T10:00:00Z", "1.50", "", "9999-12-31T23:59:59.999999-14:00"])
)
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_refs = st.fixed_dictionaries({}, optional={"value": _leaves, "name": _leaves, "type": _leaves}) | _leaves
_details = st.fixed_dictionaries({}, optional={"Qty": _leaves, "ItemRef": _refs, "ServiceDate": _leaves, "X": _values})
_lines = st.fixed_dictionaries(
    {}, optional={"Amount": _leaves, "Id": _leaves, "LineNum": _leaves, "SalesItemLineDetail": _details | _leaves}
)
_records = st.fixed_dictionaries(
    {"Id": st.text(st.characters(codec="utf-8"), min_size=1, max_size=3), "MetaData": st.just(TIMES)},
    optional={
        "TotalAmt": _leaves, "Balance": _leaves, "ExchangeRate": _leaves, "DueDate": _values, "DocNumber": _values,
        "CustomerRef": _refs, "Line": st.lists(_lines | _leaves, max_size=3) | _values, "CfdiUse": _leaves,
        "FinanceCharge": _leaves, "ECloudStatusTimeStamp": _leaves, "CheckPayment": _values, "New": _values,
        "TxnTaxDetail": st.fixed_dictionaries({}, optional={"TotalTax": _leaves, "TxnTaxCodeRef": _refs}),
    },
)  # fmt: skip


_amounts = st.none() | st.integers(-(10**9), 10**9) | st.decimals(-(10**6), 10**6, places=4).map(float)
_texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=5)
_typed_refs = st.none() | st.fixed_dictionaries({}, optional={"value": _texts, "name": _texts})
_typed_lines = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "Amount": _amounts, "Id": _texts, "LineNum": st.none() | st.integers(0, 9), "New": st.none() | st.just([1]),
        "SalesItemLineDetail": st.none()
        | st.fixed_dictionaries({}, optional={"Qty": _amounts, "ItemRef": _typed_refs}),
        "SubTotalLineDetail": st.just({}), "LinkedTxn": st.lists(st.just({"TxnId": "1"}), max_size=2),
    },
)  # fmt: skip
_typed_records = st.fixed_dictionaries(
    {"Id": st.text(st.characters(codec="utf-8"), min_size=1, max_size=3), "MetaData": st.just(TIMES)},
    optional={
        "TotalAmt": _amounts, "Balance": _amounts, "DueDate": st.none() | st.dates().map(date.isoformat),
        "PrivateNote": _texts, "CustomerRef": _typed_refs, "CheckPayment": st.none() | st.just({"CheckNum": 1}),
        "FinanceCharge": st.none() | st.booleans(), "Line": st.none() | st.lists(_typed_lines, max_size=3),
        "New": st.none() | st.integers(), "BillAddr": st.none() | st.just({"City": "x", "Id": "1"}) | st.just({}),
        "TxnTaxDetail": st.none() | st.fixed_dictionaries({}, optional={"TotalTax": _amounts, "TxnTaxCodeRef": _refs}),
    },
)  # fmt: skip
_pages = st.lists(_typed_records, min_size=1, max_size=5) | st.lists(_records, min_size=1, max_size=4)


def leaves(value):
    """Return how many values stand in a JSON value."""
    if isinstance(value, dict | list):
        return sum(map(leaves, value.values() if isinstance(value, dict) else value))
    return value is not None


@few
@given(_pages)
def test_any_record_becomes_a_row_and_columns_and_dicts_agree(records):
    texts = [json.dumps(one, ensure_ascii=False) for one in records]
    try:
        maker().decode(page(*texts), "Invoice")
    except UnexpectedResponseError:
        return  # what no reader of `_raw` could decode, an integer beyond a double
    found = batch(*texts)
    assert found.schema.remove_metadata() == maker().schema
    assert only(found, "_raw") == texts
    assert found.num_rows == len(records)


def in_stream(batch):
    with pa.BufferOutputStream() as sink:
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return sink.getvalue().to_pybytes()


@few
@given(_pages, _pages, st.integers(0, 2))
# Read in columns by a new reader and by one that has seen pages without lines, but not by one that has seen this page.
@example([{"Id": "1", "MetaData": TIMES, "Line": [None, None]}], [{"Id": "1", "MetaData": TIMES}], 0)
def test_the_bytes_of_a_batch_do_not_depend_on_the_pages_before(records, before, first):
    body = page(*records)
    fresh, other = maker(), maker()
    found = []
    try:
        other.decode(page(*before), "Invoice")
        for made in (fresh, other, other):
            rows = made.decode(body, "Invoice").rows
            found.append(in_stream(made.batch(rows[first:], TODAY, {})))
    except UnexpectedResponseError:
        return
    assert len(set(found)) == 1


@few
@given(st.lists(_records, min_size=1, max_size=3), st.integers(0, 3))
def test_a_damaged_record_does_not_change_the_others(records, place):
    good = record(TotalAmt=12.34, Balance=1.5, DueDate="2026-01-31", CustomerRef={"value": "1", "name": "A"})
    mixed = [*records[:place], good, *records[place:]]
    try:
        maker().decode(page(*mixed), "Invoice")
    except UnexpectedResponseError:
        return
    (alone,) = batch(good).to_pylist()
    assert batch(*mixed).to_pylist()[mixed.index(good)] == alone


_numbers = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,12})?", fullmatch=True),
    st.from_regex(r"-?[0-9](\.[0-9]{1,8})?[eE][+-]?[0-9]{1,2}", fullmatch=True),
)


@pytest.mark.parametrize(("name", "digits"), [("TotalAmt", (19, 4)), ("ExchangeRate", (28, 10))])
@few
@given(numbers=st.lists(_numbers, min_size=1, max_size=5))
def test_a_decimal_is_exact_or_null(name, digits, numbers):
    found = batch(*(text(**{name: number}) for number in numbers))
    unit = Decimal(1).scaleb(-digits[1])
    nulls = 0
    for number, value in zip(numbers, only(found, name), strict=True):
        with localcontext() as context:
            context.prec = 200
            sent = Decimal(number)
            fits = sent % unit == 0 and abs(sent) < Decimal(10) ** (digits[0] - digits[1])
            if value is None:
                nulls += 1
                assert not fits
            elif fits:
                assert value == sent
            else:  # more digits than a double holds: it is the same double
                assert math.isclose(value, sent, rel_tol=2**-53, abs_tol=0)
    assert metadata_of(found)["unreadableValues"].get(name, 0) == nulls


@few
@given(st.lists(st.dates() | st.text(max_size=12), max_size=5))
def test_a_date_is_that_date_or_null(sent):
    texts = [value.isoformat() if isinstance(value, date) else value for value in sent]
    found = only(batch(record(), *(record(DueDate=value) for value in texts)), "DueDate")[1:]
    for value, was in zip(found, texts, strict=True):
        assert value is None or value.isoformat() == was
    assert [value is not None for value, was in zip(found, sent, strict=True) if isinstance(was, date)] == [
        True for was in sent if isinstance(was, date)
    ]


@few
@given(st.lists(st.datetimes(timezones=st.timezones()), max_size=5))
def test_an_instant_is_that_instant(sent):
    texts = [
        value.isoformat() for value in sent if value.utcoffset().total_seconds() % 60 == 0 and 1 < value.year < 9999
    ]
    found = batch(record(), *(record(ECloudStatusTimeStamp=text) for text in texts))
    # By their offsets: Python compares times that a clock change repeats or skips by their zones.
    assert only(found, "ECloudStatusTimeStamp")[1:] == [datetime.fromisoformat(text) for text in texts]
