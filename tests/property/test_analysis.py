"""Laws of the analysis: it covers what really happens, and reports survive their travels."""

import contextlib
import json
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.assembled import EXIT, mov, one_program, value_address

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.assumptions import with_constants
from skep.bytecode.analysis.diffing import compare
from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.preparing import Preparation
from skep.bytecode.analysis.programs import ends_of, exit_numbers
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.values import signed
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.isa.kernel_types import PROGRAM_TYPES
from skep.bytecode.objectfile.model import MapSpec

MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1

registers = st.sampled_from([0, 2, 3, 6])
numbers = st.one_of(
    st.integers(-4, 4), st.sampled_from([8, 16, 31, 32, 63, 255, -(1 << 31), (1 << 31) - 1])
)
masks = st.sampled_from([1, 3, 7, 31, 255, 1023, 0xFFFF])
_SIZES = (4, 2, 1, 8)  # by the two size bits of loads and stores
_ARITHMETIC = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90, 0xA0, 0xB0, 0xC0]
_JUMPS = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0]


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    sort = draw(st.sampled_from(["alu", "alu", "jump", "load", "spill", "fill", "range", "move"]))
    dst, src, number = draw(registers), draw(registers), draw(numbers)
    use_register = draw(st.booleans())
    if sort == "alu":
        opcode = draw(st.sampled_from(_ARITHMETIC)) | draw(st.sampled_from([4, 7]))
        if use_register and opcode & 0xF0 != 0x80:
            return Instruction(opcode | 8, dst, src)
        return Instruction(opcode, dst, 0, 0, number if opcode & 0xF0 != 0x80 else 0)
    if sort == "jump":
        opcode = draw(st.sampled_from(_JUMPS)) | draw(st.sampled_from([5, 6]))
        distance = draw(st.integers(-3, 4))
        if use_register:
            return Instruction(opcode | 8, dst, src, distance)
        return Instruction(opcode, dst, 0, distance, number)
    if sort == "load":  # a number nobody knows
        return Instruction(draw(st.sampled_from([0x61, 0x69, 0x71, 0x79])), dst, 1, 12)
    if sort == "range":  # bounds follow
        return Instruction(draw(st.sampled_from([0x54, 0x57])), dst, 0, 0, draw(masks))
    if sort == "move":  # signs are extended
        bits = draw(st.sampled_from([8, 16]))
        return Instruction(draw(st.sampled_from([0xBC, 0xBF])), dst, src, bits)
    size = draw(st.sampled_from([1, 2, 4, 8, 8]))
    place = size * draw(st.integers(0, 16 // size - 1)) - 16
    if sort == "spill":
        if use_register:
            return Instruction({1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}[size], 10, src, place)
        return Instruction({1: 0x72, 2: 0x6A, 4: 0x62, 8: 0x7A}[size], 10, 0, place, number)
    fills = {1: (0x71, 0x91), 2: (0x69, 0x89), 4: (0x61, 0x81), 8: (0x79, 0x79)}
    return Instruction(draw(st.sampled_from(fills[size])), dst, 10, place)


def run(code: Sequence[Instruction], unknown: Sequence[int]) -> int | None:
    """Execute; ``None`` if it does not come to an end. ``unknown`` are the loads' results."""
    regs = [0] * 11
    stack = bytearray(16)
    position = loads = 0
    for _ in range(400):
        if not 0 <= position < len(code):
            return None
        opcode, dst, src, offset, number = code[position]
        position += 1
        kind = opcode & 7
        if opcode == 0x95:
            return signed(regs[0], 32)
        if kind == 1 and src == 1:
            size = _SIZES[opcode >> 3 & 3]
            regs[dst] = unknown[loads % len(unknown)] & ((1 << 8 * size) - 1)
            loads += 1
        elif kind == 1:
            size = _SIZES[opcode >> 3 & 3]
            raw = bytes(stack[16 + offset : 16 + offset + size])
            is_signed = opcode & 0xE0 == 0x80
            regs[dst] = int.from_bytes(raw, "little", signed=is_signed) & MASK64
        elif kind in {2, 3}:
            size = _SIZES[opcode >> 3 & 3]
            stored = regs[src] if kind == 3 else number
            raw = (stored & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            stack[16 + offset : 16 + offset + size] = raw
        elif kind in {5, 6}:
            bits = 64 if kind == 5 else 32
            other = regs[src] if opcode & 8 else number & MASK64
            if _holds(opcode & 0xF0, regs[dst], other, bits):
                position += offset
        else:
            bits = 64 if kind == 7 else 32
            other = regs[src] if opcode & 8 else number & MASK64
            if opcode & 0xF0 == 0xB0 and offset:
                other = signed(other, offset) & MASK64
            regs[dst] = _result(opcode & 0xF0, regs[dst], other, bits)
    return None


def _holds(operation: int, a: int, b: int, bits: int) -> bool:
    mask = MASK64 if bits == 64 else MASK32
    a, b = a & mask, b & mask
    c, d = signed(a, bits), signed(b, bits)
    return {
        0x10: a == b,
        0x20: a > b,
        0x30: a >= b,
        0x40: bool(a & b),
        0x50: a != b,
        0x60: c > d,
        0x70: c >= d,
        0xA0: a < b,
        0xB0: a <= b,
        0xC0: c < d,
        0xD0: c <= d,
    }[operation]


def _result(operation: int, a: int, b: int, bits: int) -> int:
    mask = MASK64 if bits == 64 else MASK32
    a, b = a & mask, b & mask
    shift = b & (bits - 1)
    return {
        0x00: lambda: a + b,
        0x10: lambda: a - b,
        0x20: lambda: a * b,
        0x30: lambda: a // b if b else 0,
        0x40: lambda: a | b,
        0x50: lambda: a & b,
        0x60: lambda: a << shift,
        0x70: lambda: a >> shift,
        0x80: lambda: -a,
        0x90: lambda: a % b if b else a,
        0xA0: lambda: a ^ b,
        0xB0: lambda: b,
        0xC0: lambda: signed(a, bits) >> shift,
    }[operation]() & mask


START = [mov(0, 0), mov(2, 0), mov(3, 0), mov(6, 0)]
ZEROED = [Instruction(0x7B, 10, 0, -8), Instruction(0x7B, 10, 0, -16)]
UNKNOWN_START = [Instruction(0x79, register, 1, 12) for register in (0, 2, 3, 6)]


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([START, UNKNOWN_START]),
    st.lists(instructions(), min_size=1, max_size=14),
    st.lists(st.integers(0, MASK64), min_size=1, max_size=4),
)
def test_every_value_a_program_returns_is_one_the_analysis_covers(
    start: list[Instruction], body: list[Instruction], unknown: list[int]
) -> None:
    code = [*start, *ZEROED, *body, EXIT]
    returned = run(code, unknown)
    objects = one_program(code)
    exits = Preparation(objects, None, data_flow=True).programs[0].exits()
    listed = analyse(objects).program("main").exit_values
    if returned is not None:
        ends = [ends_of(each.value) for each in exits or ()]
        assert exits is None or any(
            returned in each.numbers or each.low <= returned <= each.high for each in ends
        )
        assert listed is None or returned in listed


@settings(deadline=None, max_examples=300)
@given(
    st.lists(instructions(), min_size=1, max_size=14),
    st.one_of(st.integers(0, 3), st.integers(0, MASK64)),
)
def test_what_constants_let_a_program_do_is_what_it_is_said_to_be_left_with(
    body: list[Instruction], constant: int
) -> None:
    code = [*START, *ZEROED, *body, EXIT]
    returned = run(code, [constant])
    data = bytes(12) + constant.to_bytes(8, "little")
    section = MapSpec(".rodata", 2, 4, len(data), 1, flags=0x80, data=data, origin="data")
    objects = one_program(value_address(1, ".rodata"), code, maps=[section])
    preparation = Preparation(objects, None, data_flow=True)
    assumptions = with_constants(preparation.assumptions, objects, {})
    (left,) = preparation.assuming(preparation.programs, assumptions)
    exits = left.exits()
    if returned is not None:
        assert exits is None or any(
            known is None or returned in known[0]
            for known in (exit_numbers(each.value) for each in exits)
        )
        assert left.graph.functions[0].instructions <= len(code) + 1


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.builds(
            Instruction,
            st.integers(0, 255),
            st.integers(0, 10),
            st.integers(0, 10),
            st.integers(-8, 8),
            st.one_of(st.sampled_from(sorted(HELPERS)), st.integers(-(1 << 31), (1 << 31) - 1)),
        ),
        max_size=30,
    ),
    st.sampled_from([None, "NEW_TYPE", *sorted(PROGRAM_TYPES)]),
)
def test_any_bytes_have_a_report_and_it_survives_being_written_and_read(
    code: list[Instruction], program_type: str | None
) -> None:
    report = analyse(one_program(code, program_type=program_type))
    data = report.to_bytes()
    assert AnalysisReport.from_bytes(data) == report
    assert AnalysisReport.from_bytes(data).to_bytes() == data
    assert compare(report, report).is_empty


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
FULL = analyse(one_program([mov(0, 1), EXIT], licence=None)).to_document()


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(st.text(), json_values, max_size=4), st.sampled_from(["", "cost", "licence"])
)
def test_fields_of_other_versions_survive(unknown: dict[str, object], place: str) -> None:
    document = json.loads(json.dumps(FULL))
    part = document[place] if place else document
    fresh = {name: value for name, value in unknown.items() if name not in part}
    part.update(fresh)
    try:
        report = AnalysisReport.from_document(document)
    except MalformedReport:
        assert not _is_encodable(fresh)
        return
    assert report.to_document() == document


def _is_encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_report_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    document = json.loads(json.dumps(FULL))
    part = document
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [key for key, value in part.items() if isinstance(value, dict)]
        lists = [value[0] for value in part.values() if isinstance(value, list) and value]
        candidates = [part[key] for key in inner] + [
            each for each in lists if isinstance(each, dict)
        ]
        if not candidates:
            break
        part = data.draw(st.sampled_from(candidates))
    name = data.draw(st.sampled_from(sorted(part)))
    if data.draw(st.booleans()):
        part[name] = data.draw(json_values)
    else:
        del part[name]
    with contextlib.suppress(MalformedReport):
        AnalysisReport.from_document(document)
