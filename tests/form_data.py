"""Schemas of forms, and data as forms send it."""

from __future__ import annotations

from hypothesis import strategies as st

from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.validation import clean

SETTINGS = "settings.schema"
CUSTOMERS = "listCustomers.input.schema"
INVOICES = "listInvoices.input.schema"
PAYMENTS = "listPayments.input.schema"
SCHEMAS = (SETTINGS, CUSTOMERS, INVOICES, "getCompanyInfo.input.schema", "getAccessToken.input.schema")

FORM = {
    "client_id": "your-quickbooks-client-id",
    "client_secret": "your-quickbooks-client-secret",
    "refresh_token": "your-refresh-token",
    "realm_id": "your-realm-id",
    "max_results": 50,
}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
# Keys that exist, so that values reach the schema, and any others.
objects = st.dictionaries(
    st.sampled_from(sorted({name for schema in SCHEMAS for name in load_schema(schema)["properties"]})) | st.text(),
    documents,
)


def one(schema, data):
    """Return the only entry for invalid data."""
    _, (entry,) = clean(schema, data)
    return entry


def words(entry):
    return f"{entry.field} {entry.rule} {entry.message} {entry.hint}"
