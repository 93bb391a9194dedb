"""QuickBooks' reports, computed from the ledger.

`catalog` is the table of reports: name, kind, columns, defaults. `parameters` reads the request, `statements`,
`summaries` and `details` sum the ledger, and `layout` writes QuickBooks' shape, as the old or the new report engine
does.
"""
