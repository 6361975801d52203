"""Needs of flags and of exit values."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    Part,
    analysed,
    call,
    copy,
    hash_map,
    jump_if_equal,
    leave,
    load,
    map_address,
    mov,
    wide,
)

from skep.bytecode.analysis.report_needs import Requirements
from skep.bytecode.isa.instructions import Instruction

DEVMAP = hash_map("out", map_type=14)
EXIT = Instruction(0x95)


def redirecting(flags: int) -> list[Part]:
    return [map_address(R1, "out"), mov(R2, 0), mov(R3, flags), call(51), EXIT]


@pytest.mark.parametrize(
    ("flags", "kernel"),
    [
        pytest.param(0, "4.14", id="none"),
        pytest.param(2, "5.3", id="verdict-if-it-fails"),
        pytest.param(8, "5.14", id="to-all"),
        pytest.param(8 | 16, "5.14", id="to-all-others"),
    ],
)
def test_a_redirect_needs_what_knows_its_flags(flags: int, kernel: str) -> None:
    assert analysed(*redirecting(flags), maps=[DEVMAP]).requirements.oldest_kernel == kernel


def test_flags_that_are_not_known_claim_nothing() -> None:
    listing: list[Part] = [load(4, R6, R1), map_address(R1, "out"), mov(R2, 0), copy(R3, R6)]
    report = analysed(*listing, call(51), EXIT, maps=[DEVMAP])
    assert report.requirements.oldest_kernel == "4.14"


def test_the_newest_of_several_values_counts() -> None:
    listing: list[Part] = [
        load(4, R6, R1),
        map_address(R1, "out"),
        mov(R2, 0),
        mov(R3, 0),
        jump_if_equal(R6, 0, 1),
        mov(R3, 8),
    ]
    report = analysed(*listing, call(51), EXIT, maps=[DEVMAP])
    assert report.requirements.oldest_kernel == "5.14"


def adjusting(mode: int, flags: int) -> list[Part]:
    return [mov(R2, 20), mov(R3, mode), *wide(R4, flags), call(50), leave(0)]


@pytest.mark.parametrize(
    ("mode", "flags", "kernel"),
    [
        (0, 0, "4.13"),
        (1, 0, "5.2"),
        (0, 1 << 1, "5.2"),
        (0, 1 << 5, "5.8"),
        (0, 1 << 6, "5.13"),
        (0, 1 << 7, "6.3"),
        (0, 14 << 56, "5.2"),
    ],
)
def test_making_room_needs_what_knows_mode_and_flags(mode: int, flags: int, kernel: str) -> None:
    report = analysed(*adjusting(mode, flags), program_type="SCHED_CLS")
    assert report.requirements.oldest_kernel == kernel


@pytest.mark.parametrize(
    ("map_type", "flags", "kernel"),
    [
        pytest.param(24, 1, "5.2", id="needed-anyway"),
        pytest.param(24, 1 | 1 << 9, "5.4", id="clone"),
        pytest.param(2, 1 << 7, "5.2", id="read-only-for-programs"),
        pytest.param(2, 1 << 10, "5.5", id="mmapable"),
        pytest.param(4, 1 << 11, "5.10", id="preserve-elements"),
        pytest.param(2, 1 << 12, "5.10", id="inner-map"),
        pytest.param(1, 1 << 6, "5.0", id="zero-seed"),
    ],
)
def test_a_map_needs_what_knows_its_flags(map_type: int, flags: int, kernel: str) -> None:
    spec = replace(hash_map(map_type=map_type), flags=flags)
    assert analysed(leave(2), maps=[spec]).requirements.oldest_kernel == kernel


def leaving(value: int, program_type: str, attach_type: str | None, section: str) -> Requirements:
    return analysed(
        leave(value), program_type=program_type, attach_type=attach_type, section=section
    ).requirements


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value", "kernel"),
    [
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 1, "4.17"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", 3, "5.12"),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET6_BIND", 2, "5.12"),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 1, "4.10"),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 3, "5.3"),
        ("XDP", None, 77, "4.8"),
        ("XDP", None, 4, "4.14"),
        ("LSM", "LSM_MAC", -1, "5.7"),
    ],
)
def test_an_exit_value_needs_a_verifier_that_accepts_it(
    program_type: str, attach_type: str | None, value: int, kernel: str
) -> None:
    found = leaving(value, program_type, attach_type, "x")
    assert (found.oldest_kernel, found.newest_kernel, found.refused) == (kernel, None, ())


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value"),
    [
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", 2),
        ("CGROUP_SOCK_ADDR", "CGROUP_INET4_GETPEERNAME", 0),
        ("CGROUP_SYSCTL", "CGROUP_SYSCTL", 2),
        ("SK_LOOKUP", "SK_LOOKUP", 2),
        ("NETFILTER", "NETFILTER", 5),
        ("TRACING", "TRACE_ITER", 2),
    ],
)
def test_an_exit_value_no_verifier_accepts_is_refused(
    program_type: str, attach_type: str, value: int
) -> None:
    (refusal,) = leaving(value, program_type, attach_type, "x").refused
    assert refusal.what == f"exit value {value} is not allowed at {attach_type}"


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value", "section", "newest"),
    [
        ("LSM", "LSM_MAC", 1, "lsm/file_open", "6.11"),
        ("LSM", "LSM_MAC", 1, "lsm/inode_xattr_skipcap", None),
        ("TRACING", "TRACE_FENTRY", 1, "fentry/x", "5.6"),
        ("CGROUP_SKB", "CGROUP_INET_INGRESS", 2, "cgroup_skb/ingress", "4.14"),
    ],
)
def test_an_exit_value_later_verifiers_refuse_gives_a_newest_kernel(
    program_type: str, attach_type: str, value: int, section: str, newest: str | None
) -> None:
    assert leaving(value, program_type, attach_type, section).newest_kernel == newest


def test_an_exit_value_that_is_not_known_claims_nothing() -> None:
    report = analysed(
        load(4, R0, R1),
        EXIT,
        program_type="SK_LOOKUP",
        attach_type="SK_LOOKUP",
        section="sk_lookup",
    )
    assert report.requirements.refused == ()
