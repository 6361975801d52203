"""Objects become load plans, or are refused with the reason."""

from dataclasses import replace

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.elf import (
    EXIT,
    LOCAL,
    OBJECT,
    RETURN_2,
    ElfBuilder,
    licensed,
    load_wide,
    local_call,
    minimal,
)
from tests.builders.objects import fixture

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.codes import PSEUDO_FUNCTION, PSEUDO_MAP_INDEX, PSEUDO_MAP_INDEX_VALUE
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.errors import CannotLink, SettingRequired, UnfitSetting, UnknownName
from skep.bytecode.linking.linking import HAS_FRAGS, SLEEPABLE, link
from skep.bytecode.linking.plan import LoadPlan, MapPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.errors import Unsupported, UsageError, codes


def _link(name: str, **settings: object) -> LoadPlan:
    return link(fixture(name), None, LinkSettings(**settings))  # type: ignore[arg-type]


def _plan(plan: LoadPlan, name: str) -> MapPlan:
    return next(each for each in plan.maps if each.name == name)


# Programs


def test_the_least_program() -> None:
    plan = _link("pass")
    (found,) = plan.programs
    assert plan.maps == ()
    assert (found.program_type, found.attach_type, found.flags, found.licence) == (6, 37, 0, "GPL")
    assert found.subprograms == (0,)
    assert len(found.instructions) == 2


def test_each_program_has_its_own_subprograms_once_and_entry_first() -> None:
    plan = _link("subprograms")
    first, second = plan.program("first"), plan.program("second")
    assert len(first.subprograms) == len(second.subprograms) == 3
    assert first.subprograms[0] == 0
    for found in (first, second):
        targets = {
            slot + 1 + each.immediate
            for slot, each in enumerate(found.instructions)
            if each.opcode == 0x85 and each.src == 1
        }
        assert targets == set(found.subprograms[1:])


def test_a_subprogram_nobody_needs_is_left_out() -> None:
    functions = {each.name: len(each.instructions) for each in fixture("subprograms").functions}
    plan = _link("subprograms")
    needed = functions["second"] + functions["exported"] + functions["inner"]
    assert len(plan.program("second").instructions) == needed


def test_a_call_that_the_compiler_resolved_is_moved_too() -> None:
    found = _link("same_section").program("entry")
    calls = [(slot, each) for slot, each in enumerate(found.instructions) if each.opcode == 0x85]
    assert [slot + 1 + each.immediate for slot, each in calls] == [found.subprograms[1]] * 2


def test_the_address_of_a_function_becomes_a_distance() -> None:
    found = _link("callback").program("walk")
    slot = next(slot for slot, each in enumerate(found.instructions) if each.opcode == 0x18)
    load = found.instructions[slot]
    assert load.src == PSEUDO_FUNCTION
    assert slot + 1 + load.immediate == found.subprograms[1]


def test_functions_that_call_each_other_are_laid_out_once() -> None:
    builder = licensed()
    text = builder.code(".text", [local_call(1), EXIT, local_call(-3), EXIT])
    code = builder.code("xdp", [local_call(), EXIT])
    builder.symbol("a", text, 0, binding=LOCAL)
    builder.symbol("b", text, 16, binding=LOCAL)
    builder.symbol("prog", code)
    builder.relocate(code, 0, 1, 10)
    (found,) = link(read_object(builder.build()), None, LinkSettings()).programs
    assert found.subprograms == (0, 2, 4)
    assert [found.instructions[slot].immediate for slot in (0, 2, 4)] == [1, 1, -3]


def test_optional_programs_are_linked_only_if_named() -> None:
    assert [each.name for each in _link("maps").programs] == ["count"]
    plan = _link("maps", programs=frozenset({"names_events"}))
    assert [each.name for each in plan.programs] == ["names_events"]


def test_nothing_chosen_gives_maps_only() -> None:
    plan = _link("maps", programs=frozenset())
    assert plan.programs == ()
    assert len(plan.maps) == 3


def test_sections_give_flags() -> None:
    chosen = frozenset({"frags", "sleepable", "optional"})
    plan = _link("sections", programs=chosen)
    assert plan.program("frags").flags == HAS_FRAGS
    assert plan.program("sleepable").flags == SLEEPABLE
    assert plan.program("optional").attach_type == 46


def test_a_stated_type_wins_over_the_section() -> None:
    chosen = frozenset({"numeric", "conventional", "optional"})
    types = {"numeric": "XDP", "conventional": "SCHED_CLS", "optional": "XDP"}
    plan = _link("sections", programs=chosen, program_types=types)
    found = [(each.name, each.program_type, each.attach_type) for each in plan.programs]
    assert found == [("conventional", 3, 0), ("numeric", 6, 37), ("optional", 6, 37)]


def test_the_attach_type_of_the_hook_wins_over_the_section() -> None:
    chosen = frozenset({"conventional", "optional"})
    plan = _link("sections", programs=chosen, attach_types=dict.fromkeys(chosen, "TCX_EGRESS"))
    assert [each.attach_type for each in plan.programs] == [47, 47]


def test_an_attach_type_the_kernel_does_not_have() -> None:
    with pytest.raises(UnknownName, match="expected an attach type"):
        _link("pass", attach_types={"pass": "TCX"})
    with pytest.raises(UnknownName, match="'fail'"):
        _link("pass", attach_types={"fail": "XDP"})


def test_a_section_that_tells_no_type_needs_one() -> None:
    with pytest.raises(SettingRequired, match="may be SCHED_CLS"):
        _link("sections", programs=frozenset({"numeric"}))
    with pytest.raises(SettingRequired, match="does not tell"):
        _link("only_text")
    assert _link("only_text", program_types={"entry": "XDP"}).program("entry").program_type == 6


def test_types_that_need_a_kernel_are_refused() -> None:
    with pytest.raises(CannotLink, match="fentry/do_unlinkat"):
        _link("sections", programs=frozenset({"traced"}))
    for name in ("TRACING", "LSM", "EXT", "STRUCT_OPS"):
        with pytest.raises(CannotLink, match=name):
            _link("pass", program_types={"pass": name})


@pytest.mark.parametrize(
    "settings",
    [
        {"programs": frozenset({"nothing"})},
        {"program_types": {"nothing": "XDP"}},
        {"program_types": {"count": "xdp"}},
        {"max_entries": {"nothing": 1}},
        {"variables": {"nothing": b""}},
    ],
)
def test_unknown_names_are_refused_with_those_there_are(settings: dict[str, object]) -> None:
    with pytest.raises(UnknownName) as caught:
        _link("maps", **settings)
    assert isinstance(caught.value, UsageError)
    assert caught.value.hint


# Licence


def test_no_licence_needs_a_setting() -> None:
    with pytest.raises(SettingRequired, match="licence") as caught:
        _link("no_licence")
    assert codes(caught.value).exit_code == 2
    assert _link("no_licence", licence="GPL").programs[0].licence == "GPL"


def test_a_declared_licence_cannot_be_replaced() -> None:
    # Otherwise whoever loads a proprietary program could give it helpers under the GPL.
    with pytest.raises(UnfitSetting, match="cannot replace"):
        _link("data", licence="GPL")
    assert _link("pass", licence="GPL").programs


# Maps


def test_maps_are_named_by_index_in_order_of_the_object() -> None:
    plan = _link("maps")
    assert [each.name for each in plan.maps] == ["counters", "seen", "events"]
    loads = [each for each in plan.programs[0].instructions if each.opcode == 0x18 and each.src]
    assert [(each.src, each.immediate) for each in loads] == [
        (PSEUDO_MAP_INDEX, 0),
        (PSEUDO_MAP_INDEX, 1),
    ]
    assert _plan(plan, "seen").pinned_by_name
    assert (_plan(plan, "seen").key_size, _plan(plan, "seen").value_size) == (8, 24)


def test_perf_event_arrays_have_room_for_every_cpu() -> None:
    assert _plan(_link("maps", possible_cpus=6), "events").max_entries == 6
    assert _plan(_link("maps", max_entries={"events": 3}), "events").max_entries == 3
    assert _plan(_link("maps"), "events").max_entries == 8192


def test_a_size_that_is_left_open_must_be_stated() -> None:
    with pytest.raises(SettingRequired, match="flows"):
        _link("open_size")
    assert _plan(_link("open_size", max_entries={"flows": 5}), "flows").max_entries == 5


@pytest.mark.parametrize("entries", [0, -1, 1 << 32])
def test_impossible_sizes_are_refused(entries: int) -> None:
    with pytest.raises(UnfitSetting):
        _link("open_size", max_entries={"flows": entries})


def test_data_maps_cannot_be_sized() -> None:
    with pytest.raises(UnknownName):
        _link("data", max_entries={".data": 2})


def test_data_maps_carry_content_and_constants_are_frozen() -> None:
    plan = _link("data")
    constants = _plan(plan, ".rodata")
    assert (constants.flags, constants.frozen) == (0x80, True)
    assert constants.contents == ((bytes(4), b"\x64\0\0\0\1\2\3\4\5\6"),)
    assert _plan(plan, ".rodata.odd").frozen
    assert not _plan(plan, ".data").frozen
    assert _plan(plan, ".data").contents[0][1] == b"\7\0\0\0\5\0\0\0"
    assert _plan(plan, ".bss").contents == ()


def test_addresses_of_variables_are_offsets_in_maps() -> None:
    plan = _link("data")
    indexes = {each.name: index for index, each in enumerate(plan.maps)}
    instructions = plan.programs[0].instructions
    found = {
        (each.immediate, instructions[slot + 1].immediate)
        for slot, each in enumerate(instructions)
        if each.opcode == 0x18 and each.src == PSEUDO_MAP_INDEX_VALUE
    }
    assert (indexes[".rodata"], 4) in found
    assert (indexes[".bss"], 0) in found


def test_variables_are_set_where_they_are() -> None:
    values = {"limit": b"\1\2\3\4", "packets": b"\xff" * 8, ".data:hidden": b"\0\0\0\1"}
    plan = _link("data", variables=values)
    assert _plan(plan, ".rodata").contents[0][1] == b"\1\2\3\4\1\2\3\4\5\6"
    assert _plan(plan, ".bss").contents[0][1] == b"\xff" * 8
    assert _plan(plan, ".data").contents[0][1] == b"\7\0\0\0\0\0\0\1"


@pytest.mark.parametrize("value", [b"", b"\0" * 3, b"\0" * 5])
def test_a_value_must_be_as_long_as_its_variable(value: bytes) -> None:
    with pytest.raises(UnfitSetting, match="4 bytes"):
        _link("data", variables={"limit": value})


@pytest.mark.parametrize(
    "modifiers", [[Kind.VOLATILE, Kind.CONST], [Kind.CONST]], ids=["volatile", "not-volatile"]
)
def test_a_constant_the_compiler_used_is_not_changed(modifiers: list[Kind]) -> None:
    types = BtfBuilder()
    of = types.integer()
    for modifier in modifiers:
        of = types.modifier(modifier, of)
    types.variable("limit", of)
    builder = minimal()
    number = builder.data(".rodata", bytes(4))
    builder.symbol("limit", number, size=4, kind=OBJECT)
    made = replace(read_object(builder.build()), types=read_btf(types.build(), "little"))
    settings = LinkSettings(variables={"limit": b"\1\2\3\4"})
    if Kind.VOLATILE in modifiers:
        assert _plan(link(made, None, settings), ".rodata").contents[0][1][:4] == b"\1\2\3\4"
    else:
        with pytest.raises(UnfitSetting, match="used its value") as caught:
            link(made, None, settings)
        assert "const volatile" in caught.value.hint


def test_two_variables_of_one_name_need_their_section() -> None:
    builder = minimal()
    for section in (".data", ".rodata"):
        number = builder.data(section, bytes(4))
        builder.symbol("same", number, size=4, kind=OBJECT, binding=LOCAL)
    result = read_object(builder.build())
    with pytest.raises(UnknownName, match="2 are called 'same'") as caught:
        link(result, None, LinkSettings(variables={"same": b"\1\1\1\1"}))
    assert ".rodata:same" in caught.value.hint
    plan = link(result, None, LinkSettings(variables={".rodata:same": b"\1\1\1\1"}))
    assert _plan(plan, ".data").contents == ()
    assert _plan(plan, ".rodata").contents[0][1] == b"\1\1\1\1"


def test_maps_of_maps_are_refused_where_nobody_would_fill_them() -> None:
    with pytest.raises(CannotLink, match="holds other maps"):
        _link("maps_of_maps")


def test_what_a_map_asks_for_beyond_its_flags_is_kept() -> None:
    assert [each.extra for each in _link("map_extra").maps] == [3]


def test_legacy_maps_are_linked_like_others() -> None:
    assert [each.max_entries for each in _link("legacy_maps").maps] == [64, 2]


# What is not in the object


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("calls", "kernel function bpf_rcu_read_lock"),
        ("variable", "kernel variable bpf_prog_active"),
        ("configuration", "kernel configuration CONFIG_HZ"),
    ],
)
def test_externs_are_refused_with_the_reason(program: str, reason: str) -> None:
    with pytest.raises(CannotLink, match=reason) as caught:
        _link("kfunc", programs=frozenset({program}))
    assert isinstance(caught.value, Unsupported)


def test_externs_of_other_programs_do_not_matter() -> None:
    assert _link("kfunc", programs=frozenset({"neither"})).programs


def test_a_function_that_is_nowhere_is_refused() -> None:
    with pytest.raises(CannotLink, match=r"elsewhere.*loads nowhere"):
        _link("missing_function")


def test_records_that_must_be_applied_are_refused_by_type_and_function() -> None:
    with pytest.raises(CannotLink, match=r"function reads_task.*task_struct, access 0:1"):
        _link("core", programs=frozenset({"reads_task"}))


def test_records_of_packet_headers_and_of_other_programs_do_not_matter() -> None:
    chosen = frozenset({"reads_header", "reads_nothing"})
    assert len(_link("core", programs=chosen).programs) == 2


def test_the_other_byte_order_is_read_but_not_linked() -> None:
    result = read_object(minimal("big").build())
    with pytest.raises(CannotLink, match="big-endian"):
        link(result, None, LinkSettings())
    assert link(result, None, LinkSettings(byteorder="big")).programs


# Hostile code


def _linked(builder: ElfBuilder) -> LoadPlan:
    return link(read_object(builder.build()), None, LinkSettings())


@pytest.mark.parametrize(
    "jump",
    [
        pytest.param(Instruction(0x05, offset=2), id="forward"),
        pytest.param(Instruction(0x05, offset=-2), id="backward"),
        pytest.param(Instruction(0x15, 1, 0, 300, 5), id="conditional"),
        pytest.param(Instruction(0x06, immediate=1 << 30), id="far"),
        pytest.param(Instruction(0x16, 1, 0, -300, 5), id="32-bit"),
        pytest.param(Instruction(0xE5, offset=100), id="may-goto"),
        pytest.param(Instruction(0x0D), id="indirect"),
    ],
)
def test_jumps_out_of_their_function_are_refused(jump: Instruction) -> None:
    # In a plan, another function or another member of a chain stands there.
    builder = licensed()
    code = builder.code("xdp", [jump, *RETURN_2, *RETURN_2])
    builder.symbol("prog", code, 0)
    builder.symbol("next", code, 24)
    with pytest.raises(CannotLink, match="jump"):
        _linked(builder)


@pytest.mark.parametrize("source", [1, 2, 3, 5, 6, 7])
def test_loads_that_name_a_descriptor_or_index_by_number_are_refused(source: int) -> None:
    # Descriptor 5 of whoever loads the program may be the map of somebody else.
    builder = licensed()
    builder.code("xdp", [*load_wide(1, 5, source), *RETURN_2])
    with pytest.raises(CannotLink, match="by its number"):
        _linked(builder)


@pytest.mark.parametrize("source", [2, 3])
def test_calls_by_number_are_refused(source: int) -> None:
    builder = licensed()
    builder.code("xdp", [Instruction(0x85, 0, source, 0, 1234), *RETURN_2])
    with pytest.raises(CannotLink, match="by its number"):
        _linked(builder)


def test_jumps_inside_their_function_are_fine() -> None:
    builder = licensed()
    jumps = [Instruction(0x05), Instruction(0x06), Instruction(0x15, 1, 0, -3, 5)]
    builder.code("xdp", [*jumps, *RETURN_2])
    assert _linked(builder).programs


@pytest.mark.parametrize("offset", [-8, 1 << 29, 1 << 40])
def test_addresses_far_from_their_section_are_refused(offset: int) -> None:
    builder = licensed()
    data = builder.data(".data", bytes(8))
    code = builder.code("xdp", [*load_wide(value=offset), EXIT])
    builder.relocate(code, 0, builder.symbol("", data, kind=3, binding=LOCAL))
    with pytest.raises(CannotLink, match=r"inside \.data"):
        _linked(builder)


def test_setting_a_variable_of_a_huge_section_is_refused() -> None:
    builder = minimal()
    bss = builder.section(".bss", b"", kind=8, flags=2, size=1 << 31)
    builder.symbol("far", bss, 1 << 30, size=4, kind=OBJECT)
    result = read_object(builder.build())
    with pytest.raises(CannotLink, match="at most"):
        link(result, None, LinkSettings(variables={"far": b"\1\1\1\1"}))
    assert link(result, None, LinkSettings()).maps[0].contents == ()


def test_linking_is_repeatable() -> None:
    assert _link("subprograms") == _link("subprograms")
