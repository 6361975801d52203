"""Which values the kernel keeps something in."""

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.special_fields import special_fields
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind


def found(builder: BtfBuilder, type_id: int) -> frozenset[str]:
    return special_fields(read_btf(builder.build(), builder.byteorder), type_id)


@pytest.mark.parametrize("name", ["bpf_spin_lock", "bpf_timer", "bpf_wq", "bpf_rb_root"])
def test_a_struct_of_the_kernel_is_found_by_its_name(name: str) -> None:
    builder = BtfBuilder()
    number = builder.integer()
    kept = builder.struct(name, 4, [("value", number, 0)])
    value = builder.struct("value", 8, [("kept", kept, 0), ("count", number, 32)])
    assert found(builder, value) == {name}
    assert found(builder, builder.modifier(Kind.TYPEDEF, value, "alias")) == {name}
    assert found(builder, builder.array(value, 3)) == {name}


def test_it_is_found_in_structs_inside_and_in_sections() -> None:
    builder = BtfBuilder()
    lock = builder.struct("bpf_spin_lock", 4, [("value", builder.integer(), 0)])
    inner = builder.struct("inner", 4, [("lock", lock, 0)])
    outer = builder.struct("outer", 4, [("inner", inner, 0)])
    section = builder.datasec(".bss.private", [(builder.variable("global", outer), 0, 4)])
    assert found(builder, section) == {"bpf_spin_lock"}


@pytest.mark.parametrize("tag", ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"])
def test_a_pointer_is_found_by_its_tag(tag: str) -> None:
    builder = BtfBuilder()
    task = builder.struct("task_struct", 8, [])
    tagged = builder.pointer(builder.modifier(Kind.TYPE_TAG, task, tag))
    assert found(builder, builder.struct("value", 8, [("task", tagged, 0)])) == {tag}


def test_what_a_pointer_points_to_is_not_part_of_the_value() -> None:
    builder = BtfBuilder()
    lock = builder.struct("bpf_spin_lock", 4, [("value", builder.integer(), 0)])
    pointer = builder.pointer(builder.modifier(Kind.TYPE_TAG, lock, "user"))
    assert not found(builder, builder.struct("value", 8, [("lock", pointer, 0)]))
    assert not found(builder, builder.pointer(0))


def test_a_loop_ends() -> None:
    builder = BtfBuilder()
    first = builder.struct("first", 8, [("second", 2, 0)])
    builder.struct("second", 8, [("first", first, 0)])
    assert not found(builder, first)
    assert not found(builder, builder.modifier(Kind.CONST, 3))


def test_a_type_that_is_not_there_is_refused() -> None:
    builder = BtfBuilder()
    value = builder.struct("value", 8, [("missing", 99, 0)])
    with pytest.raises(MalformedBtf):
        found(builder, value)
