"""Rows of the label, from reports of fixtures."""

from dataclasses import replace

from tests.builders.assembled import analysed, hash_map, leave
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.cli.label_rows import (
    as_built_rows,
    attach_rows,
    chain_rows,
    extra_rows,
    runtime_rows,
    to_set_rows,
    type_rows,
)


def test_settings_that_switch_something_off() -> None:
    lines = as_built_rows(analyse(fixture("constants")))
    assert lines[0].startswith("Linux 5.5 or newer")
    assert "data.export" in lines[1]


def test_nothing_is_said_where_settings_change_nothing() -> None:
    assert as_built_rows(analysed(leave(2))) == []


def test_targets_the_object_names() -> None:
    assert attach_rows(analyse(fixture("may_trace_application"))) == [
        "to user function libssl.so.3:SSL_read",
        "to kernel function do_exit",
    ]
    assert attach_rows(analysed(leave(2))) == []


def test_fields_of_the_kernel() -> None:
    (line,) = type_rows(analyse(fixture("presence")))
    assert "task_struct.inner[1].later" in line
    assert type_rows(analysed(leave(2))) == []


def test_what_is_left_open() -> None:
    maps = [hash_map("open", max_entries=0)]
    assert to_set_rows(analysed(leave(2), maps=maps, licence=None)) == [
        "open: how many entries the map has",
        "the licence string the kernel looks at",
    ]


def test_chains_with_the_reason_where_not() -> None:
    assert chain_rows(analysed(leave(2)))[-1] == "skep chain: yes"
    lines = chain_rows(analyse(fixture("dispatched")))
    assert any(
        line.startswith("skep chain: no for calls_back") and "it takes" in line for line in lines
    )


def test_other_runtimes_are_candidates() -> None:
    assert runtime_rows(analysed(leave(2))) == [
        "possibly uBPF, rbpf, Windows, network cards (untested)"
    ]
    assert runtime_rows(analyse(fixture("may_bpf_kfunc"))) == []


def test_rows_of_several_objects_are_said_once() -> None:
    report = analysed(leave(2))
    (rows,) = [lines for name, lines in extra_rows([report, report]) if name == "Runtimes"]
    assert len(rows) == 1


def test_a_report_of_an_older_version_has_no_such_rows() -> None:
    report = replace(analysed(leave(2)), as_built=None, standards=(), runtimes=())
    needs = replace(report.requirements, configuration=(), attach=(), to_set=(), core=())
    assert list(extra_rows([replace(report, requirements=needs)])) == []
