"""Network interfaces by name and number, and the XDP program on one.

Standard library only, because every command of a node needs this much and the netlink library
takes longer to import than such a command may take. The one question asked over netlink is
RTM_GETLINK for one interface, of which one nested attribute is read.

Sources: rtnetlink(7); linux/if_link.h (``IFLA_XDP*``).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator

from skep.kernel.errors import InterfaceMissing, KernelBusy, KernelRefused

_NETLINK_ROUTE = 0
_REQUEST = 1
_NLMSG_ERROR = 2
_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_IFLA_XDP = 43
_IFLA_XDP_PROG_ID = 4
# Each mode has an attribute of its own; IFLA_XDP_PROG_ID is set only when one mode is in use.
_IFLA_XDP_MODE_PROG_IDS = frozenset({5, 6, 7})  # driver, generic, offloaded
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
_NUMBER = struct.Struct("=I")
_LARGEST_INDEX = 0x7FFFFFFF
_ANSWER_BYTES = 1 << 17
_TIMEOUT_SECONDS = 5.0


def ifindex(name: str) -> int:
    """Number of the interface ``name`` in this network namespace.

    Raises:
        InterfaceMissing: there is none of that name.
    """
    try:
        return socket.if_nametoindex(name)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InterfaceMissing(
            f"there is no network interface {name[:64]!r}",
            hint="ip link shows the interfaces there are",
        ) from error


def interface_name(index: int) -> str:
    """Name of interface number ``index`` in this network namespace.

    Raises:
        InterfaceMissing: there is none of that number.
    """
    try:
        return socket.if_indextoname(index)
    except (OSError, OverflowError) as error:
        raise InterfaceMissing(f"there is no network interface number {index}") from error


def xdp_program_id(index: int) -> int | None:
    """Id of the XDP program an interface runs, whoever attached it and how; ``None`` if none.

    Raises:
        InterfaceMissing: there is no interface of that number.
        KernelBusy: the kernel did not answer in time.
    """
    if not 0 < index <= _LARGEST_INDEX:
        raise InterfaceMissing(f"there is no network interface number {index}")
    return parse_xdp_program_id(_ask_about_link(index))


def parse_xdp_program_id(attributes: bytes) -> int | None:
    """The program id in the attributes of an RTM_NEWLINK message.

    Raises:
        KernelRefused: the attributes do not hold together.
    """
    for kind, payload in _attributes(attributes):
        if kind == _IFLA_XDP:
            nested = dict(_attributes(payload))
            for wanted in (_IFLA_XDP_PROG_ID, *sorted(_IFLA_XDP_MODE_PROG_IDS)):
                if len(nested.get(wanted, b"")) >= _NUMBER.size:
                    return int(_NUMBER.unpack_from(nested[wanted])[0]) or None
    return None


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, position)
        if size < _ATTRIBUTE.size or position + size > len(data):
            raise KernelRefused(f"expected netlink attributes, got a length of {size}")
        yield kind & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + size]
        position += -(-size // 4) * 4


def _ask_about_link(index: int) -> bytes:
    """Attributes of one interface, as they come."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    request = _HEADER.pack(_HEADER.size + len(body), _RTM_GETLINK, _REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE) as netlink:
        netlink.settimeout(_TIMEOUT_SECONDS)
        try:
            netlink.bind((0, 0))
            netlink.sendto(request, (0, 0))
            answer = netlink.recv(_ANSWER_BYTES)
        except OSError as error:
            raise KernelBusy(f"the kernel did not answer about interface {index}") from error
    if len(answer) < _HEADER.size + 4:
        raise KernelRefused(f"expected a netlink message, got {len(answer)} bytes")
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _NLMSG_ERROR:
        number = -int(struct.unpack_from("=i", answer, _HEADER.size)[0])
        if number in {errno.ENODEV, errno.EINVAL}:
            raise InterfaceMissing(f"there is no network interface number {index}")
        raise KernelRefused(f"could not ask about interface {index}: {os.strerror(number)}")
    if kind != _RTM_NEWLINK:
        raise KernelRefused(f"expected an answer about interface {index}, got message {kind}")
    return answer[_HEADER.size + _IFINFO.size :]
