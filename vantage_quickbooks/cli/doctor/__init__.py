"""The checks of `vantage-quickbooks doctor`: one file an area, each with a table of functions."""
