"""What a label must hold, given what was seen: written without the analyser's tables.

An :class:`Obligation` names permissions of which one at least must be shown, declared or possible.
Sources of the meanings, Linux 6.18: XDP in net/core/filter.c and net/core/dev.c, traffic control
in net/sched/cls_bpf.c (``cls_bpf_exec_opcode``) and net/sched/act_bpf.c (``tcf_bpf_act``), cgroups
in kernel/bpf/cgroup.c, routes in net/core/lwt_bpf.c (``run_lwt_bpf``).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.soundness.kinds import ProgramKind
from tests.soundness.observing import Input, Observation
from tests.soundness.triggers import PRIVILEGED, REFUSED


@dataclass(frozen=True)
class Obligation:
    """One of these permissions must be shown.

    Attributes:
        any_of: ids.
        because: what was seen.
    """

    any_of: tuple[str, ...]
    because: str


@dataclass(frozen=True)
class Before:
    """How it was before a run.

    Attributes:
        maps: contents by name.
        untouched: what a program that does nothing leaves of the packet.
    """

    maps: Mapping[str, tuple[tuple[bytes, bytes], ...]]
    untouched: bytes = b""


EVENTS = "events of a perf event array"
Run = tuple[Input, Observation]


def _needs(because: str, *any_of: str) -> Obligation:
    return Obligation(any_of, because)


def _signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def of_verdict(kind: ProgramKind, value: int) -> Iterator[Obligation]:
    """Of an exit value."""
    number, what = _signed(value), f"verdict {_signed(value)}"
    drop = _needs(f"{what} drops", "net.drop")
    name = kind.name
    if name == "XDP":
        if number == 3:
            yield _needs(f"{what} sends back", "net.reflect")
        elif number == 4:
            yield _needs(f"{what} redirects", "net.redirect")
        elif number != 2:
            yield drop
    elif name in {"SCHED_CLS/tcx", "SCHED_CLS/netkit"}:
        # tcx_action_code takes what it does not know for NEXT, netkit_xmit drops it.
        if number == 2 or (name == "SCHED_CLS/netkit" and number not in {-1, 0, 7}):
            yield drop
        elif number == 7:
            yield _needs(f"{what} redirects", "net.redirect")
    elif name in {"SCHED_CLS", "SCHED_ACT"}:
        # Measured on clsact: QUEUED (5) is taken for UNSPEC (cls_bpf_exec_opcode). act_bpf knows
        # no STOLEN and no TRAP (tcf_bpf_act).
        if number in ({2, 4, 8} if name == "SCHED_CLS" else {2}):
            yield drop
        elif number == 7:
            yield _needs(f"{what} redirects", "net.redirect")
    elif name in {"LWT_IN", "LWT_OUT", "LWT_XMIT"}:
        if number == 7 and name == "LWT_XMIT":
            yield _needs(f"{what} redirects", "net.redirect")
        elif number not in {0, 7, 128}:
            yield drop
    elif name == "LWT_SEG6LOCAL":
        if number not in {0, 7}:
            yield drop
    elif name in {"SOCKET_FILTER", "NETFILTER"}:
        if number == 0:
            yield drop
    elif kind.type == "CGROUP_SKB":
        if not number & 1:
            yield drop
    elif name == "SK_LOOKUP":
        if number == 0:
            yield drop
            yield _needs(f"{what} refuses a connection", "net.block_socket")
    elif name == "FLOW_DISSECTOR" and number == 2:
        yield drop


def comparable(kind: ProgramKind, given: bytes, seen: Observation) -> tuple[bytes, bytes]:
    """The packet before and after, both without what the test run itself changes."""
    after = seen.packet
    if kind.name == "XDP" and seen.context:
        (data,) = struct.unpack_from("<I", seen.context)
        after = after[data:]
    if not kind.has_ethernet:
        return given[14:], after[14:]
    return given, after


def of_effects(
    kind: ProgramKind,
    given: Input,
    seen: Observation,
    before: Before,
    tags: frozenset[str],
) -> Iterator[Obligation]:
    """Of what one run did."""
    if kind.trigger:
        yield from _of_trigger(kind, seen, before.untouched)
    else:
        yield from of_verdict(kind, seen.verdict)
    if kind.name == "FLOW_DISSECTOR":
        if seen.packet != before.untouched:
            yield _needs("the flow keys differ from what the kernel put in", "net.steer")
    elif given.packet and kind.name != "NETFILTER":
        was, after = comparable(kind, given.packet, seen)
        if len(was) != len(after):
            yield _needs(f"length {len(was)} became {len(after)}", "net.resize", "net.encap")
        if "rooms" not in tags and not _only_cut(was, after, tags):
            yield _needs("bytes of the packet changed", "net.modify")
    yield from _of_context(kind, given, seen)
    for name, contents in seen.maps.items():
        if contents != before.maps.get(name):
            yield _needs(f"map {name} changed", "data.state")
    if seen.records:
        yield _needs(f"{len(seen.records)} records in the ring buffer", "data.export")
    if seen.events:
        yield _needs("an event was handed to user space", "data.export")
    if given.packet and any(_begins(given.packet, each) for each in seen.events):
        yield _needs("packet bytes in an event", "net.to_userspace")
    if seen.copies:
        yield _needs(f"{seen.copies} packets came in on another interface", "net.mirror")


_REFUSES = {
    "CGROUP_SOCK_ADDR": "net.block_socket",
    "CGROUP_SOCK_ADDR/bind": "net.block_socket",
    "CGROUP_SOCK": "net.block_socket",
    "CGROUP_DEVICE": "cgroup.device",
    "CGROUP_SYSCTL": "cgroup.sysctl",
    "CGROUP_SOCKOPT": "net.sockopt_intercept",
}
_ALTERS = {
    **_REFUSES,
    "CGROUP_SOCK_ADDR": "net.rewrite_addr",
    "CGROUP_SOCK_ADDR/bind": "net.rewrite_addr",
    "CGROUP_SOCK": "net.sockopt",
}


def _of_trigger(kind: ProgramKind, seen: Observation, plain: bytes) -> Iterator[Obligation]:
    """Of a system call that a program of a control group decided about."""
    if seen.verdict:
        altered = () if seen.verdict == REFUSED else (_ALTERS[kind.name],)
        yield _needs(f"error {seen.verdict}", _REFUSES[kind.name], *altered)
        return
    if PRIVILEGED in seen.packet:
        yield _needs("bound to a privileged port", "net.privileged_bind")
    if seen.packet.replace(PRIVILEGED, b"") != plain:
        yield _needs("the call gave something else", _ALTERS[kind.name])


def _begins(packet: bytes, event: bytes) -> bool:
    """Whether an event ends with the first bytes of the packet (16 behind a record of 8)."""
    return packet[:16] in event or packet[14:30] in event


def _only_cut(before: bytes, after: bytes, tags: frozenset[str]) -> bool:
    if "resizes" not in tags:
        return before == after
    # Head and tail move; what is in front and behind is new, what is between must be the same.
    if len(before) == len(after):
        return before == after or _overlaps(before, after)
    return before in after or after in before or _overlaps(before, after)


def _overlaps(before: bytes, after: bytes) -> bool:
    """Whether ``after`` is a stretch of ``before``, with other bytes in front or behind."""
    for shift in range(-64, 65):
        start, other = max(0, shift), max(0, -shift)
        length = min(len(before) - start, len(after) - other)
        if length >= 40 and before[start : start + length] == after[other : other + length]:
            return True
    return False


_SKB_FIELDS = (("mark", 8, 4), ("priority", 32, 4), ("cb", 48, 20), ("tstamp", 152, 8))


def _of_context(kind: ProgramKind, given: Input, seen: Observation) -> Iterator[Obligation]:
    if not seen.context:
        return
    if kind.is_skb:
        for name, offset, size in _SKB_FIELDS:
            if given.context[offset : offset + size] != seen.context[offset : offset + size]:
                yield _needs(f"{name} of the packet changed", "net.metadata")
    elif kind.name == "XDP":
        if struct.unpack_from("<I", seen.context)[0]:
            yield _needs("there is room for metadata in front of the packet", "net.metadata")
    elif kind.name == "SK_LOOKUP" and seen.context[:8] != bytes(8):
        yield _needs("a socket was chosen", "net.steer")


def differs(kind: ProgramKind, one: Run, two: Run, tags: frozenset[str]) -> str:
    """What depends on the difference between two inputs; empty if nothing does.

    A byte of the packet that came through as it was depends on nothing.
    """
    (first, a), (second, b) = one, two
    if a.verdict != b.verdict:
        return f"verdict {_signed(a.verdict)} or {_signed(b.verdict)}"
    for name in a.maps:
        if a.maps[name] != b.maps.get(name) and not _conf_alone(name, first, second, a, b):
            return f"contents of map {name}"
    if a.records != b.records:
        return "records in the ring buffer"
    if a.events != b.events:
        return EVENTS
    if a.context != b.context and first.context == second.context:
        return "context as it came out"
    if a.copies != b.copies:
        return "packets that came in elsewhere"
    if len(a.packet) != len(b.packet):
        return "length of the packet"
    if kind.name == "FLOW_DISSECTOR":
        return "flow keys" if a.packet != b.packet else ""
    if kind.trigger:
        return "what the call gave" if a.packet != b.packet else ""
    if kind.name != "NETFILTER" and not tags & {"rooms", "resizes", "checksums"}:
        before, after = comparable(kind, first.packet, a)
        before2, after2 = comparable(kind, second.packet, b)
        for place, (x, y) in enumerate(zip(after, after2, strict=False)):
            passed = before[place : place + 1] == bytes([x])
            if x != y and not (passed and before2[place : place + 1] == bytes([y])):
                return f"byte {place} of the packet as it came out"
    return ""


def _conf_alone(name: str, first: Input, second: Input, a: Observation, b: Observation) -> bool:
    return name == "conf" and (first.numbers, first.text) != (second.numbers, second.text)


READS: dict[str, tuple[str, ...]] = {
    "packet": ("net.read",),
    "identity": (
        "proc.identify", "kernel.read_memory", "proc.stack",
    ),
    "kernel memory": ("kernel.read_memory",),
    "user memory": ("user.read_memory",),
    "network": ("net.lookup", "net.steer", "kernel.read_memory"),
}  # fmt: skip
"""What the label must hold if anything seen depends on that part of the world."""


def of_read(part: str, why: str) -> Obligation:
    """What the label must hold because something seen depends on a part of the world."""
    any_of = READS[part]
    if part == "packet" and why == EVENTS:  # whole packets go out: more than reading them
        any_of = (*any_of, "net.to_userspace")
    return Obligation(any_of, f"{part} decides {why}")
