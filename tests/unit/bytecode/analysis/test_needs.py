"""What a kernel must have besides its age: types, options, targets; and what is left open."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    analysed,
    call,
    function,
    hash_map,
    leave,
    object_file,
    one_program,
)
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.assumptions import path_of
from skep.bytecode.analysis.report_needs import Requirements
from skep.bytecode.objectfile.model import CoreRelocation, MapSpec, ProgramSpec


def needs_of(name: str) -> Requirements:
    return analyse(fixture(name)).requirements


class TestCore:
    """CO-RE records, as people read them."""

    def test_type_path_kind_and_line(self) -> None:
        found = {(each.type, each.path, each.kind): each for each in needs_of("presence").core}
        field = found["task_struct", "inner[1].later", "existence of a field"]
        assert (field.count, field.number) == (2, 2)
        assert field.function == "by_field"
        assert field.file.endswith("presence.bpf.c")
        assert field.line is not None
        assert "by_field" in field.text
        assert ("bpf_func_id", "BPF_FUNC_ringbuf_output", "existence of an enumerator") in found

    def test_all_kinds_but_the_local_one(self) -> None:
        assert {each.number for each in needs_of("core_kinds").core} == set(range(13)) - {6}

    def test_flavours_are_left_out(self) -> None:
        assert not any("___" in each.type + each.path for each in needs_of("core_kinds").core)

    def test_of_code_nobody_reaches_nothing_is_said(self) -> None:
        record = CoreRelocation("other", 0, 1, "task_struct", "0:1", 0)
        objects = replace(one_program(leave(2)), core_relocations=(record,))
        assert analyse(objects).requirements.core == ()

    @pytest.mark.parametrize("access", ["", "9:9:9", "x", "0:" * 70])
    def test_a_record_that_does_not_fit_has_no_path(self, access: str) -> None:
        objects = fixture("core")
        (record, *_) = objects.core_relocations
        assert path_of(objects.types, replace(record, access=access)) == ""
        broken = replace(objects, core_relocations=(replace(record, access=access),))
        assert len(analyse(broken).requirements.core) == 1


class TestTargets:
    """Where programs attach."""

    @pytest.mark.parametrize(
        ("section", "program_type", "expected"),
        [
            ("kprobe/do_exit", "KPROBE", ("kernel function", "do_exit", "by the object")),
            ("kprobe", "KPROBE", ("kernel function", "", "when attached")),
            ("ksyscall/openat", "KPROBE", ("system call", "openat", "by the object")),
            ("uprobe//bin/sh:main", "KPROBE", ("user function", "/bin/sh:main", "by the object")),
            ("uprobe", "KPROBE", ("user function", "", "when attached")),
            ("tracepoint/sched/x", "TRACEPOINT", ("tracepoint", "sched/x", "by the object")),
            ("tp_btf/sched_switch", "TRACING", ("raw tracepoint", "sched_switch", "by the object")),
            ("lsm/file_open", "LSM", ("security hook", "file_open", "by the object")),
            ("cgroup/connect4", "CGROUP_SOCK_ADDR", ("cgroup", "", "when attached")),
            ("xdp/mine", "XDP", ("interface", "", "when attached")),
            ("netfilter/mine", "NETFILTER", ("netfilter hook", "", "when attached")),
            ("uprobe_x", "KPROBE", ("user function", "", "when attached")),
            ("freplace/f", "EXT", ("function of a program", "f", "by the object")),
        ],
    )
    def test_are_what_the_section_says(
        self, section: str, program_type: str, expected: tuple[str, str, str]
    ) -> None:
        report = analysed(leave(0), section=section, program_type=program_type)
        (found,) = report.requirements.attach
        assert (found.kind, found.name, found.chosen) == expected

    @pytest.mark.parametrize(
        ("section", "program_type"), [("syscall", "SYSCALL"), ("2/7", None), ("a", "NEWEST")]
    )
    def test_what_is_not_attached_has_none(self, section: str, program_type: str | None) -> None:
        report = analysed(leave(0), section=section, program_type=program_type)
        assert report.requirements.attach == ()

    def test_a_stated_type_does_not_believe_the_section(self) -> None:
        objects = object_file(
            [function("main", leave(0), section="kprobe/do_exit")],
            [ProgramSpec("main", "kprobe/do_exit", "KPROBE", None, "do_exit")],
        )
        report = analyse(objects, program_types={"main": "XDP"})
        (found,) = report.requirements.attach
        assert (found.kind, found.name) == ("interface", "")


class TestOptions:
    """Kernel options."""

    @pytest.mark.parametrize(
        ("settings", "option"),
        [
            ({"program_type": "LSM", "section": "lsm/file_open"}, "CONFIG_BPF_LSM"),
            ({"program_type": "KPROBE", "section": "kprobe/f"}, "CONFIG_KPROBE_EVENTS"),
            ({"program_type": "KPROBE", "section": "uprobe/f"}, "CONFIG_UPROBE_EVENTS"),
            ({"program_type": "SCHED_CLS", "section": "tc"}, "CONFIG_NET_CLS_BPF"),
            ({"program_type": "SCHED_CLS", "section": "tcx/ingress"}, "CONFIG_NET_XGRESS"),
            ({"maps": [hash_map(map_type=17)]}, "CONFIG_XDP_SOCKETS"),
            ({"program_type": "TRACING", "section": "fentry/f"}, "CONFIG_DEBUG_INFO_BTF"),
        ],
    )
    def test_follow_from_types_sections_and_maps(
        self, settings: dict[str, object], option: str
    ) -> None:
        found = analysed(leave(0), **settings).requirements.configuration
        assert option in {each.option for each in found}
        assert found[0].option == "CONFIG_BPF_SYSCALL"

    def test_follow_from_helpers(self) -> None:
        found = analysed(call(58), leave(0), program_type="KPROBE", section="kprobe/f")
        because = {each.option: each.because for each in found.requirements.configuration}
        assert because["CONFIG_BPF_KPROBE_OVERRIDE"] == "helper 58"

    def test_a_classifier_without_classifiers(self) -> None:
        found = analysed(leave(0), program_type="SCHED_CLS", section="tcx/ingress")
        assert "CONFIG_NET_CLS_BPF" not in {
            each.option for each in found.requirements.configuration
        }


def test_everything_that_is_left_open_is_said() -> None:
    maps = [hash_map("open", max_entries=0), MapSpec("outer", 12, 4, 4, 8)]
    found = analysed(
        leave(0), maps=maps, program_type=None, section="2/7", licence=None
    ).requirements.to_set
    assert {(each.kind, each.name) for each in found} == {
        ("size", "open"),
        ("inner map", "outer"),
        ("type", "main"),
        ("licence", ""),
    }


def test_nothing_is_left_open_where_the_object_says_it_all() -> None:
    report = analysed(leave(0), program_type="KPROBE", section="kprobe/do_exit", maps=[hash_map()])
    assert report.requirements.to_set == ()
