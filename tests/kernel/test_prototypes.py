"""Our table of arguments against the prototypes of the kernel this runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.btf.types import BtfType, Kind, Parameter
from skep.bytecode.isa.call_arguments import KERNEL_FUNCTION_ARGUMENTS, CallArguments

GOT_AN_ARGUMENT_LATER = {"bpf_session_cookie", "bpf_session_is_return"}
"""The context, in 7.0; the table has the longer prototype."""

TAKES_POINTERS_AS_NUMBERS = {
    "bpf_arena_alloc_pages",
    "bpf_arena_free_pages",
    "bpf_arena_reserve_pages",
}
"""Places in an arena; nothing is read or written there."""

SUFFIXES = {
    "__sz": {"size"},
    "__szk": {"size"},
    "__k": {"number"},
    "__map": {"map"},
    "__const_map": {"map"},
    "__str": {"constant_string", "format"},
    "__iter": {"iterator"},
    "__prog": {"unused"},
    "__alloc": {"special"},
    "__refcounted_kptr": {"special"},
    "__irq_flag": {"read", "write"},
    "__ign": {"kernel_address", "user_address", "unused", "number"},
    "__uninit": {"write", "dynptr_new"},
}
"""What the verifier takes an argument for, by the end of its name, and the roles that fit."""

_LOOKED_THROUGH = {Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPEDEF, Kind.TYPE_TAG}
_VOID = BtfType(0, Kind.VOID)


@pytest.fixture(scope="module")
def types() -> TypeTable:
    return read_btf(Path("/sys/kernel/btf/vmlinux").read_bytes(), "little")


def plain(types: TypeTable, type_id: int) -> BtfType:
    found = types.type(type_id) if type_id else _VOID
    return plain(types, found.refers_to) if found.kind in _LOOKED_THROUGH else found


def differences(types: TypeTable, name: str, row: CallArguments) -> Iterator[str]:
    """What does not fit the function of this kernel; nothing if it has no such function."""
    for function_id in types.find(name, Kind.FUNC):
        prototype = types.type(types.type(function_id).refers_to)
        given, known = len(prototype.parameters), len(row.arguments)
        if given != known and not (name in GOT_AN_ARGUMENT_LATER and given < known):
            yield f"{name}: {known} arguments, {given} in the prototype"
        for parameter, role in zip(prototype.parameters, row.arguments, strict=False):
            if not fits(types, parameter, role, are_numbers=name in TAKES_POINTERS_AS_NUMBERS):
                yield f"{name}: {parameter.name} is no {role}"
        result = plain(types, prototype.refers_to).kind
        sort = "none" if result is Kind.VOID else "pointer" if result is Kind.PTR else "number"
        if sort != (row.result if row.result in {"none", "number"} else "pointer"):
            yield f"{name}: the result is a {sort}"


def fits(types: TypeTable, parameter: Parameter, role: str, *, are_numbers: bool) -> bool:
    """Whether a parameter of the kernel can have a role."""
    found = plain(types, parameter.type_id)
    if found.kind is Kind.PTR:
        if role in {"number", "size"}:
            return are_numbers
        pointed = types.type(found.refers_to) if found.refers_to else _VOID
        is_dynptr = plain(types, found.refers_to).name == "bpf_dynptr"
        if is_dynptr != role.startswith("dynptr"):
            return False
        if pointed.kind is Kind.CONST and not is_dynptr and role in {"write", "read_write"}:
            return False
    elif role not in {"number", "size"}:
        return False
    return all(
        role in roles for suffix, roles in SUFFIXES.items() if parameter.name.endswith(suffix)
    )


def test_most_functions_of_the_table_are_here(types: TypeTable) -> None:
    here = [name for name in KERNEL_FUNCTION_ARGUMENTS if types.find(name, Kind.FUNC)]
    assert len(here) >= 150


def test_rows_fit_the_prototypes(types: TypeTable) -> None:
    found = [
        difference
        for name, row in KERNEL_FUNCTION_ARGUMENTS.items()
        for difference in differences(types, name, row)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("name", "arguments", "result", "message"),
    [
        ("bpf_strlen", (), "number", "0 arguments, 1 in the prototype"),
        ("bpf_strlen", ("number",), "number", "s__ign is no number"),
        ("bpf_strlen", ("map",), "number", "s__ign is no map"),
        ("bpf_strlen", ("kernel_address",), "none", "the result is a number"),
        ("bpf_dynptr_size", ("read",), "number", "p is no read"),
        ("bpf_path_d_path", ("write", "write", "size"), "number", "path is no write"),
        ("bpf_task_from_pid", ("read",), "kernel_object", "pid is no read"),
    ],
)
def test_a_wrong_row_is_noticed(
    types: TypeTable, name: str, arguments: tuple[str, ...], result: str, message: str
) -> None:
    row = CallArguments(arguments, result)
    assert list(differences(types, name, row)) == [f"{name}: {message}"]
