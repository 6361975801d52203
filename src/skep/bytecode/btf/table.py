"""The types of a ``.BTF`` section, decoded when asked for.

Reading walks over all types once, so that every type is known to be inside the section and of a
known kind; names, members and references are decoded and checked on first use, because an object
has a thousand types and a kernel more than a hundred thousand, of which few are looked at.

Sources: Documentation/bpf/btf.rst and include/uapi/linux/btf.h of Linux 6.18.
"""

import struct
from array import array
from collections.abc import Callable, Iterator
from typing import Literal

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.types import (
    VOID,
    BtfType,
    Enumerator,
    Kind,
    Parameter,
    SectionVariable,
    StructMember,
)

MAGIC = 0xEB9F
MOST_TYPES = 1_000_000
MOST_STRING_BYTES = 16 << 20
_NAME_BYTES = 1024  # the kernel stops at 512 (KSYM_NAME_LEN); C++ and Rust names are longer

# Bytes behind the first twelve: fixed, and per element counted by ``vlen``.
_TAIL = {
    Kind.INT: (4, 0),
    Kind.ARRAY: (12, 0),
    Kind.STRUCT: (0, 12),
    Kind.UNION: (0, 12),
    Kind.ENUM: (0, 8),
    Kind.FUNC_PROTO: (0, 8),
    Kind.VAR: (4, 0),
    Kind.DATASEC: (0, 12),
    Kind.DECL_TAG: (4, 0),
    Kind.ENUM64: (0, 12),
}
_TAILS = [_TAIL.get(Kind(kind), (0, 0)) for kind in range(len(Kind))]
_SIZED = frozenset(
    {Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT, Kind.DATASEC}
)


class TypeTable:
    """All types of one ``.BTF`` section.

    Attributes:
        raw: the section, as the kernel takes it.
        byteorder: of the section.
    """

    __slots__ = ("_by_name", "_decoded", "_places", "_strings", "_word", "byteorder", "raw")

    def __init__(
        self,
        raw: bytes,
        byteorder: Literal["little", "big"],
        places: "array[int] | None" = None,
    ) -> None:
        """Walk over ``raw``; see :func:`read_btf`.

        Args:
            places: where the types begin, by id, if that is known. Types of a wrong place are
                refused when they are asked for, or are other types.
        """
        self.raw = raw
        self.byteorder: Literal["little", "big"] = byteorder
        self._word = "<" if byteorder == "little" else ">"
        self._decoded: dict[int, BtfType] = {0: VOID}
        self._by_name: dict[tuple[str, Kind], list[int]] | None = None
        types, strings = self._parts()
        self._strings = strings
        self._places = self._walk(types) if places is None else places

    @property
    def places(self) -> "array[int]":
        """Where the types begin in ``raw``, by id; that of ``void`` means nothing."""
        return self._places

    def stored(self, type_id: int) -> bytes:
        """The type as it is in ``raw``.

        Raises:
            MalformedBtf: if there is no such type.
        """
        kind = self.kind(type_id)
        if kind is Kind.VOID:
            raise MalformedBtf(f"expected the id of a stored type, got {type_id}")
        fixed, each = _TAILS[kind]
        place = self._places[type_id]
        (info,) = struct.unpack_from(f"{self._word}I", self.raw, place + 4)
        return self.raw[place : place + 12 + fixed + each * (info & 0xFFFF)]

    @property
    def stored_strings(self) -> bytes:
        """The string part."""
        return self.raw[self._strings[0] : self._strings[1]]

    def name_marks(self, mark: Callable[[bytes], int]) -> Iterator[int]:
        """``mark`` of the name * 2**32 + id of all types that have a name, in order."""
        unpack = struct.Struct(f"{self._word}I").unpack_from
        marks: dict[int, int] = {}
        for type_id in range(1, len(self._places)):
            (offset,) = unpack(self.raw, self._places[type_id])
            if offset:
                found = marks.get(offset)
                if found is None:
                    found = marks[offset] = mark(self.raw_string(offset)) << 32
                yield found | type_id

    def __len__(self) -> int:
        """Number of type ids, ``void`` included: valid ids are below it."""
        return len(self._places)

    def __iter__(self) -> Iterator[BtfType]:
        """All types but ``void``, in order."""
        return (self.type(type_id) for type_id in range(1, len(self._places)))

    def type(self, type_id: int) -> BtfType:
        """The type with that id; 0 is ``void``.

        Raises:
            MalformedBtf: if there is no such type, or its names or references are wrong.
        """
        known = self._decoded.get(type_id)
        if known is None:
            if not 0 < type_id < len(self._places):
                raise MalformedBtf(f"expected a type id below {len(self._places)}, got {type_id}")
            try:
                known = self._decode(type_id)
            except (struct.error, ValueError, IndexError) as error:  # only if places are wrong
                raise MalformedBtf(f"expected type {type_id} where it was said to be") from error
            self._decoded[type_id] = known
        return known

    def kind(self, type_id: int) -> Kind:
        """Kind of a type, without decoding it."""
        if not 0 < type_id < len(self._places):
            return self.type(type_id).kind
        try:
            (info,) = struct.unpack_from(f"{self._word}I", self.raw, self._places[type_id] + 4)
            return Kind(info >> 24 & 0x1F)
        except (struct.error, ValueError) as error:  # only if places are wrong
            raise MalformedBtf(f"expected type {type_id} where it was said to be") from error

    def find(self, name: str, kind: Kind) -> tuple[int, ...]:
        """Ids of the types with that name and kind, ascending."""
        if self._by_name is None:
            found: dict[tuple[str, Kind], list[int]] = {}
            unpack = struct.Struct(f"{self._word}II").unpack_from
            for type_id in range(1, len(self._places)):
                name_offset, info = unpack(self.raw, self._places[type_id])
                if name_offset:
                    kind_of = Kind(info >> 24 & 0x1F)
                    key = (self._named(kind_of, name_offset), kind_of)
                    found.setdefault(key, []).append(type_id)
            self._by_name = found
        return tuple(self._by_name.get((name, kind), ()))

    def _named(self, kind: Kind, offset: int) -> str:
        # The kernel asks of a declaration tag only that it is not empty (btf_decl_tag_check_meta
        # in kernel/bpf/btf.c, Linux 6.18): it may hold a whole document.
        return self.text(offset) if kind is Kind.DECL_TAG else self.string(offset)

    def string(self, offset: int) -> str:
        """The string at ``offset`` of the string part, which is a name.

        Raises:
            MalformedBtf: if it is outside, too long, or not printable.
        """
        raw = self.raw_string(offset)
        if len(raw) > _NAME_BYTES:
            raise MalformedBtf(f"expected a name of at most {_NAME_BYTES} bytes, got {len(raw)}")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise MalformedBtf(f"expected a name in UTF-8, got {raw[:80]!r}") from error
        if not text.isprintable():
            raise MalformedBtf(f"expected a printable name, got {text[:80]!r}")
        return text

    def text(self, offset: int) -> str:
        """The string at ``offset`` for people: never fails, and may hold anything."""
        if offset >= self._strings[1] - self._strings[0]:
            return ""
        return self.raw_string(offset).decode("utf-8", "replace")

    def raw_string(self, offset: int) -> bytes:
        """The bytes of the string at ``offset``, whatever they are; at most 4,096 of them."""
        start, end = self._strings
        if offset >= end - start:
            raise MalformedBtf(
                f"expected a string offset below {end - start}, got {offset}", offset=start
            )
        begin = start + offset
        stop = self.raw.find(0, begin, min(end, begin + 4096))
        if stop == -1:
            stop = min(end, begin + 4096)
        return self.raw[begin:stop]

    def _parts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        raw = self.raw
        if len(raw) < 24:
            raise MalformedBtf(f"expected a header of 24 bytes, got {len(raw)} bytes")
        magic, version, _flags, header, type_off, type_len, str_off, str_len = struct.unpack_from(
            f"{self._word}HBBIIIII", raw
        )
        if magic != MAGIC:
            raise MalformedBtf(
                f"expected magic 0x{MAGIC:x} in {self.byteorder}-endian order, got 0x{magic:x}",
                offset=0,
            )
        if version != 1:
            raise MalformedBtf(f"expected BTF version 1, got {version}", offset=2)
        if not 24 <= header <= len(raw):
            raise MalformedBtf(f"expected a header of 24 bytes or more, got {header}", offset=4)
        types = (header + type_off, header + type_off + type_len)
        strings = (header + str_off, header + str_off + str_len)
        for start, end in (types, strings):
            if end > len(raw):
                raise MalformedBtf(
                    f"expected {start}..{end} inside the section, which has {len(raw)} bytes",
                    offset=8,
                )
        if str_len > MOST_STRING_BYTES or (str_len and raw[strings[1] - 1]):
            raise MalformedBtf("expected strings of at most 16 MB that end in NUL", offset=16)
        return types, strings

    def _walk(self, types: tuple[int, int]) -> "array[int]":
        place, end = types
        raw = self.raw
        unpack = struct.Struct(f"{self._word}I").unpack_from
        places = array("I", [0])
        append = places.append
        kinds = len(_TAILS)
        while place < end:
            if place + 12 > end:
                raise MalformedBtf("expected twelve bytes of a type", offset=place)
            (info,) = unpack(raw, place + 4)
            kind = info >> 24 & 0x1F
            if not 0 < kind < kinds:
                raise MalformedBtf(
                    f"expected a kind from 1 to {kinds - 1}, got {kind}", offset=place
                )
            fixed, each = _TAILS[kind]
            append(place)
            place += 12 + fixed + each * (info & 0xFFFF)
        if place != end:
            raise MalformedBtf("expected the last type to end with the types", offset=end)
        if len(places) > MOST_TYPES:
            raise MalformedBtf(f"expected at most {MOST_TYPES} types, got {len(places) - 1}")
        return places

    def _decode(self, type_id: int) -> BtfType:
        place = self._places[type_id]
        word = self._word
        raw = self.raw
        name_offset, info, value = struct.unpack_from(f"{word}III", raw, place)
        kind = Kind(info >> 24 & 0x1F)
        count = info & 0xFFFF
        is_flagged = bool(info >> 31)
        size, refers_to = (value, 0) if kind in _SIZED else (0, value)
        name = self._named(kind, name_offset)
        behind = place + 12
        each = _TAILS[kind][1]
        tail = raw[behind : behind + each * count]
        linkage = elements = encoding = bits = bit_offset = 0
        component = -1
        members: tuple[StructMember, ...] = ()
        enumerators: tuple[Enumerator, ...] = ()
        parameters: tuple[Parameter, ...] = ()
        variables: tuple[SectionVariable, ...] = ()
        match kind:
            case Kind.INT:
                (packed,) = struct.unpack_from(f"{word}I", raw, behind)
                encoding, bit_offset, bits = packed >> 24 & 15, packed >> 16 & 255, packed & 255
            case Kind.ARRAY:
                refers_to, _index, elements = struct.unpack_from(f"{word}III", raw, behind)
            case Kind.STRUCT | Kind.UNION:
                members = tuple(
                    StructMember(self.string(n), self._id(t), o & 0xFFFFFF, o >> 24)
                    if is_flagged
                    else StructMember(self.string(n), self._id(t), o)
                    for n, t, o in struct.iter_unpack(f"{word}III", tail)
                )
            case Kind.ENUM:
                sign = "i" if is_flagged else "I"
                enumerators = tuple(
                    Enumerator(self.string(n), v)
                    for n, v in struct.iter_unpack(f"{word}I{sign}", tail)
                )
            case Kind.ENUM64:
                enumerators = tuple(
                    Enumerator(self.string(n), _wide(low, high, is_signed=is_flagged))
                    for n, low, high in struct.iter_unpack(f"{word}III", tail)
                )
            case Kind.FUNC:
                linkage = count
            case Kind.FUNC_PROTO:
                parameters = tuple(
                    Parameter(self.string(n), self._id(t))
                    for n, t in struct.iter_unpack(f"{word}II", tail)
                )
            case Kind.VAR:
                (linkage,) = struct.unpack_from(f"{word}I", raw, behind)
            case Kind.DATASEC:
                variables = tuple(
                    SectionVariable(self._id(t), o, s)
                    for t, o, s in struct.iter_unpack(f"{word}III", tail)
                )
            case Kind.DECL_TAG:
                (component,) = struct.unpack_from(f"{word}i", raw, behind)
        if kind is not Kind.FWD:
            self._id(refers_to)
        return BtfType(
            type_id=type_id,
            kind=kind,
            name=name,
            size=size,
            refers_to=0 if kind is Kind.FWD else refers_to,
            is_flagged=is_flagged,
            linkage=linkage,
            elements=elements,
            encoding=encoding,
            bits=bits,
            bit_offset=bit_offset,
            component=component,
            members=members,
            enumerators=enumerators,
            parameters=parameters,
            variables=variables,
        )

    def _id(self, type_id: int) -> int:
        if type_id >= len(self._places):
            raise MalformedBtf(f"expected a type id below {len(self._places)}, got {type_id}")
        return type_id


def _wide(low: int, high: int, *, is_signed: bool) -> int:
    value = high << 32 | low
    return value - (1 << 64) if is_signed and value >> 63 else value


def read_btf(data: bytes, byteorder: Literal["little", "big"]) -> TypeTable:
    """Read a ``.BTF`` section.

    Args:
        data: the section, at most 16 MB from an object.
        byteorder: of the ELF file; that of the BTF may not differ.

    Raises:
        MalformedBtf: for a wrong header, a type outside the section or of an unknown kind. Names
            and references are checked when a type is asked for.
    """
    return TypeTable(data, byteorder)
