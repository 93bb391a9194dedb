"""A type for keys, tokens and passphrases that prevents accidental disclosure.

A `Secret` is printed, formatted and logged as asterisks, and cannot be serialized as JSON or pickled. Only `reveal`
returns the value: search for that word to find every place that uses it.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import urllib.parse
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["MASK", "Secret", "encoded", "redact", "redactor", "revealed"]

MASK = "********"
"""Replaces a secret in every text; of constant length, so that it does not disclose the secret's."""


class Secret:
    """Text that is not disclosed by accident.

    Args:
        value: The text.
    """

    __slots__ = ("__value",)
    __value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError("a secret is a str")
        object.__setattr__(self, "_Secret__value", value)

    def reveal(self) -> str:
        """Return the text; use it at once and do not store it."""
        return self.__value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret is immutable")

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time, and with other secrets only."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(encoded(self.reveal()), encoded(other.reveal()))

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self  # dataclasses.asdict copies deeply; copying by __reduce_ex__ would disclose the value

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "a secret cannot be serialized: pass the data of the settings form instead, and let the other process read "
            "its own environment"
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Do not serialize the asterisks: they would be restored as a secret that looks valid and is not.
        self.__getstate__()


def encoded(text: str) -> bytes:
    """Return *text* as UTF-8 bytes; lone surrogates are allowed."""
    return text.encode(errors="surrogatepass")


def revealed(value: Any) -> Any:
    """Return the text of a `Secret`, and any other value unchanged."""
    return value.reveal() if isinstance(value, Secret) else value


def redact(text: str, secrets: Iterable[str | Secret]) -> str:
    """Mask secrets in a text, also in the encodings of URLs, JSON and Basic authentication.

    Args:
        text: The text, such as an error of a library.
        secrets: The values to hide; empty ones are ignored. `client_id:client_secret` hides the Basic form.
    """
    return redactor(secrets)(text)


def redactor(secrets: Iterable[str | Secret]) -> Callable[[str], str]:
    """Return `redact` for the same secrets as a function of the text, for several texts.

    Args:
        secrets: As for `redact`.
    """
    values = {revealed(secret) for secret in secrets} - {""}
    spellings = {spelling for value in values for spelling in _spellings(value)}
    # The longest first, as one secret may begin with another. Without secrets: a pattern that never matches.
    longest_first = sorted(spellings, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(text) for text in longest_first) or r"(?!)")
    return lambda text: pattern.sub(MASK, text)


def _spellings(value: str) -> set[str]:
    raw = encoded(value)
    basic = base64.b64encode(raw).decode()
    quoted = {urllib.parse.quote(raw, safe=""), urllib.parse.quote(raw), urllib.parse.quote_plus(raw)}
    quoted |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    return {value, basic, urllib.parse.quote(basic, safe=""), basic.rstrip("="), *quoted, *escaped}
