"""Kernel images, whole and hostile."""

import struct

import pytest
from tests.builders.kernels import moved_kernel

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.vmlinux import types_in

NAMES = b"\0.BTF\0.shstrtab\0"


def image(types: bytes, *, place: int = 64, size: int | None = None, name: int = 1) -> bytes:
    """An ELF file with types and names of sections."""
    names_at = 64 + len(types)
    table_at = names_at + len(NAMES)
    header = b"\x7fELF\x02\x01\x01".ljust(40, b"\0") + struct.pack("<Q", table_at)
    header = header.ljust(58, b"\0") + struct.pack("<HHH", 64, 3, 2)
    sections = struct.pack("<IIQQQQIIQQ", *[0] * 10)
    length = len(types) if size is None else size
    sections += struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, place, length, 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 6, 3, 0, 0, names_at, len(NAMES), 0, 0, 1, 0)
    return header + types + NAMES + sections


def read(data: bytes, size: int | None = None) -> bytes:
    return types_in(
        lambda offset, length: data[offset : offset + length], len(data) if size is None else size
    )


def test_a_file_of_types_is_taken_whole() -> None:
    assert read(moved_kernel()) == moved_kernel()


def test_the_types_of_an_image_are_found() -> None:
    assert read(image(moved_kernel())) == moved_kernel()


def test_a_section_outside_of_the_file_is_refused() -> None:  # check 1
    for data in (image(b"x" * 8, place=1 << 60), image(b"x" * 8, size=1 << 60)):
        with pytest.raises(MalformedBtf, match="the file has"):
            read(data)


def test_types_past_any_kernels_are_not_read() -> None:  # check 2
    with pytest.raises(MalformedBtf, match="at most"):
        read(image(b"x" * 8, size=65 << 20), size=1 << 40)


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    with pytest.raises(MalformedBtf, match="got"):
        read(image(b"x" * 8, size=1 << 20), size=1 << 30)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x7fELF", b"MZ" + bytes(62), b"\x7fELF\x01\x01".ljust(64, b"\0"),
     b"\x7fELF\x02\x01".ljust(64, b"\xff"), image(b"", name=6)],
)  # fmt: skip
def test_what_is_no_kernel_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBtf):
        read(data)


def test_every_truncation_is_refused() -> None:
    whole = image(moved_kernel()[:100])
    for length in range(len(whole) - 1):
        with pytest.raises(MalformedBtf):
            read(whole[:length])
