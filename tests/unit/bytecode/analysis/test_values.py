"""Values: joins and widening."""

import pytest

from skep.bytecode.analysis.values import (
    ANYTHING,
    MAP_VALUE,
    MASK32,
    MASK64,
    PACKET,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
    join,
    names_of,
    number,
    seen_in,
    widened,
)

PACKET_START = Pointer(PACKET, 0)
ONE = frozenset({1})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(1, 2, frozenset({1, 2}), id="constants"),
        pytest.param(1, UNKNOWN, UNKNOWN._replace(seen=ONE), id="constant-and-unknown"),
        pytest.param(1, UNKNOWN32, UNKNOWN32._replace(seen=ONE), id="small-constant"),
        pytest.param(
            1 << 32,
            UNKNOWN32,
            Number(0, 1 << 32, (1 << 33) - 1, 0, frozenset({1 << 32})),
            id="large-constant",
        ),
        pytest.param(
            PACKET_START, 0, PACKET_START._replace(seen=frozenset({0})), id="pointer-or-null"
        ),
        pytest.param(
            PACKET_START, UNKNOWN, PACKET_START._replace(or_number=True), id="pointer-or-number"
        ),
        pytest.param(PACKET_START, 0, PACKET_START._replace(seen=frozenset({0})), id="or-null"),
        pytest.param(PACKET_START, Pointer(PACKET, 8), Pointer(PACKET), id="two-offsets"),
        pytest.param(
            PACKET_START, Pointer(MAP_VALUE, 0, "m"), Pointer(PACKET | MAP_VALUE), id="two-kinds"
        ),
        pytest.param(
            Pointer(MAP_VALUE, 0, "a"),
            Pointer(MAP_VALUE, 0, "b"),
            Pointer(MAP_VALUE, 0, "a\0b"),
            id="maps",
        ),
        pytest.param(PACKET_START, ANYTHING, ANYTHING, id="anything"),
    ],
)
def test_joins(one: Value, other: Value, expected: Value) -> None:
    assert join(one, other) == expected
    assert join(other, one) == expected


def test_seventeen_constants_are_a_range() -> None:
    sixteen: Value = frozenset(range(16))
    assert join(sixteen, 5) == sixteen
    joined = join(sixteen, 16)
    assert isinstance(joined, Number)
    assert (joined.low, joined.high) == (0, 16)


def test_a_constant_of_one_path_is_remembered_beside_what_is_unknown() -> None:
    assert seen_in(join(join(UNKNOWN, 2), REDIRECTED)) == frozenset({2, REDIRECTED})


def test_remembering_constants_comes_to_an_end() -> None:
    value: Value = UNKNOWN
    seen = []
    for each in range(100):
        value = join(value, each)
        seen.append(seen_in(value))
    assert seen[-1] == seen[-50]
    assert len(seen[-1]) <= 8


def test_a_pointer_may_be_one_of_a_few_maps_and_then_of_any() -> None:
    value: Value = Pointer(MAP_VALUE, 0, "a")
    for name in "bcd":
        value = join(value, Pointer(MAP_VALUE, 0, name))
    assert isinstance(value, Pointer)
    assert names_of(value) == ("a", "b", "c", "d")
    assert join(value, Pointer(MAP_VALUE, 0, "e")) == Pointer(MAP_VALUE, 0)


def test_bounds_and_bits_narrow_each_other() -> None:
    assert number(0, 2, MASK64, 0) == frozenset({0, 1, 2})
    assert number(5, 5, MASK64, 0) == 5
    assert number(0, MASK64, 0xF0, 0) == frozenset(range(0, 0x100, 0x10))
    assert number(4, MASK32, 3, 0) is None


def test_widening_forgets_what_grows() -> None:
    assert widened(1, frozenset({1, 2})) == UNKNOWN._replace(seen=frozenset({1, 2}))
    assert widened(PACKET_START, Pointer(PACKET, 4)) == Pointer(PACKET)
    assert widened(1, 1) == 1
