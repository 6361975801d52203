"""BTF.ext: groups of records."""

import struct

import pytest
from tests.builders.btf import BtfBuilder, ByteOrder

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.extension import read_extension
from skep.bytecode.btf.table import read_btf


@pytest.mark.parametrize("order", ["little", "big"])
def test_records_are_grouped_by_section(order: ByteOrder) -> None:
    builder = BtfBuilder(order)
    data = builder.extension(
        functions=[("xdp", [(0, 3)]), ("tc", [(8, 4), (16, 5)])],
        lines=[("xdp", [(0, 1, 2, 5 << 10 | 7)])],
        core=[("xdp", [(8, 1, 2, 0)])],
    )
    extension = read_extension(data, read_btf(builder.build(), order), order)
    word = "<" if order == "little" else ">"
    assert [group.section for group in extension.functions] == ["xdp", "tc"]
    assert extension.functions[1].decode(f"{word}II") == [(8, 4), (16, 5)]
    assert extension.lines[0].decode(f"{word}IIII") == [(0, 1, 2, 5 << 10 | 7)]
    assert extension.core[0].decode(f"{word}IIII") == [(8, 1, 2, 0)]


def test_longer_records_are_read_by_their_known_prefix() -> None:
    builder = BtfBuilder()
    data = bytearray(builder.extension(functions=[("xdp", [(0, 3, 99)])]))
    struct.pack_into("<I", data, 32, 12)
    extension = read_extension(bytes(data), read_btf(builder.build(), "little"), "little")
    assert extension.functions[0].decode("<II") == [(0, 3)]


def test_a_header_without_core_records_is_read() -> None:
    types = read_btf(BtfBuilder().build(), "little")
    data = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 0, 0, 0)
    assert read_extension(data, types, "little").core == ()


def _changed(offset: int, value: int) -> bytes:
    data = bytearray(BtfBuilder().extension(functions=[("xdp", [(0, 3)])]))
    struct.pack_into("<I", data, offset, value)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x9f\xeb\x01", id="short"),
        pytest.param(_changed(0, 7), id="magic"),
        pytest.param(_changed(4, 1 << 20), id="header-outside"),
        pytest.param(_changed(12, 1 << 30), id="records-outside"),
        pytest.param(_changed(12, 3), id="no-room-for-a-size"),
        pytest.param(_changed(12, 8), id="half-a-group"),
        pytest.param(_changed(32, 0), id="records-of-nothing"),
        pytest.param(_changed(32, 1 << 20), id="huge-records"),
        pytest.param(_changed(40, 1 << 31), id="count-outside"),
        pytest.param(_changed(36, 1 << 20), id="name-outside"),
    ],
)
def test_reading_refuses(data: bytes) -> None:
    types = read_btf(BtfBuilder(strings=b"\0xdp\0").build(), "little")
    with pytest.raises(MalformedBtf):
        read_extension(data, types, "little")
