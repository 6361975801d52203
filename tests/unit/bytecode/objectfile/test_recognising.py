"""A file that is no object file is named, with what to do."""

import gzip

import pytest

from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.reading import read_object
from skep.bytecode.objectfile.recognising import recognise

ASSEMBLER = b"""\t.text
\t.file\t"p.bpf.c"
\t.section\txdp,"ax",@progbits
prog:
\tr0 = 2
\texit
"""
SOURCE = b'#include <linux/bpf.h>\nSEC("xdp") int prog(void *c) { return 2; }\n'


@pytest.mark.parametrize(
    ("data", "name", "hint"),
    [
        pytest.param(b"BC\xc0\xde5\x14", "-flto", "clang -O2 -g -target bpf -c", id="bitcode"),
        pytest.param(b"\xde\xc0\x17\x0b\0\0", "-flto", "compile it without", id="wrapped-bitcode"),
        pytest.param(b"; ModuleID = 'p.c'\n", "text of LLVM", "compile it without", id="llvm-text"),
        pytest.param(b"\x9f\xeb\x01\0\x18", "raw BTF", "name the object file", id="btf"),
        pytest.param(b"\xeb\x9f\x01\0\0", "raw BTF", "name the object file", id="big-endian-btf"),
        pytest.param(gzip.compress(b"x"), "gzip", "gunzip", id="gzip"),
        pytest.param(b"\xfd7zXZ\0\0", "xz", "unxz", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd\0", "zstd", "unzstd", id="zstd"),
        pytest.param(b"PK\x03\x04\0", "zip", "unzip", id="zip"),
        pytest.param(b"!<arch>\np.o/", "archive", "ar x", id="archive"),
        pytest.param(ASSEMBLER, "assembler", "clang -O2 -g -target bpf -c", id="assembler"),
        pytest.param(SOURCE, "C source", "skep build", id="source"),
        pytest.param('{"näme": 1}'.encode(), "got text", "ends in .o", id="text"),
        pytest.param(b"", "an empty file", "make it again", id="empty"),
    ],
)
def test_a_known_kind_of_file_is_named(data: bytes, name: str, hint: str) -> None:
    with pytest.raises(MalformedObject, match=name) as caught:
        read_object(data)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x7fEL", id="cut-elf"),
        pytest.param(b"\0\0\0\0", id="zeros"),
        pytest.param(b"MZ\x90\0", id="another-system"),
        pytest.param(b"BC\xc0", id="cut-bitcode"),
    ],
)
def test_what_is_not_known_is_shown_as_it_begins(data: bytes) -> None:
    assert recognise(data) is None
    with pytest.raises(MalformedObject, match="begins with") as caught:
        read_object(data)
    assert "damaged file" in caught.value.hint


def test_text_is_told_by_its_beginning_alone() -> None:
    assert recognise(b"a" * 4096 + b"\0") == recognise(b"a")
