"""A company's time zone, and times as records have them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT_ZONE = "America/Los_Angeles"


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its name in CompanyInfo.DefaultTimeZone.

    Pacific standard time is used for a name that this machine does not know, or if the machine has no zone data.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return timezone(timedelta(hours=-8))


def local_time(epoch: float, zone: tzinfo) -> str:
    """Format an instant as in MetaData: `2026-05-05T03:09:39-07:00`.

    Args:
        epoch: Seconds.
        zone: The company's.
    """
    return datetime.fromtimestamp(int(epoch), zone).isoformat()
