"""Since which kernel a type of program may call a helper."""

import pytest
from tests.builders.assembled import analysed, call, leave, one_program

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.helper_needs import availability
from skep.bytecode.analysis.report_needs import Requirements
from skep.bytecode.objectfile.model import ProgramSpec


def needs(helper: int, program_type: str, attach_type: str | None = None) -> Requirements:
    return analysed(
        call(helper), leave(1), program_type=program_type, attach_type=attach_type
    ).requirements


@pytest.mark.parametrize(
    ("helper", "program_type", "attach_type", "kernel"),
    [
        pytest.param(49, "SOCK_OPS", None, "4.13", id="with-the-helper"),
        pytest.param(
            49, "CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", "5.8", id="setsockopt-on-connect"
        ),
        pytest.param(49, "CGROUP_SOCK_ADDR", "CGROUP_INET6_BIND", "5.11", id="setsockopt-on-bind"),
        pytest.param(
            49, "CGROUP_SOCK_ADDR", "CGROUP_UDP4_SENDMSG", "5.12", id="setsockopt-on-sendmsg"
        ),
        pytest.param(49, "CGROUP_SOCKOPT", "CGROUP_SETSOCKOPT", "5.15", id="setsockopt-on-itself"),
        pytest.param(113, "XDP", None, "5.8", id="reading-memory-in-xdp"),
        pytest.param(109, "XDP", None, "6.16", id="signals-in-xdp"),
        pytest.param(14, "SCHED_CLS", None, "6.10", id="process-in-tc"),
        pytest.param(46, "SK_REUSEPORT", None, "5.14", id="cookie-in-reuseport"),
        pytest.param(159, "LSM", "LSM_MAC", "5.11", id="lsm-only"),
    ],
)
def test_a_helper_counts_since_its_type_may_call_it(
    helper: int, program_type: str, attach_type: str | None, kernel: str
) -> None:
    found = needs(helper, program_type, attach_type)
    assert (found.oldest_kernel, found.refused) == (kernel, ())


def test_the_reason_names_the_type() -> None:
    (first, *_) = needs(109, "XDP").reasons
    assert first.what == "helper bpf_send_signal in XDP programs"


@pytest.mark.parametrize(
    ("helper", "program_type", "attach_type", "why"),
    [
        pytest.param(44, "SCHED_CLS", None, "may not be called by sched cls", id="of-another-type"),
        pytest.param(
            64, "CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", "at CGROUP_INET4", id="of-connect"
        ),
        pytest.param(
            57, "CGROUP_SOCKOPT", "CGROUP_GETSOCKOPT", "at CGROUP_GET", id="of-setsockopt"
        ),
        pytest.param(148, "KPROBE", None, "sleepable programs only", id="that-sleeps"),
        pytest.param(126, "TRACING", "TRACE_FENTRY", "may not be called", id="of-iterators"),
    ],
)
def test_a_helper_no_kernel_allows_is_refused_by_all(
    helper: int, program_type: str, attach_type: str | None, why: str
) -> None:
    (refusal,) = needs(helper, program_type, attach_type).refused
    assert why in refusal.what
    assert (refusal.function, refusal.slot) == ("main", 0)


def test_a_sleepable_program_may_call_what_sleeps() -> None:
    report = analysed(
        call(148), leave(0), program_type="LSM", attach_type="LSM_MAC", is_sleepable=True
    )
    assert report.requirements.refused == ()


def test_a_helper_that_a_type_lost_gives_a_newest_kernel() -> None:
    found = needs(39, "LWT_SEG6LOCAL")
    assert (found.oldest_kernel, found.newest_kernel) == ("4.18", "7.1")
    (limit,) = found.newest_reasons
    assert limit.what == "helper bpf_skb_pull_data in LWT_SEG6LOCAL programs"


def test_what_nothing_went_of_has_no_newest_kernel() -> None:
    assert needs(1, "XDP").newest_kernel is None


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(ProgramSpec("main", "x", None), id="no-type"),
        pytest.param(ProgramSpec("main", "freplace/x", "EXT"), id="as-what-it-replaces"),
        pytest.param(ProgramSpec("main", "x", "TRACING"), id="no-attach-type"),
        pytest.param(ProgramSpec("main", "struct_ops/x", "STRUCT_OPS"), id="struct-ops-unknown"),
    ],
)
def test_where_the_tables_do_not_tell_nothing_is_claimed(spec: ProgramSpec) -> None:
    assert availability(44, spec) is None


def test_struct_ops_of_another_type_than_the_one_looked_at_are_not_judged() -> None:
    spec = ProgramSpec("main", "struct_ops/x", "STRUCT_OPS")
    refused = availability(44, spec, ["tcp_congestion_ops"])
    assert refused is not None
    assert refused.since is None
    assert availability(44, spec, ["sched_ext_ops"]) is None


def test_an_unknown_helper_is_not_in_the_tables() -> None:
    report = analyse(one_program(call(9999), leave(2)))
    assert report.requirements.unknown_first_kernels == ("helper 9999",)
    assert report.requirements.refused == ()
