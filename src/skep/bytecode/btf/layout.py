"""What a type is underneath, and how many bytes it takes. Every walk is bounded."""

from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import MODIFIERS, BtfType, Kind

POINTER_BYTES = 8
_CHAIN = 64  # steps through typedefs and qualifiers; the kernel stops at 32 levels of resolution
_NESTING = 32
_MOST_BYTES = 0xFFFFFFFF


def resolved(table: TypeTable, type_id: int) -> BtfType:
    """The type without typedefs, qualifiers and type tags.

    Raises:
        MalformedBtf: if there are more than 64 of them, which is how a loop looks.
    """
    for _ in range(_CHAIN):
        found = table.type(type_id)
        if found.kind not in MODIFIERS:
            return found
        type_id = found.refers_to
    raise MalformedBtf(f"expected at most {_CHAIN} typedefs and qualifiers in a row")


def size_of(table: TypeTable, type_id: int) -> int:
    """Bytes a value of the type takes; pointers are those of the BPF machine.

    Raises:
        MalformedBtf: for types without size (``void``, functions, forward declarations), arrays
            nested deeper than 32, and sizes of 4 GB and more.
    """
    count = 1
    for _ in range(_NESTING):
        found = resolved(table, type_id)
        match found.kind:
            case Kind.ARRAY:
                count *= found.elements
                type_id = found.refers_to
                continue
            case Kind.VAR:
                type_id = found.refers_to
                continue
            case Kind.PTR:
                size = POINTER_BYTES
            case Kind.INT | Kind.STRUCT | Kind.UNION | Kind.ENUM | Kind.ENUM64 | Kind.FLOAT:
                size = found.size
            case _:
                raise MalformedBtf(
                    f"expected a type that has a size, got {found.kind.name} {found.name!r}"
                )
        if count * size > _MOST_BYTES:
            raise MalformedBtf(f"expected a type below 4 GB, got {count} times {size} bytes")
        return count * size
    raise MalformedBtf(f"expected arrays nested at most {_NESTING} deep")
