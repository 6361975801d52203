"""Values that pass between use cases and ports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from skep.bytecode.analysis.label import Label
from skep.clock import rfc3339
from skep.digests import Digest
from skep.packages.oci.descriptors import Descriptor
from skep.packages.wire.publisher_listing import OfferedKey, PublisherListing
from skep.packages.wire.receipt import Receipt
from skep.packages.wire.version_listing import VersionListing
from skep.trust.keys import PublicKey
from skep.versions import Version


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A manifest in a repository.

    Attributes:
        repository: ``publisher/name``.
        descriptor: of the manifest, with artifact type and annotations.
        subject: the manifest this one is about.
        blobs: what it names, configuration included.
        data: the bytes, as pushed.
    """

    repository: str
    descriptor: Descriptor
    subject: Digest | None
    blobs: tuple[Digest, ...]
    data: bytes

    @property
    def digest(self) -> Digest:
        """Of the manifest."""
        return self.descriptor.digest


@dataclass(frozen=True, slots=True)
class Upload:
    """A blob on its way in.

    Attributes:
        upload_id: unguessable; whoever knows it may go on.
        repository: where it will be.
        started_at: aware.
    """

    upload_id: str
    repository: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class PublisherRecord:
    """A registered publisher.

    Attributes:
        name: the part of a package name before the slash.
        keys: whose signatures count for this publisher.
    """

    name: str
    keys: tuple[PublicKey, ...]

    def listing(self) -> PublisherListing:
        """What everybody may see."""
        return PublisherListing(
            self.name,
            tuple(OfferedKey(key.fingerprint, key.pem.decode("ascii")) for key in self.keys),
        )


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version as it was published; it never changes.

    Attributes:
        package: ``publisher/name``.
        version: from the package's metadata.
        digest: of its manifest.
        published_at: aware.
        summary: one line for people.
        licence: SPDX expression.
        signed_by: fingerprint of the publisher's key.
        label: of the reports derived here.
        verdict: of the review, as a document.
    """

    package: str
    version: Version
    digest: Digest
    published_at: datetime
    summary: str
    licence: str
    signed_by: str
    label: Label
    verdict: Mapping[str, object]

    def receipt(self) -> Receipt:
        """What the publisher gets."""
        return Receipt(
            self.package, self.version, self.digest, rfc3339(self.published_at), self.verdict
        )

    def listing(self) -> VersionListing:
        """What everybody may see."""
        return VersionListing(
            package=self.package,
            version=self.version,
            digest=self.digest,
            published_at=rfc3339(self.published_at),
            summary=self.summary,
            licence=self.licence,
            signed_by=self.signed_by,
            label=self.label.to_document(),
            verdict=self.verdict,
        )


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """What a package is found by; one per package, of its newest version.

    Attributes:
        package: ``publisher/name``.
        version: the version it describes.
        summary: one line for people.
        words: everything else: categories, program names, hooks, permission texts.
    """

    package: str
    version: Version
    summary: str
    words: str


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything that becomes visible at once.

    Attributes:
        version: the new version; its digest is the package's manifest.
        referrers: verified signature manifests that become visible with it.
        search: the package's new search entry; ``None`` if a newer version is published.
    """

    version: PublishedVersion
    referrers: tuple[Digest, ...]
    search: SearchEntry | None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A package that was found.

    Attributes:
        package: ``publisher/name``.
        version: the newest.
    """

    package: str
    version: PublishedVersion
