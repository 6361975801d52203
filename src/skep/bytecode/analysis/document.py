"""Frozen dataclasses to JSON-able documents and back.

A report travels: it is written by one version of Skep and read, shown and compared by others. So
fields a reader does not know are kept beside the ones it knows, at every level, and written back
unchanged. What is known is checked strictly: reports come from marketplaces, which may lie.

Rules against hostile documents, beside those of :mod:`skep.json_documents`, which a document that
was never bytes has not met:

1. Depth is capped, for known and for unknown fields.
2. The number of values in a document is capped.
3. Only what JSON has is accepted; integers must fit into 64 bits (other readers have no more),
   numbers with a fraction are refused: no field of ours has one, and they do not round-trip.
4. Text must be encodable, so that writing it cannot fail.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import NoneType, UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from skep.bytecode.analysis.errors import MalformedReport
from skep.json_documents import DEEPEST, INTEGERS

_MOST_VALUES = 2_000_000

Document = dict[str, Any]
"""A JSON object, parsed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a report; subclasses add typed fields.

    Attributes:
        unknown: fields this version does not know, as they came.
    """

    unknown: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> Document:
        """The JSON-able form: every field of ours, and what was unknown."""
        document = dict(self.unknown)
        for entry in fields(self):
            if entry.name != "unknown":
                document[entry.name] = _written(getattr(self, entry.name))
        return document

    @classmethod
    def from_document(cls, document: object) -> Self:
        """Read what :meth:`to_document` wrote, here or in another version.

        Raises:
            MalformedReport: naming the first field that is wrong.
        """
        budget = [_MOST_VALUES]
        part = _read_part(cls, document, cls.__name__, 0, budget)
        assert isinstance(part, cls)  # noqa: S101 - for the type checker: _read_part builds a cls
        return part


def _written(value: object) -> object:
    if isinstance(value, Part):
        return value.to_document()
    if isinstance(value, tuple):
        return [_written(element) for element in value]
    return value


def _read_part(
    cls: type[Part], document: object, where: str, depth: int, budget: list[int]
) -> Part:
    _spend(budget, where, depth)
    if not isinstance(document, Mapping):
        raise MalformedReport(f"{where}: expected an object, got {_shown(document)}")
    values: dict[str, Any] = {}
    known = _readers(cls)
    for name, (reader, entry) in known.items():
        if name in document:
            values[name] = reader(document[name], f"{where}.{name}", depth + 1, budget)
        elif entry.default is MISSING and entry.default_factory is MISSING:
            raise MalformedReport(f"{where}: expected a field {name!r}, there is none")
    unknown = {}
    for name, value in document.items():
        if name not in known:
            _check_text(name, where)
            unknown[name] = _checked(value, f"{where}.{name[:40]}", depth + 1, budget)
    return cls(**values, unknown=unknown)


_Reader = Callable[[object, str, int, list[int]], object]


_KNOWN: dict[type[Part], Mapping[str, tuple[_Reader, Field[Any]]]] = {}


def _readers(cls: type[Part]) -> Mapping[str, tuple[_Reader, Field[Any]]]:
    known = _KNOWN.get(cls)
    if known is None:
        hints = get_type_hints(cls)
        known = _KNOWN[cls] = {
            entry.name: (_reader(hints[entry.name]), entry)
            for entry in fields(cls)
            if entry.name != "unknown"
        }
    return known


def _reader(hint: Any) -> _Reader:
    """A reader for the hints our parts use: ``str``, ``int``, ``bool``, parts, tuples, ``None``."""
    origin = get_origin(hint)
    if origin is tuple:
        return _tuple_reader(_reader(get_args(hint)[0]))
    if origin in {Union, UnionType}:
        (inner,) = (argument for argument in get_args(hint) if argument is not NoneType)
        return _optional_reader(_reader(inner))
    if isinstance(hint, type) and issubclass(hint, Part):
        return _part_reader(hint)
    return _scalar_reader(hint)


def _tuple_reader(element: _Reader) -> _Reader:
    def read(value: object, where: str, depth: int, budget: list[int]) -> object:
        _spend(budget, where, depth)
        if not isinstance(value, list | tuple):
            raise MalformedReport(f"{where}: expected a list, got {_shown(value)}")
        return tuple(
            element(entry, f"{where}[{index}]", depth + 1, budget)
            for index, entry in enumerate(value)
        )

    return read


def _optional_reader(inner: _Reader) -> _Reader:
    def read(value: object, where: str, depth: int, budget: list[int]) -> object:
        return None if value is None else inner(value, where, depth, budget)

    return read


def _part_reader(cls: type[Part]) -> _Reader:
    def read(value: object, where: str, depth: int, budget: list[int]) -> object:
        return _read_part(cls, value, where, depth, budget)

    return read


def _scalar_reader(kind: type) -> _Reader:
    def read(value: object, where: str, depth: int, budget: list[int]) -> object:
        # A bool is an int in Python and not in JSON.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise MalformedReport(f"{where}: expected {kind.__name__}, got {_shown(value)}")
        return _checked(value, where, depth, budget)

    return read


def _spend(budget: list[int], where: str, depth: int) -> None:
    if depth > DEEPEST:  # (1)
        raise MalformedReport(f"{where[:200]}: expected at most {DEEPEST} levels, got more")
    budget[0] -= 1
    if budget[0] < 0:  # (2)
        raise MalformedReport(f"expected at most {_MOST_VALUES} values in a report, got more")


def _check_text(text: object, where: str) -> None:
    if not isinstance(text, str):
        raise MalformedReport(f"{where}: expected text, got {_shown(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # (4)
        raise MalformedReport(f"{where}: expected text in UTF-8, got {_shown(text)}") from error


def _checked(value: object, where: str, depth: int, budget: list[int]) -> object:
    """``value`` if JSON could have carried it and will again."""
    _spend(budget, where, depth)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        _check_text(value, where)
        return value
    if isinstance(value, int):
        if value not in INTEGERS:  # (3)
            raise MalformedReport(f"{where}: expected an integer of 64 bits, got a larger one")
        return value
    if isinstance(value, Mapping):
        copy = {}
        for name, entry in value.items():
            _check_text(name, where)
            copy[name] = _checked(entry, f"{where}.{name[:40]}", depth + 1, budget)
        return copy
    if isinstance(value, list | tuple):
        return [_checked(entry, f"{where}[]", depth + 1, budget) for entry in value]
    raise MalformedReport(f"{where}: expected a JSON value, got {_shown(value)}")  # (3)


def _shown(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:60]!a}"
