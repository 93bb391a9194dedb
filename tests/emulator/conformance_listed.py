"""Every accepted difference between the recordings and the emulator, with its reason.

`docs/emulator.md` has the same list as a table, and a test compares the two. A difference that is not listed fails its
exchange; an entry that no exchange needs any more fails too.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Listed:
    """An accepted difference.

    Attributes:
        side: `Intuit` (Intuit itself has changed since, or differs from day to day), `recording` (an artifact of how
            it was recorded, quoted or shortened), `emulator` (the emulator does otherwise) or `unserved` (the emulator
            refuses what Intuit serves).
        what: For people: what differs.
        why: For people: the reason.
        where: Patterns of exchange names.
        marks: Patterns of what `conformance.differences` says; unused for `unserved`.
    """

    side: str
    what: str
    why: str
    where: tuple[str, ...]
    marks: tuple[str, ...] = ()

    def covers(self, name, mark):
        return any(fnmatchcase(name, w) for w in self.where) and any(fnmatchcase(mark, m) for m in self.marks)

    def row(self):
        return f"| {self.side} | {self.what} | {self.why} |"


NANGO = "NangoHQ-integration-templates/quickbooks/"
# No write of 2026 has an exception.
WRITES = (*(f"minimul-qbo_api/*/{folder}/*" for folder in ("create", "update", "batch")), "flowlink-*#3")
OAUTH1 = "minimul-qbo_api/2015-2016-oauth1/"

LISTED = [
    # ---- Intuit has changed ----
    Listed(
        "Intuit",
        "headers that only newer responses have: x-request-id, x-content-type-options, x-xss-protection,"
        " x-envoy-upstream-service-time, x-intuit-upstream-locality-region",
        "2020 had nginx, 2026 has Envoy; the emulator sends what 2026 sends",
        ("minimul-qbo_api/2020-*",),
        (
            "header + x-request-id",
            "header + x-content-type-options",
            "header + x-xss-protection",
            "header + x-envoy-upstream-service-time",
            "header + x-intuit-upstream-locality-region",
        ),
    ),
    Listed(
        "Intuit",
        "`server: nginx`, and half a year of `strict-transport-security`",
        "nginx until 2020, Envoy and a year in 2026",
        ("minimul-qbo_api/20*", "flowlink-*", "transcribed/503-html-gateway.yml"),
        ("header = server", "header = strict-transport-security"),
    ),
    Listed(
        "Intuit",
        "`intuit_tid` as a UUID, or `gw-` and a UUID from the gateway",
        "until 2018; an X-Ray id since 2020",
        ("minimul-qbo_api/201*", "flowlink-*", "intuit-oauth-jsclient/*", "transcribed/503-html-gateway.yml"),
        ("header = intuit_tid",),
    ),
    Listed(
        "emulator",
        "the token endpoint's `x-spanid` and `x-amzn-trace-id`, each sent twice with different values",
        "the emulator sends each once",
        ("LedgerSync-*",),
        ("header = x-spanid", "header = x-amzn-trace-id"),
    ),
    Listed(
        "Intuit",
        "`Lat` and `Long` of a customer's addresses when it is read by its Id",
        "sent until 2020; in 2026 queries and writes have them, and a read does not",
        ("minimul-qbo_api/*/get/id.yml#0",),
        ("body - Customer/*Addr/Lat", "body - Customer/*Addr/Long"),
    ),
    Listed(
        "Intuit",
        "`charset=utf-8` or `charset=UTF-8`",
        "lower case in 2020, upper case before and since",
        ("minimul-qbo_api/2020-*", "intuit-oauth-jsclient/*"),
        ("header ~ content-type, case of the charset",),
    ),
    Listed(
        "Intuit",
        "a broken query: 200 in 2015, 400 since October 2016; the fault is the same",
        "the emulator answers as Intuit does now",
        tuple(f"{OAUTH1}misc/irregular_char.yml#{i}" for i in range(1, 7)),
        ("status 200 400", "header ~ content-type"),
    ),
    Listed(
        "Intuit",
        "STARTPOSITION 0: refused in 2013",
        "today's server takes 0 as 1: clients in wide use start with it",
        ("ruckus-quickbooks-ruby/query_validation_error.xml",),
        ("status 400 200", "xml ~ IntuitResponse/Fault, name"),
    ),
    Listed(
        "Intuit",
        "an item's `DeferredRevenue` when it is read",
        "did not exist in 2017; the emulator sends what 2026 sends",
        ("Boulevard-ExQuickBooks/item/read_item.json",),
        ("body + Item/DeferredRevenue",),
    ),
    Listed(
        "Intuit",
        "throttled: 403 until 2016, 429 since",
        "the emulator answers as Intuit does now",
        ("ruckus-quickbooks-ruby/throttle_exceeded_error.xml", "transcribed/403-ThrottleExceeded-xml.yml"),
        ("status 403 429", "xml ~ IntuitResponse/Fault/Error/Message"),
    ),
    Listed(
        "Intuit",
        "a refused OAuth 1.0a request: XML, and 3202 for an empty consumer key",
        "OAuth 1.0a is gone; the emulator refuses anything but a bearer token with 401, 3200",
        (f"{OAUTH1}misc/ampersand.yml#[12]", f"{OAUTH1}error/400.yml#0"),
        ("status 400 401", "header ~ content-type", "text"),
    ),
    Listed(
        "Intuit",
        "401 with code 100, General Authentication Error",
        "one quotation of 2018; in every later recording 401 is 3200",
        ("transcribed/401-AuthenticationFault-100-xml.yml",),
        (
            "xml ~ IntuitResponse/Fault@type",
            "xml ~ IntuitResponse/Fault/Error@code",
            "xml ~ IntuitResponse/Fault/Error/Message",
            "xml ~ IntuitResponse/Fault/Error/Detail",
        ),
    ),
    Listed(
        "Intuit",
        "6240: the sentence after `The name supplied already exists. :`, and an empty `element`",
        "a sentence until 2019, `null` and no `element` in 2020, which is the latest and what the emulator sends",
        ("flowlink-*#1", "ruckus-quickbooks-ruby/customer_duplicate_error.xml"),
        ("text", "xml ~ IntuitResponse/Fault/Error, attributes", "xml ~ IntuitResponse/Fault/Error/Detail"),
    ),
    Listed(
        "Intuit",
        "`invalid_grant`: which of the four wordings, and the order of its two keys",
        "both differ between recordings of consecutive years; the emulator responds as in December 2025",
        ("transcribed/token-invalid_grant-*", "intuit-oauth-jsclient/errorResponse.json"),
        ("body > .", "body ~ error_description"),
    ),
    # ---- artifacts ----
    Listed(
        "recording",
        "quotations without `time`, without the list of expected tokens, or with only the Fault's content",
        "shortened by the person who quoted them",
        (
            "transcribed/400-4000-syntax-2026.yml",
            "transcribed/400-4001-unknown-property-2026.yml",
            "transcribed/400-double-encoded-query.yml",
            "transcribed/200-systemfault-2026.yml",
        ),
        ("body + time", "body + Fault", "body - Error", "body ~ Fault/Error/Detail"),
    ),
    Listed(
        "recording",
        "headers missing at the end of a quotation",
        "its note says so: the stored thread ends inside the headers",
        (
            "transcribed/token-invalid_grant-no-description.yml",
            "intuit-oauth-jsclient/*",
            "transcribed/503-html-gateway.yml",
        ),
        ("header + *",),
    ),
    Listed(
        "recording",
        "tokens, and `expires_in` as the quotation has them",
        "invented by Intuit for its tests",
        ("intuit-oauth-jsclient/authResponse.json",),
        ("body ~ access_token", "body ~ refresh_token", "body ~ id_token"),
    ),
    Listed(
        "recording",
        "`time` of change data capture with a changedSince of 2011",
        "recorded before the rule of thirty days (2024): sent with the clock moved to twenty days after that date",
        ("minimul-qbo_api/*/cdc/basic.yml#*",),
        ("body ~ time",),
    ),
    # ---- what the emulator does otherwise ----
    Listed(
        "Intuit",
        "an encoded slash in the path: 404 and a page of Apache's in 2015",
        "Apache is gone, and no later recording exists; the emulator refuses it like any unknown path (400, code 500)",
        (f"{OAUTH1}misc/irregular_char.yml#0",),
        ("status 404 400", "header ~ content-type", "text"),
    ),
    Listed(
        "emulator",
        "the token response: order of its keys",
        "the wire has no fixed order",
        ("intuit-oauth-jsclient/authResponse.json",),
        ("body > .",),
    ),
    Listed(
        "Intuit",
        "an invoice's `Deposit` of 0, and the company's custom fields without a value",
        "sent until 2018 and 2020; 2026 sends neither (`CustomField` is `[]`)",
        ("minimul-qbo_api/*/create/invoice.yml#0",),
        ("body - Invoice/Deposit", "body # Invoice/CustomField"),
    ),
    Listed(
        "Intuit",
        "properties that only newer records have: a customer's `IsProject`, `V4IDPseudonym`, a vendor's `BillRate`,"
        " `CostRate`, an invoice's `FreeFormAddress`, `CustomExtensions`, `MetaData.LastModifiedByRef`",
        "did not exist in 2015 to 2020; the emulator sends what 2026 sends",
        WRITES,
        (
            "body + Customer/IsProject",
            "body + */V4IDPseudonym",
            "body + */Vendor/BillRate",
            "body + */Vendor/CostRate",
            "body + Invoice/FreeFormAddress",
            "body + Invoice/Line/SalesItemLineDetail/ItemAccountRef",
            "body + Invoice/Line/CustomExtensions",
            "body + Invoice/MetaData/LastModifiedByRef",
        ),
    ),
    Listed(
        "recording",
        "headers that the proxy of a recording added or replaced: `access-control-*`, `x-ratelimit-*`,"
        " `content-security-policy-report-only`, `x-frame-options`, `x-download-options`, `x-dns-prefetch-control`,"
        " `x-xss-protection`",
        "Nango's, beside Intuit's",
        (f"{NANGO}send-invoice.test.json",),
        (
            "header - access-control-*",
            "header - content-security-policy-report-only",
            "header - x-dns-prefetch-control",
            "header - x-download-options",
            "header - x-frame-options",
            "header - x-ratelimit-*",
            "header = x-xss-protection",
        ),
    ),
    Listed(
        "Intuit",
        "reports: titles in capitals, lists whose columns have their key as type",
        "the report engine of 31 August 2026, and minor version 75; with `--as-of` they are as recorded",
        ("minimul-qbo_api/*/reports/*",),
        ("body ~ Columns/Column/ColTitle", "body ~ Columns/Column/ColType", "body + Columns/Column/MetaData"),
    ),
    Listed(
        "recording",
        "reports: the rows of a general ledger",
        "the recordings of that company have only some of its transactions; `test_reports_recorded.py` compares the"
        " shape, and the figures of a company that is recorded better",
        ("minimul-qbo_api/*/reports/gl.yml#0",),
        ("body ? Rows/*",),
    ),
    # ---- what is not served ----
    Listed(
        "unserved",
        "a refusal of TaxService",
        "only the body was kept: the request is unknown",
        ("ruckus-*/tax_service_error_dup.json",),
        ("unserved",),
    ),
    Listed(
        "unserved",
        "the maintenance page (We'll be back soon)",
        "quoted in part and without a status; the fault `html` returns a page of the gateway",
        ("transcribed/html-well-be-back-soon.yml",),
        ("unserved",),
    ),
    Listed(
        "unserved",
        "a sales receipt made in 2017",
        "only the body was kept, with sorted keys: the request is unknown",
        ("Boulevard-ExQuickBooks/sales_receipt/*",),
        ("unserved",),
    ),
]
