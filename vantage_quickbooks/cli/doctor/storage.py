"""Checks of what is stored: encryption key, token store, registry."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from vantage_quickbooks.cli.doctor.finding import Check, Finding, Patient, failed, ok, skipped, warning

if TYPE_CHECKING:
    from pathlib import Path

    from vantage_quickbooks.auth.stores import TokenStore

__all__ = ["CHECKS"]

MIN_FREE_BYTES = 50 << 20
MIN_PASSPHRASE = 16
"""Characters of a passphrase below which it is called short; a Fernet key has 44."""

LOCK_TIMEOUT_S = 2.0
_PROBE = "doctor"  # the name of a chain that no connection has


def _open_store(patient: Patient) -> TokenStore:
    from vantage_quickbooks.auth.stores import open_store

    return open_store(patient.deployment.token_store, encryption_key=patient.deployment.token_key)


def _check_key(patient: Patient) -> Finding:
    from vantage_quickbooks.auth.encryption import parse_keys
    from vantage_quickbooks.core.secret import revealed

    key, store = patient.deployment.token_key, str(revealed(patient.deployment.token_store) or "")
    is_server = "://" in store and "sqlite:" not in store
    if key is None:
        if is_server:
            return warning(
                "No key: tokens are plain text in a database.",
                "Set VANTAGE_QUICKBOOKS_TOKEN_KEY to a key, the same on every machine.",
                keys=0,
            )
        return ok("no key: the permissions of the token file protect the tokens", keys=0)
    _open_store(patient)  # reports a key that cannot be used, or a package that is missing
    keys = parse_keys(key)
    if any(len(one.reveal()) < MIN_PASSPHRASE for one in keys[:1]):
        return warning(
            "The key is a short passphrase, which a program can guess.",
            'Set VANTAGE_QUICKBOOKS_TOKEN_KEY to a JSON array of a new key and this one, ["NEW", "OLD"], and run: '
            "vantage-quickbooks tokens reencrypt",
            keys=len(keys),
        )
    return ok("tokens are encrypted" if len(keys) == 1 else f"tokens are encrypted; {len(keys)} keys", keys=len(keys))


def _check_store(patient: Patient) -> Finding:
    store = _open_store(patient)
    where = store.describe()
    try:
        path = getattr(store, "path", None)
        if path is not None and not path.exists():
            return _check_future_file(path)
        with store.lock(_PROBE, LOCK_TIMEOUT_S):  # fails if the store cannot be written to
            store.load(_PROBE)
    finally:
        store.close()
    if path is None and store.lock_directory is None:
        return warning(
            f"{where}: tokens are lost when the process ends, and the next one needs a new consent.",
            "Unset VANTAGE_QUICKBOOKS_TOKEN_STORE, or set it to a file or a database.",
            store=where,
        )
    return ok(f"{where}: readable, writable, its lock works", store=where)


def _check_future_file(path: Path) -> Finding:
    """Check the folder of a file that does not exist yet, which a check must not create."""
    parent = next(folder for folder in path.parents if folder.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        return failed(
            f"{path} does not exist, and {parent} cannot be written to.",
            f"Let this user write to {parent}, or set VANTAGE_QUICKBOOKS_TOKEN_STORE to another file.",
            store=str(path),
        )
    return ok(f"{path} will be created by the first call", store=str(path))


def _check_permissions(patient: Patient) -> Finding:
    path: Path | None = getattr(_open_store(patient), "path", None)
    if path is None:
        return skipped("the store is not a file")
    if not path.exists():
        return skipped("there is no file yet")
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid():
        return warning(
            "The token file belongs to another user.",
            f"Run as its owner, or: chown {os.geteuid()} {path}",
            mode=f"{mode:04o}",
        )
    if mode & 0o077:  # the next line of the report, which opens the file, already corrects it
        return warning(
            f"Other users could read the token file: its mode was {mode:04o}. It is 0600 now.",
            "If one of them may have copied it, disconnect the companies and connect them again.",
            mode=f"{mode:04o}",
        )
    return ok(f"only this user can read the token file ({mode:04o})", mode=f"{mode:04o}")


def _check_disk(patient: Patient) -> Finding:
    path: Path | None = getattr(_open_store(patient), "path", None)
    if path is None:
        return skipped("the store is not a file")
    free = shutil.disk_usage(next(folder for folder in path.parents if folder.exists())).free
    if free < MIN_FREE_BYTES:
        return warning(f"{free >> 20} MiB are free on the disk of the token file.", "Free some space.", freeBytes=free)
    return ok(f"{free >> 20:,} MiB are free", freeBytes=free)


def _check_registry(patient: Patient) -> Finding:
    from vantage_quickbooks.cli.connections import opened

    with opened(patient.registry_url) as registry:
        where, entries = registry.describe(), registry.list()
    broken = [entry for entry in entries if entry.error is not None]
    facts = {"registry": where, "connections": len(entries), "damaged": [entry.id for entry in broken]}
    if broken:
        shown = ", ".join(entry.id for entry in broken[:5]) + (", ..." if len(broken) > 5 else "")
        return warning(
            f"{where}: {len(broken)} of {len(entries)} connections cannot be used: {shown}.",
            f"See why: vantage-quickbooks connections show {broken[0].id}",
            **facts,
        )
    noun = "connection" if len(entries) == 1 else "connections"
    return ok(f"{where}: {len(entries) or 'no'} {noun}", **facts)


CHECKS = (
    Check("encryptionKey", "Encryption key", _check_key),
    Check("permissions", "Permissions", _check_permissions),
    Check("tokenStore", "Token store", _check_store),
    Check("disk", "Disk", _check_disk),
    Check("registry", "Registry", _check_registry),
)
