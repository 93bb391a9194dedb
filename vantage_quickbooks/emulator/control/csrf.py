"""Rejects requests to the page and the control endpoints that another web page sends.

The emulator runs on the machine of a person who also browses the web. A hostile page can make the person's browser send
requests to the emulator: by a form across sites, or by its own host name, redirected to 127.0.0.1 (DNS rebinding). A
browser adds headers that say where a request comes from, and a page cannot forge them
(https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Sec-Fetch-Site). curl and other programs add none and are
admitted.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names that cannot be registered: RFC 6761 (localhost, test), ICANN 2024 (internal).
_OWN_SUFFIXES = (".localhost", ".test", ".internal")


def rejection_reason(method: str, headers: Mapping[str, str], own_host: str) -> str | None:
    """Return why a request is rejected, as a sentence for a person; None if it is not.

    Args:
        method: The request's method.
        headers: By lower-case name.
        own_host: The name that the emulator listens on.
    """
    host = headers.get("host", "")
    if host and not _is_ours(_name(f"//{host}"), own_host.lower()):
        return "This host name is not the emulator's (Host header). Use the emulator's own address, or localhost."
    if method in ("GET", "HEAD"):
        return None  # nothing changes, and another page cannot read the answer
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return "Another web page sent this (Sec-Fetch-Site header)."
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != host.lower():
        return "Another web page sent this (Origin header)."
    return None


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_ours(name: str | None, own_host: str) -> bool:
    """Return whether a host name is safe: an address, a name without a dot, a reserved name, or our own."""
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name == own_host or name.endswith(_OWN_SUFFIXES)
    return True
