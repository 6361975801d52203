"""Laws of packages: what is written is read back, the same is the same, strangers get errors."""

import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.packages import package

from skep.bytecode.linking.plan import MapPlan
from skep.digests import Digest
from skep.errors import NotFound, SkepError
from skep.json_documents import MalformedDocument, canonical_json, parse_json
from skep.packages.errors import MalformedMetadata, MalformedReference, WrongSetting
from skep.packages.metadata import parse_metadata
from skep.packages.names import is_marketplace_name
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.manifests import ImageManifest, parse_index, parse_manifest
from skep.packages.opening import open_package
from skep.packages.references import Reference, parse_reference
from skep.packages.setting_types import SCALAR_TYPES
from skep.packages.settings import SettingSpec, map_entries, parse_setting
from skep.packages.source_archive import read_archive, write_archive
from skep.packages.tags import Tag, parse_tag
from skep.versions import Version

LAW = settings(deadline=None, max_examples=60)
SMALL = settings(deadline=None, max_examples=25)
PACKAGE = package()

parts = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
digests = st.binary(max_size=4).map(Digest.of)
versions = st.builds(
    Version, *[st.integers(0, 999)] * 3, st.sampled_from(["", "rc.1", "alpha", "0.x-y"])
)
hosts = st.sampled_from(
    ["localhost", "m.example:8080", "[::1]:80", "[2001:db8::7]", "m.example/ebpf/x", "m:1"]
)
places = (
    st.just((None, None))
    | hosts.map(lambda host: (host, None))
    | parts.filter(is_marketplace_name).map(lambda name: (None, name))
)
references = st.builds(
    lambda publisher, name, version, digest, place: Reference(
        publisher, name, version, digest, *place
    ),
    parts,
    parts,
    st.none() | versions,
    st.none() | digests,
    places,
)
tags = st.builds(Tag, st.builds("{}/{}".format, parts, parts), versions, st.just("") | hosts)
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)
descriptors = st.builds(
    Descriptor,
    st.sampled_from(["text/plain", "application/vnd.x.v1+json"]),
    digests,
    st.integers(0, 2**53 - 1),
    st.dictionaries(parts, st.text(max_size=8), max_size=3),
    st.sampled_from(["", "application/x"]),
)


@LAW
@given(references)
def test_a_reference_is_read_as_it_is_written(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference


@LAW
@given(tags)
def test_a_tag_is_read_as_it_is_written(tag: Tag) -> None:
    assert parse_tag(str(tag)) == tag
    assert parse_reference(str(tag.reference)) == tag.reference


@LAW
@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9.:/-]{0,30}/[a-z0-9-]/[a-z]:1\.0\.[0-9]"))
def test_any_text_is_a_tag_of_ours_or_left_alone(text: str) -> None:
    tag = parse_tag(text)
    assert tag is None or parse_tag(str(tag)) == tag


@LAW
@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9.:@/-]{0,40}"))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except MalformedReference:
        return
    assert parse_reference(str(reference)) == reference


@LAW
@given(documents)
def test_a_document_is_read_as_it_is_written(document: object) -> None:
    data = canonical_json(document)
    assert parse_json(data, "x") == document
    assert canonical_json(parse_json(data, "x")) == data


@LAW
@given(st.binary(max_size=60) | st.text(string.printable, max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    for parse in (lambda data: parse_json(data, "x"), parse_manifest, parse_index):
        try:
            parse(data)
        except MalformedDocument:
            continue


@LAW
@given(
    st.builds(
        ImageManifest,
        descriptors,
        st.lists(descriptors, max_size=4).map(tuple),
        st.sampled_from(["", "application/x"]),
        st.none() | descriptors,
        st.dictionaries(parts, st.text(max_size=8), max_size=3),
    )
)
def test_a_manifest_is_read_as_it_is_written(manifest: ImageManifest) -> None:
    assert parse_manifest(manifest.to_bytes()) == manifest


@LAW
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_metadata_or_refused(data: bytes) -> None:
    with pytest.raises(MalformedMetadata):
        parse_metadata(data)


@SMALL
@given(st.dictionaries(paths, st.binary(max_size=700), min_size=1, max_size=6))
def test_sources_are_read_as_they_are_written(files: dict[str, bytes]) -> None:
    directories = {path[:end] for path in files for end in range(len(path)) if path[end] == "/"}
    files = {path: data for path, data in files.items() if path not in directories}
    assert read_archive(write_archive(files)) == files


@SMALL
@given(st.integers(0, 10239), st.integers(1, 255))
def test_a_changed_archive_is_refused_or_still_canonical(place: int, change: int) -> None:
    data = bytearray(write_archive({"a": b"some content", "b/c": b""}))
    data[place] ^= change
    try:
        files = read_archive(bytes(data))
    except SkepError:
        return
    assert write_archive(files) == bytes(data)


@SMALL
@given(st.data())
def test_a_changed_byte_anywhere_in_a_package_is_noticed(data: st.DataObject) -> None:
    digest = data.draw(st.sampled_from(sorted(PACKAGE.blobs)))
    content = bytearray(PACKAGE.blobs[digest])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    blobs = {**PACKAGE.blobs, digest: bytes(content)}

    def fetch(wanted: Digest) -> bytes:
        if wanted not in blobs:  # the changed byte is in a digest of the manifest
            raise NotFound(f"there is no {wanted}")
        return blobs[wanted]

    try:
        opened = open_package(blobs[PACKAGE.manifest.digest], fetch)
    except SkepError:
        return
    # Only a byte of the manifest can go unnoticed here; its digest is the caller's to compare.
    assert digest == PACKAGE.manifest.digest
    assert opened.manifest.digest != digest


@SMALL
@given(st.permutations(["a.o", "b.o", "c.o"]), st.permutations(["x.c", "y.c", "z/z.c"]))
def test_the_order_of_input_does_not_matter(objects: list[str], sources: list[str]) -> None:
    built = package(
        objects={name: name.encode() for name in objects},
        sources={name: name.encode() for name in sources},
    )
    assert (
        built.manifest
        == package(
            objects={name: name.encode() for name in sorted(objects)},
            sources={name: name.encode() for name in sorted(sources)},
        ).manifest
    )


@LAW
@given(
    st.sampled_from(sorted(SCALAR_TYPES)),
    st.text(max_size=12) | st.from_regex(r"[0-9]{1,22}[a-zA-Z/]{0,4}", fullmatch=True),
)
def test_any_text_is_a_setting_or_refused(kind: str, text: str) -> None:
    spec = SettingSpec("s", kind, map="m")
    try:
        value = parse_setting(spec, text)
    except WrongSetting:
        return
    (member,) = value.members
    width = len(member) if isinstance(member, bytes) else 8
    (entry,) = map_entries(value, MapPlan("m", 2, 4, width, 1)).values()
    assert len(entry) == width
    assert parse_setting(spec, value.text).members == (member,)


@LAW
@given(st.sets(st.integers(1, 65535), max_size=20), st.randoms())
def test_a_set_is_the_same_in_any_order(ports: set[int], random: Any) -> None:
    shuffled = sorted(ports)
    random.shuffle(shuffled)
    spec = SettingSpec("s", "set[port]", map="m")
    value = parse_setting(spec, ", ".join(map(str, [*shuffled, *shuffled])))
    assert value == parse_setting(spec, value.text)
    entries = map_entries(value, MapPlan("m", 1, 2, 1, 64))
    assert {int.from_bytes(key, "little") for key in entries} == ports
