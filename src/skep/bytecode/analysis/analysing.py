"""The front door: an object file becomes an :class:`AnalysisReport`.

Pure: nothing but the object's values and our tables goes in. The tables are loaded with this
module, so import it where something is analysed, not where reports are read or shown.
"""

from collections.abc import Mapping, Sequence

from skep.bytecode.analysis.configuring import configured, findings_of, presence_of
from skep.bytecode.analysis.cost import longest_path, map_cost, stack_bytes, total
from skep.bytecode.analysis.findings import CodeFinding
from skep.bytecode.analysis.instruction_sets import InstructionUse, all_uses, groups_of, level_of
from skep.bytecode.analysis.licence import licence_facts
from skep.bytecode.analysis.locating import Locator
from skep.bytecode.analysis.object_rules import object_findings, struct_ops_types
from skep.bytecode.analysis.permissions import combinations, program_permissions, union
from skep.bytecode.analysis.portability import runtimes_of
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.programs import AnalysedProgram, exit_numbers, helper_name
from skep.bytecode.analysis.report import (
    AnalysisReport,
    Cost,
    HelperUse,
    ProgramReport,
    TailCall,
)
from skep.bytecode.analysis.requirements import Needs, requirements_of
from skep.bytecode.analysis.standards import standards_of
from skep.bytecode.analysis.taxonomy import TAXONOMY_VERSION
from skep.bytecode.analysis.values import MAP, Pointer, Value, constants, names_of
from skep.bytecode.isa.codes import POISON
from skep.bytecode.objectfile.model import ObjectFile

_TAIL_CALL = 12
_MOST_TAIL_CALLS = 256


def analyse(
    object_file: ObjectFile,
    *,
    program_types: Mapping[str, str] | None = None,
    data_flow: bool = True,
) -> AnalysisReport:
    """Say what the programs of an object may do, need, cost and are licensed as.

    Args:
        program_types: types stated by the package's metadata, by function; they win over what
            section names say.
        data_flow: without it everything that depends on values is ``possible``; several times
            faster.

    Raises:
        TooComplex: if programs share so much code that they reach more than 20,000 functions or
            4,000,000 instructions together, each counted once per program. The most seen in real
            objects are 144 and 128,369.
    """
    preparation = Preparation(object_file, program_types, data_flow=data_flow)
    return report_of(object_file, preparation)


def report_of(
    object_file: ObjectFile, preparation: Preparation, *, has_settings: bool = True
) -> AnalysisReport:
    """See :func:`analyse`.

    Args:
        has_settings: a loader may still set constants, so what is left with those of the object
            is a question of its own.
    """
    programs = preparation.programs
    uses = all_uses(programs)
    struct_ops = struct_ops_types(object_file)
    findings = [findings_of(program, struct_ops) for program in programs]
    whole = list(object_findings(object_file))
    everything = [*whole, *(each for found in findings for each in found)]
    for program, used in zip(programs, uses, strict=True):
        everything += _unknown_instructions(program, used)
    locator = Locator(object_file)
    permissions = union(everything, locator.evidence)
    needs = Needs(object_file, programs, uses, presence_of(preparation, object_file))
    reports = tuple(
        _report(program, used, found, needs.oldest_kernel(index))
        for index, (program, used, found) in enumerate(zip(programs, uses, findings, strict=True))
    )
    broken = [needs.broken(index) for index in range(len(programs))]
    return AnalysisReport(
        taxonomy=TAXONOMY_VERSION,
        programs=reports,
        permissions=permissions,
        combinations=combinations(permissions),
        requirements=requirements_of(needs, locator.line),
        licence=licence_facts(object_file.licence, programs),
        cost=_cost(object_file, reports),
        remarks=tuple(_remarks(object_file, programs)),
        as_built=configured(preparation, needs, findings, {}) if has_settings else None,
        standards=standards_of(object_file, preparation, reports, broken),
        runtimes=runtimes_of(object_file, programs, reports, broken),
    )


def _unknown_instructions(
    program: AnalysedProgram, used: Sequence[InstructionUse]
) -> list[CodeFinding]:
    from_nowhere = [use for use in used if use.facts is None or use.facts.first_kernel is None]
    return [
        CodeFinding(
            permission="unknown",
            confidence="declared",
            kind="E",
            what=f"instruction {use.opcode:#04x}",
            program=program.spec.name,
            function=use.function,
            slot=use.slot,
            scope="",
            severity="high",
        )
        for use in from_nowhere
    ]


def _report(
    program: AnalysedProgram,
    used: Sequence[InstructionUse],
    findings: Sequence[CodeFinding],
    oldest_kernel: str,
) -> ProgramReport:
    spec = program.spec
    functions = program.graph.functions
    helpers: dict[int, int] = {}
    for call in program.calls:
        if call.helper is not None:
            helpers[call.helper] = helpers.get(call.helper, 0) + 1
    maps = {
        relocation.name: None
        for _, relocation in program.references
        if relocation.kind in {"map", "map_value"}
    }
    kernel_functions = {call.kernel_function for call in program.calls} - {None}
    return ProgramReport(
        name=spec.name,
        section=spec.section,
        program_type=spec.program_type,
        type_source=program.type_source,
        attach_type=spec.attach_type,
        target=spec.target,
        is_default=not spec.is_optional,
        instructions=sum(len(flow.function.instructions) for flow in functions),
        reachable_instructions=sum(flow.instructions for flow in functions),
        functions=tuple(flow.function.name for flow in functions),
        helpers=tuple(
            HelperUse(id=number, name=helper_name(number), calls=count)
            for number, count in sorted(helpers.items())
        ),
        kernel_functions=tuple(sorted(name for name in kernel_functions if name is not None)),
        maps=tuple(maps),
        exit_values=_exit_values(program),
        tail_calls=_tail_calls(program),
        loops=sum(len(flow.back_edges) for flow in functions),
        longest_path=longest_path(program),
        stack_bytes=stack_bytes(program),
        groups=groups_of(used),
        level=level_of(used),
        oldest_kernel=oldest_kernel,
        permissions=program_permissions(findings),
        is_resolved=program.is_resolved,
    )


def _exit_values(program: AnalysedProgram) -> tuple[int, ...] | None:
    exits = program.exits()
    if not exits:
        return None
    found: set[int] = set()
    for each in exits:
        known = exit_numbers(each.value)
        if known is None or known[1]:
            return None
        found |= known[0]
    return tuple(sorted(found))


def _tail_calls(program: AnalysedProgram) -> tuple[TailCall, ...]:
    found: dict[tuple[str, int, str | None, tuple[int, ...] | None], None] = {}
    for call in program.calls:
        if call.helper != _TAIL_CALL:
            continue
        seen: list[tuple[Value, ...] | None] = [*program.arguments(call)]
        for given in seen or [None]:
            target = None if given is None else _map_name(given[1])
            numbers = None if given is None else constants(given[2])
            indexes = None if numbers is None else tuple(sorted(n & 0xFFFF_FFFF for n in numbers))
            found[call.function, call.slot, target, indexes] = None
    return tuple(
        TailCall(function=function, slot=slot, map=target, indexes=indexes)
        for function, slot, target, indexes in list(found)[:_MOST_TAIL_CALLS]
    )


def _map_name(value: Value) -> str | None:
    is_map = isinstance(value, Pointer) and value.kinds == MAP
    names = names_of(value) if is_map and isinstance(value, Pointer) else ()
    return names[0] if len(names) == 1 else None


def _cost(object_file: ObjectFile, programs: Sequence[ProgramReport]) -> Cost:
    maps = tuple(map(map_cost, object_file.maps))
    map_bytes, per_cpu = total(maps)
    default = [program for program in programs if program.is_default]
    paths = [program.longest_path for program in default]
    stacks = [program.stack_bytes for program in default]
    return Cost(
        instructions=sum(program.instructions for program in default),
        map_bytes=map_bytes,
        map_bytes_per_cpu=per_cpu,
        longest_path=_most(paths),
        stack_bytes=_most(stacks),
        maps=maps,
    )


def _most(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None


def _remarks(object_file: ObjectFile, programs: Sequence[AnalysedProgram]) -> list[str]:
    remarks = list(object_file.remarks)
    for program in programs:
        name = program.spec.name
        if program.facts is not None and not program.is_resolved:
            remarks.append(f"program {name}: too complex to resolve by data flow")
        if program.graph.recursive:
            remarks.append(f"program {name}: functions call themselves; no kernel accepts it")
        if any(flow.leaves_function for flow in program.graph.functions):
            remarks.append(
                f"program {name}: a jump leads out of its function; no kernel accepts it"
            )
        if any(call.helper == POISON for call in program.calls):
            remarks.append(
                f"program {name}: loads only where the kernel finds a poisoned call dead"
            )
        remarks += [
            f"program {name}: calls {missing}, which no kernel provides"
            for missing in program.missing
        ]
    return remarks
