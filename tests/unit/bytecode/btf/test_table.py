"""BTF types: what is read, and what is refused."""

import struct

import pytest
from tests.builders.btf import BtfBuilder, ByteOrder

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Enumerator, Kind, Parameter, SectionVariable, StructMember

ORDERS: tuple[ByteOrder, ...] = ("little", "big")


@pytest.mark.parametrize("order", ORDERS)
def test_every_kind_is_read(order: ByteOrder) -> None:
    builder = BtfBuilder(order)
    integer = builder.raw(Kind.INT, "short", value=2, tail=[1 << 24 | 3 << 16 | 13])
    pointer = builder.pointer(integer)
    array = builder.array(integer, 7)
    struct_id = builder.struct("pair", 8, [("left", integer, 0), ("right", pointer, 32)])
    bits = builder.struct("bits", 4, [("flag", integer, 5 << 24 | 3)], flag=True)
    signed = builder.enum("sign", [("MINUS", -1), ("ONE", 1)], signed=True)
    wide = builder.enum64("wide", [("HUGE", 1 << 40)])
    negative = builder.enum64("negative", [("MINUS", -2)], signed=True)
    forward = builder.raw(Kind.FWD, "later", flag=True)
    typedef = builder.modifier(Kind.TYPEDEF, integer, "u13")
    prototype = builder.raw(
        Kind.FUNC_PROTO, count=1, value=integer, tail=[builder.string("a"), pointer]
    )
    function = builder.raw(Kind.FUNC, "call_me", count=2, value=prototype)
    variable = builder.variable("counter", integer)
    section = builder.datasec(".data", [(variable, 4, 2)], size=8)
    real = builder.raw(Kind.FLOAT, "double", value=8)
    tag = builder.raw(Kind.DECL_TAG, "mark", value=struct_id, tail=[1])

    types = read_btf(builder.build(), order)

    assert len(types) == 17
    found = types.type(integer)
    assert (found.encoding, found.bit_offset, found.bits, found.size) == (1, 3, 13, 2)
    assert types.type(pointer).refers_to == integer
    assert (types.type(array).refers_to, types.type(array).elements) == (integer, 7)
    assert types.type(struct_id).members == (
        StructMember("left", integer, 0),
        StructMember("right", pointer, 32),
    )
    assert types.type(bits).members == (StructMember("flag", integer, 3, 5),)
    assert types.type(signed).enumerators == (Enumerator("MINUS", -1), Enumerator("ONE", 1))
    assert types.type(wide).enumerators == (Enumerator("HUGE", 1 << 40),)
    assert types.type(negative).enumerators == (Enumerator("MINUS", -2),)
    assert types.type(forward).is_flagged
    assert types.type(typedef).name == "u13"
    assert types.type(prototype).parameters == (Parameter("a", pointer),)
    assert types.type(function).linkage == 2
    assert types.type(variable).linkage == 1
    assert types.type(section).variables == (SectionVariable(variable, 4, 2),)
    assert types.type(real).size == 8
    assert (types.type(tag).refers_to, types.type(tag).component) == (struct_id, 1)
    assert types.find("pair", Kind.STRUCT) == (struct_id,)
    assert types.find("pair", Kind.UNION) == ()
    assert types.kind(struct_id) is Kind.STRUCT
    assert [each.type_id for each in types] == list(range(1, 17))


def test_void_is_type_0() -> None:
    types = read_btf(BtfBuilder().build(), "little")
    assert types.type(0).kind is Kind.VOID
    assert types.kind(0) is Kind.VOID


@pytest.mark.parametrize("order", ORDERS)
def test_the_byte_order_may_not_differ_from_the_files(order: ByteOrder) -> None:
    with pytest.raises(MalformedBtf, match="magic"):
        read_btf(BtfBuilder("big" if order == "little" else "little").build(), order)


def _changed(offset: int, layout: str, value: int) -> bytes:
    builder = BtfBuilder()
    builder.integer()
    data = bytearray(builder.build())
    struct.pack_into(layout, data, offset, value)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(BtfBuilder().build()[:23], id="half-a-header"),
        pytest.param(_changed(2, "<B", 9), id="version-9"),
        pytest.param(_changed(4, "<I", 8), id="short-header"),
        pytest.param(_changed(4, "<I", 1 << 30), id="long-header"),
        pytest.param(_changed(12, "<I", 1 << 31), id="types-outside"),
        pytest.param(_changed(12, "<I", 15), id="half-a-type"),
        pytest.param(_changed(20, "<I", 1 << 31), id="strings-outside"),
        pytest.param(_changed(20, "<I", 3), id="strings-without-end"),
        pytest.param(_changed(28, "<I", 0), id="kind-0"),
        pytest.param(_changed(28, "<I", 20 << 24), id="kind-20"),
        pytest.param(_changed(28, "<I", 4 << 24 | 0xFFFF), id="more-members-than-bytes"),
    ],
)
def test_reading_refuses(data: bytes) -> None:
    with pytest.raises(MalformedBtf):
        read_btf(data, "little")


def test_asking_refuses_ids_and_names_that_are_not_there() -> None:
    builder = BtfBuilder()
    wild_pointer = builder.pointer(99)
    wild_member = builder.struct("s", 4, [("x", 77, 0)])
    wild_name = builder.raw(Kind.FLOAT, value=4)
    builder.types[-1] = struct.pack("<III", 5000, Kind.FLOAT << 24, 4)
    types = read_btf(builder.build(), "little")
    for type_id in (wild_pointer, wild_member, wild_name, 4, 1 << 31, -1):
        with pytest.raises(MalformedBtf):
            types.type(type_id)


@pytest.mark.parametrize(
    "name", ["\x1b[31mred", "line\nbreak", "n" * 1025], ids=["escape", "newline", "long"]
)
def test_names_that_would_harm_a_terminal_are_refused(name: str) -> None:
    builder = BtfBuilder()
    type_id = builder.integer(name)
    types = read_btf(builder.build(), "little")
    with pytest.raises(MalformedBtf, match="name"):
        types.type(type_id)


def test_text_for_people_never_fails() -> None:
    builder = BtfBuilder()
    offset = builder.string("int x;\t// é")
    types = read_btf(builder.build(), "little")
    assert types.text(offset) == "int x;\t// é"
    assert types.text(1 << 20) == ""


def test_a_declaration_tag_may_hold_any_text() -> None:
    builder = BtfBuilder()
    number = builder.integer("int")
    builder.raw(Kind.DECL_TAG, "a line\nand another", value=number, tail=[0xFFFF_FFFF])
    table = read_btf(builder.build(), "little")
    assert [each.name for each in table if each.kind == Kind.DECL_TAG] == ["a line\nand another"]
    assert table.find("a line\nand another", Kind.DECL_TAG)
