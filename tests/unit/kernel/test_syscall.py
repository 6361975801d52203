"""What error numbers become."""

import errno
import platform
import resource

import pytest

from skep.errors import (
    Conflict,
    NotFound,
    NotPermitted,
    Refused,
    SkepError,
    Unavailable,
    Unsupported,
)
from skep.kernel import information, syscall
from skep.kernel.attributes import BpfCommand, GetId
from skep.kernel.btf import open_types
from skep.kernel.errors import LacksPrivilege, NotInThisKernel
from skep.kernel.syscall import BpfError, bpf, bpf_accounted, failure


@pytest.mark.parametrize(
    ("number", "family"),
    [
        (errno.EPERM, NotPermitted),
        (errno.EACCES, NotPermitted),
        (errno.E2BIG, Unsupported),
        (errno.ENOSYS, Unsupported),
        (errno.EOPNOTSUPP, Unsupported),
        (524, Unsupported),
        (errno.ENOENT, NotFound),
        (errno.ENODEV, NotFound),
        (errno.EEXIST, Conflict),
        (errno.EBUSY, Conflict),
        (errno.ENOMEM, Unavailable),
        (errno.EMFILE, Unavailable),
        (errno.EINTR, Unavailable),
        (errno.EINVAL, Refused),
        (errno.EBADF, Refused),
        (9999, Refused),
        (0, Refused),
    ],
)
def test_an_error_number_becomes_a_family(number: int, family: type[SkepError]) -> None:
    found = failure(BpfError(number), "do this")
    assert isinstance(found, family)
    assert found.message.startswith("could not do this: the kernel says ")


@pytest.mark.parametrize(
    ("effective", "hint"),
    [
        pytest.param("000000c000001000", "this process lacks CAP_SYS_ADMIN", id="all-but-one"),
        pytest.param(
            "0000000000000000",
            "this process lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN",
            id="nothing",
        ),
        pytest.param("0000000000200000", "this process lacks CAP_NET_ADMIN", id="sys-admin-only"),
        pytest.param("000001ffffffffff", "outside of containers", id="root"),
    ],
)
def test_a_missing_privilege_comes_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, effective: str, hint: str
) -> None:
    monkeypatch.setattr(syscall, "effective_capabilities", lambda: int(effective, 16))
    found = failure(BpfError(errno.EPERM), "do this").hint
    assert hint in found
    assert "root" in found


@pytest.mark.parametrize(
    ("effective", "reason"),
    [
        ("000000c000001000", "CAP_SYS_ADMIN is missing"),
        ("000001ffffffffff", "the kernel does not permit it"),
    ],
)
def test_why_programs_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, effective: str, reason: str
) -> None:
    monkeypatch.setattr(syscall, "effective_capabilities", lambda: int(effective, 16))
    assert syscall.why_not_readable() == reason


def test_reading_by_number_names_the_capability_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise BpfError(errno.EPERM)

    monkeypatch.setattr(information, "bpf", refuse)
    with pytest.raises(LacksPrivilege, match="the program's types needs CAP_SYS_ADMIN"):
        open_types(668546, b"")


def test_a_field_the_kernel_does_not_know_names_the_kernel() -> None:
    assert platform.release() in failure(BpfError(errno.E2BIG), "do this").hint


def test_an_unknown_machine_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(NotInThisKernel, match="pdp11"):
        bpf(BpfCommand.PROG_GET_NEXT_ID, GetId())


class _Kernel:
    """Answers a list of error numbers, then 7."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        self.calls = 0

    def __call__(self, *_: object) -> int:
        self.calls += 1
        if self.numbers:
            raise BpfError(self.numbers.pop(0))
        return 7


def test_eperm_is_tried_again_once_the_limit_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = _Kernel(errno.EPERM)
    monkeypatch.setattr(syscall, "bpf", kernel)
    monkeypatch.setattr(syscall, "_raise_memory_lock_limit", lambda: True)
    assert bpf_accounted(BpfCommand.MAP_CREATE, GetId()) == 7
    assert kernel.calls == 2


@pytest.mark.parametrize(
    ("numbers", "can_raise"),
    [
        pytest.param((errno.EPERM,), False, id="limit-was-not-it"),
        pytest.param((errno.EPERM, errno.EPERM), True, id="still-not-permitted"),
        pytest.param((errno.EINVAL,), True, id="another-error"),
    ],
)
def test_other_failures_stay_failures(
    monkeypatch: pytest.MonkeyPatch, numbers: tuple[int, ...], *, can_raise: bool
) -> None:
    kernel = _Kernel(*numbers)
    monkeypatch.setattr(syscall, "bpf", kernel)
    monkeypatch.setattr(syscall, "_raise_memory_lock_limit", lambda: can_raise)
    with pytest.raises(BpfError):
        bpf_accounted(BpfCommand.MAP_CREATE, GetId())
    assert kernel.calls == len(numbers)


def test_without_the_privilege_the_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (65536, 65536))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert not syscall._raise_memory_lock_limit()
