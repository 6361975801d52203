"""The committed state in memory; only for laws that need thousands of nodes."""

from collections.abc import Sequence
from dataclasses import replace

from skep.node.records import Installed, JournalEntry


class MemoryState:
    """Implements the ``State`` port."""

    def __init__(self) -> None:
        self._installed: tuple[Installed, ...] = ()
        self._journal: dict[int, JournalEntry] = {}

    def installed(self) -> tuple[Installed, ...]:
        return tuple(
            sorted(
                self._installed,
                key=lambda one: (one.deployment.on, one.deployment.order, one.deployment.name),
            )
        )

    def begin(self, command: str, steps: Sequence[str], at: str) -> int:
        number = len(self._journal) + 1
        self._journal[number] = JournalEntry(number, at, command, tuple(steps))
        return number

    def commit(self, entry: int, installed: Sequence[Installed], at: str) -> None:
        self._installed = tuple(installed)
        self.end(entry, "done", at)

    def end(self, entry: int, outcome: str, at: str) -> None:
        self._journal[entry] = replace(self._journal[entry], ended_at=at, outcome=outcome)

    def unfinished(self) -> tuple[JournalEntry, ...]:
        return tuple(entry for entry in self._journal.values() if entry.ended_at is None)

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        return tuple(reversed(self._journal.values()))[:limit]
