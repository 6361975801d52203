"""What no kernel loads, and what else does not run it either."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R10,
    Line,
    analysed,
    call,
    copy,
    function,
    jump,
    leave,
    local,
    mov,
    one_program,
    store,
    wide,
)

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.isa.instructions import Instruction

THROUGH_REGISTER = Instruction(0x8D, 0, 0, 0, R1)


def told(report: AnalysisReport) -> list[str]:
    return [refusal.what for refusal in report.requirements.refused]


@pytest.mark.parametrize(
    ("listing", "what"),
    [
        pytest.param([THROUGH_REGISTER], "calls through a register (0x8d)", id="callx"),
        pytest.param([Instruction(0xEC)], "unknown instruction (0xec)", id="unknown"),
        pytest.param(
            [Instruction(0x0F, R0, R1, 7)], "instruction 0x0f uses reserved fields", id="reserved"
        ),
        pytest.param([jump(40)], "a jump or the end leads out of a function", id="out-of-range"),
        pytest.param([jump(1), mov(R0, 1)], "instructions that nothing reaches", id="unreached"),
        pytest.param([local("nowhere")], "calls nowhere, which no kernel provides", id="missing"),
        pytest.param(
            [mov(R1, 0), store(8, R10, -520, R1)],
            "520 bytes of stack in one function, 512 are allowed",
            id="stack",
        ),
        pytest.param(
            [Instruction(0x20, 0, 0, 0, 12)], "legacy packet load in XDP programs", id="packet-load"
        ),
    ],
)
def test_is_said_with_the_reason(listing: list[Line], what: str) -> None:
    assert what in told(analysed(listing, leave(2)))


def test_of_code_without_optimisation_says_what_to_do() -> None:
    (refusal,) = analysed(THROUGH_REGISTER, leave(2)).requirements.refused
    assert (refusal.hint, refusal.program, refusal.slot) == ("compile with -O2", "main", 0)


def test_of_ordinary_code_is_nothing() -> None:
    calls = [copy(R1, R10), local("f"), *wide(R1, 1 << 40)]
    others = [function("f", leave(0))]
    assert told(analysed(calls, leave(2), others=others)) == []


def test_a_packet_load_is_fine_where_the_kernel_allows_it() -> None:
    load = Instruction(0x20, 0, 0, 0, 12)
    assert told(analysed(load, EXIT, program_type="SOCKET_FILTER")) == []


def nested(program_type: str) -> AnalysisReport:
    deep = [mov(R1, 0), store(8, R10, -400, R1)]
    return analysed(
        deep,
        local("f"),
        leave(0),
        program_type=program_type,
        others=[function("f", deep, leave(0))],
    )


def test_frames_of_nested_calls_count_together() -> None:
    assert told(nested("XDP")) == ["800 bytes of stack in nested calls, 512 are allowed"]


def test_probes_may_have_a_stack_for_each_function_since_some_kernel() -> None:
    report = nested("KPROBE")
    assert told(report) == []
    assert report.requirements.oldest_kernel == "6.13"


def test_a_program_that_is_not_loaded_by_default_does_not_count() -> None:
    objects = one_program(THROUGH_REGISTER, leave(2))
    (spec,) = objects.programs
    optional = replace(objects, programs=(replace(spec, is_optional=True),))
    assert told(analyse(optional)) == []


def test_no_chain_and_no_other_runtime_takes_such_code() -> None:
    report = analysed(THROUGH_REGISTER, leave(2))
    assert not any(standard.conforms for standard in report.standards)
    assert not any(runtime.candidate for runtime in report.runtimes)
    assert all("0x8d" in standard.reasons[0] for standard in report.standards)
    windows = next(each for each in report.runtimes if each.runtime == "windows")
    assert windows.reasons[0] == "nothing runs its code: calls through a register (0x8d)"


def test_what_only_a_kernel_refuses_does_not_speak_against_other_runtimes() -> None:
    report = analysed(call(9), leave(2))
    assert told(report) == ["helper bpf_skb_store_bytes may not be called by xdp programs"]
    assert not any("nothing runs" in reason for each in report.runtimes for reason in each.reasons)


def test_windows_takes_no_code_of_the_other_byte_order() -> None:
    big = replace(one_program(leave(2)), byteorder="big")
    for objects, expected in ((one_program(leave(2)), True), (big, False)):
        runtimes = analyse(objects).runtimes
        assert next(e.candidate for e in runtimes if e.runtime == "windows") is expected
