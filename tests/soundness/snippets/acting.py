"""Snippets with an effect: on the packet, the context, maps, records, where the packet goes."""

from tests.soundness.drafting import BUFFER, KEY, OTHER_BUFFER, VALUE, Draft
from tests.soundness.snippets.table import (
    has_packet,
    has_writable,
    is_skb,
    is_tc,
    is_xdp,
    not_sleepable,
    snippet,
    writes_packet,
)
from tests.soundness.worlds import TEXT

_SIZES = (1, 2, 4, 8)


def _place(draft: Draft, size: int) -> int:
    return draft.rng.randint(0, draft.reach - size)


@snippet(fits=writes_packet, weight=5)
def packet_store(draft: Draft) -> None:
    code, size = draft.code, draft.rng.choice(_SIZES)
    if draft.rng.random() < 0.4:
        code.put(size, 7, _place(draft, size), draft.number())
    else:
        code.store(size, 7, _place(draft, size), draft.rng.choice((8, 9)))


@snippet(fits=writes_packet, weight=1)
def packet_atomic(draft: Draft) -> None:
    """Atomics on the packet, which the verifier may refuse."""
    draft.code.copy(5, 7)
    draft.code.load(4, 1, 5, 4)
    draft.code.emit(0x07, 1, immediate=1)
    draft.code.store(4, 5, 4, 1)


@snippet(fits=writes_packet, weight=2)
def packet_store_through_spill(draft: Draft) -> None:
    code, slot = draft.code, -8 * draft.rng.randint(1, 8)
    code.store(8, 10, slot, 7)
    code.stack_address(4, slot)
    code.load(8, 5, 4)
    code.store(1, 5, _place(draft, 1), 9)
    code.put(8, 10, slot, 0)


@snippet(9, fits=is_skb, weight=2)
def store_bytes(draft: Draft) -> None:
    code = draft.code
    code.store(8, 10, BUFFER, draft.rng.choice((8, 9)))
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((14, 20, 30, 44)))
    code.stack_address(3, BUFFER)
    code.mov(4, draft.rng.choice(_SIZES))
    code.mov(5, draft.rng.choice((0, 0, 1, 2)))
    draft.helper(9)
    draft.invalidated()


@snippet(190, fits=is_xdp, weight=2)
def xdp_store_bytes(draft: Draft) -> None:
    code = draft.code
    code.store(8, 10, BUFFER, draft.rng.choice((8, 9)))
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((0, 12, 20, 40)))
    code.stack_address(3, BUFFER)
    code.mov(4, draft.rng.choice(_SIZES))
    draft.helper(190)


@snippet((10, 11), fits=is_skb, weight=1)
def replace_checksum(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, 24)
    code.mov(3, draft.rng.choice((0, 5)))
    code.mov(4, draft.rng.choice((1, 9)))
    code.mov(5, 2)
    draft.tags.add("checksums")
    draft.helper(draft.pick(10, 11))
    draft.invalidated()


@snippet(fits=has_writable, weight=5)
def context_store(draft: Draft) -> None:
    field = draft.rng.choice(draft.kind.writable)
    draft.tags.add(f"writes:{field.name}")
    draft.code.copy(1, draft.rng.choice((8, 9)))
    if field.size == 4 and field.name == "queue_mapping":
        draft.code.bits(1, 0xFF)
    draft.code.store(field.size, 6, field.offset, 1)


@snippet(weight=4)
def map_store(draft: Draft) -> None:
    draft.record(draft.rng.choice((8, 9)), draft.rng.choice(_SIZES))


@snippet(weight=1)
def map_add(draft: Draft) -> None:
    """An atomic addition to a map's value."""
    draft.map_value(0, "out")
    draft.code.copy(1, 9)
    draft.code.emit(0xDB, 0, 1, draft.rng.choice((0, 8, 48)), draft.rng.choice((0, 0x40, 0xA0)))


@snippet(weight=2)
def variable_store(draft: Draft) -> None:
    name = draft.variable(draft.rng.choice((".data", ".bss.x")), bytes(8), "state")
    draft.code.data(1, name)
    draft.code.store(draft.rng.choice(_SIZES), 1, 0, draft.rng.choice((8, 9)))


@snippet(2, weight=3)
def map_update(draft: Draft) -> None:
    """Key and value from the stack, a map or the packet."""
    code, rng = draft.code, draft.rng
    name = draft.pick_map("table", "lru", "percpu")
    from_packet = draft.reach and rng.random() < 0.4
    code.put(4, 10, KEY, 0 if name == "percpu" else rng.randrange(4))
    code.store(8, 10, VALUE, rng.choice((8, 9)))
    code.stack_address(2, KEY)
    code.stack_address(3, VALUE)
    if from_packet:
        which = rng.choice((2, 3)) if name != "percpu" else 3
        code.copy(which, 7)
        code.add(which, draft.reach - 8)
    draft.map(1, name)
    code.mov(4, 0)
    draft.helper(2)


@snippet(3, weight=1)
def map_delete(draft: Draft) -> None:
    code = draft.code
    code.put(4, 10, KEY, draft.rng.randrange(3))
    code.stack_address(2, KEY)
    if draft.reach and draft.rng.random() < 0.3:
        code.copy(2, 7)
        code.add(2, draft.reach - 4)
    draft.map(1, draft.rng.choice(("table", "lru")))
    draft.helper(3)
    if draft.rng.random() < 0.5:
        code.copy(8, 0)


@snippet(87, fits=not_sleepable, weight=1)
def push(draft: Draft) -> None:
    code = draft.code
    code.store(8, 10, VALUE, 8)
    code.stack_address(2, VALUE)
    draft.map(1, draft.pick_map("queue", "stacked"))
    code.mov(3, 0)
    draft.helper(87)


@snippet(88, fits=not_sleepable, weight=1)
def pop(draft: Draft) -> None:
    """Into the stack, or into another map's value: then no store shows it."""
    code, into_map = draft.code, draft.rng.random() < 0.4
    if into_map:
        draft.map_value(2, "out")
    else:
        code.put(8, 10, BUFFER, 0)
        code.stack_address(2, BUFFER)
    draft.map(1, draft.pick_map("queue", "stacked"))
    draft.helper(88)
    if not into_map:
        code.load(8, 8, 10, BUFFER)


@snippet(130, weight=2)
def ring_output(draft: Draft) -> None:
    code = draft.code
    code.store(8, 10, BUFFER, draft.rng.choice((8, 9)))
    draft.map(1, "ring")
    code.stack_address(2, BUFFER)
    code.mov(3, 8)
    code.mov(4, 0)
    draft.helper(130)


@snippet(131, weight=2)
def ring_reserve(draft: Draft) -> None:
    """Reserve, write, submit or discard."""
    code = draft.code
    draft.map(1, "ring")
    code.mov(2, 16)
    code.mov(3, 0)
    draft.helper(131)
    code.if_number("==", 0, 0, "short")
    code.store(8, 0, 0, draft.rng.choice((8, 9)))
    code.put(8, 0, 8, 3)
    code.copy(1, 0)
    code.mov(2, 0)
    draft.helper(draft.rng.choice((132, 132, 133)))


@snippet(25, fits=lambda kind: kind.context in {"sk_buff", "xdp_md", "numbers"}, weight=1)
def perf_output(draft: Draft) -> None:
    code = draft.code
    code.store(8, 10, BUFFER, 8)
    code.copy(1, 6)
    draft.map(2, "events")
    flags = 0xFFFF_FFFF
    if draft.reach and draft.rng.random() < 0.5:
        flags |= 16 << 32
    code.wide(3, flags)
    code.stack_address(4, BUFFER)
    code.mov(5, 8)
    draft.helper(25)


@snippet(44, fits=is_xdp, weight=2)
def adjust_head(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((-20, -14, -4, 4, 14)))
    draft.tags.add("resizes")
    draft.helper(44)
    draft.invalidated()


@snippet(65, fits=is_xdp, weight=2)
def adjust_tail(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((-20, -4, 8)))
    draft.tags.add("resizes")
    draft.helper(65)
    draft.invalidated()


@snippet(54, fits=is_xdp, weight=1)
def adjust_meta(draft: Draft) -> None:
    """Make room in front of the packet and write there."""
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((-4, -8)))
    draft.tags.add("meta")
    draft.helper(54)
    code.if_number("!=", 0, 0, "short")
    code.load(4, 1, 6, 8)
    code.load(4, 2, 6, 0)
    code.copy(3, 1)
    code.add(3, 4)
    code.if_register(">", 3, 2, "short")
    if draft.rng.random() < 0.7:
        code.put(4, 1, 0, 42)
    draft.invalidated()


@snippet(38, fits=is_skb, weight=1)
def change_tail(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((70, 150)))
    code.mov(3, 0)
    draft.tags.add("resizes")
    draft.helper(38)
    draft.invalidated()


@snippet(43, fits=is_skb, weight=1)
def change_head(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((4, 14)))
    code.mov(3, 0)
    draft.tags.add("resizes")
    draft.helper(43)
    draft.invalidated()


@snippet(50, fits=is_tc, weight=1)
def adjust_room(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((-8, 4, 20)))
    code.mov(3, draft.rng.choice((0, 1)))
    code.mov(4, draft.rng.choice((0, 2, 4, 0x12)))
    draft.tags |= {"resizes", "rooms"}
    draft.helper(50)
    draft.invalidated()


@snippet(31, fits=is_tc, weight=1)
def change_protocol(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((0xDD86, 0x0008)))
    code.mov(3, 0)
    draft.tags |= {"resizes", "rooms"}
    draft.helper(31)
    draft.invalidated()


@snippet(18, fits=is_tc, weight=1)
def vlan(draft: Draft) -> None:
    code = draft.code
    code.copy(1, 6)
    draft.tags |= {"resizes", "rooms"}
    if draft.rng.random() < 0.7:
        code.mov(2, 0x0081)
        code.mov(3, 5)
        draft.helper(18)
        if draft.rng.random() < 0.5:  # a second tag moves the first one into the packet
            code.copy(1, 6)
            code.mov(2, 0x0081)
            code.mov(3, 6)
            draft.helper(18)
            if draft.rng.random() < 0.3:
                code.copy(1, 6)
                draft.helper(19)
                code.copy(1, 6)
                draft.helper(19)
    else:
        draft.helper(19)
    draft.invalidated()


@snippet(32, fits=is_skb, weight=1)
def change_type(draft: Draft) -> None:
    draft.code.copy(1, 6)
    draft.code.mov(2, draft.rng.choice((0, 3, 1)))
    draft.helper(32)


@snippet((48, 41), fits=is_skb, weight=1)
def set_hash(draft: Draft) -> None:
    code, number = draft.code, draft.pick(48, 41)
    code.copy(1, 6)
    if number == 48:
        code.copy(2, 9)
    draft.helper(number)


@snippet((40, 135), fits=is_skb, weight=1)
def checksum_state(draft: Draft) -> None:
    code, number = draft.code, draft.pick(40, 135)
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((0, 1)))
    draft.helper(number)


@snippet(13, fits=is_skb, weight=1)
def clone(draft: Draft) -> None:
    """A copy of the packet goes out of another interface: lo of this namespace."""
    code = draft.code
    code.copy(1, 6)
    code.mov(2, 1)
    code.mov(3, draft.rng.choice((0, 1)))
    draft.helper(13)
    draft.invalidated()


@snippet(89, fits=not_sleepable, weight=1)
def peek_into_map(draft: Draft) -> None:
    code = draft.code
    draft.map_value(2, "out")
    draft.map(1, draft.pick_map("queue", "stacked"))
    draft.helper(89)
    code.copy(8, 0)


@snippet(26, fits=is_skb, weight=2)
def load_bytes_into_map(draft: Draft) -> None:
    """A helper fills the value of a map: no store instruction shows it."""
    code = draft.code
    draft.map_value(3, "out")
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((14, 28, 44)))
    code.mov(4, draft.rng.choice((4, 8)))
    draft.helper(26)


@snippet(189, fits=is_xdp, weight=1)
def xdp_load_bytes_into_map(draft: Draft) -> None:
    code = draft.code
    draft.map_value(3, "out")
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((14, 28, 44)))
    code.mov(4, draft.rng.choice((4, 8)))
    draft.helper(189)


@snippet(16, weight=1)
def name_into_map(draft: Draft) -> None:
    draft.map_value(1, "out")
    draft.code.mov(2, 16)
    draft.helper(16)


@snippet(165, weight=1)
def text_into_map(draft: Draft) -> None:
    """Text by snprintf into the value of a map."""
    code = draft.code
    code.store(8, 10, OTHER_BUFFER, 9)
    draft.map_value(1, "out")
    code.mov(2, 16)
    code.data(3, draft.text(b"n %d"))
    code.stack_address(4, OTHER_BUFFER)
    code.mov(5, 8)
    draft.helper(165)


@snippet(fits=has_packet, weight=1)
def text_of_conf_to_stack(draft: Draft) -> None:
    draft.map_value(1, "conf")
    draft.code.load(8, 9, 1, TEXT)


@snippet(fits=lambda kind: kind.name == "FLOW_DISSECTOR", weight=8)
def flow_keys_store(draft: Draft) -> None:
    code = draft.code
    code.load(8, 1, 6, 144)
    size, offset = draft.rng.choice(((2, 0), (2, 2), (4, 16), (1, 9), (2, 12)))
    draft.tags.add("flow_keys")
    code.store(size, 1, offset, draft.rng.choice((8, 9)))


@snippet(124, fits=lambda kind: kind.name == "SK_LOOKUP", weight=4)
def assign_socket(draft: Draft) -> None:
    """Choose a socket out of a map."""
    code = draft.code
    code.put(4, 10, KEY, draft.rng.choice((0, 1)))
    draft.map(1, "sockets")
    code.stack_address(2, KEY)
    draft.helper(1)
    code.if_number("==", 0, 0, "short")
    code.store(8, 10, -64, 0)
    code.copy(1, 6)
    code.copy(2, 0)
    code.mov(3, 0)
    draft.helper(124)
    code.load(8, 1, 10, -64)
    draft.helper(86)
    code.put(8, 10, -64, 0)
