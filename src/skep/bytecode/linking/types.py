"""Types and source lines of programs and maps, as passed to the kernel.

Source: ``check_btf_func`` and ``check_btf_line`` in kernel/bpf/verifier.c of Linux 6.18.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.preparing import DataSection, prepare_btf
from skep.bytecode.btf.special_fields import special_fields
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.layout import Layout
from skep.bytecode.linking.plan import FunctionType, LinePlace
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.records import SourceLines

_Records = Mapping[str, Sequence[tuple[int, int, int, int]]]
_EXTERN = 2  # linkage of a function that is declared only


@dataclass(slots=True)
class TypeFacts:
    """Types of one object, as its plans need them.

    Attributes:
        object_file: where they are from.
        btf: prepared for the kernel, ``None`` if the object has none that make sense: then the
            plan says nothing about types.
    """

    object_file: ObjectFile
    btf: bytes | None = field(init=False)
    _lines: _Records = field(init=False)

    def __post_init__(self) -> None:
        self.btf = _prepare(self.object_file)
        self._lines = _records(self.object_file) if self.btf is not None else {}

    def section_id(self, name: str) -> int:
        """Type id of a data section, 0 if it has none."""
        types = self.object_file.types
        if self.btf is None or types is None:
            return 0
        return next(iter(types.find(name, Kind.DATASEC)), 0)

    def keeps(self, value_type_id: int) -> bool:
        """Whether the kernel keeps something in values of this type, such as a lock."""
        types = self.object_file.types
        if self.btf is None or types is None or not value_type_id:
            return False
        try:
            return bool(special_fields(types, value_type_id))
        except MalformedBtf:
            return False  # the kernel refuses such types, and the map is made without

    def functions(self, layout: Layout) -> tuple[FunctionType, ...]:
        """Types of all functions of a program; none if one of them has none.

        A function of which the object has no more than a declaration has none: prepared for the
        kernel, that type is something else.
        """
        types = self.object_file.types
        if self.btf is None or types is None:
            return ()
        found = tuple(
            FunctionType(layout.starts[function.name], function.type_id)
            for function in layout.functions
        )
        if all(
            0 < each.type_id < len(types)
            and types.kind(each.type_id) is Kind.FUNC
            and types.type(each.type_id).linkage != _EXTERN
            for each in found
        ):
            return found
        return ()

    def lines(self, layout: Layout, code: Sequence[Instruction]) -> tuple[LinePlace, ...]:
        """Source lines of a program; none if a function does not begin with one.

        What the kernel would refuse is left out: places that are no instruction, and strings that
        are not there.
        """
        types = self.object_file.types
        strings = 0 if types is None else len(types.stored_strings)
        found: list[LinePlace] = []
        for function in layout.functions:
            start = layout.starts[function.name]
            records = self._lines.get(function.name, ())
            if not records or records[0][0]:
                return ()
            before = -1
            for slot, file, text, position in records:
                if file >= strings or text >= strings:
                    return ()
                # A slot has one line, and the second half of a 64-bit load has none.
                is_inside = before < slot < len(function.instructions)
                if is_inside and code[start + slot].opcode:
                    found.append(LinePlace(start + slot, file, text, position))
                    before = slot
        return tuple(found)


def _prepare(object_file: ObjectFile) -> bytes | None:
    types = object_file.types
    if types is None:
        return None
    offsets: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for variable in object_file.variables:
        offsets[variable.section][variable.name] = variable.offset
    sections = {
        spec.name: DataSection(spec.value_size, offsets[spec.name])
        for spec in object_file.maps
        if spec.origin == "data"
    }
    hidden = {each.type_id for each in object_file.functions if each.is_hidden and each.type_id}
    try:
        return prepare_btf(types, sections, hidden)
    except MalformedBtf:
        return None  # most programs load without; for others the kernel says what it lacks


def _records(object_file: ObjectFile) -> _Records:
    lines = object_file.source_lines
    found: defaultdict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    if isinstance(lines, SourceLines):
        for function, slot, file, text, position in lines.records():
            found[function].append((slot, file, text, position))
    return {function: sorted(records) for function, records in found.items()}
