import pytest
from tests.builders.packages import BUNDLE_DATA, package, put_package
from tests.fakes.registry import FakeRegistry, Fault

from skep.digests import Digest, DigestMismatch
from skep.errors import Unavailable
from skep.packages.client.errors import MarketplaceConflict
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pushing import push
from skep.packages.errors import MalformedPackage
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.local.errors import NoSuchContent

PACKAGE = package()
NAME = "skep/limiter"


def test_blobs_go_first_then_the_manifest_then_its_tag_then_signatures(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    subject = put_package(store, PACKAGE)
    signature = store_bundle(store, subject, BUNDLE_DATA)
    pushed = push(store, subject.digest, client)
    assert (pushed.package, str(pushed.version)) == (NAME, "1.2.0")
    assert pushed.referrers == (signature.digest,)
    writes = [path for method, path in registry.requests if method == "PUT"]
    manifests = [path.rpartition("/")[2] for path in writes if "/manifests/" in path]
    assert manifests == [str(subject.digest), "1.2.0", str(signature.digest)]
    first = writes.index(f"/v2/{NAME}/manifests/{subject.digest}")
    assert first == len(PACKAGE.blobs) - 1  # all but the manifest itself


def test_progress_ends_at_the_total(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    subject = put_package(store, PACKAGE)
    store_bundle(store, subject, BUNDLE_DATA)
    seen: list[tuple[int, int]] = []
    push(store, subject.digest, client, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]


def test_nothing_is_sent_of_a_damaged_package(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    subject = put_package(store, PACKAGE)
    readme = Digest.of(b"# Limiter\n")
    (store.root / "blobs" / "sha256" / readme.hexadecimal).write_bytes(b"# Tampered")
    with pytest.raises(DigestMismatch):
        push(store, subject.digest, client)
    assert registry.requests == []


def test_what_is_no_package_is_not_pushed(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    subject = put_package(store, PACKAGE)
    signature = store_bundle(store, subject, BUNDLE_DATA)
    with pytest.raises(MalformedPackage):
        push(store, signature.digest, client)
    with pytest.raises(NoSuchContent):
        push(store, Digest.of(b"nothing"), client)
    assert registry.requests == []


def test_a_version_with_other_content_is_a_conflict(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    registry.tags[NAME, "1.2.0"] = str(Digest.of(b"other"))
    with pytest.raises(MarketplaceConflict):
        push(store, put_package(store, PACKAGE).digest, client)


def test_an_interrupted_push_is_finished_by_the_next(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    subject = put_package(store, PACKAGE)
    registry.faults["/manifests/"] = Fault.SERVER_ERROR
    with pytest.raises(Unavailable):
        push(store, subject.digest, client)
    registry.faults.clear()
    assert push(store, subject.digest, client).digest == subject.digest
