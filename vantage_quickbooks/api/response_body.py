"""The body of a response: kept as received, and decompressed in one step when it is needed.

Compressed, a page of a thousand records takes a tenth of the memory. Decompressing it in the pieces in which it
arrives, as urllib3 does, takes twice the time.
"""

from __future__ import annotations

import contextlib
import threading
import zlib
from dataclasses import dataclass

from vantage_quickbooks.config.deployment import MAX_BODY_MIB, MAX_BODY_VARIABLE
from vantage_quickbooks.errors import UnexpectedResponseError

__all__ = ["BodyLimit", "ResponseBody"]

_GZIP_FORMAT = 31
"""The `wbits` of zlib for a gzip header and trailer, and the largest window.

Source: https://docs.python.org/3/library/zlib.html#zlib.decompress.
"""

_CHUNK_SIZE = 1 << 16
MAX_GZIP_MEMBERS = 100_000
"""Maximum number of members of a gzip body: servers send one, or one for each flush of some kilobytes."""


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Maximum size of a body.

    Attributes:
        max_bytes: Maximum number of bytes, compressed and decompressed.
        variable: The operator's environment variable for it; None if it is fixed.
    """

    max_bytes: int = MAX_BODY_MIB << 20
    variable: str | None = MAX_BODY_VARIABLE

    def exceeded_error(self) -> UnexpectedResponseError:
        """Return the error for a larger body."""
        hint = f" If you expect such responses, set a higher {self.variable}." if self.variable else ""
        return UnexpectedResponseError(
            f"The response is larger than the limit of {self.max_bytes / (1 << 20):g} MiB and was discarded." + hint,
            retryable=False,
            details={"maxBytes": self.max_bytes, "variable": self.variable},
        )


_DEFAULT_LIMIT = BodyLimit()


class ResponseBody:
    """The body of a response; thread-safe.

    Args:
        data: The bytes.
        is_compressed: Whether they are in gzip format (RFC 1952), with one member or more.
        limit: Maximum size after decompression.
    """

    def __init__(self, data: bytes, *, is_compressed: bool = False, limit: BodyLimit = _DEFAULT_LIMIT) -> None:
        self._data = data
        self._is_compressed = is_compressed
        self._limit = limit
        self._lock = threading.Lock()

    def startswith(self, prefix: bytes) -> bool:
        """Return whether the decompressed body starts with *prefix*; False if it cannot be decompressed."""
        with self._lock:
            if not self._is_compressed:
                return self._data.startswith(prefix)
            with contextlib.suppress(zlib.error):
                return zlib.decompressobj(_GZIP_FORMAT).decompress(self._data, len(prefix) + 1).startswith(prefix)
        return False

    def decompress(self) -> None:
        """Decompress the body in place.

        Raises:
            UnexpectedResponseError: It is damaged, or larger than the limit; no more than that was decompressed.
        """
        with self._lock:
            if self._is_compressed:
                try:
                    self._data = _gunzip(self._data, self._limit)
                except zlib.error:
                    raise UnexpectedResponseError("The response of QuickBooks was damaged in transit.") from None
                self._is_compressed = False

    def read(self) -> bytes:
        """Return the decompressed body, and release it: a second call returns nothing.

        Raises:
            UnexpectedResponseError: See `decompress`.
        """
        self.decompress()
        data, self._data = self._data, b""
        return data


def _gunzip(data: bytes, limit: BodyLimit) -> bytes:
    member = zlib.decompressobj(_GZIP_FORMAT)
    first = member.decompress(data, limit.max_bytes + 1)
    if len(first) > limit.max_bytes:
        raise limit.exceeded_error()
    if not member.eof:
        raise zlib.error
    return b"".join([first, *_gunzip_rest(member.unused_data, limit, len(first))]) if member.unused_data else first


def _gunzip_rest(data: bytes, limit: BodyLimit, size: int) -> list[bytes]:
    """Decompress the members after the first, in chunks, because zlib copies the data that follows a member."""
    parts: list[bytes] = []
    position = members = 0
    while position < len(data):
        members += 1
        if members > MAX_GZIP_MEMBERS:
            raise zlib.error
        member = zlib.decompressobj(_GZIP_FORMAT)
        while not member.eof:
            chunk = data[position : position + _CHUNK_SIZE]
            if not chunk:
                raise zlib.error
            part = member.decompress(chunk, limit.max_bytes - size + 1)
            size += len(part)
            if size > limit.max_bytes:
                raise limit.exceeded_error()
            parts.append(part)
            position += len(chunk) - len(member.unused_data)
    return parts
