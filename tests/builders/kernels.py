"""Types of kernels: of the one that runs, and of some that never were.

Those have the same names as in a real one, in other places.
"""

from functools import cache

from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.types import Kind
from skep.kernel.kernel_types import kernel_types

SIGNED = 1 << 24


def _signed(builder: BtfBuilder, name: str, size: int) -> int:
    return builder.raw(Kind.INT, name, value=size, tail=[SIGNED | size * 8])


def moved_kernel() -> bytes:
    """``task_struct.tgid`` is far away and unsigned, ``iphdr.version`` in front."""
    types = BtfBuilder()
    number, byte = types.integer("unsigned int"), types.integer("unsigned char", 1)
    name = types.array(byte, 24)
    inner = types.struct(
        "", 40, [("padding", number, 0), ("tgid", number, 96), ("comm", name, 128)]
    )
    types.struct("task_struct", 4096, [("state", number, 0), ("", inner, 2048 * 8)])
    types.struct("iphdr", 20, [("version", byte, 4 << 24), ("tos", byte, 8)], flag=True)
    types.enum("bpf_func_id", [("BPF_FUNC_map_lookup_elem", 41), ("BPF_FUNC_ringbuf_output", 42)])
    forward = types.raw(Kind.FWD, "list_head")
    pointer = types.pointer(forward)
    types.struct(
        "list_head", 24, [("next", pointer, 0), ("prev", pointer, 64), ("x", pointer, 128)]
    )
    types.modifier(Kind.TYPEDEF, _signed(types, "int", 4), "pid_t")
    return types.build()


def bare_kernel() -> bytes:
    """Without most of it: no ``iphdr.version``, other enumerators, a ``tgid`` that is no number."""
    types = BtfBuilder()
    number = types.integer()
    other = types.struct("other", 8, [("a", number, 0)])
    types.struct("task_struct", 64, [("tgid", other, 64), ("comm", types.array(number, 2), 128)])
    types.struct("iphdr", 20, [("tos", number, 32)])
    types.enum64("bpf_func_id", [("BPF_FUNC_map_lookup_elem___v2", 1 << 33)])
    types.raw(Kind.UNION, "list_head", value=16)
    return types.build()


def kernel(raw: bytes) -> KernelTypes:
    return KernelTypes.build(raw)


@cache
def running_types() -> KernelTypes:
    """Types of the running kernel, read once: it has some 100,000."""
    return kernel_types()
