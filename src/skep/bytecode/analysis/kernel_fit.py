"""Whether an object fits a kernel, judged by the kernel's types or only its version.

With types, the kernel's own answers to the object's CO-RE questions are put in, so that code behind
``bpf_core_field_exists`` counts only where it would run. What can be looked up is looked up: hook
targets, kernel functions and variables, helpers, map types and program types (the enumerations of
``include/uapi/linux/bpf.h`` are part of the types). With a version there is what the tables know;
a version of a vendor that backports says nothing for certain, so what would be ``no`` is
``unknown``. With types and a version both are used, each for what it tells.

A missing field is a warning: the code would be refused only if the kernel's verifier gets there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from skep.bytecode.analysis.assumptions import (
    EXISTENCE,
    Assumptions,
    path_of,
    without_flavour,
)
from skep.bytecode.analysis.fit_findings import LEVELS, FitFinding, KernelFit
from skep.bytecode.analysis.licence import licence_facts
from skep.bytecode.analysis.locating import Locator
from skep.bytecode.analysis.need import Kernel, KernelNeed, kernel_text, release_before
from skep.bytecode.analysis.object_rules import struct_ops_types
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.programs import AnalysedProgram, asked_for, helper_name
from skep.bytecode.analysis.requirements import needs_left
from skep.bytecode.analysis.values import UNKNOWN, Value
from skep.bytecode.analysis.version_fit import fit_to_version
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS
from skep.bytecode.isa.kernel_types import MAP_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.core.fixed import KnownAnswers
from skep.bytecode.linking.core.kinds import DESCRIPTIONS, CoreKind
from skep.bytecode.linking.core.values import resolve_record
from skep.bytecode.linking.errors import SettingRequired
from skep.bytecode.linking.externs import ExternResolver
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.linking.targets import target_id
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile
from skep.bytecode.objectfile.sections import classify
from skep.errors import SkepError
from skep.hooks.struct_ops import STRUCT_OPS
from skep.versions import KernelVersion

_MISSING_IF_ZERO = frozenset({CoreKind.TYPE_SIZE, CoreKind.TYPE_ID_TARGET})
_MAP_NAMES = {number: name for name, number in MAP_TYPES.items()}
__all__ = ["FitFinding", "KernelFit", "fit_to_types", "fit_to_version"]

_FIRST_WITH_TYPES = (5, 2)
_IN_MODULES = frozenset({"hid_bpf_ops"})


def fit_to_types(
    object_file: ObjectFile,
    kernel: KernelTypes,
    *,
    program_types: Mapping[str, str] | None = None,
    version: KernelVersion | None = None,
) -> KernelFit:
    """Look up in the types of a kernel what ``object_file`` needs of it.

    Args:
        program_types: as in :func:`skep.bytecode.analysis.analysing.analyse`.
        version: of the kernel, if it is known and says what the kernel has.
    """
    check = _Check(object_file, kernel)
    preparation = Preparation(object_file, program_types, data_flow=True)
    assumptions = check.assumptions(preparation.assumptions)
    wanted = [program for program in preparation.programs if not program.spec.is_optional]
    left = preparation.assuming(wanted, assumptions)
    found = [*check.order(), *check.shared(wanted)]
    found += check.beyond_types(needs_left(object_file, wanted, left), version)
    licence = licence_facts(object_file.licence, wanted)
    if licence.would_load is False:
        what = "its licence string is not compatible with the GPL"
        found.append(FitFinding(level="no", what=what))
    for program in left:
        found += check.program(program)
    once: dict[tuple[object, ...], FitFinding] = {}
    for each in found:  # programs share functions: the same place is told once
        once.setdefault((each.level, each.what, each.function, each.slot), each)
    ordered = sorted(once.values(), key=lambda finding: LEVELS.index(finding.level))
    return KernelFit(basis="types", findings=tuple(ordered))


class _Check:
    """One object against the types of one kernel."""

    def __init__(self, object_file: ObjectFile, kernel: KernelTypes) -> None:
        self._object = object_file
        self._kernel = kernel
        self._locator = Locator(object_file)
        self._resolver = ExternResolver(object_file, kernel, LinkSettings(), {})
        self._answers: dict[tuple[int, str, int], int | SkepError | None] = {}
        self._known = KnownAnswers.of(object_file)
        self._code = {each.name: each.instructions for each in object_file.functions}
        self._enumerations: dict[str, frozenset[int]] = {}

    def assumptions(self, base: Assumptions) -> Assumptions:
        """``base`` with this kernel's answers put in."""
        answers = {function: dict(known) for function, known in base.answers.items()}
        for record in self._object.core_relocations:
            if record.slot in answers.get(record.function, ()):
                answer = self._answer(record)
                answers[record.function][record.slot] = (
                    answer if isinstance(answer, int) and answer >= 0 else UNKNOWN
                )
        weak: dict[str, Value] = {}
        for extern in self._object.extern_details:
            if extern.is_weak and extern.kind in {"kfunc", "kernel_variable"}:
                kind = Kind.FUNC if extern.kind == "kfunc" else Kind.VAR
                weak[extern.name] = int(bool(self._kernel.candidates(extern.name, kind)))
        return replace(base, answers=answers, weak=weak)

    def shared(self, programs: list[AnalysedProgram]) -> Iterator[FitFinding]:
        """What concerns the object as a whole."""
        for program in programs:
            if program.spec.program_type is None:
                what = "its type is not known, so only what every type needs was looked at"
                yield FitFinding(level="warning", what=what, program=program.spec.name)
        known = self._numbers("bpf_map_type")
        used = {relocation.name for each in programs for _, relocation in each.references}
        for spec in self._object.maps:
            if spec.name in used and known and spec.map_type not in known:
                name = _MAP_NAMES.get(spec.map_type, f"map type {spec.map_type}")
                yield FitFinding(level="no", what=f"map {spec.name}: this kernel has no {name}")
        for name in struct_ops_types(self._object):
            plain = name.partition("___")[0]
            if not self._kernel.candidates(f"bpf_struct_ops_{plain}", Kind.STRUCT):
                level = "warning" if plain in _IN_MODULES or plain not in STRUCT_OPS else "no"
                yield FitFinding(level=level, what=f"this kernel has no struct_ops type {plain}")

    def order(self) -> Iterator[FitFinding]:
        """Whether object and kernel are for machines of the same byte order."""
        own, other = self._object.byteorder, self._kernel.table.byteorder
        if own != other:
            what = f"the object is for {own}-endian machines, this kernel is {other}-endian"
            yield FitFinding(level="no", what=what)

    def beyond_types(
        self, needs: Iterable[KernelNeed], version: KernelVersion | None
    ) -> Iterator[FitFinding]:
        """What a kernel's types do not tell, by its version, or by how old the types look."""
        looks = self._looks_like()
        for need in needs:
            if need.optional:
                continue
            place = (need.program, need.function, need.slot)
            if need.refused:
                hint = f"; {need.hint}" if need.hint else ""
                yield self._placed("no", f"no kernel loads it: {need.refused}{hint}", place)
            elif need.from_types:
                continue
            elif version is not None and KernelVersion(*need.kernel) > version:
                text = f"{need.what} needs Linux {kernel_text(need.kernel)}"
                yield self._placed("no", text, place)
            elif version is not None and need.gone and KernelVersion(*need.gone) <= version:
                last = kernel_text(release_before(need.gone))
                text = f"{need.what} is not in kernels after Linux {last}"
                yield self._placed("no", text, place)
            elif version is None and looks is not None and need.kernel > looks:
                text = (
                    f"{need.what} needs Linux {kernel_text(need.kernel)}; "
                    f"by its types this kernel may be as old as {kernel_text(looks)}"
                )
                yield self._placed("warning", text, place)

    def _looks_like(self) -> Kernel | None:
        """The newest release something in the types is from; ``None`` if they do not tell."""
        found = [
            HELPERS[number].first_kernel
            for number in self._numbers("bpf_func_id")
            if number in HELPERS
        ]
        if not found:
            return None
        found += [
            first
            for name, first in KERNEL_FUNCTIONS.items()
            if first is not None
            and name.startswith(("bpf_", "scx_bpf_"))
            and self._kernel.candidates(name, Kind.FUNC)
        ]
        return max(_FIRST_WITH_TYPES, *found)

    def _placed(self, level: str, what: str, place: tuple[str, str, int | None]) -> FitFinding:
        program, function, slot = place
        line = self._locator.line(function, slot) if function and slot is not None else None
        return FitFinding(
            level=level,
            what=what,
            program=program,
            function=function,
            slot=slot,
            file="" if line is None else line.file,
            line=None if line is None else line.line,
            text="" if line is None else line.text.strip(),
        )

    def program(self, program: AnalysedProgram) -> Iterator[FitFinding]:
        """What concerns one program, of which only what this kernel reaches is left."""
        yield from self._type(program)
        yield from self._calls(program)
        yield from self._variables(program)
        yield from self._fields(program)

    def _type(self, program: AnalysedProgram) -> Iterator[FitFinding]:
        spec = program.spec
        known = self._numbers("bpf_prog_type")
        number = PROGRAM_TYPES.get(spec.program_type or "")
        if known and number is not None and number not in known:
            yield FitFinding(
                level="no", what=f"this kernel has no {spec.program_type}", program=spec.name
            )
        target = classify(spec.section).btf_target if program.type_source == "section" else None
        if target is None:
            return
        if target.place == "program":
            yield FitFinding(
                level="note",
                what="its target is a function of another program",
                program=spec.name,
            )
            return
        try:
            target_id(spec, target, self._kernel)
        except SkepError as error:
            yield FitFinding(
                level="no",
                what=f"target: {error.message.removeprefix(f'program {spec.name}: ')}",
                program=spec.name,
            )

    def _calls(self, program: AnalysedProgram) -> Iterator[FitFinding]:
        known = self._numbers("bpf_func_id")
        for call in program.calls:
            if call.helper is not None and known and call.helper not in known:
                what = f"this kernel has no helper {helper_name(call.helper)} ({call.helper})"
                yield self._at(program, "no", what, call.function, call.slot)
            if call.kernel_function is not None:
                yield from self._extern(
                    program, call.kernel_function, "extern_call", (call.function, call.slot)
                )

    def _variables(self, program: AnalysedProgram) -> Iterator[FitFinding]:
        for function, relocation in program.references:
            if relocation.kind == "extern_address":
                extern = program.externs.get(relocation.name)
                if extern is not None and extern.kind == "kconfig":
                    what = f"it depends on {extern.name}, which BTF does not contain"
                    yield FitFinding(level="note", what=what, program=program.spec.name)
                    continue
                yield from self._extern(
                    program, relocation.name, relocation.kind, (function, relocation.slot)
                )

    def _extern(
        self, program: AnalysedProgram, name: str, kind: str, place: tuple[str, int]
    ) -> Iterator[FitFinding]:
        extern = next(
            (
                each
                for each in self._object.extern_details
                if each.name == name or each.name.partition("___")[0] == name
            ),
            None,
        )
        try:
            found = self._resolver.resolve(name if extern is None else extern.name, kind)
        except SettingRequired:
            what = f"it needs the address of {name}, which BTF does not contain"
            yield self._at(program, "note", what, *place)
        except SkepError as error:
            yield self._at(program, "no", error.message, *place)
        else:
            is_called = kind == "extern_call" and name not in asked_for([program])
            if found.kind == "missing" and is_called:
                what = f"this kernel has no kernel function {name}, and the object needs it"
                yield self._at(program, "no", what, *place)
            elif found.kind == "missing":
                what = f"this kernel has no {name}; the object works without it"
                yield self._at(program, "note", what, *place)

    def _fields(self, program: AnalysedProgram) -> Iterator[FitFinding]:
        blocks = {
            flow.function.name: [(block.start, block.end) for block in flow.blocks.values()]
            for flow in program.graph.functions
        }
        for record in self._object.core_relocations:
            inside = any(
                start <= record.slot < end for start, end in blocks.get(record.function, ())
            )
            if not inside:
                continue
            answer = self._answer(record)
            what = DESCRIPTIONS[record.kind]
            if isinstance(answer, SkepError):
                yield self._at(program, "no", answer.message, record.function, record.slot)
            elif record.kind in EXISTENCE and answer == 0:
                lacks = "has another" if record.kind == CoreKind.TYPE_MATCHES else "has no"
                text = f"this kernel {lacks} {self._path(record)}; the object checks for it first"
                yield self._at(program, "note", text, record.function, record.slot)
            elif answer is None or (answer == 0 and record.kind in _MISSING_IF_ZERO):
                text = f"this kernel has no {self._path(record)} ({what})"
                yield self._at(program, "warning", text, record.function, record.slot)

    def _path(self, record: CoreRelocation) -> str:
        path = path_of(self._object.types, record)
        root = without_flavour(record.root)
        return f"{root}.{path}" if path else root

    def _answer(self, record: CoreRelocation) -> int | SkepError | None:
        """The kernel's answer; ``None`` if it has none, an error if nobody can tell."""
        types = self._object.types
        key = (record.type_id, record.access, record.kind)
        if types is None or record.kind == CoreKind.TYPE_ID_LOCAL:
            return 0 if types is None else record.type_id
        if not self._kernel.candidates(record.root, types.kind(record.type_id)) and (
            self._known.settles(record, self._code[record.function])
        ):
            return 0  # a layout that never changes, left out of the types
        if key not in self._answers:
            self._answers[key] = self._resolved(record)
        return self._answers[key]

    def _resolved(self, record: CoreRelocation) -> int | SkepError | None:
        types = self._object.types
        if types is None:
            raise AssertionError  # records are read only together with types
        try:
            found = resolve_record(record, types, self._kernel, self._object.byteorder)
        except SkepError as error:
            return error
        return None if found.target is None else found.target.value

    def _numbers(self, name: str) -> frozenset[int]:
        """Values of an enumeration of the kernel; empty if it is not among the types."""
        known = self._enumerations.get(name)
        if known is None:
            known = frozenset(
                enumerator.value
                for type_id in self._kernel.find(name, Kind.ENUM)
                for enumerator in self._kernel.type(type_id).enumerators
            )
            self._enumerations[name] = known
        return known

    def _at(
        self, program: AnalysedProgram, level: str, what: str, function: str, slot: int
    ) -> FitFinding:
        return self._placed(level, what, (program.spec.name, function, slot))
