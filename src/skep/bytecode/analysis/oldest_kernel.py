"""The oldest kernel programs can run on, and why.

The statement is "not below". What a kernel really accepts also depends on its configuration, its
types and its verifier. Uses that the object itself makes optional are listed and do not count:
helpers it asks for by name, weak externs, and calls that are only reached where a question about
existence has one answer. Of the two answers, "nothing of it exists" and "everything does", the one
that gives the older kernel is taken. Code that is not reached for such a reason still has its
instructions looked at by the kernel, so instructions, loops and local calls in it count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from skep.bytecode.analysis.instruction_sets import InstructionUse
from skep.bytecode.analysis.programs import Program, helper_name
from skep.bytecode.analysis.report_needs import Reason
from skep.bytecode.isa.first_kernels import (
    ATTACH_TYPES,
    MAP_TYPE_NAMES,
    MAP_TYPES,
    OPTIONAL_ATTACH_TYPES,
    PROGRAM_TYPES,
)
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.kernel_functions import KERNEL_FUNCTIONS
from skep.bytecode.objectfile.model import ObjectFile
from skep.versions import KernelVersion

_FIRST = (3, 18)
_FOLDS_CONSTANTS = (5, 5)
_MOST_OLD_INSTRUCTIONS = 4096

Places = frozenset[tuple[str, int]]
"""Calls, as (function, slot)."""


def call_places(program: Program) -> Places:
    """Where the program calls helpers and kernel functions."""
    return frozenset((call.function, call.slot) for call in program.calls)


@dataclass(frozen=True, slots=True)
class Need:
    """A thing that exists since ``kernel``; ``optional`` says why it does not count."""

    kernel: tuple[int, int]
    what: str
    program: str = ""
    function: str = ""
    slot: int | None = None
    optional: str = ""
    is_helper: bool = False


FOLDED = Need(_FOLDS_CONSTANTS, "read-only data taken as constants")
"""What makes code dead that a constant switches off."""


def program_needs(
    program: Program, used: Sequence[InstructionUse], tested: frozenset[str]
) -> list[Need]:
    """What one program needs; maps are the object's.

    Args:
        tested: helpers the object asks for by name.
    """
    needs = [
        *_type_needs(program),
        *_instruction_needs(program, used),
        *_call_needs(program, tested),
        *_feature_needs(program),
    ]
    if program.spec.is_optional:
        needs = [replace(need, optional=need.optional or "not default") for need in needs]
    return needs


def without_calls(needs: Iterable[Need], kept: Places | None, why: str) -> list[Need]:
    """``needs`` with those of helper calls outside ``kept`` made optional."""
    if kept is None:
        return list(needs)
    return [
        replace(need, optional=why)
        if need.is_helper and not need.optional and (need.function, need.slot) not in kept
        else need
        for need in needs
    ]


def oldest_of(needs: Iterable[Need], *, also: frozenset[str] = frozenset()) -> tuple[int, int]:
    """Oldest kernel that has everything that counts.

    Args:
        also: values of ``optional`` that count all the same.
    """
    return max((n.kernel for n in needs if not n.optional or n.optional in also), default=_FIRST)


def unknown_uses(
    programs: Sequence[Program], uses: Sequence[Sequence[InstructionUse]]
) -> list[str]:
    """What is used and in no table."""
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


def _type_needs(program: Program) -> Iterator[Need]:
    spec = program.spec
    kernel = PROGRAM_TYPES.get(spec.program_type or "")
    if kernel is not None:
        yield Need(kernel, f"program type {spec.program_type}", spec.name)
    attach = spec.attach_type or ""
    kernel = ATTACH_TYPES.get(attach)
    if kernel is not None and attach not in OPTIONAL_ATTACH_TYPES:
        yield Need(kernel, f"attach type {attach}", spec.name)
    if spec.is_sleepable and spec.program_type != "SYSCALL":
        yield Need((5, 10), "sleepable program", spec.name)
    if spec.has_frags:
        yield Need((5, 18), "xdp.frags", spec.name)


def _instruction_needs(program: Program, used: Sequence[InstructionUse]) -> Iterator[Need]:
    for use in used:
        if use.facts is not None and use.facts.first_kernel is not None:
            what = f"instruction {use.facts.mnemonic}"
            yield Need(use.facts.first_kernel, what, program.spec.name, use.function, use.slot)


def _call_needs(program: Program, tested: frozenset[str]) -> Iterator[Need]:
    name = program.spec.name
    for call in program.calls:
        place = (name, call.function, call.slot)
        if call.helper is not None:
            facts = HELPERS.get(call.helper)
            if facts is None:
                continue
            optional = "tested" if facts.name in tested else ""
            what = f"helper {helper_name(call.helper)}"
            yield Need(facts.first_kernel, what, *place, optional, is_helper=True)
        elif call.kernel_function is not None:
            kernel = KERNEL_FUNCTIONS.get(call.kernel_function)
            optional = "weak" if call.is_weak else ""
            if kernel is not None:
                yield Need(kernel, f"kernel function {call.kernel_function}", *place, optional)


def _feature_needs(program: Program) -> Iterator[Need]:
    name = program.spec.name
    graph = program.graph
    calls = [flow for flow in graph.functions if flow.calls]
    if calls:
        yield Need((4, 16), "calls of local functions", name, calls[0].function.name)
        if any(call.helper == 12 for call in program.calls):
            yield Need((5, 10), "tail calls together with local calls", name)
    for flow in graph.functions:
        if flow.callbacks:
            yield Need((5, 13), "callbacks", name, flow.function.name)
        if flow.back_edges:
            slot = flow.back_edges[0][0]
            yield Need((5, 3), "loops", name, flow.function.name, slot)
    if sum(flow.instructions for flow in graph.functions) > _MOST_OLD_INSTRUCTIONS:
        yield Need((5, 2), "more than 4,096 instructions", name)
    for function, relocation in program.references:
        extern = program.externs.get(relocation.name)
        # Values of the kernel's configuration come in a data section too.
        if relocation.kind == "map_value" or (extern is not None and extern.kind == "kconfig"):
            yield Need((5, 2), "global variables", name, function, relocation.slot)
            break


def map_needs(object_file: ObjectFile, needs: Iterable[Need]) -> Iterator[Need]:
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
            yield Need((5, 2), "global variables")
            continue
        optional = "tested" if name == "RINGBUF" and rings_are_tested else ""
        yield Need(kernel, f"map type {name}", optional=optional)


def reasons_of(needs: Iterable[Need]) -> tuple[Reason, ...]:
    """One for each thing, newest kernel first; what the first kernel had is left out."""
    first: dict[tuple[str, str], Need] = {}
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
        if need.kernel > _FIRST
    )


def kernel_text(kernel: tuple[int, int]) -> str:
    """As people write it: ``5.10``."""
    return f"{kernel[0]}.{kernel[1]}"


def optional_reasons(needs: Iterable[Need], oldest: tuple[int, int]) -> tuple[Reason, ...]:
    """What would ask for a newer kernel than ``oldest`` and does not count."""
    return tuple(
        reason
        for reason in reasons_of([need for need in needs if need.optional])
        if KernelVersion.parse(reason.kernel) > KernelVersion(*oldest)
    )
