from collections.abc import Mapping

import pytest

from skep.digests import Digest
from skep.errors import UsageError
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.media_types import MANIFEST
from skep.packages.references import parse_reference
from skep.packages.tags import AmbiguousReference, Stored, Tag, find_tag, parse_tag
from skep.versions import Version

V1 = Version(1, 0, 0)


def listed(*pairs: tuple[str, str]) -> dict[str, Descriptor]:
    """Tags by text; a manifest is known by its content."""
    return {text: Descriptor.of(content.encode(), MANIFEST) for text, content in pairs}


def found(
    stored: Mapping[str, Descriptor], reference: str, default: str | None = None
) -> tuple[str, Digest] | None:
    one = find_tag(stored, parse_reference(reference), default)
    return None if one is None else (str(one.tag), one.digest)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        pytest.param("skep/a:1.0.0", Tag("skep/a", V1), id="written-before-origins-were-kept"),
        pytest.param("h.example/skep/a:1.0.0", Tag("skep/a", V1, "h.example"), id="host"),
        pytest.param("localhost:87/skep/a:1.0.0", Tag("skep/a", V1, "localhost:87"), id="port"),
        pytest.param("h.example/x/skep/a:1.0.0", Tag("skep/a", V1, "h.example/x"), id="path"),
        pytest.param(
            "0:0:0:0:0:0:0:1/skep/a:1.0.0", Tag("skep/a", V1, "[::1]"), id="ipv6-without-port"
        ),
        pytest.param(
            "2001:db8:0:0:0:0:0:1:87/x/skep/a:1.0.0",
            Tag("skep/a", V1, "[2001:db8::1]:87/x"),
            id="ipv6-port-path",
        ),
    ],
)
def test_a_tag_is_read_and_written_back(text: str, tag: Tag) -> None:
    assert parse_tag(text) == tag
    assert str(tag) == text


@pytest.mark.parametrize(
    "text", ["latest", "skep/a", "skep/a:latest", "a:1.0.0", "ho st/skep/a:1.0.0", ""]
)
def test_tags_of_another_kind_are_left_alone(text: str) -> None:
    assert parse_tag(text) is None
    assert found(listed((text, "x")), "skep/a") is None


def test_1_a_host_in_the_reference_is_the_only_one_that_counts() -> None:
    stored = listed(("skep/a:1.0.0", "old"), ("evil.example/skep/a:1.0.0", "evil"))
    assert found(stored, "good.example/skep/a:1.0.0", "good.example") is None
    assert found(stored, "good.example/skep/a") is None
    assert found(stored, "evil.example/skep/a") == (
        "evil.example/skep/a:1.0.0",
        Digest.of(b"evil"),
    )


def test_2_without_a_host_the_default_or_an_unknown_origin_is_meant() -> None:
    stored = listed(
        ("evil.example/skep/a:9.0.0", "evil"),
        ("good.example/skep/a:1.1.0", "good"),
        ("skep/a:1.0.0", "old"),
    )
    assert found(stored, "skep/a", "good.example") == (
        "good.example/skep/a:1.1.0",
        Digest.of(b"good"),
    )
    assert found(stored, "skep/a:1.0.0", "good.example") == ("skep/a:1.0.0", Digest.of(b"old"))
    assert found(stored, "skep/a:9.0.0", "good.example") is None


def test_2_what_is_known_to_be_the_defaults_wins_over_what_may_be() -> None:
    stored = listed(("skep/a:1.0.0", "old"), ("good.example/skep/a:1.0.0", "good"))
    assert found(stored, "skep/a", "good.example") == (
        "good.example/skep/a:1.0.0",
        Digest.of(b"good"),
    )


def test_3_with_no_default_whatever_is_here_is_meant_if_it_is_one_content() -> None:
    stored = listed(("b.example/skep/a:1.0.0", "same"), ("a.example/skep/a:1.0.0", "same"))
    assert found(stored, "skep/a") == ("a.example/skep/a:1.0.0", Digest.of(b"same"))
    stored |= listed(("c.example/skep/a:1.0.0", "other"))
    with pytest.raises(AmbiguousReference, match=r"a.example and b.example and c.example") as told:
        found(stored, "skep/a")
    assert "a.example/skep/a:1.0.0" in told.value.hint
    assert found(stored, "c.example/skep/a") == ("c.example/skep/a:1.0.0", Digest.of(b"other"))


def test_4_a_digest_is_found_wherever_it_came_from() -> None:
    stored = listed(("a.example/skep/a:1.0.0", "x"), ("b.example/skep/a:1.0.0", "x"))
    digest = Digest.of(b"x")
    assert found(stored, f"b.example/skep/a@{digest}") == ("b.example/skep/a:1.0.0", digest)
    assert found(stored, f"skep/a@{digest}") is not None


def test_4_a_host_is_not_ignored_for_a_digest() -> None:
    stored = listed(("b.example/skep/a:1.0.0", "x"), ("skep/a:1.0.0", "x"))
    assert found(stored, f"c.example/skep/a@{Digest.of(b'x')}") is None
    assert found(stored, f"skep/a@{Digest.of(b'y')}") is None


def test_the_newest_release_is_meant_without_a_version() -> None:
    stored = listed(*((f"skep/a:{text}", text) for text in ("1.9.0", "1.10.0", "2.0.0-rc.1")))
    assert found(stored, "skep/a") == ("skep/a:1.10.0", Digest.of(b"1.10.0"))
    assert found(stored, "skep/b") is None


def test_a_name_of_a_marketplace_must_have_become_a_host() -> None:
    with pytest.raises(UsageError, match="public"):
        find_tag({}, parse_reference("public/skep/a"))


def test_stored_content_has_the_digest_of_its_manifest() -> None:
    (descriptor,) = listed(("skep/a:1.0.0", "x")).values()
    assert Stored(Tag("skep/a", V1), descriptor).digest == Digest.of(b"x")
