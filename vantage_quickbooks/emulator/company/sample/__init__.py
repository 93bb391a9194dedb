"""The sample company: one invented here, which fills every entity that can be queried.

Dates depend on today, so that an overdue invoice is overdue whenever the emulator starts. Key order and spelling are
QuickBooks' (recorded, 2015 to 2026); names and amounts are ours.
"""

from __future__ import annotations

from vantage_quickbooks.emulator.company.sample.company import COMPANY_NAME
from vantage_quickbooks.emulator.company.sample.generator import Sample
from vantage_quickbooks.emulator.company.sample.spelling import money

__all__ = ["COMPANY_NAME", "Sample", "money"]
