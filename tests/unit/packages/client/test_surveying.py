"""What a marketplace has of a package, asked without changing anything."""

import pytest
from tests.builders.packages import BUNDLE_DATA, package, put_package
from tests.builders.trust import signer
from tests.fakes.registry import FakeRegistry, Fault

from skep.packages.client.errors import MarketplaceUnsupported
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pushing import push
from skep.packages.client.surveying import PublicationSurvey, survey
from skep.packages.content import Package
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.opening import open_package
from skep.versions import Version

PACKAGE = package()
NAME = "skep/limiter"


def surveyed(
    store: ContentStore, client: MarketplaceClient, made: Package = PACKAGE
) -> PublicationSurvey:
    digest = put_package(store, made).digest
    return survey(store, digest, open_package(made.manifest_data, store.blob), client)


def publish(store: ContentStore, client: MarketplaceClient, made: Package = PACKAGE) -> None:
    descriptor = put_package(store, made)
    if not store.referrers(descriptor.digest):
        store_bundle(store, descriptor, BUNDLE_DATA)
    push(store, descriptor.digest, client)
    client.publish("skep", "limiter", descriptor.digest)


@pytest.fixture(autouse=True)
def registered(registry: FakeRegistry) -> None:
    registry.register("skep", signer().public_key)


def test_of_a_new_package_everything_would_be_pushed(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    store_bundle(store, put_package(store, PACKAGE), BUNDLE_DATA)
    found = surveyed(store, client)
    assert found.step == "publish"
    assert [each.title for each in found.uploads] == [
        "skep.toml", "prog.o", "report.json", "README.md", "sources.tar", "manifest", "signature",
    ]  # fmt: skip
    assert not any(each.is_there for each in found.uploads)
    assert found.publisher is not None
    assert {method for method, _ in registry.requests} <= {"GET", "HEAD"}
    assert not registry.blobs
    assert not registry.manifests


def test_what_is_published_is_unchanged_until_it_is_signed_again(
    client: MarketplaceClient, store: ContentStore
) -> None:
    publish(store, client)
    found = surveyed(store, client)
    assert found.step == "unchanged"
    assert all(each.is_there for each in found.uploads)
    store_bundle(store, put_package(store, PACKAGE), BUNDLE_DATA + b" ")
    again = surveyed(store, client)
    assert again.step == "add signatures"
    assert [each.title for each in again.uploads if not each.is_there] == ["signature"]


def test_a_version_with_other_content_is_a_conflict_and_the_next_free_one_is_known(
    client: MarketplaceClient, store: ContentStore
) -> None:
    publish(store, client)
    publish(store, client, package(version="1.2.1"))
    found = surveyed(store, client, package(readme=b"# Another"))
    assert found.step == "conflict"
    assert found.next_version == Version(1, 2, 2)
    there = {each.title for each in found.uploads if each.is_there}
    assert there >= {"skep.toml", "prog.o"}
    assert "README.md" not in there


def test_a_publisher_that_is_not_there_is_none(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    registry.publishers.clear()
    assert surveyed(store, client).publisher is None


def test_a_registry_that_is_no_marketplace_is_told(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    registry.faults["/api/v1/"] = Fault.NO_SUCH_PAGE
    with pytest.raises(MarketplaceUnsupported, match="is a registry, not a Skep marketplace"):
        surveyed(store, client)
