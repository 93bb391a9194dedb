"""Cursors: where an interrupted read continues, and since when the next one looks for changes.

A cursor is an opaque text. It belongs to a company, an environment, an entity and a selection of its records, and is
signed with a key derived from the client secret: an altered one, or one of another connection or selection, is
rejected. itsdangerous signs and encodes it: https://itsdangerous.palletsprojects.com/en/stable/url_safe/
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from typing import TYPE_CHECKING, Any

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from vantage_quickbooks.errors import FieldError, InputError

if TYPE_CHECKING:
    from vantage_quickbooks.config.settings import Settings

__all__ = ["CursorSerializer"]

_VERSION = "2"

_MAX_STATE = 1 << 22
"""Maximum size of a decompressed state in bytes; no state that is written has more."""


class CursorSerializer:
    """Writes and reads the cursors of one connection and one selection.

    Args:
        settings: The connection's settings.
        selection: Everything that decides which records are read; with another selection, the cursor is rejected.
        version: Version of what is written; cursors of another version are rejected.
    """

    def __init__(self, settings: Settings, *selection: str, version: str = _VERSION) -> None:
        bound = "\0".join((version, settings.environment, settings.realm_id, *selection))
        key = hmac.new(settings.client_secret.reveal().encode(), b"cursor", hashlib.sha256).digest()
        self._signer = Signer(key, salt=hashlib.sha256(bound.encode()).digest(), digest_method=hashlib.sha256)

    def dumps(self, state: dict[str, Any]) -> str:
        """Return *state*, plain JSON, as a cursor."""
        packed = zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 9)
        return self._signer.sign(base64_encode(packed)).decode()

    def loads(self, cursor: str, field: str) -> dict[str, Any]:
        """Return the state in a cursor.

        Args:
            cursor: What `dumps` returned.
            field: Name of the input that it came in, for the error.

        Raises:
            InputError: It was altered, or belongs to another connection or another selection.
        """
        try:
            packed = base64_decode(self._signer.unsign(cursor))
            state: dict[str, Any] = json.loads(zlib.decompressobj().decompress(packed, _MAX_STATE))
        except (BadData, ValueError, zlib.error):
            entry = FieldError(
                field,
                "cursor",
                "This cursor was altered, or belongs to another company, client secret or set of filters.",
                "Use it unaltered, with the same connection and the same filters, or leave it out to start over.",
            )
            raise InputError(f"{field}: {entry.message} {entry.hint}", [entry]) from None
        return state
