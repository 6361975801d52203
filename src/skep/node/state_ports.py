"""What the node's use cases need of the committed state; implemented by ``node.store.state``."""

from collections.abc import Collection, Sequence
from typing import Protocol

from skep.node.records import ConsentRecord, DamagedRow, Installed, JournalEntry, Scope


class StateReader(Protocol):
    """The committed state, to be read."""

    def installed(self) -> tuple[Installed, ...]:
        """Committed deployments, ascending by hook target, order and name; no damaged ones."""
        ...

    def damaged(self) -> tuple[DamagedRow, ...]:
        """Deployments whose records cannot be read, ascending by name."""
        ...

    def problem(self) -> str:
        """What is wrong with the database as a whole; empty if nothing is."""
        ...

    def unfinished(self) -> tuple[JournalEntry, ...]:
        """Entries that were begun and not ended, oldest first."""
        ...

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        """The latest entries, newest first."""
        ...

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:
        """The latest records of consent, newest first."""
        ...


class State(StateReader, Protocol):
    """The committed state; every method is one transaction."""

    def begin(self, command: str, steps: Sequence[str], at: str, scope: Scope = ...) -> int:
        """Write a journal entry before anything is done; returns its number."""
        ...

    def commit(
        self, entry: int, installed: Sequence[Installed], at: str, gone: Collection[str] = ()
    ) -> None:
        """Make ``installed`` the committed state and end the entry, both or neither.

        A consent that its deployment did not have before becomes a record of its own. Damaged
        records stay, unless ``gone`` or ``installed`` has their names.
        """
        ...

    def end(self, entry: int, outcome: str, at: str) -> None:
        """End an entry without a change of state: ``undone`` or ``repaired``."""
        ...

    def note_consents(self, records: Sequence[ConsentRecord]) -> None:
        """Add what was refused or exceeded to the record of consents.

        What the latest record of a deployment says already is not repeated.
        """
        ...
