"""The state of a node that never had one: there is nothing to read, and no file is made for it."""

from skep.node.records import ConsentRecord, DamagedRow, Installed, JournalEntry


class NothingCommitted:
    """Implements the ``StateReader`` port."""

    def installed(self) -> tuple[Installed, ...]:
        """None."""
        return ()

    def damaged(self) -> tuple[DamagedRow, ...]:
        """None."""
        return ()

    def problem(self) -> str:
        """None."""
        return ""

    def unfinished(self) -> tuple[JournalEntry, ...]:
        """None."""
        return ()

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:  # noqa: ARG002 - the port names it
        """None."""
        return ()

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:  # noqa: ARG002 - the port names it
        """None."""
        return ()
