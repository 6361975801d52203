"""The program types that can be run by hand, and what their programs may touch.

Sources: ``*_is_valid_access`` in net/core/filter.c, ``may_access_direct_pkt_data`` in
kernel/bpf/verifier.c and net/bpf/test_run.c of Linux 6.18.
"""

from dataclasses import dataclass
from typing import Literal

Context = Literal["xdp_md", "sk_buff", "sk_lookup", "nf_ctx", "numbers", "memory", "other"]


@dataclass(frozen=True)
class ContextField:
    """A field of the context."""

    name: str
    offset: int
    size: int = 4


@dataclass(frozen=True)
class ProgramKind:
    """A program type as the generator sees it.

    Attributes:
        name: of the type, without prefix.
        section: ELF section of its programs.
        context: what r1 is.
        packet: offsets of ``data`` and ``data_end``, ``None`` without packet pointers.
        writes_packet: stores through packet pointers are allowed.
        readable: fields of the context that may be loaded.
        writable: fields that may be stored to.
        passing: an exit value without any effect.
        verdicts: exit values the verifier accepts, ``None`` for all.
        has_ethernet: the packet begins with its Ethernet header.
        input: bytes of packet a run takes; 0: it takes none.
        trigger: the system call that sets it off; empty: it has a test run.
    """

    name: str
    section: str
    context: Context
    packet: tuple[int, int] | None = None
    writes_packet: bool = False
    readable: tuple[ContextField, ...] = ()
    writable: tuple[ContextField, ...] = ()
    passing: int = 0
    verdicts: tuple[int, ...] | None = None
    has_ethernet: bool = False
    input: int = 96
    is_sleepable: bool = False
    trigger: str = ""

    @property
    def type(self) -> str:
        """The program type; the name may also tell the attach type."""
        return self.name.partition("/")[0]

    @property
    def is_skb(self) -> bool:
        return self.context == "sk_buff"


def _fields(*named: tuple[str, int] | tuple[str, int, int]) -> tuple[ContextField, ...]:
    return tuple(ContextField(*each) for each in named)


_CB = _fields(*((f"cb[{n}]", 48 + 4 * n) for n in range(5)))
_SKB_READ = (
    *_fields(
        ("len", 0), ("pkt_type", 4), ("mark", 8), ("queue_mapping", 12), ("protocol", 16),
        ("vlan_present", 20), ("vlan_tci", 24), ("vlan_proto", 28), ("priority", 32),
        ("ingress_ifindex", 36), ("ifindex", 40), ("tc_index", 44), ("hash", 68), ("napi_id", 84),
        ("gso_segs", 164), ("gso_size", 176),
    ),
    *_CB,
)  # fmt: skip
_TC_READ = (*_SKB_READ, *_fields(("tc_classid", 72), ("tstamp", 152, 8), ("wire_len", 160)))
_TC_WRITE = (
    *_CB,
    *_fields(
        ("mark", 8), ("queue_mapping", 12), ("priority", 32), ("tc_index", 44), ("tc_classid", 72),
        ("tstamp", 152, 8),
    ),
)  # fmt: skip
_MARK = (*_CB, *_fields(("mark", 8), ("priority", 32)))
_LWT_VALUES = (0, 2, 7, 128, 1, 55)


def _lwt(name: str, *, writes_packet: bool = False) -> ProgramKind:
    return ProgramKind(
        name, name.lower(), "sk_buff", (76, 80), writes_packet, _SKB_READ, _MARK,
        verdicts=_LWT_VALUES,
    )  # fmt: skip


_ALL = (
    ProgramKind(
        "XDP", "xdp", "xdp_md", (0, 4), writes_packet=True,
        readable=_fields(("ingress_ifindex", 12), ("rx_queue_index", 16)),
        passing=2, has_ethernet=True,
    ),
    ProgramKind(
        "SCHED_CLS", "tc", "sk_buff", (76, 80), writes_packet=True, readable=_TC_READ,
        writable=_TC_WRITE, has_ethernet=True,
    ),
    ProgramKind(
        "SCHED_CLS/tcx", "tcx/ingress", "sk_buff", (76, 80), writes_packet=True, readable=_TC_READ,
        writable=_TC_WRITE, passing=-1, has_ethernet=True,
    ),
    ProgramKind(
        "SCHED_CLS/netkit", "netkit/peer", "sk_buff", (76, 80), writes_packet=True,
        readable=_TC_READ, writable=_TC_WRITE, passing=-1, has_ethernet=True,
    ),
    ProgramKind(
        "SCHED_ACT", "action", "sk_buff", (76, 80), writes_packet=True, readable=_TC_READ,
        writable=_TC_WRITE, has_ethernet=True,
    ),
    ProgramKind(
        "SOCKET_FILTER", "socket", "sk_buff", None, readable=_SKB_READ, writable=_CB,
        passing=0x7FFF_FFFF,
    ),
    ProgramKind(
        "CGROUP_SKB", "cgroup_skb/egress", "sk_buff", (76, 80), readable=_SKB_READ,
        writable=_MARK, passing=1, verdicts=(0, 1, 2, 3),
    ),
    ProgramKind(
        "CGROUP_SKB/any", "cgroup/skb", "sk_buff", (76, 80), readable=_SKB_READ,
        writable=_MARK, passing=1, verdicts=(0, 1),
    ),
    _lwt("LWT_IN"),
    _lwt("LWT_OUT"),
    _lwt("LWT_XMIT", writes_packet=True),
    ProgramKind(
        "SK_LOOKUP", "sk_lookup", "sk_lookup",
        readable=_fields(
            ("family", 8), ("protocol", 12), ("remote_ip4", 16), ("remote_port", 36, 2),
            ("local_ip4", 40), ("local_port", 60), ("ingress_ifindex", 64),
        ),
        passing=1, verdicts=(0, 1), input=0,
    ),
    ProgramKind(
        "FLOW_DISSECTOR", "flow_dissector", "sk_buff", (76, 80), verdicts=(0, 2, 129),
        has_ethernet=True,
    ),
    ProgramKind(
        "RAW_TRACEPOINT", "raw_tp/task_rename", "numbers",
        readable=_fields(*((f"argument {n}", 8 * n, 8) for n in range(4))), input=0,
    ),
    ProgramKind(
        "SYSCALL", "syscall", "memory",
        readable=_fields(*((f"word {n}", 8 * n, 8) for n in range(4))),
        writable=_fields(*((f"word {n}", 8 * n, 8) for n in range(4, 8))),
        input=0, is_sleepable=True,
    ),
    ProgramKind("NETFILTER", "netfilter", "nf_ctx", passing=1, verdicts=(0, 1)),
    ProgramKind(
        "CGROUP_SOCK_ADDR", "cgroup/connect4", "other",
        readable=_fields(("user_family", 0), ("user_ip4", 4), ("user_port", 24), ("type", 32)),
        writable=_fields(("user_ip4", 4), ("user_port", 24)),
        passing=1, verdicts=(0, 1), input=0, trigger="connect",
    ),
    ProgramKind(
        "CGROUP_SOCK_ADDR/bind", "cgroup/bind4", "other",
        readable=_fields(("user_family", 0), ("user_ip4", 4), ("user_port", 24), ("type", 32)),
        writable=_fields(("user_ip4", 4), ("user_port", 24)),
        passing=1, verdicts=(0, 1, 2, 3), input=0, trigger="bind",
    ),
    ProgramKind(
        "CGROUP_SOCK", "cgroup/sock_create", "other",
        readable=_fields(("family", 4), ("type", 8), ("protocol", 12), ("mark", 16)),
        writable=_fields(("bound_dev_if", 0), ("mark", 16), ("priority", 20)),
        passing=1, verdicts=(0, 1), input=0, trigger="create",
    ),
    ProgramKind(
        "CGROUP_DEVICE", "cgroup/dev", "other",
        readable=_fields(("access_type", 0), ("major", 4), ("minor", 8)),
        passing=1, verdicts=(0, 1), input=0, trigger="open device",
    ),
    ProgramKind(
        "CGROUP_SYSCTL", "cgroup/sysctl", "other",
        readable=_fields(("write", 0), ("file_pos", 4)), writable=_fields(("file_pos", 4)),
        passing=1, verdicts=(0, 1), input=0, trigger="read setting",
    ),
    ProgramKind(
        "CGROUP_SOCKOPT", "cgroup/getsockopt", "other",
        readable=_fields(("level", 24), ("optname", 28), ("optlen", 32), ("retval", 36)),
        writable=_fields(("optlen", 32), ("retval", 36)),
        passing=1, verdicts=(0, 1), input=0, trigger="get option",
    ),
)  # fmt: skip

NOT_RUN = {
    "LWT_SEG6LOCAL": "no BPF_PROG_TEST_RUN; runs on packets that a seg6local route receives",
    "SK_SKB": "no BPF_PROG_TEST_RUN; runs on sockets in a map",
    "SK_MSG": "no BPF_PROG_TEST_RUN; runs on sockets in a map",
    "SK_REUSEPORT": "no BPF_PROG_TEST_RUN; runs on groups of sockets",
    "SOCK_OPS": "no BPF_PROG_TEST_RUN; runs on events of TCP",
    "STRUCT_OPS": "not linked by Skep yet",
    "EXT": "not linked by Skep yet",
    "LSM": "needs trampolines",
    "TRACING": "fentry and its like need trampolines; tp_btf and iterators have no test run",
    "KPROBE": "no BPF_PROG_TEST_RUN",
    "TRACEPOINT": "no BPF_PROG_TEST_RUN",
    "PERF_EVENT": "no BPF_PROG_TEST_RUN",
    "RAW_TRACEPOINT_WRITABLE": "runs only where a writable tracepoint fires, on the whole host",
    "LIRC_MODE2": "needs a device",
}

KINDS = {kind.name: kind for kind in _ALL}
