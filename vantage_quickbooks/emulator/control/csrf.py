"""Who may use the page and the control endpoints: programs and the page itself, no other web page.

The emulator listens on the machine of a person who also reads the web. A hostile page can
make that person's browser send requests here: by a form across sites, or under a name of
its own that it points to 127.0.0.1 (DNS rebinding). A browser says where a request comes
from, and a page cannot forge that; curl and other programs say nothing and are let in.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names that no stranger can register: RFC 6761 (localhost, test), ICANN 2024 (internal).
_OWN_SUFFIXES = (".localhost", ".test", ".internal")


def rejection_reason(method: str, headers: Mapping[str, str], own_host: str) -> str | None:
    """Say why a request is not let in.

    Args:
        method: Of the request.

        headers: By lower-case name.

        own_host: The name that the emulator was told to listen on.

    Returns:
        A sentence for a person, or None.
    """
    host = headers.get("host", "")
    if host and not _is_ours(_name(f"//{host}"), own_host.lower()):
        return "This address may belong to a stranger (Host header). Use the emulator's own address, or localhost."
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
    """Tell whether a name cannot be a stranger's: an address, a name without a dot, a reserved one, our own."""
    if not name:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name == own_host or name.endswith(_OWN_SUFFIXES)
    return True
