"""Arithmetic on values that are partly known."""

import pytest

from skep.bytecode.analysis.arithmetic import compute, move
from skep.bytecode.analysis.values import (
    FRAME,
    MASK32,
    MASK64,
    MEMORY,
    PACKET,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
)

ADD, SUB, DIV, OR, AND, LSH, RSH, MOD = 0x00, 0x10, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90
ARSH = 0xC0
PACKET_START = Pointer(PACKET, 0)


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
        pytest.param(AND, UNKNOWN, 0xFF, 64, Number(0, 0xFF, 0xFF, 0), id="eight-bits"),
        pytest.param(
            OR,
            Number(0, MASK64 & ~MASK32, MASK64 & ~MASK32, 0),
            MASK32,
            64,
            Number(MASK32, MASK64, MASK64 & ~MASK32, MASK32),
            id="a-length-above-flags",
        ),
        pytest.param(ADD, Number(1, 30, 31, 0), 2, 64, Number(3, 32, 63, 0), id="a-range"),
        pytest.param(MOD, UNKNOWN, 3, 64, frozenset({0, 1, 2}), id="small-modulo"),
        pytest.param(RSH, UNKNOWN32, 31, 64, frozenset({0, 1}), id="top-bit"),
        pytest.param(
            RSH, UNKNOWN, 31, 64, Number(0, (1 << 33) - 1, (1 << 33) - 1, 0), id="not-the-top-bit"
        ),
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


def test_moves_cut_and_extend() -> None:
    assert move(0x1_0000_0001, 32, 0) == 1
    assert move(0x80, 64, 8) == MASK64 - 0x7F
    assert move(0x80, 32, 8) == 0xFFFF_FF80
    assert move(PACKET_START, 64, 8) == UNKNOWN
    assert move(5, 64, 1) == Pointer(MEMORY)  # into an arena
