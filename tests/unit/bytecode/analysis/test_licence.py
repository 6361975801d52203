"""Three things kept apart: what is declared, what the kernel knows, what needs it."""

import pytest
from tests.builders.assembled import analysed, call, kernel_call, leave

COMPATIBLE = [
    "GPL",
    "GPL v2",
    "GPL and additional rights",
    "Dual BSD/GPL",
    "Dual MIT/GPL",
    "Dual MPL/GPL",
]


@pytest.mark.parametrize("licence", COMPATIBLE)
def test_six_strings_are_compatible(licence: str) -> None:
    facts = analysed(call(6), leave(2), licence=licence).licence
    assert (facts.state, facts.gpl_compatible, facts.would_load) == ("compatible", True, True)
    assert facts.remarks == ()


@pytest.mark.parametrize(
    "licence", ["GPL-2.0", "GPL-2.0-only", "GPLv2", "GPL v3", "gpl", "GPL ", "", "MIT"]
)
def test_anything_else_is_not(licence: str) -> None:
    facts = analysed(call(6), leave(2), licence=licence).licence
    assert (facts.state, facts.gpl_compatible, facts.would_load) == ("not compatible", False, False)


@pytest.mark.parametrize("licence", ["GPL-2.0", "GPLv2", "gpl", "GPL "])
def test_a_near_miss_is_remarked(licence: str) -> None:
    (remark,) = analysed(leave(2), licence=licence).licence.remarks
    assert repr(licence) in remark


def test_undeclared_is_a_state_of_its_own() -> None:
    facts = analysed(call(6), leave(2), licence=None).licence
    assert (facts.state, facts.gpl_compatible, facts.would_load) == ("undeclared", None, None)


def test_nothing_is_needed_where_nothing_needs_it() -> None:
    facts = analysed(call(1), leave(2), licence="MIT").licence
    assert (facts.needs_gpl, facts.would_load) == (False, True)


def test_helpers_that_need_it_are_counted() -> None:
    facts = analysed(call(6), call(6), call(113), leave(2)).licence
    assert [(each.id, each.name, each.calls) for each in facts.gpl_only_helpers] == [
        (6, "bpf_trace_printk", 2),
        (113, "bpf_probe_read_kernel", 1),
    ]


def test_a_helper_may_be_free_in_one_type() -> None:
    free = analysed(call(27), leave(0), licence="MIT", program_type="PERF_EVENT").licence
    bound = analysed(call(27), leave(0), licence="MIT", program_type="KPROBE").licence
    assert (free.would_load, bound.would_load) == (True, False)


@pytest.mark.parametrize("program_type", ["LSM", "STRUCT_OPS"])
def test_some_types_need_it_as_a_whole(program_type: str) -> None:
    facts = analysed(leave(0), licence="MIT", program_type=program_type).licence
    assert facts.gpl_only_reasons == (f"program type {program_type}",)
    assert facts.would_load is False


def test_kernel_functions_need_it() -> None:
    facts = analysed(kernel_call("bpf_rcu_read_lock"), leave(2), licence="MIT").licence
    assert facts.would_load is False
