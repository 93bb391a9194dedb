"""The connector's errors: one class for each case in which a caller would act differently.

    ConnectorError                    code, message, retryable, details
    ├─ SettingsError                  the settings are invalid; .fields                SETTINGS_INVALID
    ├─ InputError                     the input of the call is invalid; .fields        INPUT_INVALID, ACTION_NOT_FOUND
    ├─ RegistryError                  connections cannot be read or saved; .fields     REGISTRY_UNAVAILABLE, ...
    │  ├─ ConnectionNotFoundError     the registry has no connection of this id        CONNECTION_NOT_FOUND
    │  ├─ ConnectionExistsError       the registry has another connection of this id   CONNECTION_EXISTS
    │  ├─ DamagedConnectionError      an entry of the registry cannot be read          CONNECTION_DAMAGED
    │  └─ DamagedStateError           a stored sync state cannot be read               STATE_DAMAGED
    ├─ AuthenticationError            the token endpoint refused                       AUTHENTICATION_FAILED
    │  ├─ ClientCredentialsError      client id or secret is wrong                     AUTHENTICATION_FAILED
    │  └─ ReauthorizationRequired     a user must connect the company again            REAUTHORIZATION_REQUIRED
    ├─ TokenStoreError                tokens cannot be read, saved or locked           CREDENTIALS_NOT_SAVED, ...
    │  └─ CredentialConflict          another process saved first                      CREDENTIALS_CONFLICT
    ├─ QuickBooksError                QuickBooks answered and refused
    │  ├─ AccessTokenRefusedError     even a new access token is refused               AUTHENTICATION_FAILED
    │  ├─ AccessDeniedError           no access to this company or environment         PERMISSION_DENIED
    │  ├─ RecordNotFoundError         the record does not exist                        RESOURCE_NOT_FOUND
    │  ├─ RequestRejectedError        the request is invalid or breaks a business rule REQUEST_REJECTED
    │  ├─ RateLimitedError            too many requests; .retry_after_s                RATE_LIMITED
    │  │  └─ AppBlockedError          the app has used up its calls of the month       APP_BLOCKED
    │  └─ QuickBooksUnavailableError  5xx, maintenance                                 SERVICE_UNAVAILABLE
    ├─ NetworkError                   no response                                      NETWORK_ERROR
    ├─ DeadlineExceededError          the deadline of the call passed                  DEADLINE_EXCEEDED
    ├─ CancelledError                 the host cancelled the call                      CANCELLED
    ├─ IncompleteReadError            a full read cannot be verified as complete       RESULT_INCOMPLETE
    ├─ UnexpectedResponseError        a response that cannot be read                   RESPONSE_UNEXPECTED
    ├─ OutputError                    what was read cannot be written                  OUTPUT_UNWRITABLE
    ├─ WorkerProcessError             the process that read the company has ended      WORKER_PROCESS_ENDED
    ├─ InboxError                     the webhook inbox cannot be read or written      INBOX_UNAVAILABLE
    └─ InternalError                  a defect of the connector                        INTERNAL_ERROR

An error never references a request, response or session, because their headers contain the token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AccessDeniedError",
    "AccessTokenRefusedError",
    "AppBlockedError",
    "AuthenticationError",
    "CancelledError",
    "ClientCredentialsError",
    "ConnectionExistsError",
    "ConnectionNotFoundError",
    "ConnectorError",
    "CredentialConflict",
    "DamagedConnectionError",
    "DamagedStateError",
    "DeadlineExceededError",
    "FieldError",
    "InboxError",
    "IncompleteReadError",
    "InputError",
    "InternalError",
    "NetworkError",
    "OutputError",
    "QuickBooksError",
    "QuickBooksUnavailableError",
    "RateLimitedError",
    "ReauthorizationRequired",
    "RecordNotFoundError",
    "RegistryError",
    "RequestRejectedError",
    "SettingsError",
    "TokenStoreError",
    "UnexpectedResponseError",
    "WorkerProcessError",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error of one field, without the field's value.

    Attributes:
        field: The field's name; nested ones joined by dots.
        rule: The JSON Schema keyword, or the rule of the connector, that the value violates.
        message: What is wrong, as a sentence for the user of the form.
        hint: How to correct it, as a sentence.
    """

    field: str
    rule: str
    message: str
    hint: str

    def to_dict(self) -> dict[str, str]:
        """Return the entry as plain JSON, for the host's envelope."""
        return {"field": self.field, "rule": self.rule, "message": self.message, "hint": self.hint}


class ConnectorError(Exception):
    """Base of all errors that a connector reports.

    Args:
        message: What happened and what to do about it, for a user.
        code: Stable SCREAMING_SNAKE code for the host; the class's own by default.
        retryable: Whether the same call may succeed later without any change.
        details: Facts for a support case (never a secret, never a request or response object).
        is_timeout: Whether the server took too long to answer, so that a smaller request may succeed.
        is_unprocessed: Whether the server certainly did not process the request (no connection, HTTP 429 or 503), so
            that it can be repeated even if it is not idempotent.
    """

    code: ClassVar[str] = "CONNECTOR_ERROR"
    retryable: ClassVar[bool] = False
    retry_after_s: float | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        details: Mapping[str, Any] | None = None,
        is_timeout: bool = False,
        is_unprocessed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance may be more specific than its class
        if retryable is not None:
            self.retryable = retryable  # type: ignore[misc]  # an instance may be more specific than its class
        self.is_timeout = is_timeout
        self.is_unprocessed = is_unprocessed
        self.details: dict[str, Any] = {k: v for k, v in (details or {}).items() if v is not None}

    def __str__(self) -> str:
        """Return the message with its code and, if known, the transaction id that Intuit's support asks for."""
        tid = self.details.get("intuitTid")
        return f"{self.message} ({self.code}{f', intuit_tid {tid}' if tid else ''})"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.code}: {self.message}>"

    def without_traceback(self) -> Self:
        """Remove the traceback, cause and context, and return the error, to be raised outside of `except`.

        The local variables of their frames contain tokens and customers' data, and crash reporters print them.
        """
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    def to_dict(self) -> dict[str, Any]:
        """Return the `error` member of the host's envelope, plain JSON."""
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "retryAfter": None,
            "fields": [],
            "details": dict(self.details),
        }

    @staticmethod
    def from_dict(error: Mapping[str, Any]) -> ConnectorError:
        """Return an error of `to_dict` as an exception, without its fields."""
        found = ConnectorError(
            error["message"], code=error["code"], retryable=error["retryable"], details=error["details"]
        )
        found.retry_after_s = error["retryAfter"]
        return found


class _FieldsError(ConnectorError):
    """An error with one entry for each invalid field."""

    def __init__(self, message: str, fields: Sequence[FieldError] = (), **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.fields = tuple(fields)

    def to_dict(self) -> dict[str, Any]:
        """Return the `error` member of the host's envelope, with its fields."""
        return super().to_dict() | {"fields": [field.to_dict() for field in self.fields]}


class SettingsError(_FieldsError):
    """The settings are invalid; `fields` contains one entry per field."""

    code = "SETTINGS_INVALID"


class InputError(_FieldsError):
    """The input of the call is invalid; `fields` contains one entry per field."""

    code = "INPUT_INVALID"


REGISTRY_INVALID = "REGISTRY_INVALID"
"""Code of a RegistryError for a URL or key that cannot be used."""


class RegistryError(_FieldsError):
    """Connections cannot be read or saved; nothing was changed."""

    code = "REGISTRY_UNAVAILABLE"


class ConnectionNotFoundError(RegistryError):
    """The registry has no connection of this id."""

    code = "CONNECTION_NOT_FOUND"


class ConnectionExistsError(RegistryError):
    """The registry already has a connection of this id; it was not changed."""

    code = "CONNECTION_EXISTS"


class DamagedConnectionError(RegistryError):
    """An entry of the registry cannot be read; it was left unchanged, and the other entries can be used."""

    code = "CONNECTION_DAMAGED"


class DamagedStateError(RegistryError):
    """A stored sync state or status cannot be read; it was left unchanged, and the others can be used."""

    code = "STATE_DAMAGED"


class AuthenticationError(ConnectorError):
    """The token endpoint refused the request."""

    code = "AUTHENTICATION_FAILED"


class ClientCredentialsError(AuthenticationError):
    """Intuit does not know this client id and secret (RFC 6749 section 5.2, `invalid_client`)."""


class ReauthorizationRequired(AuthenticationError):  # noqa: N818 -- a request to a user, not a failure
    """The refresh token is not valid any more: a user must connect the company again (`invalid_grant`)."""

    code = "REAUTHORIZATION_REQUIRED"


STORE_UNREADABLE = "CREDENTIALS_NOT_LOADED"
STORE_UNWRITABLE = "CREDENTIALS_NOT_SAVED"
STORE_LOCKED = "CREDENTIALS_LOCKED"
STORE_INVALID = "CREDENTIALS_STORE_INVALID"
"""Codes of a TokenStoreError."""


class TokenStoreError(ConnectorError):
    """Tokens cannot be read, saved or locked; tokens that could not be saved are kept in memory."""

    code = STORE_UNWRITABLE


class CredentialConflict(TokenStoreError):  # noqa: N818 -- the name that hosts raise, part of the contract
    """Another process saved newer credentials first; load them again and use them."""

    code = "CREDENTIALS_CONFLICT"
    retryable = True


class QuickBooksError(ConnectorError):
    """QuickBooks answered and refused the request."""

    code = "REQUEST_REJECTED"


class AccessTokenRefusedError(QuickBooksError):
    """The data API refused the access token. If it reaches the host, a refreshed token was refused, too."""

    code = "AUTHENTICATION_FAILED"


class AccessDeniedError(QuickBooksError):
    """The grant does not reach this company, environment or record."""

    code = "PERMISSION_DENIED"


class RecordNotFoundError(QuickBooksError):
    """The record does not exist, or it was made inactive."""

    code = "RESOURCE_NOT_FOUND"


class RequestRejectedError(QuickBooksError):
    """The request is invalid, or breaks a business rule of QuickBooks."""

    code = "REQUEST_REJECTED"


class _WaitError(QuickBooksError):
    """A temporary refusal; `retry_after_s` is how long QuickBooks asks to wait, None if it does not say."""

    retryable = True

    def __init__(self, message: str, *, retry_after_s: float | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after_s = retry_after_s

    def to_dict(self) -> dict[str, Any]:
        """Return the `error` member of the host's envelope, with the wait."""
        return super().to_dict() | {"retryAfter": self.retry_after_s}


class RateLimitedError(_WaitError):
    """Too many requests; wait `retry_after_s` seconds if it is not None, a minute otherwise."""

    code = "RATE_LIMITED"


class AppBlockedError(RateLimitedError):
    """All requests of the app are refused for so long that it must have used up its calls of the month.

    After `retry_after_s` this process sends a request again; until then calls fail without one.
    """

    code = "APP_BLOCKED"


class QuickBooksUnavailableError(_WaitError):
    """QuickBooks is down, in maintenance, or too slow to answer."""

    code = "SERVICE_UNAVAILABLE"


class NetworkError(ConnectorError):
    """No response: name lookup, TLS, refused or broken connection, timeout."""

    code = "NETWORK_ERROR"
    retryable = True


class DeadlineExceededError(ConnectorError):
    """The deadline of the call passed before it finished."""

    code = "DEADLINE_EXCEEDED"
    retryable = True


class CancelledError(ConnectorError):
    """The host cancelled the call."""

    code = "CANCELLED"


class UnexpectedResponseError(ConnectorError):
    """A response that cannot be read: not JSON, truncated, or of unknown shape."""

    code = "RESPONSE_UNEXPECTED"
    retryable = True


class IncompleteReadError(ConnectorError):
    """A full read cannot be verified as complete, or needs more than `max_api_calls`."""

    code = "RESULT_INCOMPLETE"
    retryable = True


class OutputError(ConnectorError):
    """What was read cannot be written where the caller keeps it."""

    code = "OUTPUT_UNWRITABLE"


class WorkerProcessError(ConnectorError):
    """The worker process that read the company has ended, for example by SIGKILL."""

    code = "WORKER_PROCESS_ENDED"
    retryable = True


class InboxError(ConnectorError):
    """The inbox of webhooks cannot be read or written."""

    code = "INBOX_UNAVAILABLE"
    retryable = True


class InternalError(ConnectorError):
    """A defect of the connector; the log contains the exception, the message does not."""

    code = "INTERNAL_ERROR"
