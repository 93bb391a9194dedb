"""
The settings of one connection: read once from what a form holds, checked, and never changed.

A secret is guarded by its type. It is printed, formatted and logged as asterisks wherever it goes, cannot be written
as JSON or pickled, and gives its value to `reveal` only: search for that word to see every place that has it.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

from vantage_quickbooks import tokens
from vantage_quickbooks.errors import FieldError, SettingsError
from vantage_quickbooks.validation import clean, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["GRANT_FIELDS", "MASK", "Secret", "Settings", "redact"]

MASK = "********"
"""What stands for a secret in every text: always eight, so that it does not tell the length."""

GRANT_FIELDS = ("refresh_token", "realm_id")
"""The settings that connecting a company fills in."""

# Intuit's keys since 2018: a client id is "AB" and 48 letters and digits, a client secret 40 letters and digits.
_CLIENT_ID = re.compile(r"AB[A-Za-z0-9]{48}")
_CLIENT_SECRET = re.compile(r"[A-Za-z0-9]{40}")


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
        return hmac.compare_digest(_bytes(self.reveal()), _bytes(other.reveal()))

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self  # dataclasses.asdict copies deeply; a copy would come by way of __reduce_ex__, and tell the value

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret is not serialised; hand over the settings form's own data instead")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Asterisks in its place would come back as a secret that looks usable and locks a customer out.
        self.__getstate__()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings form holds, valid.

    Attributes:
        client_id: The OAuth app.
        client_secret: Its secret.
        refresh_token: First link of the chain of refresh tokens; Intuit has long replaced it in a running connection.
        realm_id: The QuickBooks company.
        max_results: Most records that one API call fetches, unless the call says otherwise.
        environment: `production` or `sandbox`.
    """

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    realm_id: str
    max_results: int = 100
    environment: str = "production"

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Read what a form, a file or a host hands over.

        Args:
            data: The settings, by the names of `settings.schema.json`. Secrets may already be `Secret`s.

        Returns:
            The settings, tidied and with defaults filled in.

        Raises:
            SettingsError: With one entry for each field that is wrong, all at once, and no secret in any.
        """
        cleaned, fields = clean("settings.schema", _revealed(data))
        if fields:
            raise SettingsError(summarize("setting", fields), fields)
        for name in ("client_secret", "refresh_token"):
            cleaned[name] = Secret(cleaned[name])
        return cls(**cleaned)

    @classmethod
    def parse_app(cls, data: Mapping[str, Any]) -> Self:
        """Read the settings of a company that is about to be connected, so that it has no grant yet.

        Args:
            data: As for `parse`; refresh token and realm are not looked at, whatever they hold.

        Returns:
            Settings that are good for asking for consent, and for nothing else.

        Raises:
            SettingsError: Another field is wrong.
        """
        return cls.parse({**data, "refresh_token": "not-connected-yet", "realm_id": "0"})

    def fingerprint(self) -> str:
        """Return what tells whether tokens were obtained with this client id and secret (see `tokens.fingerprint`)."""
        return tokens.fingerprint(self.client_id, self.client_secret.reveal())

    def warnings(self) -> list[FieldError]:
        """Return what is allowed but will hardly work, one entry a field, in the order of the form.

        Nothing is asked of Intuit: these are mistakes that the values themselves give away.
        """
        found: dict[str, FieldError] = {}
        for entry in (*self._samples(), *self._mix_ups()):
            found.setdefault(entry.field, entry)
        order = list(Settings.__dataclass_fields__)
        return sorted(found.values(), key=lambda entry: order.index(entry.field))

    def redactor(self, *more: str | Secret) -> Callable[[str], str]:
        """Return a function that masks the secrets of these settings in a text.

        Args:
            more: Further secrets, such as the tokens in force.
        """
        client_id, secret = self.client_id, self.client_secret.reveal()
        patterns = _patterns((secret, self.refresh_token, f"{client_id}:{secret}", *more))
        return lambda text: patterns.sub(MASK, text)

    def _samples(self) -> Iterable[FieldError]:
        samples = {
            "client_id": ("Client ID", self.client_id),
            "client_secret": ("Client Secret", self.client_secret.reveal()),
            "refresh_token": ("Refresh Token", self.refresh_token.reveal()),
            "realm_id": ("Realm ID", self.realm_id),
        }
        for name, (title, value) in samples.items():
            if value.startswith("your-"):
                message = f"{title} still holds the sample text of the documentation."
                yield FieldError(name, "sample", message, "Put your own in its place, from developer.intuit.com.")

    def _mix_ups(self) -> Iterable[FieldError]:
        secret, token = self.client_secret.reveal(), self.refresh_token.reveal()
        keys = "Copy both from the Keys & credentials page of your app at developer.intuit.com."
        if secret == self.client_id:
            yield FieldError("client_secret", "equal", "Client Secret and Client ID are the same text.", keys)
        elif _CLIENT_ID.fullmatch(secret) and _CLIENT_SECRET.fullmatch(self.client_id):
            yield FieldError("client_secret", "swapped", "Client Secret and Client ID seem to be swapped.", keys)
        connect = "Paste the refresh token that connecting the company gave you: about 50 characters, without dots."
        if token in (self.client_id, secret):
            message = "Refresh Token is the same text as one of the app's keys."
            yield FieldError("refresh_token", "equal", message, connect)
        elif token.startswith("eyJ") and token.count(".") >= 2:  # Intuit's access tokens are JWEs: five parts, dots
            message = "Refresh Token looks like an access token, which is good for an hour only."
            yield FieldError("refresh_token", "accessToken", message, connect)


def redact(text: str, secrets: Iterable[str | Secret]) -> str:
    """Mask secrets in a text, as they are and as URLs, JSON and Basic authentication spell them.

    Args:
        text: The text, such as an error of a library.
        secrets: The values to hide; empty ones are ignored. `client_id:client_secret` hides the Basic form.
    """
    return _patterns(secrets).sub(MASK, text)


def _patterns(secrets: Iterable[str | Secret]) -> re.Pattern[str]:
    values = {secret.reveal() if isinstance(secret, Secret) else secret for secret in secrets} - {""}
    spellings = {spelling for value in values for spelling in _spellings(value)}
    # The longest first: one secret may begin with another. Nothing to hide: a pattern that matches nowhere.
    return re.compile("|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True)) or r"(?!)")


def _spellings(value: str) -> set[str]:
    raw = _bytes(value)
    encoded = base64.b64encode(raw).decode()
    quoted = {urllib.parse.quote(raw, safe=""), urllib.parse.quote(raw), urllib.parse.quote_plus(raw)}
    quoted |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    return {value, encoded, urllib.parse.quote(encoded, safe=""), encoded.rstrip("="), *quoted, *escaped}


def _revealed(data: Any) -> Any:
    """Return the data with its `Secret`s opened, for validation; anything but an object as it is."""
    if not isinstance(data, Mapping):
        return data
    return {key: value.reveal() if isinstance(value, Secret) else value for key, value in data.items()}
