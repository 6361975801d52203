"""What conditional jumps tell."""

from skep.bytecode.analysis.branching import MIRRORED, split
from skep.bytecode.analysis.values import (
    MASK64,
    PACKET,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
    number,
    seen_in,
)

EQ, GT, SET, NE, SGT, LT, SLT = 0x10, 0x20, 0x40, 0x50, 0x60, 0xA0, 0xC0
PACKET_START = Pointer(PACKET, 0)


def test_a_branch_divides_constants() -> None:
    assert split(GT, frozenset({1, 2, 3}), 2, 64) == (frozenset({1, 2}), 3)
    assert split(EQ, 5, 5, 64) == (None, 5)
    assert split(SLT, MASK64, 0, 64) == (None, MASK64)


def test_equality_tells_what_an_unknown_is() -> None:
    assert split(EQ, UNKNOWN, 7, 64) == (UNKNOWN, 7)
    assert split(NE, UNKNOWN, 7, 64) == (7, UNKNOWN)
    assert split(EQ, PACKET_START, 0, 64) == (PACKET_START, 0)


def test_half_an_equality_tells_nothing_about_the_upper_half() -> None:
    assert split(EQ, UNKNOWN, 0, 32) == (UNKNOWN, UNKNOWN)
    assert split(EQ, UNKNOWN32, 0, 32) == (UNKNOWN32._replace(low=1), 0)


def test_a_bound_leaves_a_few_numbers() -> None:
    # if (action > 2) action = 2;
    assert split(GT, UNKNOWN, 2, 64)[0] == frozenset({0, 1, 2})
    assert split(LT, UNKNOWN32, 3, 32)[1] == frozenset({0, 1, 2})


def test_a_signed_bound_is_exact_where_one_side_of_zero_answers() -> None:
    rest, taken = split(SLT, UNKNOWN32, 0, 32)
    assert rest == number(0, (1 << 31) - 1, (1 << 32) - 1, 0)
    assert taken == number(1 << 31, (1 << 32) - 1, (1 << 32) - 1, 0)
    assert split(SGT, UNKNOWN32, 2, 32)[0] == UNKNOWN32


def test_a_bound_that_nothing_meets_is_never_taken() -> None:
    small = number(3, 100, MASK64, 0)
    assert small is not None
    assert split(GT, small, 200, 64) == (small, None)
    assert split(EQ, small, 2, 64) == (small, None)


def test_a_bit_that_is_not_set_is_known() -> None:
    rest, _ = split(SET, UNKNOWN, 1, 64)
    assert isinstance(rest, Number)
    assert not (rest.free | rest.bits) & 1


def test_what_a_path_was_seen_to_give_is_tested_too() -> None:
    value: Value = UNKNOWN._replace(seen=frozenset({1, 9, REDIRECTED}))
    rest, taken = split(GT, value, 4, 64)
    assert rest == frozenset({0, 1, 2, 3, 4, REDIRECTED})
    assert taken is not None
    assert seen_in(taken) == frozenset({9, REDIRECTED})


def test_a_pointer_that_is_equal_to_an_address_stays_one() -> None:
    # The attack: compare with the address of the packet, and what follows is a number.
    address = 0xFFFF_8880_0000_1000
    assert split(EQ, PACKET_START, address, 64) == (PACKET_START, PACKET_START)
    assert split(NE, PACKET_START, address, 64) == (PACKET_START, PACKET_START)
    assert split(EQ, PACKET_START, MASK64 - 1, 64) == (PACKET_START, MASK64 - 1)  # an error


def test_a_redirect_goes_both_ways_whatever_the_bounds_say() -> None:
    negative = Number(1 << 63, MASK64, (1 << 63) - 1, 1 << 63, frozenset({REDIRECTED}))
    assert split(SGT, negative, 0, 64) == (negative, REDIRECTED)
    even = Number(8, 63, 55, 8, frozenset({REDIRECTED}))
    assert split(SET, even, 8, 64) == (REDIRECTED, even)


def test_sides_of_a_comparison_are_exchanged_both_ways() -> None:
    assert all(MIRRORED[MIRRORED[each]] == each for each in MIRRORED)
    assert MIRRORED[GT] == LT
    assert EQ not in MIRRORED
