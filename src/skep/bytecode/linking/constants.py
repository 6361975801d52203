"""Which constants a loader may change.

Constants that are declared ``const volatile`` are the loader's: the compiler does not read them
itself. All others, and string literals, which have no name, are the compiler's: it has used their
values already, so that changing them after compilation has no defined meaning.
"""

from skep.bytecode.btf.table import TypeTable
from skep.bytecode.btf.types import Kind
from skep.bytecode.objectfile.model import Variable
from skep.errors import SkepError

_MOST_STEPS = 64
_MODIFIERS = frozenset({Kind.CONST, Kind.TYPEDEF, Kind.RESTRICT, Kind.TYPE_TAG, Kind.ARRAY})


def is_changeable(types: TypeTable | None, variable: Variable) -> bool:
    """Whether a loader may give a constant another value: ``volatile``, or of unknown type."""
    if types is None:
        return True
    try:
        found = types.find(variable.name, Kind.VAR)
        return not found or any(_is_volatile(types, types.type(each).refers_to) for each in found)
    except SkepError:
        return True


def _is_volatile(types: TypeTable, type_id: int) -> bool:
    for _ in range(_MOST_STEPS):
        found = types.type(type_id)
        if found.kind == Kind.VOLATILE:
            return True
        if found.kind not in _MODIFIERS:
            return False
        type_id = found.refers_to
    return True
