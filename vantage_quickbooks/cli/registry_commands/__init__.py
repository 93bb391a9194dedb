"""The commands of `vantage-quickbooks connections`, one module a command."""
