"""The ledger behind the reports: every transaction posted to accounts, in the home currency.

How a report gets its figures:

1. Triggers note each record that is written, once a report was asked for. Nothing else happens on a write.
2. Before a report, `ledger.Ledger.update` posts the noted records: `posting` turns a record into lines that balance,
   applications (which payment pays which charge) and stock movements; `stock` values these first in, first out.
3. Reports sum the lines in SQL. On the cash basis `ledger.source` replaces the lines of charges by their paid parts.
"""
