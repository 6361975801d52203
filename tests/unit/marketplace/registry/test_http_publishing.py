"""From push to pull over a real socket, and what must not come through."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from tests.builders.published import (
    NAME,
    make_package,
    object_bytes,
    report_of,
    toml,
)
from tests.builders.pushing import RawClient, error_of
from tests.builders.trust import make_bundle, signer

from skep.digests import Digest
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pulling import pull
from skep.packages.local.content_store import ContentStore
from skep.packages.oci.media_types import INDEX, MANIFEST
from skep.packages.references import parse_reference
from skep.sigstore import BUNDLE


def test_a_published_package_is_visible_by_tag_digest_and_search(client: RawClient) -> None:
    package = make_package()
    answer = client.push_all(package)
    assert answer.status == 201
    receipt = answer.json()
    assert receipt["schema"] == "skep.dev/receipt/1"
    assert receipt["package"] == NAME
    assert receipt["version"] == "1.0.0"
    assert receipt["digest"] == str(package.manifest.digest)
    assert receipt["published_at"] == "2026-11-23T08:00:00Z"
    assert receipt["verdict"]["outcome"] == "accepted"

    for reference in ("1.0.0", str(package.manifest.digest)):
        got = client("GET", f"/v2/{NAME}/manifests/{reference}")
        assert got.status == 200
        assert got.data == package.manifest_data
        assert got.headers["Content-Type"] == MANIFEST
        assert got.headers["Docker-Content-Digest"] == str(package.manifest.digest)
    for digest, data in package.blobs.items():
        if digest != package.manifest.digest:
            got = client("GET", f"/v2/{NAME}/blobs/{digest}")
            assert (got.status, got.data) == (200, data)
            assert got.headers["Docker-Content-Digest"] == str(digest)
    assert client("GET", f"/v2/{NAME}/tags/list").json() == {"name": NAME, "tags": ["1.0.0"]}

    (hit,) = client("GET", "/api/v1/search?q=count+pack").json()["packages"]
    assert hit["package"] == NAME
    assert hit["summary"] == "Counts packets"
    shown = client("GET", f"/api/v1/packages/{NAME}").json()
    (version,) = shown["versions"]
    assert version["signed_by"] == signer().public_key.fingerprint
    assert version["verdict"]["rules"]
    assert version["label"]["oldest_kernel"]
    assert version["label"]["permissions"][0]["text"]


def test_the_signature_is_a_referrer(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    signature = client.push_signature(package)
    client.publish(package)
    answer = client("GET", f"/v2/{NAME}/referrers/{package.manifest.digest}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == INDEX
    (entry,) = answer.json()["manifests"]
    assert entry["digest"] == str(signature)
    assert entry["artifactType"] == BUNDLE
    assert client("GET", f"/v2/{NAME}/manifests/{signature}").status == 200


def test_referrers_can_be_filtered_and_are_never_missing(client: RawClient) -> None:
    package = make_package()
    client.push_all(package)
    path = f"/v2/{NAME}/referrers/{package.manifest.digest}?artifactType="
    answer = client("GET", path + quote(BUNDLE))
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    assert len(answer.json()["manifests"]) == 1
    assert client("GET", path + "application/x").json()["manifests"] == []
    unknown = client("GET", f"/v2/{NAME}/referrers/sha256:{'0' * 64}")
    assert (unknown.status, unknown.json()["manifests"]) == (200, [])
    assert client("GET", f"/v2/{NAME}/referrers/sha256:x").status == 400


def test_what_is_not_published_is_not_visible(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    assert client.push_manifest(package.manifest_data, reference="1.0.0").status == 201
    signature = client.push_signature(package)
    blob = next(digest for digest in package.blobs if digest != package.manifest.digest)
    for path in (
        f"/v2/{NAME}/manifests/1.0.0",
        f"/v2/{NAME}/manifests/{package.manifest.digest}",
        f"/v2/{NAME}/manifests/{signature}",
        f"/v2/{NAME}/blobs/{blob}",
        f"/v2/{NAME}/tags/list",
        f"/api/v1/packages/{NAME}",
    ):
        assert client("GET", path).status == 404, path
    assert client("HEAD", f"/v2/{NAME}/manifests/1.0.0").status == 404
    referrers = client("GET", f"/v2/{NAME}/referrers/{package.manifest.digest}")
    assert referrers.json()["manifests"] == []
    assert client("GET", "/api/v1/search?q=counting").json()["packages"] == []
    for path in (f"/v2/{NAME}/blobs/{blob}", f"/v2/{NAME}/manifests/{package.manifest.digest}"):
        assert client("HEAD", path).status == 404


def test_a_blob_is_visible_only_in_the_repository_it_is_published_in(client: RawClient) -> None:
    package = make_package()
    client.push_all(package)
    blob = next(digest for digest in package.blobs if digest != package.manifest.digest)
    assert client("GET", f"/v2/{NAME}/blobs/{blob}").status == 200
    assert client("GET", f"/v2/rival/other/blobs/{blob}").status == 404


def test_skeps_own_client_can_search_show_and_pull(
    client: RawClient, settings: Any, tmp_path: Any
) -> None:
    package = make_package()
    client.push_all(package)
    own = MarketplaceClient(client._url)
    assert own.search("counting")[0].digest == package.manifest.digest
    assert str(own.show("acme", "counting").versions[0].version) == "1.0.0"
    pulled = pull(parse_reference(f"{NAME}:1.0.0"), own, ContentStore(tmp_path / "store"))
    own.close()
    assert pulled.digest == package.manifest.digest
    assert len(pulled.bundles) == 1


# A version never changes


def test_the_same_content_again_gives_the_same_receipt(client: RawClient, clock: Any) -> None:
    package = make_package()
    first = client.push_all(package).json()
    clock.advance(hours=2)
    again = client.publish(package)
    assert again.status == 201
    assert again.json() == first


def test_a_second_signature_becomes_visible_when_published_again(client: RawClient) -> None:
    package = make_package()
    client.push_all(package)
    client.push_signature(package)  # ECDSA: other bytes each time
    path = f"/v2/{NAME}/referrers/{package.manifest.digest}"
    assert len(client("GET", path).json()["manifests"]) == 1
    client.publish(package)
    assert len(client("GET", path).json()["manifests"]) == 2


def test_a_version_is_never_published_with_other_content(client: RawClient) -> None:
    package = make_package()
    client.push_all(package)
    other = make_package(readme=b"# Something else\n")
    answer = client.push_all(other)
    assert answer.status == 409
    assert error_of(answer)["code"] == "CONFLICT"
    tagged = client.push_manifest(other.manifest_data, reference="1.0.0")
    assert tagged.status == 409
    got = client("GET", f"/v2/{NAME}/manifests/1.0.0")
    assert got.data == package.manifest_data
    assert client("GET", f"/v2/{NAME}/manifests/{other.manifest.digest}").status == 404


def test_versions_are_listed_newest_first_and_search_offers_the_newest_release(
    client: RawClient,
) -> None:
    for version in ("1.9.0", "1.10.0", "2.0.0-rc.1", "1.2.0"):
        assert client.push_all(make_package(toml(version=version))).status == 201
    shown = client("GET", f"/api/v1/packages/{NAME}").json()["versions"]
    assert [one["version"] for one in shown] == ["1.10.0", "1.9.0", "1.2.0", "2.0.0-rc.1"]
    (hit,) = client("GET", "/api/v1/search?q=counting").json()["packages"]
    assert hit["version"] == "1.10.0"


def test_tags_come_in_pages(client: RawClient) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        client.push_all(make_package(toml(version=version)))
    first = client("GET", f"/v2/{NAME}/tags/list?n=2")
    assert first.json()["tags"] == ["1.0.0", "1.1.0"]
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    second = client("GET", following)
    assert second.json()["tags"] == ["1.2.0"]
    assert "Link" not in second.headers
    assert client("GET", f"/v2/{NAME}/tags/list?n=x").status == 400


# Who may publish


def test_an_unsigned_package_is_not_published(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    answer = client.publish(package)
    assert answer.status == 403
    assert error_of(answer)["code"] == "UNTRUSTED"
    assert client("GET", f"/v2/{NAME}/manifests/1.0.0").status == 404


@pytest.mark.parametrize("who", ["rival", "stranger"])
def test_a_package_signed_by_somebody_else_is_not_published(client: RawClient, who: str) -> None:
    package = make_package()
    client.push(package)
    client.push_signature(package, by=signer(who))
    assert client.publish(package).status == 403


@pytest.mark.parametrize(
    "bundle",
    [
        pytest.param(b"not a bundle", id="garbage"),
        pytest.param(make_bundle(), id="over-another-digest"),
    ],
)
def test_a_signature_that_does_not_hold_is_none(client: RawClient, bundle: bytes) -> None:
    package = make_package()
    client.push(package)
    client.push_signature(package, bundle=bundle)
    assert client.publish(package).status == 403


def test_a_signature_of_a_stranger_beside_a_good_one_stays_invisible(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    client.push_signature(package, by=signer("stranger"))
    good = client.push_signature(package)
    assert client.publish(package).status == 201
    listed = client("GET", f"/v2/{NAME}/referrers/{package.manifest.digest}").json()
    assert [entry["digest"] for entry in listed["manifests"]] == [str(good)]


def test_a_flood_of_signatures_does_not_hide_the_publishers_own(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    for number in range(70):
        client.push_signature(package, bundle=b"%d" % number)
    client.push_signature(package)
    assert client.publish(package).status == 201


def test_nobody_pushes_under_a_name_that_is_not_registered(client: RawClient) -> None:
    assert client("POST", "/v2/nobody/thing/blobs/uploads/").status == 401
    package = make_package(toml("nobody/thing"))
    assert client.push_manifest(package.manifest_data, "nobody/thing").status == 401
    answer = client.publish(package, "nobody/thing")
    assert answer.status == 401
    assert error_of(answer)["family"] == "not-permitted"


def test_a_package_is_published_under_its_own_name_only(client: RawClient) -> None:
    package = make_package(toml("acme/other"))
    answer = client.push_all(package)
    assert answer.status == 422
    assert "acme/other" in error_of(answer)["message"]


def test_what_was_pushed_elsewhere_cannot_be_published_here(client: RawClient) -> None:
    package = make_package()
    client.push(package, "rival/counting")
    assert client.publish(package).status == 404


# What may be published


def test_a_label_other_than_the_bytecodes_is_refused_with_the_rules_id(client: RawClient) -> None:
    report: dict[str, Any] = json.loads(json.dumps(report_of({"counting.o": object_bytes()})))
    report["counting.o"]["permissions"] = []
    answer = client.push_all(make_package(report=json.dumps(report).encode()))
    assert answer.status == 422
    error = error_of(answer)
    assert error["code"] == "REFUSED"
    assert "label-matches" in error["message"]
    assert "permissions" in error["detail"]
    assert client("GET", f"/v2/{NAME}/manifests/1.0.0").status == 404


def test_several_broken_rules_are_told_together(client: RawClient) -> None:
    package = make_package(
        toml(program="nowhere"), objects={"a.o": object_bytes(helper=6, licence=b"None\0")}
    )
    message = error_of(client.push_all(package))["message"]
    assert "programs-present" in message
    assert "kernel-licence" in message


def test_what_is_no_package_is_not_published(client: RawClient) -> None:
    """A signature manifest is a fine manifest, and no package."""
    package = make_package()
    client.push(package)
    signature = client.push_signature(package)
    answer = client(
        "POST", f"/api/v1/packages/{NAME}/versions", json.dumps({"digest": str(signature)})
    )
    assert answer.status == 400


def test_a_layer_changed_on_the_servers_disk_is_noticed(client: RawClient, settings: Any) -> None:
    package = make_package()
    client.push(package)
    client.push_signature(package)
    victim = Digest.of(object_bytes())
    path = settings.directory / "blobs" / "sha256" / victim.hexadecimal
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert client.publish(package).status == 400
    assert client("GET", f"/v2/{NAME}/manifests/1.0.0").status == 404


def test_nothing_is_left_behind_by_a_failed_publication(client: RawClient) -> None:
    package = make_package()
    client.push(package)
    client.publish(package)
    client.push_signature(package)
    assert client.publish(package).status == 201


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="not-json"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"{}", id="no-digest"),
        pytest.param(b'{"digest": 1}', id="a-number"),
        pytest.param(b'{"digest": "sha256:xyz"}', id="no-such-digest"),
        pytest.param(b'{"digest": "md5:' + b"0" * 32 + b'"}', id="md5"),
        pytest.param(b'{"digest": "a", "digest": "b"}', id="twice"),
        pytest.param(b"[" * 4000, id="deep"),
        pytest.param(b"\xff\xfe", id="not-utf-8"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so(client: RawClient, body: bytes) -> None:
    answer = client("POST", f"/api/v1/packages/{NAME}/versions", body)
    assert answer.status == 400
    assert error_of(answer)["message"]


def test_a_request_that_is_too_large_is_not_read(client: RawClient) -> None:
    answer = client("POST", f"/api/v1/packages/{NAME}/versions", b" " * 5000)
    assert answer.status == 413


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=-1", "limit=x", "q=" + "a" * 201])
def test_a_search_out_of_bounds_is_told_so(client: RawClient, query: str) -> None:
    assert client("GET", f"/api/v1/search?{query}").status == 400


@pytest.mark.parametrize("query", ["%22", "NEAR(", "%27%3B--", "*", "a AND", "%00", "%F0%9F%90%9D"])
def test_no_search_breaks_the_index(client: RawClient, query: str) -> None:
    client.push_all(make_package())
    answer = client("GET", f"/api/v1/search?q={query}")
    assert (answer.status, answer.json()["packages"]) == (200, [])
