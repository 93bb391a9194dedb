"""Sets that a descriptor has once and that its actions name: ranges of dates (`presets`) and links (`linkSets`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["with_sets"]


def with_sets(action: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return an action whose names of sets are replaced by the sets; a name that the descriptor lacks is an empty set.

    Args:
        action: The action's descriptor. It is not changed.
        described: The connector's descriptor.
    """
    found = dict(action)
    listing = found.get("listing")
    if listing and listing.get("filters"):
        found["listing"] = {**listing, "filters": [_named(it, "presets", described) for it in listing["filters"]]}
    views = found.get("views") or ()
    if any(view.get("sections") for view in views):
        found["views"] = [
            {**view, "sections": [_named(it, "linkSets", described, "links") for it in view["sections"]]}
            if view.get("sections")
            else view
            for view in views
        ]
    return found


def _named(entry: dict[str, Any], sets: str, described: Mapping[str, Any], member: str = "") -> dict[str, Any]:
    member = member or sets
    name = entry.get(member)
    return {**entry, member: (described.get(sets) or {}).get(name, [])} if isinstance(name, str) else entry
