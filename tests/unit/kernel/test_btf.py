"""Giving types to the kernel: what goes wrong, without a kernel."""

import ctypes
import errno
import os
import sys
from pathlib import Path

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.kernel import btf as module
from skep.kernel.attributes import BpfCommand, BtfLoad
from skep.kernel.btf import load_types
from skep.kernel.errors import KernelRefused, LacksPrivilege
from skep.kernel.syscall import BpfError


class Answers:
    """A kernel that refuses, and writes a log where it is asked for one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, log: bytes = b"") -> None:
        self.number, self.log = number, log
        self.levels: list[int] = []
        monkeypatch.setattr(module, "bpf_accounted", self)

    def __call__(self, command: BpfCommand, attribute: BtfLoad) -> int:
        assert command is BpfCommand.BTF_LOAD
        assert attribute.btf_size == 5
        self.levels.append(attribute.btf_log_level)
        if attribute.btf_log_level:
            assert len(self.log) < attribute.btf_log_size
            ctypes.memmove(attribute.btf_log_buf, self.log, len(self.log))
        raise BpfError(self.number)


def test_a_refusal_says_the_last_line_of_the_log_and_keeps_it_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Answers(monkeypatch, errno.EINVAL, b"magic: 0xeb9f\n[1] INT x\n Invalid name\n\n")
    with pytest.raises(KernelRefused, match="types: Invalid name") as caught:
        load_types(b"types")
    assert "magic" in caught.value.detail
    assert kernel.levels == [0, 1]


def test_a_refusal_without_a_log_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, errno.EINVAL)
    with pytest.raises(KernelRefused, match="no reason given"):
        load_types(b"types")


def test_a_log_that_is_no_text_is_no_other_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Answers(monkeypatch, errno.EINVAL, b"\xff\xfe bad\n")
    with pytest.raises(KernelRefused, match="bad"):
        load_types(b"types")


def test_a_lack_of_privilege_is_not_asked_about_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Answers(monkeypatch, errno.EPERM)
    with pytest.raises(LacksPrivilege):
        load_types(b"types")
    assert kernel.levels == [0]


def test_an_older_kernel_gets_older_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = BtfBuilder(sys.byteorder)
    builder.raw(Kind.FLOAT, "double", value=8)
    sizes: list[int] = []
    with Path(os.devnull).open() as device:
        number = os.dup(device.fileno())

    def kernel(_command: BpfCommand, attribute: BtfLoad) -> int:
        content = ctypes.string_at(attribute.btf, attribute.btf_size)
        sizes.append(len(content))
        if read_btf(content, sys.byteorder).kind(1) is Kind.FLOAT:
            raise BpfError(errno.EINVAL)
        return number

    monkeypatch.setattr(module, "bpf_accounted", kernel)
    with load_types(builder.build()) as loaded:
        assert loaded.number == number
    assert len(sizes) == 2
