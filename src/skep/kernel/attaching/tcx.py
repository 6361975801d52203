"""TCX links: programs on an interface in an order, ingress or egress, where tc has its classifiers.

Several programs share a hook. Ours goes after those that are there, as Cilium's do and as the
kernel does when nothing is said: a program placed before them could end the list (TCX_PASS does)
and so take effect away from what others rely on, their policies included. What is attached later
may go anywhere. Others are neither moved nor replaced.

Sources: kernel/bpf/tcx.c and kernel/bpf/mprog.c of Linux 6.12; include/uapi/linux/bpf.h.
"""

import ctypes
import errno

from skep.errors import SkepError
from skep.hooks.hook import Hook
from skep.hooks.identity import Identity
from skep.kernel.attaching.driver import Whereabouts
from skep.kernel.attaching.interfaces import (
    InterfaceDriver,
    at_interface,
    interface_gone,
    interface_of_link,
    not_in_this_kernel,
)
from skep.kernel.attributes import BpfCommand, ProgramQuery, TcxLinkInfo
from skep.kernel.errors import HookTaken, KernelRefused, NotInThisKernel
from skep.kernel.interfaces import Interface
from skep.kernel.links import Link, create_link
from skep.kernel.loading import LoadedProgram
from skep.kernel.programs import describe_program
from skep.kernel.syscall import BpfError, bpf, failure

_AFTER = 1 << 4  # BPF_F_AFTER; without naming another: after all
# BPF_MPROG_MAX is 64, and one place is kept for the end of the list (bpf_mprog_max).
_MOST_PROGRAMS = 63
_Ids = ctypes.c_uint32 * _MOST_PROGRAMS


class TcxDriver(InterfaceDriver):
    """Programs on the TCX hooks of interfaces, by links."""

    way = "tcx"
    is_exclusive = False

    def whereabouts(self, hook: Hook, link: Link, hint: Identity | None) -> Whereabouts:
        """See ``Driver``."""
        identity = link.id
        return interface_of_link(
            hook,
            lambda: int(link.info(TcxLinkInfo).tcx_ifindex),
            lambda interface: identity in _query(hook, interface)[1],
            hint,
        )

    def occupants(self, hook: Hook, identity: Identity) -> tuple[int, ...]:
        """See ``Driver``."""
        with at_interface(identity) as (interface, _):
            return _query(hook, interface)[0]

    def remark(
        self,
        hook: Hook,  # noqa: ARG002 - part of the protocol; there is one way of being attached
        identity: Identity,
        program: int,  # noqa: ARG002 - as above
    ) -> str:
        """See ``Driver``; always empty."""
        with at_interface(identity):
            return ""

    def attach(self, hook: Hook, identity: Identity, program: LoadedProgram) -> Link:
        """See ``Driver``; after the programs that are there."""
        with at_interface(identity) as (interface, _):
            try:
                return create_link(program, interface.index, hook.attach_type_id, _AFTER)
            except BpfError as error:
                not_in_this_kernel(hook, error)
                raise _failure(hook, error, interface, program) from error


def _query(hook: Hook, interface: Interface) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids of the programs there and of their links (0 for none), first to run first."""
    programs, links = _Ids(), _Ids()
    attribute = ProgramQuery(
        target_ifindex=interface.index,
        attach_type=hook.attach_type_id,
        prog_ids=ctypes.addressof(programs),
        link_ids=ctypes.addressof(links),
        prog_cnt=_MOST_PROGRAMS,
    )
    try:
        bpf(BpfCommand.PROG_QUERY, attribute)
    except BpfError as error:
        if error.number == errno.ENOENT:  # nothing was ever attached here
            return (), ()
        if error.number == errno.ENODEV:
            raise interface_gone(interface) from error
        not_in_this_kernel(hook, error)
        raise failure(error, f"ask what is attached to {interface.name}") from error
    count = int(attribute.prog_cnt)
    return tuple(programs[:count]), tuple(links[:count])


def _failure(
    hook: Hook, error: BpfError, interface: Interface, program: LoadedProgram
) -> SkepError:
    if error.number == errno.ENODEV:
        return interface_gone(interface)
    if error.number == errno.ERANGE:
        return HookTaken(
            f"{hook.name} of {interface.name} is full: it has {_MOST_PROGRAMS} programs, the most "
            "that the kernel runs there",
            hint="remove one; `bpftool net` lists them",
        )
    if error.number == errno.EINVAL and describe_program(program.id).type == hook.program_type:
        return NotInThisKernel(
            "expected a kernel with links for TCX, this one is new enough but has none",
            hint="it was built without CONFIG_NET_XGRESS",
        )
    if error.number == errno.EINVAL:
        return KernelRefused(
            f"program {program.name!r} cannot be attached to {interface.name}: the kernel says "
            "EINVAL",
            hint="the program must be a classifier (of type SCHED_CLS)",
        )
    return failure(error, f"attach program {program.name!r} to {interface.name}")
