"""Translates errors of requests into errors of the connector."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import ReadTimeoutError

from vantage_quickbooks.errors import ConnectorError, NetworkError, UnexpectedResponseError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONNECT_TIMEOUT_S", "translate_request_error"]

CONNECT_TIMEOUT_S = 10.0
"""Timeout of a name lookup, of each address that is tried, and of the TLS handshake."""


def translate_request_error(error: requests.RequestException, server: str, url: str) -> ConnectorError:
    """Return the connector's error for one of requests; it contains nothing of the request.

    Args:
        error: Any exception of requests.
        server: The server's name for the message.
        url: The URL of the request; only its host and port appear in the error.

    Returns:
        A NetworkError, whose details contain `host`, `port` and what `failed`; an UnexpectedResponseError if a response
        was cut off or could not be decoded.
    """
    cause = type(error).__name__
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    where = f"{server} ({parts.hostname}, port {port})"
    within = re.sub(r"^The ", "the ", where)  # inside of a sentence
    details: dict[str, Any] = {"cause": cause, "host": parts.hostname, "port": port}
    match error:
        case requests.exceptions.SSLError():
            return _tls_error(error, within, details)
        case requests.exceptions.ProxyError():
            return NetworkError(
                f"The proxy for {within} does not respond. Check HTTPS_PROXY.",
                details=details | {"failed": "proxy"},
                is_unprocessed=True,
            )
        case requests.exceptions.ConnectTimeout():
            return NetworkError(
                f"{where} could not be reached within {CONNECT_TIMEOUT_S:g} seconds. Check the network and firewalls.",
                details=details | {"failed": "timeout"},
                is_unprocessed=True,
            )
        case requests.exceptions.Timeout():
            return NetworkError(
                f"{where} did not respond in time.",
                details=details | {"failed": "timeout"},
                is_timeout=isinstance(error, requests.exceptions.ReadTimeout),
            )
        case requests.exceptions.ChunkedEncodingError() | requests.exceptions.ContentDecodingError():
            return UnexpectedResponseError(
                f"The response of {re.sub('^The ', 'the ', server)} was cut off or damaged in transit.",
                details={"cause": cause},
            )
        case requests.exceptions.ConnectionError():
            return _connection_error(error, where, details)
        case _:
            return NetworkError(f"The request to {within} failed ({cause}).", retryable=False, details=details)


def _tls_error(error: Exception, where: str, details: dict[str, Any]) -> NetworkError:
    details = details | {"failed": "TLS"}
    causes = list(_causes(error))
    broken = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if broken is not None and not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return NetworkError(
            f"The TLS connection to {where} was interrupted or could not be negotiated ({broken.reason or 'TLS'}). "
            "Check proxies and firewalls on the network path.",
            details=details,
        )
    verification = next(
        (cause.verify_message for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), ""
    )
    return NetworkError(
        f"No TLS connection to {where}: its certificate was not accepted"
        f"{f' ({verification})' if verification else ''}. Check proxies and the system clock.",
        retryable=False,
        details=details,
    )


def _connection_error(error: Exception, where: str, details: dict[str, Any]) -> NetworkError:
    text, causes = repr(error), list(_causes(error))
    within = re.sub(r"^The ", "the ", where)
    if "NameResolutionError" in text:
        return NetworkError(
            f"The name of {within} could not be resolved. Check the network and its DNS server.",
            details=details | {"failed": "name lookup"},
            is_unprocessed=True,
        )
    if "NewConnectionError" in text:
        is_refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        return NetworkError(
            f"{where} refused the connection. Check that it is running, and proxies and firewalls on the network path."
            if is_refused
            else f"{where} could not be reached. Check the network and firewalls.",
            details=details | {"failed": "refused" if is_refused else "unreachable"},
            is_unprocessed=True,
        )
    if any(isinstance(cause, TimeoutError | ReadTimeoutError) for cause in causes):
        return NetworkError(f"The response of {within} stopped midway.", details=details | {"failed": "timeout"})
    return NetworkError(f"The connection to {within} was lost.", details=details | {"failed": "broken connection"})


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and the exceptions it was made of: arguments, reasons, causes and contexts."""
    seen: set[int] = set()
    pending: list[Any] = [error]
    while pending:
        item = pending.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        pending += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
