import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.builders.packages import (
    OBJECT,
    Change,
    bare,
    changed_manifest,
    metadata_toml,
    package,
    with_layer,
)

from skep.digests import Digest, DigestMismatch
from skep.errors import SkepError
from skep.json_documents import LARGEST_DOCUMENT, MalformedDocument
from skep.packages.content import LARGEST_PACKAGE, LARGEST_README
from skep.packages.errors import MalformedMetadata, MalformedPackage, UnsupportedPackage
from skep.packages.oci.descriptors import EMPTY_DESCRIPTOR, Descriptor
from skep.packages.oci.media_types import INDEX, METADATA, README, REPORT, SOURCES, TITLE
from skep.packages.oci.media_types import (
    OBJECT as OBJECT_TYPE,
)
from skep.packages.opening import open_package, parse_package_manifest
from skep.packages.source_archive import write_archive
from skep.sigstore import BUNDLE

PACKAGE = package()


def opening_fails(
    change: Change, kind: type[SkepError] = MalformedPackage, fetched: list[Digest] | None = None
) -> None:
    """The changed manifest is refused, and ``fetched`` tells what was asked for."""

    def blob(digest: Digest) -> bytes:
        if fetched is not None:
            fetched.append(digest)
        return PACKAGE.blobs[digest]

    with pytest.raises(kind):
        open_package(changed_manifest(PACKAGE, change), blob)


def layer(kind: str, change: Callable[[dict[str, Any]], object]) -> Change:
    def changed(document: dict[str, Any]) -> None:
        for entry in document["layers"]:
            if entry["mediaType"] == kind:
                change(entry)

    return changed


def test_what_was_built_is_opened() -> None:
    content = open_package(PACKAGE.manifest_data, PACKAGE.blobs.__getitem__)
    assert content.metadata == PACKAGE.metadata
    assert content.manifest == PACKAGE.manifest
    assert content.metadata_toml == metadata_toml()
    assert content.objects == {"prog.o": OBJECT}
    assert content.report == b'{"prog.o":{}}'
    assert content.readme == b"# Limiter\n"
    assert content.sources == {"prog.bpf.c": b"int x;\n", "include/x.h": b""}


def test_readme_and_sources_may_be_absent() -> None:
    made = package(readme=b"", sources={})
    content = open_package(made.manifest_data, made.blobs.__getitem__)
    assert (content.readme, content.sources) == (b"", {})


# (1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="list"),
        pytest.param(PACKAGE.manifest_data[:-1], id="truncated"),
        pytest.param(PACKAGE.manifest_data + bytes(LARGEST_DOCUMENT), id="too-large"),
        pytest.param(PACKAGE.manifest_data[:-1] + b',"layers":[]}', id="doubled-key"),
    ],
)
def test_1_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedDocument):
        open_package(data, PACKAGE.blobs.__getitem__)


def test_1_the_document_is_named() -> None:
    with pytest.raises(MalformedDocument, match=r"^package manifest: not JSON"):
        parse_package_manifest(b"")


def test_1_a_document_with_two_meanings_is_refused() -> None:
    opening_fails(lambda document: document.update(manifests=[]), MalformedDocument)
    opening_fails(lambda document: document.update(mediaType=INDEX), MalformedDocument)


# (2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda document: document.pop("artifactType"), id="no-type"),
        pytest.param(lambda document: document.update(artifactType=BUNDLE), id="other-type"),
        pytest.param(
            lambda document: document.update(config=Descriptor.of(b"x", METADATA).to_document()),
            id="config",
        ),
        pytest.param(
            lambda document: document["config"].update(mediaType="text/plain"), id="config-type"
        ),
        pytest.param(lambda document: document["config"].update(size=3), id="config-size"),
        pytest.param(
            lambda document: document.update(subject=bare(PACKAGE.manifest).to_document()),
            id="subject",
        ),
    ],
)
def test_2_what_is_no_package_is_refused(change: Change) -> None:
    fetched: list[Digest] = []
    opening_fails(change, fetched=fetched)
    assert fetched == []


# (3)


def test_3_declared_bytes_are_counted_before_any_is_fetched() -> None:
    fetched: list[Digest] = []
    opening_fails(layer(OBJECT_TYPE, lambda e: e.update(size=LARGEST_PACKAGE)), fetched=fetched)
    assert fetched == []


def _sized(total: int) -> bytes:
    """The manifest with an object that makes the layers declare ``total`` bytes."""
    others = sum(
        entry["size"]
        for entry in json.loads(PACKAGE.manifest_data)["layers"]
        if entry["mediaType"] != OBJECT_TYPE
    )
    return changed_manifest(PACKAGE, layer(OBJECT_TYPE, lambda e: e.update(size=total - others)))


def test_3_the_largest_package_is_32_mib() -> None:
    parse_package_manifest(_sized(32 * 1024 * 1024))
    with pytest.raises(MalformedPackage, match="at most 33554432 bytes, got 33554433"):
        parse_package_manifest(_sized(32 * 1024 * 1024 + 1))


def test_3_negative_sizes_cannot_make_room() -> None:
    opening_fails(layer(README, lambda e: e.update(size=-1)), MalformedDocument)


# (4)


def test_4_a_layer_of_unknown_kind_is_not_supported() -> None:
    opening_fails(layer(README, lambda e: e.update(mediaType="text/html")), UnsupportedPackage)


@pytest.mark.parametrize("kind", [METADATA, OBJECT_TYPE, REPORT])
def test_4_a_missing_part_is_refused(kind: str) -> None:
    opening_fails(
        lambda document: document.update(
            layers=[entry for entry in document["layers"] if entry["mediaType"] != kind]
        )
    )


@pytest.mark.parametrize("kind", [METADATA, REPORT, README, SOURCES])
def test_4_a_doubled_part_is_refused(kind: str) -> None:
    def change(document: dict[str, Any]) -> None:
        document["layers"] += [each for each in document["layers"] if each["mediaType"] == kind]

    with pytest.raises(MalformedPackage, match=r"expected [01] to 1 layers .*, got 2"):
        parse_package_manifest(changed_manifest(PACKAGE, change))


def test_4_thousands_of_layers_are_refused() -> None:
    opening_fails(lambda d: d.update(layers=d["layers"] * 1000), MalformedDocument)
    opening_fails(lambda d: d.update(layers=d["layers"] * 100))


def _objects(count: int) -> bytes:
    """The manifest with as many objects."""

    def change(document: dict[str, Any]) -> None:
        (entry,) = [each for each in document["layers"] if each["mediaType"] == OBJECT_TYPE]
        document["layers"] += [
            entry | {"annotations": {TITLE: f"{number}.o"}} for number in range(1, count)
        ]

    return changed_manifest(PACKAGE, change)


def test_4_there_are_at_most_32_objects() -> None:
    assert len(parse_package_manifest(_objects(32)).layers) == 36
    with pytest.raises(MalformedPackage, match=r"expected 1 to 32 layers .*, got 33"):
        parse_package_manifest(_objects(33))


# (5)


def test_5_an_object_has_a_title() -> None:
    change = layer(OBJECT_TYPE, lambda e: e.pop("annotations"))
    with pytest.raises(MalformedPackage, match="'' is no title"):
        parse_package_manifest(changed_manifest(PACKAGE, change))


@pytest.mark.parametrize("title", ["../prog.o", "/prog.o", ".", "..", "", "a/b", "a\n", "a" * 101])
def test_5_a_title_that_is_no_file_name_is_refused(title: str) -> None:
    opening_fails(layer(OBJECT_TYPE, lambda e: e["annotations"].update({TITLE: title})))


def test_5_two_objects_of_one_name_are_refused() -> None:
    opening_fails(
        lambda document: document["layers"].extend(
            [entry for entry in document["layers"] if entry["mediaType"] == OBJECT_TYPE]
        )
    )


def test_5_an_object_cannot_pose_as_another_part() -> None:
    opening_fails(layer(OBJECT_TYPE, lambda e: e["annotations"].update({TITLE: "skep.toml"})))
    opening_fails(layer(README, lambda e: e["annotations"].update({TITLE: "NOTES.md"})))


# (6)


@pytest.mark.parametrize("kind", [METADATA, OBJECT_TYPE, REPORT, README, SOURCES])
def test_6_a_tampered_layer_is_refused(kind: str) -> None:
    (digest,) = [
        Digest.parse(entry["digest"])
        for entry in json.loads(PACKAGE.manifest_data)["layers"]
        if entry["mediaType"] == kind
    ]

    def blob(asked: Digest) -> bytes:
        data = PACKAGE.blobs[asked]
        return data[:-1] + bytes([data[-1] ^ 1]) if asked == digest else data

    with pytest.raises(DigestMismatch):
        open_package(PACKAGE.manifest_data, blob)


def test_6_a_size_that_is_not_the_contents_is_refused() -> None:
    opening_fails(layer(OBJECT_TYPE, lambda e: e.update(size=e["size"] - 1)), DigestMismatch)


def test_6_the_config_is_hashed_too_though_nothing_reads_it() -> None:
    def blob(asked: Digest) -> bytes:
        return b"[]" if asked == EMPTY_DESCRIPTOR.digest else PACKAGE.blobs[asked]

    with pytest.raises(DigestMismatch):
        open_package(PACKAGE.manifest_data, blob)


def test_6_everything_is_fetched_once() -> None:
    fetched: list[Digest] = []

    def blob(asked: Digest) -> bytes:
        fetched.append(asked)
        return PACKAGE.blobs[asked]

    open_package(PACKAGE.manifest_data, blob)
    named = [EMPTY_DESCRIPTOR, *parse_package_manifest(PACKAGE.manifest_data).layers]
    assert sorted(map(str, fetched)) == sorted(str(each.digest) for each in named)


# (7)


def test_7_a_readme_may_have_a_mebibyte() -> None:
    manifest, blobs = with_layer(PACKAGE, README, b"x" * 1024 * 1024)
    assert len(open_package(manifest, blobs.__getitem__).readme) == 1024 * 1024


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        pytest.param(REPORT, b"[]", "^report.json: expected a JSON object", id="report"),
        pytest.param(README, b"ab\xff", "^README.md is not UTF-8 at byte 2", id="readme"),
        pytest.param(
            README, b"x" * 1048577, "^README.md: expected at most 1048576 bytes", id="large-readme"
        ),
    ],
)
def test_7_the_part_is_named(kind: str, data: bytes, said: str) -> None:
    manifest, blobs = with_layer(PACKAGE, kind, data)
    with pytest.raises(SkepError, match=said):
        open_package(manifest, blobs.__getitem__)


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        pytest.param(METADATA, b"[package", MalformedMetadata, id="metadata"),
        pytest.param(REPORT, b"[]", MalformedDocument, id="report-list"),
        pytest.param(REPORT, b"[" * 100_000, MalformedDocument, id="report-deep"),
        pytest.param(README, b"\xff", MalformedPackage, id="readme"),
        pytest.param(README, b"x" * (LARGEST_README + 1), MalformedPackage, id="readme-large"),
        pytest.param(SOURCES, b"x" * 10240, MalformedPackage, id="sources"),
    ],
)
def test_7_a_part_that_is_not_what_it_claims_is_refused(
    kind: str, data: bytes, error: type[SkepError]
) -> None:
    manifest, blobs = with_layer(PACKAGE, kind, data)
    with pytest.raises(error):
        open_package(manifest, blobs.__getitem__)


# (8)


@pytest.mark.parametrize("toml", [metadata_toml("evil/limiter"), metadata_toml(version="1.2.1")])
def test_8_metadata_that_contradicts_the_annotations_are_refused(toml: bytes) -> None:
    manifest, blobs = with_layer(PACKAGE, METADATA, toml)
    with pytest.raises(MalformedPackage, match="the metadata"):
        open_package(manifest, blobs.__getitem__)


def test_8_missing_annotations_are_refused() -> None:
    opening_fails(lambda document: document.pop("annotations"))


@pytest.mark.parametrize("name", ["title", "version", "licenses", "description"])
def test_8_every_annotation_must_be_there_and_say_what_the_metadata_says(name: str) -> None:
    key = f"org.opencontainers.image.{name}"
    assert key in json.loads(PACKAGE.manifest_data)["annotations"]
    for change, said in (
        (lambda document: document["annotations"].pop(key), ""),
        (lambda document: document["annotations"].update({key: "x"}), "x"),
    ):
        with pytest.raises(MalformedPackage, match=f"{key} says '{said}', the metadata '"):
            open_package(changed_manifest(PACKAGE, change), PACKAGE.blobs.__getitem__)


# (9) in test_source_archive


def test_9_sources_are_unpacked() -> None:
    manifest, blobs = with_layer(PACKAGE, SOURCES, write_archive({"other.c": b"int y;"}))
    assert open_package(manifest, blobs.__getitem__).sources == {"other.c": b"int y;"}
