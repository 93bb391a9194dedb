"""How each generated schema begins."""

from __future__ import annotations

from typing import Any

__all__ = ["DRAFT", "JSON", "object_schema"]

JSON = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def object_schema(action_id: str, title: str, part: str, description: str) -> JSON:
    """Return the members with which the schema of an action's input or output begins.

    Args:
        action_id: Id of the action.
        title: Title of the action, in the imperative: `List invoices`.
        part: `input` or `output`.
        description: What the schema describes; one sentence or more.
    """
    return {
        "$schema": DRAFT,
        "$id": f"urn:vantage-quickbooks:{action_id}:{part}",
        "title": f"{title}: {part}",
        "description": description,
        "type": "object",
    }
