"""What a chain reads off the functions of its members."""

import pytest
from tests.builders.members import member

from skep.bytecode.isa.instructions import Instruction as Slot
from skep.chains.functions import ends_chain_by_tail_call

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
