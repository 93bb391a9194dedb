"""Webhooks: signed notifications of changes, delivered on the emulator's clock."""
