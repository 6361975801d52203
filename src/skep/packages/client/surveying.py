"""What pushing a package would send: looked up at a marketplace, where nothing is changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from skep.digests import Digest
from skep.packages.client.errors import MarketplaceNotFound, MarketplaceUnsupported
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.content import PackageContent
from skep.packages.local.content_store import ContentStore
from skep.packages.oci.descriptors import EMPTY_DESCRIPTOR
from skep.packages.oci.media_types import TITLE
from skep.packages.wire.publisher_listing import PublisherListing
from skep.packages.wire.version_listing import VersionListing
from skep.versions import Version

Step = Literal["publish", "add signatures", "unchanged", "conflict"]


@dataclass(frozen=True, slots=True)
class PackagePart:
    """A part of a package.

    Attributes:
        title: file name, ``manifest`` or ``signature``.
        digest: of its bytes.
        size_bytes: of it.
        is_there: the marketplace has it.
    """

    title: str
    digest: Digest
    size_bytes: int
    is_there: bool


@dataclass(frozen=True, slots=True)
class PublicationSurvey:
    """A package and a marketplace, compared.

    Attributes:
        package: ``publisher/name``.
        version: from its metadata.
        digest: of its manifest.
        uploads: everything that belongs to it, in the order of pushing.
        versions: that are published there, as the marketplace lists them.
        publisher: with the keys it accepts; ``None`` if it knows no such publisher.
    """

    package: str
    version: Version
    digest: Digest
    uploads: tuple[PackagePart, ...]
    versions: tuple[VersionListing, ...]
    publisher: PublisherListing | None

    @property
    def published(self) -> VersionListing | None:
        """This version, if it is published."""
        return next((each for each in self.versions if each.version == self.version), None)

    @property
    def step(self) -> Step:
        """What publishing would do."""
        if self.published is None:
            return "publish"
        if self.published.digest != self.digest:
            return "conflict"
        return "unchanged" if all(each.is_there for each in self.uploads) else "add signatures"

    @property
    def next_version(self) -> Version:
        """The next version that is free."""
        taken = {each.version for each in self.versions}
        free = Version(self.version.major, self.version.minor, self.version.patch)
        while free in taken or free == self.version:
            free = Version(free.major, free.minor, free.patch + 1)
        return free


def survey(
    store: ContentStore, digest: Digest, content: PackageContent, client: MarketplaceClient
) -> PublicationSurvey:
    """Ask a marketplace what it has of a package; only ``GET`` and ``HEAD`` are sent.

    Args:
        store: where the package is, with its signatures.
        digest: of its manifest.
        content: the package, opened.

    Raises:
        MarketplaceUnsupported: it is a registry, and no marketplace.
        MarketplaceUnavailable, MalformedAnswer: and others of a request.
    """
    metadata = content.metadata
    publisher, _, name = metadata.name.partition("/")
    keys = _publisher(client, publisher)
    try:
        versions = client.show(publisher, name).versions
    except MarketplaceNotFound:
        versions = ()
    return PublicationSurvey(
        metadata.name,
        metadata.version,
        digest,
        tuple(_uploads(store, digest, metadata.name, client, is_known=bool(versions))),
        versions,
        keys,
    )


def _publisher(client: MarketplaceClient, publisher: str) -> PublisherListing | None:
    try:
        return client.publisher(publisher)
    except MarketplaceNotFound:
        pass
    try:
        client.search("", 1)
    except MarketplaceNotFound as error:
        raise MarketplaceUnsupported(
            f"{client.called} is a registry, not a Skep marketplace: it cannot publish",
            hint="name a marketplace with --marketplace, or run one: skep serve",
        ) from error
    return None


def _uploads(
    store: ContentStore, digest: Digest, package: str, client: MarketplaceClient, *, is_known: bool
) -> Iterator[PackagePart]:
    """Parts of the package, then its manifest, then signatures.

    Args:
        is_known: the marketplace has versions of the package; else it has nothing of it.
    """
    manifest = store.manifest(digest)
    for layer in manifest.layers:
        is_there = is_known and client.has_blob(package, layer.digest)
        yield PackagePart(layer.annotations.get(TITLE, ""), layer.digest, layer.size, is_there)
    config = manifest.config
    if config.digest != EMPTY_DESCRIPTOR.digest:
        is_there = is_known and client.has_blob(package, config.digest)
        yield PackagePart("config", config.digest, config.size, is_there)
    is_there = is_known and client.has_manifest(package, digest)
    yield PackagePart("manifest", digest, len(store.blob(digest)), is_there)
    for referrer in store.referrers(digest):
        is_there = is_known and client.has_manifest(package, referrer.digest)
        parsed = store.manifest(referrer.digest)
        size = len(store.blob(referrer.digest)) + sum(each.size for each in parsed.layers)
        yield PackagePart("signature", referrer.digest, size, is_there)
