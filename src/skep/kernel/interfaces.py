"""Network interfaces by name and number, in the network namespace the calling thread is in.

Standard library only, because every command of a node needs this much and the netlink library
takes longer to import than such a command may take. The one question asked over netlink is
RTM_GETLINK for one interface.

Sources: rtnetlink(7); linux/if_link.h; ``rtnl_dev_get`` in net/core/rtnetlink.c.
"""

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from skep.kernel.errors import InterfaceMissing, KernelBusy, KernelRefused

_NETLINK_ROUTE = 0
_REQUEST = 1
_NLMSG_ERROR = 2
_RTM_NEWLINK = 16
_RTM_GETLINK = 18
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_ALT_IFNAME = 53
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_IFINFO = struct.Struct("=BxHiII")  # struct ifinfomsg
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
_LARGEST_INDEX = 0x7FFFFFFF
_LONGEST_FIRST_NAME = 15  # IFNAMSIZ is 16 with the terminating zero
_LONGEST_NAME = 127  # ALTIFNAMSIZ is 128
_ANSWER_BYTES = 1 << 17
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Interface:
    """What the kernel says about an interface.

    Attributes:
        index: its number, unique in its namespace while it is there.
        name: its first name; it may have alternative ones beside it.
        mtu: largest packet it sends, in bytes, without the link layer's header.
        attributes: everything it says, by ``IFLA_*`` number.
    """

    index: int
    name: str
    mtu: int
    attributes: Mapping[int, bytes]


def interface_named(name: str) -> Interface:
    """The interface of a first or alternative name.

    Raises:
        InterfaceMissing: there is none of that name.
        KernelBusy: the kernel did not answer in time.
    """
    what = f"there is no network interface {name[:_LONGEST_NAME]!r}"
    encoded = os.fsencode(name)
    if not 0 < len(encoded) <= _LONGEST_NAME or b"\0" in encoded:
        raise InterfaceMissing(what)
    # Both attributes find both kinds of name; the older one also on kernels without the other.
    kind = _IFLA_IFNAME if len(encoded) <= _LONGEST_FIRST_NAME else _IFLA_ALT_IFNAME
    payload = encoded + b"\0"
    padded = payload + bytes(-len(payload) % 4)
    return _asked(0, _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + padded, what)


def interface_numbered(index: int) -> Interface:
    """The interface of a number.

    Raises:
        InterfaceMissing: there is none of that number.
        KernelBusy: the kernel did not answer in time.
    """
    what = f"there is no network interface number {index}"
    if not 0 < index <= _LARGEST_INDEX:
        raise InterfaceMissing(what)
    return _asked(index, b"", what)


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
            hint="ip link",
        ) from error


def nested_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in a message or in another attribute.

    Raises:
        KernelRefused: they do not hold together.
    """
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        size, kind = _ATTRIBUTE.unpack_from(data, position)
        if size < _ATTRIBUTE.size or position + size > len(data):
            raise KernelRefused(f"expected netlink attributes, got a length of {size}")
        yield kind & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + size]
        position += -(-size // 4) * 4


def _asked(index: int, attributes: bytes, missing: str) -> Interface:
    """Ask about one interface, by its number or by an attribute."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attributes
    request = _HEADER.pack(_HEADER.size + len(body), _RTM_GETLINK, _REQUEST, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE) as netlink:
        netlink.settimeout(_TIMEOUT_SECONDS)
        try:
            netlink.bind((0, 0))
            netlink.sendto(request, (0, 0))
            answer = netlink.recv(_ANSWER_BYTES)
        except OSError as error:
            raise KernelBusy("the kernel did not answer about a network interface") from error
    return parse_interface(answer, missing)


def parse_interface(answer: bytes, missing: str) -> Interface:
    """What an RTM_NEWLINK message says.

    Args:
        missing: message to raise if the kernel says that there is no such interface.

    Raises:
        InterfaceMissing: the kernel says so.
        KernelRefused: it says something else, or the message does not hold together.
    """
    if len(answer) < _HEADER.size + 4:
        raise KernelRefused(f"expected a netlink message, got {len(answer)} bytes")
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _NLMSG_ERROR:
        number = -int(struct.unpack_from("=i", answer, _HEADER.size)[0])
        if number in {errno.ENODEV, errno.EINVAL}:
            raise InterfaceMissing(missing, hint="ip link")
        raise KernelRefused(f"could not ask about an interface: {os.strerror(number)}")
    begin = _HEADER.size + _IFINFO.size
    if kind != _RTM_NEWLINK or len(answer) < begin:
        raise KernelRefused(f"expected an answer about an interface, got message {kind}")
    index = int(_IFINFO.unpack_from(answer, _HEADER.size)[2])
    found = dict(nested_attributes(answer[begin:]))
    return Interface(
        index,
        os.fsdecode(found.get(_IFLA_IFNAME, b"").rstrip(b"\0")),
        int.from_bytes(found.get(_IFLA_MTU, b"")[:4], sys.byteorder),
        MappingProxyType(found),
    )
