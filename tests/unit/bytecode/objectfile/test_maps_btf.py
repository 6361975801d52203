"""Maps described by types."""

import struct
from collections.abc import Callable

import pytest
from tests.builders.btf import BtfBuilder, ByteOrder
from tests.builders.elf import ALLOCATED, OBJECT, minimal

from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.elf import PROGBITS, SYMBOL_TABLE
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.bytecode.objectfile.reading import read_object

Members = Callable[[BtfBuilder], list[tuple[str, int, int]]]


def _object(members: Members, order: ByteOrder = "little", *, declare: bool = True) -> bytes:
    types = BtfBuilder(order)
    laid_out = members(types)
    struct = types.struct("", 8 * len(laid_out), laid_out)
    # As compilers leave it: no size and no offsets in the DATASEC.
    if declare:
        types.datasec(".maps", [(types.variable("table", struct), 0, 0)])
    builder = minimal(order)
    builder.section(".BTF", types.build())
    maps = builder.section(".maps", bytes(96), flags=ALLOCATED)
    builder.symbol("table", maps, 32, size=64, kind=OBJECT)
    return builder.build()


def _read(members: Members, order: ByteOrder = "little") -> MapSpec:
    (spec,) = read_object(_object(members, order)).maps
    return spec


def _usual(types: BtfBuilder) -> list[tuple[str, int, int]]:
    key = types.modifier(Kind.TYPEDEF, types.integer("unsigned int"), "u32")
    value = types.struct("value", 24, [])
    return [
        ("type", types.number(1), 0),
        ("max_entries", types.number(10), 64),
        ("map_flags", types.number(3), 128),
        ("pinning", types.number(1), 192),
        ("numa_node", types.number(0), 256),
        ("key", types.pointer(key), 320),
        ("value", types.pointer(value), 384),
    ]


@pytest.mark.parametrize("order", ["little", "big"])
def test_sizes_come_from_types_and_offsets_from_symbols(order: ByteOrder) -> None:
    spec = _read(_usual, order)
    assert (spec.name, spec.map_type, spec.max_entries, spec.flags) == ("table", 1, 10, 3)
    assert (spec.key_size, spec.value_size, spec.pinning, spec.numa_node) == (4, 24, 1, 0)
    assert spec.key_type_id
    assert spec.value_type_id


def test_numbers_may_be_enumerators() -> None:
    spec = _read(
        lambda types: [
            ("type", types.enum("", [("a", 30)]), 0),
            ("map_extra", types.enum64("", [("b", 1 << 40)]), 64),
            ("value_size", types.number(8), 128),
        ]
    )
    assert (spec.map_type, spec.extra, spec.key_size, spec.value_size) == (30, 1 << 40, 0, 8)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param(lambda _: [], "'type'", id="no-type"),
        pytest.param(lambda _: [("type", 0, 0)], "a number", id="no-number"),
        pytest.param(lambda t: [("type", t.pointer(0), 0)], "a number", id="pointer-to-void"),
        pytest.param(
            lambda t: [("type", t.enum("", [("a", -1)], signed=True), 0)], "a number", id="negative"
        ),
        pytest.param(lambda t: [*_usual(t), ("colour", 1, 448)], "not understood", id="unknown"),
        pytest.param(
            lambda t: [*_usual(t), ("key_size", t.number(8), 448)], "4 bytes by its", id="two-sizes"
        ),
        pytest.param(
            lambda t: [("type", t.number(1), 0), ("key", t.pointer(0), 64)], "a type", id="void-key"
        ),
        pytest.param(
            lambda t: [("type", t.number(1), 0), ("values", t.integer(), 64)], "array", id="values"
        ),
        pytest.param(
            lambda t: [
                ("type", t.number(1), 0),
                ("values", t.array(t.pointer(t.integer()), 0), 64),
            ],
            "maps or functions",
            id="values-of-numbers",
        ),
    ],
)
def test_reading_refuses(members: Members, reason: str) -> None:
    with pytest.raises(MalformedObject, match=reason):
        read_object(_object(members))


def test_pinning_that_one_loader_invented_is_read_remarked_and_not_linked() -> None:
    result = read_object(
        _object(
            lambda types: [
                ("type", types.number(2), 0),
                ("max_entries", types.number(1), 64),
                ("pinning", types.number(16), 128),
            ]
        )
    )
    assert result.maps[0].pinning == 16
    assert result.remarks == ("map table: pinning 16 is not understood",)
    with pytest.raises(CannotLink, match="pinning 16"):
        link(result, None, LinkSettings())


def test_a_map_that_no_type_describes_is_refused() -> None:
    with pytest.raises(MalformedObject, match="description of map 'table'"):
        read_object(_object(_usual, declare=False))


def test_maps_without_types_at_all_are_refused() -> None:
    builder = minimal()
    builder.section(".maps", bytes(32), flags=ALLOCATED)
    with pytest.raises(MalformedObject, match="expected types") as caught:
        read_object(builder.build())
    assert "compile it with -g" in caught.value.hint
    assert "stripped" not in caught.value.hint


def test_that_an_object_was_stripped_is_said() -> None:
    builder = minimal()
    builder.section(".maps", bytes(32), flags=ALLOCATED)
    data = bytearray(builder.build())
    start, count = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<H", data, 60)[0]
    for header in range(start, start + 64 * count, 64):
        if struct.unpack_from("<I", data, header + 4)[0] == SYMBOL_TABLE:
            struct.pack_into("<I", data, header + 4, PROGBITS)
    with pytest.raises(MalformedObject, match="expected types") as caught:
        read_object(bytes(data))
    assert "llvm-strip -g" in caught.value.hint


def _nested(deeper: bool) -> bytes:  # noqa: FBT001 - two shapes of one object
    types = BtfBuilder()
    inner_members = [("type", types.number(2), 0), ("max_entries", types.number(1), 64)]
    if deeper:
        inner_members.append(
            ("values", types.array(types.pointer(types.struct("", 0, [])), 0), 128)
        )
    inner = types.struct("inner", 16, inner_members)
    members = [
        ("type", types.number(12), 0),
        ("key_size", types.number(4), 64),
        ("values", types.array(types.pointer(inner), 0), 128),
    ]
    types.datasec(
        ".maps",
        [
            (types.variable("outer", types.struct("", 16, members)), 0, 0),
            (types.variable("one", inner), 0, 0),
        ],
    )
    builder = minimal()
    builder.section(".BTF", types.build())
    maps = builder.section(".maps", bytes(64), flags=ALLOCATED)
    builder.symbol("outer", maps, 0, size=40, kind=OBJECT)
    one = builder.symbol("one", maps, 40, size=16, kind=OBJECT)
    builder.relocate(maps, 16 + 8, one, 2)
    return builder.build()


def test_a_map_of_maps_has_a_template_and_initial_entries() -> None:
    result: ObjectFile = read_object(_nested(deeper=False))
    outer = result.maps[0]
    assert outer.inner is not None
    assert (outer.inner.map_type, outer.inner.max_entries) == (2, 1)
    assert (outer.value_size, outer.initial) == (4, ((1, "one"),))


def test_maps_of_maps_of_maps_are_refused() -> None:
    with pytest.raises(MalformedObject, match="hold no maps"):
        read_object(_nested(deeper=True))
