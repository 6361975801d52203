"""What a chain reads off the functions of its members."""

from dataclasses import replace

import pytest
from tests.builders.members import member

from skep.bytecode.analysis.control_flow import Block
from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import KernelName, LinePlace
from skep.chains.functions import (
    blocks_of,
    ends_chain_by_tail_call,
    entry_slots,
    fixpoint,
    function_ranges,
    kernel_function_names,
    moved_lines,
)

EXIT = Slot(0x95)
TAIL_CALL, SUBPROGRAM = Slot(0x85, 0, 0, 0, 12), Slot(0x85, 0, 1, 0, 1)


@pytest.mark.parametrize(
    ("code", "subprograms", "expected"),
    [
        pytest.param([TAIL_CALL, EXIT], (0,), True, id="entry"),
        pytest.param([Slot(0xB7), EXIT], (0,), False, id="none"),
        pytest.param([SUBPROGRAM, EXIT, TAIL_CALL, EXIT], (0, 2), False, id="subprogram"),
        pytest.param([Slot(0x05, 0, 0, 1), TAIL_CALL, EXIT], (0,), False, id="unreached"),
        pytest.param([Slot(0x85, 0, 0, 0, 11), EXIT], (0,), False, id="another-helper"),
        pytest.param([Slot(0x86, 0, 0, 0, 12), EXIT], (0,), False, id="no-call"),
        pytest.param([Slot(0x15, 1, 0, 1), EXIT, TAIL_CALL, EXIT], (0,), True, id="later-block"),
        pytest.param(
            [Slot(0x18, 1, 0, 0, 1), Slot(0x85, 0, 0, 0, 12), EXIT], (0,), False, id="second-half"
        ),
        pytest.param([Slot(0x85, 0, 2, 0, 12), EXIT], (0,), False, id="kernel-function-12"),
        pytest.param(
            [Slot(0x18, 1, 0, 0, 1), Slot(0x85 & 0, 0, 0, 0, 12), EXIT], (0,), False, id="number"
        ),
    ],
)
def test_a_tail_call_in_the_entry_may_end_the_chain(
    code: list[Slot], subprograms: tuple[int, ...], *, expected: bool
) -> None:
    program = member("a", code, subprograms=subprograms).program
    assert ends_chain_by_tail_call(program) is expected


def test_lines_follow_their_instructions_and_go_with_them() -> None:
    lines = (LinePlace(0, 1, 2, 3), LinePlace(2, 1, 5, 6), LinePlace(4, 1, 8, 9))
    assert moved_lines(lines, {0: 3, 4: 9}) == (LinePlace(3, 1, 2, 3), LinePlace(9, 1, 8, 9))


def test_functions_begin_where_the_last_one_ends() -> None:
    program = member("a", [EXIT] * 7, subprograms=(0, 2, 5)).program
    assert entry_slots(program) == 2
    assert function_ranges(program) == (range(2), range(2, 5), range(5, 7))
    alone = member("a", [EXIT] * 3).program
    assert entry_slots(alone) == 3
    assert function_ranges(alone) == (range(3),)


@pytest.mark.parametrize(
    ("name", "call", "expected"),
    [
        pytest.param(KernelName(1, "function", "f", 7), Slot(0x85, 0, 2, 0, 7), {1: "f"}, id="it"),
        pytest.param(KernelName(1, "variable", "f", 7), Slot(0x85, 0, 2, 0, 7), {}, id="variable"),
        pytest.param(KernelName(1, "function", "f", 8), Slot(0x85, 0, 2, 0, 7), {}, id="number"),
        pytest.param(KernelName(1, "function", "f", 7), Slot(0x85, 0, 1, 0, 7), {}, id="own"),
        pytest.param(KernelName(1, "function", "f", 7), Slot(0x85, 0, 2, 1, 7), {}, id="module"),
        pytest.param(KernelName(1, "function", "f", 7), Slot(0x8D, 0, 2, 0, 7), {}, id="no-call"),
        pytest.param(KernelName(0, "function", "f", 7), Slot(0x85, 0, 2, 0, 7), {}, id="slot"),
        pytest.param(KernelName(3, "function", "f", 7), Slot(0x85, 0, 2, 0, 7), {}, id="behind"),
        pytest.param(KernelName(-2, "function", "f", 7), Slot(0x85, 0, 2, 0, 7), {}, id="negative"),
    ],
)
def test_a_name_counts_only_for_the_call_it_is_of(
    name: KernelName, call: Slot, expected: dict[int, str]
) -> None:
    plain = member("a", [Slot(0xB7), call, EXIT]).program
    assert kernel_function_names(replace(plain, kernel_names=(name,))) == expected


def test_a_name_of_the_first_call_counts() -> None:
    plain = member("a", [Slot(0x85, 0, 2, 0, 7), EXIT]).program
    named = replace(plain, kernel_names=(KernelName(0, "function", "f", 7),))
    assert kernel_function_names(named) == {0: "f"}


def test_what_holds_is_joined_where_ways_meet_and_where_they_come_back() -> None:
    # 0: if … goto 3;  1-2: a loop;  3: the end
    code = [Slot(0x15, 1, 0, 2), Slot(0xB7), Slot(0x55, 1, 0, -2), EXIT]
    blocks = blocks_of(code)

    def after(block: Block, seen: frozenset[int]) -> dict[int, frozenset[int]]:
        return dict.fromkeys(block.successors, seen | {block.start})

    first: frozenset[int] = frozenset()
    found = fixpoint(blocks, first, after, frozenset.union)
    assert found == {0: frozenset(), 1: frozenset({0, 1}), 3: frozenset({0, 1})}
