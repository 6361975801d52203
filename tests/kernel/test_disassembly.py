"""Our text of instructions against that of the running kernel's verifier, line by line."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.builders.kernel_programs import program
from tests.builders.kernels import running_types
from tests.builders.loaded_objects import execute
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.listing import list_program
from skep.bytecode.isa.codes import LDDW
from skep.bytecode.isa.disassembling import text_of
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.errors import SkepError
from skep.kernel import loading
from skep.kernel.loading import load_program

pytestmark = pytest.mark.kernel

_LINE = re.compile(r"^([0-9]+): \(([0-9a-f]{2})\) (.*?)(?:\s+;.*)?$", re.MULTILINE)
_PER_INSTRUCTION = 2  # log level
_STATISTICS = 4
_KERNEL_CALL = 2
_PARTS = 4  # for workers to share


@contextmanager
def log_level(level: int) -> Iterator[None]:
    """Every load has such a log, the one that is made of a refused program included."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loading, "_LEVEL_STATISTICS", level)
        patched.setattr(loading, "_LEVEL_TRACE", level)
        yield


def _compare(log: str, code: tuple[Instruction, ...]) -> set[int]:
    """Slots that were compared; what only a running kernel knows is left out of the texts."""
    seen = set()
    for number, opcode, theirs in _LINE.findall(log):
        slot = int(number)
        each = code[slot]
        ours = text_of(each, code[slot + 1].immediate if each.opcode == LDDW else 0)
        assert int(opcode, 16) == each.opcode
        if each.opcode == LDDW and each.src:  # an address
            ours, theirs = ours.split(" = ")[0], theirs.split(" = ")[0]
        if each.opcode == 0x85 and each.src == _KERNEL_CALL:  # a name
            ours, theirs = ours.split("#")[1], theirs.split("#")[1]
        assert ours == theirs, slot
        seen.add(slot)
    return seen


@pytest.mark.parametrize("part", range(_PARTS))
def test_the_fixtures_read_as_the_verifier_reads_them(part: int) -> None:
    types = running_types()
    compared = loaded = 0
    for path in sorted(DIRECTORY.glob("*.o"))[part::_PARTS]:
        object_file = fixture(path.stem)
        for entry in object_file.programs:
            try:
                plan = link(
                    object_file,
                    types,
                    LinkSettings(programs=frozenset({entry.name}), licence="GPL", possible_cpus=2),
                )
                with log_level(_STATISTICS):  # one that is refused may have a log of seconds
                    execute(plan).close()
                with log_level(_PER_INSTRUCTION), execute(plan) as made:
                    log = made.programs[0].verifier_log
            except SkepError:  # not for this kernel, or not to be loaded alone
                continue
            loaded += 1
            compared += len(_compare(log, plan.programs[0].instructions))
    assert loaded > 40 / _PARTS
    assert compared > 200 / _PARTS


def _log(*code: Instruction) -> str:
    try:
        with log_level(_PER_INSTRUCTION), load_program(program("mix", *code), []) as made:
            return made.verifier_log
    except SkepError as refused:
        return refused.detail


def test_a_mix_of_instructions_reads_as_the_verifier_reads_it() -> None:
    chosen = random.Random(20261124)  # noqa: S311
    opcodes = [op for op in range(256) if op & 7 in (4, 7) and op >> 4 < 14]
    opcodes += [op for op in range(256) if op & 7 in (1, 2, 3) and op >> 5 in (3, 4, 6)]
    opcodes += [op for op in range(256) if op & 7 in (5, 6)]
    start = tuple(Instruction(0xB7, register, 0, 0, 8) for register in range(10))
    end = (Instruction(0xB7), Instruction(0x95))
    compared = 0
    texts = set()
    for opcode in opcodes * 4:
        has_register = opcode & 8 or opcode & 7 in (1, 3)
        offset = chosen.choice((0, 0, 1, 8, 16, 32)) if opcode & 7 in (4, 7) else 0
        immediate = chosen.choice((0, 1, 2, 16, 32, 64, 0x41, 0x51, 0xA1, 0xE1, 0xF1, 0x100, 0x110))
        if (opcode & 7 == 7 and has_register and opcode & 0xF0 != 0xD0) or opcode & 7 == 1:
            immediate = 0
        each = Instruction(
            opcode,
            chosen.randrange(10),
            chosen.randrange(10) if has_register else 0,
            offset,
            immediate,
        )
        code = (*start, each, *end)
        if len(start) in _compare(_log(*code), code):
            compared += 1
            texts.add(text_of(each))
    assert compared > 400
    assert len(texts) > 400


def test_a_listing_has_the_texts_of_the_log_where_nothing_is_relocated() -> None:
    compared = 0
    for path in sorted(DIRECTORY.glob("*.o")):
        object_file = fixture(path.stem)
        for entry in object_file.programs:
            try:
                settings = LinkSettings(programs=frozenset({entry.name}), licence="GPL")
                code = link(object_file, None, settings).programs[0].instructions
            except SkepError:  # it needs more than the object
                continue
            for function in list_program(object_file, entry.name):
                for row in function.instructions:
                    each = code[row.slot]
                    if each.opcode != LDDW or not each.src:
                        assert row.text == text_of(
                            each, code[row.slot + 1].immediate if each.opcode == LDDW else 0
                        )
                        compared += 1
    assert compared > 500


ATOMICS = [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1, 0x100, 0x110]


def _every_form() -> list[Instruction]:
    """Code that a verifier walks through once, with every form it takes from anybody."""
    code = [Instruction(0xB7, number, 0, 0, 1) for number in range(10)]
    for operation in (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xA0, 0xB0, 0xC0):
        for kind in (0x04, 0x07):
            code += [Instruction(kind | operation, 1, 0, 0, 3)]
            code += [Instruction(kind | operation | 8, 2, 3)]
            if operation in (0x30, 0x90):
                code += [Instruction(kind | operation, 1, 0, 1, 3)]
                code += [Instruction(kind | operation | 8, 2, 3, 1)]
    code += [Instruction(0xBF, 4, 5, bits) for bits in (8, 16, 32)]
    code += [Instruction(0xBC, 4, 5, bits) for bits in (8, 16)]
    code += [Instruction(opcode, 4) for opcode in (0x84, 0x87)]
    code += [Instruction(op, 4, 0, 0, bits) for op in (0xD4, 0xDC, 0xD7) for bits in (16, 32, 64)]
    code += [Instruction(0x7A, 10, 0, -8, -5), Instruction(0x7A, 10, 0, -16, 5)]
    for size in (0x00, 0x18):
        code += [Instruction(0xC3 | size, 10, 6, -8, kind) for kind in ATOMICS[:10]]
    code += [Instruction(op, 10, 7, -16) for op in (0x63, 0x6B, 0x73, 0x7B)]
    code += [Instruction(op, 7, 10, -16) for op in (0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91)]
    code += [Instruction(op, 10, 0, -16, -2) for op in (0x62, 0x6A, 0x72, 0x7A)]
    for operation in (1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13):
        for kind in (0x05, 0x06, 0x0D, 0x0E):
            code += [Instruction(operation << 4 | kind, 7, 8 if kind & 8 else 0, 0, 0)]
            if not kind & 8:
                code[-1] = code[-1]._replace(immediate=-1)
    code += [Instruction(0x05, 0, 0, 0), Instruction(0x06)]
    code += [Instruction(LDDW, 1, 0, 0, -2), Instruction(0, 0, 0, 0, 7)]
    return [*code, Instruction(0x85, 0, 0, 0, 7), Instruction(0xB7, 0), Instruction(0x95)]


def test_every_form_of_an_instruction_reads_as_in_the_log() -> None:
    code = tuple(_every_form())
    assert len(_compare(_log(*code), code)) > 150
