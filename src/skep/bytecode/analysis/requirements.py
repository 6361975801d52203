"""The oldest kernel an object can run on, and why; what else it needs from a kernel.

The statement is "not below". What a kernel really accepts also depends on its configuration, its
types and its verifier. Uses that the object itself makes optional, by asking whether a helper
exists or by a weak extern, are listed and do not count.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from skep.bytecode.analysis.instruction_sets import InstructionUse
from skep.bytecode.analysis.programs import (
    Program,
    externs_of,
    helper_name,
    kernel_variables,
)
from skep.bytecode.analysis.report import Reason, Requirements, Target
from skep.bytecode.btf.types import Kind
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
from skep.bytecode.objectfile.sections import classify
from skep.errors import Malformed
from skep.versions import KernelVersion

_FIRST = (3, 18)
_ENUMVAL_EXISTS = 10
_MOST_OLD_INSTRUCTIONS = 4096

# Kernel structures whose layout is part of the interface to user space, or of a network protocol:
# a record about them can be resolved without the kernel's types.
_STABLE = frozenset(
    [
        "xdp_md",
        "__sk_buff",
        "sk_msg_md",
        "sk_reuseport_md",
        "bpf_sock_ops",
        "bpf_sock_addr",
        "bpf_sock",
        "bpf_sockopt",
        "bpf_sysctl",
        "bpf_cgroup_dev_ctx",
        "bpf_perf_event_data",
        "bpf_sk_lookup",
        "bpf_tcp_sock",
        "bpf_fib_lookup",
        "ethhdr",
        "vlan_hdr",
        "vlan_ethhdr",
        "iphdr",
        "ipv6hdr",
        "tcphdr",
        "udphdr",
        "icmphdr",
        "icmp6hdr",
        "arphdr",
        "in_addr",
        "in6_addr",
        "ip_auth_hdr",
        "ipv6_opt_hdr",
    ]
)
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


@dataclass(frozen=True, slots=True)
class _Need:
    kernel: tuple[int, int]
    what: str
    program: str = ""
    function: str = ""
    slot: int | None = None
    optional: str = ""


def requirements_of(
    object_file: ObjectFile,
    programs: Sequence[Program],
    uses: Sequence[Sequence[InstructionUse]],
) -> Requirements:
    """What the object's programs need.

    Args:
        uses: instructions used, one sequence for each of ``programs``.
    """
    tested = tested_helpers(object_file)
    unknown: dict[str, None] = {}
    needs: list[_Need] = []
    for program, used in zip(programs, uses, strict=True):
        needs += _program_needs(program, used, tested, unknown)
    needs += _map_needs(object_file, needs)
    counting = [need for need in needs if not need.optional]
    oldest = max((need.kernel for need in counting), default=_FIRST)
    return Requirements(
        oldest_kernel=_text(oldest),
        reasons=_reasons(counting),
        optional=tuple(
            reason
            for reason in _reasons([need for need in needs if need.optional])
            if KernelVersion.parse(reason.kernel) > KernelVersion(*oldest)
        ),
        unknown_first_kernels=tuple(unknown),
        needs_btf=_needs_btf(object_file, programs),
        types_read=_roots(object_file, programs),
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
        sizes_to_set=tuple(
            spec.name
            for spec in object_file.maps
            if not spec.max_entries
            and MAP_TYPE_NAMES.get(spec.map_type) not in _SIZE_IS_OPTIONAL
            and spec.data is None
        ),
        missing=tuple({name: None for program in programs for name in program.missing}),
    )


def oldest_kernel_of(
    program: Program, used: Sequence[InstructionUse], tested: frozenset[str]
) -> str:
    """Oldest kernel of one program, by its code and type; maps are the object's."""
    unknown: dict[str, None] = {}
    needs = _program_needs(program, used, tested, unknown)
    counting = [need.kernel for need in needs if need.optional in {"", "not default"}]
    return _text(max(counting, default=_FIRST))


def _program_needs(
    program: Program,
    used: Sequence[InstructionUse],
    tested: frozenset[str],
    unknown: dict[str, None],
) -> list[_Need]:
    needs = [
        *_type_needs(program),
        *_instruction_needs(program, used, unknown),
        *_call_needs(program, tested, unknown),
        *_feature_needs(program),
    ]
    if program.spec.is_optional:
        needs = [
            _Need(
                need.kernel,
                need.what,
                need.program,
                need.function,
                need.slot,
                need.optional or "not default",
            )
            for need in needs
        ]
    return needs


def _type_needs(program: Program) -> Iterator[_Need]:
    spec = program.spec
    kernel = PROGRAM_TYPES.get(spec.program_type or "")
    if kernel is not None:
        yield _Need(kernel, f"program type {spec.program_type}", spec.name)
    attach = spec.attach_type or ""
    kernel = ATTACH_TYPES.get(attach)
    if kernel is not None and attach not in OPTIONAL_ATTACH_TYPES:
        yield _Need(kernel, f"attach type {attach}", spec.name)
    if spec.is_sleepable and spec.program_type != "SYSCALL":
        yield _Need((5, 10), "sleepable program", spec.name)
    if spec.has_frags:
        yield _Need((5, 18), "xdp.frags", spec.name)


def _instruction_needs(
    program: Program, used: Sequence[InstructionUse], unknown: dict[str, None]
) -> Iterator[_Need]:
    for use in used:
        if use.facts is None or use.facts.first_kernel is None:
            unknown[f"instruction {use.opcode:#04x}"] = None
        else:
            what = f"instruction {use.facts.mnemonic}"
            yield _Need(use.facts.first_kernel, what, program.spec.name, use.function, use.slot)


def _call_needs(
    program: Program, tested: frozenset[str], unknown: dict[str, None]
) -> Iterator[_Need]:
    name = program.spec.name
    for call in program.calls:
        place = (name, call.function, call.slot)
        if call.helper is not None:
            facts = HELPERS.get(call.helper)
            if facts is None:
                unknown[f"helper {call.helper}"] = None
                continue
            optional = "tested" if facts.name in tested else ""
            what = f"helper {helper_name(call.helper)}"
            yield _Need(facts.first_kernel, what, *place, optional)
        elif call.kernel_function is not None:
            kernel = KERNEL_FUNCTIONS.get(call.kernel_function)
            optional = "weak" if call.is_weak else ""
            if kernel is None:
                unknown[f"kernel function {call.kernel_function}"] = None
            else:
                yield _Need(kernel, f"kernel function {call.kernel_function}", *place, optional)


def _feature_needs(program: Program) -> Iterator[_Need]:
    name = program.spec.name
    graph = program.graph
    calls = [flow for flow in graph.functions if flow.calls]
    if calls:
        yield _Need((4, 16), "calls of local functions", name, calls[0].function.name)
        if any(call.helper == 12 for call in program.calls):
            yield _Need((5, 10), "tail calls together with local calls", name)
    for flow in graph.functions:
        if flow.callbacks:
            yield _Need((5, 13), "callbacks", name, flow.function.name)
        if flow.back_edges:
            slot = flow.back_edges[0][0]
            yield _Need((5, 3), "loops", name, flow.function.name, slot)
    if sum(flow.instructions for flow in graph.functions) > _MOST_OLD_INSTRUCTIONS:
        yield _Need((5, 2), "more than 4,096 instructions", name)
    for function, relocation in program.references:
        if relocation.kind == "map_value":
            yield _Need((5, 2), "global variables", name, function, relocation.slot)
            break


def _map_needs(object_file: ObjectFile, needs: Iterable[_Need]) -> Iterator[_Need]:
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
            yield _Need((5, 2), "global variables")
            continue
        optional = "tested" if name == "RINGBUF" and rings_are_tested else ""
        yield _Need(kernel, f"map type {name}", optional=optional)


def _reasons(needs: Iterable[_Need]) -> tuple[Reason, ...]:
    """One for each thing, newest kernel first."""
    first: dict[tuple[str, str], _Need] = {}
    for need in needs:
        first.setdefault((need.what, need.optional), need)
    ordered = sorted(first.values(), key=lambda need: (-need.kernel[0], -need.kernel[1]))
    return tuple(
        Reason(
            kernel=_text(need.kernel),
            what=need.what,
            program=need.program,
            function=need.function,
            slot=need.slot,
            optional=need.optional,
        )
        for need in ordered
        if need.kernel > _FIRST
    )


def _text(kernel: tuple[int, int]) -> str:
    return f"{kernel[0]}.{kernel[1]}"


def tested_helpers(object_file: ObjectFile) -> frozenset[str]:
    """Helpers the object asks for before it uses them, by kernel name."""
    types = object_file.types
    found = set()
    for record in object_file.core_relocations:
        if record.kind != _ENUMVAL_EXISTS or types is None or not record.access.isdecimal():
            continue
        if _without_flavour(record.root) != "bpf_func_id":
            continue
        try:
            enumerators = types.type(record.type_id).enumerators
            enumerator = enumerators[int(record.access)].name
        except (Malformed, ValueError, IndexError):
            continue  # the linker says what is wrong with the record
        name = _without_flavour(enumerator)
        if name.startswith("BPF_FUNC_"):
            found.add(f"bpf_{name.removeprefix('BPF_FUNC_')}")
    return frozenset(found)


def _without_flavour(name: str) -> str:
    before, separator, _ = name.rpartition("___")
    return before if separator and before else name


def _records(object_file: ObjectFile, programs: Sequence[Program]) -> Iterator[str]:
    reached = {flow.function.name for program in programs for flow in program.graph.functions}
    for record in object_file.core_relocations:
        if record.function in reached and record.kind != 6:  # 6: id in the object's own types
            yield _without_flavour(record.root)


def _roots(object_file: ObjectFile, programs: Sequence[Program]) -> tuple[str, ...]:
    return tuple(sorted(set(_records(object_file, programs)) - {""}))


def _needs_btf(object_file: ObjectFile, programs: Sequence[Program]) -> str:
    if any(_targets(programs)) or any(
        program.spec.program_type == "STRUCT_OPS" for program in programs
    ):
        return "yes"
    externs = externs_of(object_file).values()
    if any(
        extern.kind in {"kfunc", "kernel_variable"} and not extern.is_weak for extern in externs
    ):
        return "yes"
    roots = set(_records(object_file, programs))
    if roots - _STABLE:
        return "yes"
    return "formally" if roots else "no"


def _targets(programs: Sequence[Program]) -> Iterator[Target]:
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


def struct_ops_types(object_file: ObjectFile) -> tuple[str, ...]:
    """Names of the ``struct_ops`` types the object has instances of."""
    types = object_file.types
    found: dict[str, None] = {}
    if types is None:
        return ()
    try:
        for section in (".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link"):
            for type_id in types.find(section, Kind.DATASEC):
                for variable in types.type(type_id).variables:
                    instance = types.type(types.type(variable.type_id).refers_to)
                    if instance.kind == Kind.STRUCT:
                        found[instance.name] = None
    except Malformed:
        return ()
    return tuple(found)
