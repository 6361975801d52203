"""BPF links: a program attached to something, replaceable in one step.

A link belongs to who holds its descriptor or a pin of it. Nobody without it can replace or remove
the program, and an update is one exchange of a pointer: whatever happens meets the old or the new
program, never neither (``link_update`` in kernel/bpf/syscall.c and the functions it calls).

How links are made and what their targets are: :mod:`skep.kernel.attaching`.
"""

import ctypes
import errno
from typing import TypeVar

from skep.errors import NotFound
from skep.kernel.attributes import (
    LINK_TYPES,
    BpfCommand,
    LinkCreate,
    LinkDetach,
    LinkInfo,
    LinkUpdate,
)
from skep.kernel.descriptors import FileDescriptor, Owner
from skep.kernel.errors import (
    TargetMissing,
    UnexpectedProgram,
)
from skep.kernel.information import read_info
from skep.kernel.loading import LoadedProgram
from skep.kernel.programs import describe_program
from skep.kernel.syscall import BpfError, bpf, failure

_REPLACE = 4  # BPF_F_REPLACE
_TYPE_NAMES = {number: name for name, number in LINK_TYPES.items()}
_Info = TypeVar("_Info", bound=ctypes.Structure)


class Link(Owner):
    """A program attached somewhere, as long as the descriptor or a pin holds it.

    Attributes:
        remark: what a person should know about how it was attached, as the driver found it;
            empty if all is as usual, and for links that were opened.
    """

    __slots__ = ("remark",)

    def __init__(self, descriptor: FileDescriptor, remark: str = "") -> None:
        """Take over a link's descriptor; that it is one is not checked."""
        super().__init__(descriptor)
        self.remark = remark

    @property
    def id(self) -> int:
        """The kernel's number for the link."""
        return int(self._info().id)

    @property
    def type_name(self) -> str:
        """Kernel name of its type without prefix: ``CGROUP``."""
        number = int(self._info().type)
        return _TYPE_NAMES.get(number, f"type {number}")

    def program_id(self) -> int:
        """Id of the program it runs now."""
        return int(self._info().prog_id)

    def info(self, layout: type[_Info]) -> _Info:
        """What the kernel says about it, in the layout of its type."""
        return read_info(self.descriptor, layout(), "a link")

    def replace(self, new: LoadedProgram, expected: LoadedProgram | None) -> None:
        """Run ``new`` instead, in one step.

        Args:
            new: a program of the same type.
            expected: what must be running for this to happen (compared by the kernel in the same
                step), ``None`` for whatever runs.

        Raises:
            UnexpectedProgram: something else runs; nothing was changed.
            TargetMissing: the link is detached, or what it was on is gone.
            KernelRefused: ``new`` does not fit, for example another attach type.
        """
        attribute = LinkUpdate(link_fd=self.descriptor.number, new_prog_fd=new.descriptor.number)
        if expected is not None:
            attribute.flags = _REPLACE
            attribute.old_prog_fd = expected.descriptor.number
        try:
            bpf(BpfCommand.LINK_UPDATE, attribute)
        except BpfError as error:
            if error.number == errno.ENOLINK:
                raise TargetMissing(
                    f"the link to program {self.program_id()} is no longer attached to anything",
                    hint="attach it again once its target is back",
                ) from error
            # The kernel answers EPERM when another program runs than the one expected.
            running = self.program_id()
            if error.number == errno.EPERM and expected is not None and running != expected.id:
                raise UnexpectedProgram(
                    f"expected program {expected.id} ({expected.name}) to be running, found "
                    f"{program_text(running)}; nothing was changed",
                    hint="another program changed this hook; look again before you change it",
                ) from error
            raise failure(error, f"replace the program by {new.name!r}") from error

    def detach(self) -> None:
        """Take the program away; nothing if that has happened."""
        try:
            bpf(BpfCommand.LINK_DETACH, LinkDetach(link_fd=self.descriptor.number))
        except BpfError as error:
            raise failure(error, "detach the program") from error

    def _info(self) -> LinkInfo:
        return self.info(LinkInfo)

    def __repr__(self) -> str:
        state = f"descriptor {self.descriptor.number}" if self.descriptor.is_open else "closed"
        return f"Link({state})"


def create_link(
    program: LoadedProgram, target: int, attach_type: int, flags: int = 0, *, remark: str = ""
) -> Link:
    """Attach a program (``BPF_LINK_CREATE``).

    Args:
        target: descriptor or number of what it is attached to; numbers of interfaces are those of
            the network namespace the calling thread is in.
        attach_type: ``BPF_*`` of ``enum bpf_attach_type``.
        flags: what they are depends on the attach type.
        remark: see :class:`Link`.

    Raises:
        BpfError: with the error number; what it means depends on the attach type.
    """
    attribute = LinkCreate(
        prog_fd=program.descriptor.number,
        target_ifindex=target,
        attach_type=attach_type,
        flags=flags,
    )
    return Link(FileDescriptor(bpf(BpfCommand.LINK_CREATE, attribute)), remark)


def program_text(program_id: int) -> str:
    """A program for messages: its id, and its name if it is still there."""
    try:
        return f"program {program_id} ({describe_program(program_id).name or 'without a name'})"
    except NotFound:  # it went away meanwhile
        return f"program {program_id}"
