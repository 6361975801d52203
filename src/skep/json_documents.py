"""Strict reading of untrusted JSON, and canonical writing of our own.

Everything Skep reads as JSON is read here: what registries and marketplaces answer, bundles and
statements, reports, and what a node or a marketplace kept itself, as a disk may be damaged too.

Two parsers that understand one document differently are how a signed document comes to mean
something else; RFC 8259 leaves such choices open, so whatever it leaves open is refused. Checks,
in this order:

1. size, before anything is parsed;
2. UTF-8, without byte order mark;
3. nesting, before Python's recursive parser sees it;
4. doubled keys (the last wins here, the first elsewhere);
5. numbers JSON does not have, or other readers do not: NaN, infinities, integers of more than 64
   bits;
6. lone surrogates, which cannot be written back as UTF-8.

Source: https://www.rfc-editor.org/rfc/rfc8259
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from skep.errors import Malformed

LARGEST_DOCUMENT = 4 * 1024 * 1024  # bytes; what the OCI specification asks registries to accept
DEEPEST = 32
INTEGERS = range(-(1 << 63), 1 << 64)

# Strings first, so that brackets inside of them do not count. An unterminated string swallows
# the rest, which is fine: the parser refuses it afterwards.
_STRINGS_AND_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_LONGEST_INTEGER = len(str(INTEGERS.start))

_T = TypeVar("_T")


class MalformedDocument(Malformed):
    """A JSON document is not JSON, not strict, or not what its schema or specification demands."""


def parse_json(data: bytes | str, what: str, largest: int = LARGEST_DOCUMENT) -> object:
    """Parse a JSON document.

    Args:
        data: as received; text is what a database gives.
        what: names the document in messages.
        largest: bytes.

    Raises:
        MalformedDocument: see the checks of this module; says where in the document.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
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
    wrong: list[_Wrong] = []

    def refuse(reason: str) -> "_Wrong":
        found = _Wrong(reason)
        wrong.append(found)
        return found

    # (4)
    def table(pairs: list[tuple[str, object]]) -> object:
        found = dict(pairs)
        return found if len(found) == len(pairs) else refuse(_doubled(pairs))

    # (5)
    def constant(name: str) -> object:
        return refuse(f"{name} is no JSON number")

    def real(digits: str) -> object:
        value = float(digits)
        return value if math.isfinite(value) else refuse("a number is out of range")

    def integer(digits: str) -> object:
        if len(digits) <= _LONGEST_INTEGER and int(digits) in INTEGERS:
            return int(digits)
        return refuse("a whole number of more than 64 bits")

    try:
        document: object = json.loads(
            text,
            object_pairs_hook=table,
            parse_constant=constant,
            parse_float=real,
            parse_int=integer,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedDocument(f"{what}: not JSON: {str(error)[:160]}") from error
    # (6) Surrogates can only come from escapes, as UTF-8 has none.
    if wrong or ("\\u" in text and not _is_writable(document)):
        place, reason = next(_wrong_places(document, ""))
        raise MalformedDocument(": ".join(filter(None, (what, place, reason))))
    return document


def parse_table(data: bytes | str, what: str, largest: int = LARGEST_DOCUMENT) -> dict[str, object]:
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


def schema_id(name: str, version: int = 1) -> str:
    """The value of the field ``schema``: which document it is, and of which version.

    The version grows when a reader of the old one would misunderstand the new one. A field that is
    added is no new version: readers keep or ignore what they do not know.

    >>> schema_id("receipt")
    'skep.dev/receipt/1'
    """
    return f"skep.dev/{name}/{version}"


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value of a document and where it is, read as what it must be.

    The first thing that is wrong ends the reading; where all problems are told together, see
    :class:`skep.packages.fields.Fields`. Every method raises :class:`MalformedDocument` if the
    value is something else.

    >>> JsonValue({"a": [1, "x"]}, "reply")["a"].items()[1].number()
    Traceback (most recent call last):
    skep.json_documents.MalformedDocument: reply: a[1]: expected a whole number, got 'x'

    Attributes:
        value: as parsed.
        what: names the document.
        place: of the value in it; empty for the document itself.
    """

    value: object
    what: str
    place: str = ""

    def __getitem__(self, name: str) -> "JsonValue":
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        if name not in self.value:
            raise self._problem(f"{name} is missing")
        return JsonValue(self.value[name], self.what, _member(self.place, name))

    def __contains__(self, name: str) -> bool:
        return isinstance(self.value, dict) and name in self.value

    def table(self) -> "Mapping[str, JsonValue]":
        """The values of an object by name."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return {
            name: JsonValue(value, self.what, _member(self.place, name))
            for name, value in self.value.items()
        }

    def items(self) -> "tuple[JsonValue, ...]":
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self.wrong("a list")
        return tuple(
            JsonValue(item, self.what, f"{self.place}[{number}]")
            for number, item in enumerate(self.value)
        )

    def each(self, read: "Callable[[JsonValue], _T]") -> tuple[_T, ...]:
        """The values of a list, each read."""
        return tuple(read(item) for item in self.items())

    def row(self, length: int) -> "tuple[JsonValue, ...]":
        """The values of a list of that length."""
        items = self.items()
        if len(items) != length:
            raise self.wrong(f"{length} values")
        return items

    def optional(self, read: "Callable[[JsonValue], _T]") -> _T | None:
        """The value read, ``None`` for null."""
        return None if self.value is None else read(self)

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.wrong("text")
        return self.value

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def number(self, most: int = INTEGERS.stop - 1) -> int:
        """A whole number from 0 to ``most``."""
        # For Python true and false are numbers, too.
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.wrong("a whole number")
        if not 0 <= self.value <= most:
            raise self.wrong(f"a number from 0 to {most}")
        return self.value

    def octets(self) -> bytes:
        """Bytes in standard base64 with padding, in the one spelling they have."""
        text = self.text()
        try:
            found = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.wrong("base64") from error
        if base64_text(found) != text:  # bits beyond the last byte
            raise self.wrong("base64")
        return found

    def wrong(self, expected: str) -> MalformedDocument:
        """The error that says what was expected here, and what came."""
        return self._problem(f"expected {expected}, got {repr(self.value)[:80]}")

    def _problem(self, problem: str) -> MalformedDocument:
        return MalformedDocument(": ".join(filter(None, (self.what, self.place, problem))))


def base64_text(data: bytes) -> str:
    """Bytes as a document holds them.

    >>> base64_text(b"hi")
    'aGk='
    """
    return base64.b64encode(data).decode("ascii")


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Stands for a value that is refused until its place is known."""

    reason: str


def _check_depth(data: bytes, what: str) -> None:
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return  # as nearly every document: too few to be nested deeper
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


def _doubled(pairs: list[tuple[str, object]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return f"the key {name[:64]!r} is there twice"
        seen.add(name)
    return "a key is there twice"


def _is_writable(document: object) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong_places(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Where something refused is, and why, in the order of the document."""
    if isinstance(value, _Wrong):
        yield place, value.reason
    elif isinstance(value, str) and not _is_writable(value):
        yield place, "a string holds half a surrogate pair"
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not _is_writable(name):
                yield place, "a key holds half a surrogate pair"
            yield from _wrong_places(inner, _member(place, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _wrong_places(inner, f"{place}[{number}]")


def _member(place: str, name: str) -> str:
    shown = name if _PLAIN_NAME.fullmatch(name) else f"[{name[:64]!a}]"
    return f"{place}.{shown}" if place and shown == name else place + shown
