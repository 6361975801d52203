"""Where C puts the members of a struct, and what must be written so that it puts them elsewhere.

BTF says where members are, not why: ``packed`` and ``aligned`` are not in it. A struct whose
members are closer together than C would put them is written as packed; where they are farther
apart, unnamed bit-fields are written between them, which take space and align nothing.

Alignment is that of the types as they are written, so that one decision carries to the next.

Sources: ISO C11, 6.7.2.1; System V ABI for x86-64, 3.1.2 (bit-fields), which clang follows for BPF.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.layout import POINTER_BYTES, resolved, size_of
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import BtfType, Kind, StructMember

_COUNTABLE = frozenset({Kind.INT, Kind.ENUM, Kind.ENUM64})
_MOST_ALIGNMENT = 16  # of __int128
_NESTING = 64
_MOST_GAP_BITS = 1 << 20  # 128 KiB between two members; kernels have a page
_UNITS = ((64, "long"), (32, "int"), (16, "short"), (8, "char"))


@dataclass(frozen=True, slots=True)
class CLayout:
    """How a struct or union is written.

    Attributes:
        is_packed: needs the attribute.
        alignment: of what is written, in bytes.
        gaps: unnamed bit-fields (``("long", 64)``) to write before each member, and after the last.
        fill_bytes: a union must be this large, though no member is; else 0.
    """

    is_packed: bool
    alignment: int
    gaps: tuple[tuple[tuple[str, int], ...], ...]
    fill_bytes: int = 0


class CLayouts:
    """Layouts of the structs and unions of one table, each found once."""

    def __init__(self, table: TypeTable) -> None:
        """Find nothing yet."""
        self._table = table
        self._known: dict[int, CLayout] = {}
        self._open: set[int] = set()

    def of(self, struct: BtfType) -> CLayout:
        """The layout of a struct or union.

        Raises:
            MalformedBtf: it contains itself, or no C declaration has this layout: members overlap,
                or are outside of it.
        """
        known = self._known.get(struct.type_id)
        if known is None:
            if struct.type_id in self._open or len(self._open) >= _NESTING:
                raise MalformedBtf(f"expected struct {struct.name!r} not to contain itself")
            self._open.add(struct.type_id)
            try:
                find = self._union if struct.kind is Kind.UNION else self._struct
                known = find(struct)
            finally:
                self._open.discard(struct.type_id)
            self._known[struct.type_id] = known
        return known

    def bits_of(self, struct: BtfType, member: StructMember) -> tuple[int, int]:
        """Bit offset of a member, and its width if it is a bit-field.

        Before Linux 4.20 the width was that of the member's type, an INT.

        Raises:
            MalformedBtf: a bit-field of a type that has none, or wider than it.
        """
        if struct.is_flagged and not member.bitfield_bits:
            return member.bit_offset, 0
        found = resolved(self._table, member.type_id)
        offset, bits = member.bit_offset, member.bitfield_bits
        if not struct.is_flagged:
            is_narrow = found.kind is Kind.INT and found.bits != found.size * 8
            offset, bits = offset + found.bit_offset, found.bits if is_narrow else 0
        if bits and (found.kind not in _COUNTABLE or bits > found.size * 8):
            raise MalformedBtf(
                f"expected {member.name!r} to be a bit-field of a number, "
                f"got {bits} bits of {found.kind.name}"
            )
        return offset, bits

    def alignment_of(self, type_id: int) -> int:
        """Bytes a type as it is written is aligned to."""
        for _ in range(_NESTING):
            found = resolved(self._table, type_id)
            match found.kind:
                case Kind.ARRAY:
                    type_id = found.refers_to
                    continue
                case Kind.STRUCT | Kind.UNION:
                    return self.of(found).alignment
                case Kind.PTR:
                    return POINTER_BYTES
                case _:
                    size = max(found.size, 1)
                    return min(size & -size, _MOST_ALIGNMENT)
        raise MalformedBtf(f"expected arrays nested at most {_NESTING} deep")

    def _struct(self, struct: BtfType) -> CLayout:
        natural = self._placed(struct, is_packed=False)
        if natural is not None:
            return natural
        packed = self._placed(struct, is_packed=True)
        if packed is None:
            raise MalformedBtf(f"expected struct {struct.name!r} to have its members in order")
        return packed

    def _placed(self, struct: BtfType, *, is_packed: bool) -> CLayout | None:
        """The layout with or without ``packed``; ``None`` if C would put a member farther on."""
        place, alignment = 0, 1
        gaps = []
        for member in struct.members:
            offset, bits = self.bits_of(struct, member)
            natural = 1 if is_packed else self.alignment_of(member.type_id)
            alignment = max(alignment, natural)
            size = size_of(self._table, member.type_id) * 8
            unit = natural * 8
            if offset < place:
                return None
            if bits:
                if not is_packed and offset % size + bits > size:
                    return None  # it would begin a new unit
                taken = bits
            else:
                if offset % (8 if is_packed else unit):
                    return None
                taken = size
            expected = place
            if not bits or (not is_packed and place % size + bits > size):
                whole = size if bits else unit
                expected = -(-place // whole) * whole
            gaps.append(() if expected == offset else tuple(_fill(place, offset)))
            place = offset + taken
        end = -(-place // (alignment * 8)) * alignment * 8
        if struct.size % alignment or struct.size * 8 < place:
            return None
        gaps.append(tuple(_fill(place, struct.size * 8)) if end < struct.size * 8 else ())
        return CLayout(is_packed, alignment, tuple(gaps))

    def _union(self, union: BtfType) -> CLayout:
        alignment, largest = 1, 0
        for member in union.members:
            offset, bits = self.bits_of(union, member)
            if offset:
                raise MalformedBtf(f"expected the members of union {union.name!r} at its beginning")
            alignment = max(alignment, self.alignment_of(member.type_id))
            size = size_of(self._table, member.type_id)
            largest = max(largest, -(-bits // 8) if bits else size)
        if largest > union.size:
            raise MalformedBtf(f"expected the members of union {union.name!r} inside of it")
        layout = CLayout(
            is_packed=bool(union.size % alignment),
            alignment=1 if union.size % alignment else alignment,
            gaps=((),) * (len(union.members) + 1),
        )
        whole = -(-largest // layout.alignment) * layout.alignment
        return layout if whole == union.size else replace(layout, fill_bytes=union.size)


def _fill(start: int, end: int) -> Iterator[tuple[str, int]]:
    """Unnamed bit-fields from bit ``start`` to ``end``, none across a unit of its type."""
    if end - start > _MOST_GAP_BITS:
        raise MalformedBtf(f"expected members nearer together than {(end - start) // 8} bytes")
    place = start
    while place < end:
        for unit, name in _UNITS:
            if place % unit == 0 and place + unit <= end:
                yield name, unit
                place += unit
                break
        else:
            bits = min(8 - place % 8, end - place)
            yield "char", bits
            place += bits
