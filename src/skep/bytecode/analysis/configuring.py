"""What remains of an object if a kernel or constants switch parts of it off.

A kernel's verifier follows only what values let control reach, and drops the rest before a program
runs. So a helper behind ``if (!flag)``, ``flag`` a constant, need not exist; a permission that is
shown there only is not used as configured. Loaders may set constants, so none of this lowers the
label: it is an answer to "and as it is built?", and to "with this setting?".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from skep.bytecode.analysis.assumptions import with_constants, with_presence
from skep.bytecode.analysis.findings import CodeFinding
from skep.bytecode.analysis.flow_rules import flow_findings
from skep.bytecode.analysis.instruction_sets import all_uses
from skep.bytecode.analysis.need import Places, call_places, kernel_text, oldest_of
from skep.bytecode.analysis.object_rules import struct_ops_types
from skep.bytecode.analysis.oldest_kernel import FOLDED, reasons_of
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.programs import AnalysedProgram, helper_name
from skep.bytecode.analysis.report_standing import Configured, GonePermission
from skep.bytecode.analysis.requirements import Needs, Presence
from skep.bytecode.analysis.static_rules import static_findings
from skep.bytecode.objectfile.model import ObjectFile


def configure(
    object_file: ObjectFile,
    variables: Mapping[str, bytes],
    *,
    program_types: Mapping[str, str] | None = None,
) -> Configured:
    """Say what a kernel drops from an object whose constants have certain values.

    Args:
        variables: content of constants by name, as in the linker's settings; all others keep what
            the object has.
        program_types: as in :func:`analyse`.

    Raises:
        UsageError: for a name that is no constant of the object, or a value of another size.
    """
    preparation = Preparation(object_file, program_types, data_flow=True)
    programs = preparation.programs
    presence = presence_of(preparation, object_file)
    needs = Needs(object_file, programs, all_uses(programs), presence)
    struct_ops = struct_ops_types(object_file)
    findings = [findings_of(program, struct_ops) for program in programs]
    found = configured(preparation, needs, findings, variables)
    if found is not None:
        return found
    every = needs.all()
    return Configured(
        oldest_kernel=kernel_text(oldest_of(every)),
        variables=tuple(variables),
        reasons=reasons_of(need for need in every if not need.optional),
    )


def presence_of(preparation: Preparation, object_file: ObjectFile) -> Presence:
    """What the programs reach on kernels with and without what they ask for."""
    programs = preparation.programs
    asking = [index for index, each in enumerate(programs) if preparation.asks_for_presence(each)]
    answers: list[list[Places | None]] = []
    for is_present in (False, True):
        assumptions = with_presence(preparation.assumptions, object_file, is_present=is_present)
        assumed = preparation.assuming([programs[index] for index in asking], assumptions)
        places = dict(zip(asking, map(call_places, assumed), strict=True))
        answers.append([places.get(index) for index in range(len(programs))])
    return Presence(*answers)


def configured(
    preparation: Preparation,
    needs: Needs,
    findings: Sequence[Sequence[CodeFinding]],
    variables: Mapping[str, bytes],
) -> Configured | None:
    """See :func:`configure`; ``None`` if no program reads a constant that can be followed.

    Args:
        findings: of each program, whatever the constants are.
    """
    object_file, programs = needs.object_file, preparation.programs
    assumptions = with_constants(preparation.assumptions, object_file, variables)
    reading = [program for program in programs if preparation.reads_constants(program)]
    if not reading:
        return None
    assumed = iter(preparation.assuming(reading, assumptions))
    after = [
        next(assumed) if preparation.reads_constants(program) else program for program in programs
    ]
    kept = [
        None if one is other else call_places(other)
        for one, other in zip(programs, after, strict=True)
    ]
    every, left = needs.all(), needs.all(kept)
    if oldest_of([*left, FOLDED]) < oldest_of(every):
        every = [*left, FOLDED]
    struct_ops = struct_ops_types(object_file)
    left_findings = [
        found if one is other else findings_of(other, struct_ops)
        for one, other, found in zip(programs, after, findings, strict=True)
    ]
    return Configured(
        oldest_kernel=kernel_text(oldest_of(every)),
        variables=tuple(variables),
        reasons=reasons_of(need for need in every if not need.optional),
        functions=_less(programs, after, _functions),
        maps=_less(programs, after, _maps),
        helpers=_less(programs, after, _helpers),
        kernel_functions=_less(programs, after, _kernel_functions),
        permissions=_less_permissions(findings, left_findings),
        instructions=sum(map(_instructions, programs)) - sum(map(_instructions, after)),
    )


def _less(
    before: Sequence[AnalysedProgram],
    after: Sequence[AnalysedProgram],
    names: Callable[[AnalysedProgram], Iterable[str]],
) -> tuple[str, ...]:
    """Names that no program has any more, in order."""
    left = {name for program in after for name in names(program)}
    had = {name: None for program in before for name in names(program)}
    return tuple(name for name in had if name not in left)


def _functions(program: AnalysedProgram) -> Iterable[str]:
    return [flow.function.name for flow in program.graph.functions]


def _maps(program: AnalysedProgram) -> Iterable[str]:
    return [r.name for _, r in program.references if r.kind in {"map", "map_value"}]


def _helpers(program: AnalysedProgram) -> Iterable[str]:
    return [helper_name(call.helper) for call in program.calls if call.helper is not None]


def _kernel_functions(program: AnalysedProgram) -> Iterable[str]:
    return [call.kernel_function for call in program.calls if call.kernel_function is not None]


def _instructions(program: AnalysedProgram) -> int:
    return sum(flow.instructions for flow in program.graph.functions)


def _less_permissions(
    before: Sequence[Sequence[CodeFinding]], after: Sequence[Sequence[CodeFinding]]
) -> tuple[GonePermission, ...]:
    def shown(findings: Sequence[Sequence[CodeFinding]]) -> dict[tuple[str, str], None]:
        return {
            (each.permission, each.scope): None
            for found in findings
            for each in found
            if each.confidence != "excluded"
        }

    left = shown(after)
    return tuple(
        GonePermission(id=name, scope=scope)
        for name, scope in shown(before)
        if (name, scope) not in left
    )


def findings_of(program: AnalysedProgram, struct_ops: tuple[str, ...]) -> list[CodeFinding]:
    """Evidence of one program, for and against."""
    return [*static_findings(program, struct_ops), *flow_findings(program)]
