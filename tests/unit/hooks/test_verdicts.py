"""Verdict tables: complete, free of contradictions, and what the kernel does."""

import subprocess
import sys
from pathlib import Path

import pytest

from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, PROGRAM_TYPES
from skep.hooks.iterators import ITERATORS
from skep.hooks.security_hooks import ARGUMENTS, RETURNS_NOTHING
from skep.hooks.struct_ops import STRUCT_OPS
from skep.hooks.verdict import VerdictTable
from skep.hooks.verdicts import VERDICT_TABLES, scope_of_type, verdicts_of
from skep.hooks.xdp import XDP
from skep.versions import KernelVersion

ROOT = Path(__file__).resolve().parents[3]
VALUES = (-(1 << 31), -4095, -1, *range(260), 0xFFFF, (1 << 31) - 1)


def table(program_type: str, attach_type: str | None = None) -> VerdictTable:
    found = verdicts_of(program_type, attach_type)
    assert found is not None
    return found


def shown(program_type: str, attach_type: str | None, value: int) -> set[str]:
    rows = table(program_type, attach_type).rows(value)
    return {name for row in rows for name in row.permissions}


@pytest.mark.parametrize("program_type", sorted(set(PROGRAM_TYPES) - {"UNSPEC"}))
def test_every_program_type_has_a_table_whatever_its_attach_type(program_type: str) -> None:
    assert table(program_type).program_type == program_type
    assert verdicts_of(program_type, "NEW_HOOK") is table(program_type)


def test_a_type_in_no_table_has_none_and_one_nobody_stated_may_be_any() -> None:
    assert verdicts_of("NEW", None) is None
    assert verdicts_of(None, "XDP") is table("EXT")


def test_no_attach_type_is_in_two_tables_or_made_up() -> None:
    named = [name for each in VERDICT_TABLES for name in each.attach_types]
    assert len(named) == len(set(named))
    assert set(named) <= set(ATTACH_TYPES)


def test_types_with_several_hooks_name_every_one_of_them() -> None:
    named = {name for each in VERDICT_TABLES for name in each.attach_types}
    addresses = {name for name in ATTACH_TYPES if name.startswith(("CGROUP_INET4", "CGROUP_UDP"))}
    assert addresses | {name for name in ATTACH_TYPES if name.startswith("CGROUP_UNIX")} <= named


@pytest.mark.parametrize("each", VERDICT_TABLES, ids=lambda each: each.program_type)
class TestEachTable:
    def test_says_something_about_every_value(self, each: VerdictTable) -> None:
        assert [value for value in VALUES if each.is_accepted(value) and not each.rows(value)] == []

    def test_has_a_neutral_value_that_does_nothing(self, each: VerdictTable) -> None:
        if each.neutral is not None:
            rows = each.rows(each.neutral)
            assert each.is_accepted(each.neutral)
            assert all(row.passes and not row.permissions for row in rows)

    def test_shows_permissions_there_are(self, each: VerdictTable) -> None:
        assert set(each.permissions) <= set(PERMISSIONS)

    def test_asks_for_no_kernel_older_than_a_value(self, each: VerdictTable) -> None:
        kernels = [row.first_kernel for row in each.verdicts if row.first_kernel]
        assert all(kernel >= KernelVersion(4, 4) for kernel in kernels)

    def test_has_names_that_differ(self, each: VerdictTable) -> None:
        names = [row.name for row in each.verdicts]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value", "expected"),
    [
        ("XDP", "XDP", 0, {"net.drop"}),
        ("XDP", "XDP", 1, {"net.drop"}),
        ("XDP", None, 2, set()),
        ("XDP", "XDP", 3, {"net.reflect"}),
        ("XDP", "XDP", 4, {"net.redirect"}),
        ("XDP", "XDP", 77, {"net.drop"}),
        ("XDP", "XDP_DEVMAP", 2, set()),
        ("XDP", "XDP_DEVMAP", 3, {"net.drop"}),
        ("XDP", "XDP_DEVMAP", 4, {"net.drop"}),
        ("XDP", "XDP_CPUMAP", 3, {"net.drop"}),
        ("XDP", "XDP_CPUMAP", 4, {"net.redirect"}),
        ("SCHED_CLS", None, 0, set()),
        ("SCHED_CLS", None, 2, {"net.drop"}),
        ("SCHED_CLS", None, 4, {"net.drop"}),
        ("SCHED_CLS", None, 5, set()),  # QUEUED: cls_bpf takes it for UNSPEC
        ("SCHED_CLS", None, 8, {"net.drop"}),
        ("SCHED_CLS", "TCX_INGRESS", 4, set()),
        ("SCHED_CLS", "TCX_EGRESS", 2, {"net.drop"}),
        ("SCHED_CLS", "NETKIT_PEER", 7, {"net.redirect"}),
        ("SCHED_CLS", "NETKIT_PRIMARY", 3, {"net.drop"}),
        ("SCHED_CLS", "NETKIT_PRIMARY", -1, set()),
        ("SCHED_ACT", None, 2, {"net.drop"}),
        ("SCHED_ACT", None, 8, set()),  # TRAP: act_bpf takes it for UNSPEC
        ("LWT_IN", None, 1, {"net.drop"}),
        ("LWT_IN", None, 7, set()),
        ("LWT_IN", None, 128, {"net.redirect", "net.drop"}),
        ("LWT_OUT", None, 128, set()),
        ("LWT_XMIT", None, 7, {"net.redirect"}),
        ("LWT_SEG6LOCAL", None, 128, {"net.drop"}),
        ("SOCKET_FILTER", None, 0, {"net.drop"}),
        ("SOCKET_FILTER", None, 64, {"net.resize"}),
        ("SOCKET_FILTER", None, 0xFFFF, set()),
        ("SOCKET_FILTER", None, -1, set()),
        ("SK_SKB", "SK_SKB_STREAM_VERDICT", 0, {"net.drop"}),
        ("SK_SKB", "SK_SKB_VERDICT", 2, {"net.drop"}),
        ("SK_SKB", "SK_SKB_STREAM_PARSER", 2, set()),
        ("SK_SKB", "SK_SKB_STREAM_PARSER", -1, {"net.block_socket"}),
        ("SK_SKB", None, 0, {"net.drop"}),
        ("SK_MSG", "SK_MSG_VERDICT", 7, {"net.drop"}),
        ("SK_LOOKUP", "SK_LOOKUP", 0, {"net.drop", "net.block_socket"}),
        ("SK_REUSEPORT", "SK_REUSEPORT_SELECT", 3, {"net.drop", "net.block_socket"}),
        ("NETFILTER", "NETFILTER", 0, {"net.drop"}),
        ("FLOW_DISSECTOR", "FLOW_DISSECTOR", 0, {"net.steer"}),
        ("FLOW_DISSECTOR", "FLOW_DISSECTOR", 2, {"net.drop", "net.steer"}),
        ("FLOW_DISSECTOR", "FLOW_DISSECTOR", 129, set()),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 2, {"net.drop"}),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 3, set()),
        ("CGROUP_SOCK", "CGROUP_INET_SOCK_CREATE", 0, {"net.block_socket"}),
        ("CGROUP_SOCK", "CGROUP_INET4_POST_BIND", 0, {"net.block_socket"}),
        ("CGROUP_SOCK", "CGROUP_INET_SOCK_RELEASE", 0, set()),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", 0, {"net.block_socket"}),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 1, set()),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 2, {"net.block_socket", "net.privileged_bind"}),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET6_BIND", 3, {"net.privileged_bind"}),
        ("CGROUP_SOCK_ADDR", "CGROUP_UNIX_SENDMSG", 0, {"net.block_socket"}),
        ("CGROUP_SOCK_ADDR", "CGROUP_UDP6_RECVMSG", 0, set()),  # no kernel loads it
        ("CGROUP_DEVICE", "CGROUP_DEVICE", 0, {"cgroup.device"}),
        ("CGROUP_SYSCTL", "CGROUP_SYSCTL", 0, {"cgroup.sysctl"}),
        ("CGROUP_SOCKOPT", "CGROUP_SETSOCKOPT", 0, {"net.sockopt_intercept"}),
        ("SOCK_OPS", "CGROUP_SOCK_OPS", 0, set()),
        ("LSM", "LSM_MAC", -1, {"lsm.enforce"}),
        ("LSM", "LSM_MAC", 1, {"lsm.enforce"}),
        ("LSM", "LSM_CGROUP", 0, {"lsm.enforce"}),
        ("LSM", "LSM_CGROUP", 1, set()),
        ("TRACING", "MODIFY_RETURN", -1, {"kernel.modify_return"}),
        ("TRACING", "TRACE_ITER", 1, set()),
        ("TRACING", "TRACE_FENTRY", 0, set()),
        ("KPROBE", None, 0, set()),
        ("KPROBE", "TRACE_KPROBE_SESSION", 1, set()),
    ],
)
def test_what_a_value_shows(
    program_type: str, attach_type: str | None, value: int, expected: set[str]
) -> None:
    assert shown(program_type, attach_type, value) == expected


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value", "kernel"),
    [
        ("XDP", "XDP", 3, None),
        ("XDP", "XDP", 4, KernelVersion(4, 14)),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 1, None),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 3, KernelVersion(5, 12)),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 2, KernelVersion(5, 3)),
        ("FLOW_DISSECTOR", None, 129, KernelVersion(6, 1)),
    ],
)
def test_values_that_came_later_than_their_hook(
    program_type: str, attach_type: str | None, value: int, kernel: KernelVersion | None
) -> None:
    assert table(program_type, attach_type).first_kernel(value) == kernel


def test_where_a_redirecting_helper_only_lets_packets_pass() -> None:
    assert [row.permissions for row in table("LWT_OUT").redirects()] == [()]
    assert [row.permissions for row in table("XDP").redirects()] == [("net.redirect",)]
    assert table("SK_MSG").redirects() == ()


def test_whom_a_type_decides_for() -> None:
    assert scope_of_type("XDP") == "interface"
    assert scope_of_type("SOCK_OPS") == "cgroup"
    assert scope_of_type("SK_LOOKUP") == "socket"
    assert scope_of_type("LSM") == ""
    assert scope_of_type(None) == ""


def test_what_an_author_writes_in_run_on_is_the_same_table() -> None:
    assert dict(XDP.verdicts) == {"aborted": 0, "drop": 1, "pass": 2, "tx": 3, "redirect": 4}
    assert set(XDP.default_run_on) <= set(XDP.verdicts)


def test_iterators_show_permissions_there_are() -> None:
    for facts in ITERATORS.values():
        assert facts.permissions
        assert set(facts.permissions) <= set(PERMISSIONS)


def test_a_security_hook_returns_nothing_or_has_arguments() -> None:
    assert RETURNS_NOTHING.isdisjoint(ARGUMENTS)
    assert "task_free" in RETURNS_NOTHING
    assert ARGUMENTS["file_open"] == 1
    # Another number of arguments before 5.10: what stands behind them differs between kernels.
    assert "kernel_load_data" not in ARGUMENTS


def test_types_of_operations_the_taxonomy_knows_have_a_first_kernel() -> None:
    named = {name for row in PERMISSIONS.values() for name in row.struct_ops}
    assert named <= set(STRUCT_OPS)
    assert STRUCT_OPS["sched_ext_ops"] == KernelVersion(6, 12)


class TestTheGenerator:
    GENERATOR = ROOT / "tools" / "generate_hook_tables.py"

    def test_wrote_what_is_there(self) -> None:
        result = subprocess.run(
            [sys.executable, str(self.GENERATOR), "--check"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr

    def test_notices_what_is_stale(self, tmp_path: Path) -> None:
        (tmp_path / "tools" / "facts").mkdir(parents=True)
        for name in ("iterators", "security_hooks", "struct_ops"):
            source = ROOT / "tools" / "facts" / f"{name}.json"
            (tmp_path / "tools" / "facts" / source.name).write_bytes(source.read_bytes())
        for name in (self.GENERATOR.name, "generated_files.py"):
            (tmp_path / "tools" / name).write_bytes((ROOT / "tools" / name).read_bytes())
        copy = tmp_path / "tools" / self.GENERATOR.name
        result = subprocess.run(
            [sys.executable, str(copy), "--check"], capture_output=True, text=True, check=False
        )
        assert result.returncode == 1
        assert "docs/reference/verdicts.md is not current" in result.stdout
