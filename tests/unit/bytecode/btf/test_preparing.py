"""Types of an object made acceptable to a kernel, with every id kept."""

import pytest
from tests.builders.btf import BtfBuilder, ByteOrder

from skep.bytecode.btf.preparing import DataSection, prepare_btf
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.btf.types import Kind, SectionVariable

ORDERS: tuple[ByteOrder, ...] = ("little", "big")


def prepared(builder: BtfBuilder, **sections: DataSection) -> TypeTable:
    """Prepared; ``_data`` is for ``.data``."""
    original = read_btf(builder.build(), builder.byteorder)
    named = {name.replace("_", "."): section for name, section in sections.items()}
    return read_btf(prepare_btf(original, named), builder.byteorder)


@pytest.mark.parametrize("order", ORDERS)
def test_sections_get_sizes_and_places(order: ByteOrder) -> None:
    builder = BtfBuilder(order)
    number = builder.integer()
    one, two = builder.variable("one", number), builder.variable("two", number)
    section = builder.datasec(".data", [(one, 0, 4), (two, 0, 0)])
    types = prepared(builder, _data=DataSection(12, {"one": 8, "two": 0}))
    found = types.type(section)
    assert (found.kind, found.name, found.size) == (Kind.DATASEC, ".data", 12)
    assert found.variables == (SectionVariable(two, 0, 4), SectionVariable(one, 8, 4))


def test_other_sections_become_nothing_and_ids_stay() -> None:
    builder = BtfBuilder()
    number = builder.integer()
    maps = builder.datasec(".maps", [(builder.variable("m", number), 0, 4)])
    behind = builder.struct("behind", 4, [("a", number, 0)])
    types = prepared(builder)
    assert (types.type(maps).kind, types.type(maps).name) == (Kind.PTR, "")
    assert types.type(behind).name == "behind"
    assert len(types) == len(builder.types) + 1


def test_externs_become_names_without_meaning() -> None:
    builder = BtfBuilder()
    number = builder.integer()
    variable = builder.raw(Kind.VAR, "CONFIG_HZ", value=number, tail=[2])
    function = builder.function("bpf_kfunc", linkage=2)
    builder.datasec(".kconfig", [(variable, 0, 4)])
    types = prepared(builder)
    for each, name in ((variable, "CONFIG_HZ"), (function, "bpf_kfunc")):
        found = types.type(each)
        assert (found.kind, found.name, found.refers_to) == (Kind.TYPEDEF, name, 0)


def test_tags_of_what_became_a_name_may_not_point_into_it() -> None:
    builder = BtfBuilder()
    function = builder.function("bpf_kfunc", linkage=2)
    whole = builder.raw(Kind.DECL_TAG, "tag", value=function, tail=[-1])
    part = builder.raw(Kind.DECL_TAG, "tag", value=function, tail=[0])
    own = builder.raw(Kind.DECL_TAG, "tag", value=builder.function("mine"), tail=[0])
    types = prepared(builder)
    kinds = [types.type(each).kind for each in (whole, part, own)]
    assert kinds == [Kind.DECL_TAG, Kind.PTR, Kind.DECL_TAG]


@pytest.mark.parametrize(
    ("size", "places", "kept"),
    [
        pytest.param(8, {"one": 0, "two": 2}, ["one"], id="overlapping"),
        pytest.param(6, {"one": 0, "two": 4}, ["one"], id="beyond-the-end"),
        pytest.param(8, {"two": 4}, ["two"], id="without-place"),
        pytest.param(8, {"one": 0, "two": 4, "three": 8}, ["one", "two"], id="unknown-name"),
    ],
)
def test_variables_that_are_not_where_they_could_be_are_left_out(
    size: int, places: dict[str, int], kept: list[str]
) -> None:
    builder = BtfBuilder()
    number = builder.integer()
    entries = [(builder.variable(name, number), 0, 4) for name in ("one", "two")]
    section = builder.datasec(".bss", entries)
    types = prepared(builder, _bss=DataSection(size, places))
    names = [types.type(each.type_id).name for each in types.type(section).variables]
    assert names == kept


def test_a_section_of_which_nothing_is_left_becomes_nothing() -> None:
    builder = BtfBuilder()
    section = builder.datasec(".bss", [(builder.variable("one", builder.integer()), 0, 4)])
    assert prepared(builder, _bss=DataSection(2, {"one": 0})).type(section).kind is Kind.PTR


def test_preparing_twice_changes_nothing() -> None:
    builder = BtfBuilder()
    builder.datasec(".data", [(builder.variable("one", builder.integer()), 0, 0)])
    sections = {".data": DataSection(4, {"one": 0})}
    once = prepare_btf(read_btf(builder.build(), "little"), sections)
    assert prepare_btf(read_btf(once, "little"), sections) == once


@pytest.mark.parametrize("order", ORDERS)
def test_hidden_functions_become_static(order: ByteOrder) -> None:
    builder = BtfBuilder(order)
    hidden, shown = builder.function("hidden"), builder.function("shown")
    original = read_btf(builder.build(), order)
    types = read_btf(prepare_btf(original, {}, {hidden}), order)
    assert [types.type(each).linkage for each in (hidden, shown)] == [0, 1]
    assert types.type(hidden).refers_to == original.type(hidden).refers_to
