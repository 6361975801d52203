"""What the node's use cases need of kept copies; implemented by :mod:`skep.node.store.kept`."""

from collections.abc import Collection
from typing import Protocol

from skep.chains.planning import LinkedDeployment
from skep.digests import Digest
from skep.errors import NotFound, Untrusted


class KeptLost(NotFound):
    """The kept copy of a deployment is not there."""


class KeptDamaged(Untrusted):
    """The kept copy of a deployment is not what was kept, or others could have written it."""


class KeptReader(Protocol):
    """Copies of linked deployments, to be read."""

    def kept(self, digest: Digest) -> LinkedDeployment:
        """The copy with this digest, without a label.

        Raises:
            KeptLost: it is not there.
            KeptDamaged: it is not what was kept.
            NotPermitted, Unavailable: it cannot be read now.
        """
        ...


class Kept(KeptReader, Protocol):
    """Copies of linked deployments, to splice a chain again without opening a package."""

    def keep(self, linked: LinkedDeployment) -> Digest:
        """Keep a copy, for good once this returns; the digest is the only thing it is found by.

        The label is not kept. Equal deployments have equal digests.

        Raises:
            Malformed: a value that no copy can carry.
            NotPermitted, Unavailable: it cannot be written; nothing half written stays.
        """
        ...

    def forget_except(self, digests: Collection[Digest]) -> None:
        """Remove all other copies, and what a crash left of one; never raises for a failure.

        For whoever holds the node's lock: a copy that another process is writing would go, too.
        """
        ...
