"""The table of reports: their names at Intuit, and the parameters of each. A report is a row, and never code.

Source: Intuit's page of each report, https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/
followed by the row's `page`; names of parameters that several pages share also in ReportService.php of
https://github.com/intuit/QuickBooks-V3-PHP-SDK/tree/master/src/ReportService.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PARAMETERS", "PERIODS", "REPORTS", "REPORT_GROUPS", "Parameter", "ReportType", "query_parameters"]

ParameterKind = Literal["date", "choice", "ids", "number", "boolean", "keys", "text"]
"""What an input takes: a date; one of its values; Ids with commas; a whole number; true or false; keys of columns with
commas; any text."""

_RANGES = (
    "Today", "Yesterday", "This Week", "Last Week", "This Week-to-date", "Last Week-to-date", "Next Week",
    "Next 4 Weeks", "This Month", "Last Month", "This Month-to-date", "Last Month-to-date", "Next Month",
    "This Fiscal Quarter", "Last Fiscal Quarter", "This Fiscal Quarter-to-date", "Last Fiscal Quarter-to-date",
    "Next Fiscal Quarter", "This Fiscal Year", "Last Fiscal Year", "This Fiscal Year-to-date",
    "Last Fiscal Year-to-date", "Next Fiscal Year", "All",
)  # fmt: skip
"""Values of all date macros. `All` is on no page, but headers of reports say it (Intuit's page of CustomerBalance)."""

_SUMMARIES = (
    "Total", "Month", "Week", "Days", "Quarter", "Year", "Customers", "Vendors", "Classes", "Departments", "Employees",
    "ProductsAndServices",
)  # fmt: skip
_GROUPS = (
    "Name", "Account", "Transaction Type", "Customer", "Vendor", "Employee", "Location", "Payment Method", "Day",
    "Week", "Month", "Quarter", "Year", "Fiscal Year", "Fiscal Quarter", "None",
)  # fmt: skip
_PAID = ("All", "Paid", "Unpaid")
_ACCOUNT_TYPES = (
    "Bank", "AccountsReceivable", "OtherCurrentAsset", "FixedAsset", "OtherAsset", "AccountsPayable", "CreditCard",
    "OtherCurrentLiability", "LongTermLiability", "Equity", "Income", "CostOfGoodsSold", "Expense", "OtherIncome",
    "OtherExpense", "NonPosting",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that some reports have, and the input for it, of the same name.

    Attributes:
        name: As Intuit spells it.
        kind: See `ParameterKind`.
        title: Label of the input.
        description: What it does; one sentence.
        values: Of a choice: its values.
        example: A value that works.
        options_from: Of Ids: the list action that offers them.
        is_common: Whether a form shows it at once, and not among the advanced inputs.
    """

    name: str
    kind: ParameterKind
    title: str
    description: str
    values: tuple[str, ...] = ()
    example: Any = None
    options_from: str = ""
    is_common: bool = False


def _day(name: str, title: str, description: str, *, is_common: bool = False) -> Parameter:
    return Parameter(name, "date", title, description, example="2026-05-31", is_common=is_common)


def _macro(name: str, title: str, description: str, *, is_common: bool = False) -> Parameter:
    return Parameter(name, "choice", title, description, _RANGES, "Last Month", is_common=is_common)


def _ids(name: str, title: str, nouns: str, action: str, *, is_common: bool = False) -> Parameter:
    description = f"Only these {nouns}: Ids as {action} returns them, separated by commas."
    return Parameter(name, "ids", title, description, example="24", options_from=action, is_common=is_common)


def _choice(name: str, title: str, description: str, values: tuple[str, ...], *, is_common: bool = False) -> Parameter:
    return Parameter(name, "choice", title, description, values, values[-1], is_common=is_common)


def _text(name: str, title: str, description: str, example: str) -> Parameter:
    return Parameter(name, "text", title, description, example=example)


PARAMETERS: Mapping[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        _macro("date_macro", "Period", "A period relative to today, in place of dates.", is_common=True),
        _day("start_date", "From", "First day of the period.", is_common=True),
        _day("end_date", "To", "Last day of the period.", is_common=True),
        _day("report_date", "As of", "The day whose balances are reported.", is_common=True),
        _choice(
            "accounting_method", "Accounting method", "Cash or accrual basis; without it, the company's own.",
            ("Cash", "Accrual"), is_common=True,
        ),
        _choice(
            "summarize_column_by", "Columns", "What the amounts are divided by: a column for each.", _SUMMARIES,
            is_common=True,
        ),
        _choice(
            "aging_method", "Aging method", "Whether ages count to the report's date or to today.",
            ("Current", "Report_Date"),
        ),
        Parameter("aging_period", "number", "Aging period", "Days in each aging period.", example=30),
        Parameter("num_periods", "number", "Aging periods", "Number of aging periods.", example=4),
        Parameter("past_due", "number", "Days past due", "Only what is past due for so many days or more.", example=30),
        _choice("arpaid", "Receivables", "Only paid or only unpaid receivables.", _PAID),
        _choice("appaid", "Payables", "Only paid or only unpaid payables.", _PAID),
        _ids("customer", "Customer", "customers", "listCustomers", is_common=True),
        _ids("vendor", "Vendor", "vendors", "listVendors"),
        _ids("employee", "Employee", "employees", "listEmployees"),
        _ids("item", "Product or service", "products and services", "listItems"),
        _ids("account", "Account", "accounts", "listAccounts"),
        _ids("class", "Class", "classes", "listClasses"),
        _ids("department", "Location", "locations", "listDepartments"),
        _ids("term", "Payment terms", "payment terms", "listTerms"),
        Parameter(
            "agency_id", "ids", "Tax agency", "The tax agency, by its Id as listTaxAgencies returns it.", example="1",
            options_from="listTaxAgencies", is_common=True,
        ),
        _ids("journal_code", "Journal code", "journal codes", "listJournalCodes"),
        _choice("account_type", "Account type", "Only accounts of this type.", _ACCOUNT_TYPES),
        _choice("account_status", "Account status", "Only accounts of this status.", ("Deleted", "Not_Deleted")),
        _ids("source_account", "Source account", "source accounts", "listAccounts"),
        _choice("source_account_type", "Source account type", "Only source accounts of this type.", _ACCOUNT_TYPES),
        _text("transaction_type", "Transaction type", "Only this type of transaction, as Intuit spells it.", "Invoice"),
        _text("payment_method", "Payment method", "Only this method of payment, as Intuit spells it.", "Cash"),
        _text("docnum", "Number", "Only the transaction with this number.", "1037"),
        _text("name", "Name", "Only these customers, vendors or employees: Ids, separated by commas.", "24"),
        _text("memo", "Memo", "Only transactions with this memo.", "Deposit"),
        _text("bothamount", "Amount", "Only transactions of this amount.", "1250.50"),
        _text("shipvia", "Shipping method", "Only this shipping method.", "FedEx"),
        *(
            _text(f"custom{number}", f"Custom field {number}", f"Only this value of custom field {number}.", "North")
            for number in (1, 2, 3)
        ),
        _choice("cleared", "Cleared", "Only this state of reconciliation.", ("Cleared", "Uncleared", "Reconciled")),
        _choice("printed", "Printed", "Only this state of printing.", ("Printed", "To_be_printed")),
        _macro("duedate_macro", "Due in", "Only what is due in this period."),
        _day("start_duedate", "Due from", "Only what is due on this day or later."),
        _day("end_duedate", "Due to", "Only what is due on this day or earlier."),
        _macro("createdate_macro", "Created in", "Only what was created in this period."),
        _day("start_createdate", "Created from", "Only what was created on this day or later."),
        _day("end_createdate", "Created to", "Only what was created on this day or earlier."),
        _macro("moddate_macro", "Changed in", "Only what was changed in this period."),
        _day("start_moddate", "Changed from", "Only what was changed on this day or later."),
        _day("end_moddate", "Changed to", "Only what was changed on this day or earlier."),
        _macro("svcdate_macro", "Service in", "Only services of this period."),
        _day("start_svcdate", "Service from", "Only services of this day or later."),
        _day("end_svcdate", "Service to", "Only services of this day or earlier."),
        Parameter(
            "columns", "keys", "Shown columns", "Keys of the columns to report, as Intuit spells them, separated by "
            "commas.", example="tx_date,txn_type,doc_num,name",
        ),
        _choice("group_by", "Group by", "What the transactions are grouped by.", _GROUPS),
        Parameter("sort_by", "keys", "Sort by", "Key of the column that sorts the rows.", example="tx_date"),
        _choice("sort_order", "Sort order", "Ascending or descending.", ("ascend", "descend")),
        Parameter(
            "adjusted_gain_loss", "boolean", "Adjusted gain or loss", "Whether unrealized gains and losses are "
            "included.", example=True,
        ),
        Parameter("qzurl", "boolean", "Links", "Whether cells of the original report have links.", example=True),
        Parameter("add_due_date", "boolean", "Due dates", "Whether due dates are included.", example=True),
    )
}  # fmt: skip
"""The parameters by name, in the order of the form."""

_PERIOD = ("date_macro", "start_date", "end_date")
_DUE = ("start_duedate", "end_duedate")
_CHANGED = ("moddate_macro", "start_moddate", "end_moddate")
_CREATED = ("createdate_macro", "start_createdate", "end_createdate")
_SORT = ("sort_by", "sort_order")
_LIST = (
    *_PERIOD, "duedate_macro", *_DUE, *_CREATED, *_CHANGED, "columns", "group_by", *_SORT, "customer", "vendor",
    "department", "term", "name", "transaction_type", "payment_method", "source_account_type", "docnum", "memo",
    "bothamount", "arpaid", "appaid", "cleared", "printed", "qzurl",
)  # fmt: skip
"""Of the lists of transactions."""

PERIODS: Mapping[str, tuple[str, ...]] = {
    "date_macro": ("start_date", "end_date", "report_date"),
    "duedate_macro": _DUE,
    "createdate_macro": _CREATED[1:],
    "moddate_macro": _CHANGED[1:],
    "svcdate_macro": ("start_svcdate", "end_svcdate"),
}
"""Date macros, and the dates that they stand for."""


@dataclass(frozen=True, slots=True)
class ReportType:
    """A report.

    Attributes:
        name: Intuit's name, in the URL.
        title: In QuickBooks.
        page: The name of Intuit's page about it.
        parameters: The parameters that it has.
        required: Those that it cannot do without.
        country: The country whose companies have it; empty for all.
    """

    name: str
    title: str
    page: str
    parameters: tuple[str, ...]
    required: tuple[str, ...] = ()
    country: str = ""


REPORTS: Mapping[str, ReportType] = {
    report.name: report
    for report in (
        ReportType(
            "ProfitAndLoss", "Profit and loss", "profitandloss",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "vendor", "employee", "item", "class",
             "department", "sort_order", "adjusted_gain_loss", "qzurl"),
        ),
        ReportType(
            "ProfitAndLossDetail", "Profit and loss detail", "profitandlossdetail",
            (*_PERIOD, "accounting_method", "customer", "vendor", "employee", "account", "account_type", "class",
             "department", "payment_method", "columns", *_SORT, "adjusted_gain_loss"),
        ),
        ReportType(
            "BalanceSheet", "Balance sheet", "balancesheet",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "vendor", "item", "class", "department",
             "sort_order", "adjusted_gain_loss", "qzurl"),
        ),
        ReportType(
            "CashFlow", "Statement of cash flows", "cashflow",
            (*_PERIOD, "summarize_column_by", "customer", "vendor", "item", "class", "department", "sort_order"),
        ),
        ReportType(
            "TrialBalance", "Trial balance", "trialbalance",
            (*_PERIOD, "accounting_method", "summarize_column_by", "sort_order"),
        ),
        ReportType(
            "AgedReceivables", "A/R aging summary", "aragingsummary",
            ("date_macro", "report_date", "aging_method", "aging_period", "num_periods", "customer", "department",
             "sort_order", "qzurl"),
        ),
        ReportType(
            "AgedReceivableDetail", "A/R aging detail", "aragingdetail",
            ("report_date", "accounting_method", "aging_method", "aging_period", "num_periods", "past_due", *_DUE,
             "customer", "term", "shipvia", "custom1", "custom2", "custom3", "columns"),
        ),
        ReportType(
            "AgedPayables", "A/P aging summary", "apagingsummary",
            ("date_macro", "report_date", "aging_method", "aging_period", "num_periods", "vendor", "department",
             "sort_order", "qzurl"),
        ),
        ReportType(
            "AgedPayableDetail", "A/P aging detail", "apagingdetail",
            ("report_date", "accounting_method", "aging_method", "aging_period", "num_periods", "past_due", *_DUE,
             "vendor", "term", "shipvia", "custom1", "custom2", "custom3", "columns"),
        ),
        ReportType(
            "CustomerBalance", "Customer balance summary", "customerbalance",
            ("date_macro", "report_date", "accounting_method", "summarize_column_by", "arpaid", "customer",
             "department", "sort_order"),
        ),
        ReportType(
            "CustomerBalanceDetail", "Customer balance detail", "customerbalancedetail",
            ("date_macro", "report_date", *_DUE, "aging_method", "arpaid", "customer", "department", "term", "shipvia",
             "custom1", "custom2", "custom3", "columns", *_SORT),
        ),
        ReportType(
            "CustomerIncome", "Income by customer summary", "customerincome",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "vendor", "class", "department", "term",
             "sort_order"),
        ),
        ReportType(
            "CustomerSales", "Sales by customer summary", "salesbycustomer",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "item", "class", "department",
             "sort_order", "qzurl"),
        ),
        ReportType(
            "ItemSales", "Sales by product or service summary", "salesbyproduct",
            (*_PERIOD, *_DUE, "accounting_method", "summarize_column_by", "customer", "item", "class", "department",
             "sort_order"),
        ),
        ReportType(
            "ClassSales", "Sales by class summary", "salesbyclasssummary",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "item", "class", "department",
             "sort_order"),
        ),
        ReportType(
            "DepartmentSales", "Sales by location summary", "salesbydepartment",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "item", "class", "department",
             "sort_order"),
        ),
        ReportType(
            "VendorBalance", "Vendor balance summary", "vendorbalance",
            ("date_macro", "report_date", "accounting_method", "summarize_column_by", "appaid", "vendor", "department",
             "sort_order", "qzurl"),
        ),
        ReportType(
            "VendorBalanceDetail", "Vendor balance detail", "vendorbalancedetail",
            ("date_macro", "report_date", "accounting_method", "duedate_macro", *_DUE, "appaid", "vendor",
             "department", "term", "columns", *_SORT),
        ),
        ReportType(
            "VendorExpenses", "Expenses by vendor summary", "vendorexpenses",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "vendor", "class", "department",
             "sort_order"),
        ),
        ReportType(
            "GeneralLedger", "General ledger", "generalledger",
            (*_PERIOD, "accounting_method", "summarize_column_by", "customer", "vendor", "employee", "item", "account",
             "account_type", "source_account", "source_account_type", "class", "department", "columns", *_SORT),
        ),
        ReportType("JournalReport", "Journal", "journalreport", (*_PERIOD, "columns", *_SORT)),
        ReportType("TransactionList", "Transaction list by date", "transactionlist", _LIST),
        ReportType("TransactionListByCustomer", "Transaction list by customer", "transactionlistbycustomer", _LIST),
        ReportType("TransactionListByVendor", "Transaction list by vendor", "transactionlistbyvendor", _LIST),
        ReportType(
            "TransactionListWithSplits", "Transaction list with splits", "transactionlistwithsplits",
            (*_PERIOD, "columns", "group_by", *_SORT, "name", "docnum", "transaction_type", "payment_method",
             "source_account_type"),
        ),
        ReportType(
            "AccountList", "Account list", "accountlistdetail",
            (*_PERIOD, *_CREATED, *_CHANGED, "account_type", "account_status", "columns", *_SORT),
        ),
        ReportType(
            "InventoryValuationSummary", "Inventory valuation summary", "inventoryvaluationsummary",
            (*_PERIOD, "report_date", "summarize_column_by", "item", "sort_order", "qzurl"),
        ),
        ReportType(
            "InventoryValuationDetail", "Inventory valuation detail", "inventoryvaluationdetail",
            (*_PERIOD, "svcdate_macro", "start_svcdate", "end_svcdate", "group_by", "columns"),
        ),
        ReportType(
            "TaxSummary", "Sales tax liability", "taxsummary",
            (*_PERIOD, "agency_id", "accounting_method", "sort_order"), required=("agency_id",),
        ),
        ReportType("FECReport", "FEC report", "fecreport", (*_PERIOD, "add_due_date"), country="France"),
        ReportType(
            "GeneralLedgerFR", "General ledger (France)", "generalledgerfr",
            (*_PERIOD, "accounting_method", "customer", "vendor", "account", "account_type", "source_account",
             "source_account_type", "class", "department", "columns", *_SORT), country="France",
        ),
        ReportType(
            "JournalReportFR", "Journal (France)", "journalreportfr",
            (*_PERIOD, "journal_code", "columns", *_SORT), country="France",
        ),
    )
}  # fmt: skip
"""The reports by Intuit's name, in the order of the form."""

REPORT_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Financial statements": ("ProfitAndLoss", "ProfitAndLossDetail", "BalanceSheet", "CashFlow", "TrialBalance"),
    "Who owes you": ("AgedReceivables", "AgedReceivableDetail", "CustomerBalance", "CustomerBalanceDetail"),
    "What you owe": ("AgedPayables", "AgedPayableDetail", "VendorBalance", "VendorBalanceDetail", "VendorExpenses"),
    "Sales": ("CustomerSales", "CustomerIncome", "ItemSales", "ClassSales", "DepartmentSales"),
    "Inventory and tax": ("InventoryValuationSummary", "InventoryValuationDetail", "TaxSummary"),
    "Accounting": (
        "GeneralLedger", "JournalReport", "AccountList", "TransactionList", "TransactionListByCustomer",
        "TransactionListByVendor", "TransactionListWithSplits",
    ),
    "France": ("FECReport", "GeneralLedgerFR", "JournalReportFR"),
}  # fmt: skip
"""The reports as people look for them; the groups are those of Intuit's report center, in our order."""


def query_parameters(data: Mapping[str, Any]) -> dict[str, str]:
    """Check the inputs of a report against its row, and return the parameters as Intuit takes them.

    Args:
        data: Input that the action's input schema accepts, with `report`.

    Raises:
        InputError: The report does not have a parameter, lacks one that it needs, or two of them contradict each other.
    """
    report = REPORTS[data["report"]]
    given = [name for name in data if name in PARAMETERS]
    errors = [_unknown(report, name) for name in given if name not in report.parameters]
    errors += [
        _wrong(name, "required", f"{report.name} needs {name}.", f"Add {name}. {PARAMETERS[name].description}")
        for name in report.required
        if name not in data
    ]
    errors += _contradictions(data, report)
    if errors:
        text = " ".join(f"{entry.message} {entry.hint}" for entry in errors)
        raise InputError(text if len(errors) == 1 else f"{len(errors)} errors in the inputs. {text}", errors)
    return {name: _spell(data[name]) for name in PARAMETERS if name in data}


def _unknown(report: ReportType, name: str) -> FieldError:
    """Return the error for a parameter of other reports, with the nearest that this report has."""
    others = [other for other in _alternatives(name) if other in report.parameters]
    known = ", ".join(report.parameters)
    hint = f"Use {_either(others)}." if others else f"Remove it. {report.name} takes {known}."
    return _wrong(name, "report", f"{report.name} does not have {name}.", hint)


def _alternatives(name: str) -> tuple[str, ...]:
    """Return the parameters that say the same for other reports."""
    for group in (("date_macro", "report_date", "start_date", "end_date"), ("arpaid", "appaid")):
        if name in group:
            return tuple(other for other in group if other != name)
    return ()


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _contradictions(data: Mapping[str, Any], report: ReportType) -> list[FieldError]:
    errors = []
    for macro, dates in PERIODS.items():
        both = [name for name in dates if name in data and name in report.parameters]
        if macro in data and macro in report.parameters and both:
            errors.append(
                _wrong(
                    macro,
                    "together",
                    f"{macro} cannot be combined with {' and '.join(both)}.",
                    "Remove one of them: a macro is a period of its own.",
                )
            )
        first, last = dates[0], dates[1]
        if first in data and last in data and data[first] > data[last]:
            errors.append(_wrong(last, "range", f"It is before {first}.", "Swap the two dates."))
    if "report_date" in data and ("start_date" in data or "end_date" in data) and "report_date" in report.parameters:
        errors.append(
            _wrong("report_date", "together", "report_date cannot be combined with a period.", "Remove one of them.")
        )
    return errors


def _wrong(name: str, rule: str, message: str, hint: str) -> FieldError:
    return FieldError(name, rule, message, hint)


def _spell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(part.strip() for part in str(value).split(",")) if isinstance(value, str) else str(value)
