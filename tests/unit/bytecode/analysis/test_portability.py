"""Other runtimes: candidates, and what speaks against."""

import pytest
from tests.builders.assembled import (
    R0,
    R1,
    R2,
    analysed,
    call,
    hash_map,
    kernel_call,
    leave,
    map_address,
)
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.report_standing import Runtime
from skep.bytecode.isa.instructions import Instruction

EVERY = {"ubpf", "rbpf", "bpftime", "windows", "nic"}
FETCH_ADD = Instruction(0xDB, R2, R0, 0, 1)
PLAIN_ADD = Instruction(0xDB, R2, R0, 0, 0)


def runtimes(report: AnalysisReport) -> dict[str, Runtime]:
    return {each.runtime: each for each in report.runtimes if each.program == "main"}


def candidates(report: AnalysisReport) -> set[str]:
    return {name for name, each in runtimes(report).items() if each.candidate}


def test_every_runtime_is_asked_and_says_why_not() -> None:
    found = runtimes(analysed(leave(2)))
    assert set(found) == EVERY
    assert all(each.candidate != bool(each.reasons) for each in found.values())


@pytest.mark.parametrize(
    ("listing", "settings", "expected"),
    [
        pytest.param([], {}, EVERY - {"bpftime"}, id="nothing-but-a-verdict"),
        pytest.param([call(7)], {}, EVERY - {"bpftime"}, id="random-number"),
        pytest.param([call(69)], {}, {"ubpf", "rbpf"}, id="helper-of-the-kernel"),
        pytest.param([call(51)], {}, {"ubpf", "rbpf", "windows"}, id="redirect"),
        pytest.param([kernel_call("bpf_rcu_read_lock")], {}, set(), id="kernel-function"),
        pytest.param(
            [map_address(R1, "flows")], {"maps": [hash_map()]}, {"windows", "nic"}, id="hash"
        ),
        pytest.param(
            [map_address(R1, "flows")],
            {"maps": [hash_map(map_type=9)]},
            {"windows"},
            id="lru-hash",
        ),
        pytest.param([PLAIN_ADD], {}, EVERY - {"bpftime"}, id="atomic-add"),
        pytest.param([FETCH_ADD], {}, EVERY - {"bpftime", "rbpf"}, id="atomic-fetch"),
        pytest.param(
            [Instruction(0xBF, R2, R1, 8)], {}, EVERY - {"bpftime", "rbpf"}, id="instructions-of-v4"
        ),
        pytest.param([Instruction(0x30, 0, 0, 0, 14)], {}, {"nic"}, id="packet-load"),
        pytest.param(
            [], {"program_type": "LSM", "section": "lsm/file_open"}, set(), id="kernel-objects"
        ),
        pytest.param(
            [call(112)],
            {"program_type": "KPROBE", "section": "uprobe//bin/sh:main"},
            {"ubpf", "rbpf", "bpftime"},
            id="user-probe",
        ),
        pytest.param(
            [],
            {"program_type": "TRACEPOINT", "section": "tracepoint/sched/sched_switch"},
            {"ubpf", "rbpf"},
            id="tracepoint-of-the-scheduler",
        ),
        pytest.param(
            [],
            {"program_type": "TRACEPOINT", "section": "tracepoint/syscalls/sys_enter_openat"},
            {"ubpf", "rbpf", "bpftime"},
            id="tracepoint-of-a-system-call",
        ),
    ],
)
def test_candidates(listing: list[object], settings: dict[str, object], expected: set[str]) -> None:
    assert candidates(analysed(listing, leave(2), **settings)) == expected  # type: ignore[arg-type]


def test_helpers_have_to_be_registered() -> None:
    found = runtimes(analysed(call(7), leave(2)))
    assert found["ubpf"].conditions == ("whoever embeds it registers bpf_get_prandom_u32",)


def test_other_numbers_on_windows_mean_another_binary() -> None:
    assert "compiled again" in runtimes(analysed(call(7), leave(2)))["windows"].conditions[0]
    assert len(runtimes(analysed(leave(2)))["windows"].conditions) == 1


def test_types_of_the_kernel_are_nowhere_else() -> None:
    report = analyse(fixture("presence"))
    assert not any(each.candidate for each in report.runtimes if each.program == "by_field")
