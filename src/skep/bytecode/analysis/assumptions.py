"""What the data flow takes as known: answers of a kernel to CO-RE questions, and constants.

Without assumptions a question about existence has both answers and read-only data any value, so
that everything the object might do on some kernel, in some configuration, is covered.

A loader patches the answers into instructions before the kernel sees them (kinds 2, 8, 10 and 12
of ``enum bpf_core_relo_kind``) and freezes read-only data, whose loads the kernel's verifier then
takes as constants (``bpf_map_is_rdonly`` in ``kernel/bpf/verifier.c``, since Linux 5.5).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from skep.bytecode.analysis.constant_texts import Texts, maps_with_pointers, texts_of
from skep.bytecode.analysis.values import ANYTHING, MAP_VALUE, UNKNOWN, Pointer, Value
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.isa.codes import ARITHMETIC_CLASSES, CONSTANT_MOVES, LDDW, MEMORY_CLASSES
from skep.bytecode.isa.fields import BY_REGISTER, CLASS
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.access import parse_access
from skep.bytecode.linking.core.fixed import KnownAnswers
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.objectfile.data_sections import is_read_only
from skep.bytecode.objectfile.model import CoreRelocation, Function, ObjectFile
from skep.errors import Misnamed, SkepError, UsageError

ASSUMED = 0x107
"""No opcode of any kernel: the instruction gives the assumed value its immediate is the index of.

Its low bits are those of arithmetic, so that it costs nothing where nothing is assumed.
"""

EXISTENCE = frozenset(
    {
        CoreKind.FIELD_EXISTS,
        CoreKind.TYPE_EXISTS,
        CoreKind.ENUMVAL_EXISTS,
        CoreKind.TYPE_MATCHES,
    }
)
"""Kinds of records that ask whether something exists."""


CHANGED = 0x200
"""Added to the opcode of arithmetic with an immediate that the loader will change."""

SHIFTED = 1 << 20
"""Offset of a load or store that the loader will change; real ones have 16 bits."""

_MOVES = CONSTANT_MOVES | {LDDW}
_EITHER: Value = frozenset({0, 1})
_VERSION = "LINUX_KERNEL_VERSION"
_NEWEST = 0xFFFFFF  # major, minor and patch level in a byte each


def without_flavour(name: str) -> str:
    """``name`` up to three underscores.

    >>> without_flavour("task_struct___old")
    'task_struct'
    """
    before, separator, _ = name.rpartition("___")
    return before if separator and before else name


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Values the data flow starts from.

    Attributes:
        answers: by function and slot, what the instruction there gives.
        weak: addresses of externs that may be missing, by name.
        guarded: functions with a question about existence, or that ask for a weak address.
        read_only: names of sections of constants.
        constants: their content, for those that are taken as known.
        byteorder: of the object.
        tail_calls_leave: a tail call always succeeds, so nothing behind it runs.
        extern_kinds: what externs are, by name.
        texts: constants that no loader changes.
        pointer_maps: maps whose values may hold pointers.
    """

    answers: Mapping[str, Mapping[int, Value]] = field(default_factory=lambda: MappingProxyType({}))
    weak: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    guarded: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()
    constants: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    byteorder: Literal["little", "big"] = "little"
    tail_calls_leave: bool = False
    extern_kinds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    texts: Texts = field(default_factory=Texts)
    pointer_maps: frozenset[str] = frozenset()

    def code_of(self, function: Function) -> tuple[Sequence[Instruction], Sequence[Value]]:
        """Code of ``function`` with instructions :data:`ASSUMED` put in, and their values."""
        answers = self.answers.get(function.name)
        if not answers:
            return function.instructions, ()
        code = list(function.instructions)
        values: list[Value] = []
        for slot, value in answers.items():
            if not 0 <= slot < len(code):
                continue
            opcode, dst, src, _, immediate = code[slot]
            if opcode in _MOVES:
                code[slot] = Instruction(ASSUMED, dst, 0, 0, len(values))
                values.append(value)
            elif opcode & CLASS in ARITHMETIC_CLASSES and not opcode & BY_REGISTER:
                code[slot] = Instruction(opcode | CHANGED, dst, 0, 0, len(values))
                values.append(value)
            elif opcode & CLASS in MEMORY_CLASSES:
                code[slot] = Instruction(opcode, dst, src, SHIFTED, immediate)
        return code, values


NOTHING_ASSUMED = Assumptions()


def base_assumptions(object_file: ObjectFile) -> Assumptions:
    """Every kernel, every configuration: records may have any answer."""
    answers: dict[str, dict[int, Value]] = {}
    guarded = set()
    functions = {function.name: function for function in object_file.functions}
    settled = KnownAnswers.of(object_file)
    addresses = {
        name: {relocation.slot for relocation in functions[name].relocations}
        for name in {record.function for record in object_file.core_relocations}
        if name in functions
    }
    for record in object_file.core_relocations:
        asks = record.kind in EXISTENCE
        if asks:
            guarded.add(record.function)
        function = functions.get(record.function)
        if function is not None and settled.settles(record, function.instructions):
            continue
        known = answers.setdefault(record.function, {})
        # Of several records at one place, any may be the one that counts.
        known[record.slot] = _EITHER if asks and record.slot not in known else UNKNOWN
        if record.slot in addresses.get(record.function, ()):
            known[record.slot] = ANYTHING  # loaders put the address in after the answer
    weak = _weak_names(object_file) | _versions(object_file)
    if weak:
        guarded |= {
            function.name
            for function in object_file.functions
            if any(
                relocation.kind == "extern_address" and relocation.name in weak
                for relocation in function.relocations
            )
        }
    return Assumptions(
        answers=answers,
        guarded=frozenset(guarded),
        read_only=frozenset(
            spec.name
            for spec in object_file.maps
            if spec.origin == "data" and is_read_only(spec.name)
        ),
        byteorder=object_file.byteorder,
        extern_kinds={extern.name: extern.kind for extern in object_file.extern_details},
        texts=texts_of(object_file),
        pointer_maps=maps_with_pointers(object_file),
    )


def _weak_names(object_file: ObjectFile) -> frozenset[str]:
    return frozenset(
        extern.name
        for extern in object_file.extern_details
        if extern.is_weak and extern.kind in {"kfunc", "kernel_variable"}
    )


def _versions(object_file: ObjectFile) -> frozenset[str]:
    """The kernel's version, which loaders provide as an extern, where the object asks for it."""
    return frozenset(
        extern.name
        for extern in object_file.extern_details
        if extern.kind == "kconfig" and extern.name == _VERSION
    )


def path_of(types: TypeTable | None, record: CoreRelocation) -> str:
    """Field or enumerator of a record; empty if it has none or does not fit the types."""
    if types is None:
        return ""
    try:
        steps = parse_access(types, record).steps
    except SkepError:
        return ""  # the linker says what is wrong with the record
    path = ""
    for position, step in enumerate(steps):
        if step.name is not None:
            path += f"{'.' if path else ''}{without_flavour(step.name)}"
        elif position:  # the first step is the root itself
            path += f"[{step.index}]"
    return path


def with_presence(base: Assumptions, object_file: ObjectFile, *, is_present: bool) -> Assumptions:
    """A kernel that has everything the object asks for, or nothing of it.

    The first is newer than every version the object compares with, the other one older.
    """
    answers = {function: dict(found) for function, found in base.answers.items()}
    for record in object_file.core_relocations:
        if record.kind in EXISTENCE:
            answers[record.function][record.slot] = int(is_present)
    weak: dict[str, Value] = dict.fromkeys(_weak_names(object_file), int(is_present))
    versions = _versions(object_file)
    newest = (_NEWEST if is_present else 0).to_bytes(4, object_file.byteorder)
    return replace(
        base,
        answers=answers,
        weak={**weak, **{name: Pointer(MAP_VALUE, 0, name) for name in versions}},
        read_only=base.read_only | versions,
        constants={**base.constants, **dict.fromkeys(versions, newest)},
    )


def with_constants(
    base: Assumptions, object_file: ObjectFile, variables: Mapping[str, bytes]
) -> Assumptions:
    """Read-only data as the object has it, with ``variables`` of it replaced.

    Args:
        variables: content by name, of the variable's size in the object's byte order, as in
            :class:`skep.bytecode.linking.settings.LinkSettings`.

    Raises:
        UsageError: for a name that is no variable of read-only data, or another size.
    """
    contents = {
        spec.name: bytearray((spec.data or b"").ljust(spec.value_size, b"\0"))
        for spec in object_file.maps
        if spec.name in base.read_only and spec.value_size <= _MOST_BYTES
    }
    places = {variable.name: variable for variable in object_file.variables}
    for name, value in variables.items():
        place = places.get(name)
        if place is None or place.section not in contents:
            raise UsageError(
                f"expected a constant of the object, got {name!r}",
                hint=f"it has {_listed(places)}",
                misnamed=Misnamed(name, tuple(places)),
            )
        if len(value) != place.size:
            raise UsageError(f"expected {place.size} bytes for {name!r}, got {len(value)}")
        contents[place.section][place.offset : place.offset + place.size] = value
    return replace(base, constants={name: bytes(data) for name, data in contents.items()})


# Read-only data is in the file; a section that only says how large it is may say anything.
_MOST_BYTES = 16 << 20


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:8]) or "none"
