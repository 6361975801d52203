import json
from pathlib import Path

import pytest
from tests.builders.packages import BUNDLE_DATA, OBJECT, bare, package, put_package
from tests.fakes.registry import FakeRegistry, Fault

from skep.digests import Digest, DigestMismatch
from skep.errors import SkepError, UsageError
from skep.json_documents import MalformedDocument
from skep.packages.client.errors import (
    MalformedAnswer,
    MarketplaceNotFound,
    MarketplaceUnavailable,
    RedirectRefused,
    VersionChanged,
)
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pulling import newest_version, pull
from skep.packages.content import Package
from skep.packages.errors import MalformedPackage, WrongContent
from skep.packages.local.bundles import stored_bundles
from skep.packages.local.content_store import ContentStore
from skep.packages.local.urls import origin_of
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.manifests import ImageIndex, ImageManifest
from skep.packages.oci.media_types import MANIFEST
from skep.packages.oci.referrers import bundle_referrer
from skep.packages.references import Reference, parse_reference
from skep.sigstore import BUNDLE

NAME = "skep/limiter"
PACKAGE = package()
BY_VERSION = parse_reference(f"{NAME}:1.2.0")
BY_DIGEST = parse_reference(f"{NAME}@{PACKAGE.manifest.digest}")


def publish(registry: FakeRegistry, made: Package, *, tag: str | None = None) -> None:
    manifest, blobs = bundle_referrer(made.manifest, BUNDLE_DATA)
    tag = str(made.metadata.version) if tag is None else tag
    registry.put(NAME, made.manifest_data, tag, *made.blobs.values())
    registry.put(NAME, manifest, None, *blobs.values())


@pytest.fixture
def registry(registry: FakeRegistry) -> FakeRegistry:
    publish(registry, PACKAGE)
    return registry


def nothing_is_there(store: ContentStore) -> None:
    assert dict(store.tags()) == {}
    assert store.referrers(PACKAGE.manifest.digest) == ()


def test_a_package_comes_with_its_signatures(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    pulled = pull(BY_VERSION, client, store)
    assert pulled.digest == PACKAGE.manifest.digest
    host = registry.url.removeprefix("http://")
    assert str(pulled.reference) == f"{host}/{NAME}:1.2.0@{PACKAGE.manifest.digest}"
    assert pulled.content.objects == {"prog.o": OBJECT}
    assert pulled.bundles == (BUNDLE_DATA,)
    assert pulled.tag == f"{host}/{NAME}:1.2.0"
    assert store.resolve(pulled.tag).digest == pulled.digest
    assert stored_bundles(store, pulled.digest) == (BUNDLE_DATA,)


@pytest.mark.parametrize(
    "reference",
    [BY_DIGEST, parse_reference(f"{NAME}:1.2.0@{PACKAGE.manifest.digest}"), parse_reference(NAME)],
    ids=["digest", "both", "newest"],
)
def test_any_reference_will_do(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore, reference: Reference
) -> None:
    assert pull(reference, client, store).digest == PACKAGE.manifest.digest


def test_without_a_version_the_newest_release_is_taken(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    for tag in ("1.10.0", "1.9.0", "2.0.0-rc.1", "latest", "sha256-abc.sig"):
        registry.tags[NAME, tag] = "x"
    assert str(newest_version(client, NAME)) == "1.10.0"


def test_a_package_with_no_release_gives_what_comes_before_one(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.tags.clear()
    registry.tags[NAME, "2.0.0-rc.1"] = "x"
    assert str(newest_version(client, NAME)) == "2.0.0-rc.1"
    registry.tags = {(NAME, "latest"): "x"}
    with pytest.raises(MarketplaceNotFound):
        newest_version(client, NAME)


def test_what_is_here_is_not_fetched_again(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    pull(BY_VERSION, client, store)
    registry.requests.clear()
    pull(BY_VERSION, client, store)
    assert not [path for _, path in registry.requests if "/blobs/" in path]


def test_what_is_damaged_here_is_fetched_again(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    digest = Digest.of(OBJECT)
    pull(BY_VERSION, client, store)
    (store.root / "blobs" / "sha256" / digest.hexadecimal).write_bytes(b"damaged")
    pull(BY_VERSION, client, store)
    assert store.blob(digest) == OBJECT


def test_progress_ends_at_the_total(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    seen: list[tuple[int, int]] = []
    pull(BY_VERSION, client, store, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] > 0


def test_what_is_not_published_is_not_found(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    with pytest.raises(MarketplaceNotFound):
        pull(parse_reference(f"{NAME}:9.9.9"), client, store)
    nothing_is_there(store)


def test_a_package_without_signatures_is_pulled_as_such(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    registry.faults["/referrers/"] = Fault.TERMINAL_ESCAPE  # a 404
    assert pull(BY_VERSION, client, store).bundles == ()


# (1)


def test_1_another_manifest_than_the_pinned_one_is_refused(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    other = package(readme=b"# Evil\n")
    registry.manifests[NAME, str(PACKAGE.manifest.digest)] = other.manifest_data
    with pytest.raises(DigestMismatch):
        pull(BY_DIGEST, client, store)
    nothing_is_there(store)


# (2)


def test_2_what_is_no_package_is_refused_before_its_blobs_are_fetched(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    huge = Descriptor("text/plain", Digest.of(b"x"), 1 << 40)
    for data, error in [
        (ImageIndex(()).to_bytes(), MalformedDocument),
        (ImageManifest(huge, (huge,)).to_bytes(), MalformedPackage),
        (PACKAGE.manifest_data.replace(b'"size":', b'"size":9999999'), MalformedPackage),
    ]:
        registry.manifests[NAME, str(Digest.of(data))] = data
        registry.visible = {(NAME, str(Digest.of(data)))}
        registry.tags[NAME, "1.2.0"] = str(Digest.of(data))
        with pytest.raises(error):
            pull(BY_VERSION, client, store)
    assert not [path for _, path in registry.requests if "/blobs/" in path]


# (3)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.WRONG_BYTES, DigestMismatch),
        (Fault.TRUNCATED, MarketplaceUnavailable),
        (Fault.HANGING, MarketplaceUnavailable),
        (Fault.HUGE, MalformedAnswer),
        (Fault.REDIRECT_ELSEWHERE, RedirectRefused),
        (Fault.SERVER_ERROR, MarketplaceUnavailable),
        (Fault.CLOSED, MarketplaceUnavailable),
    ],
)
@pytest.mark.parametrize(
    "path", [f"/blobs/{Digest.of(OBJECT)}", f"/blobs/{Digest.of(BUNDLE_DATA)}"]
)
def test_3_a_bad_blob_leaves_nothing_listed(
    registry: FakeRegistry,
    client: MarketplaceClient,
    store: ContentStore,
    fault: Fault,
    error: type[SkepError],
    path: str,
) -> None:
    registry.faults[path] = fault
    with pytest.raises(error):
        pull(BY_VERSION, client, store)
    nothing_is_there(store)
    registry.faults.clear()
    assert pull(BY_VERSION, client, store).digest == PACKAGE.manifest.digest


# (4)


@pytest.mark.parametrize(
    "served", [package("skep/other"), package(version="1.1.0")], ids=["name", "version"]
)
def test_4_another_package_under_the_name_is_refused(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore, served: Package
) -> None:
    publish(registry, served, tag="1.2.0")
    with pytest.raises(WrongContent):
        pull(BY_VERSION, client, store)
    assert dict(store.tags()) == {}


def test_4_version_and_digest_must_both_hold(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    with pytest.raises(WrongContent):
        pull(parse_reference(f"{NAME}:1.3.0@{PACKAGE.manifest.digest}"), client, store)


# (5)


def test_5_a_version_that_is_here_keeps_its_content(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    pull(BY_VERSION, client, store)
    other = package(readme=b"# Other\n")
    publish(registry, other)
    with pytest.raises(VersionChanged):
        pull(BY_VERSION, client, store)
    assert [one.digest for one in store.tags().values()] == [PACKAGE.manifest.digest]
    assert pull(BY_VERSION, client, store, replace=True).digest == other.manifest.digest


def test_5_content_of_unknown_origin_counts_as_the_default_marketplaces(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    put_package(store, package(readme=b"# Pulled by an older Skep\n"))
    with pytest.raises(VersionChanged):
        pull(BY_VERSION, client, store, default=origin_of(registry.url))
    assert pull(BY_VERSION, client, store, default="market.example").digest


def test_5_what_another_marketplace_served_does_not_hinder(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    other = package(readme=b"# Another one's\n")
    put_package(store, other, f"evil.example/{NAME}:1.2.0")
    pulled = pull(BY_VERSION, client, store)
    assert pulled.digest == PACKAGE.manifest.digest
    assert {tag: one.digest for tag, one in store.tags().items()} == {
        f"evil.example/{NAME}:1.2.0": other.manifest.digest,
        pulled.tag: PACKAGE.manifest.digest,
    }


@pytest.mark.parametrize("place", ["other.example", "public"])
def test_a_reference_to_another_place_is_refused_before_anything_is_asked(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore, place: str
) -> None:
    with pytest.raises(UsageError):
        pull(parse_reference(f"{place}/{NAME}:1.2.0"), client, store)
    assert registry.requests == []
    host = origin_of(registry.url)
    assert pull(parse_reference(f"{host}/{NAME}:1.2.0"), client, store).reference.host == host


def test_4_the_digest_of_another_package_does_not_stand_in_for_the_name(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    other = package("skep/other")
    registry.put(NAME, other.manifest_data, None, *other.blobs.values())
    with pytest.raises(WrongContent, match="skep/other"):
        pull(parse_reference(f"{NAME}@{other.manifest.digest}"), client, store)
    nothing_is_there(store)


# (6)


def test_6_a_signature_of_another_package_is_refused(
    registry: FakeRegistry,
    client: MarketplaceClient,
    store: ContentStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = package(version="1.1.0")
    manifest, blobs = bundle_referrer(other.manifest, BUNDLE_DATA)
    listed = registry.put(NAME, manifest, None, *blobs.values())
    monkeypatch.setattr(FakeRegistry, "about", lambda *_: [str(listed)])
    with pytest.raises(WrongContent):
        pull(BY_VERSION, client, store)
    nothing_is_there(store)


@pytest.mark.parametrize("size", [1 << 21, 1 << 40])
def test_6_a_huge_signature_is_not_fetched(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore, size: int
) -> None:
    layer = Descriptor(BUNDLE, Digest.of(b"x"), size)
    for config, layers in [
        (Descriptor.of(b"{}", "text/x"), (layer,)),
        (layer, (Descriptor.of(BUNDLE_DATA, BUNDLE),)),
    ]:
        manifest = ImageManifest(config, layers, BUNDLE, bare(PACKAGE.manifest)).to_bytes()
        registry.visible = {(NAME, str(PACKAGE.manifest.digest))}
        registry.put(NAME, manifest, None, b"{}", BUNDLE_DATA)
        with pytest.raises((WrongContent, MalformedDocument)):
            pull(BY_VERSION, client, store)
    nothing_is_there(store)


def test_6_what_is_listed_as_a_signature_and_is_none_is_refused(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    manifest = ImageManifest(
        Descriptor.of(b"{}", "text/x"), (), BUNDLE, bare(PACKAGE.manifest)
    ).to_bytes()
    registry.put(NAME, manifest, None, b"{}")
    with pytest.raises(MalformedDocument):
        pull(BY_VERSION, client, store)
    nothing_is_there(store)


# (7)


def test_7_what_is_listed_is_whole_after_every_interruption(
    registry: FakeRegistry, client: MarketplaceClient, tmp_path: Path
) -> None:
    """Each request in turn fails; the list in the store stays empty until none does."""
    pull(BY_VERSION, client, ContentStore(tmp_path / "count"))
    for number, (_, path) in enumerate(list(registry.requests)):
        store = ContentStore(tmp_path / str(number))
        registry.faults = {path: Fault.CLOSED}
        with pytest.raises(MarketplaceUnavailable):
            pull(BY_VERSION, client, store)
        nothing_is_there(store)
    registry.faults.clear()


def test_the_manifest_in_the_store_is_the_one_that_came(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    pulled = pull(BY_VERSION, client, store)
    assert store.blob(pulled.digest) == PACKAGE.manifest_data
    assert json.loads(store.blob(pulled.digest))["mediaType"] == MANIFEST
