"""Addresses that calls read without anybody checking them: they may be any number."""

import pytest
from tests.builders.assembled import (
    EXIT,
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
    function,
    hash_map,
    jump_if_equal,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    store,
)

LENGTH: Listing = [kernel_call("bpf_strlen"), leave(2)]
VALUE: Listing = [
    mov(R0, 0),
    store(4, R10, -4, R0),
    copy(R2, R10),
    add(R2, -4),
    map_address(R1, "flows"),
    call(1),
    jump_if_equal(R0, 0, 9),
    copy(R6, R0),
]
"""R6 is a value of eight bytes; without one, the program goes on nine instructions further."""


def reads_kernel(*listing: object) -> str | None:
    report = analysed(*listing, maps=[hash_map()])  # type: ignore[arg-type]
    return confidence(report, "kernel.read_memory")


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        pytest.param([mov(R3, 0), mov(R3, 0)], "excluded", id="own-value"),
        pytest.param([mov(R3, 0), add(R6, 4)], "excluded", id="inside-of-it"),
        pytest.param([mov(R3, 0), add(R6, 0x10_0000)], "possible", id="behind-it"),
        pytest.param([mov(R3, 0), add(R6, -8)], "possible", id="before-it"),
        pytest.param([mov(R3, 0), add(R6, 8)], "possible", id="just-behind-it"),
    ],
)
def test_a_pointer_that_left_its_memory(moved: Listing, expected: str) -> None:
    assert reads_kernel(VALUE, moved, copy(R1, R6), *LENGTH, leave(2)) == expected


def test_a_pointer_on_one_path_and_a_number_on_the_other() -> None:
    # The attack: "no verifier lets a number be followed" is not true of addresses that are given.
    mixed: Listing = [load(8, R3, R6), jump_if_equal(R3, 0, 1), copy(R6, R3), copy(R1, R6)]
    assert reads_kernel(VALUE, mixed, *LENGTH, leave(2)) == "possible"


def test_a_pointer_that_a_helper_wrote_over() -> None:
    listing: Listing = [
        store(8, R10, -16, R10),
        mov(R2, 0),
        copy(R3, R10),
        add(R3, -16),
        mov(R4, 8),
        call(189),  # xdp_load_bytes
        load(8, R1, R10, -16),
    ]
    assert reads_kernel(listing, *LENGTH) == "possible"


def test_the_stack_of_a_caller_is_the_programs_own() -> None:
    callee = function("f", *LENGTH)
    listing: Listing = [copy(R1, R10), add(R1, -8), local("f"), EXIT]
    report = analysed(*listing, others=[callee])
    assert confidence(report, "kernel.read_memory") == "excluded"


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        pytest.param(26, "excluded", id="a-header"),
        pytest.param(0xF000, "possible", id="far-behind"),
    ],
)
def test_addresses_in_packets(place: int, expected: str) -> None:
    listing: Listing = [load(4, R1, R1, 0), add(R1, place)]
    report = analysed(*listing, *LENGTH)
    assert confidence(report, "kernel.read_memory") == expected
    assert confidence(report, "net.read") == "declared"


def test_a_text_in_a_record_is_the_programs_own() -> None:
    ring = hash_map("ring", map_type=27)
    listing: Listing = [map_address(R1, "ring"), mov(R2, 64), mov(R3, 0), call(131)]
    listing += [jump_if_equal(R0, 0, 3), copy(R1, R0), add(R1, 16), kernel_call("bpf_strlen")]
    report = analysed(*listing, leave(2), maps=[ring])
    assert confidence(report, "kernel.read_memory") == "excluded"


def test_a_format_nobody_knows_may_print_names_of_symbols() -> None:
    report = analysed(load(8, R1, R1), mov(R2, 4), call(6), leave(2))
    assert confidence(report, "kernel.kallsyms") == "possible"
