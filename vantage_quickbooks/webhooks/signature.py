"""The signature of a webhook. Standard library only.

`intuit-signature` is the base64 of the HMAC-SHA256 of the body, as it was received, with the app's verifier token.
Source: https://developer.intuit.com/app/developer/qbo/docs/develop/webhooks.
"""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SIGNATURE_HEADER", "verify"]

SIGNATURE_HEADER = "intuit-signature"


def verify(body: bytes, signature: str | None, verifier_token: str | Iterable[str]) -> bool:
    """Return whether a body was signed with a verifier token, in constant time.

    Args:
        body: The bytes of the request's body, before anything parses or re-encodes them.
        signature: The header `intuit-signature`; None if there is none.
        verifier_token: The verifier token of the app; several while one replaces another.

    Raises:
        ValueError: There is no token, or one is empty: every sender could sign with it.
    """
    tokens = [verifier_token] if isinstance(verifier_token, str) else list(verifier_token)
    if not tokens or not all(token.strip() for token in tokens):
        raise ValueError("A webhook cannot be verified without a verifier token: it is empty or missing.")
    given = (signature or "").encode("utf-8", "surrogatepass")
    is_valid = False
    for token in tokens:  # all of them, so that the time does not depend on which one matches
        expected = base64.b64encode(hmac.digest(token.encode(), body, "sha256"))
        is_valid |= hmac.compare_digest(expected, given)
    return is_valid
