"""A company's time zone, and instants as its records spell them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DEFAULT_ZONE = "America/Los_Angeles"


def zone_of(name: str) -> tzinfo:
    """Find a time zone, also on a machine without zone data.

    Args:
        name: As in CompanyInfo.DefaultTimeZone.

    Returns:
        The zone; Pacific standard time when this machine knows none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return timezone(timedelta(hours=-8))


def local_time(epoch: float, zone: tzinfo) -> str:
    """Spell an instant as MetaData does.

    Args:
        epoch: Seconds.

        zone: The company's.

    Returns:
        Whole seconds with the offset of that date: `2026-05-05T03:09:39-07:00`.
    """
    return datetime.fromtimestamp(int(epoch), zone).isoformat()
