"""What the use cases need from outside, one protocol per caller.

Each protocol is as narrow as the use case that asks for it; one store may fulfil several. Stores
know values only: no request and no response reaches them. Blobs are a port of their own, see
:mod:`skep.packages.blobs`. ``staged`` is what was pushed and not
published; only the use cases that complete a push or a publication ever see it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from skep.digests import Digest
from skep.marketplace.registry.records import (
    ManifestRecord,
    Publication,
    PublishedVersion,
    SearchHit,
    Upload,
)
from skep.packages.oci.descriptors import Descriptor
from skep.packages.wire.search_query import Field
from skep.versions import Version


class UploadCatalogue(Protocol):
    """For :mod:`~skep.marketplace.registry.uploads`."""

    def add_upload(self, upload: Upload) -> None:
        """Remember an upload."""

    def upload(self, repository: str, upload_id: str) -> Upload | None:
        """An upload of this repository."""

    def remove_upload(self, upload_id: str) -> None:
        """Forget an upload; forgetting what is not there is nothing."""

    def uploads_before(self, moment: datetime) -> Sequence[str]:
        """Ids of uploads that started before ``moment``."""

    def open_uploads(self) -> int:
        """How many uploads there are."""

    def staged_bytes(self) -> int:
        """Bytes of blobs that no published manifest names."""

    def stage_blob(self, repository: str, digest: Digest, size: int, now: datetime) -> None:
        """Note that a blob was pushed to a repository; again renews its time."""

    def expire_staged(self, before: datetime) -> Sequence[Digest]:
        """Forget what was pushed before a moment and is not published.

        Returns:
            Digests of blobs that no repository has any more.
        """


class ManifestCatalogue(Protocol):
    """For :mod:`~skep.marketplace.registry.manifests`."""

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Size of a blob that was pushed to this repository, staged or published."""

    def stage_manifest(self, record: ManifestRecord, now: datetime) -> None:
        """Keep a manifest; the same again renews its time."""

    def version(self, package: str, version: Version) -> PublishedVersion | None:
        """A published version."""


class PublishingCatalogue(Protocol):
    """For :mod:`~skep.marketplace.registry.publishing`."""

    def manifest(self, repository: str, digest: Digest) -> ManifestRecord | None:
        """A manifest that was pushed to this repository, staged or published."""

    def manifests_about(self, repository: str, digest: Digest) -> Sequence[ManifestRecord]:
        """Manifests whose subject is ``digest``, staged or published, oldest first."""

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Size of a blob that was pushed to this repository, staged or published."""

    def versions(self, package: str) -> Sequence[PublishedVersion]:
        """All published versions, in no order."""

    def publish(self, publication: Publication) -> None:
        """Make a version, its manifests and its blobs visible, all at once.

        The same version with the same digest again only adds referrers.

        Raises:
            VersionTaken: the version is there with another digest; nothing is changed.
            ManifestUnknown: a manifest is not there any more; nothing is changed.
        """


class ReadingCatalogue(Protocol):
    """For :mod:`~skep.marketplace.registry.reading`: published content only."""

    def versions(self, package: str) -> Sequence[PublishedVersion]:
        """All published versions, in no order."""

    def version(self, package: str, version: Version) -> PublishedVersion | None:
        """A published version."""

    def published_manifest(self, repository: str, digest: Digest) -> ManifestRecord | None:
        """A published manifest."""

    def published_blob(self, repository: str, digest: Digest) -> int | None:
        """Size of a blob that a published manifest of this repository names."""

    def published_referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor]:
        """Published manifests whose subject is ``digest``, oldest first."""


class SearchingCatalogue(Protocol):
    """For :mod:`~skep.marketplace.registry.searching`."""

    def search(
        self, words: Sequence[str], limit: int, filters: Sequence[tuple[Field, str]] = ()
    ) -> Sequence[SearchHit]:
        """Packages in which every word begins some word, best first.

        Args:
            words: letters and digits only; without any, and without filters, the packages
                published last.
            limit: at most this many.
            filters: words that begin a word of one field.
        """


class Catalogue(
    UploadCatalogue,
    ManifestCatalogue,
    PublishingCatalogue,
    ReadingCatalogue,
    SearchingCatalogue,
    Protocol,
):
    """All of it, for wirings and contract tests."""

    def close(self) -> None:
        """Let go of the database."""
