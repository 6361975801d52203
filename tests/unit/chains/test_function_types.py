"""Types for the functions of a spliced chain."""

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.plan import FunctionType
from skep.chains.function_types import function_types


def test_every_function_is_static_and_returns_an_int() -> None:
    btf, functions = function_types([0, 7, 9])
    types = read_btf(btf, "little")
    assert [each.slot for each in functions] == [0, 7, 9]
    found = [types.type(each.type_id) for each in functions]
    assert [(each.kind, each.name, each.linkage) for each in found] == [
        (Kind.FUNC, "chain", 0),
        (Kind.FUNC, "function_1", 0),
        (Kind.FUNC, "function_2", 0),
    ]
    result = types.type(types.type(found[0].refers_to).refers_to)
    assert (result.kind, result.name, result.size) == (Kind.INT, "int", 4)


def test_the_table_is_what_the_kernel_reads_byte_by_byte() -> None:
    btf, functions = function_types([0])
    assert btf.hex() == (
        "9feb0100180000000000000028000000280000000b000000"
        "01000000000000010400000020000001"
        "000000000000000d01000000"
        "050000000000000c02000000"
        "00696e7400636861696e00"
    )
    assert functions == (FunctionType(0, 3),)
