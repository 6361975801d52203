"""Loads and stores: pointers that take unusual ways are still what they are.

Each way was tried on Linux 6.18, whose verifier follows it.
"""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R9,
    R10,
    Listing,
    add,
    alu,
    analysed,
    call,
    confidence,
    copy,
    jump,
    jump_if_equal,
    jump_if_not_equal,
    leave,
    load,
    mov,
    store,
    value_address,
)

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import MapSpec

PACKET_INTO_R2: Listing = [load(4, R2, R1, 0), load(4, R6, R1, 12)]
WRITE_TO_R4: Listing = [mov(R5, 1), store(1, R4, 0, R5)]
EITHER_PLACE: Listing = [  # r3 = r6 == 0 ? r10 - 16 : r10 - 8
    copy(R3, R10),
    jump_if_equal(R6, 0, 2),
    add(R3, -8),
    jump(1),
    add(R3, -16),
]
SPILLED: Listing = [store(8, R10, -8, R2), store(8, R10, -16, R2)]
EXCHANGE, FETCH_AND_ADD, FETCH_AND_OR, COMPARE = 0xE1, 0x01, 0x41, 0xF1


def atomic(what: int, base: int, offset: int, source: int, size: int = 8) -> Instruction:
    return Instruction(0xDB if size == 8 else 0xC3, base, source, offset, what)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param([SPILLED, EITHER_PLACE, load(8, R4, R3, 0)], id="one-of-two-places"),
        pytest.param(
            [SPILLED, mov(R4, 0), atomic(EXCHANGE, R10, -8, R4)], id="exchanged-for-a-number"
        ),
        pytest.param(
            [SPILLED, mov(R4, 0), atomic(FETCH_AND_ADD, R10, -8, R4)], id="fetched-while-adding"
        ),
        pytest.param(
            [SPILLED, mov(R4, 0), atomic(FETCH_AND_OR, R10, -16, R4)], id="fetched-by-another"
        ),
        pytest.param(
            [SPILLED, mov(R0, 0), mov(R4, 0), atomic(COMPARE, R10, -8, R4), copy(R4, R0)],
            id="compared-with-a-number",
        ),
        pytest.param(
            [SPILLED, atomic(0x100, R4, 0, R10)._replace(src=R10, dst=R4, offset=-8)],
            id="load-acquire",
        ),
        pytest.param([atomic(0x110, R10, -8, R2), load(8, R4, R10, -8)], id="store-release"),
        pytest.param(
            [EITHER_PLACE, store(8, R3, 0, R2), load(8, R4, R10, -8)], id="stored-to-one-of-two"
        ),
        pytest.param(
            [
                mov(R9, 0),
                mov(R3, 0),
                jump_if_equal(R6, 0, 2),
                copy(R3, R10),
                mov(R9, 1),
                copy(R4, R2),
                alu(0x1F, R4, source=R3),  # a pointer less a number, or less a pointer
                jump_if_not_equal(R9, 1, 2),
                *leave(2),
            ],
            id="less-nothing-on-this-path",
        ),
        pytest.param([mov(R4, 8), alu(0x0F, R4, source=R2)], id="added-to-a-number"),
    ],
)
def test_a_packet_pointer_is_followed(way: Listing) -> None:
    report = analysed(PACKET_INTO_R2, way, WRITE_TO_R4, leave(2))
    assert confidence(report, "net.modify") in {"declared", "possible"}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param([mov(R4, 0), store(8, R10, -8, R4), load(8, R4, R10, -8)], id="overwritten"),
        pytest.param(
            [SPILLED, mov(R4, 0), store(8, R10, -8, R4), mov(R4, 1), atomic(EXCHANGE, R10, -8, R4)],
            id="a-number-exchanged",
        ),
        pytest.param([copy(R4, R10), add(R4, -8)], id="own-stack"),
    ],
)
def test_what_is_no_packet_pointer_is_none(way: Listing) -> None:
    report = analysed(PACKET_INTO_R2, way, leave(2))
    assert confidence(report, "net.modify") == "excluded"
    assert confidence(report, "net.read") == "excluded"


@pytest.mark.parametrize(
    ("program_type", "permission"),
    [("XDP", "net.read"), ("SCHED_CLS", "net.read"), ("TRACING", "kernel.read_memory")],
)
def test_a_number_that_is_followed_may_be_anything(program_type: str, permission: str) -> None:
    number: Listing = [call(7), load(1, R3, R0, 0), leave(0)]
    report = analysed(*number, program_type=program_type)
    assert confidence(report, permission) == "possible"


def exits(*listing: Listing | Instruction) -> tuple[int, ...] | None:
    return analysed(*listing).program("main").exit_values


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_number_comes_back_from_the_stack(size: int) -> None:
    assert exits([mov(R2, 2), store(size, R10, -8, R2), load(size, R0, R10, -8), EXIT]) == (2,)


@pytest.mark.parametrize(
    ("first", "size", "expected"),
    [
        pytest.param((8, -8), 1, (1,), id="a-byte-of-a-slot"),
        pytest.param((4, -8), 2, (1,), id="half-a-word"),
        pytest.param((4, -6), 2, None, id="not-the-same-bytes"),
    ],
)
def test_parts_overlap(first: tuple[int, int], size: int, expected: tuple[int, ...] | None) -> None:
    listing: Listing = [mov(R2, 1), store(first[0], R10, first[1], R2), load(size, R0, R10, -8)]
    assert exits([*listing, EXIT]) == expected


def test_a_part_that_is_overwritten_is_not_what_it_was() -> None:
    # The attack: the byte that counts is changed by a smaller store.
    listing: Listing = [mov(R2, 2), store(4, R10, -8, R2), mov(R2, 1), store(1, R10, -8, R2)]
    assert exits([*listing, load(4, R0, R10, -8), EXIT]) is None
    assert exits([*listing, load(1, R0, R10, -8), EXIT]) == (1,)


@pytest.mark.parametrize(("opcode", "expected"), [(0x71, 0xFF), (0x91, -1)])
def test_a_sign_is_extended_where_the_load_says_so(opcode: int, expected: int) -> None:
    listing: Listing = [mov(R2, -1), store(1, R10, -8, R2), Instruction(opcode, R0, R10, -8)]
    assert exits([*listing, EXIT]) == (expected,)


def test_a_narrow_atomic_operation_gives_a_number() -> None:
    listing: Listing = [SPILLED, mov(R4, 0), atomic(FETCH_AND_ADD, R10, -8, R4, size=4)]
    report = analysed(PACKET_INTO_R2, listing, copy(R0, R4), EXIT)
    assert confidence(report, "net.modify") == "excluded"


def test_an_atomic_operation_on_a_map_value_keeps_state() -> None:
    data = MapSpec(".bss", 2, 4, 8, 1, data=bytes(8), origin="data")
    listing: Listing = [value_address(R1, ".bss"), mov(R2, 1), atomic(0, R1, 0, R2), leave(2)]
    assert confidence(analysed(*listing, maps=[data]), "data.state") == "declared"
