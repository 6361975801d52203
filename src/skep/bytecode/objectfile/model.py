"""An eBPF object file as values; nothing in here knows a kernel."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from skep.bytecode.btf.table import TypeTable
from skep.bytecode.isa.instructions import Instruction


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map as the object declares it.

    Attributes:
        name: variable or data section name (``.rodata``, ``.data``, ``.bss``).
        map_type: ``BPF_MAP_TYPE_*`` number.
        key_size: bytes.
        value_size: bytes.
        max_entries: as declared; 0 means user space must set it.
        flags: ``BPF_F_*`` of map creation.
        pinning: 0 none, 1 by name; other numbers are inventions of single loaders.
        data: content of a data section, ``None`` for other maps. Empty for ``.bss``: what is
            missing up to ``value_size`` is zero.
        origin: which kind of definition this came from.
        extra: ``map_extra``, for example the number of hashes of a bloom filter.
        numa_node: node to allocate on, ``None`` if the object does not say.
        key_type_id: type of the key in the object's BTF, 0 unknown.
        value_type_id: type of the value in the object's BTF, 0 unknown.
        inner: template of the inner maps of a map of maps, ``None`` if the object gives none.
        initial: initial entries of a map of maps or program array: index, map or function name.
    """

    name: str
    map_type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    pinning: int = 0
    data: bytes | None = None
    origin: Literal["btf", "legacy", "data"] = "btf"
    extra: int = 0
    numa_node: int | None = None
    key_type_id: int = 0
    value_type_id: int = 0
    inner: "MapSpec | None" = None
    initial: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A global variable in a data section.

    Attributes:
        name: symbol name.
        section: its section, which is also the name of its map.
        offset: bytes from the start of the section.
        size: bytes.
    """

    name: str
    section: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Extern:
    """A name that code uses and the object does not define.

    Attributes:
        name: as in the object, with a flavour (``___v2``) if it has one.
        kind: ``kfunc`` and ``kernel_variable`` come from BTF DATASEC ``.ksyms``, ``kconfig`` from
            ``.kconfig``; ``undeclared`` is anything else, which no loader can provide.
        is_weak: may be missing on a kernel.
    """

    name: str
    kind: Literal["kfunc", "kernel_variable", "kconfig", "undeclared"]
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class Relocation:
    """A place in code that names something else.

    Attributes:
        slot: instruction slot, relative to the function it is in.
        kind: what it refers to.
        name: map, data section, function or extern name.
        addend: ``map_value``: byte offset inside the data map; else 0.
    """

    slot: int
    kind: Literal["map", "map_value", "call", "function_address", "extern_call", "extern_address"]
    name: str
    addend: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function: an entry or a subprogram.

    Attributes:
        name: symbol name, or the section's if it has none.
        section: ELF section.
        section_slot: first slot in that section.
        instructions: as compiled, not relocated.
        relocations: ascending by slot. Calls inside one section that the compiler resolved
            itself appear here too, as ``call``.
        is_static: local symbol, or none at all.
        is_hidden: of hidden visibility; loaders make such a function static.
        type_id: BTF type of kind FUNC, 0 unknown.
    """

    name: str
    section: str
    section_slot: int
    instructions: tuple[Instruction, ...]
    relocations: tuple[Relocation, ...]
    is_static: bool = False
    type_id: int = 0
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """A function that can be loaded as a program.

    Attributes:
        name: function name.
        section: ELF section as written, with a leading ``?`` if present.
        program_type: kernel name without prefix (``XDP``), ``None`` if the section does not tell.
        attach_type: kernel name without prefix (``XDP``), ``None`` if it has none.
        target: what follows the slash in the section name; empty if nothing.
        is_sleepable: section suffix ``.s``.
        has_frags: section ``xdp.frags``.
        is_optional: section with a leading ``?``: not loaded by default.
    """

    name: str
    section: str
    program_type: str | None
    attach_type: str | None = None
    target: str = ""
    is_sleepable: bool = False
    has_frags: bool = False
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class CoreRelocation:
    """A CO-RE record (BTF.ext ``core_relo``).

    Attributes:
        function: name of the function it is in.
        slot: instruction slot, relative to the function.
        type_id: root type in the object's BTF.
        root: name of the root type, for messages.
        access: access string, ``0:1:2``.
        kind: 0-12, see the facts of ``bpf_core_relo_kind`` in ``linux/bpf.h``.
    """

    function: str
    slot: int
    type_id: int
    root: str
    access: str
    kind: int


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of source for an instruction (BTF.ext ``line_info``).

    Attributes:
        function: name of the function it is in.
        slot: instruction slot, relative to the function.
        file: file name as the compiler was told.
        line: 1-based.
        column: 1-based, 0 unknown.
        text: the source line itself, if the compiler kept it.
    """

    function: str
    slot: int
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """Everything an object file says.

    Attributes:
        byteorder: ``little`` or ``big``.
        functions: by name of symbol; names are made unique by ``section:name`` only on collision.
        programs: entries.
        maps: BTF, legacy and data maps, in order of the file.
        variables: globals in data sections.
        externs: names of undefined symbols that code refers to.
        licence: kernel licence string, ``None`` if there is no such section.
        core_relocations: CO-RE records.
        source_lines: line info.
        has_btf: a ``.BTF`` section was present and read.
        extern_details: what is known about each of ``externs``, in the same order.
        remarks: what was read but not understood, a sentence each, for people.
        types: the object's BTF.
    """

    byteorder: Literal["little", "big"]
    functions: tuple[Function, ...]
    programs: tuple[ProgramSpec, ...]
    maps: tuple[MapSpec, ...]
    variables: tuple[Variable, ...]
    externs: tuple[str, ...]
    licence: str | None
    core_relocations: tuple[CoreRelocation, ...] = ()
    source_lines: Sequence[SourceLine] = ()
    has_btf: bool = False
    extern_details: tuple[Extern, ...] = ()
    remarks: tuple[str, ...] = ()
    types: TypeTable | None = field(default=None, compare=False, repr=False)
