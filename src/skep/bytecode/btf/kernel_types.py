"""Types of a kernel, found by name without walking over all of them again.

A kernel has more than a hundred thousand types. Where each of them begins and what it is called
is found once; the result is a few arrays that can be kept in a file and are ready to use when
read back.

Whoever keeps the file answers for it: a digest tells damage, not malice. What an index says is
never believed further than that: places outside the section, or in the middle of a type, give
:class:`MalformedBtf` when a type is asked for, and names are compared with those in the section.
"""

import hashlib
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from typing import Self

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.names import essential_name
from skep.bytecode.btf.table import MOST_TYPES, TypeTable, read_btf
from skep.bytecode.btf.types import BtfType, Kind

_MAGIC = b"skepbtf1"  # another layout gets another number
_HEADER = struct.Struct("<8s32sQII32s")  # magic, identity, BTF bytes, types, names, digest
_IDENTITY_BYTES = 32
_ENUMS = frozenset({Kind.ENUM, Kind.ENUM64})


_BIG_ENDIAN = b"\xeb\x9f"
"""How the section of a big-endian kernel begins."""


class KernelTypes:
    """Types of one kernel.

    Attributes:
        table: the types by id.
    """

    __slots__ = ("_names", "table")

    def __init__(self, table: TypeTable, names: "array[int]") -> None:
        """Use :meth:`build` or :meth:`from_index`.

        Args:
            names: ascending: CRC-32 of a name without flavour * 2**32 + type id.
        """
        self.table = table
        self._names = names

    @classmethod
    def build(cls, raw: bytes) -> Self:
        """Walk over all types of a ``.BTF`` section of either byte order.

        Raises:
            MalformedBtf: see :func:`skep.bytecode.btf.table.read_btf`.
        """
        table = read_btf(raw, "big" if raw[:2] == _BIG_ENDIAN else "little")
        return cls(table, array("Q", sorted(table.name_marks(_mark))))

    @classmethod
    def from_index(cls, raw: bytes, index: bytes, identity: bytes) -> Self:
        """Use what :meth:`to_index` wrote for the same section.

        Args:
            raw: the section.
            index: the whole file.
            identity: of the kernel, as given to :meth:`to_index`.

        Raises:
            MalformedBtf: the index is damaged, of another layout or of another kernel.
        """
        if len(index) < _HEADER.size:
            raise MalformedBtf(f"expected an index of types, got {len(index)} bytes")
        magic, found, size, types, names, digest = _HEADER.unpack_from(index)
        if magic != _MAGIC or found != _padded(identity) or size != len(raw):
            raise MalformedBtf("expected an index of this kernel's types, got another one")
        body = memoryview(index)[_HEADER.size :]
        if not 0 < types <= MOST_TYPES or names > types or len(body) != types * 4 + names * 8:
            raise MalformedBtf("expected an index of the size it says it has")
        if hashlib.sha256(body).digest() != digest:
            raise MalformedBtf("expected an index that is not damaged")
        places = array("I")
        places.frombytes(body[: types * 4])
        marks = array("Q")
        marks.frombytes(body[types * 4 :])
        if sys.byteorder == "big":
            places.byteswap()
            marks.byteswap()
        return cls(TypeTable(raw, "little", places), marks)

    def to_index(self, identity: bytes) -> bytes:
        """The index as bytes, for :meth:`from_index`.

        Args:
            identity: at most 32 bytes that tell this kernel from others.
        """
        places, marks = array("I", self.table.places), array("Q", self._names)
        if sys.byteorder == "big":
            places.byteswap()
            marks.byteswap()
        body = places.tobytes() + marks.tobytes()
        digest = hashlib.sha256(body).digest()
        size = len(self.table.raw)
        header = _HEADER.pack(
            _MAGIC, _padded(identity), size, len(places), len(self._names), digest
        )
        return header + body

    def __len__(self) -> int:
        """Number of type ids."""
        return len(self.table)

    def type(self, type_id: int) -> BtfType:
        """The type with that id, see :meth:`TypeTable.type`."""
        return self.table.type(type_id)

    def find(self, name: str, kind: Kind) -> tuple[int, ...]:
        """Ids of the types with that very name and kind, ascending."""
        return tuple(
            type_id
            for type_id in self._named(name)
            if self.table.kind(type_id) is kind and self.type(type_id).name == name
        )

    def candidates(self, name: str, kind: Kind) -> tuple[int, ...]:
        """Ids of the types of that kind and name, flavours ignored on both sides, ascending.

        ENUM and ENUM64 count as one kind, because one becomes the other by gaining a large value
        (``btf_kind_core_compat`` in tools/lib/bpf/libbpf_internal.h of Linux 6.18).
        """
        wanted = essential_name(name)
        kinds = _ENUMS if kind in _ENUMS else {kind}
        return tuple(
            type_id
            for type_id in self._named(name)
            if self.table.kind(type_id) in kinds
            and essential_name(self.type(type_id).name) == wanted
        )

    def _named(self, name: str) -> "list[int]":
        mark = _mark(name.encode("utf-8", "surrogateescape"))
        place = bisect_left(self._names, mark << 32)
        found = []
        while place < len(self._names) and self._names[place] >> 32 == mark:
            found.append(self._names[place] & 0xFFFFFFFF)
            place += 1
        return found


def _mark(name: bytes) -> int:
    if b"___" in name:
        name = essential_name(name.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )
    return zlib.crc32(name)


def _padded(identity: bytes) -> bytes:
    if len(identity) > _IDENTITY_BYTES:
        raise ValueError(f"expected at most {_IDENTITY_BYTES} bytes, got {len(identity)}")
    return identity.ljust(_IDENTITY_BYTES, b"\0")
