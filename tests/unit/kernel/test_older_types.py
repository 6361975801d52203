"""Types of an object for kernels that do not know all kinds."""

import sys

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.kernel.older_types import older_types


def test_kinds_that_came_later_are_replaced_and_ids_stay() -> None:
    builder = BtfBuilder(sys.byteorder)
    number = builder.integer()
    floating = builder.raw(Kind.FLOAT, "long double", value=16)
    large = builder.enum64("large", [("A", 1 << 40)])
    tag = builder.modifier(Kind.TYPE_TAG, number, "kptr")
    declared = builder.raw(Kind.DECL_TAG, "note", value=number, tail=[-1])
    signed = builder.enum("signed", [("B", -1)], signed=True)
    struct = builder.struct("s", 16, [("member", floating, 0)])
    data = builder.datasec(".data", [(builder.variable("v", number), 0, 4)], 4)
    function = builder.function("f")
    original = read_btf(builder.build(), builder.byteorder)
    older = older_types(builder.build())
    assert older is not None
    types = read_btf(older, builder.byteorder)
    assert len(types) == len(original)
    found = [types.type(each) for each in (floating, large, tag, declared)]
    assert [each.kind for each in found] == [Kind.STRUCT, Kind.STRUCT, Kind.CONST, Kind.PTR]
    assert [each.size for each in found[:2]] == [16, 8]
    assert found[2].refers_to == number
    assert not types.type(signed).is_flagged
    assert [each.name for each in types.type(signed).enumerators] == ["B"]
    for same in (number, struct, data, function):
        assert types.type(same) == original.type(same)
    assert older_types(older) is None


@pytest.mark.parametrize(
    "btf",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"types", id="short"),
        pytest.param(bytes(64), id="no-magic"),
        pytest.param(BtfBuilder(sys.byteorder).build(), id="no-types"),
    ],
)
def test_what_cannot_be_made_older_is_none(btf: bytes) -> None:
    assert older_types(btf) is None


@pytest.mark.parametrize("kept", range(0, 60, 4))
def test_types_that_are_cut_do_no_harm(kept: int) -> None:
    builder = BtfBuilder(sys.byteorder)
    builder.raw(Kind.FLOAT, "double", value=8)
    builder.struct("s", 8, [("member", 1, 0)])
    older_types(builder.build()[:kept])


def test_a_kind_that_nobody_knows_is_left_to_the_kernel() -> None:
    builder = BtfBuilder(sys.byteorder)
    builder.raw(31, "new")
    assert older_types(builder.build()) is None
