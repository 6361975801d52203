"""Exception callbacks: functions that make a return value of what a program throws.

A declaration tag on the program names its callback, as ``__exception_cb`` of the kernel's
``bpf_experimental.h`` writes it (since Linux 6.7); nothing in the code does.
"""

from collections.abc import Iterable

from skep.bytecode.btf.types import Kind
from skep.bytecode.objectfile.model import Function, ObjectFile

THROW = "bpf_throw"
"""The kernel function that throws."""

_TAG = "exception_callback:"


def exception_callbacks(object_file: ObjectFile) -> dict[str, str]:
    """Which function handles what a program throws, by the program's function.

    Empty for an object in which nothing throws.
    """
    types = object_file.types
    if types is None or not any(_is_throw(name) for name in object_file.externs):
        return {}
    by_type = {each.type_id: each.name for each in object_file.functions if each.type_id}
    found = {}
    for type_id in range(1, len(types)):
        if types.kind(type_id) != Kind.DECL_TAG:
            continue
        each = types.type(type_id)
        if each.name.startswith(_TAG):
            function = by_type.get(each.refers_to)
            if function is not None:
                found[function] = each.name.removeprefix(_TAG)
    return found


def throws(functions: Iterable[Function]) -> bool:
    """Whether any of these functions calls ``bpf_throw``."""
    return any(
        each.kind == "extern_call" and _is_throw(each.name)
        for function in functions
        for each in function.relocations
    )


def _is_throw(name: str) -> bool:
    return name.partition("___")[0] == THROW
