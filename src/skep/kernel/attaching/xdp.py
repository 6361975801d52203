"""XDP links: one program on an interface, before the network stack.

Without flags the kernel takes the driver's mode ("native") if the driver has one, and if the
driver then refuses the program, that is the end of it: large packets are the usual reason, because
a program without fragments must find a packet in one page. The mode for every driver ("generic",
later and slower, in the network stack) is then asked for by name, and the link's remark says so.
A link keeps its mode as long as it lives.

Sources: ``dev_xdp_attach`` and ``bpf_xdp_link_update`` in net/core/dev.c, ``veth_xdp_set`` in
drivers/net/veth.c of Linux 6.12; linux/if_link.h.
"""

import errno
import struct
from collections.abc import Sequence

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
from skep.kernel.attributes import LinkInfo
from skep.kernel.errors import HookTaken, KernelRefused
from skep.kernel.interfaces import Interface, interface_numbered, nested_attributes
from skep.kernel.links import Link, create_link, program_text
from skep.kernel.loading import LoadedProgram
from skep.kernel.programs import describe_program
from skep.kernel.syscall import BpfError, error_name, failure

_IFLA_XDP = 43
_IFLA_XDP_ATTACHED = 2
_IFLA_XDP_SKB_PROG_ID = 6
# Each mode has an attribute of its own; the one for all is set only when one mode is in use.
_IFLA_XDP_PROG_IDS = (4, 5, _IFLA_XDP_SKB_PROG_ID, 7)  # any, driver, generic, offloaded
_ATTACHED_GENERIC = 2  # XDP_ATTACHED_SKB
_GENERIC = 1 << 1  # XDP_FLAGS_SKB_MODE
_NUMBER = struct.Struct("=I")
_ORDINARY_MTU = 1500
_PROGRAM_TYPE = "XDP"
_ENOTSUPP = 524  # some drivers let it out, though it is the kernel's own

_REFUSALS = frozenset({errno.ERANGE, errno.EOPNOTSUPP, _ENOTSUPP})
# Not the driver's answers about a program, but about the place, the caller or memory.
_NOT_ABOUT_THE_DRIVER = frozenset(
    {errno.EBUSY, errno.EEXIST, errno.ENODEV, errno.EPERM, errno.EACCES, errno.EBADF, errno.EINTR}
)


class XdpDriver(InterfaceDriver):
    """Programs on the XDP hook of interfaces, by links."""

    way = "xdp"
    is_exclusive = True

    def whereabouts(self, hook: Hook, link: Link, hint: Identity | None) -> Whereabouts:
        """See ``Driver``."""
        return interface_of_link(
            hook,
            lambda: int(link.info(LinkInfo).xdp_ifindex),
            lambda interface: link.program_id() in program_ids(interface),
            hint,
        )

    def occupants(
        self,
        hook: Hook,  # noqa: ARG002 - part of the protocol; this driver has one hook
        identity: Identity,
    ) -> tuple[int, ...]:
        """See ``Driver``; one program, or one for each mode."""
        with at_interface(identity) as (interface, _):
            return program_ids(interface)

    def remark(
        self,
        hook: Hook,  # noqa: ARG002 - part of the protocol; this driver has one hook
        identity: Identity,
        program: int,
    ) -> str:
        """See ``Driver``; names the generic mode, but not why it was chosen."""
        with at_interface(identity) as (interface, _):
            if program not in _ids(interface, (_IFLA_XDP_SKB_PROG_ID,)):
                return ""
            return "generic mode: in the network stack, slower than in the driver"

    def attach(self, hook: Hook, identity: Identity, program: LoadedProgram) -> Link:
        """See ``Driver``; in generic mode where the driver refuses, which the remark tells."""
        with at_interface(identity) as (interface, _):
            try:
                link = create_link(program, interface.index, hook.attach_type_id)
            except BpfError as refused:
                if refused.number in _NOT_ABOUT_THE_DRIVER:
                    raise _failure(refused, interface, program) from refused
                not_in_this_kernel(hook, refused)
                return _attach_generically(hook, interface, program, refused)
            if _is_generic(interface.index):
                link.remark = f"generic mode: the driver of {interface.name} has no native XDP"
            return link

    def replace(self, link: Link, new: LoadedProgram, expected: LoadedProgram | None) -> None:
        """See ``Driver``; the mode stays, so what the driver refuses is refused."""
        try:
            super().replace(link, new, expected)
        except SkepError as error:
            refused = error.__cause__
            if not isinstance(refused, BpfError) or not _is_the_drivers(refused, new):
                raise
            raise KernelRefused(
                f"the driver refuses program {new.name!r} ({error_name(refused.number)}): most "
                "likely the MTU is too large for a program without xdp.frags, which all programs "
                "that run here now have",
                hint="make every program of the chain xdp.frags (section xdp.frags), or lower the "
                "MTU; the programs that ran before still run",
            ) from refused


def program_ids(interface: Interface) -> tuple[int, ...]:
    """Ids of the XDP programs an interface runs, whoever attached them and how.

    Raises:
        KernelRefused: the kernel's answer does not hold together.
    """
    return _ids(interface, _IFLA_XDP_PROG_IDS)


def _ids(interface: Interface, kinds: Sequence[int]) -> tuple[int, ...]:
    nested = dict(nested_attributes(interface.attributes.get(_IFLA_XDP, b"")))
    found = [
        int(_NUMBER.unpack_from(nested[kind])[0])
        for kind in kinds
        if len(nested.get(kind, b"")) >= _NUMBER.size
    ]
    return tuple({number: None for number in found if number})


def _is_the_drivers(refused: BpfError, new: LoadedProgram) -> bool:
    """Whether it was the driver that did not take another program."""
    if refused.number == errno.EINVAL:  # also said of a program of another type
        return describe_program(new.id).type == _PROGRAM_TYPE
    return refused.number in _REFUSALS


def _is_generic(index: int) -> bool:
    try:
        interface = interface_numbered(index)
    except SkepError:  # it has just gone, or the kernel is busy: nothing to remark on
        return False
    nested = dict(nested_attributes(interface.attributes.get(_IFLA_XDP, b"")))
    return nested.get(_IFLA_XDP_ATTACHED, b"")[:1] == bytes([_ATTACHED_GENERIC])


def _attach_generically(
    hook: Hook, interface: Interface, program: LoadedProgram, refused: BpfError
) -> Link:
    remark = f"generic mode: the driver of {interface.name} refuses native XDP"
    if refused.number == errno.ERANGE or interface.mtu > _ORDINARY_MTU:
        remark += f" at {_mtu(interface)}"
    else:
        remark += f" ({error_name(refused.number)})"
    try:
        return create_link(program, interface.index, hook.attach_type_id, _GENERIC, remark=remark)
    except BpfError as error:
        if error.number in _NOT_ABOUT_THE_DRIVER:
            raise _failure(error, interface, program) from error
        # Neither mode: what the driver said is nearer to the reason.
        raise _failure(refused, interface, program) from error


def _failure(error: BpfError, interface: Interface, program: LoadedProgram) -> SkepError:
    """What an answer to attaching means; the thread is in the interface's namespace."""
    if error.number == errno.ENODEV:
        return interface_gone(interface)
    # EBUSY: a program or a link is there; EEXIST: one is there in the other mode.
    if error.number in {errno.EBUSY, errno.EEXIST}:
        there = program_ids(interface_numbered(interface.index))
        found = program_text(there[0]) if there else "another XDP program"
        return HookTaken(
            f"expected no XDP program on {interface.name}, found {found}",
            hint="it was not attached by Skep and is left alone; whoever attached it can "
            "remove it (ip link set dev INTERFACE xdp off, or closing its link)",
        )
    if error.number == errno.ERANGE or (
        interface.mtu > _ORDINARY_MTU and _is_the_drivers(error, program)
    ):
        return KernelRefused(
            f"{_mtu(interface)} is too large for program {program.name!r} on {interface.name}: the "
            f"kernel says {error_name(error.number)}",
            hint="make the program xdp.frags (section xdp.frags), or lower the MTU",
        )
    if _is_the_drivers(error, program):
        return KernelRefused(
            f"neither the driver of {interface.name} nor generic mode accepts program "
            f"{program.name!r}: the kernel says {error_name(error.number)}",
            hint="the kernel's log (dmesg) may say more",
        )
    if error.number == errno.EINVAL:
        return KernelRefused(
            f"program {program.name!r} cannot be attached to {interface.name}: the kernel says "
            "EINVAL",
            hint="the program must be of type XDP",
        )
    return failure(error, f"attach program {program.name!r} to {interface.name}")


def _mtu(interface: Interface) -> str:
    # A veth pair's driver looks at the other end's, which may be in another namespace.
    return f"MTU {interface.mtu}" if interface.mtu > _ORDINARY_MTU else "the other end's MTU"
