"""What a program's author takes from ``vmlinux.h``: prototypes, variables, places of fields."""

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.layout import resolved
from skep.bytecode.btf.types import Kind
from tests.builders.btf import BtfBuilder

_EXTERN = 2
_DEPTH = 4


def _copied(types: BtfBuilder, kernel: KernelTypes, type_id: int, depth: int = _DEPTH) -> int:
    """A type as an object declares it: structs without their members, modifiers left out."""
    if not type_id:
        return 0
    found = resolved(kernel.table, type_id)
    if found.kind is Kind.VOID:
        return 0
    if found.kind is Kind.PTR:
        inner = _copied(types, kernel, found.refers_to, depth - 1) if depth else 0
        return types.pointer(inner)
    if found.kind is Kind.INT:
        tail = [found.encoding << 24 | found.bits]
        return types.raw(Kind.INT, found.name, value=found.size, tail=tail)
    if found.kind in {Kind.STRUCT, Kind.UNION}:
        return types.raw(found.kind, found.name, value=found.size)
    if found.kind in {Kind.ENUM, Kind.ENUM64}:
        return types.enum(found.name, [(f"{found.name or 'e'}_zero", 0)])
    if found.kind is Kind.FWD:
        return types.raw(Kind.FWD, found.name, flag=found.is_flagged)
    if found.kind is Kind.ARRAY:
        return types.array(_copied(types, kernel, found.refers_to, depth - 1), found.elements)
    if found.kind is Kind.FUNC_PROTO:
        return _prototype(types, kernel, found.type_id, depth - 1)
    return types.integer()


def _prototype(types: BtfBuilder, kernel: KernelTypes, type_id: int, depth: int = _DEPTH) -> int:
    proto = kernel.type(type_id)
    words: list[int] = []
    for parameter in proto.parameters:
        copied = _copied(types, kernel, parameter.type_id, depth)
        words += [types.string(parameter.name), copied]
    result = _copied(types, kernel, proto.refers_to, depth)
    return types.raw(Kind.FUNC_PROTO, count=len(proto.parameters), value=result, tail=words)


def declare_function(types: BtfBuilder, kernel: KernelTypes, name: str) -> int:
    """An extern function as the kernel has it; its type id in the object."""
    found = kernel.find(name, Kind.FUNC)
    if found:
        prototype = _prototype(types, kernel, kernel.type(found[0]).refers_to)
    else:
        prototype = types.raw(Kind.FUNC_PROTO)
    return types.raw(Kind.FUNC, name, count=_EXTERN, value=prototype)


def declare_variable(types: BtfBuilder, kernel: KernelTypes, name: str) -> int:
    """An extern variable as the kernel has it."""
    found = kernel.find(name, Kind.VAR)
    of = _copied(types, kernel, kernel.type(found[0]).refers_to) if found else types.integer()
    return types.raw(Kind.VAR, name, value=of, tail=[_EXTERN])


_PLACES: dict[tuple[int, str, str], int] = {}


def place_of(kernel: KernelTypes, struct: str, member: str) -> int:
    """Byte offset of a member, also through anonymous structs.

    Raises:
        KeyError: there is none.
    """
    key = (id(kernel), struct, member)
    if key not in _PLACES:
        for type_id in kernel.find(struct, Kind.STRUCT):
            bits = _search(kernel, type_id, member)
            if bits is not None:
                _PLACES[key] = bits // 8
                break
        else:
            raise KeyError(f"{struct}.{member}")
    return _PLACES[key]


def _search(kernel: KernelTypes, type_id: int, name: str) -> int | None:
    for member in resolved(kernel.table, type_id).members:
        if member.name == name:
            return member.bit_offset
        inner = resolved(kernel.table, member.type_id)
        if not member.name and inner.kind in {Kind.STRUCT, Kind.UNION}:
            found = _search(kernel, inner.type_id, name)
            if found is not None:
                return member.bit_offset + found
    return None
