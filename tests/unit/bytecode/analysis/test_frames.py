"""Slots of the stack: parts of them, what is left in them, what dynptrs stand for."""

import pytest

from skep.bytecode.analysis.frames import (
    Dynptr,
    Escapes,
    FrameState,
    Held,
    Parts,
    Stack,
    bytes_of,
    forget_numbers,
    low_bytes,
    read_part,
    write_part,
)
from skep.bytecode.analysis.values import (
    EVERY_KIND,
    FRAME,
    MASK64,
    OUTER,
    PACKET,
    REDIRECTED,
    UNKNOWN,
    UNKNOWN32,
    Number,
    Pointer,
    Value,
)

PACKET_START = Pointer(PACKET, 0)
OR_NUMBER = PACKET_START._replace(or_number=True)
BYTE = Number(0, 254, 255, 0)


def test_parts_of_a_slot_are_kept_apart() -> None:
    stack: Stack = {}
    write_part(stack, -8, 4, 1, "little")
    write_part(stack, -4, 2, frozenset({2, 3}), "little")
    assert stack[-8] == Parts(((0, 4, 1), (4, 2, frozenset({2, 3}))))
    assert read_part(stack[-8], 0, 4, "little") == 1
    assert read_part(stack[-8], 4, 2, "little") == frozenset({2, 3})
    assert read_part(stack[-8], 6, 2, "little") is None


def test_a_part_takes_the_place_of_what_it_overlaps() -> None:
    stack: Stack = {}
    write_part(stack, -8, 4, 1, "little")
    write_part(stack, -6, 1, 7, "little")
    assert stack[-8] == Parts(((2, 1, 7),))


def test_a_part_of_nothing_known_forgets_what_was_there() -> None:
    stack: Stack = {-8: 5}
    write_part(stack, -8, 4, UNKNOWN, "little")
    assert stack[-8] == Parts(((4, 4, 0),))
    write_part(stack, -4, 4, UNKNOWN, "little")
    assert -8 not in stack


def test_a_part_ends_what_a_pointer_was() -> None:
    # The kernel forgets a spilled pointer whose slot is written to.
    stack: Stack = {-8: PACKET_START, -16: Dynptr(PACKET)}
    write_part(stack, -8, 4, 1, "little")
    write_part(stack, -16, 1, 1, "little")
    assert stack == {-8: Parts(((0, 4, 1),)), -16: Parts(((0, 1, 1),))}


def test_a_part_across_two_slots_forgets_both() -> None:
    stack: Stack = {-8: 1, -16: 2}
    write_part(stack, -10, 4, 3, "little")
    assert stack == {}


@pytest.mark.parametrize(("order", "expected"), [("little", 0x0403), ("big", 0x0304)])
def test_the_order_of_bytes_counts(order: str, expected: int) -> None:
    stack: Stack = {}
    write_part(stack, -8, 1, 3, order)  # type: ignore[arg-type]
    write_part(stack, -7, 1, 4, order)  # type: ignore[arg-type]
    assert read_part(stack[-8], 0, 2, order) == expected  # type: ignore[arg-type]
    assert bytes_of(stack[-8], order)[:3] == [3, 4, None]  # type: ignore[arg-type]


def test_a_constant_is_read_in_parts() -> None:
    assert read_part(0x0807_0605_0403_0201, 2, 2, "little") == 0x0403
    assert read_part(0x0807_0605_0403_0201, 2, 2, "big") == 0x0605
    assert read_part(REDIRECTED, 0, 4, "little") is None
    assert read_part(None, 0, 4, "little") is None
    assert read_part(Dynptr(PACKET), 0, 4, "little") is None


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        pytest.param(MASK64, 1, 0xFF, id="cut"),
        pytest.param(frozenset({0x101, 1}), 1, 1, id="the-same-once-cut"),
        pytest.param(frozenset({2, REDIRECTED}), 4, None, id="redirect"),
        pytest.param(BYTE, 1, BYTE, id="fits"),
        pytest.param(BYTE, 4, BYTE, id="is-zero-extended"),
        pytest.param(UNKNOWN32, 1, None, id="does-not-fit"),
        pytest.param(PACKET_START, 4, None, id="half-a-pointer"),
    ],
)
def test_low_bytes(value: Value, size: int, expected: Value | None) -> None:
    assert low_bytes(value, size) == expected


def test_forgetting_spares_pointers_and_what_lies_outside() -> None:
    stack: Stack = {-8: 1, -16: PACKET_START, -24: Dynptr(PACKET), -32: Parts(((0, 4, 1),)), -40: 2}
    forget_numbers(stack, -28, -1)
    assert stack == {-16: OR_NUMBER, -24: Dynptr(PACKET), -40: 2}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(Dynptr(PACKET), Dynptr(FRAME), Dynptr(PACKET | FRAME), id="two-dynptrs"),
        pytest.param(Dynptr(PACKET), 5, Dynptr(PACKET), id="dynptr-or-number"),
        pytest.param(Parts(((0, 4, 1),)), PACKET_START, OR_NUMBER, id="parts-or-pointer"),
        pytest.param(PACKET_START, Parts(((0, 4, 1),)), OR_NUMBER, id="pointer-or-parts"),
        pytest.param(
            Parts(((0, 4, 1), (4, 4, 7))),
            Parts(((0, 4, 2),)),
            Parts(((0, 4, frozenset({1, 2})),)),
            id="parts",
        ),
        pytest.param(Parts(((0, 4, 1),)), Parts(((0, 2, 1),)), None, id="other-parts"),
        pytest.param(Parts(((0, 4, 1),)), UNKNOWN, None, id="parts-or-unknown"),
    ],
)
def test_slots_of_two_paths(one: Held, other: Held, expected: Held | None) -> None:
    state = FrameState([], {-8: one})
    state.join_stack({-8: other}, UNKNOWN, wide=False)
    assert state.stack.get(-8) == expected


def test_a_pointer_of_one_path_only_is_still_one() -> None:
    state = FrameState([], {})
    assert state.join_stack({-8: PACKET_START, -16: Dynptr(PACKET), -24: 5}, UNKNOWN, wide=False)
    assert state.stack == {-8: OR_NUMBER, -16: Dynptr(PACKET)}


def test_a_slot_that_keeps_changing_becomes_unknown() -> None:
    state = FrameState([], {-8: Parts(((0, 4, 1),)), -16: 1, -24: Dynptr(PACKET)})
    other: Stack = {-8: Parts(((0, 4, 2),)), -16: 2, -24: Dynptr(FRAME)}
    state.join_stack(other, UNKNOWN, wide=True)
    assert isinstance(state.stack[-16], Number)
    assert state.stack[-8] == UNKNOWN
    assert state.stack[-24] == Dynptr(PACKET | FRAME)


class TestEscapes:
    def test_what_nobody_reads_need_not_be_known(self) -> None:
        escapes = Escapes()
        escapes.note(PACKET)
        assert escapes.is_settled()

    def test_what_is_read_covers_what_was_stored_in_the_end(self) -> None:
        escapes = Escapes()
        assert escapes.read() == UNKNOWN
        escapes.note(PACKET)
        assert not escapes.is_settled()
        assert escapes.read() == Pointer(PACKET)
        assert escapes.is_settled()

    def test_more_that_turns_up_later_may_be_anything(self) -> None:
        escapes = Escapes(kinds=PACKET, are_read=True)
        escapes.note(FRAME)
        assert not escapes.is_settled()
        assert escapes.read() == Pointer(EVERY_KIND)
        assert escapes.is_settled()

    def test_a_stack_is_its_callers_for_a_callee(self) -> None:
        escapes = Escapes()
        escapes.note(FRAME)
        assert escapes.found == FRAME | OUTER
