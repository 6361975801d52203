import json
from dataclasses import replace
from typing import Any

import pytest

from skep.digests import Digest, DigestMismatch
from skep.json_documents import MalformedDocument
from skep.packages.oci.descriptors import EMPTY_DESCRIPTOR, Descriptor, is_media_type
from skep.packages.oci.manifests import ImageIndex, ImageManifest, parse_index, parse_manifest
from skep.packages.oci.media_types import EMPTY, INDEX, MANIFEST

LAYER = Descriptor.of(b"layer", "text/plain", {"a": "b"})
SUBJECT = Descriptor.of(b"subject", MANIFEST)
FULL = ImageManifest(EMPTY_DESCRIPTOR, (LAYER,), "application/x", SUBJECT, {"c": "d"})


def document(manifest: ImageManifest = FULL) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(manifest.to_bytes())
    return parsed


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert parse_manifest(FULL.to_bytes()) == FULL


def test_a_manifest_without_anything_optional_is_read() -> None:
    least = ImageManifest(EMPTY_DESCRIPTOR, ())
    assert parse_manifest(least.to_bytes()) == least


def test_the_kind_is_the_artifact_type_or_the_configs() -> None:
    assert FULL.kind == "application/x"
    assert ImageManifest(EMPTY_DESCRIPTOR, ()).kind == EMPTY


def test_the_descriptor_of_a_manifest_has_its_kind_and_annotations() -> None:
    data = FULL.to_bytes()
    found = FULL.descriptor(data)
    assert (found.digest, found.size) == (Digest.of(data), len(data))
    assert (found.media_type, found.artifact_type) == (MANIFEST, "application/x")
    assert found.annotations == {"c": "d"}


def test_unknown_fields_are_allowed() -> None:
    assert parse_manifest(json.dumps(document() | {"org.example": 1}).encode()) == FULL


def test_content_embedded_in_a_descriptor_is_not_looked_at() -> None:
    changed = document()
    changed["layers"][0] |= {"data": "bGllcw==", "urls": ["https://evil.example/"]}
    assert parse_manifest(json.dumps(changed).encode()) == FULL


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"schemaVersion": 1}, "schemaVersion", id="schema"),
        pytest.param({"schemaVersion": 3}, "schemaVersion", id="later-schema"),
        pytest.param({"schemaVersion": True}, "schemaVersion", id="schema-bool"),
        pytest.param({"mediaType": INDEX}, "mediaType", id="media-type"),
        pytest.param({"config": None}, "config", id="no-config"),
        pytest.param({"config": []}, "config", id="config-list"),
        pytest.param({"layers": None}, "layers", id="no-layers"),
        pytest.param({"layers": {}}, "layers", id="layers-table"),
        pytest.param({"layers": ["x"]}, "layers[0]", id="layer-text"),
        pytest.param({"subject": {}}, "subject.mediaType", id="empty-subject"),
        pytest.param({"annotations": {"a": 1}}, "annotations.a", id="annotation"),
        pytest.param({"annotations": []}, "annotations", id="annotations"),
        pytest.param({"artifactType": "x"}, "artifactType", id="artifact-type"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedDocument, match=f"^image manifest: {path}: ".replace("[", r"\[")):
        parse_manifest(json.dumps(document() | change).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("digest", "", id="empty-digest"),
        pytest.param("digest", "sha256:" + "A" * 64, id="capital-digest"),
        pytest.param("digest", "md5:" + "0" * 32, id="weak-digest"),
        pytest.param("digest", "sha256:../../etc/passwd", id="path-as-digest"),
        pytest.param("size", -1, id="negative"),
        pytest.param("size", 1.0, id="fraction"),
        pytest.param("size", True, id="bool"),
        pytest.param("size", 2**63, id="huge"),
        pytest.param("size", "5", id="text"),
        pytest.param("mediaType", "", id="no-type"),
        pytest.param("mediaType", "text/plain\r\nX: y", id="header-injection"),
    ],
)
def test_a_wrong_descriptor_is_refused(key: str, value: object) -> None:
    changed = document()
    changed["layers"][0][key] = value
    with pytest.raises(MalformedDocument, match=rf"layers\[0\]\.{key}"):
        parse_manifest(json.dumps(changed).encode())


def test_the_schema_that_was_expected_is_named() -> None:
    with pytest.raises(MalformedDocument, match="schemaVersion: expected 2, "):
        parse_manifest(json.dumps(document() | {"schemaVersion": 1}).encode())


def test_all_problems_are_in_the_detail() -> None:
    changed = document() | {"schemaVersion": 3, "config": None, "annotations": {"a": 1}}
    with pytest.raises(MalformedDocument) as caught:
        parse_manifest(json.dumps(changed).encode())
    assert len(caught.value.detail.splitlines()) >= 3


# CVE-2021-41190: one document, two meanings.
@pytest.mark.parametrize("key", ["manifests", "fsLayers", "signatures"])
def test_a_manifest_with_fields_of_another_kind_is_refused(key: str) -> None:
    with pytest.raises(MalformedDocument):
        parse_manifest(json.dumps(document() | {key: []}).encode())


@pytest.mark.parametrize("key", ["layers", "config"])
def test_an_index_with_fields_of_a_manifest_is_refused(key: str) -> None:
    index = json.loads(ImageIndex((SUBJECT,)).to_bytes())
    with pytest.raises(MalformedDocument):
        parse_index(json.dumps(index | {key: []}).encode())


def test_an_index_is_read_as_it_was_written() -> None:
    index = ImageIndex((SUBJECT, FULL.descriptor(FULL.to_bytes())), {"a": "b"})
    assert parse_index(index.to_bytes()) == index


def test_an_index_of_a_million_is_refused() -> None:
    with pytest.raises(MalformedDocument):
        parse_index(b'{"schemaVersion":2,"manifests":[' + b"{}," * 100_000 + b"{}]}")


def test_a_manifest_names_at_most_1000_layers() -> None:
    layer = document()["layers"][0]
    at_most = json.dumps(document() | {"layers": [layer] * 1000}).encode()
    assert len(parse_manifest(at_most).layers) == 1000
    with pytest.raises(MalformedDocument, match=r"^image manifest: layers: "):
        parse_manifest(json.dumps(document() | {"layers": [layer] * 1001}).encode())


def test_an_index_lists_at_most_10000_manifests() -> None:
    entry = json.loads(ImageIndex((SUBJECT,)).to_bytes())["manifests"][0]
    index = {"schemaVersion": 2, "manifests": [entry] * 10_000}
    assert len(parse_index(json.dumps(index).encode()).manifests) == 10_000
    index["manifests"] = [entry] * 10_001
    with pytest.raises(MalformedDocument, match=r"^image index: manifests: "):
        parse_index(json.dumps(index).encode())


@pytest.mark.parametrize(
    ("size", "is_read"), [(0, True), (1, True), (2**53 - 1, True), (2**53, False)]
)
def test_a_size_is_one_that_every_reader_can_hold(size: int, *, is_read: bool) -> None:
    changed = document()
    changed["layers"][0]["size"] = size
    data = json.dumps(changed).encode()
    if is_read:
        assert parse_manifest(data).layers[0].size == size
    else:
        with pytest.raises(MalformedDocument, match="size"):
            parse_manifest(data)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", True),
        ("application/vnd.x+json", True),
        ("a" * 127 + "/" + "b" * 127, True),
        ("a" * 128 + "/b", False),
        ("a/" + "b" * 128, False),
        ("a", False),
        ("+a/b", False),
        ("a/b; c=d", False),
    ],
)
def test_a_media_type_has_two_parts_and_no_parameters(text: str, *, expected: bool) -> None:
    assert is_media_type(text) is expected


def test_a_document_has_what_the_specification_names_and_nothing_empty() -> None:
    assert json.loads(ImageManifest(EMPTY_DESCRIPTOR, ()).to_bytes()) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": str(Digest.of(b"{}")),
            "size": 2,
        },
        "layers": [],
    }
    assert json.loads(ImageIndex(()).to_bytes()) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    }
    typed = Descriptor("a/b", Digest.of(b""), 0, {"c": "d"}, "e/f").to_document()
    assert (typed["annotations"], typed["artifactType"]) == ({"c": "d"}, "e/f")


def test_the_media_type_inside_may_be_left_out_but_not_be_another() -> None:
    without = document()
    del without["mediaType"]
    assert parse_manifest(json.dumps(without).encode()) == FULL
    index = json.loads(ImageIndex((SUBJECT,)).to_bytes())
    del index["mediaType"]
    assert parse_index(json.dumps(index).encode()).manifests == (SUBJECT,)
    with pytest.raises(MalformedDocument, match=r"^image index: mediaType: expected"):
        parse_index(json.dumps(index | {"mediaType": MANIFEST}).encode())


def test_what_must_be_there_is_missed_by_name() -> None:
    for key in ("layers", "config"):
        changed = document()
        del changed[key]
        with pytest.raises(MalformedDocument, match=f"^image manifest: {key}: .*is missing"):
            parse_manifest(json.dumps(changed).encode())
    with pytest.raises(MalformedDocument, match=r"^image index: manifests: .*is missing"):
        parse_index(b'{"schemaVersion":2}')


@pytest.mark.parametrize("key", ["manifests", "fsLayers", "signatures"])
def test_a_field_of_another_kind_is_named(key: str) -> None:
    with pytest.raises(MalformedDocument, match=rf"^mine: expected .*\+json, but it has '{key}'"):
        parse_manifest(json.dumps(document() | {key: []}).encode(), "mine")


@pytest.mark.parametrize("key", ["layers", "config", "fsLayers"])
def test_an_index_with_a_field_of_a_manifest_names_it(key: str) -> None:
    index = json.loads(ImageIndex((SUBJECT,)).to_bytes())
    with pytest.raises(MalformedDocument, match=f"^mine: .* it has '{key}'"):
        parse_index(json.dumps(index | {key: []}).encode(), "mine")


def test_descriptors_are_compared_with_annotations_and_hashed_without() -> None:
    plain = Descriptor.of(b"layer", "text/plain")
    assert plain != LAYER
    assert hash(plain) == hash(LAYER)
    assert plain.annotations == {}
    assert hash(FULL) == hash(replace(FULL, annotations={}))
    assert hash(ImageIndex((), {"a": "b"})) == hash(ImageIndex(()))


def test_annotations_of_a_descriptor_are_its_own() -> None:
    given = {"a": "b"}
    made = Descriptor.of(b"", "a/b", given)
    given["a"] = "c"
    assert made.annotations == {"a": "b"}


def test_a_descriptor_says_how_the_content_differs() -> None:
    with pytest.raises(DigestMismatch, match=r"expected 5 bytes for sha256:.*, got 6") as caught:
        LAYER.check(b"layers")
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"laye", b"layers", b"other"])
def test_a_descriptor_refuses_other_content(data: bytes) -> None:
    with pytest.raises(DigestMismatch):
        LAYER.check(data)
    assert LAYER.check(b"layer") == b"layer"
