"""From an exit back to the instructions that wrote its value."""

import time

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R6,
    Part,
    call,
    copy,
    function,
    jump,
    jump_if_equal,
    jump_if_not_equal,
    load,
    mov,
    mov32,
    wide,
)

from skep.bytecode.analysis.control_flow import flow_of
from skep.bytecode.analysis.exit_origins import ExitOrigins
from skep.bytecode.isa.instructions import Instruction

Found = set[tuple[str, int, int]]


def origins(*listing: Part, changed: frozenset[int] = frozenset()) -> Found:
    """Of the last exit."""
    flow = flow_of(function("main", *listing, section="xdp"))
    exits = [s for s, each in enumerate(flow.function.instructions) if each.opcode == EXIT.opcode]
    walk = ExitOrigins(flow, set(flow.blocks), changed)
    return {(each.kind, each.slot, each.number) for each in walk.of(exits[-1])}


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        pytest.param([mov(R0, 7), EXIT], {("constant", 0, 7)}, id="move"),
        pytest.param([mov32(R0, -1), EXIT], {("constant", 0, -1)}, id="move-of-32-bits"),
        pytest.param([wide(R0, 0xFFFF_FFFF), EXIT], {("constant", 0, -1)}, id="wide"),
        pytest.param([mov(R6, 3), copy(R0, R6), EXIT], {("constant", 0, 3)}, id="copy"),
        pytest.param([load(8, R0, R1, 16), EXIT], {("context", 0, 16)}, id="context"),
        pytest.param(
            [copy(R6, R1), call(5), load(4, R0, R6, 8), EXIT], {("context", 2, 8)}, id="kept"
        ),
        pytest.param([copy(R0, R1), EXIT], {("entry", 0, 0)}, id="the-context-itself"),
        pytest.param([mov(R0, 1), call(5), EXIT], {("anything", 1, 0)}, id="result"),
        pytest.param([load(8, R0, R2, 0), EXIT], {("anything", 0, 0)}, id="another-pointer"),
        pytest.param([load(2, R0, R1, 0), EXIT], {("anything", 0, 0)}, id="part-of-a-field"),
        pytest.param([mov(R0, 1), Instruction(0x30), EXIT], {("anything", 1, 0)}, id="packet"),
        pytest.param(
            [mov(R0, 1), Instruction(0xDB, R1, R0, 0, 1), EXIT], {("anything", 1, 0)}, id="atomic"
        ),
        pytest.param(
            [mov(R0, 1), Instruction(0xBF, R0, R0, 8), EXIT], {("anything", 1, 0)}, id="one-byte"
        ),
    ],
)
def test_one_path(listing: list[Part], expected: Found) -> None:
    assert origins(*listing) == expected


def test_paths_are_kept_apart() -> None:
    listing = [load(8, R0, R1, 8), jump_if_not_equal(R0, 0, 1), mov(R0, -1), EXIT]
    assert origins(*listing) == {("context", 0, 8), ("constant", 2, -1)}


def test_what_a_path_overwrites_does_not_arrive() -> None:
    listing = [mov(R0, 5), jump_if_equal(R1, 0, 1), mov(R0, 6), mov(R2, 0), mov(R0, 7), EXIT]
    assert origins(*listing) == {("constant", 4, 7)}


def test_loops_come_to_an_end() -> None:
    listing = [mov(R0, 1), mov(R2, 3), Instruction(0x07, R2, 0, 0, -1),
               jump_if_not_equal(R2, 0, -2), EXIT]  # fmt: skip
    assert origins(*listing) == {("constant", 0, 1)}


def test_a_context_that_is_walked_in_a_loop_is_none() -> None:
    listing = [load(8, R1, R1, 8), jump_if_not_equal(R1, 0, -2), load(8, R0, R1, 8), EXIT]
    assert origins(*listing) == {("anything", 2, 0)}


def test_what_a_loader_changes_may_be_anything() -> None:
    assert origins(mov(R0, 7), EXIT, changed=frozenset({0})) == {("anything", 0, 0)}


def test_many_exits_of_a_long_function_are_given_up_in_time() -> None:
    # The attack: exits far behind the only write, so that each is walked in full.
    middle = [copy(R2, R2)] * 3_000
    exits = [part for _ in range(3_000) for part in (jump_if_equal(R2, 0, 1), EXIT)]
    flow = flow_of(function("main", mov(R0, 1), *middle, *exits, jump(0), EXIT, section="xdp"))
    walk = ExitOrigins(flow, set(flow.blocks), frozenset())
    begun = time.process_time()  # of this process alone: others may be at work
    found = [
        walk.of(slot)
        for slot, each in enumerate(flow.function.instructions)
        if each.opcode == EXIT.opcode
    ]
    assert time.process_time() - begun < 20  # minutes, if each is walked in full
    assert {each.kind for each in found[0]} == {"constant"}
    assert {each.kind for each in found[-1]} == {"anything"}
