"""What a dynptr stands for decides what calls read and write through it."""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R10,
    Listing,
    add,
    analysed,
    call,
    copy,
    kernel_call,
    leave,
    load,
    mov,
    permissions,
    store,
)

from skep.bytecode.analysis.report import AnalysisReport


def at(register: int, place: int) -> Listing:
    """An address on the stack."""
    return [copy(register, R10), add(register, place)]


MADE_FOR_PACKET: Listing = [mov(R2, 0), at(R3, -16), kernel_call("bpf_dynptr_from_skb")]
# No kernel accepts memory of the stack here, which does not matter.
MADE_FOR_STACK: Listing = [at(R1, -64), mov(R2, 8), mov(R3, 0), at(R4, -16), call(197)]

SLICE: Listing = [at(R1, -16), mov(R2, 0), at(R3, -32), mov(R4, 8)]

WRITES = [
    pytest.param(
        [SLICE, kernel_call("bpf_dynptr_slice_rdwr"), store(1, R0, 0, R6)],
        id="slice",
    ),
    pytest.param(
        [at(R1, -16), mov(R2, 0), mov(R3, 4), mov(R4, 7), kernel_call("bpf_dynptr_memset")],
        id="fill",
    ),
    pytest.param(
        [mov(R1, 0), at(R2, -48), at(R3, -16), mov(R4, 0), kernel_call("bpf_crypto_decrypt")],
        id="decrypt-into",
    ),
    pytest.param(
        [mov(R1, 0), at(R2, -48), at(R3, -48), at(R4, -16), kernel_call("bpf_crypto_decrypt")],
        id="initialisation-vector",
    ),
    pytest.param(
        [at(R1, -16), mov(R2, 0), at(R3, -32), mov(R4, 8), mov(R5, 0), call(202)],
        id="write",
    ),
    pytest.param(
        [at(R1, -16), mov(R2, 0), mov(R3, 8), mov(R4, 0), kernel_call("bpf_copy_from_user_dynptr")],
        id="user-memory-into",
    ),
]


def judged(*listing: Listing) -> AnalysisReport:
    other: Listing = [at(R1, -64), mov(R2, 8), mov(R3, 0), at(R4, -48), call(197)]
    entry: Listing = [copy(R6, R1), other, copy(R1, R6)]
    return analysed(entry, *listing, leave(0), program_type="SCHED_CLS", section="tc")


@pytest.mark.parametrize("use", WRITES)
def test_writing_through_one_for_the_packet_changes_it(use: Listing) -> None:
    assert permissions(judged(MADE_FOR_PACKET, use))["net.modify"] == "declared"


@pytest.mark.parametrize("use", WRITES)
def test_writing_through_one_for_own_memory_changes_no_packet(use: Listing) -> None:
    assert "net.modify" not in permissions(judged(MADE_FOR_STACK, use))


def test_a_slice_of_own_memory_reads_no_packet() -> None:
    use: Listing = [SLICE, kernel_call("bpf_dynptr_slice"), load(1, R0, R0)]
    assert "net.read" not in permissions(judged(MADE_FOR_STACK, use))
    assert permissions(judged(MADE_FOR_PACKET, use))["net.read"] == "declared"


def test_writing_through_a_slice_may_write_the_buffer_it_was_given() -> None:
    # The attack: in packets of several pieces the slice is the buffer, and so the verdict changes.
    use: Listing = [SLICE, kernel_call("bpf_dynptr_slice_rdwr"), mov(R6, 0), store(8, R10, -32, R6)]
    verdict: Listing = [store(8, R0, 0, R1), load(8, R0, R10, -32), EXIT]
    entry: Listing = [MADE_FOR_PACKET, use, verdict]
    report = analysed(*entry, program_type="SCHED_CLS", section="tc")
    assert permissions(report)["net.drop"] == "possible"
