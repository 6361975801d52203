"""Laws of the reader: any bytes are an object file or malformed, never anything else."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.elf import minimal
from tests.builders.objects import DIRECTORY

from skep.bytecode.isa.instructions import Instruction, decode, encode
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.bytecode.objectfile.sections import classify
from skep.errors import SkepError

SEEDS = [path.read_bytes() for path in sorted(DIRECTORY.glob("*.o"))]
SEEDS.append(minimal("big").build())
INTERESTING = [0, 1, 2, 7, 8, 23, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]

quick = settings(max_examples=150, deadline=None)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real object with section headers (35 %), words (35 %), bytes (20 %) or its end changed."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    (table,) = struct.unpack_from("<Q" if data[5] == 1 else ">Q", data, 40)
    for _ in range(draw(st.integers(1, 4))):
        how = draw(st.integers(0, 99))
        if how < 35 and table + 64 < len(data):
            place = draw(st.integers(table, len(data) - 4)) & ~3
            struct.pack_into("<I", data, place, draw(_words))
        elif how < 70:
            place = draw(st.integers(0, len(data) - 4)) & ~3
            struct.pack_into("<I", data, place, draw(_words))
        elif how < 90:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        else:
            del data[draw(st.integers(64, len(data))) :]
    return bytes(data)


def _read(data: bytes) -> ObjectFile | None:
    """The object, or nothing if it is malformed in a foreseen way."""
    try:
        return read_object(data)
    except MalformedObject as error:
        reason = error.reason
    assert "unforeseen" not in reason, reason
    return None


_words = st.one_of(st.sampled_from(INTERESTING), st.integers(0, 0xFFFFFFFF), st.integers(0, 64))


@quick
@given(mutated())
def test_a_mutated_object_is_read_or_malformed_and_linked_or_refused(data: bytes) -> None:
    found = _read(data)
    if found is None:
        return
    for line in found.source_lines:
        assert line.text.isprintable()
    for function in found.functions:
        assert len(function.instructions) > 0
        for relocation in function.relocations:
            assert 0 <= relocation.slot < len(function.instructions)
    try:
        plan = link(found, None, LinkSettings(licence=found.licence or "GPL"))
    except SkepError:
        return
    for program in plan.programs:
        assert program.subprograms[0] == 0
        assert sorted(set(program.subprograms)) == list(program.subprograms)


@quick
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_malformed(data: bytes) -> None:
    for start in (b"", b"\x7fELF\x02\x01\x01", b"\x7fELF\x02\x02\x01"):
        with pytest.raises(MalformedObject) as caught:
            read_object(start + data)
        assert "unforeseen" not in caught.value.reason


@quick
@given(st.binary(max_size=400), st.sampled_from(["little", "big"]))
def test_decoding_and_encoding_is_the_identity(data: bytes, order: str) -> None:
    data = data[: len(data) // 8 * 8]
    assert encode(decode(data, order), order) == data


_instructions = st.builds(
    Instruction,
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-(1 << 15), (1 << 15) - 1),
    st.integers(-(1 << 31), (1 << 31) - 1),
)


@quick
@given(st.lists(_instructions, max_size=40), st.sampled_from(["little", "big"]))
def test_encoding_and_decoding_is_the_identity(code: list[Instruction], order: str) -> None:
    assert decode(encode(code, order), order) == code


@quick
@given(st.text(max_size=60))
def test_every_section_name_is_classified(name: str) -> None:
    facts = classify(name)
    assert (facts.source == "unknown") == (facts.program_type is None)
    assert facts.is_optional == name.startswith("?")
