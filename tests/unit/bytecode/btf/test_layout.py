"""Sizes of types, and walks that end."""

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.layout import resolved, size_of
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind


def test_modifiers_are_seen_through() -> None:
    builder = BtfBuilder()
    integer = builder.integer()
    last = integer
    for kind in (Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG):
        last = builder.modifier(kind, last)
    last = builder.modifier(Kind.TYPEDEF, last, "alias")
    types = read_btf(builder.build(), "little")
    assert resolved(types, last).type_id == integer
    assert size_of(types, last) == 4


def test_sizes_of_arrays_multiply() -> None:
    builder = BtfBuilder()
    array = builder.array(builder.array(builder.integer("short", 2), 3), 5)
    pointers = builder.array(builder.pointer(0), 4)
    types = read_btf(builder.build(), "little")
    assert size_of(types, array) == 30
    assert size_of(types, pointers) == 32


def test_a_loop_of_typedefs_is_refused() -> None:
    builder = BtfBuilder()
    builder.modifier(Kind.TYPEDEF, 2, "a")
    builder.modifier(Kind.TYPEDEF, 1, "b")
    types = read_btf(builder.build(), "little")
    with pytest.raises(MalformedBtf, match="in a row"):
        resolved(types, 1)


def test_an_array_of_itself_is_refused() -> None:
    builder = BtfBuilder()
    builder.array(1, 2)
    types = read_btf(builder.build(), "little")
    with pytest.raises(MalformedBtf, match="nested"):
        size_of(types, 1)


def test_sizes_beyond_4_gigabytes_are_refused() -> None:
    builder = BtfBuilder()
    array = builder.array(builder.array(builder.integer(), 1 << 20), 1 << 20)
    types = read_btf(builder.build(), "little")
    with pytest.raises(MalformedBtf, match="4 GB"):
        size_of(types, array)


@pytest.mark.parametrize("kind", [Kind.FWD, Kind.FUNC_PROTO])
def test_types_without_size_are_refused(kind: Kind) -> None:
    builder = BtfBuilder()
    builder.raw(kind)
    types = read_btf(builder.build(), "little")
    with pytest.raises(MalformedBtf, match="size"):
        size_of(types, 1)
    with pytest.raises(MalformedBtf, match="VOID"):
        size_of(types, 0)
