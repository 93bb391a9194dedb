"""
Turn token records into the text that is stored and back, encrypted if there is a key.

With a key the whole record is one Fernet token (AES-128-CBC and HMAC-SHA256) that begins with `fernet:` if the key is a
Fernet key, or with `scrypt:<salt>:` if it is a passphrase, from which scrypt derives the key. Plain records are still
read when a key is given, and encrypted when they are next saved.

There may be several keys: the first encrypts, each decrypts. That is how a key is replaced without a moment at which
some process cannot read: see `keys_of` for the spelling, and the stores' `reencrypt`.

An encrypted record names its chain, and is good for no other: whoever may write to the store, but has no key, cannot
give one company's tokens to another. Records of earlier releases name none, and are
still read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from vantage_quickbooks.core.secret import Secret, encoded, revealed
from vantage_quickbooks.core.tokens import TokenRecord
from vantage_quickbooks.errors import STORE_INVALID, STORE_UNREADABLE, TokenStoreError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["RECONNECT", "RecordCipher", "keys_of"]

RECONNECT = "connect the company again and paste the new refresh token into the settings, which begins a new chain"
"""The way out that always exists: another pasted token is another chain, so a damaged record no longer matters."""

_MOST_CIPHERS = 256
"""Derived keys that are kept: each process writes with a salt of its own, and deriving a key takes 0.15 s."""


_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


class _Key(NamedTuple):
    """One key: the text that was given, and the cipher if that is a Fernet key and no passphrase."""

    text: Secret
    cipher: Fernet | None


class RecordCipher:
    """Turns records into the text that is stored and back, encrypted if there is a key.

    Args:
        encryption_key: What `keys_of` reads; None for plain.

    Raises:
        TokenStoreError: The key is no good, or the extra `encryption` is not installed.
    """

    def __init__(self, encryption_key: str | Secret | None) -> None:
        self._keys: tuple[_Key, ...] = ()
        self._salt = ""
        self._most_ciphers = _MOST_CIPHERS
        self._derived: dict[tuple[Secret, str], Fernet] = {}
        self._guard = threading.Lock()
        if encryption_key is not None:
            self._keys = tuple(self._made(text) for text in keys_of(encryption_key))

    @property
    def is_encrypting(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def encrypt(self, record: TokenRecord, chain: str) -> str:
        """Return *record* as text that is good for *chain*."""
        if not self._keys:
            return json.dumps(record.to_dict())
        text = json.dumps({**record.to_dict(), "chain": chain}).encode()
        first = self._keys[0]
        if first.cipher is not None:
            return "fernet:" + first.cipher.encrypt(text).decode()
        # One salt a process, or that of a record read before: deriving a key from another takes 0.15 s.
        self._salt = self._salt or os.urandom(16).hex()
        return f"scrypt:{self._salt}:" + self._cipher(first, self._salt).encrypt(text).decode()

    def decrypt(self, text: Any, where: str, chain: str) -> TokenRecord:
        """Return the record in *text*, encrypted or plain.

        Args:
            text: What `encrypt` returned, or whatever else is stored in its place.
            where: The store, for the error.
            chain: The chain it is stored under.

        Raises:
            TokenStoreError: The key is missing or another one, or the text is no record of this chain.
        """
        is_sealed = isinstance(text, str) and text.startswith(("fernet:", "scrypt:"))
        if is_sealed:
            text = self._decrypted(text, where)
        try:
            data = json.loads(text)
            record = TokenRecord.from_dict(data)
        except (ValueError, TypeError) as error:
            # A JSON error quotes nothing but positions, yet only our own sentence is known to hold no value.
            what = "it is not JSON" if isinstance(error, json.JSONDecodeError | TypeError) else str(error)
            raise _damaged(what, where) from None
        if is_sealed and data.get("chain", chain) != chain:
            raise _damaged("it belongs to another chain", where)
        return record

    def is_current(self, text: Any, chain: str) -> bool:
        """Return whether *text* is what `encrypt` would make today: encrypted with the first key, bound to its chain."""
        if not self._keys or not isinstance(text, str):
            return False
        decrypted = self._opened(text, self._keys[:1])
        try:
            return decrypted is not None and json.loads(decrypted).get("chain") == chain
        except (ValueError, AttributeError):
            return False

    def _made(self, text: Secret) -> _Key:
        try:
            from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra, and 20 ms
        except ImportError:
            raise TokenStoreError(
                "The token store has an encryption key, but cryptography is not installed: "
                'run `pip install "vantage-quickbooks[encryption]"`.',
                code=STORE_INVALID,
            ) from None
        try:
            return _Key(text, Fernet(text.reveal()))
        except ValueError:
            return _Key(text, None)

    def _cipher(self, key: _Key, salt: str) -> Fernet:
        """Return the cipher of a passphrase for *salt*.

        Source: OWASP, "Password Storage Cheat Sheet" (scrypt N=2^14, r=8, p=5: 16 MiB).
        """
        with self._guard:
            cipher = self._derived.get((key.text, salt))
            if cipher is None:
                from base64 import urlsafe_b64encode  # noqa: PLC0415 -- only where there is a passphrase

                from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra

                passphrase = encoded(key.text.reveal())
                derived = hashlib.scrypt(passphrase, salt=bytes.fromhex(salt), n=2**14, r=8, p=5, dklen=32)
                while len(self._derived) >= self._most_ciphers:
                    del self._derived[next(iter(self._derived))]
                cipher = self._derived[key.text, salt] = Fernet(urlsafe_b64encode(derived))
        return cipher

    def _opened(self, text: str, keys: tuple[_Key, ...]) -> str | None:
        """Decrypt with whichever of *keys* fits."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- an extra

        kind, _, rest = text.partition(":")
        salt, _, token = rest.rpartition(":")
        for key in keys:
            if (key.cipher is None) != (kind == "scrypt"):
                continue
            with contextlib.suppress(InvalidToken, ValueError):
                opened = (key.cipher or self._cipher(key, salt)).decrypt(token.encode()).decode()
                if key is self._keys[0]:
                    self._salt = salt
                return opened
        return None

    def _decrypted(self, text: str, where: str) -> str:
        if not self._keys:
            raise TokenStoreError(
                f"The tokens in {where} are encrypted, and no encryption key was given. Nothing was changed. "
                f"Give the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT}.",
                code=STORE_UNREADABLE,
            )
        opened = self._opened(text, self._keys)
        if opened is None:
            raise TokenStoreError(
                f"The tokens in {where} were encrypted with another key, or are damaged. Nothing was changed. "
                f"Give the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT}.",
                code=STORE_UNREADABLE,
            )
        return opened


def keys_of(text: str | Secret) -> list[Secret]:
    """Read one key, or a list of keys: the first encrypts, each decrypts.

    Args:
        text: A Fernet key; any passphrase; several Fernet keys joined by commas; or several keys of either kind as a
            JSON array of strings. A passphrase is never split, for it may hold commas and blanks.

    Returns:
        The keys. A JSON array comes once more as a whole, as the last one: it may have been one passphrase before
        lists were known, and what it encrypted is still read.

    Raises:
        TokenStoreError: A key is empty, or it looks like a list and is none.
    """
    whole = revealed(text).strip()
    parts = [part.strip() for part in whole.split(",")]
    listed = _array(whole)
    if listed is not None:
        keys = [part.strip() for part in listed] + [whole]
    elif len(parts) > 1 and all(_FERNET_KEY.fullmatch(part) for part in parts):
        keys = parts
    elif len(parts) > 1 and any(_FERNET_KEY.fullmatch(part) for part in parts):
        raise TokenStoreError(
            "The encryption key of the token store looks like a list, and not all of it are Fernet keys. Write Fernet "
            'keys joined by commas, or keys and passphrases as a JSON array: ["new key", "old key"].',
            code=STORE_INVALID,
        )
    else:
        keys = [whole]
    if not all(keys):
        raise TokenStoreError(
            "The encryption key of the token store is empty. Give it a value, or unset it to store tokens plain.",
            code=STORE_INVALID,
        )
    return [Secret(key) for key in keys]


def _array(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return listed if listed and all(isinstance(part, str) for part in listed) else None


def _damaged(what: str, where: str) -> TokenStoreError:
    return TokenStoreError(
        f"The token record in {where} is damaged ({what}) and was left as it is. "
        f"Restore the store from a backup, or {RECONNECT}.",
        code=STORE_UNREADABLE,
    )
