"""What is shown of a package is the package's own, or nothing is."""

import pytest
from tests.builders.packages import package
from tests.fakes.registry import FakeRegistry

from skep.digests import Digest, DigestMismatch
from skep.packages.client.describing import fetch_metadata
from skep.packages.client.errors import MarketplaceNotFound
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.errors import MalformedPackage, WrongContent
from skep.packages.oci.descriptors import EMPTY_DESCRIPTOR
from skep.packages.oci.manifests import ImageManifest
from skep.versions import Version

NAME = "skep/limiter"
PACKAGE = package()
VERSION = PACKAGE.metadata.version
DIGEST = PACKAGE.manifest.digest


@pytest.fixture
def registry(registry: FakeRegistry) -> FakeRegistry:
    registry.put(NAME, PACKAGE.manifest_data, None, *PACKAGE.blobs.values())
    return registry


@pytest.mark.usefixtures("registry")
def test_it_is_what_the_package_says(client: MarketplaceClient) -> None:
    assert fetch_metadata(client, NAME, VERSION, DIGEST) == PACKAGE.metadata


def test_another_package_under_the_same_name_is_refused(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.put("skep/other", PACKAGE.manifest_data, None, *PACKAGE.blobs.values())
    with pytest.raises(WrongContent, match=r"asked .* for skep/other"):
        fetch_metadata(client, "skep/other", VERSION, DIGEST)


@pytest.mark.usefixtures("registry")
def test_another_version_is_refused(client: MarketplaceClient) -> None:
    with pytest.raises(WrongContent, match=r"limiter:9\.0\.0"):
        fetch_metadata(client, NAME, Version(9, 0, 0), DIGEST)


@pytest.mark.usefixtures("registry")
def test_what_is_not_there_is_told(client: MarketplaceClient) -> None:
    with pytest.raises(MarketplaceNotFound):
        fetch_metadata(client, NAME, VERSION, Digest.of(b"nothing"))


def test_other_bytes_than_the_digest_names_are_refused(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.manifests[NAME, str(DIGEST)] = PACKAGE.manifest_data + b" "
    with pytest.raises(DigestMismatch):
        fetch_metadata(client, NAME, VERSION, DIGEST)


def test_what_is_no_package_is_refused(registry: FakeRegistry, client: MarketplaceClient) -> None:
    data = ImageManifest(EMPTY_DESCRIPTOR, (), "application/x").to_bytes()
    digest = registry.put(NAME, data)
    with pytest.raises(MalformedPackage):
        fetch_metadata(client, NAME, VERSION, digest)
