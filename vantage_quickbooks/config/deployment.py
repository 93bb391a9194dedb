"""Options of the operator of a host, which no settings form shows: servers, token store, encryption key.

| Variable | Meaning |
|---|---|
| `VANTAGE_QUICKBOOKS_API_URL` | Scheme and host of the data API, in place of Intuit's |
| `VANTAGE_QUICKBOOKS_OAUTH_URL` | Scheme and host of the OAuth server, in place of Intuit's |
| `VANTAGE_QUICKBOOKS_ALLOW_HOST` | Comma-separated hosts that the two URLs may contain besides Intuit's and loopback |
| `VANTAGE_QUICKBOOKS_EMULATOR_URL` | A local emulator for every company of the process; `off` refuses emulators |
| `VANTAGE_QUICKBOOKS_TOKEN_STORE` | `memory:`, a path or a database URL; default: a file in the user's state folder |
| `VANTAGE_QUICKBOOKS_TOKEN_KEY` | Key or keys that encrypt stored tokens and connections; see `encryption.parse_keys` |
| `VANTAGE_QUICKBOOKS_REGISTRY` | Registry of connections: a folder or a database URL; default: a folder of the user |
| `VANTAGE_QUICKBOOKS_MAX_BODY_MIB` | Maximum size of a response, decompressed, in MiB |
| `VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT` | Metered API calls of an app in a month; no limit by default |
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vantage_quickbooks.config.settings import EMULATOR
from vantage_quickbooks.core import endpoints
from vantage_quickbooks.core.secret import Secret
from vantage_quickbooks.errors import FieldError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.config.settings import Settings

__all__ = ["MAX_BODY_MIB", "MAX_BODY_VARIABLE", "Deployment", "Endpoints"]

MAX_BODY_MIB = 256
"""Default limit of a response: a page of 1,000 large invoices has some 5 MiB."""

_PREFIX = "VANTAGE_QUICKBOOKS_"
MAX_BODY_VARIABLE = _PREFIX + "MAX_BODY_MIB"
"""The environment variable that sets the limit."""

_INTUIT = ".intuit.com"
_OFF = "off"
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f.]*:[0-9a-f:.]*")
"""ASCII only: in `https://a\\.intuit.com` the host is `a` to urllib3, but all of it to urlsplit."""

_BRACKETED = re.compile(r"\[[^\[\]]*\](:\d*)?")
"""In `https://[::1].intuit.com` the host is `::1` to urlsplit; urllib3 rejects it."""
_MIB = re.compile(r"[0-9]{1,6}")
_CALLS = re.compile(r"[0-9]{1,10}")
_MAX_MIB = 65536


@dataclass(frozen=True, slots=True)
class Endpoints:
    """URLs of the servers of one environment, without a trailing slash."""

    api_url: str
    token_endpoint: str
    revocation_endpoint: str
    authorization_endpoint: str = endpoints.AUTHORIZATION_URL

    def reaches_intuit(self) -> bool:
        """Return whether one of the servers is Intuit's."""
        urls = (self.api_url, self.token_endpoint, self.revocation_endpoint, self.authorization_endpoint)
        return any((urlsplit(url).hostname or "").lower().endswith(_INTUIT) for url in urls)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The operator's options.

    Attributes:
        api_url: Scheme and host of the data API; None means Intuit's.
        oauth_url: Scheme and host of the OAuth server; None means Intuit's.
        allow_hosts: Further hosts to which tokens may be sent, over https only.
        token_store: See `stores.open_store`; None means the default file. The URL of a database server may contain a
            password, so it becomes a `Secret`.
        token_key: Encrypts stored tokens, and the settings in a registry that is a database; None means that only the
            permissions of the token file (0600) protect it. A str becomes a `Secret`, which cannot be pickled: let
            another process read its own environment.
        registry: See `registry.open_registry`; None means the default folder. A URL becomes a `Secret`, as the token
            store's does.
        emulator_url: A local emulator for all connections. None: the connection's settings decide. `off`: settings with
            an emulator are refused, for hosts whose users may not send requests to the host's own machine.
        max_body_mib: Maximum size of a response, compressed and decompressed, in MiB; an integer as text.
        monthly_call_limit: Metered API calls of an app in a month, over all processes of the token store; an integer as
            text. None means no limit.
    """

    api_url: str | None = None
    oauth_url: str | None = None
    allow_hosts: tuple[str, ...] = ()
    token_store: str | Secret | None = None
    token_key: str | Secret | None = None
    emulator_url: str | None = None
    max_body_mib: str = str(MAX_BODY_MIB)
    monthly_call_limit: str | None = None
    registry: str | Secret | None = None

    def __post_init__(self) -> None:
        """Convert secrets that are plain str."""
        if isinstance(self.token_key, str):
            object.__setattr__(self, "token_key", Secret(self.token_key))
        for name in ("token_store", "registry"):
            value = getattr(self, name)
            if isinstance(value, str) and "://" in value and "sqlite:" not in value:
                object.__setattr__(self, name, Secret(value))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Deployment:
        """Read the options from environment variables; blank variables count as not set."""
        environ = os.environ if environ is None else environ

        def value(name: str) -> str | None:
            return environ.get(_PREFIX + name, "").strip() or None

        return cls(
            api_url=value("API_URL"),
            oauth_url=value("OAUTH_URL"),
            allow_hosts=tuple(host.strip().lower() for host in (value("ALLOW_HOST") or "").split(",") if host.strip()),
            token_store=value("TOKEN_STORE"),
            token_key=value("TOKEN_KEY"),
            emulator_url=value("EMULATOR_URL"),
            max_body_mib=value("MAX_BODY_MIB") or str(MAX_BODY_MIB),
            monthly_call_limit=value("MONTHLY_CALL_LIMIT"),
            registry=value("REGISTRY"),
        )

    def max_body_bytes(self) -> int:
        """Return the maximum size of a response in bytes.

        Raises:
            SettingsError: The variable is not an integer from 1 to 65536.
        """
        if not _MIB.fullmatch(self.max_body_mib) or not 1 <= int(self.max_body_mib) <= _MAX_MIB:
            raise _refused(
                "MAX_BODY_MIB",
                f"It is not a whole number from 1 to {_MAX_MIB}.",
                f"Write {MAX_BODY_MIB}, or leave it out.",
            )
        return int(self.max_body_mib) << 20

    def max_monthly_calls(self) -> int | None:
        """Return the metered API calls that an app may have in a month; None for no limit.

        Raises:
            SettingsError: The variable is not an integer from 1 to 10 digits.
        """
        if self.monthly_call_limit is None:
            return None
        if not _CALLS.fullmatch(self.monthly_call_limit) or not int(self.monthly_call_limit):
            raise _refused(
                "MONTHLY_CALL_LIMIT", "It is not a whole number from 1.", "Write 450000, or leave it out for no limit."
            )
        return int(self.monthly_call_limit)

    def resolve(self, settings: Settings) -> tuple[Settings, Endpoints]:
        """Return a connection's settings as they apply in this process, and its servers.

        `api_url` and `oauth_url` replace Intuit's servers only. A company of an emulator uses its own URL, so real and
        emulated companies can be used side by side.

        Raises:
            SettingsError: A URL cannot be used, or credentials of an emulator would be sent to Intuit.
        """
        if self.emulator_url == _OFF and settings.environment == EMULATOR:
            raise _switched_off()
        if self.emulator_url and self.emulator_url != _OFF:
            if not endpoints.is_loopback_origin(self.emulator_url):
                message = "It is not a URL of this machine."
                raise _refused("EMULATOR_URL", message, "Write it like http://127.0.0.1:8085.")
            settings = replace(settings, environment=EMULATOR, emulator_url=self.emulator_url)
        resolved = self.endpoints(settings.environment, settings.emulator_url)
        if settings.is_emulators() and resolved.reaches_intuit():
            raise _misdirected()
        return settings, resolved

    def endpoints(self, environment: str, emulator_url: str | None = None) -> Endpoints:
        """Return the servers of *environment*.

        Args:
            environment: `production`, `sandbox` or `emulator`.
            emulator_url: Scheme and host of the emulator, for `emulator`.

        Raises:
            SettingsError: A URL would send tokens unencrypted, or to a host that is not allowed.
        """
        if environment == EMULATOR and emulator_url:
            parts = urlsplit(emulator_url)
            return _at(f"{parts.scheme}://{parts.netloc}")
        oauth_url = self._checked("OAUTH_URL", self.oauth_url) if self.oauth_url else None
        return Endpoints(
            api_url=self._checked("API_URL", self.api_url) if self.api_url else endpoints.API_URLS[environment],
            token_endpoint=(oauth_url or endpoints.OAUTH_URL) + endpoints.TOKEN_PATH,
            revocation_endpoint=oauth_url + endpoints.REVOCATION_PATH if oauth_url else endpoints.REVOCATION_URL,
            # Intuit's authorization page is on another host than its token endpoint.
            authorization_endpoint=oauth_url + endpoints.AUTHORIZATION_PATH
            if oauth_url
            else endpoints.AUTHORIZATION_URL,
        )

    def _checked(self, name: str, url: str) -> str:
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").lower()
            is_address = "[" not in parts.netloc or _BRACKETED.fullmatch(parts.netloc)
            plain = is_address and not ("@" in parts.netloc or parts.query or parts.fragment or parts.path.strip("/"))
            _ = parts.port
        except ValueError:
            parts, host, plain = urlsplit(""), "", False
        if not _HOST.fullmatch(host) or not plain or parts.scheme not in {"http", "https"}:
            raise _refused(
                name, "It is not a scheme and a host.", "Write it like https://host or http://127.0.0.1:8080."
            )
        if endpoints.is_loopback(url):
            return f"{parts.scheme}://{parts.netloc}"
        if parts.scheme != "https":
            raise _refused(name, "It would send tokens unencrypted.", "Use https; plain http is for loopback only.")
        if not host.endswith(_INTUIT) and host not in self.allow_hosts:
            raise _refused(
                name,
                f"{host} is neither a host of Intuit nor this machine.",
                f"If tokens may be sent there, set {_PREFIX}ALLOW_HOST={host}.",
            )
        return f"https://{parts.netloc}"


def _at(url: str) -> Endpoints:
    return Endpoints(
        api_url=url,
        token_endpoint=url + endpoints.TOKEN_PATH,
        revocation_endpoint=url + endpoints.REVOCATION_PATH,
        authorization_endpoint=url + endpoints.AUTHORIZATION_PATH,
    )


def _misdirected() -> SettingsError:
    message = "These credentials belong to the QuickBooks emulator, and Intuit does not know them. Nothing was sent."
    hint = (
        "Set environment to emulator and emulator_url to its URL, such as http://127.0.0.1:8085. For all companies at "
        f"once, set {_PREFIX}EMULATOR_URL, or use --emulator URL on the command line."
    )
    return SettingsError(f"{message} {hint}", [FieldError("environment", "emulator", message, hint)])


def _switched_off() -> SettingsError:
    message = "Companies of an emulator are disabled on this host."
    hint = f"Choose production or sandbox, or unset {_PREFIX}EMULATOR_URL."
    return SettingsError(f"{message} {hint}", [FieldError("environment", "emulator", message, hint)])


def _refused(name: str, message: str, hint: str) -> SettingsError:
    name = _PREFIX + name
    return SettingsError(f"{name} cannot be used: {message} {hint}", [FieldError(name, "url", message, hint)])
