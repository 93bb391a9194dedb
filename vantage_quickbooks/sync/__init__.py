"""Reads pages, whole entities and changes."""
