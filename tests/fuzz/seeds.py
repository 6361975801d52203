"""Where mutations begin: the compiled fixtures, and objects no compiler of today would write."""

from tests.builders.btf import BtfBuilder
from tests.builders.elf import (
    EXIT,
    LOCAL,
    NOTYPE,
    OBJECT,
    RETURN_2,
    SECTION,
    ByteOrder,
    call,
    licensed,
    load_wide,
    local_call,
    minimal,
)
from tests.builders.kernels import bare_kernel, moved_kernel
from tests.builders.objects import DIRECTORY

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.objectfile.reading import read_object

Kernels = tuple[KernelTypes | None, ...]


def seeds() -> list[bytes]:
    """Valid objects, always in the same order."""
    compiled = [path.read_bytes() for path in sorted(DIRECTORY.glob("*.o"))]
    orders: tuple[ByteOrder, ...] = ("little", "big")
    made = [make(order) for order in orders for make in (_plain, _old, _typed, _externs)]
    return [*compiled, *made]


def kernels(data: bytes) -> Kernels:
    """None, two that never were, and one with the very types of the object."""
    found: list[KernelTypes | None] = [None, KernelTypes.build(moved_kernel())]
    found.append(KernelTypes.build(bare_kernel()))
    types = read_object(data).types
    if types is not None and types.byteorder == "little":
        found.append(KernelTypes.build(types.raw))
    return tuple(found)


def _plain(order: ByteOrder) -> bytes:
    return minimal(order, "2/7").build()


def _old(order: ByteOrder) -> bytes:
    """Legacy maps of two strides, functions without type, calls through section symbols."""
    builder = licensed(order)
    records = builder.words(12, 4, 4, 2, 0, 0, 2, 7, 0) + builder.words(1, 4, 8, 16, 0, 7, 0, 0, 0)
    maps = builder.data("maps", records)
    other = builder.data("maps/x", builder.words(1, 4, 8, 16))
    text = builder.code(".text", [*RETURN_2, *RETURN_2])
    code = builder.code("classifier", [*load_wide(), local_call(1), *load_wide(), call(1), EXIT])
    builder.symbol("outer", maps, 0, kind=OBJECT)
    builder.symbol("inner", maps, 36, kind=NOTYPE)
    lonely = builder.symbol("lonely", other, 0, kind=OBJECT)
    builder.symbol("prog", code, kind=NOTYPE)
    section = builder.symbol("", maps, kind=SECTION, binding=LOCAL)
    inside = builder.symbol("", text, kind=SECTION, binding=LOCAL)
    builder.relocate(code, 0, section)
    builder.relocate(code, 16, inside, 10)
    builder.relocate(code, 24, lonely)
    return builder.build()


def _typed(order: ByteOrder) -> bytes:
    """Maps by types, function and line records, a CO-RE record, variables."""
    types = BtfBuilder(order)
    value = types.struct("value", 8, [("a", types.integer(), 0), ("b", types.integer(), 32)])
    members = [("type", types.number(1), 0), ("max_entries", types.number(64), 64)]
    members += [("key", types.pointer(types.integer()), 128), ("value", types.pointer(value), 192)]
    variable = types.variable("flows", types.struct("", 32, members))
    types.datasec(".maps", [(variable, 0, 32)], 32)
    entry = types.function("prog")
    access = types.string("0:1")
    file, text = types.string("a.c"), types.string("\treturn 2;")
    extension = types.extension(
        functions=[("xdp", [(0, entry)])],
        lines=[("xdp", [(0, file, text, 7 << 10 | 3), (16, file, text, 8 << 10)])],
        core=[("xdp", [(24, value, access, 0)])],
    )
    builder = licensed(order)
    code = [*load_wide(), call(1), *load_wide(value=4), *RETURN_2]
    number = builder.code("xdp", code[:3] + list(RETURN_2[:1]) + code[3:])
    builder.symbol("prog", number)
    data = builder.data(".data", bytes(range(16)))
    builder.symbol("knob", data, 4, size=4, kind=OBJECT)
    held = builder.symbol("flows", builder.data(".maps", bytes(32)), size=32, kind=OBJECT)
    builder.relocate(number, 0, held)
    builder.relocate(number, 32, builder.symbol("", data, kind=SECTION, binding=LOCAL))
    builder.section(".BTF", types.build())
    builder.section(".BTF.ext", extension)
    return builder.build()


def _externs(order: ByteOrder) -> bytes:
    """Kernel functions, kernel variables and configuration."""
    types = BtfBuilder(order)
    names = [types.function("bpf_kfunc", 2), types.variable("bpf_variable", types.integer())]
    types.datasec(".ksyms", [(each, 0, 4) for each in names])
    option = types.variable("CONFIG_HZ", types.integer())
    types.datasec(".kconfig", [(option, 0, 4)])
    builder = licensed(order)
    builder.section(".BTF", types.build())
    code = builder.code("tc", [local_call(), *load_wide(), *load_wide(), EXIT])
    for offset, name in ((0, "bpf_kfunc"), (8, "bpf_variable"), (24, "CONFIG_HZ")):
        builder.relocate(code, offset, builder.symbol(name, 0, kind=NOTYPE))
    return builder.build()
