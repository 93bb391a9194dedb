"""Parses `multipart/form-data`, as the clients of the upload endpoint write it.

Clients differ: line ends are CRLF or LF, parts have a file name or not, and python-quickbooks sends files as base64.
The standard library's parsers decode text, so that a file's bytes would not survive.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_MAX_PARTS = 100
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^;,\s]{1,200}))', re.IGNORECASE)
_PARAMETER = re.compile(r'(\w+)\*?=(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form.

    Attributes:
        name: The field's name.
        file_name: As the client sent it, or "".
        content_type: Lower-case, without parameters, or "".
        content: The bytes, decoded if they were sent as base64.
    """

    name: str
    file_name: str
    content_type: str
    content: bytes


def parse(content_type: str, body: bytes) -> list[Part]:
    """Parse a body.

    Args:
        content_type: The request's header.
        body: The bytes.

    Raises:
        ValueError: It is not multipart/form-data, or has no parts or too many.
    """
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        raise ValueError("the body is not multipart/form-data with a boundary")
    delimiter = re.escape(b"--" + (found[1] or found[2]).encode("latin-1", "replace"))
    pieces = re.split(rb"(?:\A|\r?\n|(?<=\n))" + delimiter, body)
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):  # the closing delimiter
            break
        if len(parts) == _MAX_PARTS:
            raise ValueError(f"more than {_MAX_PARTS} parts")
        parts.append(_part(re.sub(rb"\A[ \t]*\r?\n", b"", piece, count=1)))
    if not parts:
        raise ValueError("the body has no parts")
    return parts


def _part(piece: bytes) -> Part:
    end = _HEAD_END.search(piece)
    head, content = (piece[: end.start()], piece[end.end() :]) if end else (piece, b"")
    headers = {}
    for line in head.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    disposition = {
        name: quoted or bare for name, quoted, bare in _PARAMETER.findall(headers.get("content-disposition", ""))
    }
    if headers.get("content-transfer-encoding", "").lower() == "base64":
        try:
            content = base64.b64decode(content)
        except binascii.Error as error:
            raise ValueError(f"a part is not base64: {error}") from None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return Part(disposition.get("name", ""), disposition.get("filename", "").replace("\\", ""), kind, content)
