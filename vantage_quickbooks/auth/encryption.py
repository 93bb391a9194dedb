"""Converts token records to the text that is stored and back, encrypted if there is a key.

With a key, a record is stored as one Fernet token (AES-128-CBC and HMAC-SHA256, https://github.com/fernet/spec) with a
prefix: `fernet:` for a Fernet key, or `scrypt:<salt>:` for a passphrase, from which scrypt derives the key. Plain
records can still be read when a key is given, and are encrypted at the next save.

There can be several keys: the first one encrypts, each decrypts. That way a key is replaced while every process can
read at any time: see `parse_keys` for the syntax, and `reencrypt` of the stores.

An encrypted record contains the name of its chain and is valid for no other chain: an attacker who can write to the
store, but has no key, cannot give one company's tokens to another. Records of earlier releases contain no name and can
still be read.
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

__all__ = ["RECONNECT_HINT", "RecordCipher", "TextCipher", "UndecryptableError", "parse_keys"]

RECONNECT_HINT = "connect the company again and paste the new refresh token into the settings, which starts a new chain"
"""The remedy that always works: a new refresh token starts a new chain, so a damaged record is no longer used."""

MAX_DERIVED_KEYS = 256
"""Derived keys to keep in memory: each process writes with its own salt, and deriving a key takes 0.15 s."""

_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


class _Key(NamedTuple):
    """One key: its text, and its cipher if it is a Fernet key and not a passphrase."""

    text: Secret
    fernet: Fernet | None


class UndecryptableError(Exception):
    """No key decrypts a text: it was encrypted with another key, or it is damaged."""


class TextCipher:
    """Encrypts text with the first of several keys, and decrypts it with any of them.

    Args:
        encryption_key: One or more keys, see `parse_keys`; None if there is none.

    Raises:
        TokenStoreError: The key is invalid, or the extra `encryption` is not installed.
    """

    def __init__(self, encryption_key: str | Secret | None) -> None:
        self._keys: tuple[_Key, ...] = ()
        self._salt = ""
        self._max_derived = MAX_DERIVED_KEYS
        self._derived: dict[tuple[Secret, str], Fernet] = {}
        self._guard = threading.Lock()
        if encryption_key is not None:
            self._keys = tuple(_make_key(text) for text in parse_keys(encryption_key))

    @property
    def needs_salt(self) -> bool:
        """Whether the next text would be encrypted with a new salt; it is not if a text was decrypted before."""
        return bool(self._keys) and self._keys[0].fernet is None and not self._salt

    def encrypt_text(self, plain: str) -> str:
        """Return *plain* encrypted with the first key; there must be one."""
        first = self._keys[0]
        if first.fernet is not None:
            return "fernet:" + first.fernet.encrypt(plain.encode()).decode()
        # One salt per process, or that of a text read before: deriving a key with another salt takes 0.15 s.
        self._salt = self._salt or os.urandom(16).hex()
        return f"scrypt:{self._salt}:" + self._derive(first, self._salt).encrypt(plain.encode()).decode()

    def decrypt_text(self, text: str) -> str:
        """Return what `encrypt_text` was given.

        Raises:
            UndecryptableError: No key matches, or there is none.
        """
        plain = self._try_keys(text, self._keys) if self._keys else None
        if plain is None:
            raise UndecryptableError
        return plain

    def decrypt_with_first_key(self, text: Any) -> str | None:
        """Return what `encrypt_text` was given if *text* is encrypted with the first key, otherwise None."""
        if not self._keys or not isinstance(text, str):
            return None
        return self._try_keys(text, self._keys[:1])

    def _derive(self, key: _Key, salt: str) -> Fernet:
        """Return the cipher of a passphrase for *salt*.

        Source: scrypt with N=2^14, r=8, p=5 (16 MiB),
        https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt.
        """
        with self._guard:
            fernet = self._derived.get((key.text, salt))
            if fernet is None:
                from base64 import urlsafe_b64encode  # noqa: PLC0415 -- needed only for a passphrase

                from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra

                passphrase = encoded(key.text.reveal())
                derived = hashlib.scrypt(passphrase, salt=bytes.fromhex(salt), n=2**14, r=8, p=5, dklen=32)
                while len(self._derived) >= self._max_derived:
                    del self._derived[next(iter(self._derived))]
                fernet = self._derived[key.text, salt] = Fernet(urlsafe_b64encode(derived))
        return fernet

    def _try_keys(self, text: str, keys: tuple[_Key, ...]) -> str | None:
        """Decrypt with the first of *keys* that matches; None if no key does."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- an extra

        kind, _, rest = text.partition(":")
        salt, _, token = rest.rpartition(":")
        for key in keys:
            if (key.fernet is None) != (kind == "scrypt"):
                continue
            with contextlib.suppress(InvalidToken, ValueError):
                plain = (key.fernet or self._derive(key, salt)).decrypt(token.encode()).decode()
                if key is self._keys[0]:
                    self._salt = salt
                return plain
        return None


class RecordCipher(TextCipher):
    """Converts records to the text that is stored and back, encrypted if there is a key.

    Args:
        encryption_key: One or more keys, see `parse_keys`; None stores records as plain text.

    Raises:
        TokenStoreError: The key is invalid, or the extra `encryption` is not installed.
    """

    def encrypt(self, record: TokenRecord, chain: str) -> str:
        """Return *record* as text that is valid for *chain* only."""
        if not self._keys:
            return json.dumps(record.to_dict())
        return self.encrypt_text(json.dumps({**record.to_dict(), "chain": chain}))

    def decrypt(self, text: Any, where: str, chain: str) -> TokenRecord:
        """Return the record in *text*, which is encrypted or plain.

        Args:
            text: What `encrypt` returned, or any other value found in its place.
            where: The store's description, for the error.
            chain: The chain under which it is stored.

        Raises:
            TokenStoreError: The key is missing or does not match, or the text is not a record of this chain.
        """
        is_encrypted = isinstance(text, str) and text.startswith(("fernet:", "scrypt:"))
        if is_encrypted:
            text = self._decrypt_record(text, where)
        try:
            data = json.loads(text)
            record = TokenRecord.from_dict(data)
        except (ValueError, TypeError) as error:
            # A JSON error quotes only positions, but only our own messages are known to contain no value.
            reason = "it is not JSON" if isinstance(error, json.JSONDecodeError | TypeError) else str(error)
            raise _damaged_error(reason, where) from None
        if is_encrypted and data.get("chain", chain) != chain:
            raise _damaged_error("it belongs to another chain", where)
        return record

    def is_current(self, text: Any, chain: str) -> bool:
        """Return whether *text* is what `encrypt` would return: encrypted with the first key, bound to its chain."""
        plain = self.decrypt_with_first_key(text)
        try:
            return plain is not None and json.loads(plain).get("chain") == chain
        except (ValueError, AttributeError):
            return False

    def _decrypt_record(self, text: str, where: str) -> str:
        try:
            return self.decrypt_text(text)
        except UndecryptableError:
            why = (
                "were encrypted with another key, or are damaged"
                if self._keys
                else "are encrypted, and no encryption key was given"
            )
        raise TokenStoreError(
            f"The tokens in {where} {why}. Nothing was changed. "
            f"Set the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT_HINT}.",
            code=STORE_UNREADABLE,
        )


def _make_key(text: Secret) -> _Key:
    try:
        from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra, and 20 ms
    except ImportError:
        raise TokenStoreError(
            "There is an encryption key (VANTAGE_QUICKBOOKS_TOKEN_KEY), but cryptography is not installed: "
            'run `pip install "vantage-quickbooks[encryption]"`.',
            code=STORE_INVALID,
        ) from None
    try:
        return _Key(text, Fernet(text.reveal()))
    except ValueError:
        return _Key(text, None)


def parse_keys(text: str | Secret) -> list[Secret]:
    """Parse one key or a list of keys: the first one encrypts, each decrypts.

    Args:
        text: A Fernet key; any passphrase; several Fernet keys separated by commas; or several keys of either kind as a
            JSON array of strings. A passphrase is never split, because it may contain commas and spaces.

    Returns:
        The keys. The text of a JSON array is itself added as the last key: it may have been a passphrase before
        lists were supported, and what it encrypted can still be read.

    Raises:
        TokenStoreError: A key is empty, or the text mixes Fernet keys and other text separated by commas.
    """
    full_text = revealed(text).strip()
    parts = [part.strip() for part in full_text.split(",")]
    array = _parse_array(full_text)
    if array is not None:
        keys = [part.strip() for part in array] + [full_text]
    elif len(parts) > 1 and all(_FERNET_KEY.fullmatch(part) for part in parts):
        keys = parts
    elif len(parts) > 1 and any(_FERNET_KEY.fullmatch(part) for part in parts):
        raise TokenStoreError(
            "The encryption key looks like a list, but some of its parts are not Fernet keys. "
            "Separate Fernet keys by commas, or write keys and passphrases as a JSON array: "
            '["new key", "old key"].',
            code=STORE_INVALID,
        )
    else:
        keys = [full_text]
    if not all(keys):
        raise TokenStoreError(
            "The encryption key (VANTAGE_QUICKBOOKS_TOKEN_KEY) is empty. Set a value, or unset it to store tokens as "
            "plain text.",
            code=STORE_INVALID,
        )
    return [Secret(key) for key in keys]


def _parse_array(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        array = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return array if array and all(isinstance(part, str) for part in array) else None


def _damaged_error(reason: str, where: str) -> TokenStoreError:
    return TokenStoreError(
        f"The token record in {where} is damaged ({reason}) and was left unchanged. "
        f"Restore the store from a backup, or {RECONNECT_HINT}.",
        code=STORE_UNREADABLE,
    )
