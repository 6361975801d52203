"""What compilers and loaders of fifteen years have left in objects, one at a time."""

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.elf import (
    ALLOCATED,
    EXIT,
    GLOBAL,
    LOCAL,
    NOTYPE,
    OBJECT,
    RETURN_2,
    SECTION,
    WEAK,
    ByteOrder,
    ElfBuilder,
    call,
    licensed,
    load_wide,
    local_call,
    minimal,
)
from tests.builders.objects import function, map_spec, program

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import Relocation
from skep.bytecode.objectfile.reading import read_object

ORDERS: tuple[ByteOrder, ...] = ("little", "big")
both_orders = pytest.mark.parametrize("order", ORDERS)


# Symbols


@both_orders
def test_functions_without_type_are_found_if_they_are_global(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("xdp", [*RETURN_2, *RETURN_2])
    builder.symbol("one", code, kind=NOTYPE)
    builder.symbol("two", code, 16, kind=NOTYPE)
    result = read_object(builder.build())
    assert [program.name for program in result.programs] == ["one", "two"]
    assert [len(found.instructions) for found in result.functions] == [2, 2]


@both_orders
def test_labels_of_basic_blocks_are_no_functions(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("xdp", [*RETURN_2, *RETURN_2])
    builder.symbol("prog", code, size=32)
    builder.symbol("LBB0_1", code, 16, kind=NOTYPE, binding=LOCAL)
    builder.symbol(".Ltmp", code, 8, kind=NOTYPE, binding=GLOBAL)
    assert [found.name for found in read_object(builder.build()).functions] == ["prog"]


@both_orders
def test_a_section_that_begins_without_symbol_gets_its_own_name(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("xdp", [*RETURN_2, *RETURN_2])
    builder.symbol("second", code, 16)
    result = read_object(builder.build())
    assert [program.name for program in result.programs] == ["xdp", "second"]


@both_orders
def test_a_static_function_outside_text_is_an_entry_unless_called(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("tc", [local_call(1), EXIT, *RETURN_2, *RETURN_2])
    builder.symbol("caller", code, 0)
    builder.symbol("called", code, 16, binding=LOCAL)
    builder.symbol("lonely", code, 32, binding=LOCAL)
    result = read_object(builder.build())
    assert [program.name for program in result.programs] == ["caller", "lonely"]


@both_orders
def test_with_code_in_text_only_its_exported_functions_are_entries(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code(".text", [*RETURN_2, *RETURN_2])
    builder.symbol("entry", code, 0)
    builder.symbol("inner", code, 16, binding=LOCAL)
    result = read_object(builder.build())
    assert [(found.name, found.program_type) for found in result.programs] == [("entry", None)]


@both_orders
def test_with_code_elsewhere_text_holds_subprograms(order: ByteOrder) -> None:
    builder = minimal(order)
    text = builder.code(".text", RETURN_2)
    builder.symbol("exported", text)
    assert [found.name for found in read_object(builder.build()).programs] == ["prog"]


@both_orders
def test_a_section_may_hold_programs_of_one_type_and_several_names(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("kprobe/x", [*RETURN_2, *RETURN_2])
    builder.symbol("one", code, 0)
    builder.symbol("two", code, 16, binding=WEAK)
    found = read_object(builder.build()).programs
    assert [(each.name, each.target) for each in found] == [("one", "x"), ("two", "x")]


def test_names_are_made_unique_only_where_they_collide() -> None:
    builder = licensed()
    text = builder.code(".text", [*RETURN_2, *RETURN_2, *RETURN_2])
    code = builder.code("xdp", RETURN_2)
    builder.symbol("same", text, 0, binding=LOCAL)
    builder.symbol("same", text, 16, binding=LOCAL)
    builder.symbol("other", text, 32)
    builder.symbol("same", code, 0)
    names = [found.name for found in read_object(builder.build()).functions]
    assert names == [".text:same", ".text:same+2", "other", "same"]


def test_of_two_names_for_one_place_the_exported_one_is_kept() -> None:
    builder = licensed()
    code = builder.code("xdp", RETURN_2)
    builder.symbol("hidden", code, binding=LOCAL)
    builder.symbol("shown", code)
    builder.symbol("alias", code)
    assert [found.name for found in read_object(builder.build()).functions] == ["shown"]


@pytest.mark.parametrize("value", [4, 16, 1 << 60])
def test_functions_outside_their_section_or_between_slots_are_refused(value: int) -> None:
    builder = minimal()
    builder.symbol("wild", 2, value)
    with pytest.raises(MalformedObject, match="inside 'xdp'"):
        read_object(builder.build())


def test_a_function_in_the_middle_of_a_load_is_refused() -> None:
    builder = licensed()
    code = builder.code("xdp", [*load_wide(), EXIT])
    builder.symbol("half", code, 8)
    with pytest.raises(MalformedObject, match="middle of a 64-bit load"):
        read_object(builder.build())


# Calls


def _caller(order: ByteOrder, instruction: Instruction) -> tuple[ElfBuilder, int, int]:
    builder = licensed(order)
    text = builder.code(".text", [*RETURN_2, *RETURN_2])
    code = builder.code("xdp", [Instruction(0xB7, 6), instruction, EXIT])
    builder.symbol("first", text, 0, binding=LOCAL)
    builder.symbol("second", text, 16, binding=LOCAL)
    builder.symbol("prog", code)
    return builder, text, code


@both_orders
def test_a_call_with_a_function_symbol(order: ByteOrder) -> None:
    builder, _text, code = _caller(order, local_call(-1))
    builder.relocate(code, 8, 2, 10)
    found = function(read_object(builder.build()), "prog")
    assert found.relocations == (Relocation(1, "call", "second"),)


@both_orders
def test_a_call_with_a_section_symbol_counts_from_its_immediate(order: ByteOrder) -> None:
    builder, text, code = _caller(order, local_call(1))
    symbol = builder.symbol("", text, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 8, symbol, 10)
    found = function(read_object(builder.build()), "prog")
    assert found.relocations == (Relocation(1, "call", "second"),)


@both_orders
def test_a_call_with_a_stated_addend(order: ByteOrder) -> None:
    builder, text, code = _caller(order, local_call(-1))
    symbol = builder.symbol("", text, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 8, symbol, 10, addend=16)
    found = function(read_object(builder.build()), "prog")
    assert found.relocations == (Relocation(1, "call", "second"),)


@both_orders
def test_a_call_inside_a_section_needs_no_relocation(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("xdp", [local_call(1), EXIT, *RETURN_2])
    builder.symbol("prog", code)
    result = read_object(builder.build())
    assert function(result, "prog").relocations == (Relocation(0, "call", "xdp+2"),)
    assert [found.name for found in result.programs] == ["prog"]
    assert function(result, "xdp+2").is_static


@both_orders
def test_a_helper_is_no_reference(order: ByteOrder) -> None:
    builder = licensed(order)
    builder.code("xdp", [call(1), EXIT])
    assert read_object(builder.build()).functions[0].relocations == ()


@both_orders
@pytest.mark.parametrize("source", [0, 1], ids=["old-compiler", "new-compiler"])
def test_a_call_of_what_is_not_there_is_no_helper(order: ByteOrder, source: int) -> None:
    builder = licensed(order)
    code = builder.code("xdp", [Instruction(0x85, 0, source, 0, -1), EXIT])
    symbol = builder.symbol("memset", 0, kind=NOTYPE)
    builder.relocate(code, 0, symbol, 10)
    result = read_object(builder.build())
    assert result.functions[0].relocations == (Relocation(0, "extern_call", "memset"),)
    assert result.externs == ("memset",)
    assert result.extern_details[0].kind == "undeclared"


@both_orders
def test_a_poison_call_is_read(order: ByteOrder) -> None:
    builder = licensed(order)
    builder.code("xdp", [call(0xBAD2310), EXIT])
    assert read_object(builder.build()).functions[0].instructions[0].immediate == 195896080


@pytest.mark.parametrize("immediate", [-3, 2, 1 << 30, -(1 << 31)])
def test_calls_out_of_the_section_are_refused(immediate: int) -> None:
    builder = licensed()
    builder.code("xdp", [local_call(immediate), EXIT])
    with pytest.raises(MalformedObject, match="inside its section"):
        read_object(builder.build())


@both_orders
def test_the_address_of_a_function(order: ByteOrder) -> None:
    builder = licensed(order)
    text = builder.code(".text", [*RETURN_2, *RETURN_2])
    code = builder.code("xdp", [*load_wide(value=16), EXIT])
    builder.symbol("callback", text, 16, binding=LOCAL)
    section = builder.symbol("", text, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 0, section)
    result = read_object(builder.build())
    found = function(result, "xdp")
    assert found.relocations == (Relocation(0, "function_address", "callback"),)


def test_the_address_of_half_an_instruction_is_refused() -> None:
    builder = licensed()
    text = builder.code(".text", RETURN_2)
    code = builder.code("xdp", [*load_wide(value=4), EXIT])
    builder.relocate(code, 0, builder.symbol("", text, kind=SECTION, binding=LOCAL))
    with pytest.raises(MalformedObject, match="address of an instruction"):
        read_object(builder.build())


@both_orders
def test_relocations_of_type_0_mean_nothing(order: ByteOrder) -> None:
    builder = licensed(order)
    code = builder.code("xdp", RETURN_2)
    builder.relocate(code, 3, 77, kind=0)
    assert read_object(builder.build()).functions[0].relocations == ()


# Data


@both_orders
def test_variables_by_symbol_and_by_section_with_addend(order: ByteOrder) -> None:
    builder = licensed(order)
    data = builder.data(".data", bytes(24))
    code = builder.code("xdp", [*load_wide(value=4), *load_wide(value=12), EXIT])
    builder.symbol("prog", code)
    variable = builder.symbol("variable", data, 8, size=8, kind=OBJECT)
    section = builder.symbol("", data, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 0, variable)
    builder.relocate(code, 16, section)
    result = read_object(builder.build())
    assert function(result, "prog").relocations == (
        Relocation(0, "map_value", ".data", 12),
        Relocation(2, "map_value", ".data", 12),
    )
    assert [(found.name, found.offset) for found in result.variables] == [("variable", 8)]


@both_orders
def test_large_and_negative_addends_are_64_bits_wide(order: ByteOrder) -> None:
    builder = licensed(order)
    data = builder.data(".data", bytes(8))
    code = builder.code("xdp", [*load_wide(value=0x1_8000_0000), *load_wide(value=-8), EXIT])
    section = builder.symbol("", data, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 0, section)
    builder.relocate(code, 16, section)
    addends = [each.addend for each in read_object(builder.build()).functions[0].relocations]
    assert addends == [0x1_8000_0000, -8]


def test_sections_named_like_data_that_are_not_in_memory_are_no_maps() -> None:
    builder = minimal()
    builder.section(".data.notes", bytes(8))
    builder.data(".bss.x", b"")
    assert read_object(builder.build()).maps == ()


def test_a_variable_that_leaves_its_section_is_refused() -> None:
    builder = minimal()
    data = builder.data(".data", bytes(8))
    builder.symbol("wide", data, 4, size=8, kind=OBJECT)
    with pytest.raises(MalformedObject, match="'wide' inside"):
        read_object(builder.build())


def test_a_reference_to_some_other_section_is_an_extern_and_remarked() -> None:
    builder = licensed()
    code = builder.code("xdp", [*load_wide(), EXIT])
    other = builder.data(".addr_space.1", bytes(8))
    builder.relocate(code, 0, builder.symbol("", other, kind=SECTION, binding=LOCAL))
    result = read_object(builder.build())
    assert result.externs == (".addr_space.1",)
    assert "neither map, data nor code" in result.remarks[0]


def test_a_reference_to_nothing_is_refused() -> None:
    builder = licensed()
    code = builder.code("xdp", [*load_wide(), EXIT])
    builder.relocate(code, 0, 0)
    with pytest.raises(MalformedObject, match="named symbols"):
        read_object(builder.build())


# Licence


@pytest.mark.parametrize(
    ("content", "licence"),
    [
        (b"GPL\0", "GPL"),
        (b"GPL", "GPL"),
        (b"\0", ""),
        (b"", ""),
        (b"GPL \0rest", "GPL "),
        (b"x" * 500, "x" * 128),
    ],
)
def test_the_licence_is_read_to_its_end_and_never_changed(content: bytes, licence: str) -> None:
    builder = ElfBuilder()
    builder.section("license", content, flags=ALLOCATED)
    assert read_object(builder.build()).licence == licence


@pytest.mark.parametrize("content", [b"\x1b[0mGPL\0", b"GPL\xff\0", b"GPL\n\0"])
def test_a_licence_that_is_not_what_it_looks_like_is_refused(content: bytes) -> None:
    builder = ElfBuilder()
    builder.section("license", content, flags=ALLOCATED)
    with pytest.raises(MalformedObject, match="printable"):
        read_object(builder.build())


def test_no_licence_is_a_state_of_its_own() -> None:
    assert read_object(ElfBuilder().build()).licence is None


# Legacy maps


@both_orders
@pytest.mark.parametrize("words", [4, 5, 6, 7, 9])
def test_legacy_maps_of_every_length(order: ByteOrder, words: int) -> None:
    builder = licensed(order)
    records = b"".join(builder.words(*([1, 4, 8, 64, 1, 0, 0, 0, 0][:words])) for _ in range(2))
    maps = builder.data("maps", records)
    code = builder.code("xdp", [*load_wide(), *load_wide(value=4 * words), EXIT])
    first = builder.symbol("first", maps, kind=OBJECT)
    builder.symbol("second", maps, 4 * words, kind=NOTYPE)
    section = builder.symbol("", maps, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 0, first)
    builder.relocate(code, 16, section)
    result = read_object(builder.build())
    assert [found.name for found in result.maps] == ["first", "second"]
    for found in result.maps:
        assert (found.map_type, found.key_size, found.value_size) == (1, 4, 8)
        assert found.max_entries == 64
        assert found.flags == (1 if words > 4 else 0)
        assert found.origin == "legacy"
    assert [each.name for each in result.functions[0].relocations] == ["first", "second"]
    assert result.remarks == ()


def test_maps_of_iproute2_pin_and_hold_maps() -> None:
    builder = minimal()
    outer = builder.words(12, 4, 4, 2, 0, 0, 2, 7, 0)
    inner = builder.words(1, 4, 8, 16, 0, 7, 0, 0, 0)
    maps = builder.data("maps", outer + inner)
    builder.symbol("outer", maps, 0, kind=OBJECT)
    builder.symbol("inner", maps, 36, kind=OBJECT)
    result = read_object(builder.build())
    assert map_spec(result, "outer").pinning == 1
    assert map_spec(result, "outer").inner == map_spec(result, "inner")
    assert "pinning 2" in result.remarks[0]


def test_maps_of_the_kernels_samples_hold_maps_by_index() -> None:
    builder = minimal()
    records = builder.words(1, 4, 8, 16, 0, 0, 0) + builder.words(13, 4, 4, 2, 4, 0, 1)
    maps = builder.data("maps", records)
    builder.symbol("inner", maps, 0, kind=OBJECT)
    builder.symbol("outer", maps, 28, kind=OBJECT)
    result = read_object(builder.build())
    assert map_spec(result, "outer").inner == map_spec(result, "inner")
    assert map_spec(result, "outer").numa_node == 1


def test_words_that_nobody_understands_are_remarked() -> None:
    builder = minimal()
    maps = builder.data("maps/strange", builder.words(1, 4, 8, 16, 0, 5))
    builder.symbol("strange", maps, kind=OBJECT)
    assert read_object(builder.build()).remarks == (
        "map strange: word 5 of its definition, 5, is not understood",
    )


@pytest.mark.parametrize("length", [12, 15, 300])
def test_map_records_too_short_or_too_long_are_refused(length: int) -> None:
    builder = minimal()
    maps = builder.data("maps", bytes(length))
    builder.symbol("odd", maps, kind=OBJECT)
    with pytest.raises(MalformedObject, match="map definition of 16"):
        read_object(builder.build())


def test_map_records_outside_their_section_are_refused() -> None:
    builder = minimal()
    maps = builder.data("maps", builder.words(1))
    builder.symbol("one", maps, 0, kind=OBJECT)
    builder.symbol("two", maps, 20, kind=OBJECT)
    with pytest.raises(MalformedObject, match="inside its section"):
        read_object(builder.build())


def test_a_map_section_without_symbols_holds_no_maps() -> None:
    builder = minimal()
    builder.data("maps", builder.words(1, 4, 8, 16))
    assert read_object(builder.build()).maps == ()


def test_two_maps_of_one_name_are_refused() -> None:
    builder = minimal()
    for section in ("maps", "maps/x"):
        maps = builder.data(section, builder.words(1, 4, 8, 16))
        builder.symbol("same", maps, kind=OBJECT, binding=LOCAL)
    with pytest.raises(MalformedObject, match="names of their own"):
        read_object(builder.build())


def test_a_reference_between_two_maps_is_refused() -> None:
    builder = licensed()
    maps = builder.data("maps", builder.words(1, 4, 8, 16))
    code = builder.code("xdp", [*load_wide(value=8), EXIT])
    builder.symbol("one", maps, kind=OBJECT)
    builder.relocate(code, 0, builder.symbol("", maps, kind=SECTION, binding=LOCAL))
    with pytest.raises(MalformedObject, match="a map at byte 8"):
        read_object(builder.build())


# Several names for the same thing


@both_orders
def test_numeric_section_names_tell_no_type(order: ByteOrder) -> None:
    result = read_object(minimal(order, "2/7").build())
    assert program(result, "prog").program_type is None


@both_orders
def test_externs_are_told_apart_by_their_declaration(order: ByteOrder) -> None:
    types = BtfBuilder(order)
    kfunc = types.function("bpf_kfunc", 2)
    variable = types.variable("bpf_variable", types.integer())
    option = types.variable("CONFIG_HZ", types.integer())
    types.datasec(".ksyms", [(kfunc, 0, 0), (variable, 0, 4)])
    types.datasec(".kconfig", [(option, 0, 4)])
    builder = licensed(order)
    builder.section(".BTF", types.build())
    code = builder.code("xdp", [local_call(), *load_wide(), *load_wide(), EXIT])
    for offset, name in ((0, "bpf_kfunc"), (8, "bpf_variable"), (24, "CONFIG_HZ")):
        binding = WEAK if name == "bpf_kfunc" else GLOBAL
        builder.relocate(code, offset, builder.symbol(name, 0, kind=NOTYPE, binding=binding))
    found = read_object(builder.build()).extern_details
    assert [(each.name, each.kind, each.is_weak) for each in found] == [
        ("bpf_kfunc", "kfunc", True),
        ("bpf_variable", "kernel_variable", False),
        ("CONFIG_HZ", "kconfig", False),
    ]


# Where it is


@both_orders
def test_errors_of_types_name_the_byte_of_the_file(order: ByteOrder) -> None:
    types = BtfBuilder(order)
    types.integer()
    stored = bytearray(types.build())
    stored[24 + 4 : 24 + 8] = b"\xff" * 4  # the kind of the first type
    builder = minimal(order)
    builder.section(".BTF", bytes(stored))
    data = builder.build()
    with pytest.raises(MalformedObject, match=r"\.BTF: expected a kind") as caught:
        read_object(data)
    assert caught.value.offset == data.index(stored) + 24


def test_errors_of_records_name_the_byte_of_the_file() -> None:
    types = BtfBuilder()
    extension = types.extension(functions=[("xdp", [(0, 1)])])[:-4]
    builder = minimal()
    builder.section(".BTF", types.build())
    builder.section(".BTF.ext", extension)
    data = builder.build()
    with pytest.raises(MalformedObject, match=r"\.BTF\.ext: expected") as caught:
        read_object(data)
    assert caught.value.offset is not None
    assert caught.value.offset >= data.index(extension)


def test_errors_of_map_descriptions_name_the_map_and_its_place() -> None:
    types = BtfBuilder()
    struct = types.struct("", 8, [("surprise", types.number(1), 0)])
    types.datasec(".maps", [(types.variable("flows", struct), 0, 8)], 8)
    builder = minimal()
    maps = builder.data(".maps", b"\xa5" * 16)
    builder.symbol("flows", maps, 8, size=8, kind=OBJECT)
    builder.section(".BTF", types.build())
    data = builder.build()
    with pytest.raises(MalformedObject, match="'surprise' is not understood") as caught:
        read_object(data)
    assert caught.value.offset == data.index(b"\xa5" * 16) + 8
