import json

import pytest
from tests.fakes.registry import FakeRegistry, Fault

from skep.digests import Digest, DigestMismatch
from skep.errors import NotPermitted, SkepError, Unavailable, UsageError
from skep.packages.client.errors import MalformedAnswer, MarketplaceNotFound, RedirectRefused
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.manifests import ImageManifest

NAME = "skep/limiter"
BLOB = b"some content"
MANIFEST = ImageManifest(Descriptor.of(BLOB, "text/plain"), ()).to_bytes()


def test_a_blob_is_sent_once(registry: FakeRegistry, client: MarketplaceClient) -> None:
    digest = client.push_blob(NAME, BLOB)
    registry.put(NAME, MANIFEST)
    sent = len(registry.requests)
    assert client.push_blob(NAME, BLOB) == digest
    assert registry.requests[sent:] == [("HEAD", f"/v2/{NAME}/blobs/{digest}")]


def test_an_upload_location_with_a_query_is_kept(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.upload_location = "/v2/{name}/uploads/1?state=x"
    assert client.push_blob(NAME, BLOB) == Digest.of(BLOB)


def test_content_is_not_uploaded_to_another_host(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.upload_location = "http://evil.example/v2/{name}/uploads/1"
    with pytest.raises(RedirectRefused):
        client.push_blob(NAME, BLOB)


def test_an_upload_without_a_location_is_malformed(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.upload_location = ""
    with pytest.raises(MalformedAnswer):
        client.push_blob(NAME, BLOB)


def test_a_blob_that_is_not_the_digests_is_refused(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.put(NAME, MANIFEST, None, BLOB)
    registry.faults["/blobs/"] = Fault.WRONG_BYTES
    with pytest.raises(DigestMismatch):
        client.blob(NAME, Digest.of(BLOB), len(BLOB))


def test_a_blob_longer_than_its_size_is_not_received(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.put(NAME, MANIFEST, None, BLOB)
    with pytest.raises(MalformedAnswer, match=f"at most {len(BLOB) - 1} bytes"):
        client.blob(NAME, Digest.of(BLOB), len(BLOB) - 1)


def test_a_tampered_manifest_under_the_right_header_is_refused(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    digest = registry.put(NAME, MANIFEST, "1.0.0", BLOB)
    registry.manifests[NAME, str(digest)] = MANIFEST + b" "  # the header still says ``digest``
    with pytest.raises(DigestMismatch):
        client.manifest(NAME, digest)
    # By tag nobody knows better; the digest is that of the bytes, not that of the header.
    assert client.manifest(NAME, "1.0.0").digest == Digest.of(MANIFEST + b" ")


@pytest.mark.parametrize(
    ("fault", "family"),
    [
        (Fault.SERVER_ERROR, Unavailable),
        (Fault.DENIED, NotPermitted),
        (Fault.TERMINAL_ESCAPE, MarketplaceNotFound),
    ],
)
def test_an_error_answer_has_its_family(
    registry: FakeRegistry, client: MarketplaceClient, fault: Fault, family: type[SkepError]
) -> None:
    registry.faults["/manifests/"] = fault
    with pytest.raises(family) as caught:
        client.manifest(NAME, "1.0.0")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("name", ["limiter", "../x/y", "Skep/x", "a/b?c", "a/b/c"])
def test_an_odd_name_is_not_asked_for(
    registry: FakeRegistry, client: MarketplaceClient, name: str
) -> None:
    with pytest.raises(UsageError):
        client.manifest(name, "1.0.0")
    assert registry.requests == []


@pytest.mark.parametrize("tag", ["", "../x", "a b", "a?b", "é"])
def test_an_odd_tag_is_not_asked_for(
    registry: FakeRegistry, client: MarketplaceClient, tag: str
) -> None:
    with pytest.raises(UsageError):
        client.manifest(NAME, tag)
    assert registry.requests == []


def test_pages_of_tags_are_put_together(registry: FakeRegistry, client: MarketplaceClient) -> None:
    for number in range(5):
        registry.tags[NAME, f"1.0.{number}"] = "x"
    registry.page_size = 2
    assert client.tags(NAME) == tuple(f"1.0.{number}" for number in range(5))


def test_pages_without_end_are_refused(registry: FakeRegistry, client: MarketplaceClient) -> None:
    for number in range(50):
        registry.tags[NAME, f"1.0.{number}"] = "x"
    registry.page_size = 1
    with pytest.raises(MalformedAnswer, match="pages"):
        client.tags(NAME)


def test_a_page_of_something_else_is_malformed(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.faults = {"/tags/": Fault.NOT_JSON, "/referrers/": Fault.NOT_JSON}
    with pytest.raises(MalformedAnswer):
        client.tags(NAME)
    with pytest.raises(MalformedAnswer):
        client.referrers(NAME, Digest.of(BLOB))


def test_a_registry_without_referrers_has_none(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.faults["/referrers/"] = Fault.TERMINAL_ESCAPE  # a 404
    assert client.referrers(NAME, Digest.of(BLOB)) == ()


def test_an_artifact_type_is_filtered_here_too(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    subject = Descriptor.of(MANIFEST, "application/vnd.oci.image.manifest.v1+json")
    for kind in ("a/one", "a/two"):
        manifest = ImageManifest(Descriptor.of(BLOB, "text/plain"), (), kind, subject)
        registry.put(NAME, manifest.to_bytes())
    found = client.referrers(NAME, subject.digest, "a/one")
    assert [entry.artifact_type for entry in found] == ["a/one"]


def test_push_and_pull_are_what_the_specification_calls_them(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    client.push_blob(NAME, BLOB)
    digest = client.push_manifest(NAME, MANIFEST)
    client.push_manifest(NAME, MANIFEST, tag="1.0.0")
    assert registry.requests == [
        ("HEAD", f"/v2/{NAME}/blobs/{Digest.of(BLOB)}"),
        ("POST", f"/v2/{NAME}/blobs/uploads/"),
        ("PUT", f"/v2/{NAME}/uploads/1"),
        ("PUT", f"/v2/{NAME}/manifests/{digest}"),
        ("PUT", f"/v2/{NAME}/manifests/1.0.0"),
    ]
    assert json.loads(registry.manifests[NAME, str(digest)])["schemaVersion"] == 2
