"""A plan read back: the very instructions that will be loaded, and nothing else believed."""

from dataclasses import replace
from itertools import chain

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    function,
    function_address,
    kernel_call,
    leave,
    local,
    map_address,
    mov,
    one_program,
    symbol_address,
    value_address,
)
from tests.builders.btf import BtfBuilder
from tests.builders.objects import fixture, fixture_names

from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.table import read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.errors import PlanMismatch
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import KernelName, LoadPlan, MapPlan, ProgramPlan
from skep.bytecode.linking.reading_back import read_back
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import Extern, MapSpec, ObjectFile, Relocation
from skep.errors import SkepError

RODATA = MapSpec(".rodata", 2, 4, 8, 1, 0x80, data=b"\x07" + bytes(7), origin="data")
DATA = MapSpec(".data", 2, 4, 8, 1, data=b"\x09" + bytes(7), origin="data")


def _types() -> BtfBuilder:
    types = BtfBuilder()
    types.function("bpf_take")
    types.variable("counter", types.integer())
    return types


def _kernel() -> KernelTypes:
    types = BtfBuilder()
    types.integer("unrelated")
    types.function("bpf_take")
    types.variable("counter", types.integer())
    types.function("bpf_other")
    return KernelTypes.build(types.build())


KERNEL = _kernel()


def _object() -> ObjectFile:
    """A program that names everything a program can name."""
    made = one_program(
        map_address(R1, "flows"),
        value_address(R1, ".rodata", 4),
        symbol_address(R1, "counter"),
        symbol_address(R1, "bpf_take___mine"),
        symbol_address(R1, "gone"),
        function_address(R1, "callback"),
        kernel_call("bpf_take___mine"),
        kernel_call("gone"),
        local("helper"),
        leave(2),
        others=[function("helper", leave(1)), function("callback", leave(0))],
        maps=[DATA, RODATA, MapSpec("flows", 1, 4, 8, 16)],
        externs=[
            Extern("counter", "kernel_variable"),
            Extern("bpf_take___mine", "kfunc"),
            Extern("gone", "kfunc", is_weak=True),
        ],
    )
    types = BtfBuilder()
    types.variable("counter", types.integer())
    types.function("bpf_take___mine")
    return replace(made, types=read_btf(types.build(), "little"))


def _plan() -> LoadPlan:
    return link(_object(), KERNEL, LinkSettings())


def test_every_reference_is_found_again_under_the_kernels_names() -> None:
    found = read_back(_plan(), _object(), KERNEL).object_file
    assert [(each.kind, each.name, each.addend) for each in found.functions[0].relocations] == [
        ("map", "flows", 0),
        ("map_value", ".rodata", 4),
        ("extern_address", "counter", 0),
        ("extern_address", "bpf_take", 0),
        ("function_address", "callback", 0),
        ("extern_call", "bpf_take", 0),
        ("call", "helper", 0),
    ]
    assert {each.name: each.kind for each in found.extern_details} == {
        "counter": "kernel_variable",
        "bpf_take": "kfunc",
    }
    assert not found.core_relocations


def test_read_only_data_is_constant_and_other_data_is_not() -> None:
    found = read_back(_plan(), _object(), KERNEL)
    assert found.constants == {".rodata": RODATA.data}
    thawed = replace(_plan(), maps=tuple(replace(each, frozen=False) for each in _plan().maps))
    writable = replace(_plan(), maps=tuple(replace(each, flags=0) for each in _plan().maps))
    for plan in (thawed, writable):
        assert not read_back(plan, _object(), KERNEL).constants


def test_maps_are_described_as_the_plan_makes_them() -> None:
    plan = link(_object(), KERNEL, LinkSettings(max_entries={"flows": 99}))
    found = read_back(plan, _object(), KERNEL).object_file
    assert [(each.name, each.max_entries) for each in found.maps] == [
        (".data", 1),
        (".rodata", 1),
        ("flows", 99),
    ]


def test_names_and_slots_are_those_of_source_lines() -> None:
    found = read_back(_plan(), _object(), KERNEL).object_file
    assert [each.name for each in found.functions] == ["main", "callback", "helper"]
    assert [len(each.instructions) for each in found.functions] == [
        len(each.instructions)
        for name in ("main", "callback", "helper")
        for each in _object().functions
        if each.name == name
    ]


@pytest.mark.parametrize("name", fixture_names())
def test_the_instructions_are_those_of_the_plan(name: str) -> None:
    read = fixture(name)
    for spec in read.programs:
        types = {} if spec.program_type else {spec.name: "XDP"}
        settings = LinkSettings(programs=frozenset({spec.name}), program_types=types)
        try:
            plan = link(read, None, settings)
        except SkepError:
            continue
        functions = read_back(plan, read).object_file.functions
        code = tuple(chain.from_iterable(each.instructions for each in functions))
        assert code == plan.program(spec.name).instructions


# What does not fit together


def _with(**changes: object) -> LoadPlan:
    plan = _plan()
    return replace(plan, programs=(replace(plan.programs[0], **changes),))  # type: ignore[arg-type]


def _changed(slot: int, **fields: int) -> LoadPlan:
    code = list(_plan().programs[0].instructions)
    code[slot] = code[slot]._replace(**fields)
    return _with(instructions=tuple(code))


def _names() -> tuple[KernelName, ...]:
    return _plan().programs[0].kernel_names


def _longer() -> LoadPlan:
    return _with(instructions=(*_plan().programs[0].instructions, EXIT))


def _map_twice() -> LoadPlan:
    plan = _plan()
    return replace(plan, maps=(*plan.maps, MapPlan(".rodata", 2, 4, 8, 1)))


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param(_with(names=()), "does not name its functions", id="1-no-names"),
        pytest.param(_with(subprograms=(1, 19, 21)), "does not name", id="1-no-entry"),
        pytest.param(
            _with(names=("helper", "callback", "main")), "begins with function helper", id="1-other"
        ),
        pytest.param(_longer(), "helper is not as long", id="1-longer"),
        pytest.param(_changed(14, immediate=5), "where no function begins", id="2-call"),
        pytest.param(_changed(10, immediate=5), "where no function begins", id="2-address"),
        pytest.param(_changed(0, immediate=3), "map 3 of 3", id="3-map"),
        pytest.param(_changed(2, immediate=-1), "map -1 of 3", id="3-value"),
        pytest.param(_map_twice(), "maps of different names", id="3-twice"),
        pytest.param(_changed(12, immediate=9), "does not know", id="4-another-function"),
        pytest.param(_with(kernel_names=_names()[1:]), "does not know", id="4-no-name"),
        pytest.param(
            _with(kernel_names=(*_names()[:-1], _names()[-1]._replace(name="bpf_other"))),
            "is bpf_take to the kernel, not bpf_other",
            id="4-a-harmless-name",
        ),
        pytest.param(
            _with(kernel_names=(*_names(), KernelName(99, "function", "bpf_other", 5))),
            "slot 99 does not name",
            id="4-a-name-too-many",
        ),
        pytest.param(_changed(0, src=1), "by its number", id="5-descriptor"),
        pytest.param(_changed(12, src=3), "by its number", id="5-call"),
        pytest.param(_with(program_type=1), "attach type", id="another-type"),
        pytest.param(_with(program_type=4711), "of a type", id="no-type"),
        pytest.param(_with(attach_type=1), "attach type", id="attach-type"),
    ],
)
def test_a_plan_that_contradicts_itself_or_the_kernel_is_refused(
    plan: LoadPlan, reason: str
) -> None:
    with pytest.raises(PlanMismatch, match=reason):
        read_back(plan, _object(), KERNEL)


@pytest.mark.parametrize("stated", [None, "SCHED_CLS"])
def test_the_attach_type_of_the_hook_is_the_programs(stated: str | None) -> None:
    made = fixture("sections")
    settings = LinkSettings(
        programs=frozenset({"optional"}),
        attach_types={"optional": "TCX_EGRESS"},
        program_types={} if stated is None else {"optional": stated},
    )
    (found,) = read_back(link(made, None, settings), made).object_file.programs
    assert (found.program_type, found.attach_type) == ("SCHED_CLS", "TCX_EGRESS")


def test_the_verdicts_are_those_of_the_hook() -> None:
    """4 takes the packet away for a classifier, and means nothing to TCX."""
    made = replace(one_program(mov(R0, 4), EXIT), licence="GPL")
    entry = replace(made.programs[0], section="x", program_type=None, attach_type=None)
    made = replace(made, programs=(entry,))
    types = {entry.name: "SCHED_CLS"}
    for attach_types, shown in (({}, True), ({entry.name: "TCX_INGRESS"}, False)):
        settings = LinkSettings(program_types=types, attach_types=attach_types)
        label = analyse_linked(link(made, None, settings), made)
        names = {each.id for each in label.permissions}
        assert ("net.drop" in names) is shown


def test_one_function_that_differs_between_programs_is_refused() -> None:
    made = one_program(mov(R0, 1), EXIT)
    first = link(made, None, LinkSettings()).programs[0]
    second = replace(first, instructions=(mov(R0, 2), EXIT))
    with pytest.raises(PlanMismatch, match="not the same in two programs"):
        read_back(LoadPlan((), (first, second)), made)


def test_a_load_that_does_not_end_is_refused() -> None:
    made = one_program(mov(R0, 1), EXIT)
    plan = link(made, None, LinkSettings())
    code = (mov(R0, 1), Instruction(0x18, 1))
    broken: ProgramPlan = replace(plan.programs[0], instructions=code)
    with pytest.raises(PlanMismatch, match="does not end"):
        read_back(replace(plan, programs=(broken,)), made)


def test_a_symbols_address_is_still_one() -> None:
    types = BtfBuilder()
    types.variable("address", 0)
    made = replace(
        one_program(
            symbol_address(R1, "address"),
            leave(0),
            externs=[Extern("address", "kernel_variable")],
        ),
        types=read_btf(types.build(), "little"),
    )
    plan = link(made, KERNEL, LinkSettings(kernel_symbols={"address": 0xFFFF_FFFF_8000_0000}))
    found = read_back(plan, made, KERNEL).object_file
    assert found.functions[0].relocations == (Relocation(0, "extern_address", "address"),)
