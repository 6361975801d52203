"""Each document is written and read in one file; what an older or newer side says is read, too."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.builders.documented import assert_documented

from skep.digests import Digest, MalformedDigest
from skep.json_documents import MalformedDocument, canonical_json, parse_json
from skep.packages.fields import Fields
from skep.packages.oci.tag_list import TagList, read_tag_list
from skep.packages.wire.error_answer import ErrorAnswer, read_error_answer
from skep.packages.wire.health import health_document
from skep.packages.wire.package_listing import PackageListing, read_package_listing
from skep.packages.wire.publish_request import PublishRequest, read_publish_request
from skep.packages.wire.publisher_listing import (
    OfferedKey,
    PublisherListing,
    read_publisher_listing,
)
from skep.packages.wire.receipt import Receipt, read_receipt
from skep.packages.wire.search_answer import SearchAnswer, read_search_answer
from skep.packages.wire.version_listing import VersionListing
from skep.versions import Version

NAME = "skep/limiter"
DIGEST = Digest.of(b"manifest")
VERDICT = {"schema": "skep.verdict/v1", "outcome": "accepted", "rules": [], "findings": []}
VERSION = VersionListing(
    package=NAME,
    version=Version(1, 2, 0),
    digest=DIGEST,
    published_at="2026-11-30T12:00:00Z",
    summary="Limits",
    licence="MIT",
    signed_by="SHA256:00",
    label={"schema": "skep.label/v1", "permissions": []},
    verdict=VERDICT,
)
KEY = OfferedKey("SHA256:00", "-----BEGIN PUBLIC KEY-----")
Reader = Callable[[Fields], Any]

DOCUMENTS = [
    pytest.param(SearchAnswer((VERSION,)), read_search_answer, "search", id="search"),
    pytest.param(
        PackageListing(NAME, (VERSION,)),
        lambda fields: read_package_listing(fields, NAME),
        "package",
        id="package",
    ),
    pytest.param(
        PublisherListing("skep", (KEY,)),
        lambda fields: read_publisher_listing(fields, "skep"),
        "publisher",
        id="publisher",
    ),
    pytest.param(
        Receipt(NAME, Version(1, 2, 0), DIGEST, "2026-11-30T12:00:00Z", VERDICT),
        read_receipt,
        "receipt",
        id="receipt",
    ),
]


def parsed(document: object) -> Fields:
    return Fields(parse_json(canonical_json(document), "answer"))


@pytest.mark.parametrize(("value", "read", "former"), DOCUMENTS)
def test_what_is_written_is_read(value: Any, read: Reader, former: str) -> None:
    fields = parsed(value.to_document())
    assert_documented(value.to_document())
    assert read(fields) == value
    assert not fields.problems


@pytest.mark.parametrize(("value", "read", "former"), DOCUMENTS)
def test_an_answer_of_an_older_marketplace_is_read(value: Any, read: Reader, former: str) -> None:
    document = value.to_document()
    del document["schema"]
    for older in (document, document | {"schema": f"skep.{former}/v1"}):
        fields = parsed(older)
        assert read(fields) == value
        assert not fields.problems


@pytest.mark.parametrize(("value", "read", "former"), DOCUMENTS)
@pytest.mark.parametrize("schema", ["skep.dev/receipt/2", "skep.dev/other/1", "", 1])
def test_another_document_is_refused(value: Any, read: Reader, former: str, schema: object) -> None:
    fields = parsed(value.to_document() | {"schema": schema})
    read(fields)
    assert fields.problems[0].startswith("schema: expected skep.dev/")


def test_what_a_newer_marketplace_adds_is_passed_on_and_is_safe_to_print() -> None:
    passed_on: list[tuple[Any, Reader | None]] = [
        (VERSION, None),
        (DOCUMENTS[3].values[0], read_receipt),
    ]
    for value, read in passed_on:
        document: dict[str, Any] = value.to_document() | {"later": ["a", "b\x1b[2J"]}
        if read is None:
            fields = parsed({"packages": [document | {"package": NAME}]})
            found: Any = read_search_answer(fields).hits[0]
        else:
            fields = parsed(document)
            found = read(fields)
        assert not fields.problems
        later = found.to_document()["later"]
        assert later[0] == "a"
        assert later[1].isprintable()


def test_a_request_is_read_with_a_schema_and_without() -> None:
    request = PublishRequest(DIGEST)
    assert_documented(parse_json(request.to_bytes(), "request"))
    assert read_publish_request(request.to_bytes()) == request
    assert read_publish_request(canonical_json({"digest": str(DIGEST)})) == request


@pytest.mark.parametrize(
    "document",
    [
        pytest.param([], id="list"),
        pytest.param({}, id="nothing"),
        pytest.param({"digest": 1}, id="number"),
        pytest.param({"schema": "skep.dev/publish-request/2", "digest": str(DIGEST)}, id="later"),
        pytest.param({"digest": "sha256:0"}, id="no-digest"),
    ],
)
def test_another_request_is_refused(document: object) -> None:
    with pytest.raises((MalformedDocument, MalformedDigest)):
        read_publish_request(canonical_json(document))


def test_errors_are_read_as_they_are_written() -> None:
    error = ErrorAnswer("NAME_UNKNOWN", "there is none", hint="search", family="not-found")
    document = error.to_document()
    assert_documented(document)
    assert_documented(health_document())
    assert "detail" not in document["errors"][0]  # type: ignore[index]  # a list, as OCI has it
    assert read_error_answer(canonical_json(document)) == error


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="html"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'{"errors": []}', id="no-errors"),
        pytest.param(b'{"errors": "x"}', id="text"),
        pytest.param(b'{"errors": [{"code": 1, "detail": {}}]}', id="no-texts"),
    ],
)
def test_an_error_answer_of_anybody_says_what_it_says(body: bytes) -> None:
    assert read_error_answer(body) == ErrorAnswer()


def test_tag_lists_are_read_as_they_are_written() -> None:
    tags = TagList(NAME, ("1.0.0", "1.2.0"))
    assert read_tag_list(parsed(tags.to_document()), NAME) == tags
    assert read_tag_list(parsed({"name": NAME, "tags": None}), NAME) == TagList(NAME, ())
