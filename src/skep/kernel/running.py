"""Running a program on bytes of our choice (``BPF_PROG_TEST_RUN``).

Source: net/bpf/test_run.c.
"""

import ctypes
import errno
from dataclasses import dataclass

from skep.kernel.attributes import BpfCommand, ProgramTestRun
from skep.kernel.errors import BadPacket, KernelRefused
from skep.kernel.loading import LoadedProgram
from skep.kernel.syscall import BpfError, address, bpf, failure

_LARGEST_DATA = 1 << 20
_ROOM_TO_GROW = 1 << 16  # more than headroom and tailroom, so nobody runs twice for want of room


@dataclass(frozen=True, slots=True)
class TestRun:
    """What a run gave.

    Attributes:
        return_value: of the last run.
        data: the packet as the program left it.
        nanoseconds: mean time of one run.
    """

    __test__ = False  # not a test class, whatever its name suggests to pytest

    return_value: int
    data: bytes
    nanoseconds: int


def test_run(program: LoadedProgram, data: bytes, repeat: int = 1) -> TestRun:  # noqa: PT028 - the name is bpf(2)'s, it is no test
    """Run ``program`` on ``data``, a packet from its Ethernet header on.

    Its maps change as if the packet had come; with ``repeat`` so many times.

    Raises:
        BadPacket: it is longer than 1 MiB.
        KernelRefused: the kernel refuses its length (at least 14 bytes), or to run this type.
        SkepError: of the family of the error number.
    """
    if len(data) > _LARGEST_DATA:
        raise BadPacket(f"expected at most {_LARGEST_DATA} bytes of packet, got {len(data)}")
    source = ctypes.create_string_buffer(data, max(len(data), 1))
    target = ctypes.create_string_buffer(len(data) + _ROOM_TO_GROW)
    attribute = ProgramTestRun(
        prog_fd=program.descriptor.number,
        data_size_in=len(data),
        data_in=address(source),
        data_size_out=len(target),
        data_out=address(target),
        repeat=repeat,
    )
    try:
        bpf(BpfCommand.PROG_TEST_RUN, attribute)
    except BpfError as error:
        if error.number == errno.EINVAL:
            raise KernelRefused(
                f"could not run program {program.name!r} on {len(data)} bytes: the kernel says "
                "EINVAL",
                hint="a packet starts with an Ethernet header of 14 bytes and fits a page",
            ) from error
        raise failure(error, f"run program {program.name!r}") from error
    return TestRun(
        return_value=int(attribute.retval),
        data=target.raw[: attribute.data_size_out],
        nanoseconds=int(attribute.duration),
    )


# pytest collects functions of this name wherever they are imported.
test_run.__test__ = False  # type: ignore[attr-defined]  # functions take attributes, which typing does not know
