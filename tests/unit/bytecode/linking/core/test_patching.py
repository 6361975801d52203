"""Answers put into instructions, or refused."""

import pytest

from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.isa.codes import POISON
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.linking.core.patching import patch
from skep.bytecode.linking.core.values import CoreAnswer, Resolution, Size
from skep.bytecode.linking.errors import CannotLink, CorruptRelocation
from skep.bytecode.objectfile.model import CoreRelocation

POISONED = Instruction(0x85, immediate=POISON)
UNSIGNED = BtfType(1, Kind.INT, encoding=0)
SIGNED = BtfType(1, Kind.INT, encoding=1)
POINTER = BtfType(1, Kind.PTR)
STRUCT = BtfType(1, Kind.STRUCT)
LDX_W, LDX_DW, LDX_B, ST_W, STX_W = 0x61, 0x79, 0x71, 0x62, 0x63


def _resolution(local: CoreAnswer, target: CoreAnswer | None) -> Resolution:
    record = CoreRelocation("entry", 0, 1, "s", "0:1", CoreKind.FIELD_BYTE_OFFSET)
    return Resolution(record, local, target, "s.b")


def _field(value: int, size: int, of: BtfType = UNSIGNED) -> CoreAnswer:
    return CoreAnswer(value, size=Size(size, of))


@pytest.mark.parametrize("opcode", [0xB7, 0xB4, 0x07])
def test_an_immediate_is_replaced(opcode: int) -> None:
    code = [Instruction(opcode, 1, 0, 0, 4)]
    assert patch(code, _resolution(CoreAnswer(4), CoreAnswer(40)))
    assert code == [Instruction(opcode, 1, 0, 0, 40)]


def test_a_negative_enumerator_fits_an_immediate() -> None:
    code = [Instruction(0xB7, 0, 0, 0, -1)]
    assert patch(code, _resolution(CoreAnswer(0xFFFFFFFF), CoreAnswer(-2)))
    assert code[0].immediate == -2


def test_both_halves_of_a_64_bit_load_are_replaced() -> None:
    code = [Instruction(0x18, 3, 0, 0, -1), Instruction(0, 0, 0, 0, 0)]
    assert patch(code, _resolution(CoreAnswer(0xFFFFFFFF), CoreAnswer(7 << 32 | 0x80000000)))
    assert code == [Instruction(0x18, 3, 0, 0, -(1 << 31)), Instruction(0, 0, 0, 0, 7)]


@pytest.mark.parametrize("opcode", [LDX_W, ST_W, STX_W])
def test_the_offset_of_a_load_or_store_is_replaced(opcode: int) -> None:
    code = [Instruction(opcode, 1, 2, 4, 0)]
    assert patch(code, _resolution(_field(4, 4), _field(40, 4)))
    assert code == [Instruction(opcode, 1, 2, 40, 0)]


@pytest.mark.parametrize(
    ("opcode", "local", "target", "expected"),
    [
        pytest.param(LDX_W, _field(4, 4), _field(8, 8), LDX_DW, id="wider"),
        pytest.param(LDX_DW, _field(4, 8), _field(8, 1), LDX_B, id="narrower"),
        pytest.param(LDX_DW, _field(4, 8, POINTER), _field(8, 4, POINTER), LDX_W, id="pointer"),
    ],
)
def test_the_width_of_a_load_follows_the_field(
    opcode: int, local: CoreAnswer, target: CoreAnswer, expected: int
) -> None:
    code = [Instruction(opcode, 1, 2, 4, 0)]
    assert patch(code, _resolution(local, target))
    assert code == [Instruction(expected, 1, 2, 8, 0)]


@pytest.mark.parametrize(
    ("local", "target"),
    [
        pytest.param(_field(4, 4, SIGNED), _field(8, 8, SIGNED), id="signed"),
        pytest.param(_field(4, 4), _field(8, 8, SIGNED), id="becomes-signed"),
        pytest.param(_field(4, 4), _field(8, 8, POINTER), id="number-and-pointer"),
        pytest.param(_field(4, 4, STRUCT), _field(8, 8, STRUCT), id="struct"),
    ],
)
def test_a_width_that_would_change_the_value_is_poison(
    local: CoreAnswer, target: CoreAnswer
) -> None:
    code = [Instruction(LDX_W, 1, 2, 4, 0)]
    assert not patch(code, _resolution(local, target))
    assert code == [POISONED]


def test_what_is_missing_is_poison_in_all_its_slots() -> None:
    code = [Instruction(0x18, 1), Instruction(0), Instruction(0x95)]
    assert not patch(code, _resolution(CoreAnswer(0), None))
    assert code == [POISONED, POISONED, Instruction(0x95)]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param([Instruction(0xB7, 0, 0, 0, 5)], id="other-immediate"),
        pytest.param([Instruction(LDX_W, 0, 1, 5, 0)], id="other-offset"),
        pytest.param([Instruction(0x18, 0, 0, 0, 4), Instruction(0, immediate=1)], id="other-half"),
        pytest.param([Instruction(0x18, 0, 1, 0, 4), Instruction(0)], id="a-map"),
        pytest.param([Instruction(0xBF, 0, 1, 0, 4)], id="a-register"),
        pytest.param([Instruction(0x85, 0, 0, 0, 4)], id="a-call"),
        pytest.param([Instruction(0x95)], id="an-exit"),
        pytest.param([Instruction(0x20, immediate=4)], id="a-packet-load"),
    ],
)
def test_an_instruction_that_does_not_hold_the_objects_value_is_refused(
    code: list[Instruction],
) -> None:
    with pytest.raises(CorruptRelocation, match=r"entry.*s\.b"):
        patch(code, _resolution(_field(4, 4), _field(40, 4)))


def test_a_load_of_another_width_than_its_field_is_refused() -> None:
    with pytest.raises(CorruptRelocation, match="4 bytes"):
        patch([Instruction(LDX_DW, 0, 1, 4)], _resolution(_field(4, 4), _field(4, 8)))


def test_bitfields_are_not_compared_with_what_the_compiler_put_in() -> None:
    code = [Instruction(LDX_W, 0, 1, 5, 0)]
    assert patch(
        code, _resolution(CoreAnswer(4, is_certain=False), CoreAnswer(8, is_certain=False))
    )
    assert code[0].offset == 8


@pytest.mark.parametrize("value", [0x8000, -1])
def test_an_offset_beyond_the_reach_of_a_load_is_refused(value: int) -> None:
    with pytest.raises(CannotLink, match="beyond"):
        patch([Instruction(LDX_W, 0, 1, 4)], _resolution(_field(4, 4), _field(value, 4)))


def test_a_value_beyond_an_immediate_is_refused() -> None:
    with pytest.raises(CannotLink, match="does not fit"):
        patch([Instruction(0xB7, immediate=4)], _resolution(CoreAnswer(4), CoreAnswer(1 << 32)))
