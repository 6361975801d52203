"""Texts in read-only data, and maps that hold pointers."""

from dataclasses import replace

import pytest
from tests.builders.assembled import hash_map, leave, one_program
from tests.builders.btf import BtfBuilder

from skep.bytecode.analysis.constant_texts import Texts, maps_with_pointers, texts_of
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.constants import is_changeable
from skep.bytecode.objectfile.model import MapSpec, Variable

DATA = b"one\0two %s\0" + b"x" * 100
TEXTS = Texts({".rodata": DATA}, {".rodata": ((4, 11),)})


def test_a_text_ends_at_its_zero() -> None:
    assert TEXTS.text_at(".rodata", 0, 64) == b"one"
    assert TEXTS.text_at(".rodata", 1, 64) == b"ne"


@pytest.mark.parametrize(
    ("section", "offset"),
    [
        pytest.param(".rodata", -1, id="before"),
        pytest.param(".rodata", len(DATA), id="behind"),
        pytest.param(".data", 0, id="another-section"),
        pytest.param(".rodata", 4, id="a-loader-may-change-it"),
        pytest.param(".rodata", 8, id="a-loader-may-change-the-rest-of-it"),
    ],
)
def test_a_text_that_is_not_known(section: str, offset: int) -> None:
    assert TEXTS.text_at(section, offset, 64) is None


def test_a_text_that_is_cut_off_is_not_known() -> None:
    # The attack: the conversion that reads stands behind the part we would look at.
    assert TEXTS.text_at(".rodata", 11, 50) is None
    assert TEXTS.text_at(".rodata", 11, 100) == b"x" * 100


def test_a_section_whose_texts_follow_no_address() -> None:
    assert not Texts({"a": b"%d\0%px"}, {}).may_follow("a")
    assert Texts({"a": b"%d\0%s"}, {}).may_follow("a")
    assert Texts({"a": b"%d"}, {"a": ((0, 2),)}).may_follow("a")
    assert Texts({"a": b"%d"}, {}).may_follow("b")


def with_variable(*, is_volatile: bool) -> tuple[BtfBuilder, Variable]:
    builder = BtfBuilder()
    character = builder.integer("char", size=1)
    array = builder.array(character, 8)
    type_id = builder.modifier(Kind.VOLATILE, array) if is_volatile else array
    builder.variable("format", builder.modifier(Kind.CONST, type_id))
    return builder, Variable("format", ".rodata", 0, 8)


@pytest.mark.parametrize("is_volatile", [True, False])
def test_only_volatile_constants_are_for_loaders_to_change(*, is_volatile: bool) -> None:
    builder, variable = with_variable(is_volatile=is_volatile)
    types = read_btf(builder.build(), "little")
    assert is_changeable(types, variable) == is_volatile
    section = MapSpec(".rodata", 2, 4, 8, 1, 0x80, data=b"%d\0\0\0\0\0\0", origin="data")
    objects = replace(one_program(*leave(0), maps=[section]), types=types, variables=(variable,))
    assert (texts_of(objects).text_at(".rodata", 0, 8) is None) == is_volatile


def test_a_constant_of_unknown_type_is_for_loaders_to_change() -> None:
    assert is_changeable(None, Variable("format", ".rodata", 0, 8))


@pytest.mark.parametrize("is_tagged", [True, False])
def test_maps_whose_values_hold_pointers(*, is_tagged: bool) -> None:
    builder = BtfBuilder()
    task = builder.struct("task_struct", 8, [])
    pointed = builder.modifier(Kind.TYPE_TAG, task, "kptr") if is_tagged else task
    value = builder.struct("value", 8, [("task", builder.pointer(pointed), 0)])
    types = read_btf(builder.build(), "little")
    objects = replace(
        one_program(*leave(0), maps=[replace(hash_map("m"), value_type_id=value), hash_map("n")]),
        types=types,
    )
    assert maps_with_pointers(objects) == (frozenset({"m"}) if is_tagged else frozenset())
