"""Loading and running programs on the running kernel."""

import secrets
from collections.abc import Callable

import pytest
from tests.builders.kernel_programs import (
    ARRAY,
    DROP,
    PASS,
    TX,
    array,
    counting,
    key,
    long_refusal,
    number,
    program,
    reading,
    requiring_constant,
    returning,
    uninitialised,
    writing_first_byte,
)
from tests.builders.loaded_objects import execute

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import LoadPlan, MapPlan, ProgramPlan
from skep.errors import Malformed, Refused
from skep.kernel import loading
from skep.kernel.errors import BadPacket, KernelRefused, MalformedPlan, VerifierRefused
from skep.kernel.loading import load_program
from skep.kernel.maps import create_map
from skep.kernel.programs import describe_program, program_ids
from skep.kernel.running import test_run as run_on

pytestmark = pytest.mark.kernel
GOOD = f"good{secrets.token_hex(4)}"  # the tests beside this one load programs, too


def _rodata(value: int, *, frozen: bool) -> MapPlan:
    return MapPlan(".rodata", ARRAY, 4, 4, 1, 0x80, contents=((key(0), key(value)),), frozen=frozen)


def test_a_loaded_program_knows_what_the_kernel_made_of_it() -> None:
    with create_map(array()) as counts:
        plan = program("connection-limit-long", *counting(DROP))
        with load_program(plan, [counts]) as loaded:
            assert loaded.id in set(program_ids())
            assert loaded.name == "connection_limi"
            assert len(bytes.fromhex(loaded.program_tag)) == 8
            assert loaded.verified_instructions == 10
            assert loaded.stack_bytes == 8
            assert "processed 10 insns" in loaded.verifier_log


def test_a_program_may_get_another_name_in_the_kernel() -> None:
    with load_program(program(), [], kernel_name="skep_0123456789") as loaded:
        facts = describe_program(loaded.id)
        assert facts.name == loaded.name == "skep_0123456789"
        assert facts.type == "XDP"
        assert facts.tag == loaded.program_tag
        assert facts.loaded_at.total_seconds() > 0
        assert facts.user == 0


def test_a_subprograms_stack_is_not_the_entrys() -> None:
    calling = program(
        "caller",
        Instruction(0x85, 0, 1, 0, 1),  # call the subprogram two slots on
        Instruction(0x95),
        Instruction(0x7A, 10, 0, -64, 7),
        *returning(PASS),
    )
    with load_program(calling, []) as loaded:
        assert loaded.stack_bytes == 0
        assert "stack depth 0+64" in loaded.verifier_log


def test_a_verdict_and_the_packet_come_back() -> None:
    with load_program(program("write", *writing_first_byte(0xAB, TX)), []) as loaded:
        result = run_on(loaded, b"\x11" * 60)
        assert result.return_value == TX
        assert result.data == b"\xab" + b"\x11" * 59
        assert result.nanoseconds >= 0


def test_a_program_runs_as_often_as_asked() -> None:
    with (
        create_map(array()) as counts,
        load_program(program("count", *counting(PASS)), [counts]) as loaded,
    ):
        assert run_on(loaded, bytes(60), repeat=7).return_value == PASS
        assert number(counts.lookup(key(0))) == 7


@pytest.mark.parametrize("size", [0, 13])
def test_a_packet_shorter_than_its_header_is_refused(size: int) -> None:
    with load_program(program(), []) as loaded, pytest.raises(Refused, match="EINVAL"):
        run_on(loaded, bytes(size))


def test_a_packet_no_interface_could_bring_never_reaches_the_kernel() -> None:
    with load_program(program(), []) as loaded, pytest.raises(BadPacket):
        run_on(loaded, bytes((1 << 20) + 1))


def test_values_of_maps_are_reached_by_address() -> None:
    data = MapPlan(".data", ARRAY, 4, 8, 1, contents=((key(0), key(1) + key(3)),))
    with (
        create_map(data) as made,
        load_program(program("read", *reading(0, offset=4)), [made]) as loaded,
    ):
        assert run_on(loaded, bytes(60)).return_value == 3
        made.update(key(0), key(1) + key(2))
        assert run_on(loaded, bytes(60)).return_value == 2


def test_frozen_read_only_data_is_constant_to_the_verifier() -> None:
    plan = LoadPlan((_rodata(16, frozen=True),), (program("use", *requiring_constant(0)),))
    with execute(plan) as loaded:
        assert loaded.programs[0].stack_bytes == 24


def test_read_only_data_that_is_not_frozen_is_not_constant() -> None:
    plan = LoadPlan((_rodata(16, frozen=False),), (program("use", *requiring_constant(0)),))
    with pytest.raises(VerifierRefused):
        execute(plan)


def test_a_refusal_gives_the_reason_and_the_whole_log() -> None:
    with pytest.raises(VerifierRefused) as caught:
        load_program(program("bad", *uninitialised()), [])
    assert caught.value.message == "the kernel's verifier refused program 'bad': R0 !read_ok"
    assert "0: (95) exit" in caught.value.detail
    assert "processed 1 insns" in caught.value.detail


def test_a_log_longer_than_the_first_buffer_is_whole() -> None:
    with pytest.raises(VerifierRefused, match="R0 !read_ok") as caught:
        load_program(program("bad", *long_refusal(4000)), [])
    assert len(caught.value.detail) > 100_000
    assert caught.value.detail.startswith("0: R1=ctx()")
    assert "4001: (95) exit" in caught.value.detail


def test_statistics_longer_than_the_first_buffer_do_not_fail_the_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "_FIRST_LOG_BYTES", 16)
    with load_program(program(), []) as loaded:
        assert loaded.verifier_log.startswith("verification time")
        assert loaded.stack_bytes == 0


def test_a_log_too_long_for_any_buffer_keeps_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_LARGEST_LOG_BYTES", loading._FIRST_LOG_BYTES)
    with pytest.raises(VerifierRefused, match="R0 !read_ok") as caught:
        load_program(program("bad", *long_refusal(4000)), [])
    assert "4001: (95) exit" in caught.value.detail


def test_a_helper_that_the_licence_forbids_is_refused_by_name() -> None:
    printing = program(
        "print",
        Instruction(0x62, 10, 0, -4, 0),
        Instruction(0xBF, 1, 10),
        Instruction(0x07, 1, 0, 0, -4),
        Instruction(0xB7, 2, 0, 0, 4),
        Instruction(0x85, 0, 0, 0, 6),  # trace_printk is for GPL programs only
        *returning(PASS),
        licence="Proprietary",
    )
    with pytest.raises(VerifierRefused, match="GPL"):
        load_program(printing, [])


def test_an_unknown_program_type_is_refused_without_a_verifier() -> None:
    strange = ProgramPlan("strange", 4000, 0, 0, "GPL", returning(PASS))
    with pytest.raises(KernelRefused, match="EINVAL") as caught:
        load_program(strange, [])
    assert "type 4000" in caught.value.hint


@pytest.mark.parametrize(
    "instructions",
    [
        pytest.param(counting(PASS, map_index=1), id="map-outside-the-plan"),
        pytest.param(counting(PASS, map_index=-1), id="negative-map"),
        pytest.param((Instruction(0x18),), id="lddw-cut-at-the-end"),
        pytest.param((Instruction(0x18), *returning(PASS)), id="lddw-with-one-slot"),
    ],
)
def test_a_plan_that_does_not_hold_together_never_reaches_the_kernel(
    instructions: tuple[Instruction, ...],
) -> None:
    with create_map(array()) as made, pytest.raises(MalformedPlan):
        load_program(program("bad", *instructions), [made])


def test_a_plan_without_instructions_is_malformed() -> None:
    with pytest.raises(Malformed):
        load_program(ProgramPlan("empty", 6, 37, 0, "GPL", ()), [])


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(
            LoadPlan((array(),), (program(GOOD), program("bad", *uninitialised()))),
            id="second-program-refused",
        ),
        pytest.param(LoadPlan((array(), MapPlan("m", 1, 4, 8, 0)), (program(),)), id="map-refused"),
        pytest.param(
            LoadPlan((array(),), (program(), program("bad", *counting(PASS, 3)))), id="bad-index"
        ),
    ],
)
def test_nothing_stays_behind_when_a_plan_fails_half_way(plan: LoadPlan) -> None:
    before = set(program_ids())
    with pytest.raises((Refused, Malformed)):
        execute(plan)
    assert not {
        identity for identity in set(program_ids()) - before if _named(identity, GOOD)
    }  # and the leak check of every test


def _named(identity: int, name: str) -> bool:
    try:
        return describe_program(identity).name == name
    except Exception:  # noqa: BLE001, programs of other tests come and go
        return False


def test_programs_of_one_plan_share_its_maps() -> None:
    plan = LoadPlan(
        (array(),), (program("one", *counting(PASS)), program("ten", *counting(PASS, 0, 10)))
    )
    with execute(plan) as loaded:
        for each in loaded.programs:
            run_on(each, bytes(60))
        assert number(loaded.maps[0].lookup(key(0))) == 11


def test_the_memory_lock_limit_is_raised_once_on_eperm(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[bool] = []

    def raise_limit() -> bool:
        raised.append(True)
        return len(raised) == 1

    monkeypatch.setattr("skep.kernel.syscall._raise_memory_lock_limit", raise_limit)
    with load_program(program(), []):
        assert raised == []


def test_refusals_do_not_depend_on_the_order_of_loading() -> None:
    failures: list[str] = []
    attempts: list[Callable[[], object]] = [
        lambda: load_program(program("bad", *uninitialised()), []),
        lambda: load_program(program("bad", *uninitialised()), []),
    ]
    for attempt in attempts:
        with pytest.raises(VerifierRefused) as caught:
            attempt()
        failures.append(caught.value.message)
    assert len(set(failures)) == 1
