"""How a list is read: one page, a full sync, or the changes since an earlier full sync."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CHANGES", "FULL", "PAGE", "Mode", "changes_trigger", "estimated_calls", "input_of", "modes_of"]

PAGE, FULL, CHANGES = "page", "full", "changes"

_TITLES = {
    PAGE: ("One page", "The first rows that match."),
    FULL: ("Full sync", "All rows that match."),
    CHANGES: ("Changes", "Rows created, changed or deleted since an earlier full sync."),
}


@dataclass(frozen=True, slots=True)
class Mode:
    """A way to read a list.

    Attributes:
        id: `page`, `full` or `changes`.
        title: Its label.
        help: What it reads, and what it costs.
    """

    id: str
    title: str
    help: str


def modes_of(action: Mapping[str, Any], *, can_stream: bool) -> list[Mode]:
    """Return the modes that an action offers and this UI can use; empty for an action without a choice.

    Args:
        action: The action's descriptor.
        can_stream: Whether the connector can stream.
    """
    if not action.get("rowsKey"):
        return []
    # A descriptor without `modes`: a full read is possible with `fullReadInput`, or page after page by streaming.
    can_read_all = bool(action.get("fullReadInput") or (can_stream and action.get("streamable")))
    offered = action.get("modes") or ([PAGE, FULL] if can_read_all else [])
    usable = {PAGE: True, FULL: can_read_all, CHANGES: changes_trigger(action) is not None}
    costs = {cost["mode"]: str(cost.get("text") or "") for cost in action.get("cost") or ()}
    modes = [
        Mode(mode, _TITLES[mode][0], " ".join(filter(None, (_TITLES[mode][1], costs.get(mode)))))
        for mode in offered
        if usable.get(mode)
    ]
    return modes if len(modes) > 1 else []


def changes_trigger(action: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the polling trigger that reads this action's changes, or None."""
    return next(
        (
            trigger
            for trigger in action.get("triggers") or ()
            if trigger.get("type") == "polling" and trigger.get("action") == action["id"] and trigger.get("stateInput")
        ),
        None,
    )


def input_of(action: Mapping[str, Any], mode: str, state: Any = None) -> dict[str, Any]:
    """Return what a mode adds to the input.

    Args:
        action: The action's descriptor.
        mode: The mode.
        state: For `changes`: the state that the earlier run returned.
    """
    if mode == FULL:
        return dict(action.get("fullReadInput") or {})
    trigger = changes_trigger(action)
    return {str(trigger["stateInput"]): state} if mode == CHANGES and trigger else {}


def estimated_calls(action: Mapping[str, Any], estimate: Mapping[str, Any]) -> dict[str, Any]:
    """Return `totalCount`, `apiCalls` and `meteredCalls` of a full sync; a number that is not known is None.

    Args:
        action: The action's descriptor, whose `cost` completes the estimate.
        estimate: What `Connection.estimate` returned.
    """
    total = estimate.get("totalCount")
    cost: Mapping[str, Any] = next((cost for cost in action.get("cost") or () if cost.get("mode") == FULL), {})
    api = (cost.get("apiCalls"), cost.get("recordsPerApiCall"))
    metered = (cost.get("meteredCalls"), cost.get("recordsPerMeteredCall"))
    calls = _first(estimate.get("apiCalls"), _calls(total, *api))
    # The estimate counts more exactly than the formula: where each call is metered, its number counts for both.
    all_metered = calls if cost and metered == api else _calls(total, *metered)
    return {
        "totalCount": total,
        "apiCalls": calls,
        "meteredCalls": _first(estimate.get("meteredCalls"), all_metered),
    }


def _calls(total: int | None, fixed: int | None, rows_per_call: int | None) -> int | None:
    if total is None or fixed is None:
        return None
    return fixed + (math.ceil(total / rows_per_call) if rows_per_call else 0)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
