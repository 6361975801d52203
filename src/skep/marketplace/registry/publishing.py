"""Publishing: from pushed and invisible to reviewed and visible, all at once or not at all."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from skep.bytecode.analysis.label import Label, label_of
from skep.bytecode.analysis.texts import permission_text
from skep.clock import Clock
from skep.digests import Digest
from skep.errors import Malformed, Untrusted
from skep.marketplace.registry.errors import (
    ManifestUnknown,
    PublishRefused,
    VersionTaken,
    VettingRefused,
)
from skep.marketplace.registry.ports import PublishingCatalogue
from skep.marketplace.registry.records import (
    ManifestRecord,
    Publication,
    PublishedVersion,
    SearchEntry,
)
from skep.marketplace.registry.uploads import check_publisher
from skep.marketplace.vetting.reviewing import review
from skep.marketplace.vetting.rules import Rule
from skep.marketplace.vetting.submissions import Submission, submit
from skep.packages.blobs import BlobReader
from skep.packages.content import LARGEST_PACKAGE
from skep.packages.oci.manifests import parse_manifest
from skep.packages.oci.referrers import bundle_layer
from skep.packages.opening import open_package
from skep.sigstore import BUNDLE, LARGEST_BUNDLE, MOST_BUNDLES
from skep.trust.keys import PublicKey
from skep.trust.verifying import RequireKey, SignatureEvidence, Subject, UnknownKey, verify
from skep.versions import newest


@dataclass(frozen=True, slots=True)
class _Signed:
    """A referrer whose bundle was read.

    Attributes:
        manifest: digest of the referrer.
        bundle: its bytes.
    """

    manifest: Digest
    bundle: bytes


class Publishing:
    """The use case.

    Args:
        catalogue: what was pushed and what is published.
        blobs: the bytes.
        publishers: keys that may sign for a publisher.
        rules: of the review.
        clock: for the receipt.
    """

    def __init__(
        self,
        catalogue: PublishingCatalogue,
        blobs: BlobReader,
        publishers: Mapping[str, tuple[PublicKey, ...]],
        rules: Sequence[Rule],
        clock: Clock,
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._publishers = publishers
        self._rules = rules
        self._clock = clock
        # One review at a time: it needs the processor, and "which version is newest" must not
        # change between the question and the answer.
        self._lock = threading.Lock()

    def publish(self, package: str, digest: Digest) -> PublishedVersion:
        """Publish what was pushed to the repository ``package`` as ``digest``.

        1. The publisher is registered here.
        2. The manifest was pushed to this very repository.
        3. It is a package, and every blob has the size and digest the manifest says.
        4. Name in the metadata and name of the repository are the same.
        5. A key of this publisher has signed this very digest; without the name check before, a
           signature for one package would do for another of the same publisher.
        6. The version is free, or has this very content already.
        7. Every rule of the review is asked, over reports derived here; errors refuse.
        8. The manifest, its blobs, the verified signatures, the version and what it is found by
           become visible in one transaction.

        The same content again is no error: it gives the same receipt, and makes visible what was
        signed since.

        Raises:
            NameInvalid, PublisherUnknown, ManifestUnknown: 1 and 2.
            Malformed, DigestMismatch, PublishRefused: 3 and 4.
            Unsigned, UnknownKey, SignatureInvalid: 5.
            VersionTaken: 6.
            VettingRefused: 7, with each rule that was broken.
        """
        with self._lock:
            return self._publish(package, digest)

    def _publish(self, package: str, digest: Digest) -> PublishedVersion:
        # (1)
        check_publisher(package, self._publishers)
        keys = self._publishers[package.partition("/")[0]]
        # (2)
        manifest = self._catalogue.manifest(package, digest)
        if manifest is None:
            raise ManifestUnknown(
                f"{digest} was not pushed to {package}", hint="push the package, then publish it"
            )
        # (3)
        content = open_package(
            digest.check(manifest.data), lambda blob: self._read(package, blob, LARGEST_PACKAGE)
        )
        # (4)
        if content.metadata.name != package:
            raise PublishRefused(
                f"expected a package {package}, its skep.toml says {content.metadata.name}",
                hint="push it to the repository of its name",
            )
        # (5)
        evidence, referrers = self._verify(package, digest, keys)
        # (6) Asked before the long part, and once more inside the transaction.
        versions = self._catalogue.versions(package)
        for published in versions:
            if published.version == content.metadata.version:
                if published.digest != digest:
                    raise VersionTaken(
                        f"{package}:{published.version} is published with other content,"
                        f" {published.digest}",
                        hint="a version never changes; publish a new one",
                    )
                self._catalogue.publish(Publication(published, referrers, None))
                return published
        # (7)
        submission = submit(content, evidence)
        verdict = review(submission, self._rules)
        if verdict.errors:
            raise VettingRefused(
                f"the review refused {package} {content.metadata.version}: "
                + ", ".join(finding.rule_id for finding in verdict.errors),
                hint=verdict.errors[0].remediation,
                detail=verdict.explained,
            )
        # (8)
        label = label_of(submission.reports)
        version = PublishedVersion(
            package=package,
            version=content.metadata.version,
            digest=digest,
            published_at=self._clock(),
            summary=content.metadata.summary,
            licence=content.metadata.licence,
            signed_by=evidence.fingerprint,
            label=label,
            verdict=verdict.to_document(),
        )
        is_newest = newest([version.version, *(one.version for one in versions)]) == version.version
        self._catalogue.publish(
            Publication(version, referrers, _search_entry(submission, label) if is_newest else None)
        )
        return version

    def _verify(
        self, package: str, digest: Digest, keys: tuple[PublicKey, ...]
    ) -> tuple[SignatureEvidence, tuple[Digest, ...]]:
        """Evidence, and the referrers that gave it; others stay invisible."""
        subject, policy = Subject(package, digest), RequireKey(keys)
        signed = list(self._signatures(package, digest))
        first: SignatureEvidence | None = None
        verified: list[Digest] = []
        for candidate in signed:
            with suppress(Untrusted):
                evidence = verify(subject, [candidate.bundle], policy, self._clock())
                first = first or evidence
                verified.append(candidate.manifest)
        if first is None:
            # Asked again with all of them, for the error that says most.
            bundles = [candidate.bundle for candidate in signed]
            try:
                first = verify(subject, bundles, policy, self._clock())
            except UnknownKey as error:
                registered = ", ".join(key.fingerprint for key in keys)
                raise UnknownKey(
                    f"{package} is signed by {error.fingerprint or 'a key it does not name'},"
                    f" which is no key of {subject.publisher} here",
                    hint=f"sign with a key that is registered here ({registered}), or ask the"
                    " marketplace's owner to register yours",
                    publisher=error.publisher,
                    fingerprint=error.fingerprint,
                ) from error
        return first, tuple(verified)

    def _signatures(self, package: str, digest: Digest) -> Sequence[_Signed]:
        """Bundles pushed for ``digest``; what is no bundle is not looked at."""
        referrers: Sequence[ManifestRecord] = [
            record
            for record in self._catalogue.manifests_about(package, digest)
            if record.descriptor.artifact_type == BUNDLE
        ]
        found: list[_Signed] = []
        # The newest first: a flood of old ones cannot hide the one that was just pushed.
        for record in list(reversed(referrers))[:MOST_BUNDLES]:
            try:
                layer = bundle_layer(parse_manifest(record.data, "signature manifest"))
                bundle = layer.check(self._read(package, layer.digest, LARGEST_BUNDLE))
            except (Malformed, Untrusted):
                continue
            found.append(_Signed(record.digest, bundle))
        return found

    def _read(self, package: str, digest: Digest, limit_bytes: int) -> bytes:
        # A blob of another repository is none of this one, even if the bytes are here.
        if self._catalogue.blob_size(package, digest) is None:
            raise PublishRefused(f"{digest} was not pushed to {package}", hint="push it again")
        return self._blobs.read(digest, limit_bytes)


def _search_entry(submission: Submission, label: Label) -> SearchEntry:
    metadata = submission.content.metadata
    words = [
        *metadata.categories,
        *(program.name for program in metadata.programs),
        *(program.hook for program in metadata.programs),
        *(permission_text(each.id, each.confidence) for each in label.permissions),
    ]
    return SearchEntry(metadata.name, metadata.version, metadata.summary, " ".join(words))
