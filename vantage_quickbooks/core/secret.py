"""
The type of whatever nobody may see by accident: keys, tokens, passphrases.

It is printed, formatted and logged as asterisks wherever it goes, cannot be written as JSON or pickled, and gives its
value to `reveal` only: search for that word to see every place that has it.
"""

from __future__ import annotations

import hmac
from typing import Any, NoReturn, Self

__all__ = ["MASK", "Secret", "encoded", "revealed"]

MASK = "********"
"""What stands for a secret in every text: always eight, so that it does not tell the length."""


class Secret:
    """Text that nobody sees by accident.

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
        """Return the text itself, to be used at once and kept nowhere."""
        return self.__value

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret does not change")

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
        return self  # dataclasses.asdict copies deeply; a copy would come by way of __reduce_ex__, and tell the value

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            "a secret is not serialised: hand over the settings form's own data, and let the other process read its "
            "own environment"
        )

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Asterisks in its place would come back as a secret that looks usable and locks a customer out.
        self.__getstate__()


def encoded(text: str) -> bytes:
    """Return *text* as bytes, whatever is in it."""
    return text.encode(errors="surrogatepass")


def revealed(value: Any) -> Any:
    """Return the text of a secret, and anything else as it is."""
    return value.reveal() if isinstance(value, Secret) else value
