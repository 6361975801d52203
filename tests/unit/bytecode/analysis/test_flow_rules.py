"""Arguments of calls that decide what the call does."""

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
    R7,
    R10,
    Listing,
    add,
    alu,
    analysed,
    call,
    confidence,
    copy,
    hash_map,
    jump_if_equal,
    jump_if_not_equal,
    kernel_call,
    leave,
    load,
    map_address,
    mov,
    store,
    wide,
)

from skep.bytecode.isa.instructions import Instruction

TC: dict[str, object] = {"program_type": "SCHED_CLS", "section": "tc"}
UNKNOWN_R2: Listing = [load(4, R2, R1, 8)]
STACK_R3: Listing = [copy(R3, R10), add(R3, -32)]


@pytest.mark.parametrize(
    ("new_type", "expected"),
    [
        pytest.param([mov(R2, 3)], "declared", id="another-host"),
        pytest.param(wide(R2, 1 << 32 | 3), "declared", id="another-host-in-32-bits"),
        pytest.param([mov(R2, 0)], "excluded", id="this-host"),
        pytest.param(UNKNOWN_R2, "possible", id="any"),
        pytest.param([*UNKNOWN_R2, alu(0x57, R2, 3)], "declared", id="one-of-four"),
        pytest.param([*UNKNOWN_R2, alu(0x57, R2, 1)], "excluded", id="one-of-two"),
    ],
)
def test_a_packet_for_another_host_is_dropped(new_type: Listing, expected: str) -> None:
    assert confidence(analysed(new_type, call(32), leave(0), **TC), "net.drop") == expected


MOVE_HEAD: Listing = [copy(R6, R1), mov(R2, -20), call(44), copy(R1, R6)]
BYTES: Listing = [mov(R2, 0), STACK_R3, mov(R4, 8)]


@pytest.mark.parametrize(
    "write",
    [
        pytest.param([load(4, R2, R1, 0), mov(R3, 1), store(4, R2, 0, R3)], id="store"),
        pytest.param([BYTES, call(190)], id="store_bytes"),
        pytest.param(
            [
                mov(R2, 0),
                STACK_R3,
                kernel_call("bpf_dynptr_from_xdp"),
                copy(R1, R10),
                add(R1, -32),
                mov(R2, 0),
                copy(R3, R10),
                add(R3, -64),
                mov(R4, 8),
                mov(R5, 0),
                call(202),
            ],
            id="dynptr",
        ),
        pytest.param(
            [load(4, R2, R1, 0), mov(R3, 64), mov(R4, 0), call(69)], id="filled-by-a-call"
        ),
    ],
)
def test_a_header_in_front_of_the_packet_is_a_tunnel(write: Listing) -> None:
    assert confidence(analysed(MOVE_HEAD, write, leave(3)), "net.encap") == "declared"
    removed: Listing = [copy(R6, R1), mov(R2, 20), call(44), copy(R1, R6)]
    assert confidence(analysed(removed, write, leave(3)), "net.encap") == "excluded"


def test_room_that_nobody_writes_to_is_no_tunnel() -> None:
    assert confidence(analysed(MOVE_HEAD, leave(3)), "net.encap") is None


OUTPUT: Listing = [map_address(R2, "events"), copy(R4, R10), add(R4, -8), mov(R5, 8), call(25)]
EVENTS = hash_map("events", map_type=4)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(wide(R3, 0xFFFF << 32 | 0xFFFFFFFF), "declared", id="constant"),
        pytest.param(
            [load(4, R3, R1, 0), alu(0x67, R3, 32), alu(0x47, R3, 7)], "declared", id="computed"
        ),
        pytest.param([load(4, R3, R1, 16), alu(0x57, R3, 255)], "excluded", id="number-of-a-cpu"),
        pytest.param([load(8, R3, R1, 16)], "possible", id="any"),
        pytest.param(wide(R3, 0xFFFFFFFF), "excluded", id="none"),
    ],
)
def test_packet_bytes_that_are_appended(flags: Listing, expected: str) -> None:
    report = analysed(flags, OUTPUT, leave(2), maps=[EVENTS])
    assert confidence(report, "net.to_userspace") == expected


def test_packet_memory_that_is_handed_over_on_one_path() -> None:
    either: Listing = [
        load(4, R6, R1, 0),
        load(4, R7, R1, 12),
        jump_if_equal(R7, 0, 2),
        copy(R6, R10),
        add(R6, -32),
        map_address(R1, "ring"),
        copy(R2, R6),
        mov(R3, 32),
        mov(R4, 0),
        call(130),
    ]
    report = analysed(either, leave(2), maps=[hash_map("ring", map_type=27)])
    assert confidence(report, "net.to_userspace") == "possible"


DEVICES, SOCKETS = hash_map("devices", map_type=14), hash_map("sockets", map_type=17)


def test_two_maps_in_one_call_are_told_apart() -> None:
    either: Listing = [
        load(4, R7, R1, 12),
        map_address(R1, "devices"),
        jump_if_equal(R7, 0, 2),
        map_address(R1, "sockets"),
        mov(R2, 0),
        mov(R3, 0),
        call(51),
        EXIT,
    ]
    report = analysed(*either, maps=[DEVICES, SOCKETS])
    assert confidence(report, "net.to_userspace") == "declared"
    other = analysed(*either, maps=[DEVICES, hash_map("sockets", map_type=16)])
    assert confidence(other, "net.to_userspace") == "excluded"


def test_a_broadcast_on_one_path_is_one() -> None:
    either: Listing = [
        load(4, R7, R1, 12),
        mov(R3, 0),
        jump_if_not_equal(R7, 3, 1),
        mov(R3, 8),
        map_address(R1, "devices"),
        mov(R2, 0),
        call(51),
        EXIT,
    ]
    assert confidence(analysed(*either, maps=[DEVICES]), "net.mirror") == "declared"


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        # if (action > 2) action = 2; in both ways a compiler writes it
        pytest.param([Instruction(0xB5, R0, 0, 1, 2), mov(R0, 2)], "excluded", id="constant-right"),
        pytest.param(
            [mov(R2, 3), Instruction(0x2D, R2, R0, 1), mov(R0, 2)], "excluded", id="constant-left"
        ),
        pytest.param(
            [mov(R2, 4), Instruction(0x3D, R2, R0, 1), mov(R0, 2)], "declared", id="one-too-many"
        ),
        pytest.param([], "possible", id="none"),
    ],
)
def test_a_bound_of_a_verdict_is_followed(bound: Listing, expected: str) -> None:
    report = analysed(load(4, R0, R1, 16), bound, EXIT)
    assert confidence(report, "net.redirect") == expected


def test_a_redirect_among_many_constants_is_still_one_that_may_drop() -> None:
    listing: Listing = [load(4, R6, R1, 12), load(4, R0, R1, 16), alu(0x57, R0, 2047), add(R0, 16)]
    listing += [[jump_if_not_equal(R6, each, 1), mov(R0, 20 + each)] for each in range(9)]
    listing += [jump_if_not_equal(R6, 100, 3), mov(R1, 1), mov(R2, 0), call(23)]
    report = analysed(*listing, EXIT, **TC)
    assert confidence(report, "net.drop") == "possible"
    assert confidence(report, "net.redirect") == "declared"
