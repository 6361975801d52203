"""What a chain reads off the functions of its members."""

import pytest
from tests.builders.members import member

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.bytecode.linking.plan import LinePlace
from skep.chains.functions import ends_chain_by_tail_call, moved_lines

EXIT = Slot(0x95)
TAIL_CALL, SUBPROGRAM = Slot(0x85, 0, 0, 0, 12), Slot(0x85, 0, 1, 0, 1)


@pytest.mark.parametrize(
    ("code", "subprograms", "expected"),
    [
        pytest.param([TAIL_CALL, EXIT], (0,), True, id="entry"),
        pytest.param([Slot(0xB7), EXIT], (0,), False, id="none"),
        pytest.param([SUBPROGRAM, EXIT, TAIL_CALL, EXIT], (0, 2), False, id="subprogram"),
        pytest.param([Slot(0x05, 0, 0, 1), TAIL_CALL, EXIT], (0,), False, id="unreached"),
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
