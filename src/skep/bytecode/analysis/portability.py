"""Whether programs might run on something else than Linux: evidence for candidates, no promise.

What each runtime can do, as of August 2026: uBPF (https://github.com/iovisor/ubpf), rbpf 0.4
(https://github.com/qmonnet/rbpf), bpftime (https://github.com/eunomia-bpf/bpftime), eBPF for
Windows (https://github.com/microsoft/ebpf-for-windows) and the nfp driver of Linux. A candidate is
a program against which nothing that is known speaks; whether it runs, only running it shows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from skep.bytecode.analysis.programs import AnalysedProgram, helper_name
from skep.bytecode.analysis.report import ProgramReport
from skep.bytecode.analysis.report_standing import Runtime
from skep.bytecode.isa.codes import WIDE_ATOMICS
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.objectfile.model import MapSpec, ObjectFile

_SHOWN = 4  # names in a sentence
_UBPF_FUNCTIONS = 64
_HANDED_KERNEL_OBJECTS = frozenset(
    {"TRACING", "LSM", "STRUCT_OPS", "EXT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE"}
)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the rules look at, of one program."""

    program: AnalysedProgram
    report: ProgramReport
    maps: tuple[MapSpec, ...]
    has_core: bool
    has_externs: bool
    slots: int
    broken: tuple[str, ...]
    is_big_endian: bool

    @property
    def helpers(self) -> frozenset[int]:
        return frozenset(helper.id for helper in self.report.helpers)

    @property
    def is_v4(self) -> bool:
        return self.report.level in {"v4", "linux", "none"}

    def map_names(self) -> list[str]:
        return [MAP_TYPE_NAMES.get(spec.map_type, str(spec.map_type)) for spec in self.maps]


def _listed(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _SHOWN} more" if len(unique) > _SHOWN else ""
    return ", ".join(unique[:_SHOWN]) + more


def _kernel_only(facts: _Facts) -> Iterator[str]:
    """What no other runtime has."""
    for what in facts.broken[:1]:
        yield f"nothing runs its code: {what}"
    if facts.has_core:
        yield "it reads types of the Linux kernel (CO-RE)"
    if facts.report.kernel_functions:
        yield f"it calls functions of the Linux kernel: {_listed(facts.report.kernel_functions)}"
    elif facts.has_externs:
        yield "it refers to symbols or options of the Linux kernel"


def _helpers_outside(facts: _Facts, allowed: frozenset[int]) -> Iterator[str]:
    outside = sorted(facts.helpers - allowed)
    if outside:
        yield f"helpers it does not have: {_listed([helper_name(n) for n in outside])}"


def _maps_outside(facts: _Facts, allowed: frozenset[str]) -> Iterator[str]:
    outside = [name for name in facts.map_names() if name not in allowed]
    if outside:
        yield f"map types it does not have: {_listed(outside)}"


def _user_space(facts: _Facts) -> Iterator[str]:
    """What uBPF and rbpf share: no maps, no tail calls, no packet loads."""
    yield from _kernel_only(facts)
    if facts.program.spec.program_type in _HANDED_KERNEL_OBJECTS:
        yield "the program is handed objects of the Linux kernel"
    if facts.maps:
        yield f"it has no maps: {_listed([spec.name for spec in facts.maps])}"
    if facts.report.tail_calls or 12 in facts.helpers:
        yield "it has no tail calls"
    if "packet" in facts.report.groups:
        yield "it has no legacy packet loads (group packet)"
    if facts.program.graph.functions and any(f.callbacks for f in facts.program.graph.functions):
        yield "it has no callbacks"


def _registers_helpers(facts: _Facts) -> tuple[str, ...]:
    names = [helper_name(number) for number in sorted(facts.helpers)]
    return (f"whoever embeds it registers {_listed(names)}",) if names else ()


def _ubpf(facts: _Facts) -> Iterator[str]:
    yield from _user_space(facts)
    if facts.report.level in {"linux", "none"}:
        yield "it has no instructions that only Linux has"
    if facts.slots > 65_536:
        yield f"it takes 65,536 instructions, the program has {facts.slots}"
    if len(facts.helpers) > _UBPF_FUNCTIONS:
        yield f"it takes {_UBPF_FUNCTIONS} helpers, the program calls {len(facts.helpers)}"


def _rbpf(facts: _Facts) -> Iterator[str]:
    yield from _user_space(facts)
    if facts.is_v4:
        yield f"it has no instructions of level {facts.report.level}"
    if _has_other_atomics(facts):
        yield "of atomic instructions it has plain addition only"
    if facts.slots > 1_000_000:
        yield f"it takes 1,000,000 instructions, the program has {facts.slots}"


def _has_other_atomics(facts: _Facts) -> bool:
    if not {"atomic32", "atomic64"} & set(facts.report.groups):
        return False
    return any(
        instruction.opcode in WIDE_ATOMICS and instruction.immediate != 0
        for flow in facts.program.graph.functions
        for block in flow.blocks.values()
        for instruction in flow.function.instructions[block.start : block.end]
    )


_BPFTIME_HELPERS = frozenset(
    {*range(1, 9), 12, *range(14, 17), 25, 27, 28, 36, 44, 45, 58, 65, 67}
    | {87, 88, 89, 112, 113, 114, 125, *range(130, 134), 160, 173, 174, 182, 187}
)
_BPFTIME_MAPS = frozenset(
    [
        "ARRAY",
        "HASH",
        "LRU_HASH",
        "PERCPU_ARRAY",
        "PERCPU_HASH",
        "PERF_EVENT_ARRAY",
        "RINGBUF",
        "STACK_TRACE",
        "QUEUE",
        "STACK",
        "LPM_TRIE",
        "BLOOM_FILTER",
        "PROG_ARRAY",
        "ARRAY_OF_MAPS",
    ]
)


def _bpftime(facts: _Facts) -> Iterator[str]:
    spec = facts.program.spec
    section = spec.section.removeprefix("?")
    is_user = section.startswith(("uprobe", "uretprobe"))
    is_syscall = spec.program_type == "TRACEPOINT" and spec.target.startswith("syscalls/")
    if not (is_user or is_syscall):
        yield "it runs user probes and tracepoints of system calls"
    yield from _kernel_only(facts)
    yield from _helpers_outside(facts, _BPFTIME_HELPERS)
    yield from _maps_outside(facts, _BPFTIME_MAPS)


_SAME_ON_WINDOWS = frozenset({1, 2, 3, 8})
_ON_WINDOWS = _SAME_ON_WINDOWS | {12, 7, 125, 5, 28, 130, 6, 87, 88, 89, 14, 46, 25, 51}
_WINDOWS_TYPES = frozenset({"XDP", "CGROUP_SOCK_ADDR", "SOCK_OPS"})
_SAME_MAPS = frozenset({"HASH", "ARRAY", "PROG_ARRAY"})
_WINDOWS_MAPS = _SAME_MAPS | {
    "PERCPU_HASH",
    "PERCPU_ARRAY",
    "HASH_OF_MAPS",
    "ARRAY_OF_MAPS",
    "LRU_HASH",
    "LPM_TRIE",
    "QUEUE",
    "STACK",
    "LRU_PERCPU_HASH",
    "RINGBUF",
    "PERF_EVENT_ARRAY",
    "XSKMAP",
}


def _windows(facts: _Facts) -> Iterator[str]:
    if facts.is_big_endian:
        yield "it runs on little-endian machines"
    if facts.program.spec.program_type not in _WINDOWS_TYPES:
        yield f"it has no program type {facts.program.spec.program_type or 'that is unknown'}"
    yield from _kernel_only(facts)
    yield from _helpers_outside(facts, _ON_WINDOWS)
    yield from _maps_outside(facts, _WINDOWS_MAPS)
    if "packet" in facts.report.groups:
        yield "it has no legacy packet loads (group packet)"


def _windows_conditions(facts: _Facts) -> tuple[str, ...]:
    found = ["its verifier (PREVAIL) accepts the program"]
    if facts.helpers - _SAME_ON_WINDOWS or set(facts.map_names()) - _SAME_MAPS:
        found.insert(0, "compiled again: numbers of helpers and map types differ")
    return tuple(found)


_NIC_HELPERS = frozenset({1, 2, 3, 7, 25, 44, 65})


def _nic(facts: _Facts) -> Iterator[str]:
    if facts.program.spec.program_type not in {"XDP", "SCHED_CLS"}:
        yield "it runs XDP programs and classifiers"
    yield from _kernel_only(facts)
    yield from _helpers_outside(facts, _NIC_HELPERS)
    yield from _maps_outside(facts, frozenset({"ARRAY", "HASH"}))
    if any(spec.flags for spec in facts.maps):
        yield "it has no maps with flags"


def _none(_facts: _Facts) -> tuple[str, ...]:
    return ()


def _firmware(_facts: _Facts) -> tuple[str, ...]:
    return ("the device's firmware allows each helper, and the size",)


_RUNTIMES: Mapping[
    str, tuple[Callable[[_Facts], Iterator[str]], Callable[[_Facts], tuple[str, ...]]]
] = {
    "ubpf": (_ubpf, _registers_helpers),
    "rbpf": (_rbpf, _registers_helpers),
    "bpftime": (_bpftime, _none),
    "windows": (_windows, _windows_conditions),
    "nic": (_nic, _firmware),
}


def runtimes_of(
    object_file: ObjectFile,
    programs: Sequence[AnalysedProgram],
    reports: Sequence[ProgramReport],
    broken: Sequence[tuple[str, ...]],
) -> tuple[Runtime, ...]:
    """Every runtime for every program, in order of the programs.

    Args:
        broken: why nothing runs the code, for each program.
    """
    reading = {record.function for record in object_file.core_relocations}
    specs = {spec.name: spec for spec in object_file.maps}
    found = []
    for program, report, wrong in zip(programs, reports, broken, strict=True):
        functions = [flow.function for flow in program.graph.functions]
        facts = _Facts(
            program,
            report,
            tuple(specs[name] for name in report.maps if name in specs),
            has_core=any(function.name in reading for function in functions),
            has_externs=any(r.kind == "extern_address" for _, r in program.references),
            slots=sum(len(function.instructions) for function in functions),
            broken=wrong,
            is_big_endian=object_file.byteorder == "big",
        )
        for runtime, (speaks_against, conditions) in _RUNTIMES.items():
            reasons = tuple(speaks_against(facts))
            found.append(
                Runtime(
                    program=program.spec.name,
                    runtime=runtime,
                    candidate=not reasons,
                    reasons=reasons,
                    conditions=() if reasons else conditions(facts),
                )
            )
    return tuple(found)
