"""Referrers: manifests about another manifest. Here: signatures as Sigstore bundles.

The form is the one cosign 3 writes and reads, so that stock cosign verifies our packages.

Source: https://github.com/sigstore/cosign/blob/v3.0.0/specs/BUNDLE_SPEC.md
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from skep.clock import rfc3339
from skep.digests import Digest
from skep.json_documents import MalformedDocument
from skep.packages.oci.descriptors import EMPTY_CONTENT, EMPTY_DESCRIPTOR, Descriptor
from skep.packages.oci.manifests import ImageManifest
from skep.packages.oci.media_types import BUNDLE_CONTENT, BUNDLE_PREDICATE_TYPE, CREATED
from skep.sigstore import BUNDLE, LARGEST_BUNDLE, SIGNATURE_PREDICATE


def bundle_referrer(
    subject: Descriptor,
    bundle: bytes,
    predicate_type: str = SIGNATURE_PREDICATE,
    created: datetime | None = None,
) -> tuple[bytes, Mapping[Digest, bytes]]:
    """Build the manifest that attaches ``bundle`` to ``subject``.

    Args:
        subject: the signed manifest.
        bundle: Sigstore bundle v0.3, as it is.
        predicate_type: of the in-toto statement inside.
        created: written as annotation if given; without it the bytes depend on nothing else.

    Returns:
        The manifest's bytes and the blobs it names.
    """
    layer = Descriptor.of(bundle, BUNDLE)
    annotations = {BUNDLE_CONTENT: "dsse-envelope", BUNDLE_PREDICATE_TYPE: predicate_type}
    if created is not None:
        annotations[CREATED] = rfc3339(created)
    manifest = ImageManifest(
        config=EMPTY_DESCRIPTOR,
        layers=(layer,),
        artifact_type=BUNDLE,
        # Only what identifies the subject: its annotations are its own.
        subject=Descriptor(subject.media_type, subject.digest, subject.size),
        annotations=MappingProxyType(annotations),
    )
    return manifest.to_bytes(), MappingProxyType(
        {EMPTY_DESCRIPTOR.digest: EMPTY_CONTENT, layer.digest: bundle}
    )


def bundle_layer(manifest: ImageManifest) -> Descriptor:
    """The descriptor of the bundle in a bundle referrer.

    Raises:
        MalformedDocument: it is no bundle referrer, or its bundle is too large.
    """
    if manifest.kind != BUNDLE or len(manifest.layers) != 1:
        raise MalformedDocument("signature manifest: expected one layer with a Sigstore bundle")
    (layer,) = manifest.layers
    if layer.media_type != BUNDLE or layer.size > LARGEST_BUNDLE:
        raise MalformedDocument(
            f"signature manifest: expected a layer {BUNDLE} of at most {LARGEST_BUNDLE} bytes,"
            f" got {layer.media_type} of {layer.size}"
        )
    return layer
