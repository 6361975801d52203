"""Time as a value: the one place where a service reads the wall clock.

Pure rooms take ``now`` as an argument; wirings pass :func:`system_clock`, tests a fixed one.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives an aware UTC time."""


def system_clock() -> datetime:
    """Return the time of this machine, aware, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Write an aware time as RFC 3339 with whole seconds and ``Z``.

    >>> rfc3339(datetime(2026, 11, 23, 8, 0, 1, 999, tzinfo=UTC))
    '2026-11-23T08:00:01Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
