"""What return values show: certain, possible, excluded, and in which words."""

from dataclasses import replace
from typing import ClassVar

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R6,
    Listing,
    Part,
    analysed,
    call,
    confidence,
    copy,
    jump_if_equal,
    jump_if_not_equal,
    kernel_call,
    leave,
    load,
    mov,
    one_program,
    permission,
    permissions,
    wide,
)
from tests.builders.btf import BtfBuilder
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.table import read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import CoreRelocation

UNKNOWN = load(4, R0, R1, 12)


def evidence(report: AnalysisReport, permission_id: str) -> set[str]:
    found = permission(report, permission_id)
    return set() if found is None else {each.what for each in found.evidence}


@pytest.mark.parametrize(
    ("program_type", "attach_type", "value", "what"),
    [
        ("XDP", "XDP", 1, "exit value 1 (XDP_DROP)"),
        ("XDP", "XDP", 9, "exit value 9 (drops the packet and reports an error)"),
        ("CGROUP_SKB", "CGROUP_INET_EGRESS", 2, "exit value 2 (drops the packet)"),
        ("SK_LOOKUP", "SK_LOOKUP", 0, "exit value 0 (SK_DROP)"),
    ],
)
def test_a_value_is_shown_with_its_name(
    program_type: str, attach_type: str, value: int, what: str
) -> None:
    report = analysed(leave(value), program_type=program_type, attach_type=attach_type)
    assert evidence(report, "net.drop") == {what}


def test_values_of_one_exit_are_shown_together() -> None:
    listing: Listing = [load(4, R2, R1, 12), mov(R0, 0), jump_if_equal(R2, 0, 1), mov(R0, 1), EXIT]
    report = analysed(*listing)
    assert evidence(report, "net.drop") == {"exit value 0 (XDP_ABORTED), 1 (XDP_DROP)"}


def test_a_refusing_lookup_drops_and_blocks() -> None:
    report = analysed(leave(0), program_type="SK_LOOKUP", attach_type="SK_LOOKUP")
    found = permissions(report)
    assert (found["net.drop"], found["net.block_socket"]) == ("declared", "declared")


@pytest.mark.parametrize(("value", "expected"), [(1, {}), (2, "both"), (3, "bit"), (0, "deny")])
def test_each_bit_of_a_bind_counts_for_itself(value: int, expected: object) -> None:
    report = analysed(
        leave(value), program_type="CGROUP_SOCK_ADDR", attach_type="CGROUP_INET4_BIND"
    )
    deny, bit = {"net.block_socket": "declared"}, {"net.privileged_bind": "declared"}
    assert permissions(report) == {"both": {**deny, **bit}, "bit": bit, "deny": deny}.get(
        str(expected), {}
    )


def test_the_bit_of_a_bind_means_nothing_to_a_connect() -> None:
    report = analysed(leave(3), program_type="CGROUP_SOCK_ADDR", attach_type="CGROUP_INET4_CONNECT")
    assert "net.privileged_bind" not in permissions(report)
    assert confidence(report, "net.privileged_bind") is None


def test_a_value_nobody_knows_may_be_any() -> None:
    report = analysed(
        UNKNOWN, EXIT, program_type="CGROUP_SOCK_ADDR", attach_type="CGROUP_INET6_BIND"
    )
    assert permissions(report) == {
        "net.block_socket": "possible",
        "net.privileged_bind": "possible",
    }


def test_without_data_flow_every_verdict_is_possible() -> None:
    listing: Listing = [kernel_call("bpf_throw"), leave(2)]
    assert permissions(analysed(*listing))["net.drop"] == "possible"


def test_a_constant_on_one_path_is_certain_whatever_the_other_brings() -> None:
    listing: Listing = [UNKNOWN, jump_if_not_equal(R0, 0, 1), mov(R0, 1), EXIT]
    report = analysed(*listing)
    assert permissions(report)["net.drop"] == "declared"
    assert permissions(report)["net.redirect"] == "possible"


def test_certain_evidence_is_where_the_value_is_written() -> None:
    listing: Listing = [UNKNOWN, jump_if_not_equal(R0, 0, 1), mov(R0, 1), EXIT]
    found = permission(analysed(*listing), "net.drop")
    assert found is not None
    assert [(each.slot, each.what) for each in found.evidence] == [(2, "exit value 1 (XDP_DROP)")]


@pytest.mark.parametrize(
    "listing",
    [
        pytest.param([mov(R0, 7), call(7), EXIT], id="overwritten-by-a-call"),
        pytest.param([mov(R0, 1), UNKNOWN, EXIT], id="overwritten-by-a-load"),
        pytest.param([mov(R0, 1), Instruction(0x0F, R0, R1), EXIT], id="changed"),
        pytest.param(
            [UNKNOWN, jump_if_equal(R0, 5, 1), EXIT, mov(R6, 1), UNKNOWN, EXIT], id="elsewhere"
        ),
    ],
)
def test_a_constant_that_does_not_arrive_is_not_certain(listing: list[Part]) -> None:
    assert permissions(analysed(*listing))["net.drop"] == "possible"


class TestSecurityHooks:
    REPORT = staticmethod(lambda: analyse(fixture("handed_on")))

    def shown(self, program: str) -> dict[str, str]:
        return {
            each.id: each.confidence
            for each in self.REPORT().program(program).permissions
            if each.id.startswith(("lsm.", "kernel.modify_return"))
        }

    def evidence(self, program: str, permission_id: str) -> set[str]:
        return {
            each.what
            for found in self.REPORT().permissions
            for each in found.evidence
            if found.id == permission_id and each.program == program
        }

    def test_a_denial_on_one_path_is_certain(self) -> None:
        assert self.shown("denies") == {"lsm.enforce": "declared"}
        assert self.evidence("denies", "lsm.enforce") == {"exit value -1 (denies the operation)"}

    def test_handing_on_what_others_decided_denies_nothing(self) -> None:
        assert self.shown("hands_on") == {"lsm.enforce": "excluded", "lsm.observe": "declared"}

    def test_another_argument_is_not_what_others_decided(self) -> None:
        assert self.shown("returns_an_argument") == {
            "lsm.enforce": "possible",
            "lsm.observe": "declared",
        }
        what = {"passes on a value from its context"}
        assert self.evidence("returns_an_argument", "lsm.enforce") == what

    def test_a_hook_that_returns_nothing_cannot_deny(self) -> None:
        assert self.shown("returns_to_nobody")["lsm.enforce"] == "excluded"

    def test_zero_denies_for_a_control_group(self) -> None:
        assert self.shown("denies_for_a_group") == {"lsm.enforce": "declared"}

    def test_replacing_the_result_of_a_security_function_enforces(self) -> None:
        found = self.shown("replaces")
        assert found["lsm.enforce"] == "declared"
        assert found["kernel.modify_return"] == "declared"
        assert "lsm.observe" not in found

    def test_looking_at_a_security_function_observes(self) -> None:
        found = self.shown("looks")
        assert (found["lsm.enforce"], found["lsm.observe"]) == ("excluded", "declared")
        assert found["kernel.modify_return"] == "excluded"

    def test_replacing_another_result_enforces_nothing(self) -> None:
        found = self.shown("fails_allocations")
        assert found["kernel.modify_return"] == "declared"
        assert "lsm.enforce" not in found

    def test_a_function_chosen_later_may_be_one_of_security(self) -> None:
        report = analysed(
            leave(-1), program_type="TRACING", attach_type="MODIFY_RETURN", section="fmod_ret"
        )
        found = permissions(report)
        assert (found["kernel.modify_return"], found["lsm.enforce"]) == ("declared", "possible")

    def test_arguments_of_a_hook_that_changed_are_not_believed(self) -> None:
        # On one kernel the second is what others decided, on the next an argument.
        report = analysed(
            load(8, R0, R1, 8),
            EXIT,
            program_type="LSM",
            attach_type="LSM_MAC",
            section="lsm/kernel_load_data",
        )
        assert permissions(report)["lsm.enforce"] == "possible"

    def test_what_others_decided_is_followed_through_registers(self) -> None:
        listing: Listing = [
            copy(R6, R1),
            call(14),
            load(8, R0, R6, 8),
            Instruction(0x67, R0, 0, 0, 32),
            Instruction(0xC7, R0, 0, 0, 32),
            EXIT,
        ]
        settings = {"program_type": "LSM", "attach_type": "LSM_MAC", "section": "lsm/file_open"}
        assert confidence(analysed(*listing, **settings), "lsm.enforce") == "excluded"

    def test_a_context_that_may_be_another_is_not_believed(self) -> None:
        listing: Listing = [
            load(8, R2, R1, 8),
            jump_if_equal(R2, 0, 1),
            load(8, R1, R1, 0),
            load(8, R0, R1, 8),
            EXIT,
        ]
        settings = {"program_type": "LSM", "attach_type": "LSM_MAC", "section": "lsm/file_open"}
        assert confidence(analysed(*listing, **settings), "lsm.enforce") == "possible"


_HANDED_ON: Listing = [
    load(8, R0, R1, 8),
    Instruction(0x67, R0, 0, 0, 32),
    Instruction(0xC7, R0, 0, 0, 32),
    EXIT,
]


class TestValuesALoaderChanges:
    """The attack: a record makes another value of the one that was compiled."""

    SECURITY: ClassVar = {
        "program_type": "LSM",
        "attach_type": "LSM_MAC",
        "section": "lsm/file_open",
    }

    def changed(self, listing: Listing, slots: tuple[int, ...], **settings: str) -> AnalysisReport:
        builder = BtfBuilder()
        type_id = builder.struct("task_struct", 256, [("pid", builder.integer("int"), 64)])
        records = tuple(
            CoreRelocation("main", each, type_id, "task_struct", "0:0", 0) for each in slots
        )
        objects = one_program(*listing, **settings)  # type: ignore[arg-type]
        types = read_btf(builder.build(), "little")
        return analyse(replace(objects, types=types, core_relocations=records))

    @pytest.mark.parametrize(
        "listing",
        [
            pytest.param([UNKNOWN, jump_if_not_equal(R0, 0, 1), mov(R0, 2), EXIT], id="move"),
            pytest.param([UNKNOWN, jump_if_not_equal(R0, 0, 2), wide(R0, 2), EXIT], id="wide"),
        ],
    )
    def test_a_constant_is_not_what_it_was(self, listing: Listing) -> None:
        assert permissions(self.changed(listing, (2,)))["net.drop"] == "possible"
        honest = self.changed([mov(R2, 8), mov(R0, 1), EXIT], (0,))
        assert permissions(honest)["net.drop"] == "declared"

    @pytest.mark.parametrize("slot", [0, 1, 2])
    def test_what_is_handed_on_is_not_what_it_was(self, slot: int) -> None:
        untouched = self.changed(_HANDED_ON, (), **self.SECURITY)
        assert confidence(untouched, "lsm.enforce") == "excluded"
        report = self.changed(_HANDED_ON, (slot,), **self.SECURITY)
        assert confidence(report, "lsm.enforce") == "possible"


class TestSettingTheError:
    """``bpf_set_retval``, 187."""

    @pytest.mark.parametrize(
        ("program_type", "attach_type", "expected"),
        [
            ("CGROUP_SOCK", "CGROUP_INET_SOCK_CREATE", {"net.block_socket": "declared"}),
            ("CGROUP_SOCK", "CGROUP_INET_SOCK_RELEASE", {}),
            ("CGROUP_SOCK_ADDR", "CGROUP_INET4_CONNECT", {"net.block_socket": "declared"}),
            ("CGROUP_SOCK_ADDR", "CGROUP_INET4_BIND", {"net.block_socket": "declared"}),
            ("CGROUP_SOCK_ADDR", "CGROUP_UDP4_RECVMSG", {}),
            ("CGROUP_DEVICE", "CGROUP_DEVICE", {"cgroup.device": "declared"}),
            ("CGROUP_SYSCTL", "CGROUP_SYSCTL", {"cgroup.sysctl": "declared"}),
            ("CGROUP_SOCKOPT", "CGROUP_SETSOCKOPT", {"net.sockopt_intercept": "declared"}),
            ("LSM", "LSM_CGROUP", {"lsm.enforce": "declared"}),
            ("XDP", "XDP", {}),
        ],
    )
    def test_an_error_denies_where_the_hook_takes_one(
        self, program_type: str, attach_type: str, expected: dict[str, str]
    ) -> None:
        neutral = 2 if program_type == "XDP" else 1
        report = analysed(
            mov(R1, -13), call(187), leave(neutral), program_type=program_type,
            attach_type=attach_type,
        )  # fmt: skip
        assert permissions(report) == expected

    def test_zero_denies_nothing(self) -> None:
        settings = {"program_type": "CGROUP_SOCK_ADDR", "attach_type": "CGROUP_INET4_CONNECT"}
        report = analysed(mov(R1, 0), call(187), leave(1), **settings)
        assert confidence(report, "net.block_socket") == "excluded"

    def test_zero_allows_a_device_that_others_refused(self) -> None:
        settings = {"program_type": "CGROUP_DEVICE", "attach_type": "CGROUP_DEVICE"}
        report = analysed(mov(R1, 0), call(187), leave(1), **settings)
        assert permissions(report) == {"cgroup.device": "declared"}

    def test_a_value_nobody_knows_may_deny(self) -> None:
        settings = {"program_type": "CGROUP_SYSCTL", "attach_type": "CGROUP_SYSCTL"}
        report = analysed(load(4, R1, R1, 0), call(187), leave(1), **settings)
        assert permissions(report) == {"cgroup.sysctl": "possible"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param([mov(R0, 2)], {"net.drop"}, id="two"),
        pytest.param([mov(R0, 3)], {"net.drop", "net.reflect"}, id="three"),
        pytest.param([mov(R0, 7)], {"net.drop", "net.redirect"}, id="seven"),
        pytest.param(
            [load(4, R0, R1, 0)], {"net.drop", "net.reflect", "net.redirect"}, id="unknown"
        ),
    ],
)
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"program_type": "EXT", "section": "freplace/f"}, id="replacing"),
        pytest.param({"program_type": None, "section": "ldabs"}, id="unknown-type"),
    ],
)
def test_a_value_for_an_unknown_hook_may_mean_what_it_means_anywhere(
    value: Listing, expected: set[str], settings: dict[str, object]
) -> None:
    found = permissions(analysed(value, EXIT, **settings))
    shown = {name for name in ("net.drop", "net.reflect", "net.redirect") if name in found}
    assert shown == expected
    assert {found[name] for name in shown} == {"possible"}


@pytest.mark.parametrize(
    ("program_type", "section", "verdict"),
    [pytest.param("XDP", "xdp", 4, id="xdp"), pytest.param("SCHED_CLS", "tc", 7, id="tc")],
)
def test_saying_redirect_without_a_target_may_drop(
    program_type: str, section: str, verdict: int
) -> None:
    # The attack: the constant instead of the helper's result, and no target or a bad one.
    report = analysed(leave(verdict), program_type=program_type, section=section)
    assert permissions(report)["net.redirect"] == "declared"
    assert permissions(report)["net.drop"] == "possible"
