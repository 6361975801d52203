"""Descriptors have one owner and are closed once."""

import gc
import os

import pytest

from skep.kernel.descriptors import FileDescriptor, Owner


def _open() -> int:
    return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)


def _forget(number: int) -> None:
    FileDescriptor(number)
    gc.collect()


def test_closing_twice_closes_once() -> None:
    number = _open()
    owned = FileDescriptor(number)
    owned.close()
    again = _open()  # the number is free and is given out again
    try:
        assert again == number
        owned.close()
        os.fstat(again)
    finally:
        os.close(again)


def test_a_closed_descriptor_has_no_number() -> None:
    owned = FileDescriptor(_open())
    owned.close()
    assert not owned.is_open
    assert repr(owned) == "Descriptor(closed)"
    with pytest.raises(ValueError, match="closed"):
        _ = owned.number


def test_a_block_closes_also_on_errors() -> None:
    owned = Owner(FileDescriptor(_open()))
    with pytest.raises(RuntimeError), owned:
        raise RuntimeError
    assert not owned.descriptor.is_open


def test_a_forgotten_descriptor_is_warned_about_and_closed() -> None:
    number = _open()
    with pytest.warns(ResourceWarning, match=f"descriptor {number} was not closed"):
        _forget(number)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_an_error_number_is_not_a_descriptor() -> None:
    with pytest.raises(ValueError, match="got -1"):
        FileDescriptor(-1)
