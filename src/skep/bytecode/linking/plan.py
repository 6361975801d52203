"""The load plan: everything `bpf(2)` needs to know, as plain values.

A plan names maps by their index in :attr:`LoadPlan.maps`, never by descriptor: instructions that
refer to maps are ``lddw`` with pseudo source 5 (map by index) or 6 (address inside the value of a
map by index, offset in the second slot), immediate = index. The executor puts descriptors in at
the last moment, so the same plan can be executed on a node, in a throw-away VM, or spliced.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from skep.bytecode.isa.instructions import Instruction


@dataclass(frozen=True, slots=True)
class MapPlan:
    """A map to create.

    Attributes:
        name: as in the object; the executor shortens it for the kernel (15 characters).
        map_type: ``BPF_MAP_TYPE_*`` number.
        key_size: bytes.
        value_size: bytes.
        max_entries: entries, or bytes for ring buffers.
        flags: ``BPF_F_*`` of map creation.
        pinned_by_name: the object asks for ``LIBBPF_PIN_BY_NAME``.
        contents: initial (key, value) pairs.
        frozen: made read-only for user space once the contents are written (``.rodata``).
        extra: ``map_extra``, for example the number of hashes of a bloom filter.
        key_type_id: type of the key in :attr:`LoadPlan.btf`, 0 for none.
        value_type_id: type of the value there, 0 for none.
        needs_types: the map is of no use without its types: storage of sockets and tasks, and
            values in which the kernel keeps something (locks, timers, pointers of its own). Other
            maps are made without them if need be.
        inner: what the maps in a map of maps look like; made for creation only.
        map_entries: what a map of maps begins with: index and index of the map in the plan.
        program_entries: what a program array begins with: index and name of the program.
        layout: what is where in ``contents``, if these are the kernel's answers: they differ
            between kernels, what they are answers to does not. Empty for other maps.
    """

    name: str
    map_type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    pinned_by_name: bool = False
    contents: tuple[tuple[bytes, bytes], ...] = ()
    frozen: bool = False
    extra: int = 0
    key_type_id: int = 0
    value_type_id: int = 0
    needs_types: bool = False
    inner: "MapPlan | None" = None
    map_entries: tuple[tuple[int, int], ...] = ()
    program_entries: tuple[tuple[int, str], ...] = ()
    layout: str = ""


class FunctionType(NamedTuple):
    """Type of a function of a program (``struct bpf_func_info``).

    Attributes:
        slot: where the function begins.
        type_id: of kind FUNC, in :attr:`LoadPlan.btf`.
    """

    slot: int
    type_id: int


class LinePlace(NamedTuple):
    """Source line of an instruction (``struct bpf_line_info``).

    Attributes:
        slot: of the instruction.
        file: string in :attr:`LoadPlan.btf`, the file's name.
        text: string there, the line itself.
        position: line * 1024 + column.
    """

    slot: int
    file: int
    text: int
    position: int


@dataclass(frozen=True, slots=True)
class Poison:
    """An instruction that was replaced because this kernel lacks its target.

    It does no harm where the verifier finds that it cannot be reached.

    Attributes:
        slot: of the program.
        path: what is missing: ``task_struct.tgid``, ``bpf_func_id.BPF_FUNC_ringbuf_output``.
        kind: what was asked about it, a ``BPF_CORE_*`` name without prefix.
    """

    slot: int
    path: str
    kind: str


class KernelName(NamedTuple):
    """An instruction that names something of the kernel: which, in words.

    Attributes:
        slot: of the program.
        kind: a function that is called or whose address is taken, a variable, or a symbol whose
            address became an ordinary number.
        name: as the kernel's types have it, whatever the object calls it; a symbol's is the one
            that was looked up.
        type_id: in the kernel's types, 0 for a symbol.
        is_weak: the object could do without it.
    """

    slot: int
    kind: Literal["function", "variable", "symbol"]
    name: str
    type_id: int = 0
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """A program to load.

    Attributes:
        name: function name in the object.
        program_type: ``BPF_PROG_TYPE_*`` number.
        attach_type: expected ``BPF_*`` attach type number.
        flags: ``BPF_F_*`` of program loading, for example frags.
        licence: kernel licence string, as in the object's ``license`` section.
        instructions: entry first, every needed subprogram once after it; relative calls and
            map references resolved (see the module).
        subprograms: first slot of each subprogram in ``instructions``, ascending, entry (0) first.
        names: of the functions that begin there, as in the object; empty for a program that is
            not one of an object.
        kernel_names: what ``instructions`` name of the kernel, ascending by slot.
        exception_callback: name of the function that makes a return value of what the program
            throws; empty if it throws nothing, or what it throws is returned.
        poisons: what this kernel lacks of what the program reads, ascending by slot.
        functions: types of all functions in ``instructions``, or none.
        lines: source lines, ascending by slot, or none.
        needs_types: the program does not do what it was written for without ``functions``: the
            kernel refuses it (callbacks, tail calls in subprograms, objects of its own types), or
            handles what it throws otherwise.
        attach_btf_id: type of the hook target in the kernel's own types, 0 for none.
    """

    name: str
    program_type: int
    attach_type: int
    flags: int
    licence: str
    instructions: tuple[Instruction, ...]
    subprograms: tuple[int, ...] = (0,)
    poisons: tuple[Poison, ...] = ()
    functions: tuple[FunctionType, ...] = ()
    lines: tuple[LinePlace, ...] = ()
    needs_types: bool = False
    attach_btf_id: int = 0
    names: tuple[str, ...] = ()
    kernel_names: tuple[KernelName, ...] = ()
    exception_callback: str = ""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Maps and programs, in the order of their making.

    Attributes:
        maps: what the instructions of the programs refer to by index.
        programs: what was chosen.
        btf: types of the object as the kernel takes them, ``None`` if the object has none.
    """

    maps: tuple[MapPlan, ...]
    programs: tuple[ProgramPlan, ...]
    btf: bytes | None = None

    def program(self, name: str) -> ProgramPlan:
        """The program called ``name``.

        Raises:
            KeyError: if there is none.
        """
        for program in self.programs:
            if program.name == name:
                return program
        raise KeyError(name)
