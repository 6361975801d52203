"""Programs linked for a kernel: types, targets, poisons, functions and configuration put in."""

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.kernels import bare_kernel, kernel, moved_kernel
from tests.builders.objects import fixture

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.codes import LDDW, POISON, PSEUDO_FUNCTION, PSEUDO_MAP_INDEX_VALUE
from skep.bytecode.linking.errors import CannotLink
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.needs import needs_kernel_types, used_externs
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.errors import Unsupported

MOVED, BARE = kernel(moved_kernel()), kernel(bare_kernel())


def with_function(*names: str) -> KernelTypes:
    builder = BtfBuilder()
    for name in names:
        builder.function(name)
    return KernelTypes.build(builder.build())


def linked(name: str, program: str, types: KernelTypes, **settings: object) -> LoadPlan:
    chosen = LinkSettings(programs=frozenset({program}), **settings)  # type: ignore[arg-type]
    return link(fixture(name), types, chosen)


def test_a_field_is_read_where_this_kernel_has_it() -> None:
    (found,) = linked("core", "reads_task", MOVED).programs
    assert found.instructions[0].offset == 2048 + 12
    assert found.poisons == ()


def test_what_the_kernel_lacks_is_poisoned_and_named_with_its_slot() -> None:
    (found,) = linked("core_kinds", "offset_of_nothing", MOVED).programs
    (poison,) = found.poisons
    assert poison.path == "task_struct.never_there"
    assert found.instructions[poison.slot].immediate == POISON


def test_functions_of_the_kernel_are_called_by_id_and_missing_weak_ones_are_poisoned() -> None:
    types = with_function("bpf_rcu_read_lock")
    (found,) = linked("kfunc", "calls", types).programs
    calls = [each for each in found.instructions if each.opcode == 0x85]
    assert [(each.src, each.immediate) for each in calls] == [(2, 2), (0, POISON)]
    (poison,) = found.poisons
    assert (poison.path, poison.kind) == ("bpf_rcu_read_unlock", "KERNEL_FUNCTION")


def test_functions_that_must_be_there_are_asked_for_by_name() -> None:
    with pytest.raises(CannotLink, match="no function bpf_rcu_read_lock"):
        linked("kfunc", "calls", BARE)


def test_configuration_is_a_map_behind_the_others_for_programs_that_ask() -> None:
    plan = linked("kfunc", "configuration", BARE, kernel_config={"CONFIG_HZ": "250"})
    assert plan.maps[-1].name == ".kconfig"
    assert plan.maps[-1].contents[0][1][:4] == (250).to_bytes(4, "little")
    (found,) = plan.programs
    loads = [each for each in found.instructions if each.opcode == LDDW]
    assert [(each.src, each.immediate) for each in loads] == [
        (PSEUDO_MAP_INDEX_VALUE, len(plan.maps) - 1)
    ]
    assert not any(each.name == ".kconfig" for each in linked("kfunc", "neither", BARE).maps)


def test_a_traced_function_is_told_by_its_id() -> None:
    (found,) = linked("sections", "traced", with_function("x", "do_unlinkat")).programs
    assert found.attach_btf_id == 4
    with pytest.raises(CannotLink, match="no do_unlinkat to attach"):
        linked("sections", "traced", BARE)


def test_callbacks_need_the_types_of_every_function() -> None:
    (found,) = linked("callback", "walk", BARE).programs
    assert found.needs_types
    assert [each.slot for each in found.functions] == list(found.subprograms)
    assert any(each.src == PSEUDO_FUNCTION for each in found.instructions)


@pytest.mark.parametrize("program_type", ["TRACING", "LSM", "EXT", "STRUCT_OPS"])
def test_a_stated_type_that_needs_a_target_has_none(program_type: str) -> None:
    with pytest.raises(CannotLink, match=program_type) as caught:
        linked("pass", fixture("pass").programs[0].name, MOVED, program_types={
            fixture("pass").programs[0].name: program_type
        })  # fmt: skip
    assert isinstance(caught.value, Unsupported)


def test_linking_without_and_with_a_kernel_gives_the_same_where_nothing_is_asked() -> None:
    for name in ("pass", "subprograms", "maps", "data"):
        object_file = fixture(name)
        for spec in object_file.programs:
            settings = LinkSettings(programs=frozenset({spec.name}))
            assert link(object_file, None, settings) == link(object_file, BARE, settings)


# Whether a kernel's types are needed at all


@pytest.mark.parametrize(
    ("name", "program", "needs"),
    [
        ("pass", "pass", False),
        ("core", "reads_task", True),
        ("core", "reads_header", False),
        ("core", "reads_nothing", False),
        ("kfunc", "calls", True),
        ("kfunc", "configuration", True),
        ("kfunc", "neither", False),
        ("sections", "traced", True),
        ("callback", "walk", False),
        ("missing_function", "calls", True),
    ],
)
def test_only_programs_that_ask_something_need_a_kernel(
    name: str, program: str, *, needs: bool
) -> None:
    object_file = fixture(name)
    chosen = program if name != "pass" else object_file.programs[0].name
    assert needs_kernel_types(object_file, chosen) is needs
    if not needs:
        assert link(object_file, None, LinkSettings(programs=frozenset({chosen}))).programs


def test_externs_are_those_of_the_program_and_its_subprograms() -> None:
    object_file = fixture("kfunc")
    names = [each.name for each in used_externs(object_file, "calls")]
    assert sorted(names) == ["bpf_rcu_read_lock", "bpf_rcu_read_unlock"]
    assert used_externs(object_file, "neither") == ()
