"""BTF.ext records as facts about slots of functions."""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

from skep.bytecode.btf.extension import Extension, Group
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.isa.instructions import SLOT_BYTES
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.functions import CodeMap
from skep.bytecode.objectfile.model import CoreRelocation, SourceLine
from skep.bytecode.objectfile.references import CodePlace

_MOST_CORE_RECORDS = 200_000  # the largest object seen has 4,282
_HIGHEST_CORE_KIND = 12


def read_type_ids(
    extension: Extension, types: TypeTable, sections: Mapping[str, int]
) -> dict[CodePlace, int]:
    """BTF types of functions, by the place where they begin.

    Args:
        sections: numbers of code sections by name; records of others are left out.
    """
    word = "<" if types.byteorder == "little" else ">"
    return {
        CodePlace(sections[group.section], place // SLOT_BYTES): type_id
        for group in extension.functions
        if group.section in sections
        for place, type_id in group.decode(f"{word}II")
        if type_id < len(types)
    }


def read_core_relocations(
    extension: Extension, types: TypeTable, sections: Mapping[str, int], functions: CodeMap
) -> tuple[CoreRelocation, ...]:
    """CO-RE records, in order of the file.

    Raises:
        MalformedObject: for a record outside the code or of an unknown kind; leaving one out
            would leave an offset of some other kernel in the program.
    """
    word = "<" if types.byteorder == "little" else ">"
    found: list[CoreRelocation] = []
    for group in extension.core:
        if group.section not in sections:
            raise MalformedObject(f"expected CO-RE records of code, got {group.section!r}")
        number = sections[group.section]
        if len(found) + len(group.records) // group.stride > _MOST_CORE_RECORDS:
            raise MalformedObject(f"expected at most {_MOST_CORE_RECORDS} CO-RE records")
        for place, type_id, access, kind in group.decode(f"{word}IIII"):
            where = functions.locate(number, place // SLOT_BYTES)
            if where is None or place % SLOT_BYTES or kind > _HIGHEST_CORE_KIND:
                raise MalformedObject(
                    f"expected CO-RE records of kind 0 to {_HIGHEST_CORE_KIND} at instructions of "
                    f"{group.section!r}, got kind {kind} at byte {place}"
                )
            name, slot = where
            root = types.type(type_id).name
            found.append(CoreRelocation(name, slot, type_id, root, types.string(access), kind))
    return tuple(found)


class SourceLines(Sequence[SourceLine]):
    """Line information, decoded when first looked at: most readers of an object never do.

    Records that lie outside the code are left out, and text that cannot be printed is replaced:
    it is for people, and it must not fail after the object was accepted.
    """

    __slots__ = (
        "_by_section",
        "_decoded",
        "_functions",
        "_groups",
        "_groups_of",
        "_sections",
        "_texts",
        "_types",
    )

    def __init__(
        self,
        groups: tuple[Group, ...],
        types: TypeTable,
        sections: Mapping[str, int],
        functions: CodeMap,
    ) -> None:
        self._groups = groups
        self._types = types
        self._sections = sections
        self._functions = functions
        self._decoded: tuple[SourceLine, ...] | None = None
        self._by_section: dict[int, _Ordered] = {}
        self._groups_of: dict[int, list[Group]] | None = None
        self._texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._lines())

    @overload
    def __getitem__(self, index: int) -> SourceLine: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[SourceLine, ...]: ...

    def __getitem__(self, index: int | slice) -> SourceLine | tuple[SourceLine, ...]:
        return self._lines()[index]

    def __iter__(self) -> Iterator[SourceLine]:
        return iter(self._lines())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return self._lines() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._lines())

    def __repr__(self) -> str:
        return f"SourceLines({self._lines()!r})"

    def _lines(self) -> tuple[SourceLine, ...]:
        if self._decoded is None:
            self._decoded = tuple(self._decode())
        return self._decoded

    def records(self) -> Iterator[tuple[str, int, int, int, int]]:
        """Function, slot, offset of the file's name and of the text, line * 1024 + column."""
        word = "<" if self._types.byteorder == "little" else ">"
        for group in self._groups:
            number = self._sections.get(group.section)
            if number is None:
                continue
            for place, file, text, packed in group.decode(f"{word}IIII"):
                where = self._functions.locate(number, place // SLOT_BYTES)
                if where is not None:
                    yield *where, file, text, packed

    def at(self, function: str, slot: int) -> SourceLine | None:
        """The line a slot of ``function`` is from: the last that begins at or before it.

        Only that line is decoded.
        """
        place = self._functions.places.get(function)
        if place is None:
            return None
        records = self._ordered(place.section)
        position = bisect_right(records.places, SLOT_BYTES * (place.slot + slot + 1) - 1) - 1
        if position < 0:
            return None
        byte, file, text, packed = records.decode(position)
        where = self._functions.locate(place.section, byte // SLOT_BYTES)
        if where is None or where[0] != function:
            return None
        return self._line(*where, file, text, packed)

    def _ordered(self, section: int) -> "_Ordered":
        found = self._by_section.get(section)
        if found is None:
            word = "<" if self._types.byteorder == "little" else ">"
            found = self._by_section[section] = _Ordered(self._own(section), word)
        return found

    def _own(self, section: int) -> list[Group]:
        if self._groups_of is None:
            self._groups_of = {}
            for group in self._groups:
                number = self._sections.get(group.section, -1)
                self._groups_of.setdefault(number, []).append(group)
        return self._groups_of.get(section, [])

    def _decode(self) -> Iterator[SourceLine]:
        for record in self.records():
            yield self._line(*record)

    def _line(self, function: str, slot: int, file: int, text: int, packed: int) -> SourceLine:
        line, column = packed >> 10, packed & 1023
        return SourceLine(function, slot, self._text(file), line, column, self._text(text))

    def _text(self, offset: int) -> str:
        found = self._texts.get(offset)
        if found is None:
            found = self._texts[offset] = _printable(self._types, offset)
        return found


def line_at(lines: Sequence[SourceLine], function: str, slot: int) -> SourceLine | None:
    """The line a slot of a function is from: the last that begins at or before it."""
    if isinstance(lines, SourceLines):
        return lines.at(function, slot)
    own = [line for line in lines if line.function == function and line.slot <= slot]
    return max(reversed(own), key=lambda line: line.slot, default=None)


class _Ordered:
    """Line records of a section by byte; those of one byte stay in the order of the file."""

    __slots__ = ("_layout", "_order", "_records", "_stride", "places")

    def __init__(self, groups: Sequence[Group], word: str) -> None:
        self._layout = f"{word}IIII"
        self._stride = groups[0].stride if groups else 0  # one for all records of a kind
        self._records = b"".join(group.records for group in groups)
        self.places = [place for group in groups for (place,) in group.decode(f"{word}I")]
        self._order: Sequence[int] = range(len(self.places))
        in_order = sorted(self.places)
        if in_order != self.places:
            self._order = sorted(self._order, key=self.places.__getitem__)
            self.places = in_order

    def decode(self, position: int) -> tuple[int, int, int, int]:
        """The record at a position of ``places``."""
        start = self._stride * self._order[position]
        byte, file, text, packed = struct.unpack_from(self._layout, self._records, start)
        return byte, file, text, packed


def _printable(types: TypeTable, offset: int) -> str:
    text = types.text(offset).replace("\t", " ")
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\ufffd"
        for character in text
    )
