"""Snippets that try to mislead whoever follows values: overlaps, widths, atomics, frames, aliases.

Each leaves a value in r8 that is not what a careless reading says; the verdict or a branch may use
it. Constants are small, so that they are verdicts.
"""

from tests.soundness.assembling import Code
from tests.soundness.drafting import BUFFER, OTHER_BUFFER, SLOTS, Draft
from tests.soundness.snippets.table import has_packet, is_skb, snippet, writes_packet
from tests.soundness.worlds import TEXT, A


def _two(draft: Draft) -> tuple[int, int]:
    first, second = draft.rng.sample((0, 1, 2, 3, 4, 7), 2)
    return first, second


@snippet(weight=3)
def overlapping_stores(draft: Draft) -> None:
    """A wide store, a narrow one into its middle, a load across both."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    slot = rng.choice(SLOTS)
    code.put(8, 10, slot, first)
    size = rng.choice((1, 2, 4))
    place = size * rng.randrange(2)
    if rng.random() < 0.5:
        code.put(size, 10, slot + place, second)
    else:
        code.mov(4, second)
        code.store(size, 10, slot + place, 4)
    code.load(rng.choice((8, 4)), 8, 10, slot)


@snippet(weight=3)
def unaligned_overlap(draft: Draft) -> None:
    """A store over the border of two slots."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    code.put(8, 10, BUFFER, first)
    code.put(8, 10, BUFFER + 8, first)
    code.mov(4, second)
    code.emit(0x67, 4, immediate=rng.choice((0, 16, 32)))
    code.store(4, 10, BUFFER + 4, 4)
    code.load(rng.choice((4, 8)), 8, 10, BUFFER + rng.choice((0, 8)))


@snippet(weight=3)
def variable_stack_store(draft: Draft) -> None:
    """A store at a place in the frame that depends on the input."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    for offset in range(0, 32, 8):
        code.put(8, 10, BUFFER + offset, first)
    code.copy(4, 9)
    code.bits(4, rng.choice((0x18, 8, 0x10)))
    code.stack_address(5, BUFFER)
    code.emit(0x0F, 5, 4)
    code.put(rng.choice((1, 4, 8)), 5, 0, second)
    code.load(8, 8, 10, BUFFER + rng.choice((0, 8, 16)))


@snippet(weight=3)
def variable_stack_load(draft: Draft) -> None:
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    code.put(8, 10, BUFFER, first)
    code.put(8, 10, BUFFER + 8, second)
    code.copy(4, 9)
    code.bits(4, 8)
    code.stack_address(5, BUFFER)
    code.emit(0x0F, 5, 4)
    code.load(rng.choice((8, 4, 1)), 8, 5, 0)


@snippet(weight=3)
def atomic_on_stack(draft: Draft) -> None:
    """Atomic operations change the frame, and give the old value."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    slot = rng.choice(SLOTS)
    wide = rng.random() < 0.6
    operation = rng.choice((0x00, 0x01, 0x40, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1))
    code.put(8, 10, slot, first)
    code.mov(4, second)
    code.mov(0, rng.choice((first, second)))
    code.emit(0xDB if wide else 0xC3, 10, 4, slot, operation)
    where = rng.choice(("memory", "register", "r0"))
    if where == "memory":
        code.load(8 if wide else 4, 8, 10, slot)
    else:
        code.copy(8, 4 if where == "register" else 0)


@snippet(weight=2)
def sign_extension(draft: Draft) -> None:
    """Loads and moves that extend the sign."""
    code, rng = draft.code, draft.rng
    slot = rng.choice(SLOTS)
    code.put(8, 10, slot, rng.choice((0x80, 0xFF, 0x8002, 0x7F01, 0x80000003)))
    if rng.random() < 0.5:
        code.emit(rng.choice((0x91, 0x89, 0x81)), 8, 10, slot)
    else:
        code.load(8, 4, 10, slot)
        code.emit(rng.choice((0xBF, 0xBC)), 8, 4, rng.choice((8, 16)))


@snippet(weight=2)
def narrow_arithmetic(draft: Draft) -> None:
    """32-bit arithmetic cuts the upper half off; signed division; byte order."""
    code, rng = draft.code, draft.rng
    code.wide(8, rng.choice((0x1_0000_0002, 0xFFFF_FFFF_0000_0001, 0x8000_0000, 2**63 + 4)))
    way = rng.choice(("mov", "add", "divide", "order", "shift", "negate"))
    if way == "mov":
        code.emit(0xBC, 8, 8)
    elif way == "add":
        code.emit(0x04, 8, immediate=rng.choice((0, 1, -1)))
    elif way == "divide":
        code.emit(rng.choice((0x37, 0x34, 0x97, 0x94)), 8, 0, 1, rng.choice((3, -2)))
    elif way == "order":
        code.emit(rng.choice((0xD4, 0xDC, 0xD7)), 8, 0, 0, rng.choice((16, 32, 64)))
    elif way == "shift":
        code.emit(rng.choice((0x64, 0x74, 0xC4)), 8, 0, 0, rng.choice((0, 1, 31)))
    else:
        code.emit(rng.choice((0x87, 0x84)), 8)


@snippet(weight=2)
def frame_of_caller(draft: Draft) -> None:
    """A subprogram writes its caller's frame at a place it is told."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    made = Code(f"f{len(draft.source.functions)}", ".text")
    draft.source.functions.append(made)
    made.copy(3, 2)
    made.bits(3, 8)
    made.emit(0x0F, 1, 3)
    made.put(rng.choice((4, 8)), 1, 0, second)
    made.mov(0, 0)
    made.exit()
    code.put(8, 10, BUFFER, first)
    code.put(8, 10, BUFFER + 8, first)
    code.stack_address(1, BUFFER)
    code.copy(2, 9)
    code.call(made.name)
    code.load(8, 8, 10, BUFFER + rng.choice((0, 8)))


@snippet(weight=2)
def frame_through_frame(draft: Draft) -> None:
    """The address of one slot lies in another, which a subprogram follows."""
    code = draft.code
    first, second = _two(draft)
    made = Code(f"f{len(draft.source.functions)}", ".text")
    draft.source.functions.append(made)
    made.load(8, 2, 1, 0)
    made.put(8, 2, 0, second)
    made.mov(0, 0)
    made.exit()
    code.put(8, 10, BUFFER + 16, first)
    code.stack_address(4, BUFFER + 16)
    code.store(8, 10, BUFFER, 4)
    code.stack_address(1, BUFFER)
    code.call(made.name)
    code.load(8, 8, 10, BUFFER + 16)


@snippet(weight=2)
def callee_saved(draft: Draft) -> None:
    """A subprogram of its own frame, whose slots have the numbers of ours."""
    code = draft.code
    first, second = _two(draft)
    made = Code(f"f{len(draft.source.functions)}", ".text")
    draft.source.functions.append(made)
    made.put(8, 10, SLOTS[2], second)
    made.mov(8, second)
    made.load(8, 0, 10, SLOTS[2])
    made.exit()
    code.put(8, 10, SLOTS[2], first)
    code.mov(1, 0)
    code.call(made.name)
    if draft.rng.random() < 0.5:
        code.copy(8, 0)
    else:
        code.load(8, 8, 10, SLOTS[2])


@snippet(26, fits=is_skb, weight=2)
def helper_over_constant(draft: Draft) -> None:
    """A helper writes over a constant in the frame; it may also fail and write zeros."""
    code = draft.code
    code.put(8, 10, BUFFER, draft.rng.choice((1, 2)))
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((14, 34, 5000)))
    code.stack_address(3, BUFFER)
    code.mov(4, draft.rng.choice((1, 4, 8)))
    draft.helper(26)
    code.load(8, 8, 10, BUFFER)


@snippet(16, weight=1)
def helper_over_middle(draft: Draft) -> None:
    """A helper writes 16 bytes from the middle of a slot on."""
    code = draft.code
    for offset in (0, 8, 16):
        code.put(8, 10, BUFFER + offset, draft.rng.choice((1, 2)))
    code.stack_address(1, BUFFER + 4)
    code.mov(2, 16)
    draft.helper(16)
    code.load(8, 8, 10, BUFFER + draft.rng.choice((0, 8, 16)))


@snippet(weight=2)
def variable_round_trip(draft: Draft) -> None:
    """A global variable is written and read again; or the program's user has changed it."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    name = draft.variable(".data", first.to_bytes(8, "little"), "state")
    code.data(1, name)
    if rng.random() < 0.6:
        code.put(rng.choice((8, 4, 1)), 1, 0, second)
    if rng.random() < 0.5:
        code.data(2, name)
        code.load(8, 8, 2)
    else:
        code.load(8, 8, 1)


@snippet(weight=2)
def text_of_conf(draft: Draft) -> None:
    """A value's byte, at a place that another value says."""
    code = draft.code
    draft.map_value(4, "conf")
    code.load(8, 5, 4, A)
    code.bits(5, 7)
    code.emit(0x0F, 4, 5)
    code.load(1, 8, 4, TEXT)


@snippet(weight=2)
def two_pointers(draft: Draft) -> None:
    """One register holds the frame on one path and a map's value on the other."""
    code, rng = draft.code, draft.rng
    after = code.fresh()
    code.put(8, 10, BUFFER, rng.choice((0, 1, 2)))
    draft.map_value(4, "out" if rng.random() < 0.5 else "conf")
    code.if_number(rng.choice(("==", "&", ">")), 9, rng.choice((1, 2, 64)), after)
    code.stack_address(4, BUFFER)
    code.label(after)
    if rng.random() < 0.6:
        code.put(8, 4, 0, rng.choice((1, 3)))
    code.load(8, 8, 4, 0)
    if rng.random() < 0.5:
        code.load(8, 8, 10, BUFFER)


@snippet(fits=has_packet, weight=2)
def packet_or_frame(draft: Draft) -> None:
    """One register holds the packet on one path and the frame on the other."""
    code, rng = draft.code, draft.rng
    after = code.fresh()
    code.put(8, 10, BUFFER, 2)
    code.stack_address(4, BUFFER)
    code.if_number(rng.choice(("!=", ">")), 9, rng.choice((1, 2, 64)), after)
    code.copy(4, 7)
    code.label(after)
    if draft.kind.writes_packet and rng.random() < 0.5:
        code.put(1, 4, 0, 0x77)
    else:
        code.load(1, 8, 4, 0)


@snippet(fits=has_packet, weight=2)
def packet_in_variable_slot(draft: Draft) -> None:
    """The packet's address is kept in the frame of a caller, and used in a subprogram."""
    code, rng = draft.code, draft.rng
    made = Code(f"f{len(draft.source.functions)}", ".text")
    draft.source.functions.append(made)
    made.load(8, 2, 1, 0)
    if draft.kind.writes_packet and rng.random() < 0.5:
        made.put(1, 2, rng.choice((0, 12)), 0x66)
        made.mov(0, 0)
    else:
        made.load(1, 0, 2, draft.reach - 1)
    made.exit()
    code.store(8, 10, BUFFER, 7)
    code.stack_address(1, BUFFER)
    code.call(made.name)
    code.copy(8, 0)


@snippet(fits=has_packet, weight=2)
def packet_from_other_field(draft: Draft) -> None:
    """The packet's address by arithmetic from its end, or checked with the sides exchanged."""
    code = draft.code
    assert draft.kind.packet is not None
    data, end = draft.kind.packet
    label = code.fresh()
    code.load(4, 4, 6, end)
    code.load(4, 5, 6, data)
    code.mov(8, 2)
    code.copy(3, 5)
    code.add(3, 30)
    code.if_register("<", 4, 3, label)
    code.load(1, 8, 3, -2)
    code.label(label)


@snippet(fits=has_packet, weight=2)
def context_through_frame(draft: Draft) -> None:
    """The context's address goes over the frame before the packet is taken from it."""
    code, rng = draft.code, draft.rng
    assert draft.kind.packet is not None
    data, end = draft.kind.packet
    label, slot = code.fresh(), rng.choice(SLOTS)
    code.store(8, 10, slot, 6)
    code.load(8, 2, 10, slot)
    code.put(8, 10, slot, 0)
    code.load(4, 4, 2, end)
    code.load(4, 5, 2, data)
    code.copy(3, 5)
    code.add(3, 48)
    code.if_register(">", 3, 4, label)
    if draft.kind.writes_packet and rng.random() < 0.5:
        code.put(2, 5, 40, 0x55)
    else:
        code.load(1, 8, 5, 45)
    code.label(label)


@snippet(fits=writes_packet, weight=2)
def exchange_bytes(draft: Draft) -> None:
    """Two bytes of the packet change places."""
    code = draft.code
    code.load(1, 4, 7, 2)
    code.load(1, 5, 7, 9)
    code.store(1, 7, 2, 5)
    code.store(1, 7, 9, 4)


@snippet(weight=2)
def unlikely_path(draft: Draft) -> None:
    """A path that only a range can exclude, and one that it only seems to exclude."""
    code, rng = draft.code, draft.rng
    label, other = code.fresh(), code.fresh()
    draft.conf(4, A)
    code.bits(4, 7)
    code.mov(8, rng.choice((0, 2)))
    code.if_number(rng.choice((">", "s>", ">=")), 4, rng.choice((2, 3, 6)), label)
    code.mov(8, rng.choice((0, 1, 2)))
    code.jump(other)
    code.label(label)
    code.copy(8, 4)
    code.label(other)


@snippet(weight=2)
def narrow_condition(draft: Draft) -> None:
    """A 32-bit condition says nothing about the upper half."""
    code, rng = draft.code, draft.rng
    label = code.fresh()
    draft.conf(4, A)
    code.copy(5, 4)
    code.emit(0x67, 5, immediate=32)
    code.emit(0x4F, 5, 4)
    code.mov(8, rng.choice((0, 2)))
    code.emit(0x16, 5, 0, 1, rng.choice((0, 1, 2)))
    code.jump(label)
    code.copy(8, 5)
    code.emit(0x77, 8, immediate=32)
    code.label(label)


@snippet(weight=2)
def goto_loop(draft: Draft) -> None:
    """A loop that may stop at any time (may_goto): its body runs or not."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    code.mov(8, first)
    code.mov(5, rng.choice((1, 3)))
    code.emit(0xE5, 0, 0, 3, 0)
    code.mov(8, second)
    code.add(5, -1)
    code.emit(0x55, 5, 0, -4, 0)


@snippet(weight=2)
def acquire_release(draft: Draft) -> None:
    """Load-acquire and store-release of 6.15."""
    code = draft.code
    first, second = _two(draft)
    code.put(8, 10, BUFFER, first)
    code.mov(4, second)
    code.stack_address(5, BUFFER)
    code.emit(0xDB, 5, 4, 0, 0x110)
    code.emit(0xDB, 8, 5, 0, 0x100)


@snippet(164, weight=1)
def callback_decides(draft: Draft) -> None:
    """A callback over a map's elements writes what the caller returns."""
    code, rng = draft.code, draft.rng
    first, second = _two(draft)
    made = Code(f"f{len(draft.source.functions)}", ".text")
    draft.source.functions.append(made)
    label = made.fresh()
    made.load(8, 5, 3, 0)
    made.if_number("!=", 5, rng.choice((11, 22, 33)), label)
    made.put(8, 4, 0, second)
    made.label(label)
    made.mov(0, 0)
    made.exit()
    code.put(8, 10, OTHER_BUFFER, first)
    draft.map(1, "table")
    code.function(2, made.name)
    code.stack_address(3, OTHER_BUFFER)
    code.mov(4, 0)
    draft.helper(164)
    code.load(8, 8, 10, OTHER_BUFFER)
