"""Permissions shown by calls and types: evidence E and T of the taxonomy, and its caveats."""

import re
from collections.abc import Iterator
from fnmatch import translate
from functools import cache

from skep.bytecode.analysis.existence import Steps, is_only_asked_for
from skep.bytecode.analysis.findings import CodeFinding, finding
from skep.bytecode.analysis.object_rules import struct_ops_findings
from skep.bytecode.analysis.programs import AnalysedProgram, Call, helper_name, kernel_variables
from skep.bytecode.analysis.target_rules import is_beside_kernel, target_findings
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.isa.call_arguments import (
    EFFECTS,
    HELPER_ARGUMENTS,
    KERNEL_FUNCTION_ARGUMENTS,
    CallArguments,
)
from skep.bytecode.isa.codes import POISON
from skep.bytecode.isa.first_kernels import ATTACH_TYPES, PROGRAM_TYPES
from skep.bytecode.isa.helpers import HELPERS

_BY_HELPER: dict[int, tuple[str, ...]] = {}
for _row in PERMISSIONS.values():
    for _number in _row.helpers:
        _BY_HELPER[_number] = (*_BY_HELPER.get(_number, ()), _row.permission_id)

# Severity of a helper where it is not the row's (the caveats of the taxonomy).
_IDENTIFIES_LITTLE = (15, 17, 33, 37, 46, 47, 79, 80, 83, 122, 123, 128, 129, 151)
_SEVERITIES: dict[tuple[str, int], str] = {
    ("net.send", 116): "low",  # a TCP ACK out of congestion control
    ("net.lookup", 57): "info",  # getsockopt
    ("cgroup.sysctl", 101): "medium",  # these two only read
    ("cgroup.sysctl", 102): "medium",
    ("net.read", 34): "low",  # a hash of the addresses and ports
    ("net.read", 97): "low",  # whether the packet said it can be marked
    **{("proc.identify", number): "low" for number in _IDENTIFIES_LITTLE},
}
# The same for kernel functions: those that only read.
_KERNEL_FUNCTION_SEVERITIES: dict[str, tuple[re.Pattern[str], str]] = {
    "net.conntrack": (re.compile(r"bpf_ct_release|bpf_\w+_lookup"), "medium"),
    "net.read": (re.compile(r"bpf_xdp_metadata_\w+|bpf_skb_get_hash"), "low"),
}


@cache
def _patterns(permission: str) -> re.Pattern[str] | None:
    names = PERMISSIONS[permission].kernel_functions
    return re.compile("|".join(map(translate, names))) if names else None


@cache
def permissions_of_kernel_function(name: str) -> tuple[str, ...]:
    """Rows a kernel function shows, ``bpf.kfunc`` left out; the pattern ``*`` is that row's."""
    found = []
    for permission in PERMISSIONS:
        pattern = _patterns(permission)
        if permission != "bpf.kfunc" and pattern is not None and pattern.match(name):
            found.append(permission)
    return tuple(found)


def permissions_of_helper(number: int) -> tuple[str, ...]:
    """Rows a helper shows."""
    return _BY_HELPER.get(number, ())


def is_classified_helper(number: int) -> bool:
    """Whether it is known what calling it can do."""
    arguments = HELPER_ARGUMENTS.get(number)
    return arguments is not None and _is_classified(permissions_of_helper(number), arguments)


def is_classified_kernel_function(name: str) -> bool:
    """Whether it is known what calling it can do."""
    arguments = KERNEL_FUNCTION_ARGUMENTS.get(name)
    rows = permissions_of_kernel_function(name)
    return arguments is not None and _is_classified(rows, arguments)


def _is_classified(rows: tuple[str, ...], arguments: CallArguments) -> bool:
    """A permission names it, an argument lets it have an effect, or a reason says why not."""
    return bool(rows or arguments.reason or EFFECTS.intersection(arguments.arguments))


def static_findings(program: AnalysedProgram, struct_ops: tuple[str, ...]) -> Iterator[CodeFinding]:
    """Evidence E and T of one program.

    Args:
        struct_ops: ``struct_ops`` types the object has instances of.
    """
    for call in program.calls:
        found = _of_call(program, call)
        yield from (each for each in found if not is_beside_kernel(program, each.permission))
    yield from _of_type(program, struct_ops)
    yield from target_findings(program)
    yield from _of_kernel_variables(program)


def _of_kernel_variables(program: AnalysedProgram) -> Iterator[CodeFinding]:
    flows = {flow.function.name: flow for flow in program.graph.functions}
    steps = Steps()
    for function, relocation in kernel_variables(program):
        extern = program.externs.get(relocation.name)
        is_weak = extern is not None and extern.is_weak
        if is_weak and is_only_asked_for(flows[function], relocation.slot, steps):
            continue
        yield finding(
            program,
            "kernel.kallsyms",
            "D",
            f"kernel variable {relocation.name}",
            at=(function, relocation.slot),
        )


def _of_call(program: AnalysedProgram, call: Call) -> Iterator[CodeFinding]:
    if call.helper is not None:
        number = call.helper
        what = f"helper {helper_name(number)} ({number})"
        if number not in HELPERS:
            if number != POISON:
                yield finding(program, "unknown", "E", f"helper {number}", at=call)
            return
        for permission in _BY_HELPER.get(number, ()):
            severity = _SEVERITIES.get((permission, number))
            yield finding(program, permission, "E", what, severity=severity, at=call)
        if not is_classified_helper(number):
            yield finding(program, "unknown", "E", what, at=call)
    elif call.kernel_function is not None:
        yield from _of_kernel_function(program, call, call.kernel_function)
    else:
        yield finding(program, "unknown", "E", "call of a kernel function by number", at=call)


def _of_kernel_function(program: AnalysedProgram, call: Call, name: str) -> Iterator[CodeFinding]:
    what = f"kernel function {name}"
    for permission in permissions_of_kernel_function(name):
        pattern, less = _KERNEL_FUNCTION_SEVERITIES.get(permission, (None, None))
        severity = less if pattern is not None and pattern.fullmatch(name) else None
        yield finding(program, permission, "E", what, severity=severity, at=call)
    is_classified = is_classified_kernel_function(name)
    severity = "low" if is_classified else "high"
    yield finding(program, "bpf.kfunc", "E", what, severity=severity, at=call)
    if not is_classified:
        yield finding(program, "unknown", "E", what, at=call)


def _of_type(program: AnalysedProgram, struct_ops: tuple[str, ...]) -> Iterator[CodeFinding]:
    spec = program.spec
    stated = ", stated by the publisher" if program.type_source == "stated" else ""
    program_type = spec.program_type
    if program_type is None:
        yield finding(
            program, "unknown", "T", f"section {spec.section!r} names no known program type"
        )
    elif program_type not in PROGRAM_TYPES:
        yield finding(program, "unknown", "T", f"program type {program_type}{stated}")
    if spec.attach_type is not None and spec.attach_type not in ATTACH_TYPES:
        yield finding(program, "unknown", "T", f"attach type {spec.attach_type}")
    for row in PERMISSIONS.values():
        permission = row.permission_id
        if program_type in row.program_types and not is_beside_kernel(program, permission):
            what = f"program type {program_type}{stated}"
            yield finding(program, permission, "T", what)
        if spec.attach_type in row.attach_types:
            what = f"attach type {spec.attach_type}"
            yield finding(program, permission, "T", what)
    if program_type == "STRUCT_OPS":
        yield from struct_ops_findings(program, struct_ops)
    if spec.is_sleepable:
        yield finding(program, "exec.sleepable", "D", f"section {spec.section}")
