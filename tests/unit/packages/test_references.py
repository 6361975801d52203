import pytest

from skep.digests import Digest
from skep.packages.errors import MalformedReference
from skep.packages.references import Reference, parse_reference
from skep.versions import Version

DIGEST = Digest.of(b"manifest")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("skep/a", Reference("skep", "a"), id="name"),
        pytest.param("skep/a:1.2.0", Reference("skep", "a", Version(1, 2, 0)), id="version"),
        pytest.param(f"skep/a@{DIGEST}", Reference("skep", "a", None, DIGEST), id="digest"),
        pytest.param(
            f"skep/a:1.2.0-rc.1@{DIGEST}",
            Reference("skep", "a", Version(1, 2, 0, "rc.1"), DIGEST),
            id="both",
        ),
        pytest.param(
            "market.example/skep/a", Reference("skep", "a", host="market.example"), id="host"
        ),
        pytest.param(
            "localhost:8080/skep/a:1.2.0",
            Reference("skep", "a", Version(1, 2, 0), host="localhost:8080"),
            id="host-and-port",
        ),
        pytest.param("localhost/skep/a", Reference("skep", "a", host="localhost"), id="localhost"),
        pytest.param(
            "market.example/ebpf/skep/a",
            Reference("skep", "a", host="market.example/ebpf"),
            id="host-and-path",
        ),
        pytest.param(
            "public/skep/a:1.2.0",
            Reference("skep", "a", Version(1, 2, 0), marketplace="public"),
            id="marketplace",
        ),
        pytest.param(
            "[::1]:8080/skep/a", Reference("skep", "a", host="[::1]:8080"), id="ipv6-host"
        ),
    ],
)
def test_a_reference_is_read_and_written_back(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("a", id="no-publisher"),
        pytest.param("skep/", id="no-name"),
        pytest.param("/a", id="empty-publisher"),
        pytest.param("Skep/a", id="capital"),
        pytest.param("skep/a_b", id="underscore"),
        pytest.param("-skep/a", id="dash-first"),
        pytest.param("skep/a-", id="dash-last"),
        pytest.param(f"skep/{'a' * 64}", id="64-letters"),
        pytest.param("skep/a\n", id="trailing-newline"),
        pytest.param("skep/á", id="not-ascii"),
        pytest.param("skep/../a", id="traversal"),
        pytest.param("a/b/c/d", id="four-parts"),
        pytest.param("ho st/skep/a", id="blank-in-host"),
        pytest.param("Public/skep/a", id="capital-in-marketplace"),
        pytest.param("public/x/skep/a", id="path-below-a-name"),
        pytest.param("h.example/../skep/a", id="traversal-below-a-host"),
        pytest.param("h.example//a", id="empty-publisher-below-a-host"),
        pytest.param("h.example:0/skep/a", id="port-0"),
        pytest.param("h.example:65536/skep/a", id="port-too-large"),
        pytest.param("h.example:/skep/a", id="empty-port"),
        pytest.param("[::g]/skep/a", id="no-ipv6"),
        pytest.param("/skep/a", id="empty-place"),
        pytest.param("user@host/skep/a", id="user-in-host"),
        pytest.param("skep/a:", id="empty-version"),
        pytest.param("skep/a:latest", id="no-semver"),
        pytest.param("skep/a:1.0.0+build", id="build-metadata"),
        pytest.param("skep/a@", id="empty-digest"),
        pytest.param("skep/a@sha256:00", id="short-digest"),
        pytest.param(f"skep/a@{DIGEST}@{DIGEST}", id="two-digests"),
        pytest.param("skep/" + "a" * 1000, id="long"),
    ],
)
def test_other_texts_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(MalformedReference) as caught:
        parse_reference(text)
    assert "skep/ratelimiting:1.2.0" in caught.value.hint


def test_pinning_keeps_the_rest() -> None:
    assert str(parse_reference("h.example/skep/a:1.0.0").pinned(DIGEST)) == (
        f"h.example/skep/a:1.0.0@{DIGEST}"
    )


@pytest.mark.parametrize(
    ("text", "host"),
    [
        pytest.param("Market.EXAMPLE/skep/a", "market.example", id="capitals"),
        pytest.param("market.example:443/skep/a", "market.example", id="port-of-https"),
        pytest.param("LOCALHOST/skep/a", "localhost", id="localhost"),
        pytest.param("[0:0:0:0:0:0:0:1]:80/skep/a", "[::1]:80", id="long-ipv6"),
    ],
)
def test_one_host_has_one_form(text: str, host: str) -> None:
    assert parse_reference(text).host == host
