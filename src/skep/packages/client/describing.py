"""A published package's ``skep.toml`` without the rest of it: for showing, not for running.

1. The manifest is the one the digest names.
2. It is a package's, by its form and declared sizes.
3. The ``skep.toml`` has the declared size and digest, and is one.
4. It is the package that was asked for; otherwise another package's words could be shown.
"""

from skep.digests import Digest
from skep.packages.client.registry import Registry
from skep.packages.errors import WrongContent
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.oci.media_types import METADATA
from skep.packages.opening import parse_package_manifest
from skep.versions import Version


def fetch_metadata(
    client: Registry, package: str, version: Version, digest: Digest
) -> PackageMetadata:
    """What the author says about a version of a package.

    Raises:
        MarketplaceNotFound, MarketplaceUnavailable, MalformedAnswer: it did not come.
        DigestMismatch, MalformedDocument, MalformedPackage, MalformedMetadata,
            UnsupportedPackage: it is no package we can use.
        WrongContent: it is another package.
    """
    # (1)
    manifest = client.manifest(package, digest)
    # (2)
    (layer,) = (
        each for each in parse_package_manifest(manifest.data).layers if each.media_type == METADATA
    )
    # (3)
    metadata = parse_metadata(layer.check(client.blob(package, layer.digest, layer.size)))
    # (4)
    if (metadata.name, metadata.version) != (package, version):
        raise WrongContent(
            f"asked {client.url} for {package}:{version}, got {metadata.name}:{metadata.version}",
            hint="the marketplace serves one package under the name of another",
        )
    return metadata
