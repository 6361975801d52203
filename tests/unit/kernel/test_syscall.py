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
from skep.kernel import syscall
from skep.kernel.attributes import Command, GetId
from skep.kernel.errors import NotInThisKernel
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


def test_a_missing_privilege_comes_with_what_to_do() -> None:
    assert "root" in failure(BpfError(errno.EPERM), "do this").hint


def test_a_field_the_kernel_does_not_know_names_the_kernel() -> None:
    assert platform.release() in failure(BpfError(errno.E2BIG), "do this").hint


def test_an_unknown_machine_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(NotInThisKernel, match="pdp11"):
        bpf(Command.PROG_GET_NEXT_ID, GetId())


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
    assert bpf_accounted(Command.MAP_CREATE, GetId()) == 7
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
        bpf_accounted(Command.MAP_CREATE, GetId())
    assert kernel.calls == len(numbers)


def test_without_the_privilege_the_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (65536, 65536))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert not syscall._raise_memory_lock_limit()
