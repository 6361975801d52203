"""Values: joins, arithmetic, branches."""

import pytest

from skep.bytecode.analysis.values import (
    ANYTHING,
    FRAME,
    MAP_VALUE,
    MASK64,
    PACKET,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Pointer,
    Value,
    compute,
    join,
    move,
    split,
    widened,
)

ADD, SUB, DIV, AND, LSH, RSH, MOD, ARSH = 0x00, 0x10, 0x30, 0x50, 0x60, 0x70, 0x90, 0xC0
EQ, GT, NE, SLT = 0x10, 0x20, 0x50, 0xC0
PACKET_START = Pointer(PACKET, 0)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(1, 2, frozenset({1, 2}), id="constants"),
        pytest.param(1, UNKNOWN, UNKNOWN, id="constant-and-unknown"),
        pytest.param(1, UNKNOWN32, UNKNOWN32, id="small-constant"),
        pytest.param(1 << 32, UNKNOWN32, UNKNOWN, id="large-constant"),
        pytest.param(PACKET_START, 0, PACKET_START, id="pointer-or-null"),
        pytest.param(PACKET_START, UNKNOWN, PACKET_START, id="pointer-or-number"),
        pytest.param(PACKET_START, Pointer(PACKET, 8), Pointer(PACKET), id="two-offsets"),
        pytest.param(
            PACKET_START, Pointer(MAP_VALUE, 0, "m"), Pointer(PACKET | MAP_VALUE), id="two-kinds"
        ),
        pytest.param(
            Pointer(MAP_VALUE, 0, "a"), Pointer(MAP_VALUE, 0, "b"), Pointer(MAP_VALUE, 0), id="maps"
        ),
        pytest.param(PACKET_START, ANYTHING, ANYTHING, id="anything"),
    ],
)
def test_joins(one: Value, other: Value, expected: Value) -> None:
    assert join(one, other) == expected
    assert join(other, one) == expected


def test_seventeen_constants_are_unknown() -> None:
    sixteen: Value = frozenset(range(16))
    assert join(sixteen, 5) == sixteen
    assert join(sixteen, 16) == UNKNOWN32


@pytest.mark.parametrize(
    ("operation", "one", "other", "bits", "expected"),
    [
        pytest.param(ADD, 1, 2, 64, 3, id="add"),
        pytest.param(ADD, MASK64, 1, 64, 0, id="wraps-at-64"),
        pytest.param(SUB, 0, 1, 32, 0xFFFF_FFFF, id="wraps-at-32"),
        pytest.param(DIV, 5, 0, 64, 0, id="division-by-zero"),
        pytest.param(MOD, 5, 0, 64, 5, id="modulo-by-zero"),
        pytest.param(ARSH, 1 << 63, 63, 64, MASK64, id="arithmetic-shift"),
        pytest.param(ADD, frozenset({1, 2}), 1, 64, frozenset({2, 3}), id="a-set"),
        pytest.param(AND, UNKNOWN, 1, 64, frozenset({0, 1}), id="one-bit"),
        pytest.param(AND, UNKNOWN, 0xFF, 64, UNKNOWN32, id="eight-bits"),
        pytest.param(MOD, UNKNOWN, 3, 64, frozenset({0, 1, 2}), id="small-modulo"),
        pytest.param(RSH, UNKNOWN32, 31, 64, frozenset({0, 1}), id="top-bit"),
        pytest.param(RSH, UNKNOWN, 31, 64, UNKNOWN, id="not-the-top-bit"),
        pytest.param(ADD, Pointer(FRAME, 0), MASK64 - 7, 64, Pointer(FRAME, -8), id="down-stack"),
        pytest.param(ADD, 4, PACKET_START, 64, Pointer(PACKET, 4), id="number-plus-pointer"),
        pytest.param(ADD, PACKET_START, UNKNOWN, 64, Pointer(PACKET), id="unknown-distance"),
        pytest.param(SUB, PACKET_START, PACKET_START, 64, UNKNOWN, id="distance-of-pointers"),
        pytest.param(ADD, PACKET_START, 4, 32, UNKNOWN32, id="half-a-pointer"),
        pytest.param(0x20, PACKET_START, 4, 64, UNKNOWN, id="multiplied-pointer"),
    ],
)
def test_arithmetic(operation: int, one: Value, other: Value, bits: int, expected: Value) -> None:
    assert compute(operation, one, other, bits) == expected


def test_too_many_results_are_unknown_in_all_their_bits() -> None:
    # The attack: the first results are small, the last one is not, and enumeration stops early.
    one: Value = frozenset(range(16))
    other: Value = frozenset({*range(0, 240, 16), 1 << 60})
    assert compute(ADD, one, other, 64) == UNKNOWN


def test_a_redirect_survives_sign_extension_and_nothing_else() -> None:
    shifted = compute(LSH, frozenset({REDIRECTED, 2}), 32, 64)
    assert compute(ARSH, shifted, 32, 64) == frozenset({REDIRECTED, 2})
    assert compute(LSH, REDIRECTED, 1, 64) == UNKNOWN
    assert compute(ADD, REDIRECTED, 1, 64) == UNKNOWN
    assert compute(ADD, 1, REDIRECTED, 64) == UNKNOWN
    assert move(REDIRECTED, 32, 0) == REDIRECTED


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
    assert split(EQ, UNKNOWN32, 0, 32) == (UNKNOWN32, 0)


def test_moves_cut_and_extend() -> None:
    assert move(0x1_0000_0001, 32, 0) == 1
    assert move(0x80, 64, 8) == MASK64 - 0x7F
    assert move(0x80, 32, 8) == 0xFFFF_FF80
    assert move(PACKET_START, 64, 8) == UNKNOWN
    assert move(5, 64, 1) == UNKNOWN  # between address spaces


def test_widening_forgets_what_grows() -> None:
    assert widened(1, frozenset({1, 2})) == UNKNOWN
    assert widened(PACKET_START, Pointer(PACKET, 4)) == Pointer(PACKET)
    assert widened(1, 1) == 1
