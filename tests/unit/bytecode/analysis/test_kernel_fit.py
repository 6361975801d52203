"""Objects against kernels that have what they need, and kernels that have not."""

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.kernels import bare_kernel, kernel, moved_kernel
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.kernel_fit import FitFinding, fit_to_types, fit_to_version
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


def test_a_weak_kernel_function_that_is_missing_is_a_note_at_most() -> None:
    fit = fit_to_types(fixture("kfunc"), MOVED)
    weak = [each for each in fixture("kfunc").extern_details if each.is_weak]
    assert weak
    for extern in weak:
        assert not any(extern.name in each.what for each in fit.findings if each.level == "no")


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
    assert document["schema"] == "skep.kernel-fit/v1"
    assert document["fits"] is True
