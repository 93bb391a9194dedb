"""`listInvoices` on the wire."""

import pytest

pytestmark = pytest.mark.vcr


def test_a_page_keeps_every_key_and_value_that_intuit_sent(connection, vcr):
    """Each record is returned as received, followed by the derived fields."""
    import json

    result = connection.invoke("listInvoices", {"max_results": 5})

    sent = json.loads(vcr.responses[-1]["body"]["string"])["QueryResponse"]["Invoice"]
    derived = ["customerName", "currency", "paymentStatus", "daysOverdue"]
    for record, invoice in zip(sent, result["invoices"], strict=True):
        assert list(invoice) == [*record, *derived]
        assert {key: invoice[key] for key in record} == record


def test_overdue_invoices_are_filtered_by_quickbooks(connection, vcr):
    """Balance and due date are filtered by QuickBooks; the company's own date decides about the last day."""
    result = connection.invoke("listInvoices", {"status": "overdue"})

    assert result["count"] >= 1
    assert {invoice["paymentStatus"] for invoice in result["invoices"]} == {"overdue"}
    assert all(invoice["daysOverdue"] > 0 for invoice in result["invoices"])
    assert "WHERE Balance > '0' AND DueDate < '2026-11-24' " in dict(vcr.requests[-1].query)["query"]
