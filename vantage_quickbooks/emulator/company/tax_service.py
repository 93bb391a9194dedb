"""TaxService: creates a tax code with its rates.

Source: https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/taxservice. The answer has
neither an entity's name around it nor a time.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.company.entities import ENTITIES
from vantage_quickbooks.emulator.company.times import local_time
from vantage_quickbooks.emulator.json_text import encode

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.change import Record
    from vantage_quickbooks.emulator.company.company import Company

_USES = ("Sales", "Purchase")


def create_tax_code(company: Company, sent: Any, now: float) -> str:
    """Create a tax code, and those of its rates that do not exist.

    Args:
        company: The company.
        sent: The body.
        now: Epoch seconds, from which the rates are valid.

    Returns:
        The answer's text.

    Raises:
        Fault: 2010, 2020, 2500, 6000 or 6240.
    """
    if not isinstance(sent, dict):
        raise errors.unreadable_body("the body is not a JSON object")
    name, details = sent.get("TaxCode"), sent.get("TaxRateDetails")
    if not isinstance(name, str) or not name.strip():
        raise errors.required_missing("TaxCode")
    if not isinstance(details, list) or not details:
        raise errors.required_missing("TaxRateDetails")
    with company.store.writing():
        if company.store.ids_by_name(company.realm, "TaxCode", name):
            raise errors.duplicate_name()
        answers = [_rate(company, detail, now) for detail in details]
        lists: dict[str, list[Record]] = {use: [] for use in _USES}
        for answer in answers:
            reference = {"value": answer["TaxRateId"], "name": answer["TaxRateName"]}
            lists[answer["TaxApplicableOn"]].append(
                {"TaxRateRef": reference, "TaxTypeApplicable": "TaxOnAmount", "TaxOrder": 0}
            )
        code = {
            "Name": name,
            "Description": name,
            "Active": True,
            "Hidden": False,
            "Taxable": True,
            "TaxGroup": True,
            **{f"{use}TaxRateList": {"TaxRateDetail": lists[use]} for use in _USES},
        }
        id_ = company.load(ENTITIES["TaxCode"], code)["Id"]
    return encode({"TaxCode": name, "TaxCodeId": id_, "TaxRateDetails": answers})


def _rate(company: Company, detail: Any, now: float) -> Record:
    """Find or create one rate; return its part of the answer."""
    if not isinstance(detail, dict):
        raise errors.unreadable_body("a rate is not a JSON object")
    use = detail.get("TaxApplicableOn") or "Sales"
    if use not in _USES:
        raise errors.business_error(f"TaxApplicableOn is Sales or Purchase, not {use}")  # 2170; our words
    if detail.get("TaxRateId"):
        known = company.find("TaxRate", str(detail["TaxRateId"]))
        if known is None:
            raise errors.invalid_reference()
        return _answer(known, use)
    for key in ("TaxRateName", "RateValue", "TaxAgencyId"):
        if detail.get(key) in (None, ""):
            raise errors.required_missing(key)
    agency, name = str(detail["TaxAgencyId"]), str(detail["TaxRateName"])
    if company.find("TaxAgency", agency) is None:
        raise errors.invalid_reference()
    if company.store.ids_by_name(company.realm, "TaxRate", name):
        raise errors.duplicate_name()
    value = _percent(detail["RateValue"])
    since = local_time(now, company.zone)
    rate = {
        "Name": name,
        "Description": name,
        "Active": True,
        "RateValue": value,
        "AgencyRef": {"value": agency},
        "SpecialTaxType": "NONE",
        "EffectiveTaxRate": [{"RateValue": value, "EffectiveDate": since}],
        "DisplayType": "ReadOnly",
    }
    return _answer(company.load(ENTITIES["TaxRate"], rate), use)


def _answer(rate: Record, use: str) -> Record:
    return {
        "TaxRateName": rate.get("Name", ""),
        "TaxRateId": rate["Id"],
        "RateValue": rate.get("RateValue", 0),
        "TaxAgencyId": str((rate.get("AgencyRef") or {}).get("value", "")),
        "TaxApplicableOn": use,
    }


def _percent(value: Any) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or not 0 <= number <= 100:
        raise errors.business_error(f"RateValue is a percentage, not {value}")  # 2110; our words
    return number
