"""Instructions as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.bytecode.isa.disassembling import text_of
from skep.bytecode.isa.instructions import Instruction, decode, encode

_SLOTS = st.builds(
    Instruction,
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-(2**15), 2**15 - 1),
    st.integers(-(2**31), 2**31 - 1),
)


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        (Instruction(0x61, 1, 6, 16), "r1 = *(u32 *)(r6 +16)"),
        (Instruction(0x91, 1, 6, -1), "r1 = *(s8 *)(r6 -1)"),
        (Instruction(0x2D, 1, 2, 3), "if r1 > r2 goto pc+3"),
        (Instruction(0x16, 1, 0, -3, -1), "if w1 == 0xffffffff goto pc-3"),
        (Instruction(0x85, 0, 0, 0, 1), "call bpf_map_lookup_elem#1"),
        (Instruction(0x85, 0, 0, 0, 99999), "call unknown#99999"),
        (Instruction(0x85, 0, 1, 0, 7), "call pc+7"),
        (Instruction(0xB4), "w0 = 0"),
        (Instruction(0x3F, 1, 2, 1), "r1 s/= r2"),
        (Instruction(0x94, 1, 0, 1, 5), "w1 s%= 5"),
        (Instruction(0xBF, 1, 2, 32), "r1 = (s32)r2"),
        (Instruction(0xBF, 0, 0, 1, 1), "r0 = addr_space_cast(r0, 0, 1)"),
        (Instruction(0xBF, 0, 0, 1, 0x10000), "r0 = addr_space_cast(r0, 1, 0)"),
        (Instruction(0xD7, 3, 0, 0, 64), "r3 = bswap64 r3"),
        (Instruction(0xDC, 3, 0, 0, 16), "r3 = be16 r3"),
        (Instruction(0xDB, 1, 2), "lock *(u64 *)(r1 +0) += r2"),
        (Instruction(0xDB, 1, 0, 0, 1), "r0 = atomic64_fetch_add((u64 *)(r1 +0), r0)"),
        (Instruction(0xC3, 1, 2, 4, 0xE1), "r2 = atomic_xchg((u32 *)(r1 +4), r2)"),
        (Instruction(0xC3, 1, 2, 4, 0xF1), "r0 = atomic_cmpxchg((u32 *)(r1 +4), r0, r2)"),
        (Instruction(0xD3, 1, 2, 4, 0x100), "r1 = load_acquire((u8 *)(r2 +4))"),
        (Instruction(0xCB, 1, 2, 4, 0x110), "store_release((u16 *)(r1 +4), r2)"),
        (Instruction(0xE5, 0, 0, 1), "may_goto pc+1"),
        (Instruction(0x06, 0, 0, 0, -70000), "gotol pc-70000"),
        (Instruction(0x0D, 3), "gotox r3"),
        (Instruction(0x40, 0, 7, 0, 14), "r0 = *(u32 *)skb[r7 + 14]"),
    ],
)
def test_an_instruction_reads_as_in_the_verifiers_log(instruction: Instruction, text: str) -> None:
    assert text_of(instruction) == text


def test_the_two_halves_of_a_wide_constant_are_one_number() -> None:
    assert text_of(Instruction(0x18, 1, 0, 0, -1), 2) == "r1 = 0x2ffffffff"


@pytest.mark.parametrize(
    ("opcode", "text"),
    [(0x98, "BUG_ld_98"), (0x99, "BUG_ldx_99"), (0xDB & 0xFB | 0x03, "BUG_db"),
     (0xE2, "BUG_st_e2"), (0xF4, "BUG_alu_f4"), (0xFF, "BUG_alu_ff"), (0xF5, "BUG_jmp_f5")],
)  # fmt: skip
def test_what_nobody_knows_says_so(opcode: int, text: str) -> None:
    assert text_of(Instruction(opcode, immediate=77)) == text


@given(_SLOTS)
def test_every_slot_has_one_line_of_text(slot: Instruction) -> None:
    assert text_of(slot).isprintable()


@given(st.lists(_SLOTS), st.sampled_from(["little", "big"]))
def test_reading_what_was_written_gives_the_same(code: list[Instruction], order: str) -> None:
    assert decode(encode(code, order), order) == code


@given(st.binary(max_size=128), st.sampled_from(["little", "big"]))
def test_writing_what_was_read_gives_the_same(data: bytes, order: str) -> None:
    whole = data[: len(data) // 8 * 8]
    assert encode(decode(whole, order), order) == whole
