"""Serving: what is published, by name, tag and digest. Nothing else is visible here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skep.digests import Digest
from skep.marketplace.registry.errors import (
    BlobUnknown,
    ManifestUnknown,
    NoSuchPublisher,
    RepositoryUnknown,
)
from skep.marketplace.registry.names import check_publisher_name, check_repository, check_tag
from skep.marketplace.registry.ports import ReadingCatalogue
from skep.marketplace.registry.records import (
    ManifestRecord,
    PublishedVersion,
    PublisherRecord,
)
from skep.packages.blobs import BlobReader
from skep.packages.oci.descriptors import Descriptor
from skep.trust.keys import PublicKey
from skep.versions import MalformedVersion, Version, newness


@dataclass(frozen=True, slots=True)
class Reading:
    """The use case.

    Attributes:
        catalogue: what is published.
        blobs: the bytes.
        publishers: keys that may sign for a publisher.
    """

    catalogue: ReadingCatalogue
    blobs: BlobReader
    publishers: Mapping[str, tuple[PublicKey, ...]] = field(default_factory=dict)

    def publisher(self, name: str) -> PublisherRecord:
        """A publisher with its keys.

        Raises:
            NameInvalid: it cannot name one.
            NoSuchPublisher: nobody of this name publishes here.
        """
        check_publisher_name(name)
        if name not in self.publishers:
            raise NoSuchPublisher(
                f"there is no publisher {name} in this marketplace",
                hint=f"skep search {name}",
            )
        return PublisherRecord(name, self.publishers[name])

    def manifest(self, repository: str, reference: str) -> ManifestRecord:
        """A published manifest by tag or digest.

        Raises:
            NameInvalid, MalformedDigest: the path is no path.
            ManifestUnknown: not published.
        """
        check_repository(repository)
        digest = (
            Digest.parse(reference)
            if ":" in reference
            else self._resolve(repository, check_tag(reference))
        )
        record = self.catalogue.published_manifest(repository, digest) if digest else None
        if record is None:
            raise ManifestUnknown(
                f"{repository} has no published manifest {reference}",
                hint="what was pushed becomes visible when it is published",
            )
        return record

    def _resolve(self, repository: str, tag: str) -> Digest | None:
        try:
            version = self.catalogue.version(repository, Version.parse(tag))
        except MalformedVersion:
            return None
        return version.digest if version else None

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Size of a published blob, ``None`` if it is not published here."""
        return self.catalogue.published_blob(check_repository(repository), digest)

    def stored_blob_size(self, repository: str, digest: Digest) -> int:
        """Size of a published blob whose bytes are here, for whoever sends them.

        Raises:
            NameInvalid: the path is no path.
            BlobUnknown: not published in this repository, wherever else it may be, or lost.
        """
        published = self.blob_size(repository, digest) is not None
        size = self.blobs.size(digest) if published else None
        if size is None:
            raise BlobUnknown(f"{repository} has no published blob {digest}")
        return size

    def tags(self, repository: str) -> list[str]:
        """Tags of published versions, in ASCII order.

        Raises:
            RepositoryUnknown: nothing is published under this name.
        """
        return sorted(str(version.version) for version in self.versions(repository))

    def referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """Published manifests about ``digest``; none is an answer, too."""
        return self.catalogue.published_referrers(check_repository(repository), digest)

    def versions(self, package: str) -> list[PublishedVersion]:
        """All versions of a package, the newest one first; see :func:`skep.versions.newest`.

        Raises:
            RepositoryUnknown: nothing is published under this name.
        """
        versions = self.catalogue.versions(check_repository(package))
        if not versions:
            raise RepositoryUnknown(
                f"there is no package {package} in this marketplace",
                hint=f"skep search {package.rpartition('/')[2]}",
            )
        return sorted(versions, key=lambda one: newness(one.version), reverse=True)
