"""The menu of actions: groups of the descriptor, and a filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MAX_UNFOLDED", "ActionGroup", "menu_of", "searchable_text"]

MAX_UNFOLDED = 12
"""A menu of at most so many actions is shown unfolded and without a filter."""


@dataclass(frozen=True, slots=True)
class ActionGroup:
    """Actions under a heading.

    Attributes:
        title: The heading; empty if the connector has no groups.
        is_open: Whether it is unfolded.
        actions: The actions.
    """

    title: str
    is_open: bool
    actions: tuple[Mapping[str, Any], ...]

    @property
    def size(self) -> int:
        """The number of actions."""
        return len(self.actions)


def menu_of(described: Mapping[str, Any], text: str = "") -> list[ActionGroup]:
    """Return the groups of a connector's actions, in the descriptor's order.

    The first group is unfolded, the others are folded, unless the menu is short or filtered. Actions without a group
    come next to last, deprecated ones last.

    Args:
        described: The connector's descriptor.
        text: Words that an action must contain, in its title, description or id; empty for all actions.
    """
    actions = [action for action in described["actions"] if _matches(action, text)]
    current = [action for action in actions if not action.get("deprecated")]
    groups = [group for group in described.get("groups") or () if isinstance(group, dict)]
    known = {group["id"] for group in groups}
    has_groups = any(action.get("group") in known for action in described["actions"])
    listed = [(str(group["title"]), [it for it in current if it.get("group") == group["id"]]) for group in groups]
    listed.append(("Other" if has_groups else "", [it for it in current if it.get("group") not in known]))
    listed.append(("Deprecated", [action for action in actions if action.get("deprecated")]))
    listed = [(title, members) for title, members in listed if members]
    is_unfolded = bool(text) or len(described["actions"]) <= MAX_UNFOLDED
    return [
        ActionGroup(title, is_unfolded or index == 0, tuple(members)) for index, (title, members) in enumerate(listed)
    ]


def searchable_text(action: Mapping[str, Any]) -> str:
    """Return the text that the filter searches."""
    return " ".join(str(action.get(name) or "") for name in ("title", "id", "description")).casefold()


def _matches(action: Mapping[str, Any], text: str) -> bool:
    words: Sequence[str] = text.casefold().split()
    searched = searchable_text(action)
    return all(word in searched for word in words)
