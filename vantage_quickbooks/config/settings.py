"""
The settings of one connection: read once from what a form holds, checked, and never changed.

Its secrets are guarded by their type: see `secret`.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from vantage_quickbooks.config.validation import clean, summarize
from vantage_quickbooks.core import endpoints, tokens
from vantage_quickbooks.core.secret import MASK, Secret, encoded, revealed
from vantage_quickbooks.errors import FieldError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["EMULATOR", "GRANT_FIELDS", "MASK", "Secret", "Settings", "is_emulators", "redact"]

GRANT_FIELDS = ("refresh_token", "realm_id")
"""The settings that connecting a company fills in."""

# Intuit's keys since 2018: a client id is "AB" and 48 letters and digits, a client secret 40 letters and digits.
_CLIENT_ID = re.compile(r"AB[A-Za-z0-9]{48}")
_CLIENT_SECRET = re.compile(r"[A-Za-z0-9]{40}")

EMULATOR = "emulator"
"""The environment of companies on a local emulator of QuickBooks, at `emulator_url`."""

# The emulator makes credentials of Intuit's form with this mark (`emulator.oauth.authorization_server.MARK`). One in
# 10**14 of Intuit's has it by chance.
_EMULATORS = {
    "client_id": re.compile(r"ABemulator[A-Za-z0-9]{40}"),
    "client_secret": re.compile(r"emulator[A-Za-z0-9]{32}"),
    "refresh_token": re.compile(r"RT1-\d+-H0-\d+emulator[A-Za-z0-9]{12}"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings form holds, valid.

    Attributes:
        client_id: The OAuth app.
        client_secret: Its secret.
        refresh_token: First link of the chain of refresh tokens; Intuit has long replaced it in a running connection.
        realm_id: The QuickBooks company.
        max_results: Most records that one API call fetches, unless the call says otherwise.
        environment: `production`, `sandbox` or `emulator`.
        emulator_url: Where the emulator listens, on this machine; None for Intuit's two environments.
    """

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    realm_id: str
    max_results: int = 100
    environment: str = "production"
    emulator_url: str | None = None

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
        fields = fields or _misplaced(cleaned)
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

    def is_emulators(self) -> bool:
        """Return whether client id, client secret or refresh token was made up by the emulator."""
        secrets = {"client_secret": self.client_secret.reveal(), "refresh_token": self.refresh_token.reveal()}
        return is_emulators({"client_id": self.client_id, **secrets})

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


def is_emulators(data: Mapping[str, Any]) -> bool:
    """Return whether a settings form's data holds a credential that the emulator made up."""
    return any(pattern.fullmatch(str(data.get(name, ""))) for name, pattern in _EMULATORS.items())


def _misplaced(cleaned: Mapping[str, Any]) -> list[FieldError]:
    """Return what is wrong with environment and emulator_url together: each needs the other."""
    url, is_emulator = cleaned.get("emulator_url"), cleaned.get("environment") == EMULATOR
    if is_emulator and url is None:
        message = "The emulator's address is missing."
        hint = "Set emulator_url to where it listens, such as http://127.0.0.1:8085; the emulator prints it."
        return [FieldError("emulator_url", "required", message, hint)]
    if url is not None and not is_emulator:
        message = f"Emulator URL goes with environment emulator, not {cleaned.get('environment', 'production')}."
        return [FieldError("emulator_url", "together", message, "Set environment to emulator, or leave the URL out.")]
    if url is not None and not endpoints.is_loopback_origin(url):
        message = "Emulator URL is not an address of this machine."
        hint = "Write a scheme, this machine and a port: http://127.0.0.1:8085. No emulator is spoken to elsewhere."
        return [FieldError("emulator_url", "url", message, hint)]
    return []


def redact(text: str, secrets: Iterable[str | Secret]) -> str:
    """Mask secrets in a text, as they are and as URLs, JSON and Basic authentication spell them.

    Args:
        text: The text, such as an error of a library.
        secrets: The values to hide; empty ones are ignored. `client_id:client_secret` hides the Basic form.
    """
    return _patterns(secrets).sub(MASK, text)


def _patterns(secrets: Iterable[str | Secret]) -> re.Pattern[str]:
    values = {revealed(secret) for secret in secrets} - {""}
    spellings = {spelling for value in values for spelling in _spellings(value)}
    # The longest first: one secret may begin with another. Nothing to hide: a pattern that matches nowhere.
    return re.compile("|".join(re.escape(text) for text in sorted(spellings, key=len, reverse=True)) or r"(?!)")


def _spellings(value: str) -> set[str]:
    raw = encoded(value)
    basic = base64.b64encode(raw).decode()
    quoted = {urllib.parse.quote(raw, safe=""), urllib.parse.quote(raw), urllib.parse.quote_plus(raw)}
    quoted |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    return {value, basic, urllib.parse.quote(basic, safe=""), basic.rstrip("="), *quoted, *escaped}


def _revealed(data: Any) -> Any:
    """Return the data with its `Secret`s opened, for validation; anything but an object as it is."""
    if not isinstance(data, Mapping):
        return data
    return {key: revealed(value) for key, value in data.items()}
