"""What is left of an object on a kernel, or with constants, that switch parts of it off.

A kernel's verifier follows only what values let control reach, and drops the rest before a program
runs. So a helper behind ``if (!flag)``, ``flag`` a constant, need not exist; a permission that is
shown there only is not used as configured. Loaders may set constants, so none of this lowers the
label: it is an answer to "and as it is built?", and to "with this setting?".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from skep.bytecode.analysis.assumptions import with_constants, with_presence
from skep.bytecode.analysis.core_needs import struct_ops_types
from skep.bytecode.analysis.findings import Finding
from skep.bytecode.analysis.flow_rules import flow_findings
from skep.bytecode.analysis.instruction_sets import all_uses
from skep.bytecode.analysis.oldest_kernel import (
    FOLDED,
    Places,
    call_places,
    kernel_text,
    oldest_of,
    reasons_of,
)
from skep.bytecode.analysis.permissions import program_permissions
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.programs import Program, helper_name
from skep.bytecode.analysis.report_standing import Configured, GonePermission
from skep.bytecode.analysis.requirements import Presence, needs_of
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
    presence = presence_of(preparation, object_file)
    found = configured(object_file, preparation, presence, variables)
    if found is not None:
        return found
    needs = needs_of(object_file, preparation.programs, all_uses(preparation.programs), presence)
    return Configured(
        oldest_kernel=kernel_text(oldest_of(needs)),
        variables=tuple(variables),
        reasons=reasons_of(need for need in needs if not need.optional),
    )


def presence_of(preparation: Preparation, object_file: ObjectFile) -> Presence:
    """What the programs reach on kernels with and without what they ask for."""
    programs = preparation.programs
    asking = [program for program in programs if preparation.asks_for_presence(program)]
    answers: list[list[Places | None]] = []
    for is_present in (False, True):
        assumptions = with_presence(preparation.assumptions, object_file, is_present=is_present)
        assumed = preparation.assuming(asking, assumptions)
        places = {
            program.spec.name: call_places(after)
            for program, after in zip(asking, assumed, strict=True)
        }
        answers.append([places.get(program.spec.name) for program in programs])
    return Presence(*answers)


def configured(
    object_file: ObjectFile,
    preparation: Preparation,
    presence: Presence,
    variables: Mapping[str, bytes],
) -> Configured | None:
    """See :func:`configure`; ``None`` if no program reads a constant that can be followed."""
    assumptions = with_constants(preparation.assumptions, object_file, variables)
    programs = preparation.programs
    if not any(map(preparation.reads_constants, programs)):
        return None
    after = [
        preparation.assuming([program], assumptions)[0]
        if preparation.reads_constants(program)
        else program
        for program in programs
    ]
    uses = all_uses(programs)
    kept = [
        None if one is other else call_places(other)
        for one, other in zip(programs, after, strict=True)
    ]
    before = oldest_of(needs_of(object_file, programs, uses, presence))
    needs = needs_of(object_file, programs, uses, presence, kept)
    if oldest_of(needs) < before:
        needs.append(FOLDED)
    return Configured(
        oldest_kernel=kernel_text(min(oldest_of(needs), before)),
        variables=tuple(variables),
        reasons=reasons_of(need for need in needs if not need.optional),
        functions=_less(programs, after, _functions),
        maps=_less(programs, after, _maps),
        helpers=_less(programs, after, _helpers),
        kernel_functions=_less(programs, after, _kernel_functions),
        permissions=_less_permissions(object_file, programs, after),
        instructions=sum(map(_instructions, programs)) - sum(map(_instructions, after)),
    )


def _less(
    before: Sequence[Program],
    after: Sequence[Program],
    names: Callable[[Program], Iterable[str]],
) -> tuple[str, ...]:
    """Names that no program has any more, in order."""
    left = {name for program in after for name in names(program)}
    had = {name: None for program in before for name in names(program)}
    return tuple(name for name in had if name not in left)


def _functions(program: Program) -> Iterable[str]:
    return [flow.function.name for flow in program.graph.functions]


def _maps(program: Program) -> Iterable[str]:
    return [r.name for _, r in program.references if r.kind in {"map", "map_value"}]


def _helpers(program: Program) -> Iterable[str]:
    return [helper_name(call.helper) for call in program.calls if call.helper is not None]


def _kernel_functions(program: Program) -> Iterable[str]:
    return [call.kernel_function for call in program.calls if call.kernel_function is not None]


def _instructions(program: Program) -> int:
    return sum(flow.instructions for flow in program.graph.functions)


def _less_permissions(
    object_file: ObjectFile, before: Sequence[Program], after: Sequence[Program]
) -> tuple[GonePermission, ...]:
    struct_ops = struct_ops_types(object_file)

    def shown(programs: Sequence[Program]) -> dict[tuple[str, str], None]:
        return {
            (permission.id, permission.scope): None
            for program in programs
            for permission in program_permissions(findings_of(program, struct_ops))
            if permission.confidence != "excluded"
        }

    left = shown(after)
    return tuple(
        GonePermission(id=name, scope=scope)
        for name, scope in shown(before)
        if (name, scope) not in left
    )


def findings_of(program: Program, struct_ops: tuple[str, ...]) -> list[Finding]:
    """Evidence of one program, for and against."""
    return [*static_findings(program, struct_ops), *flow_findings(program)]
