"""The commands of `vantage-quickbooks webhooks`, one file each."""
