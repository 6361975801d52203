"""What a node refuses to run: unsigned, by strangers, tampered, moved."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.live_node import LiveNode, bundled_package, live_node
from tests.builders.packages import put_package
from tests.builders.packets import udp_frame
from tests.builders.published import make_package
from tests.builders.trust import signer

from skep.digests import Digest, DigestMismatch
from skep.errors import Untrusted
from skep.node.settings import NodeSettings
from skep.node.verified.trust_store import TrustStore
from skep.packages.errors import WrongContent
from skep.packages.local.content_store import ContentStore
from skep.packages.references import parse_reference
from skep.trust.errors import UnknownKey, Unsigned

pytestmark = pytest.mark.kernel

CLOSED, OPEN = 8081, 8080


@pytest.fixture
def node(tmp_path: Path) -> Iterator[LiveNode]:
    with live_node(tmp_path) as made:
        yield made


def blob_path(settings: NodeSettings, digest: Digest) -> Path:
    return settings.content / "blobs" / "sha256" / digest.hexadecimal


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def refuses(node: LiveNode, *errors: type[Exception]) -> None:
    with node.opened() as opened:
        for attempt in (opened.preview, opened.install):
            with pytest.raises(errors):
                attempt(node.request("port-filter"))
        assert opened.installed() == ()
        assert opened.history() == ()


def test_a_stranger_s_signature_is_one_by_nobody(node: LiveNode) -> None:
    trust = TrustStore(node.settings.trust)
    trust.remove("skep", signer().public_key.fingerprint)
    refuses(node, UnknownKey)
    trust.add("skep", signer("stranger").public_key)
    refuses(node, UnknownKey)


def test_a_key_speaks_for_its_own_publisher_only(node: LiveNode) -> None:
    trust = TrustStore(node.settings.trust)
    trust.remove("skep", signer().public_key.fingerprint)
    trust.add("acme", signer().public_key)
    refuses(node, UnknownKey)


def test_an_unsigned_package_runs_only_by_the_owner_s_word(node: LiveNode) -> None:
    source = bundled_package("port-filter")
    unsigned = make_package(
        objects={"port-filter.o": source.blobs[_object_digest(source.manifest_data)]},
        metadata=UNSIGNED,
        sources={},
    )
    put_package(ContentStore(node.settings.content), unsigned)
    request = replace(node.request("port-filter"), reference=parse_reference("skep/unsigned:1.0.0"))
    with node.opened() as opened:
        with pytest.raises(Unsigned):
            opened.install(request)
        insecure = replace(request, policy="insecure-accept-all")
        assert opened.preview(insecure).accepts_unsigned
        opened.install(insecure)
        (listed,) = opened.installed()
        assert listed.deployment.accepts_unsigned
        assert [finding.kind for finding in opened.examine()] == ["unsigned accepted"]


UNSIGNED = b"""
[package]
name = "skep/unsigned"
version = "1.0.0"
summary = "Nobody signed this"
licence = "GPL-2.0-only"

[[program]]
name = "port_filter"
hook = "xdp"
"""


def _object_digest(manifest: bytes) -> Digest:
    for layer in json.loads(manifest)["layers"]:
        if layer["mediaType"].endswith("+elf"):
            return Digest.parse(layer["digest"])
    raise AssertionError(manifest)


def test_a_tampered_object_is_refused_however_it_is_signed(node: LiveNode) -> None:
    digest = _object_digest(bundled_package("port-filter").manifest_data)
    damage(blob_path(node.settings, digest))
    refuses(node, DigestMismatch)


def test_a_tampered_manifest_is_refused(node: LiveNode) -> None:
    damage(blob_path(node.settings, bundled_package("port-filter").manifest.digest))
    refuses(node, DigestMismatch, Untrusted)


def test_every_load_verifies_again(node: LiveNode) -> None:
    """What was good yesterday and was tampered with since is not loaded; what runs runs on."""
    node.install("port-filter", ports=str(CLOSED))
    damage(blob_path(node.settings, _object_digest(bundled_package("port-filter").manifest_data)))
    with node.opened() as opened:
        with pytest.raises(DigestMismatch):
            opened.set("port-filter", {"ports": str(OPEN)})
        with pytest.raises(DigestMismatch):
            opened.install(node.request("ratelimiting"))
    assert node.chain() == ["port-filter"]
    assert node.deliver([udp_frame(CLOSED), udp_frame(OPEN)]) == [udp_frame(OPEN)]


def test_a_tag_that_was_moved_to_another_package_runs_nothing(node: LiveNode) -> None:
    """The other package is signed by the same publisher: only its name tells."""
    store = ContentStore(node.settings.content)
    other = bundled_package("ratelimiting")
    store.put_manifest(other.manifest_data, tag="skep/port-filter:1.0.0")
    refuses(node, WrongContent)


def test_a_tag_that_moves_between_preview_and_install_changes_nothing(node: LiveNode) -> None:
    with node.opened() as opened:
        shown = opened.preview(node.request("port-filter"))
        store = ContentStore(node.settings.content)
        store.put_manifest(
            bundled_package("ratelimiting").manifest_data, tag="skep/port-filter:1.0.0"
        )
        report = opened.install(replace(node.request("port-filter"), digest=shown.package.digest))
        assert report.deployment.digest == str(shown.package.digest)
        assert report.deployment.program == "port_filter"


def test_a_withdrawn_key_stops_the_next_load_not_what_runs(node: LiveNode) -> None:
    node.install("port-filter", ports=str(CLOSED))
    TrustStore(node.settings.trust).remove("skep", signer().public_key.fingerprint)
    with node.opened() as opened, pytest.raises(UnknownKey):
        opened.set("port-filter", {"ports": str(OPEN)})
    assert node.deliver([udp_frame(CLOSED)]) == []
    with node.opened() as opened:
        opened.remove("port-filter")
