"""How each generated schema begins, and the objects in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["DRAFT", "JSON", "closed_object", "object_schema"]

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


def closed_object(members: JSON, description: str, optional: Collection[str] = ()) -> JSON:
    """Return the schema of an object in an output, which has no other members.

    Args:
        members: The schema of each member.
        description: What the object is.
        optional: The members that may be missing.
    """
    return {
        "description": description,
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }
