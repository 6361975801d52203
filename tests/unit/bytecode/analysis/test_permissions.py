"""Permissions: each sort of evidence, its opposite, and attempts to hide it."""

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
    Line,
    Listing,
    add,
    analysed,
    call,
    confidence,
    copy,
    function,
    hash_map,
    jump,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    object_file,
    one_program,
    permission,
    permissions,
    store,
    symbol_address,
    value_address,
    wide,
)

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import Extern, MapSpec, ProgramSpec

PACKET_LOAD = [load(4, R2, R1, 0), load(1, R0, R2, 12)]


def test_a_program_that_only_passes_has_no_permission() -> None:
    report = analysed(leave(2))
    assert report.permissions == ()
    assert report.combinations == ()


def test_an_exit_value_that_is_not_known_excludes_nothing() -> None:
    report = analysed(load(4, R0, R1, 12), EXIT)
    assert permissions(report) == dict.fromkeys(
        ("net.drop", "net.reflect", "net.redirect"), "possible"
    )


@pytest.mark.parametrize(
    ("program_type", "scope", "severity"),
    [
        ("XDP", "interface", "high"),
        ("CGROUP_SKB", "cgroup", "high"),
        ("SOCKET_FILTER", "socket", "low"),
        ("SK_MSG", "socket", "low"),
    ],
)
def test_a_drop_has_a_scope(program_type: str, scope: str, severity: str) -> None:
    found = permission(analysed(leave(0), program_type=program_type), "net.drop")
    assert found is not None
    assert (found.scope, found.severity) == (scope, severity)


class TestSecurityModule:
    def test_one_that_never_denies_observes(self) -> None:
        report = analysed(leave(0), program_type="LSM", attach_type="LSM_MAC", section="lsm/x")
        assert "lsm.enforce" not in permissions(report)
        assert permissions(report)["lsm.observe"] == "declared"
        assert confidence(report, "lsm.enforce") == "excluded"

    def test_one_that_denies_enforces(self) -> None:
        report = analysed(leave(-1), program_type="LSM", attach_type="LSM_MAC", section="lsm/x")
        assert permissions(report)["lsm.enforce"] == "declared"

    def test_one_that_cannot_be_resolved_might(self) -> None:
        report = analysed(load(8, R0, R1), EXIT, program_type="LSM", attach_type="LSM_MAC")
        assert permissions(report)["lsm.enforce"] == "possible"

    def test_for_a_control_group_zero_denies(self) -> None:
        report = analysed(leave(0), program_type="LSM", attach_type="LSM_CGROUP")
        assert permissions(report)["lsm.enforce"] == "declared"


@pytest.mark.parametrize(
    ("helper", "expected"),
    [
        (1, set()),
        (36, {"user.write_memory"}),
        (113, {"kernel.read_memory"}),
        (4, {"kernel.read_memory", "user.read_memory"}),
        (109, {"proc.signal"}),
        (13, {"net.mirror"}),
        (58, {"kernel.override_return"}),
        (  # unknown format
            6,
            {"debug.printk", "kernel.read_memory", "user.read_memory", "kernel.kallsyms"},
        ),
        (169, {"exec.deferred", "data.state"}),
        (166, {"bpf.syscall"}),
    ],
)
def test_a_helper_shows_its_permissions_in_every_type(helper: int, expected: set[str]) -> None:
    report = analysed(call(helper), leave(2), program_type="SK_LOOKUP")
    assert {each for each in permissions(report) if each != "net.steer"} == expected


def test_a_helper_in_dead_code_does_not_count() -> None:
    report = analysed(jump(1), call(36), leave(2))
    assert permissions(report) == {}
    assert report.program("main").helpers == ()


def test_a_helper_in_a_subprogram_counts_where_it_is_reached() -> None:
    others = [function("used", call(36), EXIT), function("unused", call(109), EXIT)]
    report = analysed(local("used"), leave(2), others=others)
    found = permission(report, "user.write_memory")
    assert found is not None
    assert found.evidence[0].function == "used"
    assert "proc.signal" not in permissions(report)


def test_severity_follows_what_is_used() -> None:
    only_cgroup = permission(analysed(call(80), leave(2)), "proc.identify")
    also_pid = permission(analysed(call(80), call(14), leave(2)), "proc.identify")
    assert only_cgroup is not None
    assert also_pid is not None
    assert (only_cgroup.severity, also_pid.severity) == ("low", "medium")


class TestUnknown:
    """What is in no table is never silent."""

    @pytest.mark.parametrize(
        ("listing", "settings"),
        [
            pytest.param([call(9999)], {}, id="helper"),
            pytest.param([], {"program_type": None}, id="no-type"),
            pytest.param([], {"program_type": "NEW"}, id="program-type"),
            pytest.param([], {"attach_type": "NEW_HOOK"}, id="attach-type"),
            pytest.param([], {"program_type": "STRUCT_OPS"}, id="struct-ops-without-a-type"),
            pytest.param([kernel_call("bpf_brand_new")], {}, id="kernel-function"),
            pytest.param([kernel_call("scx_bpf_brand_new")], {}, id="kernel-function-of-a-kind"),
            pytest.param([Instruction(0x85, 0, 2, 0, 1234)], {}, id="kernel-function-by-number"),
            pytest.param([Instruction(0xFF)], {}, id="instruction"),
            pytest.param([Instruction(0x8D, 1)], {}, id="call-of-a-register"),
            pytest.param([], {"maps": [hash_map(map_type=999)]}, id="map-type"),
        ],
    )
    def test_is_a_permission(self, listing: list[Line], settings: dict[str, object]) -> None:
        report = analysed(listing, leave(2), **settings)
        assert permissions(report)["unknown"] == "declared"

    def test_a_poisoned_call_is_only_remarked(self) -> None:
        report = analysed(call(195896080), leave(2))
        assert "unknown" not in permissions(report)
        assert any("poisoned" in remark for remark in report.remarks)

    def test_a_context_nobody_knows_may_hold_a_packet(self) -> None:
        report = analysed(PACKET_LOAD, leave(2), program_type="EXT")
        assert permissions(report)["net.read"] == "possible"
        assert permissions(report)["net.drop"] == "possible"
        assert permissions(report)["exec.replace"] == "declared"


class TestPacket:
    def test_loads_and_stores(self) -> None:
        report = analysed(PACKET_LOAD, store(1, R2, 0, R0), leave(2))
        assert permissions(report) == {"net.read": "declared", "net.modify": "declared"}

    def test_an_atomic_operation_is_a_store(self) -> None:
        atomic = Instruction(0xDB, R2, R0, 0, 0)
        report = analysed(load(4, R2, R1, 0), mov(R0, 1), atomic, leave(2))
        assert permissions(report)["net.modify"] == "declared"

    @pytest.mark.parametrize(
        ("operation", "given"),
        [
            pytest.param(0xE1, R3, id="exchange"),
            pytest.param(0xF1, R0, id="compare-and-exchange"),
            pytest.param(0x01, R3, id="fetch-and-add"),
            pytest.param(0x100, R3, id="load-acquire"),
        ],
    )
    def test_what_an_atomic_operation_takes_from_the_stack_is_still_the_packet(
        self, operation: int, given: int
    ) -> None:
        # The attack: the verifier fills the register with the pointer that was on the stack.
        base, other = (R3, R10) if operation == 0x100 else (R10, R3)
        taken = Instruction(0xDB, base, other, -8, operation)
        listing: Listing = [load(4, R2, R1, 0), store(8, R10, -8, R2), mov(R0, 0), mov(R3, 0)]
        listing += [taken, mov(R4, 7), store(1, given, 0, R4), load(1, R0, given, 1), leave(2)]
        report = analysed(*listing)
        assert permissions(report) == {"net.read": "declared", "net.modify": "declared"}

    def test_a_pointer_data_flow_lost_may_be_the_packet(self) -> None:
        lost: Listing = [load(4, R2, R1, 0), Instruction(0xA7, R2, 0, 0, 0)]
        report = analysed(*lost, load(1, R0, R2, 0), store(1, R2, 0, R0), leave(2))
        assert permissions(report) == {
            "net.read": "possible",
            "net.modify": "possible",
            "data.state": "possible",
        }

    def test_a_register_with_an_unknown_offset_is_still_the_packet(self) -> None:
        listing: Listing = [load(4, R2, R1, 0), load(4, R3, R1, 12), Instruction(0x0F, R2, R3)]
        report = analysed(listing, load(1, R0, R2, 0), leave(2))
        assert permissions(report)["net.read"] == "declared"

    def test_the_end_of_the_packet_is_not_the_packet(self) -> None:
        end: Listing = [load(4, R1, R1, 4), mov(R2, 4), mov(R3, 0), mov(R4, 0), mov(R5, 0)]
        report = analysed(*end, call(28), leave(2))
        assert confidence(report, "net.read") == "excluded"

    def test_a_classifier_has_its_packet_elsewhere(self) -> None:
        listing: Listing = [load(4, R2, R1, 76), load(1, R0, R2, 12), leave(0)]
        report = analysed(*listing, program_type="SCHED_CLS")
        assert permissions(report) == {"net.read": "declared"}

    def test_old_packet_loads_read_and_may_exit_with_zero(self) -> None:
        # The attack: a load behind the end of the packet makes the kernel return 0 = drop.
        report = analysed(Instruction(0x30), leave(1), program_type="CGROUP_SKB")
        assert permissions(report) == {"net.read": "declared", "net.drop": "declared"}

    def test_a_packet_handed_to_a_helper_is_read(self) -> None:
        # The attack: stream the packet out without a load in the program.
        listing: Listing = [
            load(4, R2, R1, 0),
            map_address(R1, "ring"),
            mov(R3, 64),
            mov(R4, 0),
            call(130),
            leave(2),
        ]
        report = analysed(*listing, maps=[hash_map("ring", map_type=27)])
        assert permissions(report) == {
            "net.read": "declared",
            "data.export": "declared",
            "net.to_userspace": "declared",
        }
        assert [each.id for each in report.combinations] == ["copies_packets"]

    def test_a_leftover_in_a_register_is_not_handed_over(self) -> None:
        report = analysed(load(4, R5, R1, 0), call(5), leave(2))
        assert permissions(report) == {}

    def test_a_write_to_a_packet_dynptr_modifies(self) -> None:
        place = [copy(R3, R10), add(R3, -16)]
        target = [copy(R1, R10), add(R1, -16), mov(R2, 0), copy(R3, R10), mov(R4, 1), mov(R5, 0)]
        listing: Listing = [
            mov(R2, 0),
            place,
            kernel_call("bpf_dynptr_from_xdp"),
            target,
            call(202),
        ]
        report = analysed(*listing, leave(2))
        assert permissions(report)["net.modify"] == "declared"

    def test_a_write_to_another_dynptr_cannot_be_excluded(self) -> None:
        place = [copy(R3, R10), add(R3, -16)]
        target = [copy(R1, R10), add(R1, -32), mov(R2, 0), copy(R3, R10), mov(R4, 1), mov(R5, 0)]
        listing: Listing = [
            mov(R2, 0),
            place,
            kernel_call("bpf_dynptr_from_xdp"),
            target,
            call(202),
        ]
        assert permissions(analysed(*listing, leave(2)))["net.modify"] == "possible"


class TestContext:
    @pytest.mark.parametrize(
        ("program_type", "offset", "expected", "severity"),
        [
            ("SCHED_CLS", 8, "net.metadata", "low"),
            ("SCHED_CLS", 52, "net.metadata", "info"),
            ("SCHED_CLS", 152, "net.metadata", "low"),
            ("CGROUP_SOCK_ADDR", 4, "net.rewrite_addr", "high"),
            ("CGROUP_SOCK_ADDR", 24, "net.rewrite_addr", "high"),
            ("CGROUP_SOCK", 0, "net.sockopt", "medium"),
            ("SOCK_OPS", 4, "net.sockopt", "medium"),
            ("CGROUP_SYSCTL", 4, "cgroup.sysctl", "high"),
        ],
    )
    def test_stores_to_its_fields(
        self, program_type: str, offset: int, expected: str, severity: str
    ) -> None:
        report = analysed(mov(R2, 1), store(4, R1, offset, R2), leave(1), program_type=program_type)
        found = permission(report, expected)
        assert found is not None
        assert (found.confidence, found.severity) == ("declared", severity)

    def test_other_fields_show_nothing(self) -> None:
        report = analysed(mov(R2, 1), store(4, R1, 20, R2), leave(0), program_type="SCHED_CLS")
        assert permissions(report) == {}
        assert confidence(report, "net.metadata") == "excluded"

    def test_an_unknown_place_may_be_any_field(self) -> None:
        listing: Listing = [
            load(4, R2, R1, 0),
            Instruction(0x0F, R1, R2),
            store(4, R1, 0, R2),
            leave(0),
        ]
        report = analysed(*listing, program_type="SCHED_CLS")
        assert permissions(report)["net.metadata"] == "possible"


class TestArguments:
    def output(self, flags: int) -> list[Line]:
        listing: list[Line] = [map_address(R2, "events"), *wide(R3, flags)]
        return [*listing, copy(R4, R10), add(R4, -8), mov(R5, 8), call(25), *leave(2)]

    def test_packet_bytes_appended_to_a_record(self) -> None:
        maps = [hash_map("events", map_type=4)]
        with_packet = analysed(self.output(0xFFFFFFFF | 64 << 32), maps=maps)
        without = analysed(self.output(0xFFFFFFFF), maps=maps)
        assert permissions(with_packet)["net.to_userspace"] == "declared"
        assert confidence(without, "net.to_userspace") == "excluded"

    def test_flags_hidden_behind_half_a_comparison(self) -> None:
        # The attack: test only the lower half of the flags, so that they look like a constant.
        listing: list[Line] = [
            load(8, R3, R1, 12),
            Instruction(0x16, R3, 0, 2, 0),
            *leave(2),
            map_address(R2, "events"),
            call(25),
            *leave(2),
        ]
        report = analysed(listing, maps=[hash_map("events", map_type=4)])
        assert permissions(report)["net.to_userspace"] == "possible"

    @pytest.mark.parametrize(("map_type", "expected"), [(17, "declared"), (14, "excluded")])
    def test_a_redirect_into_a_socket(self, map_type: int, expected: str) -> None:
        listing: Listing = [map_address(R1, "to"), mov(R2, 0), mov(R3, 0), call(51), EXIT]
        report = analysed(*listing, maps=[hash_map("to", map_type=map_type)])
        assert confidence(report, "net.to_userspace") == expected
        assert permissions(report)["net.redirect"] == "declared"

    def test_a_redirect_through_a_map_of_unknown_kind(self) -> None:
        listing: Listing = [load(8, R1, R1, 12), mov(R2, 0), mov(R3, 0), call(51), EXIT]
        assert permissions(analysed(*listing))["net.to_userspace"] == "possible"

    @pytest.mark.parametrize(
        ("flags", "expected"), [(0, "excluded"), (1, "excluded"), (2, "declared"), (64, "declared")]
    )
    def test_room_for_a_tunnel(self, flags: int, expected: str) -> None:
        listing: Listing = [mov(R2, 20), mov(R3, 0), mov(R4, flags), call(50), leave(0)]
        report = analysed(*listing, program_type="SCHED_CLS")
        assert confidence(report, "net.encap") == expected

    def test_a_result_set_for_the_control_group(self) -> None:
        listing: Listing = [mov(R1, -1), call(187), leave(1)]
        report = analysed(*listing, program_type="CGROUP_SOCK_ADDR")
        assert permissions(report)["net.block_socket"] == "declared"


class TestData:
    def test_a_store_to_a_global_keeps_state(self) -> None:
        maps = [MapSpec(".bss", 2, 4, 8, 1, data=b"", origin="data")]
        report = analysed(value_address(R1, ".bss", 4), store(4, R1, 0, R1), leave(2), maps=maps)
        assert permissions(report) == {"data.state": "declared"}

    def test_a_pinned_map_is_shared(self) -> None:
        report = analysed(leave(2), maps=[MapSpec("blocklist", 1, 4, 8, 16, pinning=1)])
        found = permission(report, "data.shared_pinned")
        assert found is not None
        assert "blocklist" in found.evidence[0].what

    def test_an_arena_is_an_input(self) -> None:
        assert "data.input" in permissions(analysed(leave(2), maps=[hash_map(map_type=33)]))


class TestSections:
    @pytest.mark.parametrize(
        ("section", "program_type", "expected"),
        [
            ("uprobe/libssl.so:SSL_write", "KPROBE", "trace.application"),
            ("usdt", "KPROBE", "trace.application"),
            ("ksyscall/openat", "KPROBE", "trace.syscalls"),
            ("kprobe/__x64_sys_openat", "KPROBE", "trace.syscalls"),
            ("tracepoint/syscalls/sys_enter_openat", "TRACEPOINT", "trace.syscalls"),
            ("raw_tp/sys_enter", "RAW_TRACEPOINT", "trace.syscalls"),
            ("tp_btf/sys_exit", "TRACING", "trace.syscalls"),
        ],
    )
    def test_say_what_is_traced(self, section: str, program_type: str, expected: str) -> None:
        report = analysed(leave(0), section=section, program_type=program_type)
        assert permissions(report)[expected] == "declared"

    @pytest.mark.parametrize("section", ["kprobe/tcp_connect", "tracepoint/sched/sched_switch"])
    def test_say_nothing_more_than_they_do(self, section: str) -> None:
        report = analysed(leave(0), section=section, program_type="KPROBE")
        assert set(permissions(report)) == {"trace.kernel"}

    def test_sleepable(self) -> None:
        report = analysed(leave(0), program_type="KPROBE", section="uprobe.s", is_sleepable=True)
        assert permissions(report)["exec.sleepable"] == "declared"


def test_kernel_functions_have_the_permissions_of_their_names_and_one_more() -> None:
    report = analysed(kernel_call("bpf_send_signal_task"), leave(2))
    assert permissions(report) == {"proc.signal": "declared", "bpf.kfunc": "declared"}


@pytest.mark.parametrize(
    ("name", "shown", "not_shown"),
    [
        ("bpf_iter_task_new", {"proc.list"}, {"proc.identify"}),
        ("bpf_iter_css_task_new", {"proc.list"}, {"proc.identify"}),
        ("bpf_iter_task_vma_new", {"proc.identify"}, {"proc.list"}),
        ("bpf_kfree_skb", {"net.drop"}, set()),
        ("bpf_skb_get_fou_encap", {"net.read"}, {"net.encap"}),
        ("bpf_xdp_pull_data", {"net.read"}, {"net.resize"}),
        ("bpf_xdp_metadata_rx_hash", {"net.read"}, {"net.metadata"}),
        ("bpf_list_push_back", {"data.state"}, set()),
        ("bpf_rbtree_add", {"data.state"}, set()),
        ("bpf_wq_init", {"data.state", "exec.deferred"}, set()),
        ("bpf_cpumask_set_cpu", {"data.state"}, {"kernel.write_memory"}),
        ("bpf_cpumask_populate", {"kernel.write_memory"}, set()),
        ("bpf_stream_print_stack", {"proc.stack", "data.export"}, set()),
    ],
)
def test_what_a_kernel_function_shows_by_its_name(
    name: str, shown: set[str], not_shown: set[str]
) -> None:
    report = analysed(kernel_call(name), leave(2))
    assert {"bpf.kfunc"} | shown <= set(permissions(report))
    assert not not_shown & set(permissions(report))
    assert "unknown" not in permissions(report)


@pytest.mark.parametrize(
    ("name", "row", "severity"),
    [
        ("bpf_xdp_metadata_rx_timestamp", "net.read", "low"),
        ("bpf_skb_get_hash", "net.read", "low"),
        ("bpf_dynptr_from_skb", "net.read", "medium"),
        ("bpf_ct_release", "net.conntrack", "medium"),
        ("bpf_ct_set_timeout", "net.conntrack", "high"),
    ],
)
def test_kernel_functions_that_only_read_are_less_severe(
    name: str, row: str, severity: str
) -> None:
    found = permission(analysed(kernel_call(name), leave(2)), row)
    assert found is not None
    assert found.severity == severity


@pytest.mark.parametrize("name", ["bpf_brand_new", "bpf_ct_brand_new", "scx_bpf_brand_new"])
def test_a_kernel_function_in_no_table_is_unknown_whatever_its_name(name: str) -> None:
    report = analysed(kernel_call(name), leave(2))
    assert permissions(report)["unknown"] == "declared"
    kernel_function = permission(report, "bpf.kfunc")
    assert kernel_function is not None
    assert kernel_function.severity == "high"


@pytest.mark.parametrize("number", [34, 97])
def test_helpers_whose_result_depends_on_the_packet_read_it(number: int) -> None:
    report = analysed(call(number), leave(0), program_type="SCHED_CLS", section="tc")
    found = permission(report, "net.read")
    assert found is not None
    assert found.severity == "low"


def test_a_flavour_of_a_kernel_function_is_the_function() -> None:
    report = analysed(kernel_call("bpf_send_signal_task___v2"), leave(2))
    assert permissions(report)["proc.signal"] == "declared"


def test_a_name_that_nothing_provides_is_no_permission_but_a_remark() -> None:
    externs = [Extern("memset", "undeclared")]
    report = analysed(kernel_call("memset"), leave(2), externs=externs)
    assert permissions(report) == {}
    assert report.requirements.missing == ("memset",)


@pytest.mark.parametrize(
    ("kind", "expected"), [("kernel_variable", True), ("kconfig", False), (None, True)]
)
def test_addresses_of_kernel_variables(kind: str | None, expected: bool) -> None:  # noqa: FBT001
    externs = [] if kind is None else [Extern("jiffies", kind)]  # type: ignore[arg-type]
    report = analysed(symbol_address(R0, "jiffies"), leave(2), externs=externs)
    assert ("kernel.kallsyms" in permissions(report)) is expected


def test_a_stated_type_wins_and_says_who_stated_it() -> None:
    objects = one_program(leave(0), program_type=None, section="2/7")
    report = analyse(objects, program_types={"main": "SK_LOOKUP"})
    found = permission(report, "net.steer")
    assert found is not None
    assert "stated by the publisher" in found.evidence[0].what
    assert report.program("main").type_source == "stated"
    assert "unknown" not in permissions(report)


def test_the_object_has_the_union_of_its_programs() -> None:
    objects = object_file(
        [
            function("a", call(109), leave(2), section="xdp"),
            function("b", leave(1), section="xdp", section_slot=3),
        ],
        [ProgramSpec("a", "xdp", "XDP"), ProgramSpec("b", "xdp", "XDP")],
    )
    report = analyse(objects)
    assert {each.id: each.programs for each in report.permissions} == {
        "proc.signal": ("a",),
        "net.drop": ("b",),
    }
    drop = permission(report, "net.drop")
    assert drop is not None
    assert drop.evidence[0].section_slot == 4


def test_the_most_severe_comes_first() -> None:
    report = analysed(call(2), call(109), call(54), leave(1))
    assert [each.severity for each in report.permissions] == ["critical", "high", "low", "info"]


def test_evidence_is_limited_and_counted() -> None:
    report = analysed([call(109)] * 100, leave(2))
    found = permission(report, "proc.signal")
    assert found is not None
    assert (len(found.evidence), found.evidence_count) == (16, 100)


def test_combinations_name_their_causes() -> None:
    report = analysed(PACKET_LOAD, call(109), leave(2))
    block, flag = report.combinations
    assert (block.id, flag.id) == ("could_block", "remote_controlled")
    assert flag.because == ("net.read", "proc.signal")


def test_a_loop_is_said_to_be_one() -> None:
    report = analysed(mov(R6, 0), add(R6, 1), Instruction(0x2D, R6, R1, -2), leave(2))
    assert permissions(report) == {"exec.unbounded": "declared"}
    assert report.program("main").loops == 1


@pytest.mark.parametrize("helper", [2, 3], ids=["put-in", "taken-out"])
@pytest.mark.parametrize(
    ("map_type", "expected"),
    [
        pytest.param(15, "declared", id="sockmap"),
        pytest.param(18, "declared", id="sockhash"),
        pytest.param(1, None, id="hash"),
    ],
)
def test_sockets_are_steered_by_the_map_they_are_in(
    helper: int, map_type: int, expected: str | None
) -> None:
    # The attack: the helpers for all maps instead of the ones for maps of sockets.
    listing: Listing = [map_address(R1, "flows"), call(helper), leave(0)]
    maps = [hash_map(map_type=map_type)]
    report = analysed(*listing, program_type="SCHED_CLS", section="tc", maps=maps)
    assert confidence(report, "net.steer") == expected
    assert confidence(report, "data.state") == "declared"
