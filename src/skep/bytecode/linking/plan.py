"""The load plan: everything `bpf(2)` needs to know, as plain values.

A plan names maps by their index in :attr:`LoadPlan.maps`, never by descriptor: instructions that
refer to maps are ``lddw`` with pseudo source 5 (map by index) or 6 (address inside the value of a
map by index, offset in the second slot), immediate = index. The executor puts descriptors in at
the last moment, so the same plan can be executed on a node, in a throw-away VM, or spliced.
"""

from dataclasses import dataclass

from skep.bytecode.isa.instructions import Instruction

PSEUDO_MAP_FD = 1
PSEUDO_MAP_VALUE = 2
PSEUDO_BTF_ID = 3
PSEUDO_FUNCTION = 4
PSEUDO_MAP_INDEX = 5
PSEUDO_MAP_INDEX_VALUE = 6
LDDW = 0x18


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


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """A program to load.

    Attributes:
        name: function name in the object.
        program_type: ``BPF_PROG_TYPE_*`` number.
        attach_type: expected ``BPF_*`` attach type number.
        flags: ``BPF_F_*`` of program loading, for example frags.
        licence: kernel licence string, as in the object's ``license`` section.
        instructions: entry first, every needed subprogram once behind it; relative calls and
            map references resolved (see the module).
        subprograms: first slot of each subprogram in ``instructions``, ascending, entry (0) first.
    """

    name: str
    program_type: int
    attach_type: int
    flags: int
    licence: str
    instructions: tuple[Instruction, ...]
    subprograms: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Maps and programs, in the order of their making."""

    maps: tuple[MapPlan, ...]
    programs: tuple[ProgramPlan, ...]

    def program(self, name: str) -> ProgramPlan:
        """The program called ``name``.

        Raises:
            KeyError: if there is none.
        """
        for program in self.programs:
            if program.name == name:
                return program
        raise KeyError(name)
