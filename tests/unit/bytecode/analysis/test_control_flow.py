"""Blocks, reachability, call graphs."""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    call,
    function,
    function_address,
    jump,
    jump_if_equal,
    leave,
    local,
    mov,
    wide,
)

from skep.bytecode.analysis.control_flow import Flows, flow_of
from skep.bytecode.isa.codes import CALL
from skep.bytecode.isa.instructions import Instruction


def test_a_branch_makes_three_blocks_with_the_fall_through_first() -> None:
    flow = flow_of(function("f", jump_if_equal(R1, 0, 1), mov(R0, 1), EXIT))
    assert {start: block.successors for start, block in flow.blocks.items()} == {
        0: (1, 2),
        1: (2,),
        2: (),
    }


def test_code_behind_an_unconditional_jump_is_not_reached() -> None:
    flow = flow_of(function("f", mov(R0, 2), jump(1), call(36), EXIT))
    assert flow.call_slots == ()
    assert flow.instructions == 3


def test_reached_slots_are_ranges_without_the_code_nothing_reaches() -> None:
    flow = flow_of(function("f", mov(R0, 2), jump(1), call(36), jump_if_equal(R1, 0, 0), EXIT))
    assert flow.reached() == [(0, 2), (3, 5)]
    assert flow.opcodes[2] == CALL


def test_a_loop_is_one_back_edge() -> None:
    flow = flow_of(function("f", mov(R0, 0), jump_if_equal(R1, 0, -2), EXIT))
    assert flow.back_edges == ((1, 0),)


def test_a_jump_backwards_that_closes_nothing_is_no_loop() -> None:
    # 0: goto 3; 1: r0 = 2; 2: exit; 3: goto 1
    flow = flow_of(function("f", jump(2), mov(R0, 2), EXIT, jump(-3)))
    assert flow.back_edges == ()
    assert len(flow.blocks) == 3


def test_a_long_jump_takes_its_distance_from_the_immediate() -> None:
    flow = flow_of(function("f", Instruction(0x06, 0, 0, 0, 1), call(36), *leave(2)))
    assert flow.call_slots == ()


def test_the_second_half_of_a_wide_load_is_no_instruction() -> None:
    flow = flow_of(function("f", wide(R0, 0x9500000000), EXIT))
    assert flow.instructions == 2
    assert not flow.leaves_function


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param([mov(R0, 2)], id="falls-off-the-end"),
        pytest.param([jump(5), EXIT], id="jumps-behind-the-end"),
        pytest.param([jump(-9), EXIT], id="jumps-before-the-start"),
        pytest.param([Instruction(0x18, R0)], id="half-a-wide-load"),
        pytest.param([jump_if_equal(R1, 0, 1), *wide(R0, 1), EXIT], id="into-a-wide-load"),
        pytest.param([], id="nothing"),
    ],
)
def test_a_way_out_of_the_function_is_noticed(listing: list[Instruction]) -> None:
    assert flow_of(function("f", listing)).leaves_function


def test_a_way_out_in_dead_code_is_no_way_out() -> None:
    assert not flow_of(function("f", EXIT, jump(100))).leaves_function


def test_an_indirect_jump_makes_everything_reachable() -> None:
    flow = flow_of(function("f", Instruction(0x0D, R1), call(36), EXIT))
    assert flow.has_indirect_jumps
    assert flow.call_slots == (1,)


def test_the_graph_follows_calls_and_callbacks_from_reachable_code_only() -> None:
    flows = Flows(
        [
            function("main", local("a"), function_address(R1, "b"), *leave(0), local("dead")),
            function("a", local("c"), EXIT),
            function("b", EXIT),
            function("c", EXIT),
            function("dead", EXIT),
        ]
    )
    graph = flows.graph("main")
    assert [flow.function.name for flow in graph.functions] == ["main", "a", "b", "c"]
    assert not graph.recursive


def test_a_callback_in_dead_code_is_not_followed() -> None:
    flows = Flows([function("main", *leave(0), function_address(R1, "b")), function("b", EXIT)])
    assert [flow.function.name for flow in flows.graph("main").functions] == ["main"]


def test_recursion_and_missing_functions_are_said() -> None:
    flows = Flows([function("main", local("a"), EXIT), function("a", local("main"), local("no"))])
    graph = flows.graph("main")
    assert graph.recursive
    assert graph.missing == ("no",)


def test_a_very_long_chain_of_calls_is_no_problem() -> None:
    count = 3000
    functions = [function(f"f{n}", local(f"f{n + 1}"), EXIT) for n in range(count)]
    graph = Flows([*functions, function(f"f{count}", EXIT)]).graph("f0")
    assert len(graph.functions) == count + 1
