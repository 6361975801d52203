"""Objects against kernels that have what they need, and kernels that have not."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    EXIT,
    R1,
    R2,
    R3,
    Part,
    analysed,
    call,
    hash_map,
    kernel_call,
    leave,
    map_address,
    mov,
    object_file,
    one_program,
)
from tests.builders.btf import BtfBuilder
from tests.builders.kernels import bare_kernel, kernel, moved_kernel
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.kernel_fit import FitFinding, fit_to_types, fit_to_version
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.table import read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.versions import KernelVersion

MOVED = kernel(moved_kernel())
BARE = kernel(bare_kernel())


def levels(findings: tuple[FitFinding, ...], program: str) -> set[str]:
    return {finding.level for finding in findings if finding.program == program}


def test_a_field_that_is_there_is_no_finding() -> None:
    assert levels(fit_to_types(fixture("core_kinds"), MOVED).findings, "offset_of_field") == set()


def test_a_missing_field_is_a_warning_with_its_source_line() -> None:
    fit = fit_to_types(fixture("core_kinds"), MOVED)
    (finding,) = [each for each in fit.findings if each.program == "offset_of_nothing"]
    assert finding.level == "warning"
    assert "task_struct.never_there" in finding.what
    assert finding.line == 64
    assert "offset_of_nothing" in finding.text
    assert fit.fits


def test_a_missing_field_behind_a_question_is_a_note() -> None:
    assert levels(fit_to_types(fixture("core_kinds"), MOVED).findings, "guarded") == {"note"}


def test_a_field_of_another_type_counts_as_missing() -> None:
    findings = fit_to_types(fixture("core_kinds"), BARE).findings
    assert "warning" in levels(findings, "offset_of_field")


@pytest.mark.parametrize("name", ["may_lsm_observe", "may_kernel_modify_return"])
def test_a_missing_hook_target_says_no(name: str) -> None:
    targets = analyse(fixture(name)).requirements.targets
    assert targets
    fit = fit_to_types(fixture(name), MOVED)
    assert not fit.fits
    for target in targets:
        assert any(target.name in each.what for each in fit.findings if each.level == "no")


def test_a_missing_kernel_function_says_no() -> None:
    fit = fit_to_types(fixture("may_net_conntrack"), MOVED)
    assert not fit.fits
    assert any("bpf_xdp_ct_lookup" in each.what for each in fit.findings)


def refused(name: str) -> list[str]:
    fit = fit_to_types(fixture(name), MOVED)
    return [each.what for each in fit.findings if each.level == "no"]


def test_a_weak_kernel_function_the_object_asks_for_may_be_missing() -> None:
    assert not any("bpf_rcu_read_lock" in each for each in refused("presence"))


def test_a_weak_kernel_function_that_is_just_called_may_not_be_missing() -> None:
    assert any("bpf_rcu_read_unlock" in each for each in refused("kfunc"))


def test_a_helper_a_map_type_and_a_program_type_that_are_missing_say_no() -> None:
    types = BtfBuilder()
    types.enum("bpf_func_id", [("BPF_FUNC_unspec", 0)])
    types.enum("bpf_map_type", [("BPF_MAP_TYPE_UNSPEC", 0)])
    types.enum("bpf_prog_type", [("BPF_PROG_TYPE_UNSPEC", 0)])
    told = " ".join(
        each.what
        for each in fit_to_types(fixture("maps"), kernel(types.build())).findings
        if each.level == "no"
    )
    for what in ("helper bpf_map_lookup_elem", "no PERCPU_ARRAY", "no XDP"):
        assert what in told


def test_an_older_version_says_no_with_the_reason() -> None:
    fit = fit_to_version(analyse(fixture("map_extra")), KernelVersion(5, 10))
    assert not fit.fits
    assert "BLOOM_FILTER" in fit.findings[0].what


def test_the_oldest_version_itself_fits() -> None:
    report = analyse(fixture("map_extra"))
    oldest = KernelVersion.parse(report.requirements.oldest_kernel)
    assert fit_to_version(report, oldest).fits


def test_the_document_names_schema_and_verdict() -> None:
    document = fit_to_types(fixture("pass"), MOVED).to_document()
    assert document["schema"] == "skep.dev/kernel-fit/1"
    assert document["fits"] is True


THROUGH_REGISTER = Instruction(0x8D, 0, 0, 0, R1)
BROADCAST: list[Part] = [map_address(R1, "out"), mov(R2, 0), mov(R3, 8), call(51), EXIT]
DEVMAP = hash_map("out", map_type=14)


def complete_kernel() -> BtfBuilder:
    """Types with every helper, map type and program type."""
    types = BtfBuilder()
    types.enum("bpf_func_id", [(f"BPF_FUNC_{number}", number) for number in range(212)])
    types.enum("bpf_map_type", [(f"BPF_MAP_TYPE_{number}", number) for number in range(40)])
    types.enum("bpf_prog_type", [(f"BPF_PROG_TYPE_{number}", number) for number in range(40)])
    return types


def said(findings: tuple[FitFinding, ...], level: str) -> list[str]:
    return [finding.what for finding in findings if finding.level == level]


class TestAVersion:
    def test_says_no_to_what_no_kernel_loads(self) -> None:
        fit = fit_to_version(analysed(THROUGH_REGISTER, leave(2)), KernelVersion(7, 3))
        assert fit.fits is False
        assert said(fit.findings, "no") == [
            "no kernel loads it: calls through a register (0x8d); compile with -O2"
        ]

    def test_says_no_to_a_helper_its_type_may_call_only_later(self) -> None:
        report = analysed(call(109), leave(2))
        assert fit_to_version(report, KernelVersion(6, 15)).fits is False
        assert fit_to_version(report, KernelVersion(6, 16)).fits is True

    def test_says_no_to_what_went_again(self) -> None:
        report = analysed(kernel_call("scx_bpf_dispatch"), leave(0), program_type="SYSCALL")
        assert fit_to_version(report, KernelVersion(6, 16)).fits is True
        fit = fit_to_version(report, KernelVersion(6, 17))
        assert said(fit.findings, "no") == [
            "kernel function scx_bpf_dispatch is not in kernels after Linux 6.16"
        ]

    def test_says_no_to_a_helper_that_no_kernel_it_knows_of_has(self) -> None:
        report = analysed(call(9999), leave(2))
        assert fit_to_version(report, KernelVersion(7, 3)).fits is False
        later = fit_to_version(report, KernelVersion(9, 0))
        assert later.fits is True
        assert said(later.findings, "warning")

    def test_says_no_to_a_licence_that_is_not_compatible(self) -> None:
        fit = fit_to_version(analysed(call(6), leave(2), licence="MIT"), KernelVersion(6, 1))
        assert fit.fits is False

    def test_of_a_vendor_that_backports_says_nothing_for_certain(self) -> None:
        report = analysed(call(130), leave(2))
        fit = fit_to_version(report, KernelVersion(4, 18), vendor="Red Hat")
        assert fit.fits == "unknown"
        assert fit.to_document()["fits"] == "unknown"
        assert "cannot tell from the version" in said(fit.findings, "unknown")[-1]
        assert "give its BTF" in said(fit.findings, "unknown")[-1]

    def test_of_a_vendor_that_is_new_enough_fits(self) -> None:
        report = analysed(call(130), leave(2))
        assert fit_to_version(report, KernelVersion(5, 14), vendor="Red Hat").fits is True

    def test_of_a_vendor_says_no_to_what_no_kernel_loads(self) -> None:
        report = analysed(THROUGH_REGISTER, call(130), leave(2))
        assert fit_to_version(report, KernelVersion(4, 18), vendor="Red Hat").fits is False


class TestTypes:
    def test_of_another_byte_order_say_no(self) -> None:
        big = replace(one_program(leave(2)), byteorder="big")
        fit = fit_to_types(big, kernel(complete_kernel().build()))
        assert said(fit.findings, "no") == [
            "the object is for big-endian machines, this kernel is little-endian"
        ]

    def test_say_no_to_what_no_kernel_loads(self) -> None:
        fit = fit_to_types(
            one_program(THROUGH_REGISTER, leave(2)), kernel(complete_kernel().build())
        )
        assert fit.fits is False

    def test_say_no_to_a_helper_of_another_type(self) -> None:
        fit = fit_to_types(one_program(call(9), leave(2)), kernel(complete_kernel().build()))
        assert "may not be called by xdp programs" in said(fit.findings, "no")[0]

    def test_with_a_version_say_no_to_flags_that_came_later(self) -> None:
        objects = one_program(*BROADCAST, maps=[DEVMAP])
        types = kernel(complete_kernel().build())
        fit = fit_to_types(objects, types, version=KernelVersion(5, 13))
        assert said(fit.findings, "no") == [
            "bpf_redirect_map with BPF_F_BROADCAST needs Linux 5.14"
        ]
        assert fit_to_types(objects, types, version=KernelVersion(5, 14)).findings == ()

    def test_without_a_version_warn_where_they_may_be_too_old(self) -> None:
        older = BtfBuilder()
        older.enum("bpf_func_id", [(f"BPF_FUNC_{number}", number) for number in range(52)])
        objects = one_program(*BROADCAST, maps=[DEVMAP])
        fit = fit_to_types(objects, kernel(older.build()))
        assert fit.fits is True
        (warning,) = said(fit.findings, "warning")
        assert "needs Linux 5.14; by its types this kernel may be as old as" in warning
        assert fit_to_types(objects, kernel(complete_kernel().build())).findings == ()

    def test_tell_what_a_kernel_has_whatever_its_version(self) -> None:
        # Backported: the helper is there, so the version does not matter.
        objects = one_program(call(130), leave(2))
        types = kernel(complete_kernel().build())
        assert fit_to_types(objects, types, version=KernelVersion(5, 7)).fits is True

    def test_say_no_to_struct_ops_the_kernel_does_not_take(self) -> None:
        builder = BtfBuilder()
        struct = builder.struct("sched_ext_ops", 8, [])
        builder.datasec(".struct_ops.link", [(builder.variable("mine", struct), 0, 8)])
        objects = replace(object_file([], []), types=read_btf(builder.build(), "little"))
        assert fit_to_types(objects, kernel(complete_kernel().build())).fits is False
        taking = complete_kernel()
        taking.struct("bpf_struct_ops_sched_ext_ops", 8, [])
        assert fit_to_types(objects, kernel(taking.build())).fits is True


def test_a_report_keeps_its_reasons() -> None:
    report = analysed(
        call(39), call(9999), THROUGH_REGISTER, leave(0), program_type="LWT_SEG6LOCAL"
    )
    assert AnalysisReport.from_bytes(report.to_bytes()) == report
    assert report.requirements.newest_kernel == "7.1"
