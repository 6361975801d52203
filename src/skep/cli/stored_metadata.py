"""What a package on this machine says of itself, read without opening all of it."""

from skep.digests import Digest
from skep.errors import UsageError
from skep.packages.local.content_store import ContentStore
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.oci.media_types import METADATA


def stored_metadata(store: ContentStore, digest: Digest) -> PackageMetadata:
    """The metadata of a package in a content store.

    Raises:
        UsageError: it is something else.
    """
    manifest = store.manifest(digest)
    for layer in manifest.layers:
        if layer.media_type == METADATA:
            return parse_metadata(store.blob(layer.digest))
    raise UsageError(f"{digest} is not a Skep package: it has no skep.toml")
