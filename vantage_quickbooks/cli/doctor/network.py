"""Checks of the network: DNS, servers with TLS, the discovery document, the clock."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vantage_quickbooks.cli.doctor.finding import Check, Finding, Patient, failed, ok, skipped, warning
from vantage_quickbooks.config.settings import EMULATOR, PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.config.deployment import Endpoints

__all__ = ["CHECKS", "MAX_SKEW_S", "WARN_SKEW_S"]

WARN_SKEW_S = 30.0
MAX_SKEW_S = 300.0
"""Access tokens are refreshed 5 minutes before they expire: with a larger skew, expired ones are sent."""

_DISCOVERY = "/.well-known/openid_configuration"
_DISCOVERY_URL = "https://developer.api.intuit.com" + _DISCOVERY
"""Source: https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/openid-connect."""

_COMPARED = {
    "token_endpoint": "token_endpoint",
    "revocation_endpoint": "revocation_endpoint",
    "authorization_endpoint": "authorization_endpoint",
}
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def _endpoints(patient: Patient) -> Endpoints:
    """Return the servers of the company; without one, those of production."""
    if patient.endpoints is not None:
        return patient.endpoints
    emulator = patient.deployment.emulator_url
    if emulator and emulator != "off":
        return patient.deployment.endpoints(EMULATOR, emulator)
    return patient.deployment.endpoints(PRODUCTION)


def _discovery_url(endpoints: Endpoints) -> str:
    """Return where Intuit publishes its endpoints, or the server that replaces Intuit's."""
    parts = urlsplit(endpoints.token_endpoint)
    is_intuits = (parts.hostname or "").endswith(".intuit.com")
    return _DISCOVERY_URL if is_intuits else f"{parts.scheme}://{parts.netloc}{_DISCOVERY}"


def _check_names(patient: Patient) -> Finding:
    endpoints = _endpoints(patient)
    urls = (endpoints.api_url, endpoints.token_endpoint, _discovery_url(endpoints))
    hosts = list(dict.fromkeys(urlsplit(url).hostname or "" for url in urls))
    if any(os.environ.get(name, "").strip() for name in _PROXIES) and endpoints.reaches_intuit():
        return skipped("the proxy looks names up")
    missing = []
    for host in hosts:
        try:
            socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
        except OSError:
            missing.append(host)
    if missing:
        return failed(
            f"These names cannot be resolved: {', '.join(missing)}.",
            "Check the network and its DNS server (/etc/resolv.conf).",
            missing=missing,
        )
    return ok(", ".join(hosts), hosts=hosts)


def _reach(name: str, url_of: Callable[[Endpoints], str]) -> Callable[[Patient], Finding]:
    """Return a check of whether a server answers. An answer such as 401 is one: nothing that counts was sent."""

    def check(patient: Patient) -> Finding:
        from vantage_quickbooks.api.probe import probe

        url = url_of(_endpoints(patient))
        answer = patient.answers[name] = probe(url, f"The {name}")
        parts = urlsplit(url)
        facts = {"host": parts.netloc, "httpStatus": answer.status}
        if answer.status >= 500:
            return warning(
                f"{parts.netloc} answers with HTTP {answer.status}.",
                "Try again later. Intuit reports outages at https://status.developer.intuit.com.",
                **facts,
            )
        return ok(f"{parts.netloc} answers{' over TLS' if parts.scheme == 'https' else ''}", **facts)

    return check


def _check_discovery(patient: Patient) -> Finding:
    from vantage_quickbooks.api.probe import probe

    endpoints = _endpoints(patient)
    answer = patient.answers["discovery document"] = probe(_discovery_url(endpoints), "The discovery document")
    if answer.status != 200 or "token_endpoint" not in answer.body:
        return warning(
            f"The discovery document cannot be read (HTTP {answer.status}).",
            "Tokens do not need it. Check proxies, and Intuit's status page.",
            httpStatus=answer.status,
        )
    differing = [
        f"{name} is {answer.body[name]}"
        for name, attribute in _COMPARED.items()
        if answer.body.get(name, getattr(endpoints, attribute)) != getattr(endpoints, attribute)
    ]
    if differing:
        return warning(
            f"Intuit publishes other endpoints than this connector uses: {'; '.join(differing)}.",
            "Update vantage-quickbooks, and unset VANTAGE_QUICKBOOKS_OAUTH_URL.",
        )
    return ok("it names the endpoints that this connector uses")


def _check_clock(patient: Patient) -> Finding:
    timed = [(name, answer.server_time, answer.received_at) for name, answer in patient.answers.items()]
    name, server_time, received_at = next((found for found in timed if found[1] is not None), ("", None, None))
    if server_time is None or received_at is None:
        return skipped("no server has answered")
    skew_s = (received_at - server_time).total_seconds()
    if 0 <= skew_s < 1:  # the header has whole seconds
        skew_s = 0.0
    direction = "ahead of" if skew_s > 0 else "behind"
    text = f"this machine is {_duration(abs(skew_s))} {direction} the {name}"
    hint = "Synchronize the clock, for example: sudo timedatectl set-ntp true"
    if abs(skew_s) >= MAX_SKEW_S:
        return failed(f"T{text[1:]}: tokens are judged wrongly.", hint, skewSeconds=skew_s)
    if abs(skew_s) >= WARN_SKEW_S:
        return warning(f"T{text[1:]}.", hint, skewSeconds=skew_s)
    return ok(f"agrees with the {name}, within {max(1, round(abs(skew_s)))} s", skewSeconds=skew_s)


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


CHECKS = (
    Check("dns", "DNS", _check_names, needs_network=True),
    Check("api", "API", _reach("API", lambda at: f"{at.api_url}/v3/company/0/companyinfo/0"), needs_network=True),
    Check(
        "tokenEndpoint", "Token endpoint", _reach("token endpoint", lambda at: at.token_endpoint), needs_network=True
    ),
    Check("discovery", "Discovery", _check_discovery, needs_network=True),
    Check("clock", "Clock", _check_clock, needs_network=True),
)
