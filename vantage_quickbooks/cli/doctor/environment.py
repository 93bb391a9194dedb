"""Checks of this machine: Python, packages, variables, proxies, certificates."""

from __future__ import annotations

import difflib
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from vantage_quickbooks.cli.doctor.finding import Check, Finding, Patient, failed, ok, warning
from vantage_quickbooks.cli.inputs import ENVIRONMENT
from vantage_quickbooks.config.settings import PRODUCTION

__all__ = ["CHECKS"]

DISTRIBUTION = "vantage-quickbooks"
PREFIX = "VANTAGE_QUICKBOOKS_"

VARIABLES = frozenset(ENVIRONMENT) | {
    PREFIX + name
    for name in (
        "ACCESS_KEY",
        "ALLOW_HOST",
        "API_URL",
        "COMPANY_CALL_LIMIT",
        "DESTINATION",
        "EMULATOR_URL",
        "MAX_BODY_MIB",
        "MCP_TOKEN",
        "METRICS_KEY",
        "MONTHLY_CALL_LIMIT",
        "OAUTH_URL",
        "REGISTRY",
        "TOKEN_KEY",
        "TOKEN_STORE",
        "WEBHOOK_INBOX",
        "WEBHOOK_TOKEN",
    )
}
"""The environment variables that have a meaning; a test compares them with the source."""

_REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)[^;]*(?:;.*extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"])?")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def _check_python(_: Patient) -> Finding:
    return ok(
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        python=platform.python_version(),
        executable=sys.executable,
        platform=platform.platform(),
    )


def _check_packages(_: Patient) -> Finding:
    versions: dict[str, str] = {}
    missing: list[str] = []
    extras: dict[str, bool] = {}
    for text in metadata.requires(DISTRIBUTION) or []:
        found = _REQUIREMENT.match(text)
        name, extra = (found["name"], found["extra"]) if found else (text, None)
        if name == DISTRIBUTION:  # an extra that is made of others
            continue
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = ""
        if extra is None:
            versions[name] = version
            missing += [] if version else [name]
        else:
            extras[extra] = extras.get(extra, True) and bool(version)
    own = metadata.version(DISTRIBUTION)
    if missing:
        return failed(
            f"Packages are missing: {', '.join(missing)}.", f"Run: pip install --force-reinstall {DISTRIBUTION}"
        )
    have = sorted(extra for extra, is_whole in extras.items() if is_whole and extra not in {"all", "test", "lint"})
    text = f"{DISTRIBUTION} {own}, requests {versions['requests']}; extras: {', '.join(have) or 'none'}"
    return ok(text, version=own, packages=versions, extras=have)


def _check_variables(patient: Patient) -> Finding:
    present = sorted(name for name in os.environ if name.startswith(PREFIX) and os.environ[name].strip())
    unknown = [name for name in present if name not in VARIABLES]
    # An error of these names the variable and the remedy.
    patient.deployment.max_body_bytes()
    patient.deployment.max_monthly_calls()
    patient.deployment.endpoints(PRODUCTION)
    if unknown:
        near = {name: difflib.get_close_matches(name, VARIABLES, n=1) for name in unknown}
        hints = [f"Did you mean {found[0]}?" if found else f"Unset {name}." for name, found in near.items()]
        return warning(f"Unknown variables: {', '.join(unknown)}.", " ".join(hints), variables=present)
    shown = ", ".join(name.removeprefix(PREFIX) for name in present)
    return ok(f"set: {shown} (each with the prefix {PREFIX})" if present else "none are set", variables=present)


def _check_proxy(_: Patient) -> Finding:
    found = {name: os.environ[name] for name in _PROXIES if os.environ.get(name, "").strip()}
    if not found:
        return ok("none")
    name, url = next(iter(found.items()))
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        return failed(f"{name} is not a URL.", f"Write it like {name}=http://proxy.example.com:3128")
    no_proxy = os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
    return ok(f"{name}: {host}{f':{port}' if port else ''}", proxy=host, noProxy=no_proxy)


def _check_certificates(_: Patient) -> Finding:
    for name in _BUNDLES:
        path = os.environ.get(name, "").strip()
        if path:
            if not os.access(path, os.R_OK):
                return failed(
                    f"{name} names {path}, which cannot be read.", f"Correct the path, or unset {name}.", bundle=path
                )
            return ok(f"{path} ({name})", bundle=path)
    import certifi

    bundle = certifi.where()
    if not Path(bundle).is_file():
        return failed(
            f"The certificates of certifi are missing: {bundle}.", "Run: pip install --force-reinstall certifi"
        )
    return ok(f"certifi {metadata.version('certifi')}", bundle=bundle)


CHECKS = (
    Check("python", "Python", _check_python),
    Check("packages", "Packages", _check_packages),
    Check("variables", "Variables", _check_variables),
    Check("proxy", "Proxy", _check_proxy),
    Check("certificates", "CA certificates", _check_certificates),
)
