"""What each program attaches to, as its section says.

Section names: the table of libbpf (:mod:`skep.bytecode.objectfile.section_table`). The name of a
section is evidence for the target and for nothing else; whoever attaches may choose another one.
"""

from collections.abc import Mapping, Sequence

from skep.bytecode.analysis.kernel_targets import keyword_of
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.analysis.report_needs import AttachTarget

_FUNCTION, _USER = "kernel function", "user function"
_BY_KEYWORD: Mapping[str, str] = {
    **dict.fromkeys(("kprobe", "kretprobe", "fentry", "fexit", "fmod_ret", "fsession"), _FUNCTION),
    **dict.fromkeys(("ksyscall", "kretsyscall"), "system call"),
    **dict.fromkeys(("uprobe", "uretprobe"), _USER),
    "usdt": "user tracepoint",
    **dict.fromkeys(("tracepoint", "tp"), "tracepoint"),
    **dict.fromkeys(("raw_tracepoint", "raw_tp", "tp_btf"), "raw tracepoint"),
    **dict.fromkeys(("lsm", "lsm_cgroup"), "security hook"),
    "iter": "iterator",
    **dict.fromkeys(("freplace", "fentry_prog"), "function of a program"),
    "struct_ops": "set of kernel operations",
}
_INTERFACE, _CGROUP, _SOCKETS = "interface", "cgroup", "socket"
_BY_TYPE: Mapping[str, str] = {
    **dict.fromkeys(("XDP", "SCHED_CLS", "SCHED_ACT"), _INTERFACE),
    **dict.fromkeys(("LWT_IN", "LWT_OUT", "LWT_XMIT", "LWT_SEG6LOCAL"), "route"),
    **dict.fromkeys(
        (
            "CGROUP_SKB",
            "CGROUP_SOCK",
            "CGROUP_SOCK_ADDR",
            "CGROUP_DEVICE",
            "CGROUP_SYSCTL",
            "CGROUP_SOCKOPT",
            "SOCK_OPS",
        ),
        _CGROUP,
    ),
    **dict.fromkeys(("SOCKET_FILTER", "SK_REUSEPORT"), _SOCKETS),
    **dict.fromkeys(("SK_SKB", "SK_MSG"), "socket map"),
    **dict.fromkeys(("FLOW_DISSECTOR", "SK_LOOKUP"), "network namespace"),
    "NETFILTER": "netfilter hook",
    "PERF_EVENT": "perf event",
    "LIRC_MODE2": "infrared device",
    "KPROBE": _FUNCTION,
    "TRACEPOINT": "tracepoint",
    **dict.fromkeys(("RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE"), "raw tracepoint"),
    "TRACING": _FUNCTION,
    "LSM": "security hook",
    "EXT": "function of a program",
}
# Written behind the slash by people who name their programs, not by what libbpf reads there.
_NAMED_ONLY = frozenset(
    {
        _INTERFACE,
        _CGROUP,
        _SOCKETS,
        "socket map",
        "network namespace",
        "route",
        "netfilter hook",
        "perf event",
        "infrared device",
    }
)


def attach_targets(programs: Sequence[AnalysedProgram]) -> tuple[AttachTarget, ...]:
    """One for each program that attaches to something; in the order of the programs."""
    return tuple(
        found for found in map(_target_of, programs) if found is not None and found.kind != ""
    )


def _target_of(program: AnalysedProgram) -> AttachTarget | None:
    spec = program.spec
    section = spec.section.removeprefix("?")
    keyword = keyword_of(program) or section.partition("/")[0].partition(".")[0]
    kind = _BY_KEYWORD.get(keyword) if program.type_source == "section" else None
    if kind is None:
        kind = _BY_TYPE.get(spec.program_type or "")
    if kind is None:
        return None  # SYSCALL programs are run, not attached; of unknown types nobody knows
    name = spec.target if kind not in _NAMED_ONLY and program.type_source == "section" else ""
    if kind == "set of kernel operations":
        name = section.partition("/")[2] or spec.name
    if kind == _USER and ":" not in name and name:
        return AttachTarget(program=spec.name, kind=kind, name=name)  # a path, no function
    return AttachTarget(
        program=spec.name,
        kind=kind,
        name=name,
        chosen="by the object" if name else "when attached",
    )
