"""Which CO-RE records are settled before any kernel is known.

What an object declares about a structure of the kernel is its author's claim: a loader puts
another value in if a kernel's types say otherwise. A record is *settled* if

1. it asks for a field of a structure whose layout we know ourselves (:mod:`.known_layouts`): the
   contexts of programs, which only grow, and headers of packets, which travel over a wire;
2. the object's own declaration gives the same answer, width of the field included;
3. the instruction holds that very value.

Such an instruction is the same after every loader and on every kernel, so it is left alone; every
other record is applied or the program refused. That depends on the record and the instruction
alone: what else the object asks for, and whether the types of a kernel happen to be at hand, makes
no difference.

Whether something *exists* is never settled: contexts grow at their end.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from skep.bytecode.btf.known_layouts import KNOWN_LAYOUTS, KnownField
from skep.bytecode.btf.names import essential_name
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.access import Access, parse_access
from skep.bytecode.linking.core.kinds import FIELD_KINDS, CoreKind
from skep.bytecode.linking.core.patching import holds
from skep.bytecode.linking.core.values import answer_in, unit_of
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile
from skep.errors import SkepError

STABLE_TYPES = frozenset(KNOWN_LAYOUTS)
"""Structures whose layout is part of the interface to programs, or of a network protocol."""

_Question = tuple[int, str, int]


@dataclass(slots=True)
class KnownAnswers:
    """Settles the records of one object; questions that repeat are answered once.

    Attributes:
        types: of the object; without them nothing is settled.
        byteorder: of the object.
    """

    types: TypeTable | None
    byteorder: Literal["little", "big"]
    _values: dict[_Question, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, object_file: ObjectFile) -> "KnownAnswers":
        """For the records of ``object_file``."""
        return cls(object_file.types, object_file.byteorder)

    def settles(self, record: CoreRelocation, code: Sequence[Instruction]) -> bool:
        """Whether every loader leaves the instruction of ``record`` as it is, on every kernel.

        Args:
            code: of the record's function.
        """
        question = (record.type_id, record.access, record.kind)
        if question not in self._values:
            self._values[question] = self._value(record)
        value = self._values[question]
        return (
            value is not None and 0 <= record.slot < len(code) and holds(code, record.slot, value)
        )  # (3)

    def _value(self, record: CoreRelocation) -> int | None:
        """The one answer of all kernels, if the object's declaration gives it too."""
        layout = KNOWN_LAYOUTS.get(essential_name(record.root))
        if layout is None or self.types is None or record.kind not in FIELD_KINDS:
            return None
        kind = CoreKind(record.kind)
        try:
            access = parse_access(self.types, record)
            claimed = answer_in(kind, access, self.types, self.byteorder)
        except SkepError:
            return None  # the linker says what is wrong with the record
        place = _place(access, layout)  # (1)
        if place is None or claimed is None:
            return None
        value, width = _known(kind, *place, self.byteorder)
        claimed_width = None if claimed.size is None else claimed.size.in_bytes
        return value if (claimed.value, claimed_width) == (value, width) else None  # (2)


def _place(
    access: Access, layout: Mapping[str, KnownField]
) -> tuple[KnownField, int | None] | None:
    """The field that ``access`` leads to, and the element if it leads into an array."""
    root, *steps = access.steps
    names = [step.name for step in steps]
    element = None
    if names and names[-1] is None:
        element = steps[-1].index
        names.pop()
    if root.index or not names:
        return None
    found = layout.get(".".join(name or "" for name in names))
    if found is None or (element is not None and element >= found.elements):
        return None
    return found, element


def _known(
    kind: CoreKind, field: KnownField, element: int | None, byteorder: Literal["little", "big"]
) -> tuple[int | None, int | None]:
    """The answer for a field of a known layout, and the width of a load or store of it."""
    size, offset, bits = field.size, field.bit_offset // 8, field.bits
    if kind is CoreKind.FIELD_SIGNED:
        return (int(field.is_signed) if element is None else None), None
    if bits:
        unit = unit_of(size, field.bit_offset, bits)
        if byteorder != "little" or unit is None:
            return None, None
        size, offset = unit
    elif element is not None:
        offset += element * size
    elif field.elements:
        size *= field.elements
    match kind:
        case CoreKind.FIELD_BYTE_OFFSET:
            return offset, None if bits else size
        case CoreKind.FIELD_BYTE_SIZE:
            return size, None
        case _ if element is not None:
            return None, None
        case CoreKind.FIELD_LSHIFT_U64:
            inside, width = field.bit_offset - offset * 8, bits or size * 8
            little = 64 - (inside + width)
            return (little if byteorder == "little" else (8 - size) * 8 + inside), None
        case CoreKind.FIELD_RSHIFT_U64:
            return 64 - (bits or size * 8), None
        case _:
            return None, None


def is_without_kernel(record: CoreRelocation) -> bool:
    """Whether ``record`` asks for something of the object itself, which no kernel is needed for."""
    return record.kind == CoreKind.TYPE_ID_LOCAL


def first_to_apply(object_file: ObjectFile, functions: Collection[str]) -> CoreRelocation | None:
    """The first record inside ``functions`` that needs the types of a kernel."""
    known = KnownAnswers.of(object_file)
    code = {function.name: function.instructions for function in object_file.functions}
    for record in object_file.core_relocations:
        if record.function not in functions or is_without_kernel(record):
            continue
        if not known.settles(record, code.get(record.function, ())):
            return record
    return None
