"""Targets by every name they have, and what is possible where none is named."""

import pytest
from tests.builders.assembled import analysed, call, leave, permissions
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse

CERTAIN = (
    "tracepoint",
    "raw_syscalls",
    "raw",
    "raw_writable",
    "typed",
    "dispatcher",
    "switch_64",
    "entry_x64",
    "entry_ia32",
    "entry_arm64",
    "entry_se",
    "by_name",
    "by_pattern",
    "session",
)
LATER = ("later_function", "later_tracepoint", "later_pattern")
OTHERS = (
    "other_tracepoint",
    "other_raw",
    "other_function",
    "other_pattern",
    "application",
    "library",
)


def shown(program: str, name: str = "traced") -> dict[str, str]:
    return {
        each.id: each.confidence
        for each in analyse(fixture(name)).program(program).permissions
        if each.confidence != "excluded"
    }


class TestSystemCalls:
    @pytest.mark.parametrize("program", CERTAIN)
    def test_are_seen_under_each_name(self, program: str) -> None:
        assert shown(program)["trace.syscalls"] == "declared"

    @pytest.mark.parametrize("program", LATER)
    def test_are_possible_where_the_target_is_chosen_later(self, program: str) -> None:
        assert shown(program)["trace.syscalls"] == "possible"

    @pytest.mark.parametrize("program", OTHERS)
    def test_are_not_seen_elsewhere(self, program: str) -> None:
        assert "trace.syscalls" not in shown(program)

    @pytest.mark.parametrize(
        ("pattern", "is_one"),
        [
            ("*", True),
            ("__x64_*", True),
            ("__arm64_sys_open", True),
            ("__x64_sys_open?t*", True),
            ("*_syscall_64", True),
            ("do_sy?call_64", True),
            ("sys", False),
            ("tcp_*_sys", False),
            ("my_sys_call_64", False),
            ("vfs_*,__x64_sys_*", True),
            ("vfs_*,tcp_*", False),
            ("x64_sys_call.cold", True),
            ("syscall_trace_enter.constprop.0", True),
            ("tcp_sendmsg.isra.0+0x10", False),
            ("__audit_syscall_entry", True),
            ("*" * 200, True),
        ],
    )
    def test_are_matched_by_patterns(self, pattern: str, *, is_one: bool) -> None:
        report = analysed(
            leave(0),
            program_type="KPROBE",
            attach_type="TRACE_KPROBE_MULTI",
            section=f"kprobe.multi/{pattern}",
        )
        assert ("trace.syscalls" in permissions(report)) == is_one


class TestApplications:
    @pytest.mark.parametrize("program", ["application", "library"])
    def test_are_hooked_and_the_kernel_is_not(self, program: str) -> None:
        assert shown(program) == {"trace.application": "declared"}

    def test_helpers_that_look_at_the_probe_do_not_make_it_one_of_the_kernel(self) -> None:
        report = analysed(call(174), leave(0), program_type="KPROBE", section="uprobe/libc:open")
        assert permissions(report) == {"trace.application": "declared"}

    def test_are_possible_for_a_probe_that_says_nothing(self) -> None:
        report = analysed(leave(0), program_type="KPROBE", section="anything")
        assert permissions(report) == {
            "trace.kernel": "declared",
            "trace.application": "possible",
            "trace.syscalls": "possible",
        }

    def test_a_name_that_only_begins_like_a_probe_is_none(self) -> None:
        report = analysed(leave(0), program_type="KPROBE", section="uprobed/libc:open")
        assert permissions(report)["trace.application"] == "possible"


class TestIterators:
    @pytest.mark.parametrize(
        ("program", "expected"),
        [
            ("tasks", {"proc.list"}),
            ("files", {"proc.list", "file.list"}),
            ("areas", {"proc.list", "exec.sleepable"}),
            ("groups", {"proc.list"}),
            ("tcp", {"net.list"}),
            ("unix_sockets", {"net.list"}),
            ("programs", {"bpf.list"}),
            ("entries", {"bpf.list"}),
            ("symbols", {"kernel.kallsyms"}),
            ("buffers", {"sys.stats"}),
            ("unheard_of", {"unknown"}),
        ],
    )
    def test_show_what_they_list_and_trace_nothing(self, program: str, expected: set[str]) -> None:
        assert shown(program, "iterators") == dict.fromkeys(expected, "declared")

    def test_may_list_anything_where_the_target_is_chosen_later(self) -> None:
        found = shown("later", "iterators")
        assert {"proc.list", "net.list", "file.list", "bpf.list"} <= set(found)
        assert set(found.values()) == {"possible"}

    def test_have_a_scope(self) -> None:
        report = analyse(fixture("iterators"))
        scopes = {each.id: each.scope for each in report.program("tcp").permissions}
        assert scopes["net.list"] == "network namespace"
