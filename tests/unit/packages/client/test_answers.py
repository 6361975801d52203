import json

import pytest

from skep.errors import (
    FAMILIES,
    Conflict,
    Malformed,
    NotFound,
    NotPermitted,
    Refused,
    SkepError,
    Unavailable,
    Unsupported,
    Untrusted,
    UsageError,
)
from skep.packages.client.answers import expect, failure
from skep.packages.client.errors import MalformedAnswer
from skep.packages.client.transport import HttpAnswer


def answer(status: int, code: str = "", **more: object) -> HttpAnswer:
    error = {"code": code, "message": "no"} | more
    return HttpAnswer("http://m/x", status, {}, json.dumps({"errors": [error]}).encode())


@pytest.mark.parametrize(
    ("status", "family"),
    [
        (400, UsageError),
        (401, NotPermitted),
        (403, Untrusted),
        (404, NotFound),
        (405, Unsupported),
        (409, Conflict),
        (413, Refused),
        (422, Refused),
        (429, Unavailable),
        (500, Unavailable),
        (501, Unsupported),
        (502, Unavailable),
        (503, Unavailable),
        (418, Unavailable),
    ],
)
def test_a_status_has_its_family(status: int, family: type[SkepError]) -> None:
    assert isinstance(failure(HttpAnswer("http://m/x", status, {}, b"")), family)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"internal"}))
def test_a_family_that_is_named_counts_more_than_the_status(family: str) -> None:
    assert failure(answer(400, "X", family=family)).family == family
    assert failure(answer(400, family.upper().replace("-", "_"))).family == family


@pytest.mark.parametrize(
    ("status", "code", "family"),
    [
        (403, "DENIED", NotPermitted),
        (400, "DIGEST_INVALID", Malformed),
        (404, "BLOB_UNKNOWN", NotFound),
        (500, "INTERNAL", Unavailable),
    ],
)
def test_codes_of_the_specification_are_understood(
    status: int, code: str, family: type[SkepError]
) -> None:
    assert isinstance(failure(answer(status, code)), family)


def test_too_many_requests_are_no_problem_of_the_marketplaces() -> None:
    error = failure(HttpAnswer("http://m", 429, {}, b""))
    assert error.message == "http://m: too many requests (HTTP 429)"
    assert error.hint == "try again later"


def test_message_hint_and_detail_are_told() -> None:
    error = failure(answer(422, "REFUSED", hint="sign it", detail="rule-a: x\nrule-b: y"))
    assert (error.message, error.hint) == ("http://m/x: no", "sign it")
    assert error.detail == "rule-a: x\nrule-b: y"


def test_words_of_the_server_reach_no_terminal_with_control_characters() -> None:
    bad = "\x1b[2J\x9b\u202e"
    error = failure(answer(404, bad, message=bad + "gone", hint=bad, detail=bad + "\nline"))
    assert all(text.replace("\n", "").isprintable() for text in (error.message, error.detail))
    assert error.hint.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"errors": 1}',
        b'{"errors": [1]}',
        b'{"errors": []}',
        b'{"errors": [{"code": 1, "message": [], "detail": {}, "hint": 3}]}',
        b"[" * 50_000,
    ],
)
def test_any_error_body_gives_an_error(body: bytes) -> None:
    error = failure(HttpAnswer("http://m/x", 404, {}, body))
    assert isinstance(error, NotFound)
    assert "404" in error.message


def test_a_success_that_was_not_expected_is_malformed() -> None:
    with pytest.raises(MalformedAnswer):
        expect(HttpAnswer("http://m/x", 204, {}, b""), {200})
