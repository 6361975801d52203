"""Random small XDP programs the verifier accepts, as hypothesis strategies.

Registers of an entry: r6 the context, r7 the packet, r8 and r9 any number. A subprogram takes a
number and gives one. Every program counts and branches, and has several exits. What an entry reads
of its stack it may not have written: with zeros in such slots it does the same every time.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from skep.bytecode.isa.codes import LDDW, PSEUDO_KERNEL_CALL, PSEUDO_MAP_INDEX
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import KernelName, MapPlan, ProgramPlan
from skep.chains.member import Member

_XDP, _ATTACH_XDP = 6, 37
_HASH, _PROG_ARRAY, _ARRAY, _PERCPU_ARRAY = 1, 3, 2, 6
_LOOKUP, _UPDATE, _TAIL_CALL = 1, 2, 12

_EXIT = Slot(0x95)
_NUMBERS = st.one_of(st.integers(-4, 8), st.integers(-(2**31), 2**31 - 1))
_SMALL = st.integers(-1, 3)
_CODES = st.sampled_from([0, 1, 2, 3, 2**32 - 1])
_MOST_PACKET = 24  # bytes a program may ask for

Block = list[Slot]


def _signed(code: int) -> int:
    return code - 2**32 if code >= 2**31 else code


@dataclass(frozen=True)
class Limits:
    """What all members of one chain share.

    Attributes:
        subprograms: at most so many in each.
        stack_bytes: at most so many in each entry.
        throw: number of ``bpf_throw`` in the kernel, 0 if nobody throws.
    """

    subprograms: int
    stack_bytes: int
    throw: int = 0


@st.composite
def _alu(draw: st.DrawFn, one: int, two: int) -> Block:
    """Change ``one``, a number, perhaps by ``two``, another."""
    wide = draw(st.booleans())
    kind = 0x07 if wide else 0x04
    operation = draw(st.sampled_from([0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0xA0, 0x60, 0x70, 0xC0]))
    if operation in (0x60, 0x70, 0xC0):  # shifts
        return [Slot(kind | operation, one, 0, 0, draw(st.integers(0, 63 if wide else 31)))]
    if draw(st.booleans()) and operation != 0x30:
        return [Slot(kind | operation | 8, one, two)]
    number = draw(_NUMBERS)
    if operation == 0x30:  # the verifier refuses a division by the constant 0
        number = number or 3
    return [Slot(kind | operation, one, 0, 0, number)]


@st.composite
def _unless(draw: st.DrawFn, register: int, block: Block) -> Block:
    """``block``, skipped on a condition of a number."""
    operation = draw(st.sampled_from([0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xC0]))
    kind = draw(st.sampled_from([0x05, 0x06]))
    return [Slot(operation | kind, register, 0, len(block), draw(_NUMBERS)), *block]


def _increment(index: int, key: int, by: int, *, is_hash: bool, stack: int) -> Block:
    """Add the number in register ``by`` to a map's value, which a hash may not have yet."""
    load = [Slot(LDDW, 1, PSEUDO_MAP_INDEX, 0, index), Slot(0)]
    make = [
        Slot(0x7A, 10, 0, stack - 8, 0),
        Slot(0xBF, 2, 10),
        Slot(0x07, 2, 0, 0, stack),
        Slot(0xBF, 3, 10),
        Slot(0x07, 3, 0, 0, stack - 8),
        Slot(0xB7, 4, 0, 0, 1),  # BPF_NOEXIST
        *load,
        Slot(0x85, 0, 0, 0, _UPDATE),
    ]
    return [
        Slot(0x62, 10, 0, stack, key),
        *(make if is_hash else []),
        Slot(0xBF, 2, 10),
        Slot(0x07, 2, 0, 0, stack),
        *load,
        Slot(0x85, 0, 0, 0, _LOOKUP),
        Slot(0x15, 0, 0, 1, 0),
        Slot(0xDB, 0, by),
    ]


def _call(function: int) -> Slot:
    """A call to be resolved once it is known where functions are."""
    return Slot(0x85, 0, 1, 0, function)


@st.composite
def _return(draw: st.DrawFn) -> Block:
    """An exit: with a constant, with a small number or with all 64 bits of one.

    The verdict is the lower 32 bits; ``wide`` sets bits above a code that chains go on at.
    """
    kind = draw(st.sampled_from(["constant", "constant", "constant", "wide", "small", "all"]))
    if kind == "constant":
        return [Slot(0xB4, 0, 0, 0, _signed(draw(_CODES))), _EXIT]
    if kind == "wide":
        return [Slot(LDDW, 0, 0, 0, _signed(draw(_CODES))), Slot(0, 0, 0, 0, 7), _EXIT]
    if kind == "small":
        return [Slot(0xBF, 0, 8), Slot(0x57, 0, 0, 0, 3), _EXIT]
    return [Slot(0xBF, 0, 8), _EXIT]


@st.composite
def _unwritten(draw: st.DrawFn, stack: int, maps: int) -> Block:
    """Use a slot of the stack that may never have been written."""
    offset = -8 * draw(st.integers(1, stack // 8))
    address = [Slot(0xBF, 2, 10), Slot(0x07, 2, 0, 0, offset)]
    match draw(st.sampled_from(["load", "narrow", "address", "kept", "given", "key"])):
        case "load":
            return [Slot(0x79, 9, 10, offset)]
        case "narrow":
            return [Slot(0x71, 9, 10, offset + draw(st.integers(0, 7)))]
        case "address":
            return [*address, Slot(0x61, 9, 2)]
        case "kept":  # an address in the stack is kept in the stack, then a number takes its place
            places = [each for each in range(-stack, 0, 8) if each != offset]
            place = draw(st.sampled_from(places))
            kept = [Slot(0x7B, 10, 2, place), Slot(0x79, 3, 10, place), Slot(0x79, 9, 3)]
            return [*address, *kept, Slot(0x7B, 10, 8, place)]
        case "given":
            load = [Slot(LDDW, 1, PSEUDO_MAP_INDEX, 0, draw(st.integers(0, maps - 1))), Slot(0)]
            key = -8 * draw(st.integers(1, stack // 8))
            return [
                Slot(0x62, 10, 0, key, draw(st.integers(0, 2))),
                *address,
                Slot(0xBF, 3, 2),
                Slot(0xBF, 2, 10),
                Slot(0x07, 2, 0, 0, key),
                *load,
                Slot(0xB7, 4),
                Slot(0x85, 0, 0, 0, _UPDATE),
            ]
        case _:
            load = [Slot(LDDW, 1, PSEUDO_MAP_INDEX, 0, draw(st.integers(0, maps - 1))), Slot(0)]
            counted = [Slot(0x15, 0, 0, 1, 0), Slot(0xDB, 0, 8)]
            return [*address, *load, Slot(0x85, 0, 0, 0, _LOOKUP), *counted]


@st.composite
def _step(draw: st.DrawFn, stack: int, maps: int, functions: int, packet: int, throw: int) -> Block:
    kinds = ["alu", "alu", "load", "store", "stack", "pointer", "count", "exit", "tail"]
    kinds += [
        "unwritten",
        "unwritten",
        *(["call"] if functions else []),
        *(["throw"] if throw else []),
    ]
    kind = draw(st.sampled_from(kinds))
    offset = -8 * draw(st.integers(1, stack // 8))
    match kind:
        case "unwritten":
            return draw(_unwritten(stack, maps))
        case "throw":
            cookie = draw(st.sampled_from([Slot(0xBF, 1, 8), Slot(0xB7, 1, 0, 0, draw(_SMALL))]))
            thrown = [cookie, Slot(0x85, 0, 2, 0, throw)]
            return draw(_unless(draw(st.sampled_from([8, 9])), thrown))
        case "alu":
            return draw(_alu(*draw(st.sampled_from([(8, 9), (9, 8)]))))
        case "load":
            register = draw(st.sampled_from([8, 9]))
            return [Slot(0x71, register, 7, draw(st.integers(0, packet - 1)))]
        case "store":
            return [Slot(0x73, 7, 8, draw(st.integers(0, packet - 1)))]
        case "stack":
            return [Slot(0x7B, 10, 8, offset), Slot(0x79, 9, 10, offset)]
        case "pointer":  # the packet's address survives on the stack, then a number takes its place
            return [
                Slot(0x7B, 10, 7, offset),
                Slot(0x79, 5, 10, offset),
                Slot(0x71, 8, 5, draw(st.integers(0, packet - 1))),
                Slot(0x7B, 10, 8, offset),
            ]
        case "count":
            index = draw(st.integers(0, maps - 1))
            return _increment(
                index,
                draw(st.integers(0, 2)),
                8,
                is_hash=index == 2,
                stack=-8 * draw(st.integers(1, stack // 8 - 1)),
            )
        case "exit":
            return draw(_unless(draw(st.sampled_from([8, 9])), draw(_return())))
        case "tail":
            return [
                Slot(0xBF, 1, 6),
                Slot(LDDW, 2, PSEUDO_MAP_INDEX, 0, maps),
                Slot(0),
                Slot(0xB7, 3, 0, 0, draw(st.integers(0, 5))),
                Slot(0x85, 0, 0, 0, _TAIL_CALL),
            ]
        case _:
            number = draw(st.integers(1, functions))
            return [Slot(0xBF, 1, 8), _call(number), Slot(0xBF, 8, 0)]


@st.composite
def _entry(draw: st.DrawFn, stack: int, maps: int, functions: int, throw: int) -> Block:
    packet = draw(st.integers(14, _MOST_PACKET))
    short = draw(st.sampled_from([[Slot(0xB4, 0, 0, 0, code), _EXIT] for code in range(3)]))
    code = [
        Slot(0xBF, 6, 1),
        Slot(0x61, 7, 1, 0),  # data
        Slot(0x61, 2, 1, 4),  # data_end
        Slot(0xBF, 3, 7),
        Slot(0x07, 3, 0, 0, packet),
        Slot(0xBD, 3, 2, len(short)),  # if data + packet <= data_end go on
        *short,
        Slot(0xB7, 8, 0, 0, draw(_NUMBERS)),
        Slot(0x71, 9, 7, draw(st.integers(0, packet - 1))),
        Slot(0x7A, 10, 0, -stack, draw(_NUMBERS)),  # as deep as was said
    ]
    for _ in range(draw(st.integers(1, 8))):
        step = draw(_step(stack, maps, functions, packet, throw))
        code += draw(_unless(9, step)) if draw(st.booleans()) else step
    return code + draw(_return())


@st.composite
def _subprogram(draw: st.DrawFn, number: int, functions: int, maps: int) -> Block:
    """Takes r1, gives r0; may call those behind it."""
    code = [Slot(0xBF, 6, 1), Slot(0xBF, 7, 1)]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["alu", "stack", "count", "exit", "call"]))
        if kind == "alu":
            code += draw(_alu(6, 7))
        elif kind == "stack":
            code += [Slot(0x7B, 10, 6, -32), Slot(0x79, 7, 10, -32)]
        elif kind == "count":
            index = draw(st.integers(0, min(maps, 2) - 1))
            code += _increment(index, draw(st.integers(0, 2)), 6, is_hash=False, stack=-8)
        elif kind == "exit":
            code += draw(_unless(6, [Slot(0xBF, 0, 7), _EXIT]))
        elif number < functions:
            called = draw(st.integers(number + 1, functions))
            code += [Slot(0xBF, 1, 6), _call(called), Slot(0xBF, 6, 0)]
    return [*code, Slot(0xBF, 0, 6), _EXIT]


def _lay_out(functions: list[Block]) -> tuple[Block, tuple[int, ...]]:
    """Keep only functions that are reached, as the linker does, and resolve calls."""
    needed: list[int] = []
    pending = [0]
    while pending:
        number = pending.pop()
        if number not in needed:
            needed.append(number)
            pending += [s.immediate for s in functions[number] if s.opcode == 0x85 and s.src == 1]
    order = sorted(needed)
    starts: dict[int, int] = {}
    position = 0
    for number in order:
        starts[number] = position
        position += len(functions[number])
    code: Block = []
    for number in order:
        for slot in functions[number]:
            if slot.opcode == 0x85 and slot.src == 1:
                slot = slot._replace(immediate=starts[slot.immediate] - len(code) - 1)
            code.append(slot)
    return code, tuple(starts[number] for number in order)


@st.composite
def members(draw: st.DrawFn, name: str, limits: Limits) -> Member:
    """One member with its maps; its stack is what the verifier will find, or more."""
    maps = [
        MapPlan("array", _ARRAY, 4, 8, 3),
        MapPlan("percpu", _PERCPU_ARRAY, 4, 8, 3),
        MapPlan("hash", _HASH, 4, 8, 3),
    ][: draw(st.integers(1, 3))]
    count = draw(st.integers(0, limits.subprograms))
    stack = 8 * draw(st.integers(2, limits.stack_bytes // 8))
    functions = [draw(_entry(stack, len(maps), count, limits.throw))]
    functions += [draw(_subprogram(n, count, len(maps))) for n in range(1, count + 1)]
    code, starts = _lay_out(functions)
    thrown = tuple(
        KernelName(slot, "function", "bpf_throw", each.immediate)
        for slot, each in enumerate(code)
        if each.opcode == 0x85 and each.src == PSEUDO_KERNEL_CALL
    )
    plan = ProgramPlan(name, _XDP, _ATTACH_XDP, 0, "GPL", tuple(code), starts, kernel_names=thrown)
    run_on = draw(st.sets(_CODES, min_size=2, max_size=4))
    everything = (*maps, MapPlan("targets", _PROG_ARRAY, 4, 4, 3))
    return Member(name, plan, everything, frozenset(run_on), stack)


@st.composite
def chains(draw: st.DrawFn, throw: int = 0) -> tuple[Member, ...]:
    """Two to four members; deep stacks only where no subprogram needs the rest.

    Args:
        throw: number of ``bpf_throw`` in the kernel, if members may throw.
    """
    limits = draw(st.sampled_from([Limits(0, 504, throw), Limits(2, 128, throw)]))
    return tuple(draw(members(f"m{n}", limits)) for n in range(draw(st.integers(2, 4))))


packets = st.binary(min_size=14, max_size=64)
