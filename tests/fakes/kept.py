"""Kept copies in memory, lost and damaged as told."""

from collections.abc import Collection
from dataclasses import replace

from skep.chains.planning import LinkedDeployment
from skep.digests import Digest
from skep.node.kept_ports import KeptDamaged, KeptLost
from skep.node.store.linked_document import write_linked


class FakeKept:
    """Implements the ``Kept`` port.

    Attributes:
        copies: what is kept, by digest.
        damaged: digests of copies that are not what was kept.
    """

    def __init__(self) -> None:
        self.copies: dict[Digest, LinkedDeployment] = {}
        self.damaged: set[Digest] = set()

    def keep(self, linked: LinkedDeployment) -> Digest:
        digest = Digest.of(write_linked(linked))
        self.copies[digest] = replace(linked, label=None)
        self.damaged.discard(digest)
        return digest

    def kept(self, digest: Digest) -> LinkedDeployment:
        if digest not in self.copies:
            raise KeptLost(f"expected a kept copy {digest}, it is not there")
        if digest in self.damaged:
            raise KeptDamaged(f"the kept copy {digest} was damaged or changed")
        return self.copies[digest]

    def forget_except(self, digests: Collection[Digest]) -> None:
        for digest in self.copies.keys() - set(digests):
            self.lose(digest)

    def lose(self, digest: Digest) -> None:
        """The copy is gone, as if its file had been deleted."""
        del self.copies[digest]
        self.damaged.discard(digest)

    def damage(self, digest: Digest) -> None:
        """The copy is no longer what was kept."""
        assert digest in self.copies
        self.damaged.add(digest)
