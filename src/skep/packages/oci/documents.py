"""JSON documents of strangers, read strictly, and our own, written canonically.

Two parsers that understand one document differently are how a signed document comes to mean
something else; so whatever JSON leaves open is refused here. Checks, in this order:

1. size, before anything is parsed;
2. UTF-8, without byte order mark;
3. nesting, before Python's recursive parser sees it;
4. doubled keys (the last wins here, the first elsewhere);
5. numbers JSON does not have, or no computer does: NaN, infinities, thousands of digits;
6. lone surrogates, which cannot be written back as UTF-8.
"""

import json
import math
import re
from typing import NoReturn

from skep.errors import Malformed

LARGEST_DOCUMENT = 4 * 1024 * 1024  # bytes; what the OCI specification asks registries to accept
DEEPEST = 32

# Strings first, so that brackets inside of them do not count. An unterminated string swallows
# the rest, which is fine: the parser refuses it afterwards.
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


class MalformedDocument(Malformed):
    """A JSON or OCI document is not what its specification demands."""


def _check_depth(data: bytes, what: str) -> None:
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(data):
        first = data[match.start()]
        if first in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise MalformedDocument(
                    f"{what}: expected at most {DEEPEST} levels of nesting, got more"
                )
        elif first in b"]}":
            depth -= 1


def parse_json(data: bytes, what: str, largest: int = LARGEST_DOCUMENT) -> object:
    """Parse a JSON document; ``what`` names it in messages.

    Raises:
        MalformedDocument: see the checks of this module.
    """
    # (1)
    if len(data) > largest:
        raise MalformedDocument(f"{what}: expected at most {largest} bytes, got {len(data)}")
    # (2)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedDocument(f"{what}: not UTF-8 at byte {error.start}") from error
    # (3)
    _check_depth(data, what)

    # (4)
    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        table = dict(items)
        if len(table) != len(items):
            seen: set[str] = set()
            doubled = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # that add() gives None is the point
            raise MalformedDocument(f"{what}: the key {doubled[:64]!r} is there twice")
        return table

    # (5)
    def constant(name: str) -> NoReturn:
        raise MalformedDocument(f"{what}: {name} is no JSON number")

    def real(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise MalformedDocument(f"{what}: a number is out of range")
        return value

    def integer(digits: str) -> int:
        if len(digits) > 40:
            raise MalformedDocument(f"{what}: a number is out of range")
        return int(digits)

    try:
        document: object = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_float=real,
            parse_int=integer,
        )
    except MalformedDocument:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedDocument(f"{what}: not JSON: {str(error)[:160]}") from error
    # (6) Surrogates can only come from escapes, as UTF-8 has none.
    if "\\u" in text:
        try:
            canonical_json(document)
        except UnicodeEncodeError as error:
            raise MalformedDocument(f"{what}: a string holds half a surrogate pair") from error
    return document


def parse_table(data: bytes, what: str, largest: int = LARGEST_DOCUMENT) -> dict[str, object]:
    """Parse a JSON document that must be an object.

    Raises:
        MalformedDocument: see the checks of this module.
    """
    document = parse_json(data, what, largest)
    if not isinstance(document, dict):
        raise MalformedDocument(f"{what}: expected a JSON object")
    return document


def canonical_json(document: object) -> bytes:
    r"""The one way Skep writes a document: sorted keys, no white space, UTF-8.

    >>> canonical_json({"b": [1, "é"], "a": None})
    b'{"a":null,"b":[1,"\xc3\xa9"]}'

    Raises:
        ValueError: for numbers JSON does not have.
    """
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
