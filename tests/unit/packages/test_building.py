import json

import pytest
from tests.builders.packages import OBJECT, metadata_toml, package

from skep.digests import Digest
from skep.json_documents import MalformedDocument
from skep.packages.building import build
from skep.packages.content import LARGEST_PACKAGE
from skep.packages.errors import MalformedMetadata, MalformedPackage
from skep.packages.oci.media_types import METADATA, PACKAGE, REPORT, TITLE
from skep.packages.oci.media_types import OBJECT as OBJECT_TYPE


def test_the_same_input_gives_the_same_digest_on_every_machine() -> None:
    built = package(objects={"prog.o": b"\x7fELF"})
    assert str(built.manifest.digest) == EXPECTED


# If this changes, every published package has another digest when it is built again.
EXPECTED = "sha256:91c8d1dd107587224f15f7ca979ece58ccb4c2cd904d22ccfe3068c3956a0e22"


def test_the_order_of_files_and_the_form_of_the_report_do_not_matter() -> None:
    one = package(
        objects={"a.o": b"a", "b.o": b"b"}, report=b'{"a": 1, "b": 2}', sources={"x": b"", "y": b""}
    )
    two = package(
        objects={"b.o": b"b", "a.o": b"a"}, report=b'{"b":2,\n"a":1}', sources={"y": b"", "x": b""}
    )
    assert one == two


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(package(version="1.2.1"), id="version"),
        pytest.param(package(objects={"prog.o": OBJECT + b"\0"}), id="object"),
        pytest.param(package(objects={"other.o": OBJECT}), id="object-name"),
        pytest.param(package(report=b"{}"), id="report"),
        pytest.param(package(readme=b""), id="readme"),
        pytest.param(package(sources={}), id="sources"),
    ],
)
def test_other_input_gives_another_digest(changed: object) -> None:
    assert changed != package()


def test_a_byte_order_mark_is_left_out() -> None:

    marked = build(b"\xef\xbb\xbf" + metadata_toml(), {"prog.o": OBJECT}, b"{}", b"", {})
    assert marked == build(metadata_toml(), {"prog.o": OBJECT}, b"{}", b"", {})


def test_the_manifest_is_an_oci_artifact() -> None:
    built = package()
    document = json.loads(built.manifest_data)
    assert document["artifactType"] == PACKAGE
    assert document["config"]["digest"] == str(Digest.of(b"{}"))
    assert [layer["mediaType"] for layer in document["layers"]][:3] == [
        METADATA,
        OBJECT_TYPE,
        REPORT,
    ]
    assert document["layers"][0]["annotations"][TITLE] == "skep.toml"
    assert document["annotations"]["org.opencontainers.image.version"] == "1.2.0"


def test_the_blobs_are_the_manifest_and_all_it_names() -> None:
    built = package()
    document = json.loads(built.manifest_data)
    named = {document["config"]["digest"]} | {layer["digest"] for layer in document["layers"]}
    assert {str(digest) for digest in built.blobs} == named | {str(built.manifest.digest)}
    assert all(Digest.of(data) == digest for digest, data in built.blobs.items())


def test_a_licence_spdx_does_not_know_is_a_problem_of_the_metadata() -> None:
    with pytest.raises(MalformedMetadata) as caught:
        package(toml=metadata_toml(licence="Foo-1.0"))
    assert caught.value.detail.startswith("package.licence: ")


@pytest.mark.parametrize("name", ["../a.o", "a/b.o", ".o", "", "a\n", "a" * 101])
def test_an_object_with_an_odd_name_is_refused(name: str) -> None:
    with pytest.raises(MalformedPackage):
        package(objects={name: OBJECT})


@pytest.mark.parametrize("count", [0, 33])
def test_no_objects_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(MalformedPackage):
        package(objects={f"o{number}.o": OBJECT for number in range(count)})


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(MalformedPackage, match="in all"):
        package(objects={"prog.o": bytes(LARGEST_PACKAGE)})


def test_a_readme_that_is_no_text_is_refused() -> None:
    with pytest.raises(MalformedPackage, match="UTF-8"):
        package(readme=b"\xff")


def test_a_report_that_is_no_json_is_refused() -> None:
    with pytest.raises(MalformedDocument):
        package(report=b"{")


def test_half_of_the_sources_is_refused() -> None:
    toml = metadata_toml(more='[build]\nsources = ["a.bpf.c", "b.bpf.c"]')
    with pytest.raises(MalformedPackage, match=r"b\.bpf\.c is not there"):
        package(toml=toml, sources={"a.bpf.c": b""})
    assert package(toml=toml, sources={})


def test_titles_cannot_collide() -> None:
    with pytest.raises(MalformedPackage):
        package(objects={"skep.toml": OBJECT})
