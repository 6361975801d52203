"""What it means when a program of a type exits with a value.

Sources: ``enum xdp_action``, ``TC_ACT_*``, ``enum tcx_action_base``, ``enum bpf_ret_code``,
``enum sk_action`` in the kernel's uapi headers; the callers of the programs in ``net/`` and
``kernel/bpf/cgroup.c``, Linux 6.18.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExitRule:
    """Exit values that show a permission.

    Attributes:
        permission: row of the taxonomy.
        shows: whether a signed 32-bit value shows it.
        by_redirect: the result of a redirecting helper shows it too.
        always: no value can exclude it.
    """

    permission: str
    shows: Callable[[int], bool]
    by_redirect: bool = False
    always: bool = False


def _in(*values: int) -> Callable[[int], bool]:
    return frozenset(values).__contains__


def _not_in(*values: int) -> Callable[[int], bool]:
    allowed = frozenset(values)
    return lambda value: value not in allowed


def _denies(value: int) -> bool:
    # Bit 0 decides; bit 1 carries something else (congestion, or skipping a capability check).
    return not value & 1


_DROP = "net.drop"
_XDP = (
    # The kernel treats every other value as XDP_ABORTED.
    ExitRule(_DROP, _not_in(2, 3, 4)),
    ExitRule("net.reflect", _in(3)),
    ExitRule("net.redirect", _in(4), by_redirect=True),
)
_TC = (
    # TC_ACT_SHOT drops; STOLEN, QUEUED and TRAP consume the packet.
    ExitRule(_DROP, _in(2, 4, 5, 8)),
    ExitRule("net.redirect", _in(7), by_redirect=True),
)
_TCX = (
    ExitRule(_DROP, _in(2)),
    ExitRule("net.redirect", _in(7), by_redirect=True),
)
_LWT = (
    ExitRule(_DROP, _not_in(0, 7, 128)),
    ExitRule("net.redirect", _in(7), by_redirect=True),
)
_ZERO_DROPS = (ExitRule(_DROP, _in(0)),)
_BY_TYPE: dict[str, tuple[ExitRule, ...]] = {
    "XDP": _XDP,
    "SCHED_CLS": _TC,
    "SCHED_ACT": _TC,
    "LWT_IN": _LWT,
    "LWT_OUT": _LWT,
    "LWT_XMIT": _LWT,
    "LWT_SEG6LOCAL": _LWT,
    "SOCKET_FILTER": _ZERO_DROPS,
    "SK_SKB": _ZERO_DROPS,
    "SK_MSG": _ZERO_DROPS,
    "SK_LOOKUP": _ZERO_DROPS,
    "SK_REUSEPORT": _ZERO_DROPS,
    "NETFILTER": (ExitRule(_DROP, _not_in(1)),),
    "FLOW_DISSECTOR": (ExitRule(_DROP, _in(2)),),
    "CGROUP_SKB": (ExitRule(_DROP, _denies),),
    "CGROUP_SOCK": (ExitRule("net.block_socket", _denies),),
    "CGROUP_SOCK_ADDR": (ExitRule("net.block_socket", _denies),),
    "CGROUP_DEVICE": (ExitRule("cgroup.device", _denies),),
    "CGROUP_SYSCTL": (ExitRule("cgroup.sysctl", _denies),),
    "CGROUP_SOCKOPT": (ExitRule("net.sockopt_intercept", _denies),),
    "LSM": (ExitRule("lsm.enforce", _not_in(0)),),
    # It takes the place of a function whose values only the replaced program gives a meaning.
    "EXT": (ExitRule(_DROP, _not_in(), always=True),),
}


def exit_rules(program_type: str | None, attach_type: str | None) -> tuple[ExitRule, ...]:
    """Rules of a type; empty if the value has no effect that is a permission."""
    attach = attach_type or ""
    if program_type == "SCHED_CLS" and attach.startswith(("TCX_", "NETKIT_")):
        return _TCX
    if program_type == "SK_SKB" and attach == "SK_SKB_STREAM_PARSER":
        return ()  # returns a length
    if program_type == "LSM" and attach == "LSM_CGROUP":
        return (ExitRule("lsm.enforce", _in(0)),)
    if program_type == "TRACING":
        is_modifying = attach == "MODIFY_RETURN"
        return (ExitRule("kernel.modify_return", _not_in(0)),) if is_modifying else ()
    return _BY_TYPE.get(program_type or "", ())


_SCOPES = {
    **dict.fromkeys(("SOCKET_FILTER", "SK_SKB", "SK_MSG", "SK_LOOKUP", "SK_REUSEPORT"), "socket"),
    **dict.fromkeys(
        ("CGROUP_SKB", "CGROUP_SOCK", "CGROUP_SOCK_ADDR", "CGROUP_SOCKOPT", "SOCK_OPS"), "cgroup"
    ),
    **dict.fromkeys(
        (
            "XDP",
            "SCHED_CLS",
            "SCHED_ACT",
            "LWT_IN",
            "LWT_OUT",
            "LWT_XMIT",
            "LWT_SEG6LOCAL",
            "NETFILTER",
            "FLOW_DISSECTOR",
        ),
        "interface",
    ),
}


def scope_of(permission: str, program_type: str | None) -> str:
    """On whose packets a network permission acts; empty where that makes no difference."""
    return _SCOPES.get(program_type or "", "") if permission.startswith("net.") else ""
