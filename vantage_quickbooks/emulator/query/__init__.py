"""Intuit's query language: from a statement's text to SQL."""
