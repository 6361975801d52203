"""ELF headers, sections and symbols that are refused, and why."""

import struct

import pytest
from tests.builders.elf import (
    ALLOCATED,
    EXECUTABLE,
    NOBITS,
    RETURN_2,
    STRTAB,
    ByteOrder,
    ElfBuilder,
    licensed,
    load_wide,
    minimal,
)

from skep.bytecode.objectfile.elf import MOST_FILE_BYTES
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.reading import read_object
from skep.errors import codes

GOOD = minimal().build()


def _patched(offset: int, layout: str, value: int) -> bytes:
    data = bytearray(GOOD)
    struct.pack_into(layout, data, offset, value)
    return bytes(data)


def _header(number: int, field: int, layout: str, value: int) -> bytes:
    """The good object with one field of one section header changed."""
    (table,) = struct.unpack_from("<Q", GOOD, 40)
    return _patched(table + 64 * number + field, layout, value)


@pytest.mark.parametrize("order", ["little", "big"])
def test_both_byte_orders_are_read(order: ByteOrder) -> None:
    result = read_object(minimal(order).build())
    assert result.byteorder == order
    assert [program.name for program in result.programs] == ["prog"]
    assert result.functions[0].instructions == RETURN_2
    assert result.licence == "GPL"


def test_machine_0_of_an_old_compiler_is_read() -> None:
    builder = minimal()
    builder.machine = 0
    assert read_object(builder.build()).programs[0].name == "prog"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "ELF file", id="empty"),
        pytest.param(b"MZ" + bytes(100), "ELF file", id="not-elf"),
        pytest.param(GOOD[:63], "64 bytes", id="half-a-header"),
        pytest.param(GOOD[:-1], "section headers inside", id="truncated"),
        pytest.param(_patched(4, "B", 1), "64-bit", id="32-bit"),
        pytest.param(_patched(5, "B", 0), "byte order", id="no-byte-order"),
        pytest.param(_patched(16, "<H", 2), "relocatable", id="executable"),
        pytest.param(_patched(18, "<H", 62), "machine 247", id="x86-64"),
        pytest.param(_patched(58, "<H", 40), "64 bytes", id="short-section-headers"),
        pytest.param(_patched(60, "<H", 0), "sections", id="no-sections"),
        pytest.param(_patched(60, "<H", 0xFF00), "sections", id="too-many-sections"),
        pytest.param(_patched(60, "<H", 0xFEFF), "inside the file", id="huge-section-count"),
        pytest.param(_patched(40, "<Q", 1 << 63), "inside the file", id="table-outside"),
        pytest.param(_patched(62, "<H", 90), "index of a section", id="names-outside"),
        pytest.param(_patched(62, "<H", 1), "section names", id="names-are-no-names"),
        pytest.param(_header(2, 24, "<Q", 1 << 40), "inside the file", id="section-outside"),
        pytest.param(_header(2, 32, "<Q", 1 << 63), "inside the file", id="section-too-long"),
        pytest.param(_header(2, 0, "<I", 1 << 30), "string table", id="name-outside"),
        pytest.param(_header(3, 40, "<I", 2), "linked to a string table", id="wrong-symbol-names"),
        pytest.param(_header(3, 40, "<I", 77), "names for the symbol table", id="no-symbol-names"),
        pytest.param(_header(3, 56, "<Q", 16), "24 bytes", id="short-symbols"),
        pytest.param(_header(4, 4, "<I", 2), "one symbol table", id="two-symbol-tables"),
    ],
)
def test_reading_refuses(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedObject, match=reason) as caught:
        read_object(data)
    assert codes(caught.value).exit_code == 3


def test_a_refusal_tells_the_byte() -> None:
    with pytest.raises(MalformedObject, match="byte 18 of the file") as caught:
        read_object(_patched(18, "<H", 62))
    assert caught.value.offset == 18


def test_files_of_more_than_16_megabytes_are_refused_before_they_are_read() -> None:
    with pytest.raises(MalformedObject, match="at most"):
        read_object(GOOD.ljust(MOST_FILE_BYTES + 1, b"\0"))


def test_sections_that_share_bytes_are_refused() -> None:
    # Thousands of views of the same bytes would fill the memory of whoever copies them.
    builder = licensed()
    builder.section(".data", bytes(4096), flags=ALLOCATED)
    for number in range(20):
        builder.section(f".data.{number}", b"", flags=ALLOCATED, size=4096, offset=64)
    with pytest.raises(MalformedObject, match="do not overlap"):
        read_object(builder.build())


def test_a_huge_zeroed_section_costs_no_memory() -> None:
    builder = minimal()
    builder.section(".bss", b"", kind=NOBITS, flags=ALLOCATED, size=1 << 31)
    (spec,) = read_object(builder.build()).maps
    assert (spec.value_size, spec.data) == (1 << 31, b"")


def test_a_zeroed_section_of_4_gigabytes_is_refused() -> None:
    builder = minimal()
    builder.section(".bss", b"", kind=NOBITS, flags=ALLOCATED, size=1 << 32)
    with pytest.raises(MalformedObject, match="4 GB"):
        read_object(builder.build())


def test_a_symbol_in_a_section_that_does_not_exist_is_refused() -> None:
    builder = minimal()
    builder.symbol("wild", 500)
    with pytest.raises(MalformedObject, match="section below"):
        read_object(builder.build())


@pytest.mark.parametrize("name", ["\x1b]0;x\x07", "a\nb", "n" * 1025], ids=["osc", "line", "long"])
def test_names_that_would_harm_a_terminal_are_refused(name: str) -> None:
    builder = licensed()
    number = builder.code("xdp", RETURN_2)
    builder.symbol(name, number)
    with pytest.raises(MalformedObject, match="name"):
        read_object(builder.build())


def test_two_licences_are_refused() -> None:
    # One reader would take the first, another the last, and judge helpers differently.
    builder = minimal()
    builder.section("license", b"Proprietary\0", flags=ALLOCATED)
    with pytest.raises(MalformedObject, match="one section 'license'"):
        read_object(builder.build())


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(bytes([0xB7, 0, 0, 0, 0, 0, 0]), "8 bytes", id="half-an-instruction"),
        pytest.param(bytes([0xB7, 0xBB, 0, 0, 0, 0, 0, 0]), "registers", id="register-11"),
        pytest.param(bytes([0xE7, 0, 0, 0, 0, 0, 0, 0]), "ALU", id="alu-operation"),
        pytest.param(bytes([0x18, 0, 0, 0, 0, 0, 0, 0]), "64-bit load", id="cut-load"),
        pytest.param(bytes([0x18] + [0] * 7 + [0x95] + [0] * 7), "64-bit load", id="no-half"),
    ],
)
def test_instructions_are_refused(order: ByteOrder, data: bytes, reason: str) -> None:
    builder = licensed(order)
    builder.section("xdp", data, flags=ALLOCATED | EXECUTABLE)
    with pytest.raises(MalformedObject, match=reason):
        read_object(builder.build())


def test_a_register_in_either_half_counts() -> None:
    for registers in (0x0B, 0xB0):
        builder = licensed()
        data = bytes([0x95, registers, 0, 0, 0, 0, 0, 0])
        builder.section("xdp", data, flags=ALLOCATED | EXECUTABLE)
        with pytest.raises(MalformedObject, match="registers"):
            read_object(builder.build())


def test_more_than_a_million_instructions_are_refused() -> None:
    builder = licensed()
    builder.section("xdp", bytes(8_000_008), flags=ALLOCATED | EXECUTABLE)
    with pytest.raises(MalformedObject, match="1000000 instructions"):
        read_object(builder.build())


def test_two_code_sections_of_one_name_are_refused() -> None:
    builder = licensed()
    for _ in range(2):
        builder.code("xdp", RETURN_2)
    with pytest.raises(MalformedObject, match="one code section"):
        read_object(builder.build())


def test_relocations_of_debug_sections_are_never_looked_at() -> None:
    builder = minimal()
    debug = builder.section(".debug_info", bytes(16))
    builder.relocate(debug, 1 << 40, 1 << 20)
    assert read_object(builder.build()).programs


def _with_relocation(offset: int, symbol: int, **wrong: int) -> bytes:
    builder = licensed()
    code = builder.code("xdp", [*load_wide(), *RETURN_2])
    data = builder.data(".data", bytes(8))
    builder.symbol("prog", code)
    variable = builder.symbol("variable", data, size=8, kind=1)
    builder.relocate(code, 0, variable)
    builder.relocate(code, offset, symbol)
    for name, value in wrong.items():
        setattr(builder, name, value)
    return builder.build()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(_with_relocation(0, 2), "one relocation per place", id="twice"),
        pytest.param(_with_relocation(16, 2), "calls and 64-bit loads", id="of-a-move"),
        pytest.param(_with_relocation(8, 2), "calls and 64-bit loads", id="of-half-a-load"),
        pytest.param(_with_relocation(4, 2), "calls and 64-bit loads", id="inside-a-load"),
        pytest.param(_with_relocation(32, 2), "inside it", id="outside"),
        pytest.param(_with_relocation(1 << 62, 2), "inside it", id="far-outside"),
        pytest.param(_with_relocation(24, 99), "symbols below", id="unknown-symbol"),
    ],
)
def test_relocations_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedObject, match=reason):
        read_object(data)


def test_a_string_table_for_names_is_needed() -> None:
    builder = ElfBuilder()
    builder.section(".strtab", b"\0", kind=STRTAB)
    assert read_object(builder.build()).programs == ()
