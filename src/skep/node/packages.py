"""What use cases know of packages: opened and verified, or linked; how is the shelf's matter."""

from dataclasses import dataclass
from typing import Protocol

from skep.chains.deployment import Deployment, TrustDecision
from skep.chains.planning import LinkedDeployment
from skep.digests import Digest
from skep.errors import NotFound
from skep.node.labels import ConsentLabel
from skep.packages.content import PackageContent
from skep.packages.references import Reference
from skep.trust.verifying import SignatureEvidence


class NoSuchVersion(NotFound):
    """No version of the package is on this node."""


@dataclass(frozen=True, slots=True)
class VerifiedPackage:
    """A package whose every byte was hashed and whose signature was checked, or waived.

    Attributes:
        reference: what was asked for.
        digest: of its manifest.
        content: what is in it.
        evidence: why it was accepted.
    """

    reference: Reference
    digest: Digest
    content: PackageContent
    evidence: SignatureEvidence


class Packages(Protocol):
    """Packages on this node."""

    def open(
        self, reference: Reference, digest: Digest | None, policy: TrustDecision
    ) -> VerifiedPackage:
        """Open a package and verify it.

        Raises:
            NotFound, Malformed, Untrusted: see :class:`skep.node.verified.shelf.Shelf`.
        """
        ...

    def linked(self, deployment: Deployment) -> LinkedDeployment:
        """Open a deployment's package again, verify it again, and link it with its settings."""
        ...

    def label(self, deployment: Deployment) -> ConsentLabel:
        """Open a deployment's package again, verify it again, and derive what it may do."""
        ...

    def check_trust(self) -> None:
        """Nothing, if the trusted keys can be read and only their owner can change them.

        Raises:
            SkepError: nothing that must be signed could be opened.
        """
        ...
