"""Names of the kernel: what they become, and what is refused."""

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.codes import LDDW, POISON, PSEUDO_BTF_ID, PSEUDO_MAP_INDEX_VALUE
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.errors import CannotLink, SettingRequired
from skep.bytecode.linking.externs import ExternResolver, Resolved, put_in
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import Extern, ObjectFile, Relocation

VOID = 0


def function(builder: BtfBuilder, name: str, parameters: int, linkage: int = 1) -> int:
    number = builder.integer()
    tail = [0, number] * parameters
    prototype = builder.raw(Kind.FUNC_PROTO, count=parameters, value=number, tail=tail)
    return builder.raw(Kind.FUNC, name, count=linkage, value=prototype)


def variable(builder: BtfBuilder, name: str, of: int, linkage: int = 2) -> int:
    return builder.raw(Kind.VAR, name, value=of, tail=[linkage])


def object_types() -> TypeTable:
    builder = BtfBuilder()
    for name in ("take", "take___new", "gone", "many"):
        function(builder, name, 1, 2)
    number = builder.integer()
    variable(builder, "counter", number)
    variable(builder, "counter___2", number)
    variable(builder, "missing", number)
    variable(builder, "shaped", builder.struct("shape", 4, []))
    variable(builder, "address", builder.modifier(Kind.CONST, VOID))
    return read_btf(builder.build(), "little")


def kernel() -> KernelTypes:
    builder = BtfBuilder()
    function(builder, "take", 1)
    function(builder, "many", 3)
    variable(builder, "counter", builder.integer("long", 8), 1)
    variable(builder, "shaped", builder.enum("shape", []), 1)
    return KernelTypes.build(builder.build())


KERNEL = kernel()
TAKE, COUNTER = KERNEL.find("take", Kind.FUNC)[0], KERNEL.find("counter", Kind.VAR)[0]


def resolver(*externs: Extern, **symbols: int) -> ExternResolver:
    empty = ObjectFile("little", (), (), (), (), tuple(each.name for each in externs), "GPL")
    with_types = ObjectFile(
        empty.byteorder, (), (), (), (), empty.externs, "GPL",
        extern_details=externs, types=object_types(),
    )  # fmt: skip
    settings = LinkSettings(kernel_symbols=symbols)
    return ExternResolver(with_types, KERNEL, settings, {"CONFIG_HZ": 12})


def kfunc(name: str, *, weak: bool = False) -> Resolved:
    return resolver(Extern(name, "kfunc", weak)).resolve(name, "extern_call")


def ksym(name: str, *, weak: bool = False, **symbols: int) -> Resolved:
    made = resolver(Extern(name, "kernel_variable", weak), **symbols)
    return made.resolve(name, "extern_address")


def test_functions_and_variables_become_ids_of_the_kernels_types() -> None:
    assert kfunc("take") == Resolved("btf_id", TAKE, "take")
    assert ksym("counter") == Resolved("btf_id", COUNTER, "counter")


def test_a_flavour_of_the_object_is_left_out() -> None:
    assert kfunc("take___new") == Resolved("btf_id", TAKE, "take")
    assert ksym("counter___2") == Resolved("btf_id", COUNTER, "counter")


def test_what_is_missing_is_nothing_if_it_is_weak_and_refused_otherwise() -> None:
    assert kfunc("gone", weak=True) == Resolved("missing")
    assert ksym("missing", weak=True) == Resolved("missing")
    with pytest.raises(CannotLink, match="no function gone") as caught:
        kfunc("gone")
    assert "module" in caught.value.hint
    with pytest.raises(CannotLink, match="no variable missing"):
        ksym("missing")


def test_a_function_with_other_parameters_is_refused_with_both_numbers() -> None:
    with pytest.raises(CannotLink, match=r"many has 3 parameters.*\(1 parameters\)"):
        kfunc("many", weak=True)


def test_a_variable_of_another_kind_is_refused_with_both_types() -> None:
    with pytest.raises(CannotLink, match=r"ENUM 'shape'.*STRUCT 'shape'"):
        ksym("shaped")


def test_a_variable_without_type_is_an_address_from_the_settings() -> None:
    high = 0xFFFFFFFF81000000
    assert ksym("address", address=high) == Resolved("address", high, "address")
    assert ksym("address", address=-1) == Resolved("address", (1 << 64) - 1, "address")
    assert ksym("address", weak=True) == Resolved("missing")
    with pytest.raises(SettingRequired, match="address of the kernel's address"):
        ksym("address")


def test_configuration_values_are_places_in_their_map() -> None:
    made = resolver(Extern("CONFIG_HZ", "kconfig"))
    assert made.resolve("CONFIG_HZ", "extern_address") == Resolved("configuration", 12)


@pytest.mark.parametrize(
    ("extern", "kind", "reason"),
    [
        pytest.param(Extern("memset", "undeclared"), "extern_call", "loads nowhere", id="libc"),
        pytest.param(None, "extern_call", "neither in the object", id="unknown"),
        pytest.param(
            Extern("counter", "kernel_variable"), "extern_call", "declared as a variable", id="call"
        ),
        pytest.param(
            Extern("CONFIG_HZ", "kconfig"), "extern_call", "declared as a variable", id="value"
        ),
    ],
)
def test_names_that_make_no_sense_are_refused(
    extern: Extern | None, kind: str, reason: str
) -> None:
    made = resolver(*([extern] if extern else []))
    with pytest.raises(CannotLink, match=reason):
        made.resolve(extern.name if extern else "x", kind)


# Writing


def call(found: Resolved) -> tuple[bool, list[Instruction]]:
    code = [Instruction(0xB7), Instruction(0x85, 0, 1, 0, -1), Instruction(0x95)]
    return put_in(code, Relocation(1, "extern_call", "f"), found, 0), code


def load(found: Resolved) -> list[Instruction]:
    code = [Instruction(LDDW, 3), Instruction(0)]
    assert put_in(code, Relocation(0, "extern_address", "v"), found, 5)
    return code


def test_a_call_names_its_function_by_id() -> None:
    done, code = call(Resolved("btf_id", 1234))
    assert done
    assert code == [Instruction(0xB7), Instruction(0x85, 0, 2, 0, 1234), Instruction(0x95)]


def test_a_call_of_nothing_is_poisoned_and_told() -> None:
    done, code = call(Resolved("missing"))
    assert not done
    assert code[1] == Instruction(0x85, immediate=POISON)


@pytest.mark.parametrize(
    ("found", "source", "low", "high"),
    [
        (Resolved("btf_id", 77), PSEUDO_BTF_ID, 77, 0),
        (Resolved("configuration", 12), PSEUDO_MAP_INDEX_VALUE, 5, 12),
        (Resolved("missing"), 0, 0, 0),
        (Resolved("address", 0xFFFFFFFF81000000), 0, 0x81000000 - (1 << 32), -1),
        (Resolved("address", 0x7FFFFFFF), 0, 0x7FFFFFFF, 0),
    ],
)
def test_a_load_gets_what_was_found_and_keeps_its_register(
    found: Resolved, source: int, low: int, high: int
) -> None:
    assert load(found) == [Instruction(LDDW, 3, source, 0, low), Instruction(0, 0, 0, 0, high)]


def test_many_mentions_of_many_names_take_no_time() -> None:
    externs = [Extern(f"name{number}", "kfunc", is_weak=True) for number in range(20_000)]
    made = resolver(*externs)
    for _ in range(5):
        for extern in externs:
            assert made.resolve(extern.name, "extern_call").kind == "missing"
