"""The oldest kernel programs can run on, and why.

The statement is "not below". What a kernel really accepts also depends on its configuration, its
types and its verifier. Uses that the object itself makes optional are listed and do not count:
helpers it asks for by name, weak externs, and calls that are only reached where a question about
existence has one answer. Of the two answers, "nothing of it exists" and "everything does", the one
that gives the older kernel is taken. Code that is not reached for such a reason still has its
instructions looked at by the kernel, so instructions, loops and local calls in it count.

Some things went again, and some no kernel accepts: :func:`limits_of` and :func:`refusals_of`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from skep.bytecode.analysis.helper_needs import helper_need
from skep.bytecode.analysis.instruction_sets import InstructionUse
from skep.bytecode.analysis.need import (
    FIRST,
    Kernel,
    KernelNeed,
    kernel_text,
    pair_of,
    release_before,
)
from skep.bytecode.analysis.programs import AnalysedProgram, asked_for
from skep.bytecode.analysis.refusals import type_refusals
from skep.bytecode.analysis.report_needs import Limit, Reason, Refusal
from skep.bytecode.analysis.value_needs import (
    context_needs,
    exit_needs,
    flag_needs,
    map_call_needs,
    map_flag_needs,
)
from skep.bytecode.isa.first_kernels import (
    ATTACH_TYPES,
    MAP_TYPE_NAMES,
    MAP_TYPES,
    OPTIONAL_ATTACH_TYPES,
    PROGRAM_TYPES,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_features import (
    GONE_KERNEL_FUNCTIONS,
    LSM_HOOKS,
    SLEEPABLE_SINCE,
)
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS
from skep.bytecode.objectfile.model import ObjectFile
from skep.hooks.iterators import ITERATORS
from skep.hooks.struct_ops import STRUCT_OPS
from skep.versions import KernelVersion

_FOLDS_CONSTANTS = (5, 5)
_STRUCT_OPS_LINK = (6, 4)
_SLEEPABLE_SINCE_UNKNOWN = (6, 19)  # no release before it has them for other types
_MOST_OLD_INSTRUCTIONS = 4096

FOLDED = KernelNeed(_FOLDS_CONSTANTS, "read-only data taken as constants")
"""What makes code dead that a constant switches off."""


def program_needs(
    program: AnalysedProgram,
    used: Sequence[InstructionUse],
    tested: frozenset[str],
    struct_ops: Sequence[str] = (),
) -> list[KernelNeed]:
    """What one program needs; maps are the object's.

    Args:
        tested: helpers the object asks for by name.
        struct_ops: types the object has instances of.
    """
    return [
        *_type_needs(program),
        *_instruction_needs(program, used),
        *_call_needs(program, tested, struct_ops),
        *_feature_needs(program),
        *exit_needs(program),
        *type_refusals(program),
    ]


def unknown_uses(
    programs: Sequence[AnalysedProgram], uses: Sequence[Sequence[InstructionUse]]
) -> list[str]:
    """Uses that are in no table."""
    unknown: dict[str, None] = {}
    for program, used in zip(programs, uses, strict=True):
        for use in used:
            if use.facts is None or use.facts.first_kernel is None:
                unknown[f"instruction {use.opcode:#04x}"] = None
        for call in program.calls:
            if call.helper is not None and call.helper not in HELPERS:
                unknown[f"helper {call.helper}"] = None
            elif call.kernel_function and KERNEL_FUNCTIONS.get(call.kernel_function) is None:
                unknown[f"kernel function {call.kernel_function}"] = None
    return list(unknown)


def _type_needs(program: AnalysedProgram) -> Iterator[KernelNeed]:
    spec = program.spec
    kernel = PROGRAM_TYPES.get(spec.program_type or "")
    if kernel is not None:
        yield KernelNeed(kernel, f"program type {spec.program_type}", spec.name, from_types=True)
    attach = spec.attach_type or ""
    kernel = ATTACH_TYPES.get(attach)
    if kernel is not None and attach not in OPTIONAL_ATTACH_TYPES:
        # Older kernels ignore it for this type, and run the program as a plain classifier.
        is_plain = attach.startswith("TCX_") and spec.section.removeprefix("?").startswith("tc/")
        optional = "allowed" if is_plain else ""
        yield KernelNeed(kernel, f"attach type {attach}", spec.name, optional=optional)
    if attach == "TRACE_ITER" and spec.target in ITERATORS:
        first = pair_of(ITERATORS[spec.target].first_kernel)
        yield KernelNeed(first, f"iterator {spec.target}", spec.name)
    if spec.program_type == "LSM" and spec.target in LSM_HOOKS:
        since, gone = LSM_HOOKS[spec.target]
        what = f"security hook {spec.target}"
        # What went may still be among the types: the kernel has a list of what it refuses.
        yield KernelNeed(since, what, spec.name, gone=gone, from_types=gone is None)
    if spec.is_sleepable and spec.program_type != "SYSCALL":
        yield KernelNeed(_sleepable_since(program), "sleepable program", spec.name)
    if spec.has_frags:
        yield KernelNeed((5, 18), "xdp.frags", spec.name)


def _sleepable_since(program: AnalysedProgram) -> Kernel:
    spec = program.spec
    rows = [row for row in SLEEPABLE_SINCE if row.program_type == spec.program_type]
    for row in rows:
        if spec.attach_type in row.attach_types or not row.attach_types:
            return row.since
    return _SLEEPABLE_SINCE_UNKNOWN


def _instruction_needs(
    program: AnalysedProgram, used: Sequence[InstructionUse]
) -> Iterator[KernelNeed]:
    for use in used:
        if use.facts is not None and use.facts.first_kernel is not None:
            what = f"instruction {use.facts.mnemonic}"
            yield KernelNeed(
                use.facts.first_kernel, what, program.spec.name, use.function, use.slot
            )


def _call_needs(
    program: AnalysedProgram, tested: frozenset[str], struct_ops: Sequence[str]
) -> Iterator[KernelNeed]:
    name = program.spec.name
    asked = asked_for([program])
    yield from context_needs(program)
    for call in program.calls:
        if call.helper is not None:
            facts = HELPERS.get(call.helper)
            optional = "tested" if facts is not None and facts.name in tested else ""
            yield from helper_need(program, call, optional, struct_ops)
            yield from flag_needs(program, call)
            yield from map_call_needs(program, call)
        elif call.kernel_function is not None:
            since, gone = GONE_KERNEL_FUNCTIONS.get(call.kernel_function, (None, None))
            kernel = KERNEL_FUNCTIONS.get(call.kernel_function) or since
            if kernel is not None:
                yield KernelNeed(
                    kernel,
                    f"kernel function {call.kernel_function}",
                    name,
                    call.function,
                    call.slot,
                    "weak" if call.is_weak and call.kernel_function in asked else "",
                    gone=gone,
                    from_types=True,
                    is_call=True,
                )


def _feature_needs(program: AnalysedProgram) -> Iterator[KernelNeed]:
    name = program.spec.name
    graph = program.graph
    calls = [flow for flow in graph.functions if flow.calls]
    if calls:
        yield KernelNeed((4, 16), "calls of local functions", name, calls[0].function.name)
        if any(call.helper == 12 for call in program.calls):
            yield KernelNeed((5, 10), "tail calls together with local calls", name)
    for flow in graph.functions:
        if flow.callbacks:
            yield KernelNeed((5, 13), "callbacks", name, flow.function.name)
        if flow.back_edges:
            slot = flow.back_edges[0][0]
            yield KernelNeed((5, 3), "loops", name, flow.function.name, slot)
    if sum(flow.instructions for flow in graph.functions) > _MOST_OLD_INSTRUCTIONS:
        yield KernelNeed((5, 2), "more than 4,096 instructions", name)
    for function, relocation in program.references:
        extern = program.externs.get(relocation.name)
        # Values of the kernel's configuration come in a data section too.
        if relocation.kind == "map_value" or (extern is not None and extern.kind == "kconfig"):
            yield KernelNeed((5, 2), "global variables", name, function, relocation.slot)
            break


def map_needs(object_file: ObjectFile, needs: Iterable[KernelNeed]) -> Iterator[KernelNeed]:
    """What the object's maps need, given what its programs do."""
    # A ring buffer whose helpers are tested for is made only where they exist.
    rings_are_tested = any(
        need.optional == "tested" and need.what.startswith("helper bpf_ringbuf_") for need in needs
    )
    for spec in object_file.maps:
        kernel = MAP_TYPES.get(spec.map_type)
        name = MAP_TYPE_NAMES.get(spec.map_type)
        if kernel is None or name is None:
            continue
        if spec.origin == "data":
            yield KernelNeed((5, 2), "global variables")
            continue
        optional = "tested" if name == "RINGBUF" and rings_are_tested else ""
        yield KernelNeed(kernel, f"map type {name}", optional=optional, from_types=True)
        for need in map_flag_needs(spec):
            yield replace(need, optional=optional)


def struct_ops_needs(types: Iterable[str], *, is_link: bool) -> Iterator[KernelNeed]:
    """What instances of ``struct_ops`` need, with or without programs.

    Args:
        is_link: one is in a section ``.struct_ops.link``.
    """
    for name in dict.fromkeys(name.partition("___")[0] for name in types):
        first = STRUCT_OPS.get(name)
        kernel = PROGRAM_TYPES["STRUCT_OPS"] if first is None else pair_of(first)
        yield KernelNeed(kernel, f"struct_ops type {name}")
    if is_link:
        yield KernelNeed(_STRUCT_OPS_LINK, "struct_ops that are attached by a link")


def reasons_of(needs: Iterable[KernelNeed]) -> tuple[Reason, ...]:
    """One for each thing, newest kernel first; what the first kernel had is left out."""
    first: dict[tuple[str, str], KernelNeed] = {}
    for need in needs:
        first.setdefault((need.what, need.optional), need)
    ordered = sorted(first.values(), key=lambda need: (-need.kernel[0], -need.kernel[1]))
    return tuple(
        Reason(
            kernel=kernel_text(need.kernel),
            what=need.what,
            program=need.program,
            function=need.function,
            slot=need.slot,
            optional=need.optional,
        )
        for need in ordered
        if need.kernel > FIRST
    )


def limits_of(needs: Iterable[KernelNeed]) -> tuple[Limit, ...]:
    """What later kernels have no more, the oldest limit first."""
    found: dict[str, tuple[Kernel, Limit]] = {}
    for need in needs:
        if need.gone is not None and not need.optional:
            last = release_before(need.gone)
            limit = Limit(
                kernel=kernel_text(last),
                what=need.what,
                program=need.program,
                function=need.function,
                slot=need.slot,
            )
            found.setdefault(need.what, (last, limit))
    return tuple(limit for _, limit in sorted(found.values(), key=lambda each: each[0]))


def refusals_of(needs: Iterable[KernelNeed]) -> tuple[Refusal, ...]:
    """What no kernel loads, each once with its first place."""
    found: dict[str, Refusal] = {}
    for need in needs:
        if need.refused and not need.optional:
            refusal = Refusal(
                what=need.refused,
                hint=need.hint,
                program=need.program,
                function=need.function,
                slot=need.slot,
            )
            found.setdefault(need.refused, refusal)
    return tuple(found.values())


def optional_reasons(needs: Iterable[KernelNeed], oldest: tuple[int, int]) -> tuple[Reason, ...]:
    """What would ask for a newer kernel than ``oldest`` and does not count."""
    return tuple(
        reason
        for reason in reasons_of([need for need in needs if need.optional])
        if KernelVersion.parse(reason.kernel) > KernelVersion(*oldest)
    )
