"""Options a kernel must be built with, as far as they follow from types, maps and calls.

Sources: ``include/linux/bpf_types.h``, ``kernel/bpf/Kconfig``, ``kernel/trace/Kconfig``,
``net/core/filter.c`` and the ``Kconfig`` files of the parts named, Linux 6.18. Only what decides
whether loading or attaching can work; every distribution sets the most common ones.
"""

from collections.abc import Iterable, Mapping, Sequence

from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.analysis.report_needs import ConfigurationNeed
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.objectfile.model import MapSpec

_NETWORK, _CGROUP_BPF, _EVENTS = "CONFIG_NET", "CONFIG_CGROUP_BPF", "CONFIG_BPF_EVENTS"
_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "XDP": (_NETWORK,),
    "SCHED_CLS": ("CONFIG_NET_CLS_ACT", "CONFIG_NET_CLS_BPF"),
    "SCHED_ACT": ("CONFIG_NET_CLS_ACT", "CONFIG_NET_ACT_BPF"),
    **dict.fromkeys(("LWT_IN", "LWT_OUT", "LWT_XMIT"), ("CONFIG_LWTUNNEL_BPF",)),
    "LWT_SEG6LOCAL": ("CONFIG_LWTUNNEL_BPF", "CONFIG_IPV6_SEG6_BPF"),
    **dict.fromkeys(("SK_SKB", "SK_MSG"), ("CONFIG_NET_SOCK_MSG",)),
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
        (_CGROUP_BPF,),
    ),
    **dict.fromkeys(("TRACEPOINT", "RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE"), (_EVENTS,)),
    "KPROBE": (_EVENTS,),
    "PERF_EVENT": (_EVENTS, "CONFIG_PERF_EVENTS"),
    "TRACING": (_EVENTS, "CONFIG_BPF_JIT"),
    "EXT": ("CONFIG_BPF_JIT",),
    "STRUCT_OPS": ("CONFIG_BPF_JIT",),
    "LSM": ("CONFIG_BPF_LSM",),
    "LIRC_MODE2": ("CONFIG_BPF_LIRC_MODE2",),
    "NETFILTER": ("CONFIG_NETFILTER_BPF_LINK",),
}
_BY_KEYWORD: Mapping[str, str] = {
    **dict.fromkeys(("kprobe", "kretprobe", "ksyscall", "kretsyscall"), "CONFIG_KPROBE_EVENTS"),
    **dict.fromkeys(("uprobe", "uretprobe", "usdt"), "CONFIG_UPROBE_EVENTS"),
    "tcx": "CONFIG_NET_XGRESS",
    "netkit": "CONFIG_NETKIT",
}
_BY_MAP: Mapping[str, str] = {
    "XSKMAP": "CONFIG_XDP_SOCKETS",
    **dict.fromkeys(("SOCKMAP", "SOCKHASH"), "CONFIG_NET_SOCK_MSG"),
    **dict.fromkeys(("DEVMAP", "DEVMAP_HASH", "CPUMAP"), _NETWORK),
    **dict.fromkeys(("CGROUP_ARRAY", "CGRP_STORAGE"), "CONFIG_CGROUPS"),
    **dict.fromkeys(("CGROUP_STORAGE", "PERCPU_CGROUP_STORAGE"), _CGROUP_BPF),
    "INODE_STORAGE": "CONFIG_BPF_LSM",
    **dict.fromkeys(("PERF_EVENT_ARRAY", "STACK_TRACE"), "CONFIG_PERF_EVENTS"),
}
_BY_HELPER: Mapping[int, str] = {
    58: "CONFIG_BPF_KPROBE_OVERRIDE",
    66: "CONFIG_XFRM",
    73: "CONFIG_LWTUNNEL_BPF",
}


def kernel_options(
    programs: Sequence[AnalysedProgram], maps: Iterable[MapSpec], *, needs_btf: bool
) -> tuple[ConfigurationNeed, ...]:
    """Options with the first thing that needs each, ``CONFIG_BPF_SYSCALL`` first."""
    found: dict[str, str] = {"CONFIG_BPF_SYSCALL": "every eBPF program"}
    for program in programs:
        program_type = program.spec.program_type or ""
        keyword = program.spec.section.removeprefix("?").partition("/")[0].partition(".")[0]
        options = _BY_TYPE.get(program_type, ())
        if keyword in {"tcx", "netkit"} and program_type == "SCHED_CLS":
            options = ()  # attached without a classifier
        for option in options:
            found.setdefault(option, f"program type {program_type}")
        if keyword in _BY_KEYWORD:
            found.setdefault(_BY_KEYWORD[keyword], f"section {program.spec.section}")
        for call in program.calls:
            if call.helper is not None and call.helper in _BY_HELPER:
                found.setdefault(_BY_HELPER[call.helper], f"helper {call.helper}")
    for spec in maps:
        name = MAP_TYPE_NAMES.get(spec.map_type, "")
        if name in _BY_MAP:
            found.setdefault(_BY_MAP[name], f"map type {name}")
    if needs_btf:
        found.setdefault("CONFIG_DEBUG_INFO_BTF", "the kernel's types")
    return tuple(ConfigurationNeed(option=name, because=why) for name, why in found.items())
