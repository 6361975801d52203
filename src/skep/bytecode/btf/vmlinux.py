"""The types in a kernel image, or in a file of nothing but types.

A ``vmlinux`` may have a gigabyte, of which five megabytes are types: it is read in pieces, as its
section headers say. It is a stranger's file:

1. Numbers of the headers are believed only within the size of the file.
2. Types are read up to a cap that is far above what kernels have.

Source: elf(5); ``btf_parse_elf`` in tools/lib/bpf/btf.c of Linux 6.18.
"""

import struct
from collections.abc import Callable

from skep.bytecode.btf.errors import MalformedBtf

Read = Callable[[int, int], bytes]
"""Up to so many bytes from an offset; fewer at the end of the file."""

_RAW = b"\x9f\xeb"
_ELF = b"\x7fELF"
_ELF64_LITTLE = b"\x02\x01"
_HEADER = struct.Struct("<40xQ10xHHH")  # e_shoff, e_shentsize, e_shnum, e_shstrndx
_SECTION = struct.Struct("<IIQQQQIIQQ")
_MOST_SECTIONS = 0xFEFF  # past that, ELF says the number elsewhere; no kernel has so many
_MOST_NAMES = 4 << 20  # bytes of section names
_MOST_TYPES = 64 << 20  # bytes; kernels of 2026 have 5 MB


def types_in(read: Read, size: int) -> bytes:
    """The ``.BTF`` section of an ELF file, or the whole file if it is one itself.

    Args:
        size: of the file in bytes.

    Raises:
        MalformedBtf: it is neither, or damaged.
    """
    start = read(0, 64)
    if start.startswith(_RAW):
        return _within(read, 0, size, size)
    if not start.startswith(_ELF):
        raise MalformedBtf(
            f"expected a vmlinux or a file of types, got one that begins with {start[:4]!r}",
            hint="a compressed kernel image (vmlinuz) must be unpacked first",
        )
    if start[4:6] != _ELF64_LITTLE or len(start) < 64:
        raise MalformedBtf("expected a 64-bit little-endian ELF file")
    place, entry_size, count, names_index = _HEADER.unpack(start)
    if entry_size != _SECTION.size or not 0 < count <= _MOST_SECTIONS or names_index >= count:
        raise MalformedBtf(f"expected section headers, got {count} of {entry_size} bytes")
    table = _within(read, place, count * entry_size, size)
    sections = list(_SECTION.iter_unpack(table))
    names_place, names_size = sections[names_index][4:6]
    if names_size > _MOST_NAMES:
        raise MalformedBtf(f"expected section names of at most {_MOST_NAMES} bytes")
    names = _within(read, names_place, names_size, size)
    for section in sections:
        name = section[0]
        if names[name : name + 5] == b".BTF\0":
            return _within(read, section[4], section[5], size)
    raise MalformedBtf(
        "expected a .BTF section, this kernel image has none",
        hint="kernels have one if they are built with CONFIG_DEBUG_INFO_BTF=y",
    )


def _within(read: Read, offset: int, length: int, size: int) -> bytes:
    if offset + length > size:  # (1)
        raise MalformedBtf(f"expected {length} bytes at {offset}, the file has {size}")
    if length > _MOST_TYPES:  # (2)
        raise MalformedBtf(f"expected types of at most {_MOST_TYPES} bytes, got {length}")
    data = read(offset, length)
    if len(data) != length:
        raise MalformedBtf(f"expected {length} bytes at {offset}, got {len(data)}")
    return data
