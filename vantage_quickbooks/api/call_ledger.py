"""Counts an app's metered API calls of the month over all processes of a token store, warns, and stops at a limit.

Intuit meters successful reads in production, for all companies of an app together
(https://developer.intuit.com/app/developer/qbo/docs/get-started/partner-faq), and blocks an app on its free tier that
has used up its calls until the month ends. A deployment can stop before: `VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT`.

Calls are added to the store in small numbers, between requests and never during one. So a killed process loses at most
`MAX_PENDING` of them, and processes together can exceed the limit by as many each. Months follow UTC; Intuit does not
document which time zone its months follow.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vantage_quickbooks.core.cost import forecast, month_end
from vantage_quickbooks.errors import AppBlockedError, TokenStoreError
from vantage_quickbooks.fork_safety import ForkSafeLock
from vantage_quickbooks.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from vantage_quickbooks.auth.stores import TokenStore

__all__ = ["APP_LIMIT", "COMPANY_LIMIT", "CallLedger", "company_key", "is_company_key"]

MAX_PENDING = 20
"""Calls that are not yet in the store."""

MAX_PENDING_S = 2.0
"""How long a call is not yet in the store while others follow."""

APP_LIMIT = "VANTAGE_QUICKBOOKS_MONTHLY_CALL_LIMIT"
"""The variable that limits the calls of an app."""

COMPANY_LIMIT = "monthly_call_limit"
"""The setting that limits the calls of a company."""

_WARN_AT = (0.8, 0.95)
"""Shares of the limit at which a warning is logged, each once per process and month."""

_log = get_logger(__name__)


def company_key(client_id: str, environment: str, realm_id: str) -> str:
    """Return the name under which the calls of one company of an app are counted, in addition to those of the app.

    Args:
        client_id: The app.
        environment: The environment.
        realm_id: The company.
    """
    return f"{client_id}/{environment}/{realm_id}"


def is_company_key(app: str) -> bool:
    """Return whether calls were counted for one company, and not for an app; no client id contains a slash."""
    return "/" in app


class CallLedger:
    """The metered calls of one app, or of one of its companies; thread-safe.

    Args:
        store: Where they are counted.
        app: The app's client id, or the `company_key` of one of its companies.
        limit: Calls of a month after which requests are refused; None for no limit.
        setting: The option that sets the limit, for messages.
        now: Returns the wall clock as an aware datetime.
        monotonic: Monotonic clock in seconds.
    """

    def __init__(
        self,
        store: TokenStore,
        app: str,
        limit: int | None = None,
        *,
        setting: str = APP_LIMIT,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._app = app
        self._limit = limit
        self._setting = setting
        self._now = now
        self._monotonic = monotonic
        self._lock = ForkSafeLock()
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._month = ""
        self._pending = 0
        self._total: int | None = None  # of the month, in the store, when it was last asked
        self._added_at = float("-inf")
        self._warned = 0
        self._has_failed = False

    def check(self) -> None:
        """Return if another request may be sent.

        Raises:
            AppBlockedError: The limit of the month is reached.
            TokenStoreError: There is a limit, and the calls cannot be counted.
        """
        if self._limit is None:
            return
        with self._lock:
            self._turn_month()
            if self._total is None or (self._total + self._pending >= self._limit and self._is_due()):
                self._add_or_explain()
            used = (self._total or 0) + self._pending
        if used >= self._limit:
            raise self._reached(used)

    def record(self) -> None:
        """Count one metered call.

        A store that fails is reported by `check` if there is a limit; without one, it is logged once.
        """
        with self._lock:
            self._turn_month()
            self._pending += 1
            if self._pending >= MAX_PENDING or self._is_due():
                self._try_add()

    def flush(self) -> None:
        """Add what is pending to the store."""
        with self._lock:
            if self._pending and self._pid == os.getpid():
                self._try_add()

    def usage(self) -> dict[str, Any]:
        """Return the calls of this month and where they lead, see `core.cost.forecast`, and the `month`.

        Raises:
            TokenStoreError: They cannot be counted.
        """
        with self._lock:
            self._turn_month()
            self._add()
            return {"month": self._month, **forecast(self._total or 0, self._now().date(), self._limit)}

    def _turn_month(self) -> None:
        """Begin a new count with each month, and in a forked child: its parent counts what was pending."""
        if self._pid != os.getpid():
            self._forget()
        month = f"{self._now().astimezone(UTC):%Y-%m}"
        if month != self._month:
            if self._pending:
                self._try_add()
            self._forget()
            self._month = month

    def _is_due(self) -> bool:
        return self._monotonic() - self._added_at >= MAX_PENDING_S

    def _try_add(self) -> None:
        try:
            self._add()
        except TokenStoreError as error:
            if not self._has_failed:
                self._has_failed = True
                _log.warning("metered API calls are not counted: %s", error.message)

    def _add_or_explain(self) -> None:
        try:
            self._add()
        except TokenStoreError as error:
            raise TokenStoreError(
                f"{self._setting} limits metered API calls, and they cannot be counted, so nothing was sent. "
                f"{error.message}",
                code=error.code,
                retryable=error.retryable,
                details=error.details,
            ) from None

    def _add(self) -> None:
        self._added_at = self._monotonic()
        self._total = None  # unknown if the store fails
        self._total = self._store.add_calls(self._app, self._month, self._pending)
        self._pending = 0
        self._warn()

    def _warn(self) -> None:
        if not self._limit or self._total is None:
            return
        passed = sum(self._total >= share * self._limit for share in _WARN_AT)
        if passed > self._warned:
            self._warned = passed
            found = forecast(self._total, self._now().date(), self._limit)
            _log.warning(
                "%d of %d metered API calls of %s are used; at this pace the limit is reached on %s",
                self._total,
                self._limit,
                self._month,
                found["reachedOn"] or "no day of this month",
            )

    def _reached(self, used: int) -> AppBlockedError:
        now = self._now()
        return AppBlockedError(
            f"{'The app' if self._setting == APP_LIMIT else 'This company'} has used {used} metered API calls in "
            f"{self._month}, and {'this deployment allows' if self._setting == APP_LIMIT else 'its settings allow'} "
            f"{self._limit} ({self._setting}). Nothing was sent. Raise the limit, or wait for the next month.",
            retry_after_s=round((month_end(now) - now).total_seconds(), 1),
            details={"meteredCallsOfMonth": used, "limit": self._limit, "setBy": self._setting},
        )
