"""One program of a plan: functions laid out, references put in, types told.

Two ways: without the kernel's types, what needs them is refused; with them, it is looked up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.codes import CALL, LDDW, PSEUDO_FUNCTION
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.core.applying import CoreApplier
from skep.bytecode.linking.errors import CannotLink, SettingRequired
from skep.bytecode.linking.externs import ExternResolver, put_in
from skep.bytecode.linking.kconfig import MAP_NAME
from skep.bytecode.linking.layout import Layout, lay_out, needed_functions, resolve
from skep.bytecode.linking.plan import KernelName, Poison, ProgramPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.linking.sharing import MAKES_OBJECTS, SharingObstacle, obstacle_of
from skep.bytecode.linking.targets import target_id
from skep.bytecode.linking.types import TypeFacts
from skep.bytecode.objectfile.exception_callbacks import throws
from skep.bytecode.objectfile.model import Function, ObjectFile, ProgramSpec, Relocation
from skep.bytecode.objectfile.sections import classify, usual_attach_type

SLEEPABLE = 1 << 4
"""``BPF_F_SLEEPABLE``."""
HAS_FRAGS = 1 << 5
"""``BPF_F_XDP_HAS_FRAGS``."""

_TAIL_CALL = 12
_NEEDS_STRUCT = "STRUCT_OPS"
_NEED_TARGETS = frozenset({"TRACING", "LSM", "EXT"})


@dataclass(frozen=True, slots=True)
class KernelSide:
    """Facts of one kernel that one object needs."""

    types: KernelTypes
    externs: ExternResolver


@dataclass(frozen=True, slots=True)
class ProgramLinker:
    """Links the programs of one object.

    Attributes:
        functions: of the object, by name.
        map_indexes: in the plan, by name.
        types: what the kernel is told.
        licence: of all programs.
        core: applies CO-RE records.
        callbacks: exception callbacks, by the program they belong to.
        against: the kernel, ``None`` if its types are not known.
    """

    object_file: ObjectFile
    functions: Mapping[str, Function]
    map_indexes: Mapping[str, int]
    types: TypeFacts
    licence: str
    settings: LinkSettings
    core: CoreApplier
    against: KernelSide | None
    callbacks: Mapping[str, str] = field(default_factory=dict)

    def link(self, spec: ProgramSpec) -> ProgramPlan:
        """The program whose entry is ``spec``.

        Raises:
            SettingRequired, CannotLink, CorruptRelocation: see
                :func:`skep.bytecode.linking.linking.link`.
        """
        against = self.against
        kernel = None if against is None else against.types
        program_type, attach_type, attach_btf_id = _types(spec, self.settings, kernel)
        needed = needed_functions(spec.name, self.functions, self.callbacks)
        callback = self._exception_callback(spec, needed)
        poisons: list[Poison] = []
        names: list[KernelName] = []
        if against is None:
            _check_externs(self.object_file, spec, needed)
        applied = self._applied(spec, needed)
        layout = lay_out(tuple(function for function, _poisons in applied))
        for function, found in applied:
            start = layout.starts[function.name]
            poisons += [replace(each, slot=start + each.slot) for each in found]
        extern = None if against is None else self._extern(against, poisons, names)
        code = resolve(layout, self.map_indexes, extern)
        return ProgramPlan(
            name=spec.name,
            program_type=PROGRAM_TYPES[program_type],
            attach_type=0 if attach_type is None else ATTACH_TYPES[attach_type],
            flags=SLEEPABLE * spec.is_sleepable | HAS_FRAGS * spec.has_frags,
            licence=self.licence,
            instructions=code,
            subprograms=tuple(layout.starts.values()),
            poisons=tuple(sorted(poisons, key=lambda each: each.slot)),
            functions=self.types.functions(layout),
            lines=self.types.lines(layout, code),
            needs_types=bool(callback) or _needs_types(code, layout, names),
            attach_btf_id=attach_btf_id,
            names=tuple(layout.starts),
            kernel_names=tuple(sorted(names)),
            exception_callback=callback,
        )

    def _exception_callback(self, spec: ProgramSpec, needed: tuple[Function, ...]) -> str:
        """The function that the kernel calls when ``spec`` throws; empty for its default."""
        callback = self.callbacks.get(spec.name, "")
        if not callback or not throws(needed):
            return ""
        if callback not in self.functions:
            raise CannotLink(
                f"program {spec.name} names {callback} as its exception callback, which is no "
                "function of the object"
            )
        return callback

    def _applied(
        self, spec: ProgramSpec, needed: tuple[Function, ...]
    ) -> list[tuple[Function, tuple[Poison, ...]]]:
        try:
            return [self.core.apply(function) for function in needed]
        except CannotLink as error:
            if self.against is not None:
                raise
            raise CannotLink(f"program {spec.name}: {error.message}", hint=error.hint) from error

    def _extern(
        self, against: KernelSide, poisons: list[Poison], names: list[KernelName]
    ) -> "_Putting":
        return _Putting(against, self.map_indexes.get(MAP_NAME, 0), poisons, names)


@dataclass(frozen=True, slots=True)
class _Putting:
    """Puts externs in, and notes their names and those that are missing."""

    against: KernelSide
    configuration_index: int
    poisons: list[Poison]
    names: list[KernelName]

    def __call__(self, code: list[Instruction], relocation: Relocation) -> None:
        found = self.against.externs.resolve(relocation.name, relocation.kind)
        if not put_in(code, relocation, found, self.configuration_index):
            self.poisons.append(Poison(relocation.slot, relocation.name, "KERNEL_FUNCTION"))
        name = self.against.externs.kernel_name(relocation, found)
        if name is not None:
            self.names.append(name)


def _needs_types(code: Sequence[Instruction], layout: Layout, names: Sequence[KernelName]) -> bool:
    """Whether the kernel refuses the program without types of its functions.

    That is so for callbacks, for tail calls and packet loads of subprograms
    (``check_abnormal_return`` in kernel/bpf/verifier.c of Linux 6.18), and for objects of types
    of its own.
    """
    if any(each.kind == "function" and each.name in MAKES_OBJECTS for each in names):
        return True
    entry_slots = len(layout.functions[0].instructions)
    slot = 0
    while slot < len(code):
        each = code[slot]
        if each.opcode == LDDW:
            if each.src == PSEUDO_FUNCTION:
                return True
            slot += 1
        elif slot >= entry_slots and (
            (each.opcode == CALL and not each.src and each.immediate == _TAIL_CALL)
            or obstacle_of(each) is SharingObstacle.PACKET_LOAD
        ):
            return True
        slot += 1
    return False


def _types(
    spec: ProgramSpec, settings: LinkSettings, kernel: KernelTypes | None
) -> tuple[str, str | None, int]:
    """Program type, attach type and the type of the hook target in the kernel."""
    stated = settings.program_types.get(spec.name)
    program_type = stated or spec.program_type
    if program_type is None:
        facts = classify(spec.section)
        guess = f"; it may be {facts.suggestion}" if facts.suggestion else ""
        raise SettingRequired(
            f"program {spec.name}: section {spec.section!r} does not tell its type{guess}",
            hint=f"state the program type of {spec.name}",
        )
    is_derived = program_type == spec.program_type
    facts = classify(spec.section)
    target = facts.btf_target if is_derived else None
    if target is not None and kernel is None:
        raise CannotLink(
            f"program {spec.name}: section {spec.section!r} names a target in the types of a "
            "kernel, which cannot be looked up yet"
        )
    if program_type == _NEEDS_STRUCT or (not is_derived and program_type in _NEED_TARGETS):
        raise CannotLink(
            f"program {spec.name}: {program_type} needs the types of a kernel, which cannot be "
            "looked up yet"
        )
    btf_id = 0 if target is None or kernel is None else target_id(spec, target, kernel)
    attach_type = settings.attach_types.get(spec.name)
    if attach_type is None and is_derived:
        attach_type = spec.attach_type
    return program_type, attach_type or usual_attach_type(program_type), btf_id


def _check_externs(
    object_file: ObjectFile, spec: ProgramSpec, needed: tuple[Function, ...]
) -> None:
    details = {extern.name: extern for extern in object_file.extern_details}
    reasons = {
        "kfunc": "calls the kernel function {}, which needs the types of a kernel",
        "kernel_variable": "reads the kernel variable {}, which needs the types of a kernel",
        "kconfig": "depends on the kernel configuration {}, which cannot be linked yet",
        "undeclared": "uses {}, which is neither in the object nor declared as the kernel's: "
        "it loads nowhere",
    }
    for function in needed:
        for relocation in function.relocations:
            if relocation.kind in ("extern_call", "extern_address"):
                extern = details.get(relocation.name)
                reason = reasons[extern.kind if extern is not None else "undeclared"]
                raise CannotLink(
                    f"program {spec.name}: function {function.name} "
                    f"{reason.format(relocation.name)} (instruction {relocation.slot})"
                )
