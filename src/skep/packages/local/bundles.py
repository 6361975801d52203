"""Signatures beside packages in a content store."""

from datetime import datetime

from skep.digests import Digest
from skep.packages.local.content_store import ContentStore, NewManifest
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.referrers import bundle_layer, bundle_referrer
from skep.sigstore import BUNDLE


def store_bundle(
    store: ContentStore, subject: Descriptor, bundle: bytes, created: datetime | None = None
) -> Descriptor:
    """Attach a Sigstore bundle to a manifest of the store; returns the referrer's descriptor."""
    manifest, blobs = bundle_referrer(subject, bundle, created=created)
    for blob in blobs.values():
        store.put_blob(blob)
    return store.add([NewManifest(manifest)])[0]


def stored_bundles(store: ContentStore, subject: Digest) -> tuple[bytes, ...]:
    """All Sigstore bundles attached to a manifest; whether they are worth anything is not checked.

    Raises:
        MalformedDocument: a referrer says it is a bundle and is none.
        NoSuchContent, DigestMismatch: the store is damaged.
    """
    return tuple(stored_signatures(store, subject).values())


def stored_signatures(store: ContentStore, subject: Digest) -> dict[Digest, bytes]:
    """The same, by the digest of the manifest that attaches each."""
    return {
        referrer.digest: store.blob(bundle_layer(store.manifest(referrer.digest)).digest)
        for referrer in store.referrers(subject)
        if referrer.artifact_type == BUNDLE
    }
