"""What section names say."""

from dataclasses import replace

import pytest

from skep.bytecode.objectfile.section_table import STRICT, StrictRow
from skep.bytecode.objectfile.sections import BtfTarget, classify, usual_attach_type


@pytest.mark.parametrize(
    ("section", "program_type", "attach_type", "target"),
    [
        ("xdp", "XDP", "XDP", ""),
        ("xdp/devmap", "XDP", "XDP_DEVMAP", ""),
        ("tc", "SCHED_CLS", None, ""),
        ("tc/ingress", "SCHED_CLS", "TCX_INGRESS", ""),
        ("kprobe", "KPROBE", None, ""),
        ("kprobe/do_unlinkat+0x10", "KPROBE", None, "do_unlinkat+0x10"),
        ("uprobe//usr/bin/bash:readline", "KPROBE", None, "/usr/bin/bash:readline"),
        ("tracepoint/syscalls/sys_enter_open", "TRACEPOINT", None, "syscalls/sys_enter_open"),
        ("sk_reuseport/migrate", "SK_REUSEPORT", "SK_REUSEPORT_SELECT_OR_MIGRATE", ""),
        ("kprobe.multi/tcp_*", "KPROBE", "TRACE_KPROBE_MULTI", "tcp_*"),
    ],
)
def test_strict_names(
    section: str, program_type: str, attach_type: str | None, target: str
) -> None:
    facts = classify(section)
    assert facts.source == "strict"
    assert (facts.program_type, facts.attach_type, facts.target) == (
        program_type,
        attach_type,
        target,
    )


@pytest.mark.parametrize(
    ("section", "program_type", "attach_type"),
    [
        ("xdp_filter", "XDP", "XDP"),
        ("xdp1", "XDP", "XDP"),
        ("tc-main", "SCHED_CLS", None),
        ("cls_main", "SCHED_CLS", None),
        ("socket1", "SOCKET_FILTER", None),
        ("sk_msg_first", "SK_MSG", "SK_MSG_VERDICT"),
        ("cgroup/sock1", "CGROUP_SOCK", "CGROUP_INET_SOCK_CREATE"),
        ("kprobe-open", "KPROBE", None),
        ("connect4", "CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT"),
        ("bind6", "CGROUP_SOCK_ADDR", "CGROUP_INET6_BIND"),
    ],
)
def test_conventional_names_mean_what_their_beginning_means(
    section: str, program_type: str, attach_type: str | None
) -> None:
    facts = classify(section)
    assert facts.source == "convention"
    assert (facts.program_type, facts.attach_type, facts.target) == (program_type, attach_type, "")


@pytest.mark.parametrize("row", STRICT, ids=lambda row: row.pattern)
def test_a_name_behind_a_slash_changes_nothing(row: StrictRow) -> None:
    plain, named = classify(row.pattern), classify(f"{row.pattern}/name")
    assert named.target == "name"
    assert replace(named, section=row.pattern, source="strict", target="") == plain


@pytest.mark.parametrize(
    ("section", "attach_type", "target"),
    [
        ("cgroup/connect4/web/1", "CGROUP_INET4_CONNECT", "web/1"),
        ("xdp/devmap/last", "XDP_DEVMAP", "last"),
        ("?xdp.frags/cpumap/last", "XDP_CPUMAP", "last"),
        ("sk_reuseport/migrate/x", "SK_REUSEPORT_SELECT_OR_MIGRATE", "x"),
        ("sk_reuseport/migrating", "SK_REUSEPORT_SELECT", "migrating"),
        ("tc/ingress/x", "TCX_INGRESS", "x"),
        ("tc/ingress_x", None, "ingress_x"),
        ("cgroup_skb/egress/", "CGROUP_INET_EGRESS", ""),
    ],
)
def test_the_longest_known_beginning_counts(
    section: str, attach_type: str | None, target: str
) -> None:
    facts = classify(section)
    assert (facts.attach_type, facts.target) == (attach_type, target)
    assert facts.is_optional == section.startswith("?")


@pytest.mark.parametrize(
    ("section", "suggestion"),
    [
        ("2/7", "SCHED_CLS"),
        ("from-netdev", "SCHED_CLS"),
        ("xdpfoo", None),
        (".text", None),
        ("", None),
        ("?", None),
        ("/" * 5000, None),
        ("cgroup/connect4x/y", None),
        ("/xdp", None),
    ],
)
def test_other_names_only_suggest(section: str, suggestion: str | None) -> None:
    facts = classify(section)
    assert facts.source == "unknown"
    assert facts.program_type is None
    assert facts.suggestion == suggestion


def test_one_question_mark_makes_a_program_optional() -> None:
    assert classify("?xdp").is_optional
    assert classify("?xdp").program_type == "XDP"
    assert classify("??xdp").program_type is None


def test_suffixes_and_targets_are_told() -> None:
    assert classify("uprobe.s/x:y").is_sleepable
    assert classify("xdp.frags").has_frags
    assert classify("usdt/x:y:z").is_usdt
    assert classify("xdp").attach_type_is_optional
    assert classify("lsm/file_open").btf_target == BtfTarget("kernel", "FUNC", "bpf_lsm_")
    assert classify("freplace/f").btf_target == BtfTarget("program", "FUNC", "")


def test_the_usual_attach_type_is_that_of_the_plain_section() -> None:
    assert usual_attach_type("XDP") == "XDP"
    assert usual_attach_type("SCHED_CLS") is None
    assert usual_attach_type("nonsense") is None
