"""What an object needs from a kernel, and what it leaves for others to say."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from skep.bytecode.analysis.attach_targets import attach_targets
from skep.bytecode.analysis.core_needs import (
    LineOf,
    core_needs,
    records_of,
    roots_of,
    tested_helpers,
)
from skep.bytecode.analysis.instruction_sets import InstructionUse, all_uses
from skep.bytecode.analysis.kernel_options import kernel_options
from skep.bytecode.analysis.need import (
    KernelNeed,
    Places,
    kernel_text,
    newest_of,
    oldest_of,
    without_calls,
)
from skep.bytecode.analysis.object_rules import struct_ops_links, struct_ops_types
from skep.bytecode.analysis.oldest_kernel import (
    limits_of,
    map_needs,
    optional_reasons,
    program_needs,
    reasons_of,
    refusals_of,
    struct_ops_needs,
    unknown_uses,
)
from skep.bytecode.analysis.programs import AnalysedProgram, asked_for, externs_of, kernel_variables
from skep.bytecode.analysis.refusals import CodeChecks, code_refusals
from skep.bytecode.analysis.report_needs import Requirements, Target, ToSet
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.linking.core.fixed import KnownAnswers, is_without_kernel
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.bytecode.objectfile.sections import classify

# Map types whose size is not a number of entries, or which loaders set themselves.
_SIZE_IS_OPTIONAL = frozenset(
    [
        "PERF_EVENT_ARRAY",
        "SK_STORAGE",
        "INODE_STORAGE",
        "TASK_STORAGE",
        "CGRP_STORAGE",
        "CGROUP_STORAGE",
        "PERCPU_CGROUP_STORAGE",
        "STRUCT_OPS",
    ]
)
_OF_MAPS = frozenset({"ARRAY_OF_MAPS", "HASH_OF_MAPS"})


class Presence:
    """Which helper calls each program reaches on a kernel that has what it asks for, or not.

    ``None`` where the program asks for nothing, or data flow cannot tell.
    """

    def __init__(self, absent: Sequence[Places | None], present: Sequence[Places | None]) -> None:
        """One entry for each program."""
        self.absent = tuple(absent)
        self.present = tuple(present)


class Needs:
    """Everything the programs of an object need that exists since some kernel."""

    def __init__(
        self,
        object_file: ObjectFile,
        programs: Sequence[AnalysedProgram],
        uses: Sequence[Sequence[InstructionUse]],
        presence: Presence,
    ) -> None:
        """Collect them.

        Args:
            uses: instructions used, one sequence for each of ``programs``.
        """
        tested = tested_helpers(object_file)
        self.object_file = object_file
        self.programs = programs
        self.uses = uses
        self.presence = presence
        types = struct_ops_types(object_file)
        checks = CodeChecks()
        self._broken: list[tuple[str, ...]] = []
        self._own: list[list[KernelNeed]] = []
        for program, used in zip(programs, uses, strict=True):
            broken = list(code_refusals(program, used, checks))
            own = [*program_needs(program, used, tested, types), *broken]
            if program.spec.is_optional:
                own = [replace(need, optional=need.optional or "not default") for need in own]
            self._broken.append(tuple(need.refused for need in broken))
            self._own.append(own)
        is_link = struct_ops_links(object_file)
        self._struct_ops = list(struct_ops_needs(types, is_link=is_link))

    def all(self, kept: Sequence[Places | None] | None = None) -> list[KernelNeed]:
        """All of them, with what does not count marked.

        Args:
            kept: helper calls that are left with known constants, by program.
        """
        absent, present = self.presence.absent, self.presence.present
        found: list[list[KernelNeed]] = []
        for answers in (absent,) if absent == present else (absent, present):
            needs: list[KernelNeed] = []
            for index, own in enumerate(self._own):
                left = without_calls(own, answers[index], "tested")
                needs += without_calls(left, kept[index] if kept else None, "switched off")
            found.append([*needs, *map_needs(self.object_file, needs), *self._struct_ops])
        return min(found, key=oldest_of)

    def oldest_kernel(self, index: int) -> str:
        """Oldest kernel of one program, by its code and type; maps are the object's."""
        also = frozenset({"not default"})
        return kernel_text(
            min(
                oldest_of(without_calls(self._own[index], answers[index], "tested"), also=also)
                for answers in (self.presence.absent, self.presence.present)
            )
        )

    def broken(self, index: int) -> tuple[str, ...]:
        """Why nothing runs the code of one program, whatever it runs on."""
        return self._broken[index]


def needs_left(
    object_file: ObjectFile, programs: Sequence[AnalysedProgram], left: Sequence[AnalysedProgram]
) -> list[KernelNeed]:
    """Requirements that remain after a kernel's answers remove parts of the code.

    Args:
        programs: as the object has them: what is wrong with code counts, reached or not.
        left: the same, with the parts that one kernel reaches.
    """
    types = struct_ops_types(object_file)
    checks = CodeChecks()
    found: list[KernelNeed] = []
    for whole, used in zip(programs, all_uses(programs), strict=True):
        found += code_refusals(whole, used, checks)
    tested = tested_helpers(object_file)
    for program, used in zip(left, all_uses(left), strict=True):
        # What a kernel's answers could not drop may still be behind a question.
        found += program_needs(program, used, frozenset() if program.is_resolved else tested, types)
    return [*found, *map_needs(object_file, found)]


def requirements_of(found: Needs, line_of: LineOf) -> Requirements:
    """What the object's programs need."""
    object_file, programs, uses = found.object_file, found.programs, found.uses
    needs = found.all()
    oldest, newest = oldest_of(needs), newest_of(needs)
    needs_btf = _needs_btf(object_file, programs)
    return Requirements(
        oldest_kernel=kernel_text(oldest),
        reasons=reasons_of(need for need in needs if not need.optional),
        optional=optional_reasons(needs, oldest),
        unknown_first_kernels=tuple(unknown_uses(programs, uses)),
        needs_btf=needs_btf,
        types_read=roots_of(object_file, programs),
        kernel_configuration=tuple(
            extern.name for extern in object_file.extern_details if extern.kind == "kconfig"
        ),
        kernel_symbols=tuple(
            {
                relocation.name: None
                for program in programs
                for _, relocation in kernel_variables(program)
            }
        ),
        targets=tuple(_targets(programs)),
        sizes_to_set=tuple(spec.name for spec in object_file.maps if _is_open(spec)),
        missing=tuple({name: None for program in programs for name in program.missing}),
        core=core_needs(object_file, programs, line_of),
        attach=attach_targets(programs),
        configuration=kernel_options(programs, object_file.maps, needs_btf=needs_btf == "yes"),
        to_set=tuple(_to_set(object_file, programs)),
        newest_kernel=None if newest is None else kernel_text(newest),
        newest_reasons=limits_of(needs),
        refused=refusals_of(needs),
    )


def _is_open(spec: MapSpec) -> bool:
    name = MAP_TYPE_NAMES.get(spec.map_type)
    return not spec.max_entries and name not in _SIZE_IS_OPTIONAL and spec.data is None


def _to_set(object_file: ObjectFile, programs: Sequence[AnalysedProgram]) -> Iterator[ToSet]:
    for spec in object_file.maps:
        if _is_open(spec):
            yield ToSet(kind="size", name=spec.name, what="how many entries the map has")
        if MAP_TYPE_NAMES.get(spec.map_type) in _OF_MAPS and spec.inner is None:
            yield ToSet(kind="inner map", name=spec.name, what="what the inner maps are like")
    for program in programs:
        if program.spec.program_type is None:
            what = f"section {program.spec.section} does not tell the program's type"
            yield ToSet(kind="type", name=program.spec.name, what=what)
    for target in attach_targets(programs):
        if target.chosen == "when attached":
            what = f"which {target.kind} it attaches to"
            yield ToSet(kind="target", name=target.program, what=what)
    if object_file.licence is None:
        yield ToSet(kind="licence", name="", what="the licence string the kernel looks at")


def _needs_btf(object_file: ObjectFile, programs: Sequence[AnalysedProgram]) -> str:
    if any(_targets(programs)) or any(
        program.spec.program_type == "STRUCT_OPS" for program in programs
    ):
        return "yes"
    asked = asked_for(programs)
    for extern in externs_of(object_file).values():
        if extern.kind in {"kfunc", "kernel_variable"}:
            name = extern.name.partition("___")[0]
            if not extern.is_weak or (extern.kind == "kfunc" and name not in asked):
                return "yes"
    records = list(records_of(object_file, programs))
    known = KnownAnswers.of(object_file)
    code = {function.name: function.instructions for function in object_file.functions}
    for record in records:
        if not is_without_kernel(record) and not known.settles(record, code[record.function]):
            return "yes"
    return "formally" if records else "no"


def _targets(programs: Sequence[AnalysedProgram]) -> Iterator[Target]:
    for program in programs:
        wanted = classify(program.spec.section).btf_target
        if wanted is None or not program.spec.target or program.type_source != "section":
            continue
        yield Target(
            program=program.spec.name,
            place=wanted.place,
            kind=wanted.kind,
            name=f"{wanted.prefix}{program.spec.target}",
        )
