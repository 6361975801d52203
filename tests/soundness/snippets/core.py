"""CO-RE records of every kind, whose local answers are lies."""

from dataclasses import dataclass

from skep.bytecode.btf.types import Kind
from tests.soundness.assembling import SIGNED, Record
from tests.soundness.drafting import BUFFER, Draft
from tests.soundness.kernel_facts import place_of
from tests.soundness.snippets.table import has_packet, has_writable, is_skb, snippet

(BYTE_OFFSET, BYTE_SIZE, FIELD_EXISTS, SIGN, LSHIFT, RSHIFT, ID_LOCAL, ID_TARGET, TYPE_EXISTS,
 TYPE_SIZE, VALUE_EXISTS, VALUE, MATCHES) = range(13)  # fmt: skip


def _local_struct(draft: Draft, name: str, member: str, offset: int, size: int = 8) -> int:
    """A struct of the object's own with one member, at a place of our choice."""
    types = draft.source.types
    kinds = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long"}
    of = types.raw(Kind.INT, kinds[size], value=size, tail=[size * 8])
    return types.struct(name, offset + size, [(member, of, offset * 8)])


def relocated_load(
    draft: Draft, size: int, register: int, base: int, struct: str, member: str
) -> None:
    """A load of a field of a kernel structure: plainly, or by a record that lies locally."""
    place = place_of(draft.kernel, struct, member)
    if draft.rng.random() < 0.4 or (member == "comm" and size != 1):
        draft.code.load(size, register, base, place)
        return
    local = draft.rng.choice((0, 8, 24, 76, 80))
    types = draft.source.types
    if member == "comm":
        byte = types.raw(Kind.INT, "char", value=1, tail=[SIGNED | 8])
        of, width = types.array(byte, 16), 16
    elif member in {"group_leader", "data"}:
        of, width = types.pointer(0), 8
    else:
        of, width = types.raw(Kind.INT, "unsigned int", value=4, tail=[32]), 4
    made = types.struct(struct, local + width, [(member, of, local * 8)])
    access = "0:0:0" if member == "comm" else "0:0"
    draft.code.load(size, register, base, local)
    draft.code.recorded(Record(made, access, BYTE_OFFSET))
    draft.tags.add("core:0")


@dataclass(frozen=True)
class Lie:
    """A question whose answer in the object is not the kernel's.

    Attributes:
        kind: of the record.
        type_id: of the object's type.
        access: what is asked about.
        local: what the object says, which stands in the instruction.
    """

    kind: int
    type_id: int
    access: str
    local: int


_REAL = (("ethhdr", "h_source", 6, 1), ("iphdr", "protocol", 1, 9), ("iphdr", "ttl", 1, 8),
         ("iphdr", "tos", 1, 1), ("udphdr", "dest", 2, 2), ("udphdr", "len", 2, 4),
         ("iphdr", "id", 2, 4))  # fmt: skip


def draw_lie(draft: Draft, kind: int | None = None) -> Lie:
    """A record of any kind about a structure that real kernels have."""
    rng, types = draft.rng, draft.source.types
    kind = rng.randrange(13) if kind is None else kind
    local = rng.choice((0, 1, 2, 3, 4, 7))
    if kind == BYTE_OFFSET:
        struct, member, size, _real = rng.choice([each for each in _REAL if each[1] != "h_source"])
        return Lie(kind, _local_struct(draft, struct, member, local, size), "0:0", local)
    if kind == BYTE_SIZE:
        struct, member, _size, _real = rng.choice([e for e in _REAL if e[1] != "h_source"])
        size = rng.choice((1, 2, 4, 8))
        return Lie(kind, _local_struct(draft, struct, member, 0, size), "0:0", size)
    if kind == FIELD_EXISTS:
        member = rng.choice(("never_there", "ttl"))
        return Lie(kind, _local_struct(draft, "iphdr", member, 0, 1), "0:0", 1)
    if kind == SIGN:
        signed = rng.random() < 0.5
        of = types.raw(Kind.INT, "int", value=4, tail=[(SIGNED if signed else 0) | 32])
        made = types.struct("task_struct", 8, [(rng.choice(("pid", "flags")), of, 0)])
        return Lie(kind, made, "0:0", int(signed))
    if kind in {LSHIFT, RSHIFT}:
        size = rng.choice((1, 2, 4, 8))
        made = _local_struct(draft, "iphdr", rng.choice(("ttl", "id")), 0, size)
        return Lie(kind, made, "0:0", 64 - 8 * size)
    if kind in {ID_LOCAL, ID_TARGET}:
        made = _local_struct(draft, "iphdr", "ttl", 0, 1)
        return Lie(kind, made, "0", made)
    if kind in {TYPE_EXISTS, MATCHES}:
        name = rng.choice(("iphdr", "never_there_at_all"))
        return Lie(kind, _local_struct(draft, name, rng.choice(("ttl", "x")), 0, 1), "0", 1)
    if kind == TYPE_SIZE:
        name, size = rng.choice(("iphdr", "udphdr", "ethhdr")), rng.choice((1, 2, 3, 4))
        return Lie(kind, types.raw(Kind.STRUCT, name, value=size), "0", size)
    enums = (("xdp_action", "XDP_TX"), ("xdp_action", "XDP_DROP"), ("xdp_action", "XDP_PASS"),
             ("bpf_ret_code", "BPF_DROP"), ("bpf_ret_code", "BPF_REDIRECT"))  # fmt: skip
    name, member = rng.choice(enums)
    if kind == VALUE_EXISTS and rng.random() < 0.5:
        member = "NEVER_THERE"
    local = 1 if kind == VALUE_EXISTS else local
    return Lie(kind, types.enum(name, [(member, local)]), "0", local)


def put_lie(draft: Draft, register: int, lie: Lie) -> None:
    """The value in a register: by a short or a wide move."""
    draft.tags.add(f"core:{lie.kind}")
    if draft.rng.random() < 0.3:
        draft.code.wide(register, lie.local)
    else:
        draft.code.mov(register, lie.local)
    draft.code.recorded(Record(lie.type_id, lie.access, lie.kind))


@snippet(weight=8)
def core_value(draft: Draft) -> None:
    """An answer becomes a number, which a verdict or a branch may follow."""
    put_lie(draft, 8, draw_lie(draft))


@snippet(weight=2)
def core_sum(draft: Draft) -> None:
    """An answer is added to a number: a record at arithmetic."""
    lie = draw_lie(draft, draft.rng.choice((BYTE_OFFSET, BYTE_SIZE, TYPE_SIZE, VALUE)))
    draft.tags.add(f"core:{lie.kind}")
    draft.code.mov(8, draft.rng.choice((0, 1)))
    draft.code.add(8, lie.local)
    draft.code.recorded(Record(lie.type_id, lie.access, lie.kind))


@snippet(fits=lambda kind: kind.writes_packet, weight=2)
def core_packet_store(draft: Draft) -> None:
    """An answer says where in the packet is written; locally it is on the stack's side."""
    code, lie = draft.code, draw_lie(draft, BYTE_OFFSET)
    code.copy(5, 7)
    code.emit(0x72, 5, 0, lie.local, draft.number())
    code.recorded(Record(lie.type_id, lie.access, lie.kind))
    draft.tags.add("core:0")


@snippet(fits=has_packet, weight=2)
def core_packet_load(draft: Draft) -> None:
    code = draft.code
    struct, member, size, _ = draft.rng.choice([e for e in _REAL if e[1] != "h_source"])
    local = draft.rng.choice((0, 2, 3, 12))
    made = _local_struct(draft, struct, member, local, size)
    code.load(size, 8, 7, local)
    code.recorded(Record(made, "0:0", BYTE_OFFSET))
    draft.tags.add("core:0")


@snippet(weight=3)
def core_stack(draft: Draft) -> None:
    """A record at a store to the stack: another slot is written than the object says."""
    code, rng = draft.code, draft.rng
    local = rng.choice((0, 16))
    pointer = draft.source.types.pointer(0)  # the kernel says 8
    made = draft.source.types.struct("list_head", local + 8, [("prev", pointer, local * 8)])
    first, second = rng.choice(((0, 1), (1, 3), (2, 0), (1, 2)))
    for offset in (0, 8, 16):
        code.put(8, 10, BUFFER + offset, first)
    code.stack_address(5, BUFFER)
    code.mov(4, second)
    code.store(8, 5, local, 4)
    code.recorded(Record(made, "0:0", BYTE_OFFSET))
    code.load(8, 8, 10, BUFFER + rng.choice((8, 8, local)))
    draft.tags.add("core:0")


@snippet(fits=lambda kind: is_skb(kind) and has_writable(kind), weight=3)
def core_context(draft: Draft) -> None:
    """A record at an access to the context: ``__sk_buff`` has it at another place."""
    code, rng = draft.code, draft.rng
    names = [f.name for f in draft.kind.writable if f.name in {"mark", "priority", "tc_index"}]
    local = rng.choice((0, 48, 52, 40))
    member = rng.choice(names or ["priority"])
    made = _local_struct(draft, "__sk_buff", member, local, 4)
    if names and rng.random() < 0.6:
        code.mov(1, rng.choice((5, 9)))
        code.store(4, 6, local, 1)
    else:
        code.load(4, 8, 6, local)
    code.recorded(Record(made, "0:0", BYTE_OFFSET))
    draft.tags.add("core:0")


@snippet(fits=has_packet, weight=1)
def core_pointer(draft: Draft) -> None:
    """The packet's address plus an answer."""
    code, lie = draft.code, draw_lie(draft, BYTE_OFFSET)
    code.mov(4, lie.local)
    code.recorded(Record(lie.type_id, lie.access, lie.kind))
    code.copy(5, 7)
    code.emit(0x0F, 5, 4)
    if draft.kind.writes_packet and draft.rng.random() < 0.5:
        code.put(1, 5, 0, 77)
    else:
        code.load(1, 8, 5, 0)
    draft.tags.add("core:0")
