"""Calls: what they read and write through each argument."""

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
    function,
    function_address,
    hash_map,
    jump,
    jump_if_equal,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    store,
    value_address,
)

from skep.bytecode.analysis.calling import UNCLASSIFIED, arguments_of
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.model import MapSpec

KERNEL, USER = "kernel.read_memory", "user.read_memory"
OUTSIDE: Listing = [load(8, R7, R1, 0)]  # of the context of a tracepoint: any number
BSS = MapSpec(".bss", 2, 4, 64, 1, data=bytes(64), origin="data")
TRACEPOINT: dict[str, object] = {"program_type": "TRACEPOINT", "section": "tp/sched/sched_switch"}


def at(register: int, place: int) -> Listing:
    """An address on the stack."""
    return [copy(register, R10), add(register, place)]


def constants(text: bytes) -> MapSpec:
    return MapSpec(".rodata", 2, 4, len(text), 1, 0x80, data=text, origin="data")


def judged(*listing: Listing, text: bytes = b"\0", **settings: object) -> AnalysisReport:
    maps = [BSS, constants(text), hash_map("flows")]
    return analysed(*listing, leave(0), maps=maps, **{**TRACEPOINT, **settings})


# --- formats ------------------------------------------------------------------------------------

ON_STACK: Listing = [store(8, R10, -16, R7)]
PRINTERS = [
    pytest.param(
        [value_address(R1, ".rodata"), mov(R2, 64), copy(R3, R7), call(6)], id="trace_printk"
    ),
    pytest.param(
        [ON_STACK, value_address(R1, ".rodata"), mov(R2, 64), at(R3, -16), mov(R4, 8), call(177)],
        id="trace_vprintk",
    ),
    pytest.param(
        [
            ON_STACK,
            value_address(R1, ".bss"),
            mov(R2, 64),
            value_address(R3, ".rodata"),
            at(R4, -16),
            mov(R5, 8),
            call(165),
        ],
        id="snprintf",
    ),
    pytest.param(
        [ON_STACK, value_address(R2, ".rodata"), mov(R3, 64), at(R4, -16), mov(R5, 8), call(126)],
        id="seq_printf",
    ),
    pytest.param(
        [
            ON_STACK,
            mov(R1, 1),
            value_address(R2, ".rodata"),
            at(R3, -16),
            mov(R4, 8),
            kernel_call("bpf_stream_vprintk"),
        ],
        id="stream_vprintk",
    ),
]


@pytest.mark.parametrize("use", PRINTERS)
class TestFormats:
    @pytest.mark.parametrize("text", [b"%s\0", b"%pks\0", b"%pI4\0", b"%pi6\0", b"a %-8s\0"])
    def test_a_text_at_an_unknown_address_is_the_kernels(self, use: Listing, text: bytes) -> None:
        assert confidence(judged(OUTSIDE, use, text=text), KERNEL) == "declared"

    def test_a_text_of_a_process_is_said_to_be_one(self, use: Listing) -> None:
        report = judged(OUTSIDE, use, text=b"%pus\0")
        assert confidence(report, USER) == "declared"
        assert confidence(report, KERNEL) == "excluded"

    @pytest.mark.parametrize("text", [b"%d\0", b"%llx\0", b"%px\0", b"%%s\0", b"nothing\0"])
    def test_a_number_is_not_followed(self, use: Listing, text: bytes) -> None:
        report = judged(OUTSIDE, use, text=text)
        assert confidence(report, KERNEL) == "excluded"
        assert confidence(report, USER) is None

    def test_own_text_is_no_memory_of_the_kernel(self, use: Listing) -> None:
        own: Listing = [value_address(R7, ".rodata", 3)]
        assert confidence(judged(own, use, text=b"%s\0own\0"), KERNEL) == "excluded"

    @pytest.mark.parametrize("distance", [64, -8, 1 << 20])
    def test_an_address_beside_own_memory_is_the_kernels(self, use: Listing, distance: int) -> None:
        # The verifier lets a program move a pointer away; a call for numbers does not look.
        beside: Listing = [value_address(R7, ".bss"), add(R7, distance)]
        assert confidence(judged(beside, use, text=b"%s\0"), KERNEL) == "possible"

    def test_an_address_above_the_stack_is_the_kernels(self, use: Listing) -> None:
        assert confidence(judged(at(R7, 32), use, text=b"%s\0"), KERNEL) == "possible"
        assert confidence(judged(at(R7, -32), use, text=b"%s\0"), KERNEL) == "excluded"

    def test_own_memory_or_any_address(self, use: Listing) -> None:
        either: Listing = [
            OUTSIDE,
            copy(R6, R7),
            jump_if_equal(R6, 0, 2),
            value_address(R7, ".bss"),
        ]
        assert confidence(judged(either, use, text=b"%s\0"), KERNEL) == "possible"

    def test_own_memory_moved_by_any_distance(self, use: Listing) -> None:
        moved: Listing = [OUTSIDE, value_address(R6, ".bss"), alu(0x0F, R7, source=R6)]
        assert confidence(judged(moved, use, text=b"%s\0"), KERNEL) == "possible"

    def test_a_format_that_is_cut_off_may_follow(self, use: Listing) -> None:
        text = b"x" * 5000 + b"%pks\0"
        assert confidence(judged(OUTSIDE, use, text=text), KERNEL) == "possible"


def printing(*made: Listing) -> AnalysisReport:
    """trace_printk with a format whose address ``made`` puts in r1."""
    return judged(OUTSIDE, *made, [mov(R2, 3), copy(R3, R7), call(6)])


@pytest.mark.parametrize(("letter", "expected"), [(0x73, "declared"), (0x64, "excluded")])
def test_a_format_built_on_the_stack(letter: int, expected: str) -> None:
    built: Listing = [mov(R2, letter << 8 | 0x25), store(8, R10, -8, R2), at(R1, -8)]
    assert confidence(printing(built), KERNEL) == expected


def test_a_format_on_the_stack_that_a_call_may_have_changed() -> None:
    # The attack: %d becomes %s where the call writes to one of two places.
    built: Listing = [mov(R2, 0x6425), store(8, R10, -8, R2), store(8, R10, -16, R2)]
    changed: Listing = [
        copy(R1, R10),
        jump_if_equal(R7, 0, 2),
        add(R1, -8),
        jump(1),
        add(R1, -16),
        mov(R2, 8),
        call(16),
    ]
    assert confidence(printing(built, at(R1, -8)), KERNEL) == "excluded"
    assert confidence(printing(built, changed, at(R1, -8)), KERNEL) == "possible"


def test_a_format_in_data_that_can_be_changed() -> None:
    assert confidence(printing([value_address(R1, ".bss")]), KERNEL) == "possible"


def test_a_format_that_is_one_of_two() -> None:
    chosen: Listing = [
        value_address(R1, ".rodata"),
        jump_if_equal(R7, 0, 2),
        value_address(R1, ".rodata", 3),
    ]
    use: Listing = [mov(R2, 3), copy(R3, R7), call(6)]
    assert confidence(judged(OUTSIDE, chosen, use, text=b"%d\0%s\0"), KERNEL) == "declared"
    assert confidence(judged(OUTSIDE, chosen, use, text=b"%d\0%x\0"), KERNEL) == "excluded"


# --- raw addresses ------------------------------------------------------------------------------

STRINGS = [
    ("bpf_strlen", R1),
    ("bpf_strnlen", R1),
    ("bpf_strcmp", R1),
    ("bpf_strcmp", R2),
    ("bpf_strcasecmp", R2),
    ("bpf_strncasecmp", R1),
    ("bpf_strchr", R1),
    ("bpf_strchrnul", R1),
    ("bpf_strrchr", R1),
    ("bpf_strnchr", R1),
    ("bpf_strstr", R2),
    ("bpf_strnstr", R1),
    ("bpf_strcasestr", R1),
    ("bpf_strspn", R2),
    ("bpf_strcspn", R1),
]


@pytest.mark.parametrize(("name", "register"), STRINGS)
def test_strings_are_read_wherever_they_are(name: str, register: int) -> None:
    own: Listing = [value_address(each, ".bss") for each in (R1, R2)]
    assert confidence(judged(own, [kernel_call(name)]), KERNEL) == "excluded"
    outside: Listing = [OUTSIDE, own, copy(register, R7)]
    assert confidence(judged(outside, [kernel_call(name)]), KERNEL) == "declared"
    beside: Listing = [own, add(register, 4096)]
    assert confidence(judged(beside, [kernel_call(name)]), KERNEL) == "possible"


def test_bits_are_read_wherever_they_are() -> None:
    listing: Listing = [OUTSIDE, at(R1, -16), copy(R2, R7), mov(R3, 1)]
    assert confidence(judged(listing, [kernel_call("bpf_iter_bits_new")]), KERNEL) == "declared"


# --- packets through pointers -------------------------------------------------------------------

PACKET: Listing = [load(4, R6, R1, 0)]
ZERO: Listing = [mov(each, 0) for each in (R3, R4, R5)]


@pytest.mark.parametrize(
    "use",
    [
        pytest.param([copy(R2, R6), mov(R3, 12), mov(R4, -1), mov(R5, 0), call(n)], id=name)
        for n, name in ((84, "tcp"), (85, "udp"), (99, "any-state"))
    ]
    + [
        pytest.param(
            [mov(R1, 0), mov(R2, 0), copy(R3, R6), mov(R4, 20), mov(R5, 0), call(28)],
            id="csum_diff",
        ),
        pytest.param(
            [copy(R2, R6), mov(R3, 20), copy(R4, R6), mov(R5, 20), call(100)], id="check_syncookie"
        ),
        pytest.param([copy(R1, R6), copy(R2, R6), call(206)], id="raw-syncookie"),
        pytest.param([map_address(R1, "flows"), copy(R2, R6), call(1)], id="key"),
        pytest.param(
            [map_address(R1, "flows"), at(R2, -8), copy(R3, R6), mov(R4, 0), call(2)], id="value"
        ),
        pytest.param([copy(R1, R6), mov(R2, 8), mov(R3, 10), at(R4, -8), call(105)], id="strtol"),
        pytest.param(
            [copy(R1, R6), mov(R2, 3), value_address(R3, ".rodata"), call(182)], id="strncmp"
        ),
        pytest.param([copy(R2, R6), mov(R3, 64), mov(R4, 0), call(69)], id="fib_lookup"),
        pytest.param([copy(R1, R6), kernel_call("bpf_strlen")], id="string"),
    ],
)
def test_a_packet_read_through_a_pointer(use: Listing) -> None:
    report = judged(PACKET, use, program_type="XDP", section="xdp")
    assert confidence(report, "net.read") == "declared"


def test_a_packet_filled_by_a_call_is_changed() -> None:
    listing: Listing = [PACKET, copy(R2, R6), mov(R3, 64), mov(R4, 0), call(69)]
    report = judged(listing, program_type="XDP", section="xdp")
    assert confidence(report, "net.modify") == "declared"


# --- memory that calls fill ---------------------------------------------------------------------

INTO_VALUE: Listing = [value_address(R1, ".bss"), mov(R2, 8), copy(R3, R7)]


@pytest.mark.parametrize(
    "use",
    [
        pytest.param([OUTSIDE, INTO_VALUE, call(n)], id=name)
        for n, name in (
            (4, "probe_read"),
            (16, "get_current_comm"),
            (45, "probe_read_str"),
            (112, "probe_read_user"),
            (113, "probe_read_kernel"),
            (114, "probe_read_user_str"),
            (115, "probe_read_kernel_str"),
        )
    ]
    + [
        pytest.param(
            [value_address(R2, ".bss"), mov(R3, 64), mov(R4, 0), call(67)], id="get_stack"
        ),
        pytest.param(
            [value_address(R3, ".bss"), mov(R4, 8), mov(R2, 0), call(26)], id="skb_load_bytes"
        ),
        pytest.param(
            [value_address(R3, ".bss"), mov(R4, 8), mov(R2, 0), call(189)], id="xdp_load_bytes"
        ),
        pytest.param([value_address(R2, ".bss"), mov(R3, 8), call(147)], id="d_path"),
        pytest.param(
            [value_address(R2, ".bss"), mov(R3, 8), mov(R4, 0), call(101)], id="sysctl_get_name"
        ),
        pytest.param(
            [at(R1, -8), mov(R2, 8), mov(R3, 10), value_address(R4, ".bss"), call(105)], id="strtol"
        ),
        pytest.param([map_address(R1, "flows"), value_address(R2, ".bss"), call(88)], id="map_pop"),
        pytest.param(
            [value_address(R2, ".bss"), kernel_call("bpf_xdp_metadata_rx_timestamp")],
            id="timestamp",
        ),
    ],
)
def test_a_map_value_filled_by_a_call_is_state(use: Listing) -> None:
    assert confidence(judged(use), "data.state") == "declared"


def test_a_stack_filled_by_a_call_is_not_what_it_was() -> None:
    kept: Listing = [mov(R2, 2), store(8, R10, -8, R2), store(8, R10, -24, R2)]
    fill: Listing = [at(R1, -8), mov(R2, 8), mov(R3, 0), call(113)]
    reports = [
        judged([kept, fill, load(8, R0, R10, place), EXIT], program_type="XDP", section="xdp")
        for place in (-8, -24)
    ]
    assert [confidence(each, "net.drop") for each in reports] == ["possible", "excluded"]


def test_one_of_two_places_filled_by_a_call_is_unknown_in_both() -> None:
    # The attack: the verdict is where the call may write, at an address data flow cannot tell.
    kept: Listing = [
        load(4, R6, R1, 12),
        mov(R2, 2),
        store(8, R10, -8, R2),
        store(8, R10, -16, R2),
        copy(R1, R10),
        jump_if_equal(R6, 0, 2),
        add(R1, -8),
        jump(1),
        add(R1, -16),
    ]
    fill: Listing = [mov(R2, 8), mov(R3, 0), call(113), load(8, R0, R10, -8), EXIT]
    report = judged(kept, fill, program_type="XDP", section="xdp")
    assert confidence(report, "net.drop") == "possible"


# --- callbacks ----------------------------------------------------------------------------------

READS_PACKET_OF_R2 = function("later", load(8, R3, R2, 0), load(1, R4, R3, 0), leave(0))


def test_a_callback_that_runs_later_is_judged_but_gives_no_verdict() -> None:
    later = function(
        "later", [value_address(R1, ".bss"), mov(R2, 1), store(8, R1, 0, R2)], leave(1)
    )
    timer: Listing = [value_address(R1, ".bss"), function_address(R2, "later"), call(170)]
    maps = [BSS]
    report = analysed(*timer, leave(2), others=[later], maps=maps)
    assert confidence(report, "data.state") == "declared"
    assert confidence(report, "net.drop") == "excluded"


@pytest.mark.parametrize("name", ["bpf_wq_set_callback_impl", "bpf_wq_set_callback"])
def test_a_callback_of_a_work_queue_runs_later(name: str) -> None:
    later = function("later", [mov(R1, 9), call(109)], leave(1))
    queue: Listing = [value_address(R1, ".bss"), function_address(R2, "later"), mov(R3, 0)]
    report = analysed(*queue, kernel_call(name), leave(2), others=[later], maps=[BSS])
    assert confidence(report, "proc.signal") == "declared"
    assert confidence(report, "net.drop") == "excluded"


def test_a_callback_changes_what_its_caller_keeps() -> None:
    changes = function("changes", mov(R3, 1), store(8, R2, 0, R3), leave(0))
    loop: Listing = [
        mov(R2, 2),
        store(8, R10, -8, R2),
        mov(R1, 1),
        function_address(R2, "changes"),
        at(R3, -8),
        mov(R4, 0),
        call(181),
        load(8, R0, R10, -8),
        EXIT,
    ]
    assert confidence(analysed(*loop, others=[changes]), "net.drop") == "possible"


def test_an_exception_ends_the_program_from_a_function_or_a_callback() -> None:
    throws = function("throws", mov(R1, 1), kernel_call("bpf_throw"), leave(0))
    direct = analysed(local("throws"), leave(2), others=[throws])
    loop: Listing = [mov(R1, 1), function_address(R2, "throws"), mov(R3, 0), mov(R4, 0), call(181)]
    assert confidence(direct, "net.drop") == "declared"
    assert confidence(analysed(*loop, leave(2), others=[throws]), "net.drop") == "declared"


# --- calls that are in no table -----------------------------------------------------------------


def test_a_call_in_no_table_may_do_anything_with_what_it_gets() -> None:
    assert arguments_of(9999, "") is UNCLASSIFIED
    assert arguments_of(None, "bpf_not_yet_there") is UNCLASSIFIED
    report = judged(
        [PACKET, copy(R3, R6), kernel_call("bpf_not_yet_there")],
        program_type="XDP",
        section="xdp",
    )
    assert confidence(report, "net.read") == "declared"
    assert confidence(report, "net.modify") == "declared"
    assert confidence(report, "unknown") == "declared"


def test_what_it_gives_may_be_any_pointer() -> None:
    listing: Listing = [kernel_call("bpf_not_yet_there"), load(1, R2, R0, 0)]
    report = judged(listing, program_type="XDP", section="xdp")
    assert confidence(report, "net.read") == "possible"
    assert confidence(report, KERNEL) == "possible"
