"""What we print is what the running kernel's verifier prints."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.listing import list_program
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.disassembling import LDDW, text_of
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan, ProgramPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import ObjectFile
from skep.kernel import loading
from skep.kernel.errors import VerifierRefused
from skep.kernel.loading import execute

pytestmark = pytest.mark.kernel
NAMES = sorted({path.stem for path in DIRECTORY.glob("*.o")} - {"missing_function"})
_PRINTED = re.compile(r"^(?:from [0-9]+ to [0-9]+: .*)?([0-9]+): \(([0-9a-f]{2})\) (.*)$")
_STATE = re.compile(r"\s*(?:; (?:R[0-9]|frame[0-9]|refs).*)?$")
_ADDRESS = re.compile(r"^(r[0-9]+) = (?:0x[0-9a-f]+|map\[.*|subprog\[.*|kernel\[.*)$")


def _printed(log: str) -> dict[int, str]:
    found = {}
    for line in log.splitlines():
        match = _PRINTED.match(line)
        if match:
            found[int(match[1])] = f"({match[2]}) {_plain(_STATE.sub('', match[3]))}"
    return found


def _plain(text: str) -> str:
    """Addresses are a kernel's own; our names stand for them."""
    return _ADDRESS.sub(r"\1 = ADDRESS", text)


def _ours(program: ProgramPlan) -> dict[int, str]:
    code = program.instructions
    return {
        slot: f"({each.opcode:02x}) "
        + _plain(text_of(each, code[slot + 1].immediate if each.opcode == LDDW else 0))
        for slot, each in enumerate(code)
    }


def _logs(plan: LoadPlan, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(loading, "_LEVEL_STATISTICS", 2)  # every instruction, in full
    logs = []
    maps = tuple(replace(each, program_entries=()) for each in plan.maps)  # one program alone
    for program in plan.programs:
        try:
            with execute(replace(plan, maps=maps, programs=(program,))) as loaded:
                logs += [each.verifier_log for each in loaded.programs]
        except VerifierRefused as error:  # some fixtures load nowhere: as far as it got
            logs.append(error.detail)
    return logs


@pytest.fixture(scope="module")
def kernel() -> KernelTypes:
    return KernelTypes.build(Path("/sys/kernel/btf/vmlinux").read_bytes())


def _settings(found: ObjectFile) -> LinkSettings:
    """What the object leaves open, anyhow."""
    return LinkSettings(
        licence=None if found.licence else "GPL",
        max_entries={each.name: 16 for each in found.maps if each.name == "flows"},
        kernel_config={"CONFIG_HZ": "250", "CONFIG_NET": "y"},
        kernel_version=0x61200,
        programs=frozenset(each.name for each in found.programs if each.program_type == "XDP"),
    )


@pytest.mark.parametrize("name", NAMES)
def test_instructions_read_as_in_the_verifiers_log(
    name: str, kernel: KernelTypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fixture(name)
    plan = link(found, kernel, _settings(found))
    if not plan.programs:
        pytest.skip("no section of it tells a program type")
    for program, log in zip(plan.programs, _logs(plan, monkeypatch), strict=True):
        printed = _printed(log)
        ours = _ours(program)
        assert printed
        assert {slot: ours[slot] for slot in printed} == printed
        listed = {
            each.slot: f"({each.opcode:02x}) {_plain(each.text)}"
            for function in list_program(fixture(name), program.name)
            for each in function.instructions
        }
        if not (found.core_relocations or found.externs):  # those only a kernel can put in
            assert {slot: listed[slot] for slot in printed} == printed


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


def test_every_form_of_an_instruction_reads_as_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    program = ProgramPlan("forms", 6, 37, 0, "GPL", tuple(_every_form()))
    (log,) = _logs(LoadPlan((), (program,)), monkeypatch)
    printed = _printed(log)
    ours = _ours(program)
    assert len(printed) > 150
    assert {slot: ours[slot] for slot in printed} == printed
