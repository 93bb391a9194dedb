"""The company itself: CompanyInfo and Preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company.sample.spelling import row, text

if TYPE_CHECKING:
    from vantage_quickbooks.emulator.company.row import Row
    from vantage_quickbooks.emulator.company.sample.books import Record
    from vantage_quickbooks.emulator.company.sample.clock import Clock

COMPANY_NAME = "Juniper & Finch Garden Works"


def company_info(clock: Clock) -> Row:
    """Write the company's CompanyInfo."""
    created, updated = clock.ago(clock.days + 400), clock.ago(clock.days + 20)
    address = (
        '{"Id":"1","Line1":"77 Trellis Court","City":"Alameda","CountrySubDivisionCode":"CA","PostalCode":"94501"}'
    )
    flags = {
        "NonTracking": "false",
        "IsQbdtMigrated": "false",
        "CompanyType": "Other",
        "SubscriptionStatus": "SUBSCRIBED",
        "OfferingSku": "QuickBooks Online Plus",
        "PayrollFeature": "false",
        "AccountantFeature": "false",
        "QBOIndustryType": "Landscaping Services",
        "ItemCategoriesFeature": "true",
        "AssignedTime": clock.spell(created),
    }
    values = ",".join(f'{{"Name":{text(k)},"Value":{text(v)}}}' for k, v in flags.items())
    started = clock.date_of(created).isoformat()
    body = (
        f'{{"CompanyName":{text(COMPANY_NAME)},"LegalName":{text(COMPANY_NAME + " LLC")},"CompanyAddr":{address},'
        f'"CustomerCommunicationAddr":{address},"LegalAddr":{address},'
        '"CustomerCommunicationEmailAddr":{"Address":"hello@juniperfinch.example"},'
        f'"PrimaryPhone":{{"FreeFormNumber":"(510) 555-0100"}},"CompanyStartDate":"{started}",'
        '"FiscalYearStartMonth":"January","Country":"US","Email":{"Address":"books@juniperfinch.example"},'
        '"WebAddr":{},"SupportedLanguages":"en","DefaultTimeZone":"America/Los_Angeles",'
        f'"NameValue":[{values}],"domain":"QBO","sparse":false,"Id":"1","SyncToken":"4",'
        f"{clock.meta(created, updated)}}}"
    )
    return row("1", created, updated, body, sort_name="1")


def preferences() -> Record:
    """Return the company's Preferences, without their envelope."""
    messages = {
        f"{form}Message": {"Subject": f"{form} from {COMPANY_NAME}", "Message": "Yours, with thanks."}
        for form in ("Invoice", "Estimate", "SalesReceipt", "Statement")
    }
    others = {
        "SalesFormsPrefs.DefaultCustomerMessage": "Thank you for letting us look after your garden.",
        "SalesFormsPrefs.DefaultItem": "1",
        "UncategorizedAssetAccountId": "22",
        "UncategorizedIncomeAccountId": "44",
        "UncategorizedExpenseAccountId": "94",
        "Vendor1099Enabled": "true",
        "TimeTrackingFeatureEnabled": "true",
        "ProjectsEnabled": "false",
    }
    return {
        "AccountingInfoPrefs": {
            "FirstMonthOfFiscalYear": "January",
            "TaxYearMonth": "January",
            "TaxForm": "6",
            "TrackDepartments": True,
            "DepartmentTerminology": "Location",
            "ClassTrackingPerTxn": False,
            "ClassTrackingPerTxnLine": True,
            "CustomerTerminology": "Customers",
            "UseAccountNumbers": True,
        },
        "ProductAndServicesPrefs": {
            "ForSales": True,
            "ForPurchase": True,
            "QuantityWithPriceAndRate": True,
            "QuantityOnHand": True,
        },
        "SalesFormsPrefs": {
            "CustomField": [],
            "CustomTxnNumbers": False,
            "AllowDeposit": False,
            "AllowDiscount": True,
            "DefaultDiscountAccount": "86",
            "AllowEstimates": True,
            "IPNSupportEnabled": False,
            "AllowServiceDate": False,
            "AllowShipping": False,
            "DefaultTerms": {"value": "3"},
            "UsingPriceLevels": False,
        },
        "EmailMessagesPrefs": messages,
        "VendorAndPurchasesPrefs": {"TrackingByCustomer": True, "BillableExpenseTracking": True, "POCustomField": []},
        "TimeTrackingPrefs": {
            "UseServices": True,
            "BillCustomers": True,
            "ShowBillRateToAll": False,
            "WorkWeekStartDate": "Monday",
            "MarkTimeEntriesBillable": True,
        },
        "TaxPrefs": {"UsingSalesTax": True, "TaxGroupCodeRef": {"value": "2"}},
        "CurrencyPrefs": {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": "USD"}},
        "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
        "OtherPrefs": {"NameValue": [{"Name": name, "Value": value} for name, value in others.items()]},
    }
