"""File descriptors with one owner.

Everything ``bpf(2)`` gives is a descriptor, and what it stands for lives as long as one is open.
The kernel opens all of them with O_CLOEXEC (``bpf_map_new_fd`` and its kin in
kernel/bpf/syscall.c), so they do not leak into commands we start.
"""

import os
import warnings
from types import TracebackType
from typing import Self


class FileDescriptor:
    """Owns an open file descriptor; closes it once, however often it is told to.

    Forgetting one is a bug and warned about like a forgotten file, but closes it all the same.

    >>> import os
    >>> with FileDescriptor(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)) as null:
    ...     null.is_open
    True
    >>> null.is_open
    False
    """

    __slots__ = ("_number",)

    def __init__(self, number: int) -> None:
        self._number = -1
        if number < 0:
            raise ValueError(f"expected an open file descriptor, got {number}")
        self._number = number

    @property
    def number(self) -> int:
        """The descriptor's number.

        Raises:
            ValueError: it is closed.
        """
        if self._number < 0:
            raise ValueError("the descriptor is closed")
        return self._number

    @property
    def is_open(self) -> bool:
        """Whether :meth:`close` has not been called yet."""
        return self._number >= 0

    def close(self) -> None:
        """Close it; nothing if it is closed."""
        number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._number >= 0:
            message = f"descriptor {self._number} was not closed"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
            self.close()

    def __repr__(self) -> str:
        return f"Descriptor({self._number})" if self.is_open else "Descriptor(closed)"


class Owner:
    """Something that lives in the kernel as long as its descriptor is open."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: FileDescriptor) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Close the descriptor; nothing if it is closed."""
        self.descriptor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
