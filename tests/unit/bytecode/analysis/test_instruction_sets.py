"""Which instructions a program uses, and where first."""

from tests.builders.assembled import EXIT, R0, R1, call, function, jump, mov

from skep.bytecode.analysis.control_flow import flow_of
from skep.bytecode.analysis.instruction_sets import uses_of
from skep.bytecode.isa.instructions import Instruction

MOVE = 0xBF
ATOMIC = 0xDB
FETCH_ADD = 0x01


def test_every_meaning_is_told_once_at_its_first_place_in_order() -> None:
    uses = uses_of(flow_of(function("f", mov(R0, 1), mov(R1, 2), mov(R0, 3), EXIT)))
    assert [(use.opcode, use.slot) for use in uses] == [(mov(R0, 1).opcode, 0), (EXIT.opcode, 3)]


def test_operands_that_change_the_meaning_make_another_one() -> None:
    moves = [Instruction(MOVE, R0, R1), Instruction(MOVE, R1, R0), Instruction(MOVE, R0, R1, 8)]
    atomics = [Instruction(ATOMIC, R1, R0, -8), Instruction(ATOMIC, R1, R0, -16, FETCH_ADD)]
    uses = uses_of(flow_of(function("f", *moves, *atomics, EXIT)))
    assert [(use.opcode, use.slot) for use in uses] == [
        (MOVE, 0),
        (MOVE, 2),
        (ATOMIC, 3),
        (ATOMIC, 4),
        (EXIT.opcode, 5),
    ]


def test_code_that_is_not_reached_counts_nowhere() -> None:
    uses = uses_of(flow_of(function("f", jump(2), call(36), mov(R0, 1), mov(R0, 2), EXIT)))
    assert [(use.opcode, use.slot) for use in uses] == [
        (jump(2).opcode, 0),
        (mov(R0, 2).opcode, 3),
        (EXIT.opcode, 4),
    ]
