"""Whose memory a program reads and writes, by what it gets its pointers from."""

import pytest
from tests.builders.assembled import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    Listing,
    add,
    analysed,
    call,
    confidence,
    copy,
    hash_map,
    kernel_call,
    leave,
    load,
    map_address,
    mov,
    permission,
    permissions,
    store,
    symbol_address,
)

from skep.bytecode.objectfile.model import Extern

READS, WRITES = "kernel.read_memory", "kernel.write_memory"
CURRENT_TASK = 158
WALK: Listing = [call(CURRENT_TASK), load(8, R1, R0, 8), load(4, R2, R1, 16)]


@pytest.mark.parametrize(
    ("program_type", "section"),
    [
        ("XDP", "xdp"),
        ("SCHED_CLS", "tc"),
        ("CGROUP_SKB", "cgroup_skb/egress"),
        ("CGROUP_SOCK_ADDR", "cgroup/connect4"),
        ("SK_LOOKUP", "sk_lookup"),
        ("SK_MSG", "sk_msg"),
        ("SOCKET_FILTER", "socket"),
        ("SOCK_OPS", "sockops"),
        ("RAW_TRACEPOINT", "raw_tp/sched_switch"),
        ("NETFILTER", "netfilter"),
        ("STRUCT_OPS", "struct_ops/ssthresh"),
        ("FLOW_DISSECTOR", "flow_dissector"),
        ("LWT_IN", "lwt_in"),
        ("SYSCALL", "syscall"),
    ],
)
def test_structures_of_the_kernel_are_walked_in_any_type(program_type: str, section: str) -> None:
    report = analysed(WALK, leave(1), program_type=program_type, section=section)
    assert confidence(report, READS) == "declared"


@pytest.mark.parametrize("program_type", ["XDP", "SCHED_CLS", "TRACEPOINT", "KPROBE", "SK_LOOKUP"])
def test_a_task_that_is_only_asked_for_is_not_read(program_type: str) -> None:
    report = analysed(call(CURRENT_TASK), leave(1), program_type=program_type)
    assert confidence(report, READS) == "excluded"


@pytest.mark.parametrize(
    "got",
    [
        pytest.param([mov(R1, 0), mov(R2, 7), kernel_call("bpf_rdonly_cast")], id="cast"),
        pytest.param([kernel_call("bpf_cast_to_kern_ctx")], id="context"),
        pytest.param([mov(R1, 1), kernel_call("bpf_task_from_pid")], id="task-by-number"),
        pytest.param([mov(R1, 0), call(137)], id="socket-as-tcp"),
        pytest.param([mov(R1, 0), call(162)], id="socket-of-a-file"),
        pytest.param([kernel_call("bpf_iter_task_next")], id="iterator"),
        pytest.param([map_address(R0, "flows")], id="map-itself"),
    ],
)
def test_what_kernel_structures_come_from(got: Listing) -> None:
    report = analysed(got, load(4, R2, R0, 24), leave(2), maps=[hash_map()])
    assert confidence(report, READS) == "declared"


@pytest.mark.parametrize(
    "got",
    [
        pytest.param([mov(R1, 0), call(95)], id="full-socket"),
        pytest.param([mov(R1, 0), call(96)], id="tcp-socket"),
        pytest.param([map_address(R1, "flows"), copy(R2, R10), add(R2, -4), call(1)], id="value"),
        pytest.param([copy(R0, R10), add(R0, -64)], id="stack"),
    ],
)
def test_what_a_program_may_read_anyway(got: Listing) -> None:
    report = analysed(got, load(4, R2, R0, 24), leave(2), maps=[hash_map()])
    assert confidence(report, READS) == "excluded"


def test_a_kernel_variable_is_read() -> None:
    variable = Extern("runqueues", "kernel_variable")
    listing: Listing = [symbol_address(R1, "runqueues"), mov(R2, 0), call(153), load(4, R3, R0, 0)]
    report = analysed(listing, leave(2), externs=[variable])
    assert confidence(report, READS) == "declared"


@pytest.mark.parametrize(
    ("program_type", "expected"),
    [("STRUCT_OPS", "declared"), ("RAW_TRACEPOINT_WRITABLE", "declared"), ("LSM", None)],
)
def test_structures_are_written_where_the_verifier_lets_them(
    program_type: str, expected: str | None
) -> None:
    listing: Listing = [load(8, R2, R1, 0), mov(R3, 1), store(4, R2, 16, R3), leave(0)]
    report = analysed(*listing, program_type=program_type, section="x")
    assert permissions(report).get(WRITES) == expected


@pytest.mark.parametrize("program_type", ["XDP", "SCHED_CLS"])
def test_a_tracked_connection_is_written(program_type: str) -> None:
    look: Listing = [kernel_call("bpf_skb_ct_lookup"), mov(R3, 1), store(4, R0, 168, R3)]
    names = [Extern("bpf_skb_ct_lookup", "kfunc")]
    report = analysed(look, leave(0), program_type=program_type, externs=names)
    assert permissions(report)[WRITES] == "declared"
    assert permissions(report)["net.conntrack"] == "declared"


def test_flow_keys_choose_where_packets_go() -> None:
    listing: Listing = [load(8, R2, R1, 144), mov(R3, 6), store(1, R2, 10, R3), leave(0)]
    report = analysed(*listing, program_type="FLOW_DISSECTOR", section="flow_dissector")
    assert confidence(report, "net.steer") == "declared"


def test_a_netfilter_program_reads_the_packet_in_kernel_memory() -> None:
    listing: Listing = [load(8, R2, R1, 8), load(4, R3, R2, 112), leave(1)]
    report = analysed(*listing, program_type="NETFILTER", section="netfilter")
    assert confidence(report, READS) == "declared"
    assert confidence(report, "net.read") == "possible"


def test_a_call_is_named_as_what_wrote() -> None:
    listing: Listing = [load(4, R2, R1, 0), mov(R3, 64), mov(R4, 0), copy(R6, R1), call(69)]
    report = analysed(listing, leave(2))
    (changed,) = (each for each in report.permissions if each.id == "net.modify")
    assert [each.what for each in changed.evidence] == ["store to the packet by bpf_fib_lookup"]


def test_an_iterator_over_elements_may_change_another_programs_map() -> None:
    # The attack: nothing but a list is shown, and every value of a foreign map is overwritten.
    listing: Listing = [load(8, R2, R1, 24), mov(R3, 3), store(4, R2, 0, R3), leave(0)]
    report = analysed(
        *listing,
        program_type="TRACING",
        attach_type="TRACE_ITER",
        section="iter/bpf_map_elem",
    )
    found = permission(report, "data.state")
    assert found is not None
    assert (found.confidence, found.severity) == ("declared", "high")


@pytest.mark.parametrize(
    ("program_type", "expected"), [("KPROBE", "declared"), ("PERF_EVENT", None)]
)
def test_a_probe_that_changes_registers_changes_the_application(
    program_type: str, expected: str | None
) -> None:
    listing: Listing = [mov(R2, 0), store(8, R1, 128, R2), leave(0)]
    report = analysed(*listing, program_type=program_type)
    assert confidence(report, "user.write_memory") == expected
