"""A node as far as it can be read: what ``skep list`` needs, and nothing slow to import."""

from collections.abc import Callable

from skep.chains.deployment import Deployment
from skep.errors import SkepError
from skep.hooks.table import HookTarget
from skep.node.locking import NodeBusy
from skep.node.looking.listing import (
    ChainView,
    Listed,
    list_chains,
    list_installed,
    list_undeclared_chains,
    view_chain,
)
from skep.node.looking.standing import Standing
from skep.node.ports import Links
from skep.node.records import DamagedRow, JournalEntry
from skep.node.state_ports import StateReader


class NodeReader:
    """Reads the committed state and compares it with what runs.

    Attributes:
        doubt: why what is seen may be half of a change; ``None`` if nothing changed meanwhile.

    Args:
        state: what is committed.
        links: what runs.
        stand: how a deployment stands.
        doubt: as the attribute.
    """

    def __init__(
        self,
        state: StateReader,
        links: Links,
        stand: Callable[[Deployment], Standing],
        *,
        doubt: SkepError | None,
    ) -> None:
        self.doubt = doubt
        self._state = state
        self._links = links
        self._stand = stand

    def here(self) -> str:
        """Network namespace of this command; empty on the host."""
        return self._links.here()

    def installed(self, *, with_remarks: bool = False) -> tuple[Listed, ...]:
        """All deployments; see :func:`skep.node.looking.listing.list_installed`."""
        return list_installed(self._state, self._links, with_remarks=with_remarks)

    def standing(self, one: Listed) -> Standing:
        """Trust and settings of a deployment; see :class:`skep.node.looking.standing.Standing`."""
        return self._stand(one.deployment)

    def damaged(self) -> tuple[DamagedRow, ...]:
        """Deployments whose records cannot be read."""
        return self._state.damaged()

    def chains(self) -> tuple[ChainView, ...]:
        """All declared chains, ascending by hook target; then those that run undeclared."""
        undeclared = list_undeclared_chains(self._state, self._links)
        return (*list_chains(self._state, self._links), *undeclared)

    def chain(self, on: HookTarget) -> ChainView:
        """The chain on a hook target."""
        return view_chain(self._state, self._links, on)

    def history(self, limit: int = 100) -> tuple[JournalEntry, ...]:
        """What was done, newest first."""
        return self._state.history(limit)

    def interrupted(self) -> tuple[JournalEntry, ...]:
        """Changes that a crash interrupted; the next change repairs them."""
        return self._state.unfinished() if not isinstance(self.doubt, NodeBusy) else ()
