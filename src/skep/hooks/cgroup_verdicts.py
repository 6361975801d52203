"""Return values of programs of control groups.

Sources, Linux 6.12: kernel/bpf/cgroup.c (``bpf_prog_run_array_cg``,
``__cgroup_bpf_run_filter_skb``), include/linux/bpf-cgroup.h
(``BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE``), include/net/tcp.h (``tcp_call_bpf``); what may be
returned in kernel/bpf/verifier.c (``check_return_code``), which Linux has checked since 4.15.
Measured on 6.18.
"""

from skep.hooks.verdict import Bits, Exactly, Others, Verdict, VerdictTable
from skep.versions import KernelVersion

_CGROUP = "cgroup"
_BLOCK = ("net.block_socket",)
_ALLOWED = Verdict("allow", Exactly(1), "lets the operation through", passes=True)
_REFUSED = Verdict("refused by the verifier", Others(), "cannot be returned")


def _allowing(
    program_type: str,
    attach_types: tuple[str, ...],
    meaning: str,
    *permissions: str,
    scope: str = _CGROUP,
) -> VerdictTable:
    """0 denies with EPERM, or with the error that ``bpf_set_retval`` left; 1 allows."""
    return VerdictTable(
        program_type,
        (_ALLOWED, Verdict("deny", Exactly(0), meaning, permissions), _REFUSED),
        attach_types,
        neutral=1,
        scope=scope,
        accepted=(0, 1),
        takes_error=True,
    )


_KEEP = Verdict("keep", Bits(1, 1), "lets the packet continue", passes=True)
_DROP = Verdict("drop", Bits(1, 0), "drops the packet", ("net.drop",))
_CONGESTION = Verdict(
    "BPF_RET_SET_CN",
    Bits(2, 2),
    "tells the sending socket of congestion, so that it slows down",
    passes=True,
    first_kernel=KernelVersion(5, 3),
)
_BIND = (
    Verdict("allow", Bits(1, 1), "lets the application bind", passes=True),
    Verdict("deny", Bits(1, 0), "refuses to bind", _BLOCK),
    Verdict(
        "BPF_RET_BIND_NO_CAP_NET_BIND_SERVICE",
        Bits(2, 2),
        "lets the application bind to a privileged port without the capability for it",
        ("net.privileged_bind",),
        passes=True,
        first_kernel=KernelVersion(5, 12),
    ),
)
_ONLY_OBSERVES = (
    "CGROUP_UDP4_RECVMSG",
    "CGROUP_UDP6_RECVMSG",
    "CGROUP_UNIX_RECVMSG",
    "CGROUP_INET4_GETPEERNAME",
    "CGROUP_INET6_GETPEERNAME",
    "CGROUP_UNIX_GETPEERNAME",
    "CGROUP_INET4_GETSOCKNAME",
    "CGROUP_INET6_GETSOCKNAME",
    "CGROUP_UNIX_GETSOCKNAME",
)

CGROUP_TABLES = (
    VerdictTable(
        "CGROUP_SKB",
        (_KEEP, _DROP, _CONGESTION),
        ("CGROUP_INET_EGRESS",),
        neutral=1,
        scope=_CGROUP,
        accepted=(0, 3),
    ),
    # Ingress, and sections "cgroup/skb", which are loaded as if they were for ingress.
    VerdictTable("CGROUP_SKB", (_KEEP, _DROP), neutral=1, scope=_CGROUP, accepted=(0, 1)),
    _allowing(
        "CGROUP_SOCK",
        ("CGROUP_INET4_POST_BIND", "CGROUP_INET6_POST_BIND"),
        "undoes the bind and refuses it",
        *_BLOCK,
    ),
    # Linux calls it when a socket is closed and does not look at the answer.
    _allowing("CGROUP_SOCK", ("CGROUP_INET_SOCK_RELEASE",), "has no effect"),
    _allowing("CGROUP_SOCK", (), "refuses to create the socket", *_BLOCK),
    VerdictTable(
        "CGROUP_SOCK_ADDR",
        _BIND,
        ("CGROUP_INET4_BIND", "CGROUP_INET6_BIND"),
        neutral=1,
        scope=_CGROUP,
        accepted=(0, 3),
        takes_error=True,
    ),
    _allowing(
        "CGROUP_SOCK_ADDR",
        ("CGROUP_INET4_CONNECT", "CGROUP_INET6_CONNECT", "CGROUP_UNIX_CONNECT"),
        "refuses to connect",
        *_BLOCK,
    ),
    _allowing(
        "CGROUP_SOCK_ADDR",
        ("CGROUP_UDP4_SENDMSG", "CGROUP_UDP6_SENDMSG", "CGROUP_UNIX_SENDMSG"),
        "refuses to send",
        *_BLOCK,
    ),
    VerdictTable(
        "CGROUP_SOCK_ADDR",
        (_ALLOWED, _REFUSED),
        _ONLY_OBSERVES,
        neutral=1,
        scope=_CGROUP,
        accepted=(1, 1),
    ),
    # Without an attach type nobody knows which of them it is; bind has most to say.
    VerdictTable("CGROUP_SOCK_ADDR", _BIND, neutral=1, scope=_CGROUP, takes_error=True),
    _allowing("CGROUP_DEVICE", (), "refuses access to the device", "cgroup.device", scope=""),
    _allowing(
        "CGROUP_SYSCTL", (), "refuses to read or write the setting", "cgroup.sysctl", scope=""
    ),
    _allowing(
        "CGROUP_SOCKOPT",
        ("CGROUP_GETSOCKOPT",),
        "refuses to read the option",
        "net.sockopt_intercept",
    ),
    _allowing("CGROUP_SOCKOPT", (), "refuses to set the option", "net.sockopt_intercept"),
    VerdictTable(
        "SOCK_OPS",
        (
            Verdict("use the reply", Exactly(1), "uses the reply", passes=True),
            Verdict("ignore the reply", Exactly(0), "ignores the reply", passes=True),
            _REFUSED,
        ),
        neutral=0,
        scope=_CGROUP,
        accepted=(0, 1),
    ),
)
