"""Wall-clock times as they are written: ISO 8601 with milliseconds and the offset of this machine's time zone."""

from datetime import UTC, datetime


def iso_time(seconds: float) -> str:
    """A time in seconds since 1970, such as `2026-11-26T16:04:47.123+00:00`."""
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="milliseconds")


def from_iso(text: str) -> float:
    """The seconds since 1970 of a time that `iso_time` has written."""
    return datetime.fromisoformat(text).timestamp()
