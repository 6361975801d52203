"""Which CO-RE records stand in the way of linking without types of a kernel.

A record may stay unapplied if its value cannot differ between kernels: ids of types in the object
itself, and fields of structures whose layout is fixed, either because user space depends on it
(contexts) or because it travels over a wire (packet headers).
"""

from collections.abc import Collection

from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile

_TYPE_ID_LOCAL = 6
_FIELD_KINDS = frozenset(range(6))
_FIELD_EXISTS = 2

STABLE_TYPES = frozenset(
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
"""Structures whose layout is part of the interface to user space, or of a network protocol: a
record about them can be resolved without the kernel's types."""


def must_be_applied(record: CoreRelocation) -> bool:
    """Whether the value of ``record`` may be another one on another kernel.

    Contexts grow at their end, so whether they *have* a field is still a question.
    """
    if record.kind == _TYPE_ID_LOCAL:
        return False
    is_fixed = record.root.partition("___")[0] in STABLE_TYPES
    return not (is_fixed and record.kind in _FIELD_KINDS and record.kind != _FIELD_EXISTS)


def first_to_apply(object_file: ObjectFile, functions: Collection[str]) -> CoreRelocation | None:
    """The first record inside ``functions`` that cannot be left alone."""
    for record in object_file.core_relocations:
        if record.function in functions and must_be_applied(record):
            return record
    return None
