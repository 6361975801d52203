"""Snippets that move values about: arithmetic, spills of all widths, loops, calls, callbacks."""

from tests.soundness.assembling import Code
from tests.soundness.drafting import BUFFER, KEY, SLOTS, Draft
from tests.soundness.exit_values import USUAL
from tests.soundness.snippets.table import has_packet, snippet, writes_packet


@snippet(weight=4)
def arithmetic(draft: Draft) -> None:
    code, rng = draft.code, draft.rng
    one, two = rng.choice(((8, 9), (9, 8)))
    for _ in range(rng.randint(1, 3)):
        operation = rng.choice((0x00, 0x10, 0x20, 0x40, 0x50, 0xA0, 0x60, 0x70, 0xC0, 0x30, 0x90))
        kind = rng.choice((0x07, 0x04))
        if operation in {0x60, 0x70, 0xC0}:
            code.emit(kind | operation, one, immediate=rng.randrange(1, 31))
        elif rng.random() < 0.4:
            code.emit(kind | operation | 8, one, two)
        else:
            code.emit(kind | operation, one, immediate=rng.choice((1, 2, 3, 15, 255)))


@snippet(weight=3)
def spill_and_fill(draft: Draft) -> None:
    """Spills of all widths, filled with all widths."""
    code, rng = draft.code, draft.rng
    slot = rng.choice(SLOTS)
    size = rng.choice((8, 4, 4, 2, 1))
    place = slot + size * rng.randrange(8 // size)
    if rng.random() < 0.5:
        code.store(size, 10, place, rng.choice((8, 9)))
    else:
        code.put(size, 10, place, rng.choice((0, 1, 2, 3)))
    wanted = rng.choice((size, size, 8, 4, 1))
    code.load(wanted, rng.choice((8, 9)), 10, slot + wanted * ((place - slot) // wanted))


@snippet(weight=2)
def choose(draft: Draft) -> None:
    """Two paths leave two values in the same register."""
    code, rng = draft.code, draft.rng
    other, after = code.fresh(), code.fresh()
    code.if_number(rng.choice(("==", ">", "&", "!=", "<")), 8, rng.choice((0, 1, 3, 53)), other)
    code.mov(9, rng.choice((0, 1, 2, 3)))
    code.jump(after)
    code.label(other)
    code.mov(9, rng.choice((0, 1, 2, 7)))
    code.label(after)


@snippet(weight=1)
def exchange(draft: Draft) -> None:
    draft.code.copy(5, 8)
    draft.code.copy(8, 9)
    draft.code.copy(9, 5)


@snippet(weight=1)
def counted_loop(draft: Draft) -> None:
    code = draft.code
    again = code.fresh()
    code.mov(5, draft.rng.choice((2, 4)))
    code.label(again)
    code.emit(0x0F, 8, 9)
    code.add(5, -1)
    code.if_number("!=", 5, 0, again)


def _function(draft: Draft) -> Code:
    name = f"f{len(draft.source.functions)}"
    made = Code(name, ".text")
    draft.source.functions.append(made)
    return made


@snippet(weight=2)
def call_with_number(draft: Draft) -> None:
    """A subprogram that takes numbers and gives one."""
    code, rng = draft.code, draft.rng
    made = _function(draft)
    label = made.fresh()
    made.copy(0, 1)
    made.if_number(rng.choice(("==", ">")), 1, rng.choice((0, 2, 53)), label)
    made.copy(0, 2)
    made.bits(0, 3)
    made.label(label)
    made.exit()
    code.copy(1, rng.choice((8, 9)))
    code.copy(2, rng.choice((8, 9)))
    code.call(made.name)
    code.copy(8, 0)


@snippet(fits=has_packet, weight=2)
def call_with_context(draft: Draft) -> None:
    """A subprogram that looks into the packet, or writes to it."""
    code, rng = draft.code, draft.rng
    assert draft.kind.packet is not None
    data, end = draft.kind.packet
    made = _function(draft)
    made.mov(0, 0)
    made.load(4, 2, 1, data)
    made.load(4, 3, 1, end)
    made.copy(4, 2)
    made.add(4, 40)
    made.if_register(">", 4, 3, "out")
    if draft.kind.writes_packet and rng.random() < 0.5:
        made.put(1, 2, rng.randrange(40), draft.number())
    else:
        made.load(rng.choice((1, 2)), 0, 2, rng.choice((36, 38)))
    made.label("out")
    made.exit()
    code.copy(1, 6)
    code.call(made.name)
    code.copy(8, 0)


@snippet(fits=has_packet, weight=2)
def call_with_packet(draft: Draft) -> None:
    """A subprogram that is handed the packet's checked address."""
    code, rng = draft.code, draft.rng
    made = _function(draft)
    if draft.kind.writes_packet and rng.random() < 0.4:
        made.put(1, 1, 8, draft.number())
    made.load(1, 0, 1, draft.reach - 1)
    made.exit()
    code.copy(1, 7)
    code.call(made.name)
    code.copy(rng.choice((8, 9)), 0)


@snippet(weight=2)
def call_with_stack(draft: Draft) -> None:
    """A subprogram that writes into the caller's frame."""
    code, rng = draft.code, draft.rng
    made = _function(draft)
    size = rng.choice((4, 8))
    made.copy(3, 2)
    made.bits(3, 3)
    made.store(size, 1, 0, 3)
    made.mov(0, 0)
    made.exit()
    code.put(8, 10, BUFFER, rng.choice((0, 1, 2)))
    code.stack_address(1, BUFFER)
    code.copy(2, rng.choice((8, 9)))
    code.call(made.name)
    code.load(size, rng.choice((8, 9)), 10, BUFFER)


@snippet(181, weight=2)
def loop_callback(draft: Draft) -> None:
    """A bpf_loop over a frame: the callback changes what the caller reads afterwards."""
    code, rng = draft.code, draft.rng
    made = _function(draft)
    made.load(8, 3, 2, 0)
    made.add(3, rng.choice((1, 2)))
    made.store(8, 2, 0, 3)
    made.mov(0, 0)
    made.exit()
    code.put(8, 10, BUFFER, rng.choice((0, 1)))
    if rng.random() < 0.4:
        code.store(8, 10, BUFFER, 8)
    code.mov(1, rng.choice((1, 2)))
    code.function(2, made.name)
    code.stack_address(3, BUFFER)
    code.mov(4, 0)
    draft.helper(181)
    code.load(8, 8, 10, BUFFER)


@snippet(164, weight=1)
def each_element(draft: Draft) -> None:
    """Elements by for_each_map_elem: the callback reads values, or writes them."""
    code, rng = draft.code, draft.rng
    made = _function(draft)
    made.load(8, 5, 3, 0)
    made.store(8, 4, 0, 5)
    if rng.random() < 0.5:
        made.put(8, 3, 0, 5)
    made.mov(0, 0)
    made.exit()
    code.put(8, 10, BUFFER, 0)
    draft.map(1, "table")
    code.function(2, made.name)
    code.stack_address(3, BUFFER)
    code.mov(4, 0)
    draft.helper(164)
    code.load(8, 8, 10, BUFFER)


@snippet(fits=writes_packet, weight=1)
def callback_with_packet(draft: Draft) -> None:
    """The context of a callback is on the stack, and in it the address of the context."""
    code = draft.code
    assert draft.kind.packet is not None
    data, end = draft.kind.packet
    made = _function(draft)
    made.load(8, 1, 2, 0)
    made.load(4, 3, 1, data)
    made.load(4, 4, 1, end)
    made.copy(5, 3)
    made.add(5, 20)
    made.if_register(">", 5, 4, "out")
    made.put(1, 3, draft.rng.choice((8, 17)), 99)
    made.label("out")
    made.mov(0, 0)
    made.exit()
    code.store(8, 10, BUFFER, 6)
    code.mov(1, 1)
    code.function(2, made.name)
    code.stack_address(3, BUFFER)
    code.mov(4, 0)
    draft.helper(181)
    draft.invalidated()


@snippet(weight=1)
def counter(draft: Draft) -> None:
    """The usual counter of a map."""
    code = draft.code
    code.put(4, 10, KEY, draft.rng.randrange(3))
    code.stack_address(2, KEY)
    draft.map(1, "table")
    draft.helper(1)
    after = code.fresh()
    code.if_number("==", 0, 0, after)
    code.mov(1, 1)
    code.emit(0xDB, 0, 1)
    code.label(after)


@snippet(weight=1)
def one_verdict(draft: Draft) -> None:
    """An exit value of the type, in r8."""
    values = USUAL.get(draft.kind.type) or draft.kind.verdicts or (0, 1)
    draft.code.mov(8, draft.rng.choice(values))
