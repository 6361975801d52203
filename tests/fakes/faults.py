"""Faults that enter through a port: a call that fails, a process that dies between two calls."""

from collections.abc import Callable
from typing import Any

from skep.errors import Unavailable

CHANGES = frozenset(
    {
        "create_map", "delete_map", "retire_map", "restore_map", "purge_map", "write_entries",
        "load", "attach", "replace", "detach", "begin", "commit", "end",
    }
)  # fmt: skip


class SimulatedCrash(BaseException):
    """The process is dead; nothing of it runs any more."""


class PlannedFailure(Unavailable):
    """The call fails, as a test planned."""


class Fault:
    """Counts changing calls over one or more ports.

    Args:
        at: the call, from 0, at which it happens; the call itself is done only if ``after``.
        after: strike after the call was done rather than before.
        kills: every later call raises too, as in a dead process; otherwise only this one fails.
    """

    def __init__(self, at: int, *, after: bool = False, kills: bool = True) -> None:
        self.at = at
        self.after = after
        self.kills = kills
        self.calls = 0
        self.struck = False

    def over(self, port: Any) -> Any:
        """The port with this fault in it."""
        return _Faulty(port, self)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.struck and self.kills:
            raise SimulatedCrash
        number, self.calls = self.calls, self.calls + 1
        if number != self.at:
            return function(*args, **kwargs)
        self.struck = True
        if self.after:
            function(*args, **kwargs)
        raise SimulatedCrash if self.kills else PlannedFailure(f"call {number} fails as planned")


class _Faulty:
    def __init__(self, port: Any, fault: Fault) -> None:
        self._port = port
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if name not in CHANGES:
            return attribute
        return lambda *args, **kwargs: self._fault.call(attribute, *args, **kwargs)
