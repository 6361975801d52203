"""Compiled objects: what a compiler makes of C is seen for what it is."""

import pytest
from tests.builders.assembled import permission, permissions
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.analysing import analyse


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.o")))
def test_every_fixture_has_a_report_that_travels(name: str) -> None:
    report = analyse(fixture(name))
    assert type(report).from_bytes(report.to_bytes()) == report
    assert all(program.is_resolved for program in report.programs)


def test_evidence_leads_to_the_line_of_source() -> None:
    found = permission(analyse(fixture("maps")), "data.state")
    assert found is not None
    assert found.evidence[0].file.endswith("maps.bpf.c")
    assert found.evidence[0].line is not None
    assert "counter" in found.evidence[0].text


def test_subprograms_and_their_results() -> None:
    report = analyse(fixture("subprograms"))
    assert len(report.program("first").functions) > 1
    assert report.program("first").exit_values is not None


def test_callbacks_are_followed() -> None:
    report = analyse(fixture("callback"))
    assert permissions(report) == {"exec.unbounded": "declared", "data.state": "declared"}
    assert report.requirements.oldest_kernel == "5.17"


def test_a_tail_call_through_a_prepared_array() -> None:
    report = analyse(fixture("maps_of_maps"))
    calls = [call for program in report.programs for call in program.tail_calls]
    assert [(call.map, call.indexes) for call in calls] == [("jumps", (1,))]


def test_core_records_make_the_kernels_types_necessary() -> None:
    needs = analyse(fixture("core")).requirements
    assert needs.needs_btf == "yes"
    assert "task_struct" in needs.types_read


def test_kernel_functions_variables_and_configuration_are_told_apart() -> None:
    report = analyse(fixture("kfunc"))
    assert report.requirements.kernel_configuration == ("CONFIG_HZ",)
    assert report.requirements.kernel_symbols == ("bpf_prog_active",)
    assert permissions(report)["bpf.kfunc"] == "declared"


def test_a_function_that_is_nowhere_is_remarked() -> None:
    report = analyse(fixture("missing_function"))
    assert report.requirements.missing == ("elsewhere",)


def test_no_licence_is_undeclared() -> None:
    assert analyse(fixture("no_licence")).licence.state == "undeclared"


def test_a_size_left_open_is_said() -> None:
    assert analyse(fixture("open_size")).requirements.sizes_to_set == ("flows",)


def test_sections_of_all_sorts() -> None:
    report = analyse(fixture("sections"))
    found = permissions(report)
    assert found["trace.application"] == found["unknown"] == found["exec.sleepable"] == "declared"
    assert not report.program("optional").is_default
