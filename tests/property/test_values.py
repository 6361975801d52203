"""Laws of abstract values: whatever is done to them, they cover what is done to the numbers.

A *member* of a value is a number a register of that value may hold. The results of redirecting
helpers stand for themselves: no number is one of them.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skep.bytecode.analysis import arithmetic, branching
from skep.bytecode.analysis.frames import FrameState, Held, Parts, Stack, read_part, write_part
from skep.bytecode.analysis.values import (
    FRAME,
    MAP_VALUE,
    MASK32,
    MASK64,
    MOST_CONSTANTS,
    MOST_SEEN,
    PACKET,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
    join,
    number,
    redirects_in,
    seen_in,
    signed,
    widened,
)

REDIRECTS = (REDIRECTED,)
_STEPS: dict[int, Callable[[int, int], int]] = {
    0x00: operator.add,
    0x10: operator.sub,
    0x20: operator.mul,
    0x30: lambda a, b: a // b if b else 0,
    0x40: operator.or_,
    0x50: operator.and_,
    0x90: lambda a, b: a % b if b else a,
    0xA0: operator.xor,
}
_SHIFTS = (0x60, 0x70, 0xC0)
_TESTS: dict[int, Callable[[int, int], bool]] = {
    0x10: operator.eq,
    0x20: operator.gt,
    0x30: operator.ge,
    0x40: lambda a, b: bool(a & b),
    0x50: operator.ne,
    0xA0: operator.lt,
    0xB0: operator.le,
}
_SIGNED = {0x60: operator.gt, 0x70: operator.ge, 0xC0: operator.lt, 0xD0: operator.le}

_EDGES = (0, 1, 2, 3, 7, 8, 255, 256, (1 << 15) - 1, 1 << 15, (1 << 31) - 1, 1 << 31, MASK32)
numbers = st.one_of(
    st.integers(0, 20),
    st.sampled_from([*_EDGES, 1 << 32, (1 << 63) - 1, 1 << 63, MASK64 - 1, MASK64]),
    st.integers(0, MASK32),
    st.integers(0, MASK64),
)
widths = st.sampled_from([32, 64])


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Value, int]:
    """Bounds and bits around a number, with constants that some path gave."""
    member = draw(numbers)
    free = draw(st.one_of(st.sampled_from([0, 0xFF, MASK32, MASK64]), numbers))
    low = draw(st.one_of(st.just(0), st.just(member), st.integers(0, member)))
    high = draw(st.one_of(st.just(MASK64), st.just(member), st.integers(member, MASK64)))
    found = number(low, high, free, member & ~free)
    assert found is not None
    if isinstance(found, Number):
        seen = draw(st.frozensets(st.sampled_from([member, *REDIRECTS]), max_size=3))
        found = found._replace(seen=seen)
    return found, member


@st.composite
def sets(draw: st.DrawFn) -> tuple[Value, int]:
    """A few constants, perhaps redirects among them."""
    plain = draw(st.frozensets(numbers, min_size=1, max_size=6))
    member = draw(st.sampled_from(sorted(plain)))
    every = plain | draw(st.frozensets(st.sampled_from(REDIRECTS)))
    return (every if len(every) > 1 else member), member


members = st.one_of(numbers.map(lambda each: (each, each)), sets(), ranges())
"""Values, each with a member."""


def covers(value: Value | None, member: int) -> bool:
    """Whether a register of ``value`` may hold ``member``."""
    if value is None:
        return False
    if isinstance(value, Pointer):
        return True  # or the number that takes its place
    if member > MASK64:
        # A verdict of a redirect is a small number; what may be any small number may be that one.
        return member in seen_in(value) or (
            isinstance(value, Number) and value.low == 0 and value.free & 7 == 7 and value.high >= 7
        )
    if isinstance(value, Number):
        return value.low <= member <= value.high and member & ~value.free == value.bits
    return member in (value if isinstance(value, frozenset) else (value,))


def result(operation: int, a: int, b: int, bits: int) -> int:
    mask = MASK64 if bits == 64 else MASK32
    a, b = a & mask, b & mask
    if operation in _SHIFTS:
        by = b & (bits - 1)
        if operation == 0x60:
            return a << by & mask
        return (a if operation == 0x70 else signed(a, bits)) >> by & mask
    return _STEPS[operation](a, b) & mask


def holds(operation: int, a: int, b: int, bits: int) -> bool:
    mask = MASK64 if bits == 64 else MASK32
    a, b = a & mask, b & mask
    if operation in _SIGNED:
        return bool(_SIGNED[operation](signed(a, bits), signed(b, bits)))
    return bool(_TESTS[operation](a, b))


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.sampled_from([*_STEPS, *_SHIFTS]), members, members, widths)
def test_arithmetic_covers_the_numbers(
    operation: int, one: tuple[Value, int], other: tuple[Value, int], bits: int
) -> None:
    found = arithmetic.compute(operation, one[0], other[0], bits)
    assert covers(found, result(operation, one[1], other[1], bits))


@settings(deadline=None, derandomize=True, max_examples=166)
@given(st.sampled_from([*_STEPS, *_SHIFTS]), members, numbers, widths)
def test_arithmetic_loses_no_redirect(
    operation: int, one: tuple[Value, int], other: int, bits: int
) -> None:
    found = arithmetic.compute(operation, one[0], other, bits)
    for redirect in redirects_in(one[0]):
        for code in (4, 7):  # XDP_REDIRECT, TC_ACT_REDIRECT
            moved = result(operation, code, other, bits)
            kept = {redirect, redirect << 1} & seen_in(found)
            assert kept or covers(found, moved)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(members, widths, st.sampled_from([0, 8, 16, 32]))
def test_moves_cover_the_numbers(one: tuple[Value, int], bits: int, sign_bits: int) -> None:
    mask = MASK64 if bits == 64 else MASK32
    moved = signed(one[1], sign_bits) & mask if sign_bits else one[1] & mask
    found = one[0] if bits == 64 and not sign_bits else arithmetic.move(one[0], bits, sign_bits)
    assert covers(found, moved)
    for redirect in redirects_in(one[0]):
        assert covers(found, redirect)


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.sampled_from([*_TESTS, *_SIGNED]), members, numbers, widths)
def test_both_ways_of_a_jump_cover_the_numbers_that_go_there(
    operation: int, one: tuple[Value, int], other: int, bits: int
) -> None:
    behind, target = branching.split(operation, one[0], other, bits)
    assert covers(target if holds(operation, one[1], other, bits) else behind, one[1])


@settings(deadline=None, derandomize=True, max_examples=166)
@given(st.sampled_from([*_TESTS, *_SIGNED]), members, numbers, widths)
def test_both_ways_of_a_jump_keep_redirects(
    operation: int, one: tuple[Value, int], other: int, bits: int
) -> None:
    behind, target = branching.split(operation, one[0], other, bits)
    for redirect in redirects_in(one[0]):
        for code in (4, 7):
            way = target if holds(operation, code, other, bits) else behind
            assert covers(way, redirect) or covers(way, code)


pointers = st.builds(
    Pointer,
    st.sampled_from([PACKET, FRAME, MAP_VALUE, PACKET | FRAME]),
    st.sampled_from([None, 0, -8, 16]),
    st.sampled_from(["", "one", "two"]),
    st.just(frozenset[int]()),
    st.just(frozenset[int]()),
)
values = st.one_of(members.map(lambda each: each[0]), pointers)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(members, members)
def test_joins_cover_both(one: tuple[Value, int], other: tuple[Value, int]) -> None:
    found = join(one[0], other[0])
    assert covers(found, one[1])
    assert covers(found, other[1])
    for redirect in redirects_in(one[0]) | redirects_in(other[0]):
        assert covers(found, redirect)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(values, values)
@example(frozenset(range(100, 100 + MOST_CONSTANTS)), REDIRECTED)
def test_joins_are_stable(one: Value, other: Value) -> None:
    found = join(one, other)
    assert join(found, one) == found
    assert join(found, other) == found
    for pointer in (each for each in (one, other) if isinstance(each, Pointer)):
        assert isinstance(found, Pointer)
        assert found.kinds & pointer.kinds == pointer.kinds
        assert found.offset in {None, pointer.offset}


def test_a_redirect_outlives_any_number_of_constants() -> None:
    many: Value = 2000
    for each in range(1000, 1000 + 2 * MOST_CONSTANTS):
        many = join(many, each)
    assert isinstance(many, Number)
    assert len(seen_in(many)) == MOST_SEEN
    assert REDIRECTED in seen_in(join(many, REDIRECTED))
    assert REDIRECTED in seen_in(join(REDIRECTED, many))


@settings(deadline=None, derandomize=True, max_examples=150)
@given(values, st.lists(values, min_size=1, max_size=30))
def test_widening_comes_to_an_end(start: Value, others: Iterable[Value]) -> None:
    current, steps = start, 0
    for _ in range(3):
        for each in others:
            joined = join(current, each)
            if joined != current:
                current = widened(current, joined)
                steps += 1
    # Once for the bounds, once for each constant that is remembered, once for each kind and name.
    assert steps <= 2 + MOST_SEEN + len(REDIRECTS) + 6
    assert all(join(current, each) == current for each in others)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(values, values)
def test_widening_covers_what_it_widens(one: Value, other: Value) -> None:
    joined = join(one, other)
    found = widened(one, joined)
    assert seen_in(found) <= seen_in(joined)
    if isinstance(joined, Pointer):
        assert isinstance(found, Pointer)
        assert found.kinds == joined.kinds
    elif joined != one:
        assert found._replace(seen=frozenset()) == UNKNOWN  # type: ignore[union-attr]


# --- the stack --------------------------------------------------------------------------------

orders = st.sampled_from(["little", "big"])
Order = Literal["little", "big"]


@st.composite
def stores(draw: st.DrawFn) -> tuple[int, int, tuple[Value, int]]:
    """(place, bytes, value with the number that is really stored)."""
    size = draw(st.sampled_from([1, 2, 4, 8]))
    place = draw(st.integers(0, (16 - size) // size)) * size - 16
    return place, size, draw(members)


def filled(
    writes: Iterable[tuple[int, int, tuple[Value, int]]], order: Order
) -> tuple[Stack, bytes]:
    """The stack as it is known, and as it is."""
    stack: Stack = {}
    memory = bytearray(16)
    for place, size, (value, member) in writes:
        if size == 8:
            stack[place] = value
        else:
            write_part(stack, place, size, value, order)
        raw = (member & ((1 << 8 * size) - 1)).to_bytes(size, order)
        memory[16 + place : 16 + place + size] = raw
    return stack, bytes(memory)


@settings(deadline=None, derandomize=True, max_examples=266)
@given(st.lists(stores(), min_size=1, max_size=6), orders)
def test_what_is_read_from_a_slot_covers_its_bytes(
    writes: list[tuple[int, int, tuple[Value, int]]], order: Order
) -> None:
    stack, memory = filled(writes, order)
    for size in (1, 2, 4):
        for place in range(-16, 0, size):
            slot = place & ~7
            found = read_part(stack.get(slot), place - slot, size, order)
            really = int.from_bytes(memory[16 + place : 16 + place + size], order)
            assert found is None or covers(found, really)


@settings(deadline=None, derandomize=True, max_examples=166)
@given(
    st.lists(stores(), min_size=1, max_size=4), st.lists(stores(), min_size=1, max_size=4), orders
)
def test_joined_stacks_cover_both(
    one: list[tuple[int, int, tuple[Value, int]]],
    other: list[tuple[int, int, tuple[Value, int]]],
    order: Order,
) -> None:
    (left, first), (right, second) = filled(one, order), filled(other, order)
    state = FrameState([], dict(left))
    state.join_stack(right, UNKNOWN, wide=False)
    for memory in (first, second):
        for slot in (-16, -8):
            assert _covers_bytes(state.stack.get(slot), memory[16 + slot : 24 + slot or 24], order)
    assert not state.join_stack(right, UNKNOWN, wide=False)


def _covers_bytes(held: Held | None, memory: bytes, order: Order) -> bool:
    if held is None:
        return True
    if isinstance(held, Parts):
        return all(
            covers(value, int.from_bytes(memory[at : at + size], order))
            for at, size, value in held.entries
        )
    assert isinstance(held, int | frozenset | Number)
    return covers(held, int.from_bytes(memory, order))


@pytest.mark.parametrize("value", [UNKNOWN, UNKNOWN32, 5, frozenset({1, 2})])
def test_a_member_is_what_the_tests_take_for_one(value: Value) -> None:
    assert covers(value, 5) == (value != frozenset({1, 2}))
    assert not covers(UNKNOWN32, 1 << 32)
    assert not covers(5, REDIRECTED)
    assert not covers(None, 5)
