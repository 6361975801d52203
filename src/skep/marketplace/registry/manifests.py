"""Manifests coming in: checked for form, kept, and not visible before they are published."""

from collections.abc import Collection
from dataclasses import replace

from skep.clock import Clock
from skep.digests import Digest
from skep.errors import Malformed
from skep.marketplace.registry.errors import (
    ManifestBlobUnknown,
    ManifestInvalid,
    TooLarge,
    VersionTaken,
)
from skep.marketplace.registry.names import check_tag
from skep.marketplace.registry.ports import ManifestCatalogue
from skep.marketplace.registry.records import ManifestRecord
from skep.marketplace.registry.settings import Limits
from skep.marketplace.registry.uploads import check_publisher
from skep.packages.oci.manifests import parse_manifest
from skep.packages.oci.media_types import MANIFEST
from skep.versions import MalformedVersion, Version


class Manifests:
    """The use case.

    Args:
        catalogue: what is known about manifests.
        publishers: who may push.
        limits: how much.
        clock: for when staged manifests end.
    """

    def __init__(
        self,
        catalogue: ManifestCatalogue,
        publishers: Collection[str],
        limits: Limits,
        clock: Clock,
    ) -> None:
        self._catalogue = catalogue
        self._publishers = publishers
        self._limits = limits
        self._clock = clock

    def stage(
        self, repository: str, reference: str, media_type: str, data: bytes
    ) -> ManifestRecord:
        """Take a manifest.

        A tag is checked, not set: publishing sets the one tag that the package's metadata names.

        1. The publisher is registered.
        2. It is an image manifest of bounded size, and nothing else at the same time.
        3. A digest in the path is its digest; a tag in the path is not a version that is
           published with other content.
        4. Every blob it names was pushed to this repository, with the size it says.

        Args:
            repository: ``publisher/name``.
            reference: tag or digest, from the path.
            media_type: as the client declares it.
            data: the manifest.

        Raises:
            NameInvalid, PublisherUnknown, TooLarge, ManifestInvalid, DigestMismatch,
            VersionTaken, ManifestBlobUnknown: see above.
        """
        # (1)
        check_publisher(repository, self._publishers)
        # (2)
        if len(data) > self._limits.manifest_bytes:
            raise TooLarge(f"expected a manifest of at most {self._limits.manifest_bytes} bytes")
        if media_type.partition(";")[0].strip() != MANIFEST:
            raise ManifestInvalid(f"expected {MANIFEST}, got {media_type[:160]!r}")
        try:
            manifest = parse_manifest(data)
        except Malformed as error:
            raise ManifestInvalid(error.message, hint=error.hint, detail=error.detail) from error
        # (3)
        algorithm = "sha256"
        if ":" in reference:
            wanted = Digest.parse(reference)
            wanted.check(data)
            algorithm = wanted.algorithm
        digest = Digest.of(data, algorithm)
        if ":" not in reference:
            self._check_tag_is_free(repository, check_tag(reference), digest)
        # (4)
        for named in (manifest.config, *manifest.layers):
            size = self._catalogue.blob_size(repository, named.digest)
            if size is None:
                raise ManifestBlobUnknown(
                    f"the manifest names {named.digest}, which was not pushed to {repository}"
                )
            if size != named.size:
                raise ManifestInvalid(
                    f"the manifest says {named.digest} has {named.size} bytes, it has {size}"
                )
        record = ManifestRecord(
            repository,
            manifest.descriptor(data)
            if algorithm == "sha256"
            else replace(manifest.descriptor(data), digest=digest),
            manifest.subject.digest if manifest.subject else None,
            tuple(dict.fromkeys(named.digest for named in (manifest.config, *manifest.layers))),
            data,
        )
        self._catalogue.stage_manifest(record, self._clock())
        return record

    def _check_tag_is_free(self, repository: str, tag: str, digest: Digest) -> None:
        try:
            version = Version.parse(tag)
        except MalformedVersion:
            return  # no version has this tag, so it will never be visible
        published = self._catalogue.version(repository, version)
        if published is not None and published.digest != digest:
            raise VersionTaken(
                f"{repository}:{tag} is published with other content, {published.digest}",
                hint="a version never changes; publish a new one",
            )
