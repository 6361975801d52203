"""JSON from outside, read strictly: bounded, UTF-8, no key twice.

Two readers that disagree about a document are an attack: one checks the first of two equal keys,
the other uses the second. RFC 8259 leaves the choice open, so such documents are refused.
"""

import base64
import binascii
import json

from skep.errors import Malformed

_DEPTH_LIMIT = 32  # a bundle with its statement is 5 deep


class MalformedDocument(Malformed):
    """Bytes are not strict JSON of the expected shape."""


def parse_object(data: bytes, limit_bytes: int, what: str) -> dict[str, object]:
    """Read one JSON object.

    Args:
        data: as received.
        limit_bytes: refuse anything longer before looking at it.
        what: the document's name in messages, with its article.

    Raises:
        MalformedDocument: too long, not UTF-8, not JSON, not an object, nested deeper than 32, a
            key twice, or a number that JSON does not have.
    """
    if len(data) > limit_bytes:
        raise MalformedDocument(
            f"expected {what} of at most {limit_bytes} bytes, got {len(data)} bytes"
        )
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except MalformedDocument as error:
        raise MalformedDocument(f"expected {what}: {error.message}") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise MalformedDocument(f"expected {what} in JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise MalformedDocument(f"expected {what} as a JSON object, got {type(value).__name__}")
    if _deeper_than(value, _DEPTH_LIMIT):
        raise MalformedDocument(f"expected {what} nested at most {_DEPTH_LIMIT} deep")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document: dict[str, object] = {}
    for key, value in pairs:
        if key in document:
            raise MalformedDocument(f"the key {key[:64]!r} is there twice")
        document[key] = value
    return document


def _no_constant(text: str) -> object:
    raise MalformedDocument(f"{text} is not a JSON number")


def _deeper_than(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def member_object(document: dict[str, object], key: str, what: str) -> dict[str, object]:
    """The object at ``key``.

    Raises:
        MalformedDocument: missing, or not an object.
    """
    value = document.get(key)
    if not isinstance(value, dict):
        raise MalformedDocument(f"expected an object at {key!r} in {what}, got {_kind(value)}")
    return value


def member_list(document: dict[str, object], key: str, what: str) -> list[object]:
    """The list at ``key``.

    Raises:
        MalformedDocument: missing, or not a list.
    """
    value = document.get(key)
    if not isinstance(value, list):
        raise MalformedDocument(f"expected a list at {key!r} in {what}, got {_kind(value)}")
    return value


def member_text(document: dict[str, object], key: str, what: str) -> str:
    """The string at ``key``.

    Raises:
        MalformedDocument: missing, or not a string.
    """
    value = document.get(key)
    if not isinstance(value, str):
        raise MalformedDocument(f"expected a string at {key!r} in {what}, got {_kind(value)}")
    return value


def member_bytes(document: dict[str, object], key: str, what: str) -> bytes:
    """The bytes written as standard base64 with padding at ``key``.

    Raises:
        MalformedDocument: missing, not a string, or other characters.
    """
    try:
        return base64.b64decode(member_text(document, key, what), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedDocument(f"expected base64 at {key!r} in {what}") from error


def _kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__
