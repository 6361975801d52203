"""What a node label may have, and how it is said where it has more."""

from dataclasses import replace
from typing import ClassVar

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    analysed,
    call,
    confidence,
    hash_map,
    jump_if_equal,
    leave,
    load,
)

from skep.bytecode.analysis.errors import OutsideLabel
from skep.bytecode.analysis.label_bounds import (
    LabelChange,
    exceeding,
    label_changes,
    within,
)
from skep.bytecode.analysis.report import AnalysisReport, Evidence
from skep.errors import Refused

DROPS = analysed(leave(1))
PASSES = analysed(leave(2))
EITHER = analysed(jump_if_equal(1, 0, 2), leave(1), leave(2))
SIGNALS = analysed(call(109), leave(2))


def _at(report: AnalysisReport, file: str, line: int) -> AnalysisReport:
    """``report`` with all its evidence on one source line."""
    return replace(
        report,
        permissions=tuple(
            replace(
                each,
                evidence=tuple(replace(one, file=file, line=line) for one in each.evidence),
            )
            for each in report.permissions
        ),
    )


@pytest.mark.parametrize("report", [DROPS, PASSES, EITHER, SIGNALS])
def test_a_label_lies_within_itself(report: AnalysisReport) -> None:
    within(report, report)
    assert not label_changes(report, report)


def test_certainty_that_is_gone_is_kept() -> None:
    maybe = analysed(load(4, R0, R1, 12), EXIT)  # a number nobody knows
    kept = within(EITHER, _only_drops(maybe))
    assert confidence(maybe, "net.drop") == "possible"
    assert confidence(kept, "net.drop") == "declared"
    assert [each.confidence for each in kept.permissions] == ["declared"]
    assert not label_changes(EITHER, kept)


def test_certainty_is_not_made_up() -> None:
    maybe = analysed(load(4, R0, R1, 12), EXIT)
    assert within(maybe, maybe) == maybe
    assert within(maybe, DROPS) == DROPS
    assert within(EITHER, PASSES) == PASSES


def _only_drops(report: AnalysisReport) -> AnalysisReport:
    program = report.programs[0]
    shown = tuple(each for each in program.permissions if each.id == "net.drop")
    return replace(
        report,
        programs=(replace(program, permissions=shown),),
        permissions=tuple(each for each in report.permissions if each.id == "net.drop"),
    )


def test_less_lies_within_more() -> None:
    within(EITHER, DROPS)
    within(EITHER, PASSES)


def test_more_is_refused_with_permission_program_instruction_and_source_line() -> None:
    with pytest.raises(OutsideLabel) as caught:
        within(PASSES, _at(SIGNALS, "quiet.c", 12))
    message = caught.value.message
    for part in ("proc.signal", "program main", "main instruction 0", "quiet.c:12"):
        assert part in message
    assert caught.value.hint
    assert isinstance(caught.value, Refused)


def test_everything_that_is_outside_is_listed() -> None:
    both = analysed(call(109), leave(1))
    with pytest.raises(OutsideLabel) as caught:
        within(PASSES, both)
    assert len(caught.value.detail.splitlines()) == 2
    assert [each.id for each in exceeding(PASSES, both)] == ["proc.signal", "net.drop"]


def test_what_the_package_label_excludes_is_outside() -> None:
    assert [each.id for each in exceeding(PASSES, DROPS)] == ["net.drop"]


def test_another_scope_is_another_permission() -> None:
    socket = analysed(leave(0), program_type="SOCKET_FILTER", section="socket")
    assert [each.scope for each in exceeding(socket, DROPS)] == ["interface"]


def test_what_another_program_may_do_does_not_cover_this_one() -> None:
    other = replace(PASSES.programs[0], name="other")
    package = replace(SIGNALS, programs=(*SIGNALS.programs, other))
    renamed = replace(
        SIGNALS,
        programs=(replace(SIGNALS.programs[0], name="other"),),
        permissions=tuple(
            replace(
                each,
                programs=("other",),
                evidence=tuple(replace(one, program="other") for one in each.evidence),
            )
            for each in SIGNALS.permissions
        ),
    )
    assert [each.programs for each in exceeding(package, renamed)] == [("other",)]


def test_what_the_object_has_covers_its_programs_and_itself() -> None:
    pinned = analysed(leave(2), maps=[replace(hash_map(), pinning=1)])
    within(pinned, pinned)
    assert [each.id for each in exceeding(PASSES, pinned)] == ["data.shared_pinned"]
    assert label_changes(PASSES, pinned) == (LabelChange("data.shared_pinned", "", "", "declared"),)


def test_evidence_without_a_place_is_said_too() -> None:
    nowhere = Evidence(program="main", kind="T", what="program type")
    report = replace(
        DROPS, permissions=tuple(replace(each, evidence=(nowhere,)) for each in DROPS.permissions)
    )
    with pytest.raises(OutsideLabel, match=r"program main has net.drop \(.*: program type\)"):
        within(PASSES, report)


def test_changes_are_those_of_the_programs_that_are_loaded() -> None:
    other = replace(SIGNALS.programs[0], name="other")
    package = replace(PASSES, programs=(*PASSES.programs, other))
    assert not label_changes(package, PASSES)


class TestSecurityHooks:
    """A denial that a setting switches off leaves what it covered."""

    LSM: ClassVar = {"program_type": "LSM", "attach_type": "LSM_MAC", "section": "lsm/file_open"}

    def test_observing_lies_within_denying(self) -> None:
        package = analysed(jump_if_equal(1, 0, 2), leave(-1), leave(0), **self.LSM)
        node = analysed(leave(0), **self.LSM)
        assert {each.id for each in package.permissions} == {"lsm.enforce"}
        assert {each.id for each in node.permissions} == {"lsm.observe"}
        within(package, node)

    def test_denying_does_not_lie_within_observing(self) -> None:
        package, node = (analysed(leave(value), **self.LSM) for value in (0, -1))
        with pytest.raises(OutsideLabel, match=r"lsm\.enforce"):
            within(package, node)
