"""Snippets that bring a value into r8: from the packet, the context, maps, constants."""

from tests.soundness.drafting import BUFFER, KEY, OTHER_BUFFER, SLOTS, Draft
from tests.soundness.snippets.table import (
    has_packet,
    has_readable,
    is_skb,
    is_tc,
    is_xdp,
    not_sleepable,
    snippet,
)
from tests.soundness.worlds import TEXT, A, B

_SIZES = (1, 1, 2, 4, 8)


def _place(draft: Draft, size: int, reach: int | None = None) -> int:
    """Where in the packet: often behind the headers, where the tests change most."""
    last = (draft.reach if reach is None else reach) - size
    return draft.rng.choice((draft.rng.randint(0, last), last))


@snippet(fits=has_packet, weight=8)
def packet_load(draft: Draft) -> None:
    size = draft.rng.choice(_SIZES)
    draft.code.load(size, 8, 7, _place(draft, size))


@snippet(fits=has_packet, weight=3)
def packet_load_through_spill(draft: Draft) -> None:
    """The packet's address goes over the stack, whole or through a computed slot."""
    code, slot = draft.code, draft.rng.choice(SLOTS)
    size = draft.rng.choice(_SIZES)
    code.store(8, 10, slot, 7)
    if draft.rng.random() < 0.5:
        code.copy(4, 10)
        code.add(4, slot - 8)
        code.load(8, 5, 4, 8)
    else:
        code.load(8, 5, 10, slot)
    code.load(size, 8, 5, _place(draft, size))
    code.store(8, 10, slot, 8)


@snippet(fits=has_packet, weight=2)
def packet_load_variable_offset(draft: Draft) -> None:
    code = draft.code
    code.copy(4, 9)
    code.bits(4, 7)
    code.copy(5, 7)
    code.emit(0x0F, 5, 4)
    code.load(1, 8, 5, draft.reach - 8)


@snippet(fits=has_packet, weight=2)
def packet_load_swapped(draft: Draft) -> None:
    size, bits = draft.rng.choice(((2, 16), (4, 32)))
    draft.code.load(size, 8, 7, _place(draft, size))
    draft.code.emit(0xDC, 8, immediate=bits)


@snippet(26, fits=lambda kind: kind.is_skb, weight=3)
def load_bytes(draft: Draft) -> None:
    code, size = draft.code, draft.rng.choice(_SIZES)
    draft.clear_buffer(BUFFER, 8)
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((0, 6, 12, 14, 20, 28, 40, 60)))
    code.stack_address(3, BUFFER)
    code.mov(4, size)
    draft.helper(26)
    code.load(size, 8, 10, BUFFER)


@snippet(68, fits=lambda kind: kind.is_skb, weight=1)
def load_bytes_relative(draft: Draft) -> None:
    code = draft.code
    draft.clear_buffer(BUFFER, 8)
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((0, 8, 22, 28, 40)))
    code.stack_address(3, BUFFER)
    code.mov(4, 4)
    code.mov(5, draft.rng.choice((0, 1)))
    draft.helper(68)
    code.load(4, 8, 10, BUFFER)


@snippet(189, fits=is_xdp, weight=2)
def xdp_load_bytes(draft: Draft) -> None:
    code, size = draft.code, draft.rng.choice(_SIZES)
    draft.clear_buffer(BUFFER, 8)
    code.copy(1, 6)
    code.mov(2, draft.rng.choice((0, 6, 14, 30, 50)))
    code.stack_address(3, BUFFER)
    code.mov(4, size)
    draft.helper(189)
    code.load(size, 8, 10, BUFFER)


@snippet(fits=lambda kind: kind.type in {"SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT"}, weight=3)
def legacy_load(draft: Draft) -> None:
    """LD_ABS and LD_IND; they end the program where the packet is too short."""
    code = draft.code
    opcode = draft.rng.choice((0x30, 0x28, 0x20))
    draft.tags.add("ld_abs")
    if draft.rng.random() < 0.3:
        code.mov(3, draft.rng.choice((0, 4)))
        code.emit(opcode + 0x20, 0, 3, 0, 24)
    else:
        code.emit(opcode, 0, 0, 0, draft.rng.choice((6, 14, 22, 28, 40)))
    code.copy(8, 0)


@snippet(fits=has_readable, weight=4)
def context_load(draft: Draft) -> None:
    field = draft.rng.choice(draft.kind.readable)
    draft.code.load(field.size, 8, 6, field.offset)
    draft.tags.add(f"reads:{field.name}")


@snippet(weight=4)
def conf_load(draft: Draft) -> None:
    draft.conf(8, draft.rng.choice((A, B)))


@snippet(weight=2)
def constant_load(draft: Draft) -> None:
    """A constant of ``.rodata``, which the settings may give another value."""
    value = draft.number()
    name = draft.variable(".rodata", value.to_bytes(4, "little"), "setting")
    if draft.rng.random() < 0.5:
        draft.settings[name] = draft.number().to_bytes(4, "little")
        draft.tags.add("setting")
    draft.code.data(1, name)
    draft.code.load(4, 8, 1)


@snippet(weight=2)
def variable_load(draft: Draft) -> None:
    name = draft.variable(draft.rng.choice((".data", ".bss.x")), bytes(8), "state")
    draft.code.data(1, name)
    draft.code.load(8, 8, 1)


@snippet(28, fits=has_packet, weight=1)
def checksum_difference(draft: Draft) -> None:
    """A sum by csum_diff over packet bytes."""
    code = draft.code
    code.copy(1, 7)
    code.add(1, draft.reach - 8)
    code.mov(2, 8)
    code.mov(3, 0)
    code.mov(4, 0)
    code.mov(5, 0)
    draft.helper(28)
    code.copy(8, 0)


@snippet(fits=has_packet, weight=2)
def lookup_by_packet(draft: Draft) -> None:
    """The key of a lookup is in the packet itself."""
    code, name = draft.code, draft.rng.choice(("table", "lru"))
    code.copy(2, 7)
    code.add(2, draft.reach - 4)
    draft.map(1, name)
    draft.helper(1)
    after = code.fresh()
    code.mov(8, 1)
    code.if_number("!=", 0, 0, after)
    code.mov(8, 0)
    code.label(after)


@snippet(34, fits=is_skb, weight=1)
def hash_of_packet(draft: Draft) -> None:
    draft.code.copy(1, 6)
    draft.helper(34)
    draft.code.copy(8, 0)


@snippet(39, fits=is_skb, weight=1)
def pull_data(draft: Draft) -> None:
    draft.code.copy(1, 6)
    draft.code.mov(2, 0)
    draft.helper(39)
    draft.invalidated()


@snippet(188, fits=is_xdp, weight=1)
def buffer_length(draft: Draft) -> None:
    draft.code.copy(1, 6)
    draft.helper(188)
    draft.code.copy(8, 0)


@snippet(182, weight=1)
def compare_text(draft: Draft) -> None:
    """Compare: strncmp of a map's text with a constant."""
    code = draft.code
    name = draft.text(draft.template.text)
    draft.map_value(1, "conf")
    code.add(1, TEXT)
    code.mov(2, 8)
    code.data(3, name)
    draft.helper(182)
    code.copy(8, 0)


@snippet(105, weight=1)
def number_in_text(draft: Draft) -> None:
    """Numbers by strtol and strtoul, the result on the stack or in a map's value."""
    code, into_map = draft.code, draft.rng.random() < 0.4
    draft.clear_buffer(OTHER_BUFFER, 16)
    code.put(8, 10, OTHER_BUFFER, int.from_bytes(b"42\0\0", "little"))
    if into_map:
        draft.map_value(4, "out")
    else:
        code.put(8, 10, BUFFER, 0)
        code.stack_address(4, BUFFER)
    code.stack_address(1, OTHER_BUFFER)
    code.mov(2, 8)
    code.mov(3, 0)
    draft.helper(draft.rng.choice((105, 106)))
    if not into_map:
        code.load(8, 8, 10, BUFFER)


@snippet(89, fits=not_sleepable, weight=1)
def peek(draft: Draft) -> None:
    """What a queue, a stack or a bloom filter has."""
    code, name = draft.code, draft.rng.choice(("queue", "stacked", "bloom"))
    code.put(8, 10, BUFFER, 0)
    draft.map(1, name)
    code.stack_address(2, BUFFER)
    draft.helper(89)
    code.copy(8, 0)


@snippet(195, fits=not_sleepable, weight=1)
def percpu_lookup(draft: Draft) -> None:
    code = draft.code
    code.put(4, 10, KEY, 0)
    draft.map(1, "percpu")
    code.stack_address(2, KEY)
    code.mov(3, 0)
    draft.helper(195)
    code.if_number("==", 0, 0, "short")
    code.load(8, 8, 0)


@snippet((5, 7, 8), weight=1)
def small_numbers(draft: Draft) -> None:
    """Time, random numbers, the CPU: nothing anybody has to be told of."""
    number = draft.pick(5, 7, 8, 42, 118, 125, 160, 208)
    if number not in {8, 42}:
        draft.tags.add("noisy")
    draft.helper(number)
    draft.code.copy(8, 0)


@snippet(84, fits=lambda kind: is_tc(kind) or is_xdp(kind), weight=1)
def lookup_socket(draft: Draft) -> None:
    """Whether a socket of that tuple exists; the tuple on the stack or in the packet."""
    code, rng = draft.code, draft.rng
    number = draft.pick(84, 85, 99)
    from_packet = rng.random() < 0.5
    if from_packet:
        code.copy(2, 7)
        code.add(2, draft.reach - 12)
    else:
        code.put(4, 10, BUFFER, 0x0100007F)
        code.put(4, 10, BUFFER + 4, 0x0100007F)
        code.put(4, 10, BUFFER + 8, 0x9210_39_30)  # ports 12345 and 4242
        code.stack_address(2, BUFFER)
    code.copy(1, 6)
    code.mov(3, 12)
    code.emit(0xB4, 4, immediate=-1)
    code.mov(5, 0)
    draft.helper(number)
    after = code.fresh()
    code.mov(8, 0)
    code.if_number("==", 0, 0, after)
    code.mov(8, 1)
    code.copy(1, 0)
    draft.helper(86)
    code.label(after)


@snippet(69, fits=lambda kind: is_tc(kind) or is_xdp(kind), weight=1)
def lookup_route(draft: Draft) -> None:
    code = draft.code
    draft.clear_buffer(BUFFER, 64)
    code.put(1, 10, BUFFER, 2)
    code.put(4, 10, BUFFER + 8, 1)
    code.put(4, 10, BUFFER + 16, 0x0100007F)
    code.put(4, 10, BUFFER + 32, 0x0200007F)
    code.copy(1, 6)
    code.stack_address(2, BUFFER)
    code.mov(3, 64)
    code.mov(4, 0)
    draft.helper(69)
    code.copy(8, 0)
