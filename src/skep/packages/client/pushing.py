"""Pushing: a package and its signatures from the content store to a marketplace."""

from collections.abc import Collection
from dataclasses import dataclass

from skep.digests import Digest
from skep.packages.client.progress import ByteMeter, Progress
from skep.packages.client.registry import Registry
from skep.packages.local.content_store import ContentStore
from skep.packages.opening import open_package
from skep.versions import Version


@dataclass(frozen=True, slots=True)
class Pushed:
    """A package that was pushed and is not published yet.

    Attributes:
        package: ``publisher/name``.
        version: from its metadata.
        digest: of its manifest.
        referrers: digests of what was pushed about it.
    """

    package: str
    version: Version
    digest: Digest
    referrers: tuple[Digest, ...]


def push(
    store: ContentStore,
    digest: Digest,
    client: Registry,
    progress: Progress | None = None,
    *,
    leave_out: Collection[Digest] = (),
) -> Pushed:
    """Push a package and what in the store refers to it.

    The package is opened first, so nothing that is damaged or no package leaves this machine.
    Blobs the marketplace has are not sent again; the manifest goes by digest, then by tag, then
    come its referrers.

    Args:
        store: where it is.
        digest: of its manifest.
        client: the marketplace.
        progress: told about bytes of blobs and manifests.
        leave_out: manifests that refer to it and are not pushed.

    Raises:
        NoSuchContent, DigestMismatch, MalformedPackage: the store has no such sound package.
        MarketplaceUnavailable, MarketplaceDenied, MarketplaceConflict: and others of a request.
    """
    data = store.blob(digest)
    content = open_package(data, store.blob)
    package, version = content.metadata.name, content.metadata.version

    manifests = [(data, store.manifest(digest))]
    for referrer in store.referrers(digest):
        if referrer.digest in leave_out:
            continue
        manifests.append((store.blob(referrer.digest), store.manifest(referrer.digest)))
    total = sum(
        len(bytes_)
        + sum({named.digest: named.size for named in (parsed.config, *parsed.layers)}.values())
        for bytes_, parsed in manifests
    )
    meter = ByteMeter(total, progress)

    for position, (manifest_data, manifest) in enumerate(manifests):
        blobs = {named.digest: named for named in (manifest.config, *manifest.layers)}
        for named in blobs.values():
            client.push_blob(package, named.check(store.blob(named.digest)))
            meter.advance(named.size)
        client.push_manifest(package, manifest_data)
        if position == 0:
            client.push_manifest(package, manifest_data, tag=str(version))
        meter.advance(len(manifest_data))
    return Pushed(
        package,
        version,
        digest,
        tuple(Digest.of(manifest_data) for manifest_data, _ in manifests[1:]),
    )
