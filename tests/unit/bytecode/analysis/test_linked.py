"""The node label: this kernel, these settings, what is switched off left out."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R10,
    Listing,
    add,
    call,
    confidence,
    copy,
    function,
    hash_map,
    jump_if_equal,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    one_program,
    store,
    symbol_address,
    value_address,
)
from tests.builders.btf import BtfBuilder

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.label_bounds import LabelChange, exceeding, label_changes
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.table import read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import (
    CoreRelocation,
    Extern,
    MapSpec,
    ObjectFile,
    Variable,
)

SEND_SIGNAL = 109
RODATA = MapSpec(".rodata", 2, 4, 4, 1, 0x80, data=bytes(4), origin="data")


def _kernel(pid_at: int = 40) -> KernelTypes:
    types = BtfBuilder()
    number = types.integer()
    types.struct("task_struct", 128, [("pid", number, pid_at * 8)])
    types.function("bpf_send_signal_task")
    return KernelTypes.build(types.build())


def _node(made: ObjectFile, kernel: KernelTypes | None = None, **settings: bytes) -> AnalysisReport:
    return analyse_linked(link(made, kernel, LinkSettings(variables=settings)), made, kernel)


def _switched() -> ObjectFile:
    """Sends a signal if a constant says so, and drops as that constant says."""
    made = one_program(
        value_address(R1, ".rodata"),
        load(4, 6, R1),
        jump_if_equal(6, 0, 2),
        mov(R1, 9),
        call(SEND_SIGNAL),
        copy(R0, 6),
        EXIT,
        maps=[RODATA],
    )
    return replace(made, variables=(Variable("choice", ".rodata", 0, 4),))


def test_what_a_setting_switches_off_is_left_out() -> None:
    package = analyse(_switched())
    assert confidence(package, "proc.signal") == "declared"
    off = _node(_switched())
    assert confidence(off, "proc.signal") is None
    assert off.program("main").exit_values == (0,)
    on = _node(_switched(), choice=b"\2\0\0\0")
    assert confidence(on, "proc.signal") == "declared"
    assert confidence(on, "net.drop") == "excluded"
    assert off.as_built is None
    assert on.as_built is None


def test_certainty_rises_with_a_value_that_is_known() -> None:
    package, node = analyse(_switched()), _node(_switched())
    assert confidence(package, "net.drop") == "declared"  # where the constant is 0
    on = _node(_switched(), choice=b"\2\0\0\0")
    assert LabelChange("net.drop", "interface", "declared", "") in label_changes(package, on)
    assert confidence(node, "net.drop") == "declared"
    assert not exceeding(package, node)
    assert LabelChange("proc.signal", "", "declared", "") in label_changes(package, node)


def test_writable_data_stays_unknown() -> None:
    data = MapSpec(".data", 2, 4, 4, 1, data=bytes(4), origin="data")
    made = one_program(value_address(R1, ".data"), load(4, R0, R1), EXIT, maps=[data])
    assert confidence(_node(made), "net.drop") == "possible"


def _asks(*listing: object, kind: CoreKind, root: str = "task_struct") -> ObjectFile:
    types = BtfBuilder()
    type_id = types.struct(root, 8, [("pid", types.integer(), 32)])
    return replace(
        one_program(*listing),  # type: ignore[arg-type]
        types=read_btf(types.build(), "little"),
        core_relocations=(CoreRelocation("main", 0, type_id, root, "0:0", kind),),
    )


def test_a_number_from_the_kernel_is_what_the_instruction_holds() -> None:
    made = _asks(mov(R0, 4), EXIT, kind=CoreKind.FIELD_BYTE_OFFSET)
    assert _node(made, _kernel(pid_at=1)).program("main").exit_values == (1,)
    assert _node(made, _kernel(pid_at=2)).program("main").exit_values == (2,)


def test_an_offset_of_the_kernel_makes_a_store_what_it_is() -> None:
    # Says that it stores to byte 4 of what is on the stack; the kernel says 8: the verdict.
    made = _asks(
        store(4, R10, 4, R1), mov(R0, 2), EXIT, kind=CoreKind.FIELD_BYTE_OFFSET, root="task_struct"
    )
    plan = link(made, _kernel(pid_at=8), LinkSettings())
    assert plan.programs[0].instructions[0].offset == 8
    assert analyse_linked(plan, made, _kernel(pid_at=8)).program("main").exit_values == (2,)


def _calls(name: str) -> ObjectFile:
    types = BtfBuilder()
    types.function(name)
    made = one_program(
        symbol_address(R1, name),
        jump_if_equal(R1, 0, 1),
        kernel_call(name),
        leave(2),
        externs=[Extern(name, "kfunc", is_weak=True)],
    )
    return replace(made, types=read_btf(types.build(), "little"))


def test_a_kernel_function_has_the_kernels_name() -> None:
    report = _node(_calls("bpf_send_signal_task___harmless"), _kernel())
    assert report.program("main").kernel_functions == ("bpf_send_signal_task",)
    assert confidence(report, "proc.signal") == "declared"


def test_a_kernel_function_that_is_missing_is_not_called() -> None:
    report = _node(_calls("bpf_new"), _kernel())
    assert report.program("main").kernel_functions == ()
    assert confidence(report, "bpf.kfunc") is None


def test_where_a_kernel_function_is_there_the_other_way_is_left_out() -> None:
    name = "bpf_send_signal_task"
    types = BtfBuilder()
    types.function(name)
    made = one_program(
        symbol_address(R1, name),
        Instruction(0x55, R1, 0, 2, 0),
        mov(R1, 9),
        call(SEND_SIGNAL),
        leave(2),
        externs=[Extern(name, "kfunc", is_weak=True)],
    )
    made = replace(made, types=read_btf(types.build(), "little"))
    assert confidence(_node(made, _kernel()), "proc.signal") is None


def test_values_of_the_configuration_are_constant() -> None:
    types = BtfBuilder()
    variable = types.variable("LINUX_KERNEL_VERSION", types.integer())
    types.datasec(".kconfig", [(variable, 0, 4)], 4)
    made = one_program(
        symbol_address(R1, "LINUX_KERNEL_VERSION"),
        load(4, R0, R1),
        EXIT,
        externs=[Extern("LINUX_KERNEL_VERSION", "kconfig")],
    )
    made = replace(made, types=read_btf(types.build(), "little"))
    plan = link(made, _kernel(), LinkSettings(kernel_version=0x61200))
    assert analyse_linked(plan, made, _kernel()).program("main").exit_values == (0x61200,)


def test_only_the_programs_of_the_plan_are_in_the_label() -> None:
    made = one_program(leave(1))
    other = replace(made.functions[0], name="other")
    both = replace(
        made,
        functions=(*made.functions, other),
        programs=(*made.programs, replace(made.programs[0], name="other")),
    )
    plan = link(both, None, LinkSettings(programs=frozenset({"other"})))
    assert [each.name for each in analyse_linked(plan, both).programs] == ["other"]


@pytest.mark.parametrize("stated", ["SCHED_CLS", "SOCKET_FILTER"])
def test_a_stated_type_is_that_of_the_plan(stated: str) -> None:
    made = one_program(leave(0), program_type=None, section="unusual")
    plan = link(made, None, LinkSettings(program_types={"main": stated}))
    report = analyse_linked(plan, made)
    assert report.program("main").program_type == stated
    assert report.program("main").type_source == "stated"


def test_an_unused_stack_address_is_no_difference() -> None:
    made = one_program(copy(2, R10), add(2, -8), leave(2))
    assert not label_changes(analyse(made), _node(made))


def test_a_load_may_become_wider_than_it_was_compiled() -> None:
    # One byte as compiled: no flag that hands on the packet fits into it. The kernel says eight.
    listing: Listing = [
        copy(2, R10),
        add(2, -8),
        Instruction(0x71, 7, 2),
        copy(R1, 6),
        map_address(2, "events"),
        copy(3, 7),
        copy(4, R10),
        add(4, -8),
        mov(5, 8),
        call(25),
        leave(2),
    ]
    types, theirs = BtfBuilder(), BtfBuilder()
    root = types.struct("task_struct", 8, [("pid", types.integer("u8", 1), 0)])
    theirs.struct("task_struct", 64, [("pid", theirs.integer("u64", 8), 64)])
    kernel = KernelTypes.build(theirs.build())
    made = replace(
        one_program(copy(6, R1), *listing, maps=[hash_map("events", map_type=4)]),
        types=read_btf(types.build(), "little"),
        core_relocations=(CoreRelocation("main", 3, root, "task_struct", "0:0", 0),),
    )
    plan = link(made, kernel, LinkSettings())
    assert plan.programs[0].instructions[3] == Instruction(0x79, 7, 2, 8)
    package, node = analyse(made), analyse_linked(plan, made, kernel)
    assert confidence(package, "net.to_userspace") == "possible"
    assert not exceeding(package, node)


def test_what_follows_a_function_that_never_returns_is_left_out() -> None:
    types = BtfBuilder()
    root = types.struct("task_struct", 8, [("gone", types.integer(), 0)])
    made = one_program(
        local("lacking"),
        mov(R1, 9),
        call(SEND_SIGNAL),
        leave(1),
        others=[function("lacking", mov(R0, 0), EXIT)],
    )
    made = replace(
        made,
        types=read_btf(types.build(), "little"),
        core_relocations=(CoreRelocation("lacking", 0, root, "task_struct", "0:0", 0),),
    )
    package, node = analyse(made), _node(made, _kernel())
    assert confidence(package, "proc.signal") == "declared"
    assert confidence(node, "proc.signal") is None
    assert node.program("main").exit_values is None
    assert confidence(node, "net.drop") == "excluded"
