"""
The body of an answer: it waits as it came, and is unpacked at one go when it is needed.

A page of a thousand records takes a tenth of the memory while it is packed. Unpacked in the pieces in which it arrives,
as urllib3 does it, it takes twice the time.
"""

from __future__ import annotations

import contextlib
import threading
import zlib
from dataclasses import dataclass

from vantage_quickbooks.errors import UnexpectedResponseError

__all__ = ["MAX_BODY_MIB", "MAX_BODY_VARIABLE", "Limit", "ResponseBody"]

MAX_BODY_MIB = 256
"""Default limit of a body, unpacked or as it came: a page of 1,000 large invoices has some 5 MiB."""

MAX_BODY_VARIABLE = "VANTAGE_QUICKBOOKS_MAX_BODY_MIB"

_GZIP = 31
"""To zlib: a gzip header and trailer, and the largest window."""

_PIECE = 1 << 16
_MAX_MEMBERS = 100_000
"""Members of one gzip body: servers send one, or one for each flush of some kilobytes."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a body may be.

    Attributes:
        max_bytes: Bytes, unpacked or as it came.
        variable: The operator's variable that sets it; None if it is fixed.
    """

    max_bytes: int = MAX_BODY_MIB << 20
    variable: str | None = MAX_BODY_VARIABLE

    def exceeded(self) -> UnexpectedResponseError:
        """Return the error for a body that is larger."""
        hint = f" If such answers are expected, the operator can set a higher {self.variable}." if self.variable else ""
        return UnexpectedResponseError(
            f"The answer is larger than the limit of {self.max_bytes / (1 << 20):g} MiB, and nothing of it was used."
            + hint,
            retryable=False,
            details={"maxBytes": self.max_bytes, "variable": self.variable},
        )


_DEFAULT_LIMIT = Limit()


class ResponseBody:
    """The body of an answer; thread-safe.

    Args:
        data: The bytes.
        is_packed: Whether they are in gzip format (RFC 1952), of one member or more.
        limit: How large it may become when it is unpacked.
    """

    def __init__(self, data: bytes, *, is_packed: bool = False, limit: Limit = _DEFAULT_LIMIT) -> None:
        self._data = data
        self._is_packed = is_packed
        self._limit = limit
        self._lock = threading.Lock()

    def startswith(self, prefix: bytes) -> bool:
        """Tell whether the unpacked body begins so; False if it cannot be unpacked."""
        with self._lock:
            if not self._is_packed:
                return self._data.startswith(prefix)
            with contextlib.suppress(zlib.error):
                return zlib.decompressobj(_GZIP).decompress(self._data, len(prefix) + 1).startswith(prefix)
        return False

    def decompress(self) -> None:
        """Unpack the body.

        Raises:
            UnexpectedResponseError: It was damaged on the way, or is larger than allowed; no more was unpacked.
        """
        with self._lock:
            if self._is_packed:
                try:
                    self._data = _unpacked(self._data, self._limit)
                except zlib.error:
                    raise UnexpectedResponseError("The answer of QuickBooks was damaged on the way.") from None
                self._is_packed = False

    def read(self) -> bytes:
        """Return the unpacked body, and keep nothing of it.

        Raises:
            UnexpectedResponseError: See `decompress`.
        """
        self.decompress()
        data, self._data = self._data, b""
        return data


def _unpacked(data: bytes, limit: Limit) -> bytes:
    member = zlib.decompressobj(_GZIP)
    first = member.decompress(data, limit.max_bytes + 1)
    if len(first) > limit.max_bytes:
        raise limit.exceeded()
    if not member.eof:
        raise zlib.error
    return b"".join([first, *_further(member.unused_data, limit, len(first))]) if member.unused_data else first


def _further(data: bytes, limit: Limit, unpacked: int) -> list[bytes]:
    """Unpack the members after the first, in pieces: zlib copies what follows a member."""
    parts: list[bytes] = []
    position = members = 0
    while position < len(data):
        members += 1
        if members > _MAX_MEMBERS:
            raise zlib.error
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            piece = data[position : position + _PIECE]
            if not piece:
                raise zlib.error
            part = member.decompress(piece, limit.max_bytes - unpacked + 1)
            unpacked += len(part)
            if unpacked > limit.max_bytes:
                raise limit.exceeded()
            parts.append(part)
            position += len(piece) - len(member.unused_data)
    return parts
