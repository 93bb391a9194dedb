"""The days of the sample company: all dates depend on the day on which the emulator starts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY_S = 86_400


class Clock:
    """Dates and times, counted back from now.

    Args:
        now: Epoch seconds; the sample company's history ends here.
        zone: The company's time zone.
        days: How far back invoices reach.
    """

    def __init__(self, now: float, zone: tzinfo, days: int) -> None:
        self.now = int(now)
        self.zone = zone
        self.days = days
        self.today = datetime.fromtimestamp(now, zone).date()

    def ago(self, days: float) -> int:
        """Return the instant some days before now, in epoch seconds."""
        return self.now - int(days * DAY_S)

    def noon(self, day: date) -> int:
        """Return a day's noon in the company's zone, in epoch seconds."""
        return int(datetime.combine(day, time(12), tzinfo=self.zone).astimezone(UTC).timestamp())

    def day(self, days_ago: int) -> date:
        """Return the date some days before today."""
        return self.today - timedelta(days=days_ago)

    def date_of(self, instant: int) -> date:
        """Return an instant's date in the company's zone."""
        return datetime.fromtimestamp(instant, self.zone).date()

    def spell(self, instant: int) -> str:
        """Format an instant as in MetaData; see `local_time`."""
        return datetime.fromtimestamp(instant, self.zone).isoformat()

    def meta(self, created: int, updated: int) -> str:
        """Format MetaData as a member of a record."""
        return f'"MetaData":{{"CreateTime":"{self.spell(created)}","LastUpdatedTime":"{self.spell(updated)}"}}'
