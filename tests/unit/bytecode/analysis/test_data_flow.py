"""What the abstract interpreter finds out, seen through reports."""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R10,
    Line,
    Listing,
    Part,
    add,
    analysed,
    call,
    confidence,
    copy,
    function,
    function_address,
    hash_map,
    jump_if_equal,
    jump_if_not_equal,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    mov32,
    object_file,
    one_program,
    store,
    value_address,
    wide,
)

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import ProgramSpec

LOOK_UP: Listing = [
    store(4, R10, -4, R1),
    copy(R2, R10),
    add(R2, -4),
    map_address(R1, "flows"),
    call(1),
]


def exits(*listing: Part, **settings: object) -> tuple[int, ...] | None:
    return analysed(*listing, **settings).program("main").exit_values


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        pytest.param(leave(2), (2,), id="constant"),
        pytest.param(leave(-1), (-1,), id="negative"),
        pytest.param([mov32(R0, -1), EXIT], (-1,), id="negative-32"),
        pytest.param([*wide(R0, 0x1_0000_0002), EXIT], (2,), id="low-half-counts"),
        pytest.param([mov(R0, 1), jump_if_equal(R2, 0, 1), mov(R0, 2), EXIT], (1, 2), id="branch"),
        pytest.param([load(4, R0, R1, 12), EXIT], None, id="from-the-context"),
        pytest.param(
            [load(4, R0, R1, 12), jump_if_equal(R0, 3, 1), mov(R0, 2), EXIT], (2, 3), id="tested"
        ),
        pytest.param(
            [load(4, R0, R1, 12), Instruction(0x57, R0, 0, 0, 1), EXIT], (0, 1), id="masked"
        ),
        pytest.param(
            [mov(R6, 7), store(8, R10, -8, R6), load(8, R0, R10, -8), EXIT], (7,), id="spilled"
        ),
        pytest.param(
            [mov(R6, 7), store(8, R10, -8, R6), store(1, R10, -3, R6), load(8, R0, R10, -8), EXIT],
            None,
            id="spilled-and-overwritten",
        ),
        pytest.param(
            [mov(R0, 0), add(R0, 1), jump_if_not_equal(R0, 3, -2), EXIT], (3,), id="counted-loop"
        ),
        pytest.param(
            [mov(R0, 0), add(R0, 1), jump_if_not_equal(R0, 99, -2), EXIT], (99,), id="long-loop"
        ),
        pytest.param(
            [mov(R0, 1), jump_if_equal(R0, 2, 2), mov(R0, 5), EXIT, mov(R0, 6), EXIT],
            (5,),
            id="never-taken",
        ),
        pytest.param([mov(R0, 4), jump_if_equal(R0, 4, -1)], None, id="never-exits"),
    ],
)
def test_exit_values(listing: list[Line], expected: tuple[int, ...] | None) -> None:
    assert exits(listing) == expected


def test_a_helper_that_may_write_to_the_stack_makes_it_unknown() -> None:
    read_kernel = [copy(R1, R10), add(R1, -8), mov(R2, 8), mov(R3, 0), call(113)]
    listing: Listing = [mov(R6, 2), store(8, R10, -8, R6), *read_kernel, load(8, R0, R10, -8), EXIT]
    assert exits(listing, program_type="TRACING", attach_type="MODIFY_RETURN") is None


def test_a_helper_that_only_reads_leaves_the_stack_alone() -> None:
    listing: Listing = [mov(R6, 2), store(8, R10, -16, R6), LOOK_UP, load(8, R0, R10, -16), EXIT]
    assert exits(*listing, maps=[hash_map()]) == (2,)


def test_a_failed_lookup_is_zero() -> None:
    listing: Listing = [LOOK_UP, jump_if_not_equal(R0, 0, 1), EXIT, mov(R0, 2), EXIT]
    assert exits(*listing, maps=[hash_map()]) == (0, 2)


def test_results_of_local_functions_come_back() -> None:
    others = [function("pick", mov(R0, 1), jump_if_equal(R1, 5, 1), mov(R0, 2), EXIT)]
    assert exits(mov(R1, 5), local("pick"), EXIT, others=others) == (1,)
    assert exits(mov(R1, 6), local("pick"), EXIT, others=others) == (2,)


def test_a_redirect_can_fail_and_its_fallback_is_what_the_flags_say() -> None:
    def redirect(flags: int) -> list[Line]:
        return [map_address(R1, "flows"), mov(R2, 0), mov(R3, flags), call(51), EXIT]

    ports = [hash_map(map_type=14)]
    assert confidence(analysed(redirect(0), maps=ports), "net.drop") == "possible"
    assert confidence(analysed(redirect(2), maps=ports), "net.drop") == "possible"
    assert confidence(analysed(redirect(1), maps=ports), "net.drop") == "declared"


def test_a_redirect_that_is_shifted_to_zero_is_a_drop() -> None:
    # The attack: a value that looks like a redirect, but whose lower half is 0 (aborted).
    listing: Listing = [mov(R1, 1), mov(R2, 0), call(23), Instruction(0x67, R0, 0, 0, 32), EXIT]
    assert confidence(analysed(listing), "net.drop") == "possible"


def test_a_packet_pointer_survives_a_spill_and_a_branch() -> None:
    listing: Listing = [
        load(4, R6, R1, 0),
        store(8, R10, -8, R6),
        jump_if_equal(R3, 0, 1),
        mov(R4, 1),
        load(8, R7, R10, -8),
        load(1, R0, R7, 12),
        leave(2),
    ]
    assert confidence(analysed(*listing), "net.read") == "declared"


def test_a_packet_pointer_in_one_branch_only_is_still_one() -> None:
    listing: Listing = [
        mov(R6, 0),
        jump_if_equal(R3, 0, 1),
        load(4, R6, R1, 0),
        jump_if_equal(R6, 0, 1),
        load(1, R0, R6, 12),
        leave(2),
    ]
    assert confidence(analysed(*listing), "net.read") == "declared"


def test_a_packet_pointer_is_followed_through_a_callers_stack() -> None:
    # The attack: hide the pointer in memory that a subprogram reads.
    listing: Listing = [
        load(4, R6, R1, 0),
        store(8, R10, -8, R6),
        copy(R1, R10),
        add(R1, -8),
        local("reads"),
        leave(2),
    ]
    others = [function("reads", load(8, R2, R1, 0), load(1, R3, R2, 0), leave(0))]
    assert confidence(analysed(*listing, others=others), "net.read") == "declared"


def test_a_packet_pointer_written_by_a_subprogram_cannot_be_excluded() -> None:
    listing: Listing = [
        copy(R2, R10),
        add(R2, -8),
        value_address(R6, "flows"),
        store(8, R10, -8, R6),
        local("fills"),
        load(8, R3, R10, -8),
        store(1, R3, 0, R2),
        leave(2),
    ]
    others = [function("fills", load(4, R3, R1, 0), store(8, R2, 0, R3), leave(0))]
    report = analysed(*listing, others=others, maps=[hash_map()])
    assert confidence(report, "net.modify") == "possible"


def test_a_subprogram_that_gets_the_packet_reads_it() -> None:
    others = [function("reads", load(1, R0, R1, 4), leave(0))]
    report = analysed(load(4, R1, R1, 0), local("reads"), leave(2), others=others)
    assert confidence(report, "net.read") == "declared"


def test_a_subprogram_with_many_sorts_of_arguments_is_still_followed() -> None:
    calls = [line for n in range(30) for line in (mov(R1, n), mov(R2, n), local("reads"))]
    others = [function("reads", load(1, R0, R1, 4), leave(0))]
    listing: Listing = [copy(R6, R1), *calls, load(4, R1, R6, 0), local("reads"), leave(2)]
    report = analysed(*listing, others=others)
    assert confidence(report, "net.read") == "declared"


def test_a_callback_of_a_loop_gets_its_context() -> None:
    listing: Listing = [
        load(4, R3, R1, 0),
        mov(R1, 8),
        function_address(R2, "step"),
        mov(R4, 0),
        call(181),
        leave(2),
    ]
    others = [function("step", load(1, R0, R2, 0), leave(0))]
    assert confidence(analysed(*listing, others=others), "net.read") == "declared"


def test_a_callback_whose_place_is_hidden_may_do_anything() -> None:
    # The attack: the address goes through memory, so nobody sees what it is given.
    listing: Listing = [
        function_address(R6, "step"),
        store(8, R10, -8, R6),
        load(8, R2, R10, -8),
        mov(R1, 8),
        load(4, R3, R1, 0),
        mov(R4, 0),
        call(181),
        leave(2),
    ]
    others = [function("step", load(1, R0, R2, 0), leave(0))]
    report = analysed(*listing, others=others)
    assert confidence(report, "net.read") in {"declared", "possible"}
    assert not report.program("main").is_resolved


def test_the_stack_of_a_chain_of_calls_adds_up() -> None:
    others = [function("deep", store(8, R10, -32, R1), leave(0))]
    listing: Listing = [store(8, R10, -24, R1), local("deep"), leave(2)]
    assert analysed(*listing, others=others).program("main").stack_bytes == 56


def test_a_buffer_on_the_stack_counts_from_its_start() -> None:
    listing: Listing = [copy(R1, R10), add(R1, -64), mov(R2, 8), mov(R3, 0), call(113), leave(0)]
    assert analysed(*listing).program("main").stack_bytes == 64


def test_tail_calls_are_known_by_map_and_index() -> None:
    listing: Listing = [map_address(R2, "jumps"), mov(R3, 0), call(12), leave(2)]
    report = analysed(*listing, maps=[hash_map("jumps", map_type=3)])
    (found,) = report.program("main").tail_calls
    assert (found.map, found.indexes, found.slot) == ("jumps", (0,), 3)


def test_a_tail_call_with_an_unknown_index_says_so() -> None:
    listing: Listing = [load(4, R3, R1, 12), map_address(R2, "jumps"), call(12), leave(2)]
    report = analysed(*listing, maps=[hash_map("jumps", map_type=3)])
    assert report.program("main").tail_calls[0].indexes is None


def test_a_function_that_is_too_long_is_not_resolved_and_excludes_nothing() -> None:
    report = analysed([mov(R6, 1)] * 60_001, leave(2))
    program = report.program("main")
    assert not program.is_resolved
    assert program.exit_values is None
    assert confidence(report, "net.drop") == "possible"
    assert confidence(report, "net.read") == "possible"
    assert any("too complex" in remark for remark in report.remarks)


def test_without_data_flow_nothing_is_excluded() -> None:
    report = analyse(one_program(leave(2)), data_flow=False)
    assert confidence(report, "net.drop") == "possible"
    assert confidence(report, "net.modify") == "possible"
    assert report.program("main").exit_values is None


def test_recursion_ends_and_is_remarked() -> None:
    others = [function("again", local("again"), EXIT)]
    report = analysed(local("again"), EXIT, others=others)
    assert confidence(report, "net.drop") == "possible"
    assert any("call themselves" in remark for remark in report.remarks)


def test_deep_chains_of_calls_end() -> None:
    others = [function(f"f{n}", local(f"f{n + 1}"), EXIT) for n in range(500)]
    report = analysed(local("f0"), EXIT, others=[*others, function("f500", leave(2))])
    assert not report.program("main").is_resolved
    assert report.program("main").functions[-1] == "f500"


def test_exponentially_many_ways_to_call_end() -> None:
    def twice(name: str, callee: str) -> list[Line]:
        calls: list[Line] = []
        for value in (1, 2):
            calls += [copy(R6, R1), Instruction(0x67, R1, 0, 0, 1), add(R1, value), local(callee)]
        return calls

    others = [function(f"f{n}", twice(f"f{n}", f"f{n + 1}"), leave(0)) for n in range(14)]
    report = analysed(
        mov(R1, 1), local("f0"), leave(2), others=[*others, function("f14", leave(0))]
    )
    assert report.program("main").exit_values == (2,)


def test_a_thrown_exception_may_exit_with_anything() -> None:
    report = analysed(load(4, R1, R1, 12), kernel_call("bpf_throw"), leave(2))
    assert confidence(report, "net.drop") == "possible"


def test_two_programs_share_functions_but_not_contexts() -> None:
    shared = function("shared", load(4, R2, R1, 76), load(1, R0, R2, 0), leave(0))
    objects = object_file(
        [
            function("a", local("shared"), leave(0), section="perf_event"),
            function("b", local("shared"), leave(0), section="tc"),
            shared,
        ],
        [ProgramSpec("a", "perf_event", "PERF_EVENT"), ProgramSpec("b", "tc", "SCHED_CLS")],
    )
    report = analyse(objects)
    found = {
        program.name: {each.id: each.confidence for each in program.permissions}.get("net.read")
        for program in report.programs
    }
    # No kernel accepts a: offset 76 of its context holds no pointer, and it has no packet.
    assert found == {"a": None, "b": "declared"}


def test_a_tail_call_in_a_function_returns_what_another_program_says() -> None:
    # The attack: code that runs only if a function gives what it never gives by itself.
    callee = function("f", map_address(R2, "flows"), mov(R3, 0), call(12), leave(0))
    listing: Listing = [local("f"), jump_if_equal(R0, 0, 2), leave(1), leave(2)]
    report = analysed(*listing, others=[callee], maps=[hash_map(map_type=3)])
    assert confidence(report, "net.drop") == "declared"


def test_a_tail_call_of_the_program_itself_adds_no_verdict() -> None:
    listing: Listing = [map_address(R2, "flows"), mov(R3, 0), call(12), leave(2)]
    assert exits(*listing, maps=[hash_map(map_type=3)]) == (2,)
