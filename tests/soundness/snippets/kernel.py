"""Snippets that look outside: the running task, kernel memory, user memory, sockets, dynptrs."""

from tests.soundness.assembling import Record
from tests.soundness.drafting import (
    BUFFER,
    DYNPTR,
    OTHER_BUFFER,
    OTHER_DYNPTR,
    SLOTS,
    Draft,
)
from tests.soundness.kinds import ProgramKind
from tests.soundness.snippets.core import relocated_load
from tests.soundness.snippets.table import (
    is_skb,
    is_tc,
    is_xdp,
    snippet,
    writes_packet,
)
from tests.soundness.worlds import KERNEL_ADDRESS, LEADER_ID, TASK, USER_ADDRESS


def _from_skb(kind: ProgramKind) -> bool:
    return is_skb(kind) and kind.name != "SOCKET_FILTER"


@snippet((14, 15), weight=1)
def identity(draft: Draft) -> None:
    """Ids of the running task."""
    draft.helper(draft.pick(14, 15))
    draft.code.copy(8, 0)


@snippet(16, weight=2)
def name_of_task(draft: Draft) -> None:
    code = draft.code
    draft.clear_buffer(BUFFER, 16)
    code.stack_address(1, BUFFER)
    code.mov(2, 16)
    draft.helper(16)
    code.load(draft.rng.choice((1, 4, 8)), 8, 10, BUFFER)


@snippet(35, weight=1)
def task_address(draft: Draft) -> None:
    draft.helper(35)
    draft.code.copy(8, 0)


@snippet((80, 123), weight=1)
def groups_of_task(draft: Draft) -> None:
    code, number = draft.code, draft.pick(80, 123)
    if number == 123:
        code.mov(1, 0)
    draft.helper(number)
    code.copy(8, 0)


@snippet(158, weight=3)
def walk_of_task(draft: Draft) -> None:
    """Typed pointers: the name of the running thread's leader, which is another thread."""
    draft.helper(158)
    relocated_load(draft, 8, 1, 0, "task_struct", "group_leader")
    relocated_load(draft, draft.rng.choice((1, 4)), 8, 1, "task_struct", "comm")


@snippet(158, weight=1)
def walk_of_own_task(draft: Draft) -> None:
    draft.helper(158)
    relocated_load(draft, 4, 8, 0, "task_struct", draft.rng.choice(("comm", "pid")))


@snippet(113, weight=3)
def probe_kernel(draft: Draft) -> None:
    """Kernel memory by an address out of a map."""
    code, rng = draft.code, draft.rng
    number = draft.pick(113, 115, 4, 45)
    draft.conf(3, KERNEL_ADDRESS)
    into_map = rng.random() < 0.3
    if into_map:
        code.store(8, 10, SLOTS[1], 3)
        draft.map_value(1, "out")
        code.load(8, 3, 10, SLOTS[1])
    else:
        draft.clear_buffer(BUFFER, 8)
        code.stack_address(1, BUFFER)
    code.mov(2, 8)
    draft.helper(number)
    if not into_map:
        code.load(8, 8, 10, BUFFER)


@snippet(112, weight=2)
def probe_user(draft: Draft) -> None:
    code = draft.code
    number = draft.pick(112, 114, 4)
    draft.conf(3, USER_ADDRESS)
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, BUFFER)
    code.mov(2, 8)
    draft.helper(number)
    code.load(8, 8, 10, BUFFER)


@snippet(148, fits=lambda kind: kind.is_sleepable, weight=2)
def copy_from_user(draft: Draft) -> None:
    code = draft.code
    draft.conf(3, USER_ADDRESS)
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, BUFFER)
    code.mov(2, 8)
    draft.helper(148)
    code.load(8, 8, 10, BUFFER)


@snippet(165, weight=4)
def text_of_address(draft: Draft) -> None:
    """Text: snprintf follows an address: %s and %pks in the kernel, %pus in user space."""
    code, rng = draft.code, draft.rng
    form, place = rng.choice(
        ((b"%s", KERNEL_ADDRESS), (b"%pks", KERNEL_ADDRESS), (b"%pus", USER_ADDRESS))
    )
    front = rng.choice((b"", b"x=%d ", b"%c"))
    draft.conf(3, place)
    code.store(8, 10, OTHER_BUFFER, 9)
    code.store(8, 10, OTHER_BUFFER + (8 if front else 0), 3)
    draft.clear_buffer(BUFFER, 32)
    code.stack_address(1, BUFFER)
    code.mov(2, 32)
    code.data(3, draft.text(front + form))
    code.stack_address(4, OTHER_BUFFER)
    code.mov(5, 16 if front else 8)
    draft.helper(165)
    code.load(8, 8, 10, BUFFER + (8 if front == b"x=%d " else 0))


_STRINGS = ("bpf_strlen", "bpf_strnlen", "bpf_strchr", "bpf_strnchr", "bpf_strcmp",
            "bpf_strcasecmp", "bpf_strstr", "bpf_strnstr", "bpf_strspn", "bpf_strcspn",
            "bpf_strrchr", "bpf_strchrnul")  # fmt: skip


@snippet(_STRINGS, weight=4)
def string_function(draft: Draft) -> None:
    """A string kfunc over a raw kernel address."""
    code, name = draft.code, draft.pick_kfunc(*_STRINGS)
    draft.conf(1, KERNEL_ADDRESS)
    if name in {"bpf_strcmp", "bpf_strcasecmp", "bpf_strstr", "bpf_strnstr", "bpf_strspn",
                "bpf_strcspn"}:  # fmt: skip
        code.data(2, draft.text(draft.rng.choice((b"lea", b"m", b"leader-one"))))
        if name == "bpf_strnstr":
            code.mov(3, 16)
    elif name in {"bpf_strchr", "bpf_strrchr", "bpf_strchrnul"}:
        code.mov(2, ord("e"))
    elif name == "bpf_strnchr":
        code.mov(2, 16)
        code.mov(3, ord("e"))
    elif name == "bpf_strnlen":
        code.mov(2, 16)
    draft.kfunc(name)
    code.copy(8, 0)


_TASKS = ("bpf_task_from_vpid", "bpf_task_from_pid")


@snippet("bpf_rdonly_cast", weight=2)
def cast_address(draft: Draft) -> None:
    """Any number: bpf_rdonly_cast makes a typed pointer of any number."""
    code = draft.code
    draft.conf(1, TASK)
    struct = draft.source.types.struct("task_struct", 8, ())
    code.mov(2, struct)
    code.recorded(Record(struct, "0", 7))
    draft.kfunc("bpf_rdonly_cast")
    relocated_load(draft, 4, 8, 0, "task_struct", "comm")


@snippet(_TASKS, "bpf_task_release", weight=2)
def task_by_id(draft: Draft) -> None:
    code = draft.code
    draft.conf(1, LEADER_ID, 4)
    draft.kfunc(draft.pick_kfunc(*_TASKS))
    after = code.fresh()
    code.mov(8, 0)
    code.if_number("==", 0, 0, after)
    relocated_load(draft, 4, 8, 0, "task_struct", "comm")
    code.copy(1, 0)
    draft.kfunc("bpf_task_release")
    code.label(after)


_FROM = ("bpf_dynptr_from_xdp", "bpf_dynptr_from_skb")


def _dynptr_of_packet(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, 0)
    code.stack_address(3, DYNPTR)
    draft.kfunc("bpf_dynptr_from_xdp" if draft.kind.name == "XDP" else "bpf_dynptr_from_skb")


def _can_copy(draft: Draft) -> bool:
    kind = draft.kind
    return (is_xdp(kind) or is_skb(kind)) and any(draft.has_kfunc(kind, name) for name in _FROM)


@snippet(201, _FROM, fits=lambda kind: is_xdp(kind) or is_skb(kind), weight=2)
def dynptr_read(draft: Draft) -> None:
    """Packet bytes through a dynptr, onto the stack or into a map."""
    code, into_map = draft.code, draft.rng.random() < 0.3
    _dynptr_of_packet(draft)
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, BUFFER)
    if into_map:
        draft.map_value(1, "out")
    code.mov(2, 8)
    code.stack_address(3, DYNPTR)
    code.mov(4, draft.rng.choice((14, 30, 44)))
    code.mov(5, 0)
    draft.helper(201)
    if not into_map:
        code.load(8, 8, 10, BUFFER)


@snippet(_FROM, fits=lambda kind: is_xdp(kind) or is_skb(kind), weight=2)
def dynptr_slice(draft: Draft) -> None:
    code = draft.code
    writes = draft.kind.writes_packet and draft.rng.random() < 0.5
    _dynptr_of_packet(draft)
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, DYNPTR)
    code.mov(2, draft.rng.choice((0, 14, 30)))
    code.stack_address(3, BUFFER)
    code.mov(4, 8)
    draft.kfunc("bpf_dynptr_slice_rdwr" if writes else "bpf_dynptr_slice")
    code.if_number("==", 0, 0, "short")
    if writes and draft.rng.random() < 0.8:
        code.store(4, 0, 0, 9)
    else:
        code.load(4, 8, 0)
    draft.invalidated()


@snippet(202, _FROM, fits=writes_packet, weight=2)
def dynptr_write(draft: Draft) -> None:
    code = draft.code
    _dynptr_of_packet(draft)
    code.store(8, 10, BUFFER, 9)
    code.stack_address(1, DYNPTR)
    code.mov(2, draft.rng.choice((14, 30, 44)))
    code.stack_address(3, BUFFER)
    code.mov(4, 8)
    code.mov(5, 0)
    draft.helper(202)
    draft.invalidated()


@snippet(_FROM, fits=writes_packet, weight=2)
def dynptr_set(draft: Draft) -> None:
    """Both bpf_dynptr_memset and _copy over a packet."""
    code = draft.code
    _dynptr_of_packet(draft)
    if draft.rng.random() < 0.5:
        code.stack_address(1, DYNPTR)
        code.mov(2, draft.rng.choice((14, 44)))
        code.mov(3, 4)
        code.mov(4, draft.rng.choice((0, 0x5A)))
        draft.kfunc("bpf_dynptr_memset")
    else:
        draft.map_value(1, "conf")
        code.mov(2, 16)
        code.mov(3, 0)
        code.stack_address(4, OTHER_DYNPTR)
        draft.helper(197)
        code.stack_address(1, DYNPTR)
        code.mov(2, 30)
        code.stack_address(3, OTHER_DYNPTR)
        code.mov(4, 0)
        code.mov(5, 8)
        draft.kfunc("bpf_dynptr_copy")
    draft.invalidated()


@snippet(197, weight=2)
def dynptr_of_map(draft: Draft) -> None:
    """A dynptr over a map's value: what is written through it is state."""
    code, rng = draft.code, draft.rng
    draft.map_value(1, "out")
    code.mov(2, 32)
    code.mov(3, 0)
    code.stack_address(4, DYNPTR)
    draft.helper(197)
    how = rng.choice(("write", "memset", "data", "copy" if _can_copy(draft) else "write"))
    code.store(8, 10, BUFFER, rng.choice((8, 9)))
    if how == "write":
        code.stack_address(1, DYNPTR)
        code.mov(2, 8)
        code.stack_address(3, BUFFER)
        code.mov(4, 8)
        code.mov(5, 0)
        draft.helper(202)
    elif how == "memset":
        code.stack_address(1, DYNPTR)
        code.mov(2, 0)
        code.mov(3, 4)
        code.mov(4, 0x5A)
        draft.kfunc("bpf_dynptr_memset")
    elif how == "data":
        code.stack_address(1, DYNPTR)
        code.mov(2, 0)
        code.mov(3, 16)
        draft.helper(203)
        code.if_number("==", 0, 0, "short")
        code.store(8, 0, 0, 9)
    else:
        code.copy(1, 6)
        code.mov(2, 0)
        code.stack_address(3, OTHER_DYNPTR)
        draft.kfunc("bpf_dynptr_from_xdp" if is_xdp(draft.kind) else "bpf_dynptr_from_skb")
        code.stack_address(1, DYNPTR)
        code.mov(2, 0)
        code.stack_address(3, OTHER_DYNPTR)
        code.mov(4, 30)
        code.mov(5, 8)
        draft.kfunc("bpf_dynptr_copy")


@snippet(198, weight=1)
def ring_dynptr(draft: Draft) -> None:
    code = draft.code
    draft.map(1, "ring")
    code.mov(2, 16)
    code.mov(3, 0)
    code.stack_address(4, DYNPTR)
    draft.helper(198)
    code.store(8, 10, BUFFER, 9)
    code.stack_address(1, DYNPTR)
    code.mov(2, 0)
    code.stack_address(3, BUFFER)
    code.mov(4, 8)
    code.mov(5, 0)
    draft.helper(202)
    code.stack_address(1, DYNPTR)
    code.mov(2, 0)
    draft.helper(draft.rng.choice((199, 199, 200)))


_INTO = ("bpf_probe_read_kernel_dynptr", "bpf_probe_read_kernel_str_dynptr")


@snippet(197, _INTO, weight=1)
def probe_into_dynptr(draft: Draft) -> None:
    """A kfunc that reads kernel memory into a dynptr over a map's value."""
    code = draft.code
    draft.conf(9, KERNEL_ADDRESS)
    draft.map_value(1, "out")
    code.mov(2, 32)
    code.mov(3, 0)
    code.stack_address(4, DYNPTR)
    draft.helper(197)
    code.stack_address(1, DYNPTR)
    code.mov(2, 0)
    code.mov(3, 8)
    code.copy(4, 9)
    draft.kfunc(draft.pick_kfunc(*_INTO))
    code.mov(9, 0)


@snippet(113, "bpf_cast_to_kern_ctx", fits=lambda kind: is_tc(kind) or is_xdp(kind), weight=2)
def typed_context(draft: Draft) -> None:
    """The kernel's own structure behind the context, and packet bytes through its pointer."""
    code = draft.code
    struct = "xdp_buff" if is_xdp(draft.kind) else "sk_buff"
    code.copy(1, 6)
    draft.kfunc("bpf_cast_to_kern_ctx")
    if draft.rng.random() < 0.5:
        relocated_load(draft, 4, 8, 0, struct, "frame_sz" if is_xdp(draft.kind) else "mark")
        return
    relocated_load(draft, 8, 3, 0, struct, "data")
    code.add(3, draft.rng.choice((14, 30, 50)))
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, BUFFER)
    code.mov(2, 8)
    draft.helper(113)
    code.load(8, 8, 10, BUFFER)


@snippet(fits=lambda kind: kind.name == "NETFILTER", weight=5)
def typed_skb(draft: Draft) -> None:
    """The trusted pointers of a netfilter program."""
    code = draft.code
    code.load(8, 1, 6, 8)
    if draft.rng.random() < 0.4:
        relocated_load(draft, 4, 8, 1, "sk_buff", draft.rng.choice(("len", "mark")))
        return
    relocated_load(draft, 8, 3, 1, "sk_buff", "data")
    code.add(3, draft.rng.choice((20, 28, 44)))
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, BUFFER)
    code.mov(2, 8)
    draft.helper(113)
    code.load(8, 8, 10, BUFFER)


@snippet(201, fits=lambda kind: kind.name == "NETFILTER", weight=3)
def netfilter_dynptr(draft: Draft) -> None:
    code = draft.code
    code.load(8, 1, 6, 8)
    code.mov(2, 0)
    code.stack_address(3, DYNPTR)
    draft.kfunc("bpf_dynptr_from_skb")
    draft.clear_buffer(BUFFER, 8)
    code.stack_address(1, BUFFER)
    code.mov(2, 8)
    code.stack_address(3, DYNPTR)
    code.mov(4, draft.rng.choice((20, 28, 40)))
    code.mov(5, 0)
    draft.helper(201)
    code.load(8, 8, 10, BUFFER)


@snippet(95, fits=is_skb, weight=1)
def socket_fields(draft: Draft) -> None:
    """Fields of the packet's socket."""
    code = draft.code
    code.load(8, 1, 6, 168)
    code.if_number("==", 1, 0, "short")
    draft.helper(95)
    code.if_number("==", 0, 0, "short")
    code.load(4, 8, 0, draft.rng.choice((4, 16, 20)))


@snippet((46, 47), fits=is_skb, weight=1)
def socket_identity(draft: Draft) -> None:
    draft.code.copy(1, 6)
    draft.helper(draft.pick(46, 47))
    draft.tags.add("noisy")
    draft.code.copy(8, 0)
