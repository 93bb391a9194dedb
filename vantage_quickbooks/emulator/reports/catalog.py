"""The table of reports. A report is a row: its name, its period, what its header has, and what computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.reports import details, statements, summaries
from vantage_quickbooks.emulator.reports.opens import CUSTOMERS, VENDORS

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.emulator.reports.figures import Figures
    from vantage_quickbooks.emulator.reports.layout import Body

_YEAR = "this fiscal year-to-date"
_MONTH = "this month-to-date"


@dataclass(frozen=True, slots=True)
class Report:
    """A report.

    Attributes:
        name: As in the path and in its header.
        compute: Returns its columns and rows.
        macro: The date macro without dates in the request.
        as_of: Whether it is of one day, `report_date`.
        basis: Whether its header has the accounting method.
        summarized: Whether its header has `SummarizeColumnsBy`.
        period: Whether its header has a period.
    """

    name: str
    compute: Callable[[Figures], Body]
    macro: str = _YEAR
    as_of: bool = False
    basis: bool = True
    summarized: bool = False
    period: bool = True


REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report("AccountList", details.account_list, "all", basis=False, period=False),
        Report("AgedPayableDetail", lambda f: details.aging_detail(f, VENDORS), "today", as_of=True, basis=False),
        Report("AgedPayables", lambda f: summaries.aging(f, VENDORS), "today", as_of=True, basis=False),
        Report("AgedReceivableDetail", lambda f: details.aging_detail(f, CUSTOMERS), "today", as_of=True, basis=False),
        Report("AgedReceivables", lambda f: summaries.aging(f, CUSTOMERS), "today", as_of=True, basis=False),
        Report("BalanceSheet", statements.balance_sheet, summarized=True),
        Report("CashFlow", statements.cash_flow, basis=False, summarized=True),
        Report("ClassSales", lambda f: summaries.sales(f, "klass", "Class", "Class"), summarized=True),
        Report("CustomerBalance", lambda f: summaries.balance(f, CUSTOMERS), "all", as_of=True, basis=False),
        Report("CustomerBalanceDetail", lambda f: details.balance_detail(f, CUSTOMERS), "all", as_of=True, basis=False),
        Report("CustomerIncome", summaries.customer_income),
        Report("CustomerSales", lambda f: summaries.sales(f, "customer", "Customer", "Customer"), summarized=True),
        Report(
            "DepartmentSales", lambda f: summaries.sales(f, "department", "Department", "Department"), summarized=True
        ),
        Report("GeneralLedger", details.general_ledger, _MONTH),
        Report("InventoryValuationDetail", details.inventory_detail, _MONTH, basis=False),
        Report("InventoryValuationSummary", summaries.inventory_valuation, "today", as_of=True, basis=False),
        Report("ItemSales", summaries.item_sales, summarized=True),
        Report("JournalReport", details.journal, _MONTH, basis=False),
        Report("ProfitAndLoss", statements.profit_and_loss, summarized=True),
        Report("ProfitAndLossDetail", details.profit_and_loss_detail),
        Report("TaxSummary", summaries.tax_summary, basis=False, summarized=True),
        Report("TransactionList", details.transactions, _MONTH, basis=False),
        Report("TransactionListByCustomer", lambda f: details.transactions_by(f, "Customer"), _MONTH, basis=False),
        Report("TransactionListByVendor", lambda f: details.transactions_by(f, "Vendor"), _MONTH, basis=False),
        Report("TransactionListWithSplits", details.transactions_with_splits, _MONTH, basis=False),
        Report("TrialBalance", statements.trial_balance, _MONTH),
        Report("VendorBalance", lambda f: summaries.balance(f, VENDORS), "all", as_of=True, basis=False),
        Report("VendorBalanceDetail", lambda f: details.balance_detail(f, VENDORS), "all", as_of=True, basis=False),
        Report("VendorExpenses", summaries.vendor_expenses, summarized=True),
    )
}
"""Every report by its name, but for those of French companies. Source: Intuit's page of each report."""

FRENCH = frozenset({"FECReport", "GeneralLedgerFR", "JournalReportFR"})
"""Reports that companies outside France do not have."""
