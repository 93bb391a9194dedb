"""Names of properties in plain words: `BillAddr` is "Billing address"."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["title_of"]

_TITLES = {
    "Active": "Active",
    "AllowOnlinePayPalPayment": "Allow online PayPal payment",
    "AutoDocNumber": "Is numbered automatically",
    "AutoPayEligible": "Can be paid automatically",
    "BalanceWithJobs": "Balance with sub-customers",
    "BillAddr": "Billing address",
    "BillEmail": "Email",
    "BillEmailBcc": "Email, blind copy to",
    "BillEmailCc": "Email, copy to",
    "CcId": "Credit card ID",
    "CustomerMemo": "Message to the customer",
    "CustomField": "Custom fields",
    "DepositToAccountRef": "Deposited to",
    "DocNumber": "Number",
    "ECloudStatusTimeStamp": "Time of cloud status",
    "FOB": "Free on board (FOB)",
    "FamilyName": "Last name",
    "FreeFormAddress": "Address is free text",
    "FullyQualifiedName": "Full name",
    "GivenName": "First name",
    "Id": "ID",
    "Job": "Is a sub-customer",
    "Lat": "Latitude",
    "Line": "Lines",
    "LinkedTxn": "Linked transactions",
    "Long": "Longitude",
    "MetaData": "Created and changed",
    "Mobile": "Mobile phone",
    "NameOf": "Worker is",
    "PaymentRefNum": "Reference number",
    "PrefVendorRef": "Preferred vendor",
    "PrintOnCheckName": "Name on checks",
    "POStatus": "Purchase order status",
    "PrimaryEmailAddr": "Email",
    "PrimaryPhone": "Phone",
    "PrivateNote": "Private note",
    "ProjectRef": "Project",
    "Qty": "Quantity",
    "QtyOnHand": "Quantity on hand",
    "ReconciledStatus": "Reconciled",
    "ShipAddr": "Shipping address",
    "ShipFromAddr": "Shipped from",
    "TxnDate": "Date",
    "TxnSource": "Entered by",
    "TxnStatus": "Status",
    "TxnTaxDetail": "Tax",
    "Vendor1099": "Receives a 1099",
    "WebAddr": "Website",
    "domain": "Domain",
    "sparse": "Is an excerpt",
}
"""Properties whose words would not say what they are."""

_WORDS = {
    "acct": "account",
    "addr": "address",
    "alt": "alternate",
    "amt": "amount",
    "ap": "accounts payable",
    "ar": "accounts receivable",
    "attr": "attribute",
    "doc": "document",
    "desc": "description",
    "govt": "government",
    "config": "configuration",
    "info": "information",
    "inv": "inventory",
    "num": "number",
    "pct": "percent",
    "po": "purchase order",
    "qty": "quantity",
    "prefs": "preferences",
    "ref": "",
    "temp": "temporary",
    "txn": "transaction",
}
"""Abbreviations of Intuit's. A reference is called like what it refers to."""

_ACRONYMS = {
    "ach",
    "api",
    "cc",
    "cfdi",
    "cis",
    "fi",
    "gst",
    "gstin",
    "id",
    "ipn",
    "sku",
    "ssn",
    "tds",
    "tpar",
    "uqc",
    "uri",
    "url",
}
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")


@cache
def title_of(name: str) -> str:
    """Return the name of a property in plain words.

    Args:
        name: As Intuit spells it.
    """
    if name in _TITLES:
        return _TITLES[name]
    words = [_WORDS.get(part.lower(), part.lower()) for part in _BOUNDARY.split(name)]
    text = " ".join(word.upper() if word in _ACRONYMS else word for word in words if word)
    return text[:1].upper() + text[1:] if text else name
