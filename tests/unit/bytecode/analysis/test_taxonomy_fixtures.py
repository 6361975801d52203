"""Every permission bytecode can show is shown by a compiled fixture, and by nothing less."""

import pytest
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.taxonomy import PERMISSIONS

CANNOT_BE_SHOWN: dict[str, str] = {
    "exec.replaceable": "global functions are not looked at yet",
    "kernel.write_memory": "stores through kernel pointers are not followed yet",
}
"""Rows for which no fixture can be, and why."""

# Shown by the object as a whole (a map), not by one of its programs.
OF_THE_OBJECT = {"data.shared_pinned"}

# Programs that must not show it are called `misses`; these have none, and why.
WITHOUT_NEAR_MISS = {
    "net.congestion": "the type of the operations shows it, for all programs of the object",
    "net.qdisc": "as above",
    "sched.ext": "as above",
    "io.submit": "as above",
    "data.shared_pinned": "the map shows it, for the object",
}


def name_of(permission: str) -> str:
    return f"may_{permission.replace('.', '_')}"


def shown_by(report: AnalysisReport, program: str) -> dict[str, str]:
    return {
        each.id: each.confidence
        for each in report.program(program).permissions
        if each.confidence != "excluded"
    }


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_every_permission_has_a_fixture_that_shows_it(permission: str) -> None:
    if permission in CANNOT_BE_SHOWN:
        assert not (DIRECTORY / f"{name_of(permission)}.o").exists()
        return
    report = analyse(fixture(name_of(permission)))
    found = {each.id: each.confidence for each in report.permissions}
    assert found[permission] == "declared"
    if permission not in OF_THE_OBJECT:
        assert shown_by(report, "shows")[permission] == "declared"


@pytest.mark.parametrize("permission", sorted(set(PERMISSIONS) - set(CANNOT_BE_SHOWN)))
def test_what_is_nearly_the_same_does_not_show_it(permission: str) -> None:
    report = analyse(fixture(name_of(permission)))
    programs = [program.name for program in report.programs]
    assert ("misses" in programs) != (permission in WITHOUT_NEAR_MISS)
    if "misses" in programs:
        assert permission not in shown_by(report, "misses")


@pytest.mark.parametrize(
    "permission", sorted(set(PERMISSIONS) - {"unknown"} - set(CANNOT_BE_SHOWN))
)
def test_known_things_are_known(permission: str) -> None:
    report = analyse(fixture(name_of(permission)))
    assert "unknown" not in {each.id for each in report.permissions}


def test_there_is_no_fixture_of_a_permission_that_is_gone() -> None:
    names = {path.stem for path in DIRECTORY.glob("may_*.o")}
    assert names == {name_of(permission) for permission in set(PERMISSIONS) - set(CANNOT_BE_SHOWN)}


class TestUnknown:
    """What is in no table is said, each time."""

    @pytest.mark.parametrize(
        ("program", "what"),
        [
            ("shows", "helper 4999"),
            ("shows_function", "kernel function bpf_brand_new"),
            ("shows_section", "section 'elsewhere/7' names no known program type"),
        ],
    )
    def test_is_shown_with_its_reason(self, program: str, what: str) -> None:
        report = analyse(fixture("may_unknown"))
        (permission,) = [each for each in report.permissions if each.id == "unknown"]
        assert permission.severity == "high"
        assert (program, what) in {(each.program, each.what) for each in permission.evidence}


class TestSecurityHooks:
    """A hook that never denies observes."""

    def test_one_that_denies_enforces_and_nothing_less(self) -> None:
        report = analyse(fixture("may_lsm_enforce"))
        assert shown_by(report, "shows") == {"lsm.enforce": "declared"}

    def test_one_that_returns_zero_only_observes(self) -> None:
        report = analyse(fixture("may_lsm_enforce"))
        found = {each.id: each.confidence for each in report.program("misses").permissions}
        assert found["lsm.enforce"] == "excluded"
        assert found["lsm.observe"] == "declared"
