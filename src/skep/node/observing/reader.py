"""A node as far as it can be read: what ``skep list`` needs, and nothing slow to import."""

from skep.hooks.table import HookTarget
from skep.node.looking.listing import ChainView, Listed, list_chains, list_installed, view_chain
from skep.node.ports import Links, StateReader
from skep.node.records import ConsentRecord, Installed, JournalEntry


class NodeReader:
    """Reads the committed state and compares it with what runs.

    Args:
        state: what is committed; ``None`` if nothing ever was.
        links: what runs.
    """

    def __init__(self, state: StateReader | None, links: Links) -> None:
        self._state: StateReader = state if state is not None else _NothingCommitted()
        self._links = links

    def installed(self) -> tuple[Listed, ...]:
        """All deployments, ascending by hook target and order."""
        return list_installed(self._state, self._links)

    def chains(self) -> tuple[ChainView, ...]:
        """All declared chains, ascending by hook target."""
        return list_chains(self._state, self._links)

    def chain(self, on: HookTarget) -> ChainView:
        """The chain on a hook target."""
        return view_chain(self._state, self._links, on)

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        """What was done, newest first."""
        return self._state.history(limit)

    def interrupted(self) -> tuple[JournalEntry, ...]:
        """Changes that a crash interrupted; the next change repairs them."""
        return self._state.unfinished()


class _NothingCommitted:
    """The state of a node that never had one; there is nothing to read."""

    def installed(self) -> tuple[Installed, ...]:
        return ()

    def unfinished(self) -> tuple[JournalEntry, ...]:
        return ()

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:  # noqa: ARG002 - the port names it
        return ()

    def consents(self, limit: int = 100) -> tuple[ConsentRecord, ...]:  # noqa: ARG002 - the port names it
        return ()
