"""A load plan read back as an object, so that what will be loaded is what is analysed.

The instructions are those of the plan, every one of them, unchanged; nothing of the object's code
is used. Only what the kernel never sees comes from the object: names of functions and source
lines, types for people to read, and what a section is called.

Security: a label of the object would say little about a plan that a loader filled in otherwise.
Each step stops one way of hiding something in a plan:

1. names and first slots of the functions are the plan's, ascending, the entry first, and each is
   as long as the object's: so evidence is shown at the source line it belongs to;
2. a call inside the program reaches the beginning of a function of the plan;
3. a map is one of the plan's, of which no two have one name, and is described as the plan will
   make it, not as the object does;
4. what the kernel provides is called what *its* types call the id in the instruction. What the
   object calls it counts for nothing;
5. every other instruction that names something by number is refused: a descriptor, an id nobody
   accounted for;
6. nothing is left that a loader could still change: no CO-RE records, no externs to look for;
7. read-only data is what the plan writes into maps that are frozen and that programs may not
   write; all other content of maps is unknown.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, Never

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.codes import (
    CALL,
    LDDW,
    PSEUDO_BTF_ID,
    PSEUDO_CALL,
    PSEUDO_FUNCTION,
    PSEUDO_KERNEL_CALL,
    PSEUDO_MAP_INDEX,
    PSEUDO_MAP_INDEX_VALUE,
)
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, MAP_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.errors import PlanMismatch
from skep.bytecode.linking.plan import KernelName, LoadPlan, MapPlan, ProgramPlan
from skep.bytecode.objectfile.data_sections import READ_ONLY
from skep.bytecode.objectfile.model import (
    Extern,
    Function,
    MapSpec,
    ObjectFile,
    ProgramSpec,
    Relocation,
)
from skep.bytecode.objectfile.sections import attach_types_of, usual_attach_type

_ARRAY = MAP_TYPES["ARRAY"]
_KINDS: Mapping[str, Literal["kfunc", "kernel_variable"]] = {
    "function": "kfunc",
    "variable": "kernel_variable",
    "symbol": "kernel_variable",
}


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A plan as an object.

    Attributes:
        object_file: programs, functions and maps of the plan; no CO-RE records, nothing missing.
        constants: content of read-only data by name of the map.
        addresses: names of kernel functions whose address is taken: they are there.
        program_types: by program, as the plan has them.
    """

    object_file: ObjectFile
    constants: Mapping[str, bytes]
    addresses: frozenset[str]
    program_types: Mapping[str, str]


def read_back(
    plan: LoadPlan, object_file: ObjectFile, kernel: KernelTypes | None = None
) -> ReadBack:
    """What ``plan`` makes of ``object_file``; see the module for the steps.

    Args:
        object_file: that the plan was linked from.
        kernel: types the plan was linked against; names of the kernel are checked with them.

    Raises:
        PlanMismatch: the plan contradicts itself, its object or the kernel.
    """
    known = {function.name: function for function in object_file.functions}
    functions: dict[str, Function] = {}
    externs: dict[str, Extern] = {}
    addresses: set[str] = set()
    for program in plan.programs:
        reader = _Reader(program, plan.maps, kernel)
        for function in reader.functions(known):
            if functions.setdefault(function.name, function) != function:
                reader.refuse(f"function {function.name} is not the same in two programs")
        for each in program.kernel_names:
            externs[each.name] = Extern(each.name, _KINDS[each.kind], each.is_weak)
            if each.kind == "function":
                addresses.add(each.name)
    specs = {spec.name: spec for spec in object_file.programs}
    if len({each.name for each in plan.maps}) != len(plan.maps):  # (3)
        raise PlanMismatch("expected maps of different names")
    maps = tuple(_map(each, object_file.maps) for each in plan.maps)
    linked = replace(
        object_file,
        functions=tuple(functions.values()),
        programs=tuple(_spec(program, specs) for program in plan.programs),
        maps=maps,
        externs=tuple(externs),
        extern_details=tuple(externs.values()),
        core_relocations=(),  # (6)
        licence=plan.programs[0].licence if plan.programs else object_file.licence,
    )
    return ReadBack(
        object_file=linked,
        constants={each.name: _content(each) for each in plan.maps if _is_constant(each)},  # (7)
        addresses=frozenset(addresses),
        program_types={
            program.name: _name_of(PROGRAM_TYPES, program.program_type) or ""
            for program in plan.programs
        },
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one program back."""

    program: ProgramPlan
    maps: Sequence[MapPlan]
    kernel: KernelTypes | None

    def refuse(self, what: str) -> Never:
        raise PlanMismatch(
            f"program {self.program.name}: {what}",
            hint="this is a bug in Skep; please report it with the object",
        )

    def functions(self, known: Mapping[str, Function]) -> list[Function]:
        program = self.program
        code, starts = program.instructions, program.subprograms
        if len(program.names) != len(starts) or not starts or starts[0]:  # (1)
            self.refuse("the plan does not name its functions")
        if program.names[0] != program.name:
            self.refuse(f"it begins with function {program.names[0]}")
        relocations = self._relocations(dict(zip(starts, program.names, strict=True)))
        slots = list(relocations)
        found = []
        for (start, end), name in zip(pairwise((*starts, len(code))), program.names, strict=True):
            function = known.get(name)
            if function is None or end - start != len(function.instructions):
                self.refuse(f"function {name} is not as long as in the object")
            own = tuple(
                replace(relocations[slot], slot=slot - start)
                for slot in slots[bisect_left(slots, start) : bisect_left(slots, end)]
            )
            found.append(replace(function, instructions=code[start:end], relocations=own))
        return found

    def _relocations(self, starts: Mapping[int, str]) -> dict[int, Relocation]:
        """What instructions refer to, by slot of the program, ascending."""
        names = {each.slot: each for each in self.program.kernel_names}
        code = self.program.instructions
        found: dict[int, Relocation] = {}
        slot = 0
        while slot < len(code):
            each = code[slot]
            relocation = None
            if each.opcode == CALL:
                relocation = self._call(slot, each, starts, names)
            elif each.opcode == LDDW:
                if slot + 1 >= len(code):
                    self.refuse(f"slot {slot} begins a load that does not end")
                relocation = self._load(slot, (each, code[slot + 1]), starts, names)
            if relocation is not None:
                found[slot] = relocation
            slot += 2 if each.opcode == LDDW else 1
        if names:
            self.refuse(f"slot {min(names)} does not name what the plan says it does")
        return found

    def _call(
        self,
        slot: int,
        each: Instruction,
        starts: Mapping[int, str],
        names: dict[int, KernelName],
    ) -> Relocation | None:
        match each.src:
            case 0:
                return None  # a helper
            case source if source == PSEUDO_CALL:  # (2)
                return Relocation(slot, "call", self._function(slot, each, starts))
            case source if source == PSEUDO_KERNEL_CALL and not each.offset:  # (4)
                name = self._kernel_name(slot, names, each.immediate, ("function",))
                return Relocation(slot, "extern_call", name)
            case _:
                return self._refuse_number(slot, each)

    def _load(
        self,
        slot: int,
        halves: tuple[Instruction, Instruction],
        starts: Mapping[int, str],
        names: dict[int, KernelName],
    ) -> Relocation | None:
        each, second = halves
        match each.src:
            case 0 if slot in names:
                name = self._kernel_name(slot, names, 0, ("symbol",))
                return Relocation(slot, "extern_address", name)
            case 0:
                return None  # a number
            case source if source == PSEUDO_FUNCTION:  # (2)
                return Relocation(slot, "function_address", self._function(slot, each, starts))
            case source if source == PSEUDO_MAP_INDEX:  # (3)
                return Relocation(slot, "map", self._map(slot, each))
            case source if source == PSEUDO_MAP_INDEX_VALUE:  # (3)
                return Relocation(slot, "map_value", self._map(slot, each), second.immediate)
            case source if source == PSEUDO_BTF_ID:  # (4)
                name = self._kernel_name(slot, names, each.immediate, ("function", "variable"))
                return Relocation(slot, "extern_address", name)
            case _:
                return self._refuse_number(slot, each)

    def _function(self, slot: int, each: Instruction, starts: Mapping[int, str]) -> str:
        name = starts.get(slot + 1 + each.immediate)
        if name is None:
            self.refuse(f"slot {slot} refers to a place where no function begins")
        return name

    def _map(self, slot: int, each: Instruction) -> str:
        if not 0 <= each.immediate < len(self.maps):
            self.refuse(f"slot {slot} refers to map {each.immediate} of {len(self.maps)}")
        return self.maps[each.immediate].name

    def _kernel_name(
        self, slot: int, names: dict[int, KernelName], number: int, kinds: tuple[str, ...]
    ) -> str:
        stated = names.pop(slot, None)
        if stated is None or stated.type_id != number or stated.kind not in kinds:
            self.refuse(f"slot {slot} names something of the kernel, which the plan does not know")
        if self.kernel is not None and number:
            found = self.kernel.type(number)
            wanted = Kind.FUNC if stated.kind == "function" else Kind.VAR
            if (found.kind, found.name) != (wanted, stated.name):
                self.refuse(f"slot {slot} is {found.name} to the kernel, not {stated.name}")
        return stated.name

    def _refuse_number(self, slot: int, each: Instruction) -> Never:  # (5)
        self.refuse(f"slot {slot} names something by its number ({each.src}, {each.immediate})")


def _spec(program: ProgramPlan, specs: Mapping[str, ProgramSpec]) -> ProgramSpec:
    """The entry as the plan has it; what its section says stays, for people."""
    spec = specs.get(program.name)
    program_type = _name_of(PROGRAM_TYPES, program.program_type)
    if spec is None or program_type is None:
        raise PlanMismatch(f"program {program.name}: expected an entry of the object, of a type")
    stated = spec.attach_type if spec.program_type == program_type else None
    attach_type = stated or usual_attach_type(program_type)
    number = 0 if attach_type is None else ATTACH_TYPES[attach_type]
    if number != program.attach_type:
        # The hook's, which wins over the section's; it has to be one of the type all the same.
        attach_type = _name_of(ATTACH_TYPES, program.attach_type)
        if attach_type not in attach_types_of(program_type):
            raise PlanMismatch(
                f"program {program.name}: expected attach type {number}, got {program.attach_type}"
            )
    # A type that is stated goes with what it brings along; see ``ReadBack.program_types``.
    return replace(spec, attach_type=attach_type)


def _name_of(numbers: Mapping[str, int], number: int) -> str | None:
    return next((name for name, each in numbers.items() if each == number), None)


def _map(plan: MapPlan, specs: Sequence[MapSpec]) -> MapSpec:
    spec = next((each for each in specs if each.name == plan.name), None)
    if spec is None:  # made by the linker: values of the kernel's configuration
        spec = MapSpec(plan.name, plan.map_type, 0, 0, 0, origin="data")
    return replace(
        spec,
        map_type=plan.map_type,
        key_size=plan.key_size,
        value_size=plan.value_size,
        max_entries=plan.max_entries,
        flags=plan.flags,
        data=_content(plan) if spec.origin == "data" else None,
        extra=plan.extra,
    )


def _is_constant(plan: MapPlan) -> bool:
    """As the kernel's verifier takes it (``bpf_map_is_rdonly`` in kernel/bpf/verifier.c)."""
    return (
        plan.frozen
        and bool(plan.flags & READ_ONLY)
        and plan.map_type == _ARRAY
        and plan.max_entries == 1
    )


def _content(plan: MapPlan) -> bytes:
    return plan.contents[0][1] if plan.contents else bytes(min(plan.value_size, _MOST_BYTES))


# A section that only says how large it is may say anything; loads beyond this are unknown.
_MOST_BYTES = 16 << 20
