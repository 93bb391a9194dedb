"""The settings of one connection: parsed and validated once, immutable. Secrets are `core.secret.Secret`s."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from vantage_quickbooks.config.validation import clean, summarize
from vantage_quickbooks.core import endpoints, tokens
from vantage_quickbooks.core.secret import Secret, redactor, revealed
from vantage_quickbooks.errors import FieldError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["EMULATOR", "GRANT_FIELDS", "Settings", "is_emulators"]

GRANT_FIELDS = ("refresh_token", "realm_id")
"""The settings that a user gets by connecting a company."""

# Intuit's keys since 2018: a client id is "AB" and 48 letters and digits, a client secret has 40 of them.
_CLIENT_ID = re.compile(r"AB[A-Za-z0-9]{48}")
_CLIENT_SECRET = re.compile(r"[A-Za-z0-9]{40}")

EMULATOR = "emulator"
PRODUCTION = "production"
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
    """Valid settings.

    Attributes:
        client_id: The OAuth app.
        client_secret: Its secret.
        refresh_token: First refresh token of the chain (see `core.tokens`); Intuit has since replaced it.
        realm_id: The QuickBooks company.
        max_results: Maximum number of records that one API call fetches, unless the call's input sets another.
        environment: `production`, `sandbox` or `emulator`.
        monthly_call_limit: Metered API calls of the company in a month; None for no limit.
        emulator_url: URL of the emulator, on this machine; None for production and sandbox.
    """

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    realm_id: str
    max_results: int = 100
    environment: str = PRODUCTION
    monthly_call_limit: int | None = None
    emulator_url: str | None = None

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Parse the settings that a form, a file or a host sends.

        Args:
            data: The settings, by the names of `settings.schema.json`. Secrets may already be `Secret`s.

        Returns:
            The settings, normalized and with defaults filled in.

        Raises:
            SettingsError: With one entry for each invalid field; none contains a secret.
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
        """Parse the settings of a company that is not connected yet, so there is no refresh token.

        Args:
            data: As for `parse`; refresh token and realm id are ignored.

        Returns:
            Settings that are valid for the authorization request only.

        Raises:
            SettingsError: Another field is invalid.
        """
        return cls.parse({**data, "refresh_token": "not-connected-yet", "realm_id": "0"})

    def is_emulators(self) -> bool:
        """Return whether client id, client secret or refresh token was issued by the emulator."""
        secrets = {"client_secret": self.client_secret.reveal(), "refresh_token": self.refresh_token.reveal()}
        return is_emulators({"client_id": self.client_id, **secrets})

    def fingerprint(self) -> str:
        """Return the fingerprint of client id and client secret; see `tokens.fingerprint`."""
        return tokens.fingerprint(self.client_id, self.client_secret.reveal())

    def warnings(self) -> list[FieldError]:
        """Return valid settings that will probably not work, one entry per field, in the order of the form.

        These are mistakes that the values themselves show; no request is sent.
        """
        found: dict[str, FieldError] = {}
        for entry in (*self._samples(), *self._mix_ups()):
            found.setdefault(entry.field, entry)
        order = list(Settings.__dataclass_fields__)
        return sorted(found.values(), key=lambda entry: order.index(entry.field))

    def redactor(self, *more: str | Secret) -> Callable[[str], str]:
        """Return a function that masks the secrets of these settings in a text.

        Args:
            more: Further secrets, such as the current tokens.
        """
        client_id, secret = self.client_id, self.client_secret.reveal()
        return redactor((secret, self.refresh_token, f"{client_id}:{secret}", *more))

    def _samples(self) -> Iterable[FieldError]:
        samples = {
            "client_id": ("Client ID", self.client_id),
            "client_secret": ("Client Secret", self.client_secret.reveal()),
            "refresh_token": ("Refresh Token", self.refresh_token.reveal()),
            "realm_id": ("Realm ID", self.realm_id),
        }
        for name, (title, value) in samples.items():
            if value.startswith("your-"):
                message = f"{title} is the sample text of the documentation."
                yield FieldError(name, "sample", message, "Replace it with your own value, from developer.intuit.com.")

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
            message = "Refresh Token looks like an access token, which is valid for one hour only."
            yield FieldError("refresh_token", "accessToken", message, connect)


def is_emulators(data: Mapping[str, Any]) -> bool:
    """Return whether the data of a settings form contains a credential that the emulator issued."""
    return any(pattern.fullmatch(str(data.get(name, ""))) for name, pattern in _EMULATORS.items())


def _misplaced(cleaned: Mapping[str, Any]) -> list[FieldError]:
    """Return the errors of environment and emulator_url together: each requires the other."""
    url, is_emulator = cleaned.get("emulator_url"), cleaned.get("environment") == EMULATOR
    if is_emulator and url is None:
        message = "The emulator's address is missing."
        hint = "Set emulator_url to where it listens, such as http://127.0.0.1:8085; the emulator prints it."
        return [FieldError("emulator_url", "required", message, hint)]
    if url is not None and not is_emulator:
        message = f"Emulator URL requires environment emulator, not {cleaned.get('environment', 'production')}."
        return [FieldError("emulator_url", "together", message, "Set environment to emulator, or leave the URL out.")]
    if url is not None and not endpoints.is_loopback_origin(url):
        message = "Emulator URL is not a URL of this machine."
        hint = "Write a scheme, this machine and a port: http://127.0.0.1:8085. Emulators elsewhere are not supported."
        return [FieldError("emulator_url", "url", message, hint)]
    return []


def _revealed(data: Any) -> Any:
    """Return the data with its `Secret`s revealed, for validation; data that is not an object is returned unchanged."""
    if not isinstance(data, Mapping):
        return data
    return {key: revealed(value) for key, value in data.items()}
