"""What maps, instructions and stack cost."""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    Listing,
    analysed,
    function,
    hash_map,
    jump_if_equal,
    leave,
    local,
    mov,
    wide,
)

from skep.bytecode.analysis.cost import MOST_BYTES, map_cost
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.model import MapSpec


@pytest.mark.parametrize(
    ("map_type", "sizes", "expected"),
    [
        pytest.param(2, (4, 12, 10), (160, 0, "estimate"), id="array"),
        pytest.param(1, (4, 8, 1000), (1000 * 64 + 16 * 1024, 0, "estimate"), id="hash"),
        pytest.param(9, (6, 2, 1024), (1024 * 64 + 16 * 1024, 0, "estimate"), id="lru-hash"),
        pytest.param(6, (4, 8, 5), (40, 40, "estimate"), id="percpu-array"),
        pytest.param(5, (4, 8, 16), (16 * 64 + 16 * 16, 128, "estimate"), id="percpu-hash"),
        pytest.param(27, (0, 0, 4096), (4096 + 13 * 1024, 0, "estimate"), id="ring"),
        pytest.param(7, (4, 1016, 10), (10480, 0, "estimate"), id="stack-trace"),
        pytest.param(22, (0, 8, 9), (80, 0, "estimate"), id="queue"),
        pytest.param(14, (4, 4, 64), (888, 0, "estimate"), id="devmap"),
        pytest.param(4, (4, 4, 0), (376, 8, "estimate"), id="events-for-each-cpu"),
        pytest.param(11, (8, 4, 100), (4800, 0, "at most"), id="trie"),
        pytest.param(33, (0, 0, 100), (409600, 0, "at most"), id="arena"),
        pytest.param(30, (0, 4, 100), (0, 0, "unknown"), id="bloom-filter"),
        pytest.param(999, (4, 4, 100), (0, 0, "unknown"), id="unknown-type"),
    ],
)
def test_memory_of_maps(
    map_type: int, sizes: tuple[int, int, int], expected: tuple[int, int, str]
) -> None:
    cost = map_cost(MapSpec("m", map_type, *sizes))
    assert (cost.bytes, cost.bytes_per_cpu, cost.accuracy) == expected


def test_a_hash_that_is_not_allocated_at_once_costs_at_most_that() -> None:
    assert map_cost(MapSpec("m", 1, 4, 8, 1000, flags=1)).accuracy == "at most"


def test_maps_add_up() -> None:
    cost = analysed(leave(2), maps=[hash_map("a"), hash_map("b", map_type=6)]).cost
    assert [each.name for each in cost.maps] == ["a", "b"]
    assert cost.map_bytes == sum(each.bytes for each in cost.maps)
    assert cost.map_bytes_per_cpu == 16 * 8


def test_sizes_nobody_could_allocate_still_fit_into_a_report() -> None:
    huge = MapSpec("m", 1, 4, (1 << 32) - 1, (1 << 32) - 1)
    assert map_cost(huge).bytes == MOST_BYTES
    report = analysed(leave(2), maps=[huge, huge])
    assert AnalysisReport.from_bytes(report.to_bytes()) == report


def test_the_longest_path_takes_the_longer_branch_and_its_calls() -> None:
    others = [function("five", [mov(R0, 0)] * 4, EXIT)]
    listing: Listing = [jump_if_equal(R1, 0, 2), mov(R0, 1), local("five"), mov(R0, 2), EXIT]
    program = analysed(*listing, others=others).program("main")
    assert program.longest_path == 1 + 2 + 5 + 2
    assert program.reachable_instructions == 10


def test_a_wide_load_is_one_instruction_in_two_slots() -> None:
    program = analysed(wide(R0, 1), EXIT).program("main")
    assert (program.longest_path, program.instructions) == (2, 3)


def test_a_loop_has_no_longest_path() -> None:
    assert analysed(mov(R0, 0), jump_if_equal(R1, 0, -2), EXIT).cost.longest_path is None
