"""A snippet for every helper and kernel function, made from the roles of its arguments.

The roles are those the analyser works with, so a wrong role makes a program that the kernel
refuses or whose effect is seen; where the memory comes from is drawn anew each time.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from skep.bytecode.isa.call_arguments import (
    HELPER_ARGUMENTS,
    KERNEL_FUNCTION_ARGUMENTS,
    CallArguments,
)
from tests.soundness.assembling import Code
from tests.soundness.drafting import (
    BUFFER,
    DYNPTR,
    OTHER_BUFFER,
    OTHER_DYNPTR,
    SLOTS,
    Draft,
)
from tests.soundness.kinds import ProgramKind
from tests.soundness.snippets.table import SNIPPETS, Need, Snippet, is_skb, is_xdp
from tests.soundness.worlds import KERNEL_ADDRESS, TEXT, USER_ADDRESS

NOT_RUN: dict[int | str, str] = {
    6: "writes to the trace log of the whole host",
    177: "writes to the trace log of the whole host",
    12: "tail calls are left out",
    36: "writes memory of a process",
    58: "makes calls of the kernel fail",
    109: "sends signals",
    117: "sends signals",
    166: "makes system calls",
    167: "opens descriptors",
    168: "closes descriptors",
    169: "timers outlive the run",
    170: "timers outlive the run",
    171: "timers outlive the run",
    172: "timers outlive the run",
    "bpf_send_signal_task": "sends signals",
    "crash_kexec": "crashes the machine",
    "bpf_sock_destroy": "closes connections",
}
"""Calls that act on the host or outlive the run, and why they are not made."""

_LEFT_OUT = (
    "scx_", "__scx_", "hid_", "bpf_io_uring", "bpf_wq_", "bpf_timer", "bpf_task_work", "bpf_arena",
    "bpf_local_irq", "bpf_preempt", "bpf_rcu", "bpf_res_spin", "cgroup_rstat", "css_rstat",
    "bpf_iter_", "bpf_obj_", "bpf_percpu_obj", "bpf_list", "bpf_rbtree", "bpf_refcount",
    "bpf_cpumask", "cubictcp", "bbr_", "dctcp_", "tcp_", "bpf_copy_to_user", "bpf_throw",
    "bpf_stream_print", "bpf_xdp_metadata", "__bpf_trap", "bpf_kfunc_", "bpf_ksock",
    "bpf_dynptr_from_file",
)  # fmt: skip
NEED_PAIRS = "a call that belongs to others: locks, objects, iterators, reference counts"

_MAPS: dict[int | str, tuple[str, ...]] = {
    2: ("table", "lru"), 25: ("events",), 22: ("events",), 55: ("events",), 27: ("traces",),
    51: ("devices", "cpus"), 87: ("queue", "stacked", "bloom"), 88: ("queue", "stacked"),
    89: ("queue", "stacked", "bloom"), 111: ("events",), 121: ("events",),
    130: ("ring",), 131: ("ring",), 134: ("ring",), 198: ("ring",), 195: ("percpu",),
    53: ("sockets",), 52: ("sockets",), 60: ("sockets",),
}  # fmt: skip
_SLEEPS = re.compile(r"bpf_copy_from_user|148$|191$|bpf_\w*xattr|bpf_verify|bpf_crypto_ctx_create")
_MEMORY = 16
Source = Callable[[Draft], None]


@dataclass
class _Arguments:
    """Values of r1 to r5: what is computed first, and what is put into the register last."""

    draft: Draft
    last: list[Callable[[Code, int], None]]
    on_stack: list[int] = field(default_factory=list)

    def kept(self, register: int) -> None:
        """A value computed now, kept on the stack until the call."""
        slot = SLOTS[len(self.last)]
        self.draft.code.store(8, 10, slot, register)
        self.last.append(lambda code, to: code.load(8, to, 10, slot))

    def constant(self, value: int) -> None:
        self.last.append(lambda code, to: code.mov(to, value))

    def stack(self, offset: int) -> None:
        self.last.append(lambda code, to: code.stack_address(to, offset))


def _memory(draft: Draft, arguments: _Arguments, role: str, offset: int) -> None:
    """Memory of the program to read or write: from the stack, a map, the packet."""
    rng = draft.rng
    places = ["stack", "map"]
    if draft.reach and (role == "read" or draft.kind.writes_packet):
        places += ["packet"]
    place = rng.choice(places)
    draft.tags.add(f"memory:{role}:{place}")
    if place == "packet":
        at = draft.reach - _MEMORY

        def packet(code: Code, to: int) -> None:
            code.copy(to, 7)
            code.add(to, at)

        arguments.last.append(packet)
    elif place == "map" and role == "read":
        draft.map_value(0, "conf")
        draft.code.add(0, TEXT)
        arguments.kept(0)
    elif place == "map":
        draft.map_value(0, "out")
        arguments.kept(0)
    else:
        draft.clear_buffer(offset, 64)
        draft.code.store(8, 10, offset, 8)
        arguments.stack(offset)
        if role != "read":
            arguments.on_stack.append(offset)


def _make_dynptr(draft: Draft, offset: int) -> None:
    """A dynptr over the packet, a map's value or constants of the program's user."""
    code, rng = draft.code, draft.rng
    over_packet = is_xdp(draft.kind) or is_skb(draft.kind)
    function = "bpf_dynptr_from_xdp" if is_xdp(draft.kind) else "bpf_dynptr_from_skb"
    if over_packet and draft.has_kfunc(draft.kind, function) and rng.random() < 0.6:
        draft.tags.add("dynptr:packet")
        code.copy(1, 6)
        code.mov(2, 0)
        code.stack_address(3, offset)
        draft.kfunc(function)
        return
    name = rng.choice(("out", "conf"))
    draft.tags.add(f"dynptr:{name}")
    draft.map_value(1, name)
    code.mov(2, 32)
    code.mov(3, 0)
    code.stack_address(4, offset)
    draft.helper(197)


def _argument(draft: Draft, arguments: _Arguments, what: int | str, row: CallArguments) -> None:
    """The next argument by its role."""
    code, rng, index = draft.code, draft.rng, len(arguments.last)
    role = row.arguments[index]
    if role == "number" and isinstance(what, str) and what.startswith("bpf_str"):
        arguments.constant(rng.choice((16, ord("e"), 4)))
    elif role == "number":
        arguments.constant(rng.choice((0, 0, 0, 1, 2, 4, 8, 14, 32)))
    elif role == "size":
        arguments.constant(rng.choice((8, 16, 4)))
    elif role == "context":
        arguments.last.append(lambda code, to: code.copy(to, 6))
    elif role == "map":
        name = rng.choice(_MAPS.get(what, ("table",)))
        draft.map(0, name)
        code.lines = code.lines[:-2]
        arguments.last.append(lambda _code, to: draft.map(to, name))
    elif role in {"read", "write", "read_write"}:
        _memory(draft, arguments, role, BUFFER if index < 2 else OTHER_BUFFER)
    elif role == "kernel_address" and rng.random() < 0.4:
        text = draft.text(rng.choice((b"lea", b"m", b"leader-one")))
        arguments.last.append(lambda code, to: code.data(to, text))
    elif role in {"kernel_address", "user_address", "format_value"}:
        draft.conf(0, USER_ADDRESS if role == "user_address" else KERNEL_ADDRESS)
        arguments.kept(0)
    elif role in {"kernel_object", "kernel_object_write"}:
        if draft.kind.name == "NETFILTER":
            code.load(8, 0, 6, 8)
        elif draft.has_helper(draft.kind, 158) and rng.random() < 0.7:
            draft.helper(158)
        elif is_skb(draft.kind):
            code.load(8, 0, 6, 168)
            code.if_number("==", 0, 0, "short")
        else:
            code.mov(0, 0)
        arguments.kept(0)
    elif role in {"dynptr", "dynptr_read", "dynptr_write"}:
        offset = DYNPTR if not index else OTHER_DYNPTR
        _make_dynptr(draft, offset)
        arguments.stack(offset)
    elif role == "dynptr_new":
        arguments.stack(OTHER_DYNPTR)
    elif role == "format":
        text = draft.text(rng.choice((b"%s", b"%pus", b"%d", b"%pks")))
        arguments.last.append(lambda code, to: code.data(to, text))
    elif role == "format_arguments":
        draft.conf(0, rng.choice((KERNEL_ADDRESS, USER_ADDRESS)))
        code.store(8, 10, OTHER_BUFFER, 0)
        arguments.stack(OTHER_BUFFER)
    elif role == "constant_string":
        text = draft.text(b"lea")
        arguments.last.append(lambda code, to: code.data(to, text))
    elif role == "callback":
        made = Code(f"f{len(draft.source.functions)}", ".text")
        draft.source.functions.append(made)
        made.mov(0, 0)
        made.exit()
        arguments.last.append(lambda code, to: code.function(to, made.name))
    elif role == "callback_context":
        code.put(8, 10, BUFFER, 0)
        arguments.stack(BUFFER)
    else:
        arguments.constant(0)


def write_call(draft: Draft, what: int | str, row: CallArguments) -> None:
    """One call of it, and what it gave."""
    code = draft.code
    arguments = _Arguments(draft, [])
    draft.tags.add(f"call:{what}")
    for _ in row.arguments:
        _argument(draft, arguments, what, row)
    for index, put in enumerate(arguments.last):
        put(code, index + 1)
    if isinstance(what, int):
        draft.helper(what)
    else:
        draft.kfunc(what)
    _take_result(draft, row, arguments.on_stack)
    draft.invalidated()


def _take_result(draft: Draft, row: CallArguments, written: list[int]) -> None:
    code, rng = draft.code, draft.rng
    if row.result in {"map_value", "memory", "packet", "dynptr_memory"}:
        code.if_number("==", 0, 0, "short")
        if rng.random() < 0.5:
            code.store(1, 0, 0, 9)
        else:
            code.load(4, 8, 0)
    elif row.result in {"number", "kernel_object"} and rng.random() < 0.6:
        code.copy(8, 0)
    if written and rng.random() < 0.8:
        code.load(8, 8, 10, rng.choice(written))


def _write_of(what: int | str, row: CallArguments) -> Callable[[Draft], None]:
    return lambda draft: write_call(draft, what, row)


def _always(_kind: ProgramKind) -> bool:
    return True


def _sleepable(kind: ProgramKind) -> bool:
    return kind.is_sleepable


def is_run(what: int | str, row: CallArguments) -> bool:
    """Whether a snippet can be made of a call."""
    if what in NOT_RUN or "special" in row.arguments or "iterator" in row.arguments:
        return False
    return isinstance(what, int) or not what.startswith(_LEFT_OUT)


def _enter() -> None:
    everything: list[tuple[int | str, CallArguments]] = [
        *HELPER_ARGUMENTS.items(),
        *KERNEL_FUNCTION_ARGUMENTS.items(),
    ]
    for what, row in everything:
        if is_run(what, row):
            needs: tuple[Need, ...] = (what,)
            name = f"call:{what}"
            fits = _sleepable if _SLEEPS.match(str(what)) else _always
            SNIPPETS[name] = Snippet(name, _write_of(what, row), fits, needs, 0.2)


_enter()
