"""What every marketplace promises a client: the real one, and the fake the unit tests use."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.builders.packages import BUNDLE_DATA, OBJECT, metadata_toml, package, put_package
from tests.builders.trust import signer
from tests.fakes.registry import running_fake_registry

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.objectfile.reading import read_object
from skep.digests import Digest
from skep.marketplace.registry.settings import ServeSettings
from skep.marketplace.registry.wiring import running_server
from skep.node.verified.key_offers import read_offer
from skep.packages.client.errors import (
    MarketplaceConflict,
    MarketplaceDistrusts,
    MarketplaceNotFound,
)
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pulling import pull
from skep.packages.client.pushing import push
from skep.packages.content import Package
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.oci.media_types import MANIFEST, PACKAGE
from skep.packages.references import parse_reference
from skep.sigstore import BUNDLE
from skep.trust.bundles import sign
from skep.trust.statements import Subject
from skep.versions import Version

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
NAME = "skep/limiter"


@contextmanager
def _fake(_: Path) -> Iterator[str]:
    with running_fake_registry() as registry:
        registry.register("skep", signer().public_key)
        yield registry.url


@contextmanager
def _real(directory: Path) -> Iterator[str]:
    settings = ServeSettings(
        directory=directory, port=0, publishers={"skep": (signer().public_key.pem,)}
    )
    with running_server(settings, lambda: NOW) as url:
        yield url


MARKETPLACES: dict[str, Callable[[Path], AbstractContextManager[str]]] = {
    "fake": _fake,
    "marketplace": _real,
}


@pytest.fixture(params=sorted(MARKETPLACES))
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MarketplaceClient]:
    with MARKETPLACES[request.param](tmp_path / "marketplace") as url:
        connected = MarketplaceClient(url)
        yield connected
        connected.close()


@dataclass(frozen=True)
class Author:
    """Somebody with packages to publish."""

    store: ContentStore

    def make(self, version: str = "1.2.0", *, readme: bytes = b"# Limiter\n") -> Package:
        report = {"prog.o": analyse(read_object(OBJECT)).to_document()}
        made = package(
            toml=metadata_toml(NAME, version), report=json.dumps(report).encode(), readme=readme
        )
        put_package(self.store, made)
        return made

    def sign(self, made: Package) -> None:
        bundle = sign(Subject(NAME, made.manifest.digest), signer())
        store_bundle(self.store, made.manifest, bundle)

    def publish(self, client: MarketplaceClient, version: str = "1.2.0") -> Package:
        made = self.make(version)
        self.sign(made)
        push(self.store, made.manifest.digest, client)
        client.publish("skep", "limiter", made.manifest.digest)
        return made


@pytest.fixture
def author(tmp_path: Path) -> Author:
    return Author(ContentStore(tmp_path / "author"))


def test_what_was_published_is_pulled_byte_for_byte(
    client: MarketplaceClient, author: Author, tmp_path: Path
) -> None:
    made = author.publish(client)
    store = ContentStore(tmp_path / "node")
    pulled = pull(parse_reference(f"{NAME}:1.2.0"), client, store)
    assert pulled.digest == made.manifest.digest
    assert {digest: store.blob(digest) for digest in made.blobs} == made.blobs
    assert len(pulled.bundles) == 1


def test_a_receipt_says_what_is_published(client: MarketplaceClient, author: Author) -> None:
    made = author.make()
    author.sign(made)
    push(author.store, made.manifest.digest, client)
    receipt = client.publish("skep", "limiter", made.manifest.digest)
    assert (receipt.package, receipt.version) == (NAME, Version(1, 2, 0))
    assert receipt.digest == made.manifest.digest
    assert receipt.verdict


def test_publishing_the_same_again_is_no_error(client: MarketplaceClient, author: Author) -> None:
    made = author.publish(client)
    push(author.store, made.manifest.digest, client)
    assert client.publish("skep", "limiter", made.manifest.digest).digest == made.manifest.digest


def test_what_is_pushed_and_not_published_is_not_visible(
    client: MarketplaceClient, author: Author
) -> None:
    made = author.make()
    author.sign(made)
    push(author.store, made.manifest.digest, client)
    for reference in ("1.2.0", made.manifest.digest):
        with pytest.raises(MarketplaceNotFound):
            client.manifest(NAME, reference)
        with pytest.raises(MarketplaceNotFound):
            client.manifest(NAME, reference)
    for digest in made.blobs:
        assert not client.has_blob(NAME, digest)
        with pytest.raises(MarketplaceNotFound):
            client.blob(NAME, digest)
    assert client.referrers(NAME, made.manifest.digest) == ()
    assert client.search("limiter") == ()
    with pytest.raises(MarketplaceNotFound):
        client.tags(NAME)
    with pytest.raises(MarketplaceNotFound):
        client.show("skep", "limiter")


def test_publishing_without_a_signature_is_refused_and_shows_nothing(
    client: MarketplaceClient, author: Author
) -> None:
    made = author.make()
    push(author.store, made.manifest.digest, client)
    with pytest.raises(MarketplaceDistrusts):
        client.publish("skep", "limiter", made.manifest.digest)
    with pytest.raises(MarketplaceNotFound):
        client.manifest(NAME, "1.2.0")


def test_publishing_what_was_not_pushed_is_refused(client: MarketplaceClient) -> None:
    with pytest.raises(MarketplaceNotFound):
        client.publish("skep", "limiter", Digest.of(b"never pushed"))


def test_a_published_version_never_changes(client: MarketplaceClient, author: Author) -> None:
    author.publish(client)
    other = author.make(readme=b"# Other\n")
    author.sign(other)
    with pytest.raises(MarketplaceConflict):
        push(author.store, other.manifest.digest, client)


def test_tags_are_the_published_versions(client: MarketplaceClient, author: Author) -> None:
    for version in ("1.2.0", "1.10.0", "2.0.0-rc.1"):
        author.publish(client, version)
    assert sorted(client.tags(NAME)) == ["1.10.0", "1.2.0", "2.0.0-rc.1"]
    listing = client.show("skep", "limiter")
    assert {str(version.version) for version in listing.versions} == set(client.tags(NAME))


def test_referrers_are_listed_with_their_type(client: MarketplaceClient, author: Author) -> None:
    made = author.publish(client)
    (found,) = client.referrers(NAME, made.manifest.digest)
    assert (found.artifact_type, found.media_type) == (BUNDLE, MANIFEST)
    assert client.referrers(NAME, made.manifest.digest, BUNDLE) == (found,)
    assert client.referrers(NAME, made.manifest.digest, PACKAGE) == ()
    assert client.referrers(NAME, Digest.of(b"nothing")) == ()


def test_a_package_is_found_by_its_name(client: MarketplaceClient, author: Author) -> None:
    made = author.publish(client)
    (hit,) = client.search("limiter")
    assert (hit.package, hit.version, hit.digest) == (NAME, Version(1, 2, 0), made.manifest.digest)
    assert client.search("elephants") == ()


def test_a_manifest_by_tag_is_the_one_by_digest(client: MarketplaceClient, author: Author) -> None:
    made = author.publish(client)
    by_tag = client.manifest(NAME, "1.2.0")
    assert by_tag == client.manifest(NAME, made.manifest.digest)
    assert (by_tag.data, by_tag.media_type) == (made.manifest_data, MANIFEST)


def test_what_is_not_there_is_not_found(client: MarketplaceClient) -> None:
    with pytest.raises(MarketplaceNotFound):
        client.manifest(NAME, "1.0.0")
    with pytest.raises(MarketplaceNotFound):
        client.blob(NAME, Digest.of(BUNDLE_DATA))
    assert not client.has_blob(NAME, Digest.of(BUNDLE_DATA))


def test_a_publisher_is_known_by_its_keys(client: MarketplaceClient) -> None:
    listing = client.publisher("skep")
    assert listing.name == "skep"
    assert read_offer(listing) == (signer().public_key,)


def test_a_publisher_that_is_not_registered_is_not_found(client: MarketplaceClient) -> None:
    with pytest.raises(MarketplaceNotFound, match="acme"):
        client.publisher("acme")
