"""
Where a cut-off read goes on, and since when the next one looks for changes: opaque texts that only we can write.

A cursor is bound to company, environment, entity and conditions, and signed with a key derived from the client secret:
one that was altered, or that belongs to another connection or another question, is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from vantage_quickbooks.config.settings import Settings

__all__ = ["Scribe"]

_VERSION = "1"
_LARGEST = 1 << 22


class Scribe:
    """Writes and reads the cursors of one connection and one question.

    Args:
        settings: The connection's settings.
        question: Everything that decides which records are asked for; another question refuses the cursor.
    """

    def __init__(self, settings: Settings, *question: str) -> None:
        bound = "\0".join((_VERSION, settings.environment, settings.realm_id, *question))
        key = hmac.new(settings.client_secret.reveal().encode(), b"cursor", hashlib.sha256).digest()
        self._key = hmac.new(key, bound.encode(), hashlib.sha256).digest()

    def write(self, state: dict[str, Any]) -> str:
        """Return *state*, plain JSON, as a cursor."""
        packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
        return base64.urlsafe_b64encode(self._sign(packed) + packed).decode().rstrip("=")

    def read(self, cursor: str, field: str) -> dict[str, Any]:
        """Return the state in a cursor.

        Args:
            cursor: What `write` returned.
            field: Name of the input that it came in, for the error.

        Raises:
            InputError: It was altered, or belongs to another connection or another question.
        """
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            signature, packed = raw[:16], raw[16:]
            if hmac.compare_digest(signature, self._sign(packed)):
                unpacker = zlib.decompressobj()
                state: dict[str, Any] = json.loads(unpacker.decompress(packed, _LARGEST))
                return state
        except (ValueError, zlib.error):
            pass
        entry = FieldError(
            field,
            "cursor",
            "This cursor was altered, or belongs to another company, client secret or question.",
            "Use it unaltered, with the same connection and the same conditions, or leave it out to begin anew.",
        )
        raise InputError(f"{field}: {entry.message} {entry.hint}", [entry])

    def _sign(self, packed: bytes) -> bytes:
        return hmac.new(self._key, packed, hashlib.sha256).digest()[:16]
