"""What a file is that is no object file, by how it begins.

Sources: file formats of LLVM bitcode (llvm.org/docs/BitCodeFormat.html), BTF (Linux
Documentation/bpf/btf.rst), gzip (RFC 1952), ar(5), PKZIP, xz and Zstandard (RFC 8878).
"""

import codecs
import re
from typing import NamedTuple

_LOOKED_AT = 4096  # bytes; enough of a text to tell what it is
_COMPILE = "clang -O2 -g -target bpf -c"


class Recognised(NamedTuple):
    """A kind of file.

    Attributes:
        name: as in "got NAME".
        hint: what to do.
    """

    name: str
    hint: str


_BITCODE = Recognised(
    "LLVM bitcode: it was compiled with -flto or -emit-llvm", f"compile it without: {_COMPILE}"
)
_BTF = Recognised("raw BTF, which is types only", "name the object file the types belong to")
_BY_BEGINNING = (
    (b"BC\xc0\xde", _BITCODE),
    (b"\xde\xc0\x17\x0b", _BITCODE),
    (b"\x9f\xeb\x01", _BTF),
    (b"\xeb\x9f\x01", _BTF),
    (b"\x1f\x8b", Recognised("a file compressed by gzip", "unpack it first: gunzip")),
    (b"\xfd7zXZ\x00", Recognised("a file compressed by xz", "unpack it first: unxz")),
    (b"\x28\xb5\x2f\xfd", Recognised("a file compressed by zstd", "unpack it first: unzstd")),
    (b"PK\x03\x04", Recognised("a zip archive", "unpack it first: unzip")),
    (b"!<arch>\n", Recognised("an archive of object files", "take one out of it: ar x")),
    (b"; ModuleID", Recognised("text of LLVM: it was compiled with -S -emit-llvm",
                               f"compile it without: {_COMPILE}")),
)  # fmt: skip
_ASSEMBLER = re.compile(rb"^[ \t]*\.(?:text|section|file|globa?l|type|p2align)\b", re.MULTILINE)
_C_SOURCE = re.compile(rb"^[ \t]*#[ \t]*include\b|\bSEC\(", re.MULTILINE)
_CONTROL = re.compile(r"[^\t\n\r -\x7e\x80-\U0010ffff]")


def recognise(data: bytes) -> Recognised | None:
    r"""The kind of a file that is no ELF file; ``None`` if it is not known.

    >>> recognise(b"\x1f\x8b\x08").name
    'a file compressed by gzip'
    """
    if not data:
        return Recognised("an empty file", "the compiler or a copy was interrupted; make it again")
    for beginning, kind in _BY_BEGINNING:
        if data.startswith(beginning):
            return kind
    head = data[:_LOOKED_AT]
    if not _is_text(head):
        return None
    if _ASSEMBLER.search(head):
        return Recognised("assembler text: it was compiled with -S", f"compile it with: {_COMPILE}")
    if _C_SOURCE.search(head):
        return Recognised("C source", f"compile it first: skep build, or {_COMPILE}")
    return Recognised("text", "name the object file, which ends in .o as a rule")


def _is_text(head: bytes) -> bool:
    try:
        # The last character may be cut.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(text)
