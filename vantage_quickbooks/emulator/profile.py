"""What QuickBooks changes on a date: one table, and the answers that depend on it.

`--as-of 2027-02-01` chooses a date. The emulator then answers as QuickBooks did, or is announced to do, on that date,
so that a client can rehearse what will break it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LATEST_MINOR_VERSION = 75
_MINOR_VERSIONS_BLOG = (
    "https://blogs.intuit.com/2025/01/21/changes-to-our-accounting-api-that-may-impact-your-application/"
)
_API_BLOG = "https://blogs.intuit.com/2025/08/13/upcoming-changes-to-the-accounting-api"
_TOKEN_BLOG = "https://blogs.intuit.com/2025/11/12/important-changes-to-refresh-token-policy"  # an address, no secret
_WEBHOOK_BLOG = "https://blogs.intuit.com/2025/11/12/upcoming-change-to-webhooks-payload-structure"


@dataclass(frozen=True, slots=True)
class DatedChange:
    """A change of QuickBooks.

    Attributes:
        name: By which the code asks for it.
        since: The first day on which it is in force.
        after: How QuickBooks answers since then.
        before: How it answered until then.
        source: Where it is announced.
    """

    name: str
    since: date
    after: str
    before: str
    source: str


CHANGES: tuple[DatedChange, ...] = (
    DatedChange(
        "minor_version_75",
        date(2025, 8, 1),
        "minor versions below 75 are ignored: every answer is that of 75",
        "properties that came with a higher minor version than the request's are left out",
        _MINOR_VERSIONS_BLOG,
    ),
    DatedChange(
        "iso3_countries",
        date(2025, 10, 1),
        "countries in CompanyInfo's addresses are ISO-3 codes (`USA`), without Lat and Long (day assumed: autumn 2025)",
        "ISO-2 codes (`US`)",
        _API_BLOG,
    ),
    DatedChange(
        "id_not_sortable",
        date(2025, 11, 15),
        "`ORDERBY Id` is refused (day assumed: a mail of November 2025)",
        "`ORDERBY Id` sorts by number",
        "https://github.com/sahat/hackathon-starter/issues/1510",
    ),
    DatedChange(
        "webhook_retry_ladder",
        date(2026, 2, 1),
        "a webhook is repeated after 10, 20 and 30 s, 5 and 20 min, 2, 4 and 6 h, then every 6 h",
        "after 20, 30 and 50 min, then the endpoint is blocked",
        "https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks/best-practices",
    ),
    DatedChange(
        "cloud_events",
        date(2026, 7, 31),
        "webhooks have the CloudEvents format",
        "webhooks have the format `eventNotifications`",
        _WEBHOOK_BLOG,
    ),
    DatedChange(
        "modern_reports",
        date(2026, 8, 31),
        "reports come from the new engine",
        "reports come from the old engine, the new one with `testing_migration`",
        "https://medium.com/intuitdev/upcoming-changes-to-reports-apis-5083ec9aadce",
    ),
    DatedChange(
        "restricted_refresh_tokens_end",
        date(2027, 2, 1),
        "refresh tokens with restricted scopes begin to end for good, five years after the authorization",
        "none has ended: the five years count from February 2022",
        _TOKEN_BLOG,
    ),
    DatedChange(
        "accounting_refresh_tokens_end",
        date(2028, 10, 1),
        "refresh tokens of the accounting and payment scopes begin to end for good, five years after the authorization",
        "none has ended: the five years count from October 2023",
        _TOKEN_BLOG,
    ),
)
"""In order of their dates. The ends of refresh tokens are computed from each token's authorization: see oauth/."""

_BY_NAME = {change.name: change for change in CHANGES}

# The minor version that a property came with. Sources: the blog of `minor_version_75` (DefaultTimeZone); Intuit's page
# of Invoice (InvoiceLink).
_MINOR_VERSIONS: dict[str, dict[str, int]] = {"CompanyInfo": {"DefaultTimeZone": 75}, "Invoice": {"InvoiceLink": 36}}
_ISO3 = {"US": "USA", "CA": "CAN", "GB": "GBR", "UK": "GBR", "AU": "AUS", "IN": "IND", "FR": "FRA"}
_ISO2 = {"USA": "US", "CAN": "CA", "GBR": "GB", "AUS": "AU", "IND": "IN", "FRA": "FR"}
_COMPANY_ADDRESSES = ("CompanyAddr", "CustomerCommunicationAddr", "LegalAddr")


class Profile:
    """The changes that are in force on a date.

    Attributes:
        as_of: The date; None is the machine's today, and records are served as they are stored.
    """

    def __init__(self, as_of: date | None = None) -> None:
        self.as_of = as_of

    def includes(self, name: str) -> bool:
        """Return whether a change is in force.

        Raises:
            KeyError: The change is unknown.
        """
        return _BY_NAME[name].since <= (self.as_of or datetime.now(UTC).date())

    def state(self) -> dict[str, Any]:
        """Return the date and the changes in force, as JSON data."""
        names = [change.name for change in CHANGES if self.includes(change.name)]
        return {"as_of": self.as_of and self.as_of.isoformat(), "changes": names}

    def rewrite(self, body: bytes, minor_version: str) -> bytes:
        """Return a response's JSON as it is on the chosen date; without a chosen date, as it is.

        Args:
            body: JSON.
            minor_version: The request's, or "".
        """
        rules = self._rules(minor_version)
        if not rules:
            return body
        data = json.loads(body, parse_float=Decimal)
        for entity, record in list(_records(data)):
            for rule in rules:
                rule(entity, record)
        return _spell(data).encode()

    def _rules(self, minor_version: str) -> list[Callable[[str, dict[str, Any]], None]]:
        if self.as_of is None:
            return []
        rules: list[Callable[[str, dict[str, Any]], None]] = [_to_iso3 if self.includes("iso3_countries") else _to_iso2]
        if not self.includes("minor_version_75"):
            digits = minor_version if minor_version.isascii() and minor_version.isdigit() else "1"
            asked = int(digits[:5])
            rules.append(lambda entity, record: _remove_newer(entity, record, asked))
        return rules


def _records(data: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    """Find the records that some rule concerns, at any depth."""
    if isinstance(data, list):
        for item in data:
            yield from _records(item)
    elif isinstance(data, dict):
        for key, value in data.items():
            if key in _MINOR_VERSIONS:
                yield from ((key, one) for one in (value if isinstance(value, list) else [value]) if type(one) is dict)
            yield from _records(value)


def _remove_newer(entity: str, record: dict[str, Any], asked: int) -> None:
    for name, version in _MINOR_VERSIONS[entity].items():
        if version > asked:
            record.pop(name, None)


def _to_iso3(entity: str, record: dict[str, Any]) -> None:
    for address in _company_addresses(entity, record):
        if "Country" in address:
            address["Country"] = _ISO3.get(address["Country"], address["Country"])
        for name in ("Lat", "Long"):
            address.pop(name, None)


def _to_iso2(entity: str, record: dict[str, Any]) -> None:
    for address in _company_addresses(entity, record):
        if "Country" in address:
            address["Country"] = _ISO2.get(address["Country"], address["Country"])


def _company_addresses(entity: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    found = [record.get(name) for name in _COMPANY_ADDRESSES] if entity == "CompanyInfo" else []
    return [address for address in found if isinstance(address, dict)]


def _spell(value: Any) -> str:
    """Write JSON in which every number keeps its digits."""
    if isinstance(value, dict):
        return "{" + ",".join([f"{json.dumps(key, ensure_ascii=False)}:{_spell(v)}" for key, v in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_spell(item) for item in value]) + "]"
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
