"""The rows of a label; what they look like as a whole is in tests/snapshots."""

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.builders.assembled import analysed, call, leave
from tests.builders.objects import fixture, fixture_names

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.label import Label, LabelPermission, label_of
from skep.bytecode.analysis.report import AnalysisReport
from skep.cli.label import (
    abilities_in_brief,
    cannot_parts,
    cost_parts,
    is_critical,
    kernel_licence_value,
    marks,
    needs_parts,
    permission_lines,
    report_lines,
)
from skep.cli.surfaces import Surface

DROPS = analysed(leave(1))
EMPTY = label_of({})
PLAIN = Surface()


def permission(name: str, severity: str, confidence: str = "declared") -> LabelPermission:
    return LabelPermission(id=name, text=name, severity=severity, confidence=confidence)


def having(*permissions: LabelPermission) -> Label:
    return replace(EMPTY, permissions=permissions)


def rows(lines: Iterable[str]) -> list[str]:
    return [re.sub(r" {2,}", "  ", line) for line in lines]


@pytest.mark.parametrize("name", fixture_names())
def test_a_label_fits_a_screen(name: str) -> None:
    lines = list(report_lines({name: analyse(fixture(name))}, Surface(80)))
    assert len(lines) <= 30


def test_a_permission_has_a_line_for_each_scope_it_has() -> None:
    narrow = analysed(leave(0), program_type="CGROUP_SKB")
    label = label_of({"narrow.o": narrow, "wide.o": DROPS})
    assert rows(permission_lines(label, PLAIN))[:2] == [
        "Can  ! drop packets in one cgroup  net.drop",
        "  ! drop packets  net.drop",
    ]


def test_where_the_place_is_known_it_is_said() -> None:
    label = label_of({"a.o": DROPS})
    (line, *_) = rows(permission_lines(label, PLAIN, place="eth0"))
    assert line == "Can  ! drop packets on eth0  net.drop"
    group = label_of({"a.o": analysed(leave(0), program_type="CGROUP_SKB")})
    (line, *_) = rows(permission_lines(group, PLAIN, place="/web"))
    assert line == "Can  ! drop packets in cgroup /web  net.drop"


def test_what_is_possible_only_might_be() -> None:
    label = having(permission("net.read", "medium"), permission("net.drop", "high", "possible"))
    assert rows(permission_lines(label, PLAIN)) == [
        "Can  • read packet contents  net.read",
        "Might  ! drop packets  net.drop",
    ]


def test_without_permissions_that_is_said() -> None:
    assert rows(permission_lines(EMPTY, PLAIN)) == ["Can  (no permissions detected)"]


def test_beyond_five_the_milder_ones_are_named_in_a_line() -> None:
    names = ("debug.printk", "data.state", "net.lookup", "sys.stats", "crypto", "exec.deferred")
    label = having(*(permission(name, "low") for name in ("net.read", *names)))
    assert rows(permission_lines(label, PLAIN))[-1] == "  · and 2 more: crypto, exec.deferred"
    assert len(list(permission_lines(label, PLAIN))) == 6
    assert len(list(permission_lines(label, Surface(is_whole=True)))) == 7
    six = having(*(permission(name, "low") for name in names))
    assert not any("more" in line for line in permission_lines(six, PLAIN))


def test_nothing_serious_is_summed_up() -> None:
    ids = ("net.drop", "net.send", "net.mirror", "net.redirect", "net.encap", "net.modify")
    label = having(
        *(permission(name, "high") for name in ids),
        *(permission(name, "low") for name in ("debug.printk", "crypto")),
    )
    lines = rows(permission_lines(label, PLAIN))
    assert len(lines) == 7
    assert lines[-1] == "  · and 2 more: debug.printk, crypto"


def test_the_stronger_includes_the_weaker() -> None:
    deny, see = permission("lsm.enforce", "critical"), permission("lsm.observe", "medium")
    assert len(list(permission_lines(having(deny, see), PLAIN))) == 1
    unsure = replace(deny, confidence="possible")
    assert len(list(permission_lines(having(unsure, see), PLAIN))) == 2


def test_fields_are_named_by_structure() -> None:
    report = analysed(call(113), *leave(2))
    (found,) = [each for each in report.permissions if each.id == "kernel.read_memory"]
    names = ("task_struct.mm", "dentry.d_name", "task_struct.cred")
    named = replace(found, fields=names, fields_count=6)
    label = label_of({"a.o": replace(report, permissions=(named,))})
    assert rows(permission_lines(label, PLAIN))[0] == (
        "Can  ! read kernel memory (task_struct: mm, cred; dentry: d_name and 3 more)"
        "  kernel.read_memory"
    )


def test_marks_rank_and_colour() -> None:
    label = having(*(permission("x", each) for each in ("new", "critical", "high", "medium")))
    assert marks(label, PLAIN) == "!!!•"
    assert marks(having(permission("x", "low"), permission("x", "info")), PLAIN) == "··"
    assert marks(label, Surface(80, has_colour=True)).startswith("\x1b[31m!")
    assert [is_critical(each) for each in ("critical", "new", "high")] == [True, True, False]


def test_names_of_a_foreign_label_cannot_harm_a_terminal() -> None:
    evil = replace(permission("evil\x1b[2J", "low"), text="Can \x1b[2J")
    lines = list(permission_lines(having(evil), PLAIN))
    assert "\x1b" not in "".join(lines)
    assert "\x1b" not in abilities_in_brief(having(evil))


def test_what_cannot_be_is_grouped() -> None:
    def ruled_out(*names: str) -> list[str]:
        return cannot_parts(replace(EMPTY, cannot=names))

    assert ruled_out("net.drop", "net.modify", "net.redirect", "kernel.read_memory") == [
        "drop, change or redirect packets",
        "read kernel memory",
    ]
    assert ruled_out("kernel.override_return") == ["make system calls fail"]
    assert ruled_out("of.a.later.version") == []


def test_costs_in_numbers_and_units() -> None:
    assert cost_parts(EMPTY) == ["no map memory", "0 instructions"]
    label = replace(EMPTY, map_bytes=2048, map_bytes_per_cpu=16, instructions=1)
    assert cost_parts(label) == ["2 KB + 16 B per CPU", "1 instruction"]


def test_needs_in_brief() -> None:
    label = replace(
        EMPTY,
        oldest_kernel="5.1",
        kernel_reasons=("helper x",),
        needs_btf=True,
        kernel_options=("CONFIG_Y",),
    )
    assert needs_parts(label) == [
        "Linux 5.1 or newer (helper x)",
        "kernel types (BTF)",
        "CONFIG_Y",
    ]
    ending = replace(label, newest_kernel="6.9", newest_reason="helper x")
    assert needs_parts(ending)[0] == "Linux 5.1 to 6.9 (helper x); later kernels lack helper x"
    assert needs_parts(replace(label, refused="no end")) == ["no kernel loads it: no end"]


@pytest.mark.parametrize(
    ("report", "text"),
    [
        pytest.param(DROPS, "kernel: GPL, GPL-compatible", id="compatible"),
        pytest.param(
            analysed(call(6), *leave(2), licence="Apache-2.0"),
            "kernel: Apache-2.0, not GPL-compatible, but GPL is required for bpf_trace_printk:"
            " the kernel will refuse it",
            id="refused",
        ),
        pytest.param(analysed(leave(2), licence=None), "kernel: no licence string", id="none"),
    ],
)
def test_what_the_kernel_is_told_of_the_licence(report: AnalysisReport, text: str) -> None:
    assert kernel_licence_value(label_of({"a.o": report})) == text


def test_a_label_of_an_older_version_has_licence_strings_only() -> None:
    assert kernel_licence_value(replace(EMPTY, kernel_licences=("GPL",))) == "kernel: GPL"
    assert kernel_licence_value(EMPTY) == "kernel: no licence string"


def test_everything_in_one_line() -> None:
    label = having(permission("net.drop", "high"), permission("net.read", "medium", "possible"))
    assert abilities_in_brief(label) == "drop packets · might read packet contents"
    assert abilities_in_brief(EMPTY) == "no permissions detected"
