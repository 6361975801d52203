"""Plans become what the kernel takes; no kernel is asked here."""

import ctypes
import errno

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.kernel_programs import program

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import MapPlan
from skep.kernel import loading, maps
from skep.kernel.errors import LacksPrivilege, MalformedPlan, NotInThisKernel, VerifierRefused
from skep.kernel.loading import load_program, with_descriptors
from skep.kernel.syscall import BpfError


def test_descriptors_are_put_where_the_plan_has_indexes() -> None:
    code = (
        Instruction(0x18, 1, 5, 0, 1),
        Instruction(0),
        Instruction(0x18, 2, 6, 0, 0),
        Instruction(0, 0, 0, 0, 24),
        Instruction(0x95),
    )
    assert with_descriptors(code, [40, 41]) == [
        Instruction(0x18, 1, 1, 0, 41),
        Instruction(0),
        Instruction(0x18, 2, 2, 0, 40),
        Instruction(0, 0, 0, 0, 24),
        Instruction(0x95),
    ]


def test_a_second_slot_that_looks_like_a_load_is_not_one() -> None:
    code = (Instruction(0x18, 1, 0, 0, 7), Instruction(0, 0, 5, 0, 9), Instruction(0x95))
    assert with_descriptors(code, []) == list(code)


_SLOTS = st.builds(
    Instruction,
    st.sampled_from([0x00, 0x18, 0x95, 0xB7]),
    st.integers(0, 10),
    st.integers(0, 6),
    st.just(0),
    st.integers(-2, 3),
)


@given(st.lists(_SLOTS, max_size=12))
@settings(deadline=None, max_examples=200)
def test_any_plan_keeps_its_length_or_is_malformed(code: list[Instruction]) -> None:
    try:
        out = with_descriptors(code, [40, 41])
    except MalformedPlan:
        return
    assert len(out) == len(code)
    assert all(a == b for a, b in zip(code, out, strict=True) if a.src not in {5, 6})


def _answering(number: int) -> object:
    def answer(*_: object) -> int:
        raise BpfError(number)

    return answer


@pytest.mark.parametrize(
    ("number", "error"), [(errno.EPERM, LacksPrivilege), (errno.E2BIG, NotInThisKernel)]
)
def test_a_program_refused_without_a_log_never_met_the_verifier(
    monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(loading, "bpf_accounted", _answering(number))
    with pytest.raises(error, match="could not load program 'verdict'"):
        load_program(program(), [])


def test_a_log_of_nothing_but_statistics_still_names_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = loading._Attempt(None, BpfError(errno.EFAULT), "processed 4 insns\n")
    monkeypatch.setattr(loading, "_attempt", lambda *_: attempt)
    with pytest.raises(VerifierRefused, match="EFAULT") as caught:
        load_program(program(), [])
    assert caught.value.detail == "processed 4 insns\n"


def test_kernels_that_do_not_say_how_long_the_log_is_are_given_more_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms: list[int] = []

    def answer(_: object, attribute: object) -> int:
        rooms.append(attribute.log_size)  # type: ignore[attr-defined]
        raise BpfError(errno.ENOSPC)

    monkeypatch.setattr(loading, "bpf_accounted", answer)
    monkeypatch.setattr(loading, "_LARGEST_LOG_BYTES", 1 << 20)
    with pytest.raises(Exception, match="ENOSPC"):
        load_program(program(), [])
    assert rooms == [1 << 16, 1 << 19, 1 << 20]


def test_after_a_long_refusal_the_trace_fits_at_the_first_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms: list[int] = []

    def answer(_: object, attribute: object) -> int:
        rooms.append(attribute.log_size)  # type: ignore[attr-defined]
        log = b"R0 !read_ok\nprocessed 20000 insns (limit 1000000)\0"
        ctypes.memmove(attribute.log_buf, log, len(log))  # type: ignore[attr-defined]
        raise BpfError(errno.EACCES)

    monkeypatch.setattr(loading, "bpf_accounted", answer)
    with pytest.raises(VerifierRefused, match="R0 !read_ok"):
        load_program(program(), [])
    assert rooms == [1 << 16, 20_000 * 64]


def test_a_map_of_a_kernel_too_old_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "bpf_accounted", _answering(errno.E2BIG))
    with pytest.raises(NotInThisKernel):
        maps.create_map(MapPlan("m", 1, 4, 8, 1))


def test_a_map_without_privilege_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "bpf_accounted", _answering(errno.EPERM))
    with pytest.raises(LacksPrivilege):
        maps.create_map(MapPlan("m", 1, 4, 8, 1))
