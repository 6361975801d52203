"""The committed state in memory; only for laws that need thousands of nodes."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from skep.node.records import (
    ConsentRecord,
    DamagedRow,
    Installed,
    JournalEntry,
    Scope,
    says_the_same,
)

_EMPTY = Scope()


class MemoryState:
    """Implements the ``State`` port."""

    def __init__(self) -> None:
        self._installed: tuple[Installed, ...] = ()
        self._journal: dict[int, JournalEntry] = {}
        self._consents: list[ConsentRecord] = []
        self._damaged: tuple[DamagedRow, ...] = ()

    def damage(self, name: str, reason: str = "as a test planned") -> None:
        """Make the record of a deployment unreadable."""
        (one,) = [each for each in self._installed if each.deployment.name == name]
        self._installed = tuple(each for each in self._installed if each is not one)
        row = DamagedRow(name, reason, one.deployment.on, one.kept)
        self._damaged = tuple(sorted((*self._damaged, row), key=lambda row: row.name))

    def damaged(self) -> tuple[DamagedRow, ...]:
        return self._damaged

    def installed(self) -> tuple[Installed, ...]:
        return tuple(
            sorted(
                self._installed,
                key=lambda one: (one.deployment.on, one.deployment.order, one.deployment.name),
            )
        )

    def problem(self) -> str:
        return ""

    def begin(self, command: str, steps: Sequence[str], at: str, scope: Scope = _EMPTY) -> int:
        number = len(self._journal) + 1
        self._journal[number] = JournalEntry(number, at, command, tuple(steps), scope=scope)
        return number

    def commit(
        self, entry: int, installed: Sequence[Installed], at: str, gone: Collection[str] = ()
    ) -> None:
        names = {one.deployment.name for one in installed} | set(gone)
        self._damaged = tuple(row for row in self._damaged if row.name not in names)
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
