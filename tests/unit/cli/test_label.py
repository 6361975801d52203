import io
from dataclasses import replace

import pytest
from tests.builders.assembled import analysed, call, leave
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.analysing import analyse
from skep.cli.label import label_lines, may_lines
from skep.cli.output import Output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.o")))
def test_a_label_fits_a_screen(name: str) -> None:
    lines = list(label_lines({name: analyse(fixture(name))}, Output(out=Terminal())))
    assert len(lines) <= 30
    assert [line for line in lines if len(line) > 80] == []


def test_a_permission_has_a_line_for_each_scope_it_has() -> None:
    wide = analysed(leave(1), program_type="XDP")
    narrow = analysed(leave(0), program_type="CGROUP_SKB")
    drops = [line for line in may_lines([narrow, wide], Output()) if "net.drop" in line]
    assert [line.rpartition("  ")[0] for line in drops] == [
        "high     Can drop packets in one cgroup",
        "high     Can drop packets",
    ]


def test_fields_are_named_by_structure() -> None:
    report = analysed(call(113), *leave(2))
    (found,) = [each for each in report.permissions if each.id == "kernel.read_memory"]
    names = ("task_struct.mm", "dentry.d_name", "task_struct.cred")
    named = replace(found, fields=names, fields_count=6)
    (line,) = may_lines([replace(report, permissions=(named,))], Output())
    assert line == (
        "high     Can read kernel memory (task_struct: mm, cred; dentry: d_name and 3 more)"
        "  [kernel.read_memory]"
    )


def test_fields_of_several_objects_are_one_list() -> None:
    report = analysed(call(113), *leave(2))
    (found,) = [each for each in report.permissions if each.id == "kernel.read_memory"]
    reports = [
        replace(report, permissions=(replace(found, fields=(name,), fields_count=1),))
        for name in ("task_struct.mm", "task_struct.cred", "task_struct.mm")
    ]
    (line,) = may_lines(reports, Output())
    assert "(task_struct: mm, cred)" in line


def test_lines_stay_whole_when_they_go_elsewhere() -> None:
    report = analyse(fixture("core_kinds"))
    piped = list(label_lines({"x": report}, Output(out=io.StringIO())))
    shown = list(label_lines({"x": report}, Output(out=Terminal())))
    assert len(piped) < len(shown)
    assert max(map(len, piped)) > 80
