"""Types of a kernel by name, and the index that makes finding them quick."""

import struct
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.btf import BtfBuilder
from tests.builders.kernels import moved_kernel

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.errors import Malformed

IDENTITY = bytes(range(20))
RAW = moved_kernel()
HEADER_BYTES = 84


def flavours() -> KernelTypes:
    builder = BtfBuilder()
    number = builder.integer()
    builder.struct("x", 4, [("a", number, 0)])
    builder.struct("x___old", 8, [("a", number, 0)])
    builder.raw(Kind.UNION, "x", value=4)
    builder.enum("x", [("A", 1)])
    builder.enum64("x___wide", [("A", 1)])
    return KernelTypes.build(builder.build())


def test_types_are_found_by_their_very_name_and_kind() -> None:
    types = flavours()
    assert types.find("x", Kind.STRUCT) == (2,)
    assert types.find("x___old", Kind.STRUCT) == (3,)
    assert types.find("x", Kind.UNION) == (4,)
    assert types.find("y", Kind.STRUCT) == ()
    assert types.find("x___", Kind.STRUCT) == ()


def test_candidates_ignore_flavours_on_both_sides_and_enums_are_one_kind() -> None:
    types = flavours()
    for name in ("x", "x___old", "x___mine"):
        assert types.candidates(name, Kind.STRUCT) == (2, 3)
        assert types.candidates(name, Kind.ENUM) == types.candidates(name, Kind.ENUM64) == (5, 6)


def test_an_index_finds_what_the_walk_found() -> None:
    built = KernelTypes.build(RAW)
    read = KernelTypes.from_index(RAW, built.to_index(IDENTITY), IDENTITY)
    assert len(read) == len(built)
    for one in built.table:
        assert read.type(one.type_id) == one
        if one.name:
            assert read.find(one.name, one.kind) == built.find(one.name, one.kind)


def test_a_walk_over_nonsense_is_refused() -> None:
    with pytest.raises(MalformedBtf):
        KernelTypes.build(RAW[:-30])


def test_an_identity_has_room_for_a_sha_256_and_no_more() -> None:
    types = KernelTypes.build(RAW)
    KernelTypes.from_index(RAW, types.to_index(bytes(32)), bytes(32))
    with pytest.raises(ValueError, match="at most 32"):
        types.to_index(bytes(33))


def changed(index: bytes, place: int, data: bytes) -> bytes:
    return index[:place] + data + index[place + len(data) :]


def test_an_index_that_is_not_of_this_kernel_or_damaged_is_refused() -> None:
    index = KernelTypes.build(RAW).to_index(IDENTITY)
    for bad in (
        b"",
        index[:HEADER_BYTES],
        index[:-1],
        index + b"\0",
        changed(index, 0, b"skepbtf0"),
        changed(index, 8, b"\xff"),  # identity
        changed(index, 40, struct.pack("<Q", 1)),  # bytes of BTF
        changed(index, 48, struct.pack("<I", 0xFFFFFFFF)),  # types
        changed(index, 48, struct.pack("<I", 0)),
        changed(index, 52, struct.pack("<I", 0xFFFFFFFF)),  # names
        changed(index, len(index) - 1, bytes([index[-1] ^ 1])),
    ):
        with pytest.raises(MalformedBtf, match="expected"):
            KernelTypes.from_index(RAW, bad, IDENTITY)
    with pytest.raises(MalformedBtf, match="another"):
        KernelTypes.from_index(RAW, index, b"another")
    with pytest.raises(MalformedBtf, match="another"):
        KernelTypes.from_index(RAW + b"\0", index, IDENTITY)


def ask_everything(types: KernelTypes) -> None:
    for type_id in range(len(types) + 3):
        for ask in (types.type, types.table.kind, types.table.stored):
            try:
                ask(type_id)
            except Malformed:
                continue
    for name in ("task_struct", "iphdr", "pid_t", "int", "nothing"):
        for kind in Kind:
            try:
                types.find(name, kind)
                types.candidates(name, kind)
            except Malformed:
                continue


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_forged_index_with_a_right_digest_gives_no_other_errors(data: st.DataObject) -> None:
    honest = KernelTypes.build(RAW)
    places, names = array("I", honest.table.places), array("Q", honest._names)
    numbers = st.integers(0, 2**32 - 1) | st.integers(0, len(RAW) + 8)
    for _ in range(data.draw(st.integers(1, 6))):
        places[data.draw(st.integers(0, len(places) - 1))] = data.draw(numbers)
        place = data.draw(st.integers(0, len(names) - 1))
        names[place] = names[place] >> 32 << 32 | data.draw(numbers)
    forged = KernelTypes(honest.table, array("Q", sorted(names)))
    forged.table = type(honest.table)(RAW, "little", places)
    index = forged.to_index(IDENTITY)
    ask_everything(KernelTypes.from_index(RAW, index, IDENTITY))
