"""Adapters: thin modules from change sets and typed columns to the conventions of other programs.

Each is an extra of its own and imported only by its own name. No adapter knows Intuit, and no other module knows an
adapter, except for the command line.
"""
