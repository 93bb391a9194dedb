"""Reads pages of an entity, all of its records, or what changed."""
