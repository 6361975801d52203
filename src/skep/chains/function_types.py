"""Types for the functions of a spliced chain: the least the kernel is content with.

It wants the type of every function of a program before it accepts a tail call in a subprogram
(``check_abnormal_return`` in kernel/bpf/verifier.c of Linux 6.18), and looks at two things of it:
that the function is static, so that its callers are followed into it, and that it returns an
``int``. The members' own types are in as many tables, with numbers of their own; each member was
loaded with its own before, so what they say has been checked.
"""

import struct
from collections.abc import Sequence

from skep.bytecode.btf.table import MAGIC
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.plan import FunctionType

_SIGNED_32 = 1 << 24 | 32  # of an INT: encoding and bits
_INT, _PROTOTYPE, _FIRST_FUNCTION = 1, 2, 3


def function_types(starts: Sequence[int]) -> tuple[bytes, tuple[FunctionType, ...]]:
    """BTF with a type for each function, and which is whose.

    Args:
        starts: first slots of the functions, ascending, entry first.
    """
    strings = bytearray(b"\0")

    def named(name: str) -> int:
        offset = len(strings)
        strings.extend(name.encode() + b"\0")
        return offset

    types = struct.pack("=IIII", named("int"), Kind.INT << 24, 4, _SIGNED_32)
    types += struct.pack("=III", 0, Kind.FUNC_PROTO << 24, _INT)
    for number in range(len(starts)):
        name = named(f"function_{number}" if number else "chain")
        types += struct.pack("=III", name, Kind.FUNC << 24, _PROTOTYPE)
    header = struct.pack("=HBBIIIII", MAGIC, 1, 0, 24, 0, len(types), len(types), len(strings))
    functions = tuple(
        FunctionType(start, _FIRST_FUNCTION + number) for number, start in enumerate(starts)
    )
    return header + types + bytes(strings), functions
