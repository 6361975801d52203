import json
from typing import Any

import pytest
from tests.builders.packages import BUNDLE_DATA, package, put_package
from tests.fakes.registry import FakeRegistry, Fault

from skep.digests import Digest
from skep.errors import SkepError, UsageError
from skep.packages.client import transport
from skep.packages.client.bundles import store_bundle
from skep.packages.client.content_store import ContentStore
from skep.packages.client.errors import (
    MalformedAnswer,
    MarketplaceNotFound,
    MarketplaceUnavailable,
)
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.pushing import push
from skep.packages.client.transport import Answer
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

    def request(*_: object, **__: object) -> Answer:
        return Answer("http://m/x", status, {}, data)

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


def test_words_to_search_for_are_quoted(registry: FakeRegistry, client: MarketplaceClient) -> None:
    assert client.search("a&limit=1000#/../ é") == []
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
