"""Needs of values: flags of calls and of maps, fields of contexts, and what a program returns.

A kernel refuses or ignores bits it does not know, and its verifier refuses exit values outside a
range that grew. Only values that data flow knows are looked at.
"""

from collections.abc import Iterator
from dataclasses import replace

from skep.bytecode.analysis.need import FIRST, Kernel, KernelNeed, pair_of
from skep.bytecode.analysis.programs import AnalysedProgram, Call, exit_numbers, helper_name
from skep.bytecode.analysis.values import MASK64, Pointer, Value, constants, names_of
from skep.bytecode.btf.known_layouts import KNOWN_LAYOUTS
from skep.bytecode.isa.first_kernels import ATTACH_TYPES, MAP_TYPE_NAMES, PROGRAM_TYPES
from skep.bytecode.isa.kernel_features import (
    CONTEXT_FIELDS,
    EXIT_RANGES,
    HELPER_FLAGS,
    MAP_CALLS,
    MAP_FLAGS,
    ExitRange,
)
from skep.bytecode.objectfile.model import MapSpec
from skep.hooks.security_hooks import RETURNS_NOTHING
from skep.hooks.verdict import Exactly
from skep.hooks.verdicts import verdicts_of

_BY_HELPER = {
    helper: [row for row in HELPER_FLAGS if row.helper == helper]
    for helper in {row.helper for row in HELPER_FLAGS}
}
_BOOLEAN_HOOKS = frozenset({"audit_rule_known", "inode_xattr_skipcap"})


def flag_needs(program: AnalysedProgram, call: Call) -> Iterator[KernelNeed]:
    """Bits in arguments of a helper that later kernels know."""
    helper = call.helper
    rows = _BY_HELPER.get(helper) if helper is not None else None
    if helper is None or rows is None:
        return
    for given in program.arguments(call):
        for row in rows:
            if any(number & row.bits for number in _numbers(given[row.argument - 1])):
                yield KernelNeed(
                    row.since,
                    f"{helper_name(helper)} with {row.what}",
                    program.spec.name,
                    call.function,
                    call.slot,
                    is_call=True,
                )


def _numbers(value: Value) -> list[int]:
    known = constants(value)
    return [] if known is None else [number for number in known if number <= MASK64]


def context_needs(program: AnalysedProgram) -> Iterator[KernelNeed]:
    """Fields of the context that are newer than the type of the program."""
    context = program.layout.name
    known = KNOWN_LAYOUTS.get(context, {})
    fields = [
        (known[field].bit_offset // 8, known[field].size or 1, field, since)
        for (owner, field), since in CONTEXT_FIELDS.items()
        if owner == context and field in known
    ]
    for function, facts in program.function_facts() if fields else ():
        stored = {(slot, place) for slot, place, _ in facts.context_stores if place is not None}
        for slot, place in sorted(facts.context_loads | stored):
            for start, size, field, since in fields:
                if start <= place < start + size:
                    name = program.spec.name
                    yield KernelNeed(since, f"field {context}.{field}", name, function, slot)


def map_call_needs(program: AnalysedProgram, call: Call) -> Iterator[KernelNeed]:
    """A helper that takes maps of this type later than others."""
    if call.helper is None or not any(call.helper == helper for helper, _ in MAP_CALLS):
        return
    for given in program.arguments(call):
        for name in names_of(given[0]) if isinstance(given[0], Pointer) else ():
            spec = program.maps.get(name)
            kind = None if spec is None else MAP_TYPE_NAMES.get(spec.map_type)
            since = MAP_CALLS.get((call.helper, kind or ""))
            if since is not None:
                what = f"helper {call.name} on a map of type {kind}"
                yield KernelNeed(
                    since, what, program.spec.name, call.function, call.slot, is_call=True
                )


def map_flag_needs(spec: MapSpec) -> Iterator[KernelNeed]:
    """Flags of creation that later kernels know."""
    for bit, (name, since) in MAP_FLAGS.items():
        if spec.flags & bit and since > FIRST:
            yield KernelNeed(since, f"map {spec.name} with {name}")


def exit_needs(program: AnalysedProgram) -> Iterator[KernelNeed]:
    """Exit values that only some kernels' verifiers accept, or none."""
    ranges = ranges_of(program)
    exits = program.exits()
    table = verdicts_of(program.spec.program_type, program.spec.attach_type)
    if exits is None or (not ranges and table is None):
        return
    for function, slot, value in exits:
        known = exit_numbers(value)
        if known is None or known[1]:
            continue
        for number in sorted(known[0]):
            if ranges:
                yield from _exit_need(program, ranges, number, (function, slot))
            for row in () if table is None else table.rows(number):
                if row.first_kernel is not None and isinstance(row.which, Exactly):
                    what = f"exit value {number} ({row.label})"
                    yield KernelNeed(
                        pair_of(row.first_kernel), what, program.spec.name, function, slot
                    )


def ranges_of(program: AnalysedProgram) -> list[ExitRange]:
    """Ranges the verifier checks the program's exit values against; empty if it does not."""
    spec = program.spec
    if spec.attach_type == "LSM_MAC" and spec.target in RETURNS_NOTHING:
        return []
    rows = [row for row in EXIT_RANGES if row.program_type == spec.program_type]
    named = [row for row in rows if spec.attach_type in row.attach_types]
    if spec.program_type == "LSM" and spec.target in _BOOLEAN_HOOKS:
        return [row._replace(low=0, high=1) for row in named]
    return named or [row for row in rows if not row.attach_types]


def _exit_need(
    program: AnalysedProgram, ranges: list[ExitRange], number: int, place: tuple[str, int]
) -> Iterator[KernelNeed]:
    spec = program.spec
    attach = spec.attach_type or spec.program_type or ""
    first = max(PROGRAM_TYPES.get(spec.program_type or "", FIRST), ATTACH_TYPES.get(attach, FIRST))
    need = KernelNeed(first, f"exit value {number} at {attach}", spec.name, *place)
    accepted: list[Kernel] = [row.since for row in ranges if row.low <= number <= row.high]
    checked = max(row.checked for row in ranges)
    if accepted:
        if min(accepted) > first:
            yield replace(need, kernel=min(accepted))
    elif checked > first:
        yield replace(need, gone=checked)
    else:
        yield replace(need, refused=f"exit value {number} is not allowed at {attach}")
