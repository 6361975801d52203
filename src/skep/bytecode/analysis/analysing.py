"""The front door: an object file becomes an :class:`AnalysisReport`.

Pure: nothing but the object's values and our tables goes in. The tables are loaded with this
module, so import it where something is analysed, not where reports are read or shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from skep.bytecode.analysis.contexts import ContextLayout, layout_of
from skep.bytecode.analysis.control_flow import Flows
from skep.bytecode.analysis.cost import longest_path, map_cost, stack_bytes, total
from skep.bytecode.analysis.data_flow import Budget, DataFlow
from skep.bytecode.analysis.errors import TooComplex
from skep.bytecode.analysis.findings import Finding
from skep.bytecode.analysis.flow_rules import flow_findings
from skep.bytecode.analysis.instruction_sets import InstructionUse, groups_of, level_of, uses_of
from skep.bytecode.analysis.licence import licence_facts
from skep.bytecode.analysis.permissions import combinations, program_permissions, union
from skep.bytecode.analysis.programs import (
    POISON,
    Program,
    calls_of,
    exit_numbers,
    externs_of,
    helper_name,
    references_of,
)
from skep.bytecode.analysis.report import (
    AnalysisReport,
    Cost,
    Evidence,
    HelperUse,
    ProgramReport,
    TailCall,
)
from skep.bytecode.analysis.requirements import (
    oldest_kernel_of,
    requirements_of,
    struct_ops_types,
    tested_helpers,
)
from skep.bytecode.analysis.static_rules import object_findings, static_findings
from skep.bytecode.analysis.taxonomy import TAXONOMY_VERSION
from skep.bytecode.analysis.values import MAP, Pointer, Value, constants
from skep.bytecode.isa.first_kernels import PROGRAM_TYPES
from skep.bytecode.objectfile.model import ObjectFile, ProgramSpec, SourceLine
from skep.bytecode.objectfile.records import line_at
from skep.bytecode.objectfile.sections import usual_attach_type

_TAIL_CALL = 12
_MOST_TAIL_CALLS = 256
_MOST_FUNCTIONS = 20_000
_MOST_INSTRUCTIONS = 4_000_000


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
    flows = Flows(object_file.functions)
    _check_work(object_file, flows)
    interpreters: dict[str, DataFlow] = {}
    budget = Budget()
    programs = []
    for spec in object_file.programs:
        stated = (program_types or {}).get(spec.name)
        programs.append(
            _prepare(object_file, spec, stated, flows, interpreters if data_flow else None, budget)
        )
    uses_by_function: dict[str, list[InstructionUse]] = {}
    uses = [_uses(program, uses_by_function) for program in programs]
    struct_ops = struct_ops_types(object_file)
    findings = [
        [*static_findings(program, struct_ops), *flow_findings(program)] for program in programs
    ]
    whole = list(object_findings(object_file.maps))
    everything = [*whole, *(each for found in findings for each in found)]
    for program, used in zip(programs, uses, strict=True):
        everything += _unknown_instructions(program, used)
    permissions = union(everything, _Locator(object_file).evidence)
    tested = tested_helpers(object_file)
    reports = tuple(
        _report(program, used, found, tested)
        for program, used, found in zip(programs, uses, findings, strict=True)
    )
    return AnalysisReport(
        taxonomy=TAXONOMY_VERSION,
        programs=reports,
        permissions=permissions,
        combinations=combinations(permissions),
        requirements=requirements_of(object_file, programs, uses),
        licence=licence_facts(object_file.licence, programs),
        cost=_cost(object_file, reports),
        remarks=tuple(_remarks(object_file, programs)),
    )


def _check_work(object_file: ObjectFile, flows: Flows) -> None:
    # Every program is analysed with all it reaches: 20,000 programs of two instructions that call
    # one another in a chain would take hours.
    functions = instructions = 0
    for spec in object_file.programs:
        reached = flows.graph(_function_of(spec, flows)).functions
        functions += len(reached)
        instructions += sum(len(flow.function.instructions) for flow in reached)
        if functions > _MOST_FUNCTIONS or instructions > _MOST_INSTRUCTIONS:
            raise TooComplex(
                f"expected programs that reach at most {_MOST_FUNCTIONS} functions and "
                f"{_MOST_INSTRUCTIONS} instructions together, got more by program {spec.name!r}",
                hint="split the object: its programs share too much code to be analysed",
            )


def _prepare(
    object_file: ObjectFile,
    spec: ProgramSpec,
    stated: str | None,
    flows: Flows,
    interpreters: dict[str, DataFlow] | None,
    budget: Budget,
) -> Program:
    if stated == spec.program_type:
        stated = None  # the section says the same: nobody has to be believed
    if stated is not None:
        spec = replace(spec, program_type=stated, attach_type=usual_attach_type(stated))
    name = _function_of(spec, flows)
    layout = layout_of(spec.program_type, is_known_type=spec.program_type in PROGRAM_TYPES)
    graph = flows.graph(name)
    externs = externs_of(object_file)
    missing: dict[str, None] = dict.fromkeys(graph.missing)
    calls = [call for flow in graph.functions for call in calls_of(flow, externs, missing)]
    facts = entry = None
    if interpreters is not None and graph.functions:
        facts = _interpreter(interpreters, flows, layout, budget).program(name)
        entry = next(iter(facts))
    return Program(
        spec=spec,
        type_source="section" if stated is None else "stated",
        layout=layout,
        graph=graph,
        calls=tuple(calls),
        missing=tuple(missing),
        facts=facts,
        entry=entry,
        references=tuple(each for flow in graph.functions for each in references_of(flow)),
        maps={each.name: each for each in object_file.maps},
        externs=externs,
    )


def _function_of(spec: ProgramSpec, flows: Flows) -> str:
    """Name of the program's function; qualified by the section if names collide."""
    for name in (spec.name, f"{spec.section}:{spec.name}"):
        if flows.section_of(name) == spec.section:
            return name
    return spec.name


def _interpreter(
    interpreters: dict[str, DataFlow], flows: Flows, layout: ContextLayout, budget: Budget
) -> DataFlow:
    found = interpreters.get(layout.name)
    if found is None:
        found = interpreters[layout.name] = DataFlow(flows, layout, budget)
    return found


def _uses(program: Program, known: dict[str, list[InstructionUse]]) -> list[InstructionUse]:
    found: list[InstructionUse] = []
    for flow in program.graph.functions:
        name = flow.function.name
        if name not in known:
            known[name] = uses_of(flow)
        found += known[name]
    return found


def _unknown_instructions(program: Program, used: Sequence[InstructionUse]) -> list[Finding]:
    from_nowhere = [use for use in used if use.facts is None or use.facts.first_kernel is None]
    return [
        Finding(
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


class _Locator:
    """Finds section slots and source lines of findings."""

    def __init__(self, object_file: ObjectFile) -> None:
        self._functions = {function.name: function for function in object_file.functions}
        self._source_lines = object_file.source_lines

    def evidence(self, finding: Finding) -> Evidence:
        """The finding as it stands in a report."""
        function = self._functions.get(finding.function)
        line = self._line(finding)
        return Evidence(
            program=finding.program,
            kind=finding.kind,
            what=finding.what,
            function=finding.function,
            slot=finding.slot,
            section_slot=(
                None
                if function is None or finding.slot is None
                else function.section_slot + finding.slot
            ),
            file="" if line is None else line.file,
            line=None if line is None else line.line,
            text="" if line is None else line.text.strip(),
        )

    def _line(self, finding: Finding) -> SourceLine | None:
        if finding.slot is None:
            return None
        return line_at(self._source_lines, finding.function, finding.slot)


def _report(
    program: Program,
    used: Sequence[InstructionUse],
    findings: Sequence[Finding],
    tested: frozenset[str],
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
        oldest_kernel=oldest_kernel_of(program, used, tested),
        permissions=program_permissions(findings),
        is_resolved=program.is_resolved,
    )


def _exit_values(program: Program) -> tuple[int, ...] | None:
    exits = program.exits()
    if exits is None:
        return None
    found: set[int] = set()
    for _, value in exits:
        known = exit_numbers(value)
        if known is None or known[1]:
            return None
        found |= known[0]
    return tuple(sorted(found))


def _tail_calls(program: Program) -> tuple[TailCall, ...]:
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
    return value.name or None if is_map and isinstance(value, Pointer) else None


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


def _remarks(object_file: ObjectFile, programs: Sequence[Program]) -> list[str]:
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
            f"program {name}: calls {missing}, which nothing provides"
            for missing in program.missing
        ]
    return remarks
