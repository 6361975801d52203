import json
from typing import Any

import pytest
from tests.builders.packages import BUNDLE_DATA, package, put_package
from tests.fakes.registry import FakeRegistry, Fault

from skep.digests import Digest
from skep.errors import SkepError, UsageError
from skep.packages.client import transport
from skep.packages.client.errors import (
    MalformedAnswer,
    MarketplaceNotFound,
    MarketplaceUnavailable,
)
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pushing import push
from skep.packages.client.transport import HttpAnswer
from skep.packages.local.bundles import store_bundle
from skep.packages.local.content_store import ContentStore
from skep.packages.wire.publisher_listing import OfferedKey
from skep.versions import Version

LISTING: dict[str, Any] = {
    "package": "skep/limiter",
    "version": "1.2.0",
    "digest": str(Digest.of(b"x")),
    "published_at": "2026-11-23T08:00:00Z",
    "summary": "Limits",
    "licence": "MIT",
    "signed_by": "SHA256:00",
    "label": {"permissions": [{"id": "drop"}]},
    "verdict": {"outcome": "accepted"},
}


def answering(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch, body: object, status: int = 200
) -> None:
    """The marketplace answers anything with ``body``."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def request(*_: object, **__: object) -> HttpAnswer:
        return HttpAnswer("http://m/x", status, {}, data)

    monkeypatch.setattr(transport.Transport, "request", request)


def test_a_published_package_is_found_and_shown(
    registry: FakeRegistry, client: MarketplaceClient, store: ContentStore
) -> None:
    made = package()
    subject = put_package(store, made)
    store_bundle(store, subject, BUNDLE_DATA)
    push(store, subject.digest, client)
    client.publish("skep", "limiter", subject.digest)
    (hit,) = client.search("limiter")
    (version,) = client.show("skep", "limiter").versions
    assert hit == version
    assert (hit.package, hit.version, hit.digest) == (
        "skep/limiter",
        Version(1, 2, 0),
        subject.digest,
    )


PUBLISHER: dict[str, Any] = {
    "schema": "skep.publisher/v1",
    "name": "skep",
    "keys": [{"fingerprint": "SHA256:00", "pem": "-----BEGIN"}],
}


def test_a_publishers_keys_come_as_they_are(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(client, monkeypatch, PUBLISHER | {"of a later version": True})
    assert client.publisher("skep").keys == (OfferedKey("SHA256:00", "-----BEGIN"),)


def test_1_an_answer_about_a_publisher_is_bounded(
    registry: FakeRegistry, client: MarketplaceClient
) -> None:
    registry.faults["/publishers/"] = Fault.HUGE
    with pytest.raises(MalformedAnswer, match="262144"):
        client.publisher("skep")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PUBLISHER | {"name": "acme"}, id="2-another-publisher"),
        pytest.param(PUBLISHER | {"name": None}, id="2-no-name"),
        pytest.param(PUBLISHER | {"keys": []}, id="3-no-keys"),
        pytest.param(PUBLISHER | {"keys": PUBLISHER["keys"] * 65}, id="3-many-keys"),
        pytest.param(PUBLISHER | {"keys": {"a": 1}}, id="3-no-list"),
        pytest.param(PUBLISHER | {"keys": ["x"]}, id="3-no-table"),
        pytest.param(PUBLISHER | {"keys": [{"fingerprint": "x"}]}, id="3-no-pem"),
        pytest.param(
            PUBLISHER | {"keys": [{"fingerprint": "x", "pem": "x" * 5000}]}, id="3-large-pem"
        ),
        pytest.param(b"<html>", id="no-json"),
    ],
)
def test_an_answer_that_is_no_publisher_is_malformed(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch, body: object
) -> None:
    answering(client, monkeypatch, body)
    with pytest.raises(MalformedAnswer):
        client.publisher("skep")


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a?b"])
def test_odd_publishers_are_not_asked_for(
    registry: FakeRegistry, client: MarketplaceClient, name: str
) -> None:
    with pytest.raises(UsageError):
        client.publisher(name)
    assert registry.requests == []


def test_the_newest_version_is_decided_here(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [
        LISTING | {"version": text, "digest": str(Digest.of(text.encode()))}
        for text in ("2.0.0-rc.1", "1.9.0", "1.10.0")
    ]
    answering(client, monkeypatch, {"package": "skep/limiter", "versions": versions})
    listing = client.show("skep", "limiter")
    newest = listing.meant(None, None)
    assert newest is not None
    assert newest.version == Version(1, 10, 0)
    digest = Digest.of(b"1.9.0")
    assert [
        str(one.version) if one else None
        for one in (
            listing.meant(Version(2, 0, 0, "rc.1"), None),
            listing.meant(None, digest),
            listing.meant(Version(1, 10, 0), digest),
        )
    ] == ["2.0.0-rc.1", "1.9.0", None]


def test_words_to_search_for_are_quoted(registry: FakeRegistry, client: MarketplaceClient) -> None:
    assert client.search("a&limit=1000#/../ é") == ()
    assert registry.requests == [("GET", "/api/v1/search")]


def test_no_such_package_is_not_found(client: MarketplaceClient) -> None:
    with pytest.raises(MarketplaceNotFound, match="there is no package skep/nothing"):
        client.show("skep", "nothing")


@pytest.mark.parametrize(("publisher", "name"), [("..", "x"), ("skep", "x/y"), ("", "x")])
def test_odd_names_are_not_asked_for(
    client: MarketplaceClient, publisher: str, name: str, registry: FakeRegistry
) -> None:
    with pytest.raises(UsageError):
        client.show(publisher, name)
    with pytest.raises(UsageError):
        client.publish(publisher, name, Digest.of(b"x"))
    assert registry.requests == []


def test_texts_of_a_listing_are_printable(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = "\x1b[31m"
    hit = LISTING | {"summary": bad, "label": {bad: [bad]}, "verdict": {"x": bad}}
    answering(client, monkeypatch, {"packages": [hit]})
    (found,) = client.search("x")
    shown = f"{found.summary}{dict(found.label)}{dict(found.verdict)}"
    assert "\x1b" not in shown
    assert "\\x1b" not in shown


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="html"),
        pytest.param([], id="list"),
        pytest.param({}, id="nothing"),
        pytest.param({"packages": {}}, id="table"),
        pytest.param({"packages": [1]}, id="number"),
        pytest.param({"packages": [LISTING | {"package": "../x"}]}, id="odd-name"),
        pytest.param({"packages": [LISTING | {"version": "latest"}]}, id="no-version"),
        pytest.param({"packages": [LISTING | {"digest": "sha256:"}]}, id="no-digest"),
        pytest.param({"packages": [LISTING | {"label": "x"}]}, id="label-text"),
        pytest.param({"packages": [LISTING] * 101}, id="too-many"),
    ],
)
def test_a_malformed_answer_to_a_search_is_refused(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch, body: object
) -> None:
    answering(client, monkeypatch, body)
    with pytest.raises(MalformedAnswer):
        client.search("x")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"package": "skep/other", "versions": [LISTING]}, id="another-package"),
        pytest.param({"package": "skep/limiter", "versions": []}, id="no-versions"),
    ],
)
def test_a_listing_of_something_else_is_refused(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch, body: object
) -> None:
    answering(client, monkeypatch, body)
    with pytest.raises(MalformedAnswer):
        client.show("skep", "limiter")


@pytest.mark.parametrize(
    "change", [{"package": "skep/other"}, {"digest": str(Digest.of(b"other"))}, {"version": 1}]
)
def test_a_receipt_for_something_else_is_refused(
    client: MarketplaceClient, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    answering(client, monkeypatch, LISTING | change, 201)
    with pytest.raises(MalformedAnswer):
        client.publish("skep", "limiter", Digest.of(b"x"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.SERVER_ERROR, MarketplaceUnavailable),
        (Fault.HANGING, MarketplaceUnavailable),
        (Fault.HUGE, MalformedAnswer),
    ],
)
def test_a_misbehaving_marketplace_is_told(
    registry: FakeRegistry, client: MarketplaceClient, fault: Fault, error: type[SkepError]
) -> None:
    registry.faults["/api/"] = fault
    with pytest.raises(error):
        client.search("x")
