"""Kinds of ways to hide an effect, compiled: each is shown, and its harmless twin is not."""

import pytest
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport


@pytest.fixture(scope="module")
def formats() -> AnalysisReport:
    return analyse(fixture("formats"))


@pytest.fixture(scope="module")
def verdicts() -> AnalysisReport:
    return analyse(fixture("verdicts"))


def confidence(report: AnalysisReport, program: str, permission: str) -> str | None:
    found = {each.id: each.confidence for each in report.program(program).permissions}
    return found.get(permission)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("reads_in_a_constant", "declared"),
        ("reads_in_the_third", "declared"),
        ("reads_in_a_format_on_the_stack", "declared"),
        ("reads_in_one_of_two", "declared"),
        ("may_read_by_what_is_written_later", "possible"),
        ("may_read_by_what_is_configured", "possible"),
        ("shows_a_number", "excluded"),
        ("shows_its_own_text", "excluded"),
    ],
)
def test_formats_that_read_kernel_memory(
    formats: AnalysisReport, program: str, expected: str
) -> None:
    assert confidence(formats, program, "kernel.read_memory") == expected


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("counts", "declared"),
        ("passes_in_the_end", "declared"),
        ("drops_beside_what_is_unknown", "declared"),
        ("lets_a_function_change_it", "possible"),
        ("lets_a_call_change_one_of_two", "possible"),
        ("overwrites_a_byte", "possible"),
        ("sends_to_nowhere", "declared"),
        ("passes", "excluded"),
    ],
)
def test_verdicts_that_drop(verdicts: AnalysisReport, program: str, expected: str) -> None:
    assert confidence(verdicts, program, "net.drop") == expected


@pytest.mark.parametrize("program", ["counts", "passes_in_the_end", "passes"])
def test_verdicts_that_send_nothing_elsewhere(verdicts: AnalysisReport, program: str) -> None:
    assert confidence(verdicts, program, "net.redirect") == "excluded"
    assert confidence(verdicts, program, "net.reflect") == "excluded"
