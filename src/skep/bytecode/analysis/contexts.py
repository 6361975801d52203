"""What programs of a type get in r1, and what storing to it means.

Offsets are bytes from the context pointer, as the object file has them: the kernel rewrites these
accesses. Source: the structures of ``include/uapi/linux/bpf.h`` and the ``is_valid_access``
callbacks in ``net/core/filter.c``, Linux 6.18.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from skep.bytecode.analysis.values import FLOW_KEYS, KERNEL, MAP_VALUE, MEMORY, PACKET, SOCKET
from skep.bytecode.objectfile.model import ProgramSpec


@dataclass(frozen=True, slots=True)
class WritableField:
    """A range of bytes a program may store to, and what that shows.

    Attributes:
        start: first byte.
        end: byte behind the last.
        name: as in the structure.
        permission: row of the taxonomy.
        severity: instead of the row's, ``None`` for the row's.
    """

    start: int
    end: int
    name: str
    permission: str
    severity: str | None = None


@dataclass(frozen=True, slots=True)
class ContextLayout:
    """A context structure.

    Attributes:
        name: in the kernel's header.
        packet_fields: names of the fields that become pointers into the packet, by offset.
        writable: fields whose change is a permission.
        pointers: kinds of what other fields point to, with their names, by offset.
        is_typed: an array of arguments of which any may be a pointer to a kernel structure.
        is_known: ``False`` if nothing is known: then any load from it may be any pointer.
    """

    name: str
    packet_fields: Mapping[int, str] = field(default_factory=dict)
    writable: tuple[WritableField, ...] = ()
    pointers: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    is_typed: bool = False
    is_known: bool = True

    @property
    def pointer_kinds(self) -> int:
        """Kinds of all that its fields may point to."""
        kinds = PACKET if self.packet_fields else 0
        for kind, _ in self.pointers.values():
            kinds |= kind
        return kinds | (KERNEL if self.is_typed else 0)

    @property
    def has_packet(self) -> bool:
        """Programs may hold pointers into a packet, or we cannot tell."""
        return bool(self.packet_fields) or not self.is_known


_METADATA = "net.metadata"
_ADDRESS = "net.rewrite_addr"
_SOCKOPT = "net.sockopt"
_INTERCEPT = "net.sockopt_intercept"

XDP_MD = ContextLayout("xdp_md", MappingProxyType({0: "data", 4: "data_end", 8: "data_meta"}))
SK_BUFF = ContextLayout(
    "__sk_buff",
    MappingProxyType({76: "data", 80: "data_end", 140: "data_meta"}),
    (
        WritableField(8, 12, "mark", _METADATA),
        WritableField(12, 16, "queue_mapping", _METADATA),
        WritableField(32, 36, "priority", _METADATA),
        WritableField(44, 48, "tc_index", _METADATA),
        WritableField(48, 68, "cb", _METADATA, "info"),
        WritableField(72, 76, "tc_classid", _METADATA),
        WritableField(152, 160, "tstamp", _METADATA),
    ),
    MappingProxyType({144: (FLOW_KEYS, "flow_keys"), 168: (SOCKET, "sk")}),
)
SK_MSG_MD = ContextLayout(
    "sk_msg_md",
    MappingProxyType({0: "data", 8: "data_end"}),
    pointers=MappingProxyType({72: (SOCKET, "sk")}),
)
SK_REUSEPORT_MD = ContextLayout(
    "sk_reuseport_md",
    MappingProxyType({0: "data", 8: "data_end"}),
    pointers=MappingProxyType({40: (SOCKET, "sk"), 48: (SOCKET, "migrating_sk")}),
)
SK_LOOKUP = ContextLayout("bpf_sk_lookup", pointers=MappingProxyType({0: (SOCKET, "sk")}))
SOCK_OPS = ContextLayout(
    "bpf_sock_ops",
    MappingProxyType({192: "skb_data", 200: "skb_data_end"}),
    (
        WritableField(4, 20, "reply", _SOCKOPT),  # a union with replylong[4]
        WritableField(164, 168, "sk_txhash", _SOCKOPT),
    ),
    MappingProxyType({184: (SOCKET, "sk")}),
)
SOCK_ADDR = ContextLayout(
    "bpf_sock_addr",
    writable=(
        WritableField(4, 8, "user_ip4", _ADDRESS),
        WritableField(8, 24, "user_ip6", _ADDRESS),
        WritableField(24, 28, "user_port", _ADDRESS),
        WritableField(40, 44, "msg_src_ip4", _ADDRESS),
        WritableField(44, 60, "msg_src_ip6", _ADDRESS),
    ),
    pointers=MappingProxyType({64: (SOCKET, "sk")}),
)
SOCK = ContextLayout(
    "bpf_sock",
    writable=(
        WritableField(0, 4, "bound_dev_if", _SOCKOPT),
        WritableField(16, 20, "mark", _SOCKOPT),
        WritableField(20, 24, "priority", _SOCKOPT),
    ),
)
SOCKOPT = ContextLayout(
    "bpf_sockopt",
    writable=(
        WritableField(24, 28, "level", _INTERCEPT),
        WritableField(28, 32, "optname", _INTERCEPT),
        WritableField(32, 36, "optlen", _INTERCEPT),
        WritableField(36, 40, "retval", _INTERCEPT),
    ),
    # What the application handed over, and the end of it.
    pointers=MappingProxyType(
        {0: (SOCKET, "sk"), 8: (MEMORY, "optval"), 16: (MEMORY, "optval_end")}
    ),
)
SYSCTL = ContextLayout("bpf_sysctl", writable=(WritableField(4, 8, "file_pos", "cgroup.sysctl"),))
OTHER = ContextLayout("context")
ARGUMENTS = ContextLayout("arguments", is_typed=True)
"""What BTF says of a kernel function's arguments, one in eight bytes each."""
NETFILTER = ContextLayout(
    "bpf_nf_ctx", pointers=MappingProxyType({0: (KERNEL, "state"), 8: (KERNEL, "skb")})
)
ITERATOR = ContextLayout(
    # The first member of every iterator's context is its own state, struct bpf_iter_meta.
    "iterator",
    pointers=MappingProxyType({0: (MEMORY, "meta")}),
    is_typed=True,
)
ELEMENTS = ContextLayout(
    "map iterator",
    pointers=MappingProxyType(
        {0: (MEMORY, "meta"), **dict.fromkeys((8, 16, 24), (KERNEL | MAP_VALUE, "element"))}
    ),
    is_typed=True,
)
"""Iterators over elements of maps, whose values the program may change."""
UNKNOWN_CONTEXT = ContextLayout("unknown", is_known=False)

_BY_TYPE: Mapping[str, ContextLayout] = MappingProxyType(
    {
        "XDP": XDP_MD,
        **dict.fromkeys(
            (
                "SOCKET_FILTER",
                "SCHED_CLS",
                "SCHED_ACT",
                "CGROUP_SKB",
                "LWT_IN",
                "LWT_OUT",
                "LWT_XMIT",
                "LWT_SEG6LOCAL",
                "SK_SKB",
                "FLOW_DISSECTOR",
            ),
            SK_BUFF,
        ),
        "SK_MSG": SK_MSG_MD,
        "SK_REUSEPORT": SK_REUSEPORT_MD,
        "SOCK_OPS": SOCK_OPS,
        "CGROUP_SOCK_ADDR": SOCK_ADDR,
        "CGROUP_SOCK": SOCK,
        "CGROUP_SOCKOPT": SOCKOPT,
        "CGROUP_SYSCTL": SYSCTL,
        "SK_LOOKUP": SK_LOOKUP,
        "NETFILTER": NETFILTER,
        **dict.fromkeys(
            ("TRACING", "LSM", "STRUCT_OPS", "RAW_TRACEPOINT_WRITABLE"),
            ARGUMENTS,
        ),
        "EXT": UNKNOWN_CONTEXT,  # the type of what it replaces
    }
)


_ELEMENT_ITERATORS = frozenset({"bpf_map_elem", "bpf_sk_storage_map", "sockmap"})


def layout_of(spec: ProgramSpec, *, is_known_type: bool) -> ContextLayout:
    """Context of a program; unknown for an unknown type."""
    program_type = spec.program_type
    if program_type is None or not is_known_type:
        return UNKNOWN_CONTEXT
    if program_type == "TRACING" and spec.attach_type == "TRACE_ITER":
        return ELEMENTS if spec.target in _ELEMENT_ITERATORS else ITERATOR
    return _BY_TYPE.get(program_type, OTHER)
