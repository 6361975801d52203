"""The committed state in memory; only for laws that need thousands of nodes."""

from collections.abc import Sequence
from dataclasses import replace

from skep.node.records import ConsentRecord, Installed, JournalEntry, says_the_same


class MemoryState:
    """Implements the ``State`` port."""

    def __init__(self) -> None:
        self._installed: tuple[Installed, ...] = ()
        self._journal: dict[int, JournalEntry] = {}
        self._consents: list[ConsentRecord] = []

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
        before = {one.deployment.name: one.consent for one in self._installed}
        for one in installed:
            name, reference = one.deployment.name, one.deployment.reference
            if one.consent is not None and one.consent != before.get(name):
                self._add(ConsentRecord("given", name, reference, one.consent))
        self._installed = tuple(installed)
        self.end(entry, "done", at)

    def end(self, entry: int, outcome: str, at: str) -> None:
        self._journal[entry] = replace(self._journal[entry], ended_at=at, outcome=outcome)

    def unfinished(self) -> tuple[JournalEntry, ...]:
        return tuple(entry for entry in self._journal.values() if entry.ended_at is None)

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        return tuple(reversed(self._journal.values()))[:limit]

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:
        return tuple(reversed(self._consents))[:limit]

    def note_consents(self, records: Sequence[ConsentRecord]) -> None:
        for record in records:
            latest = next((r for r in self.consents() if r.deployment == record.deployment), None)
            if latest is None or not says_the_same(latest, record):
                self._add(record)

    def _add(self, record: ConsentRecord) -> None:
        self._consents.append(replace(record, number=len(self._consents) + 1))
