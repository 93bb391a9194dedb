"""
Turn token records into the text that is stored and back, encrypted if there is a key.

With a key the whole record is one Fernet token (AES-128-CBC and HMAC-SHA256) that begins with `fernet:` if the key is a
Fernet key, or with `scrypt:<salt>:` if it is a passphrase, from which scrypt derives the key. Plain records are still
read when a key is given, and encrypted when they are next saved.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, cast

from vantage_quickbooks.errors import STORE_INVALID, STORE_UNREADABLE, TokenStoreError
from vantage_quickbooks.tokens import TokenRecord

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["RECONNECT", "Sealer"]

RECONNECT = "connect the company again and paste the new refresh token into the settings, which begins a new chain"
"""The way out that always exists: another pasted token is another chain, so a damaged record no longer matters."""


class Sealer:
    """Turns records into the text that is stored and back, encrypted if there is a key.

    Args:
        encryption_key: A Fernet key (`cryptography.fernet.Fernet.generate_key()`), or any passphrase; None for plain.

    Raises:
        TokenStoreError: The key is empty, or the extra `encryption` is not installed.
    """

    def __init__(self, encryption_key: str | None) -> None:
        self._passphrase: bytes | None = None
        self._salt = ""
        self._ciphers: dict[str, Fernet] = {}  # by salt; the Fernet key's own under ""
        if encryption_key is not None:
            self._begin(encryption_key.strip())

    def seal(self, record: TokenRecord) -> str:
        """Return *record* as text."""
        text = json.dumps(record.to_dict())
        if not self._is_encrypting:
            return text
        if self._passphrase is not None:
            # One salt a process, or that of a record read before: deriving a key from another takes 0.15 s.
            self._salt = self._salt or os.urandom(16).hex()
        cipher = cast("Fernet", self._cipher(self._salt))
        return (f"scrypt:{self._salt}:" if self._salt else "fernet:") + cipher.encrypt(text.encode()).decode()

    def unseal(self, text: Any, where: str) -> TokenRecord:
        """Return the record in *text*, encrypted or plain.

        Args:
            text: What `seal` returned, or whatever else is stored in its place.
            where: The store, for the error.

        Raises:
            TokenStoreError: The key is missing or another one, or the text is no record.
        """
        if isinstance(text, str) and text.startswith(("fernet:", "scrypt:")):
            text = self._decrypted(text, where)
        try:
            return TokenRecord.from_dict(json.loads(text))
        except (ValueError, TypeError) as error:
            # A JSON error quotes nothing but positions, yet only our own sentence is known to hold no value.
            what = "it is not JSON" if isinstance(error, json.JSONDecodeError | TypeError) else str(error)
            raise TokenStoreError(
                f"The token record in {where} is damaged ({what}) and was left as it is. "
                f"Restore the store from a backup, or {RECONNECT}.",
                code=STORE_UNREADABLE,
            ) from None

    @property
    def _is_encrypting(self) -> bool:
        return self._passphrase is not None or bool(self._ciphers)

    def _begin(self, key: str) -> None:
        if not key:
            raise TokenStoreError(
                "The encryption key of the token store is empty. Give it a value, or unset it to store tokens plain.",
                code=STORE_INVALID,
            )
        try:
            from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra, and 20 ms
        except ImportError:
            raise TokenStoreError(
                "The token store has an encryption key, but cryptography is not installed: "
                'run `pip install "vantage-quickbooks[encryption]"`.',
                code=STORE_INVALID,
            ) from None
        try:
            self._ciphers[""] = Fernet(key)
        except ValueError:
            self._passphrase = key.encode()

    def _cipher(self, salt: str) -> Fernet | None:
        """Return the Fernet key's own cipher (no salt), or the passphrase's for *salt*; None for the other kind.

        Source: OWASP, "Password Storage Cheat Sheet" (scrypt N=2^14, r=8, p=5: 16 MiB).
        """
        if salt and salt not in self._ciphers and self._passphrase is not None:
            from base64 import urlsafe_b64encode  # noqa: PLC0415 -- only where there is a passphrase

            from cryptography.fernet import Fernet  # noqa: PLC0415 -- an extra

            derived = hashlib.scrypt(self._passphrase, salt=bytes.fromhex(salt), n=2**14, r=8, p=5, dklen=32)
            self._ciphers[salt] = Fernet(urlsafe_b64encode(derived))
        return self._ciphers.get(salt)

    def _decrypted(self, text: str, where: str) -> str:
        if not self._is_encrypting:
            raise TokenStoreError(
                f"The tokens in {where} are encrypted, and no encryption key was given. Nothing was changed. "
                f"Give the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT}.",
                code=STORE_UNREADABLE,
            )
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 -- an extra

        salt, _, token = text.partition(":")[2].rpartition(":")
        with contextlib.suppress(InvalidToken, ValueError):
            cipher = self._cipher(salt)
            if cipher:
                text = cipher.decrypt(token.encode()).decode()
                self._salt = salt
                return text
        raise TokenStoreError(
            f"The tokens in {where} were encrypted with another key, or are damaged. Nothing was changed. "
            f"Give the key they were saved with (VANTAGE_QUICKBOOKS_TOKEN_KEY), or {RECONNECT}.",
            code=STORE_UNREADABLE,
        )
