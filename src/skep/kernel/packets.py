"""Packet sockets, here or in a network namespace, for demonstrations and tests.

A socket belongs to the namespace in which it was made, wherever it is used afterwards. Entering a
namespace concerns one thread only, so the socket is made in a thread that ends with it.

Sources: packet(7), setns(2).
"""

import socket
from concurrent.futures import ThreadPoolExecutor

from pyroute2 import netns

from skep.errors import SkepError
from skep.kernel.errors import InterfaceMissing, LacksPrivilege
from skep.kernel.syscall import BpfError, failure

ETH_P_ALL = 3


def open_packet_socket(
    interface: str, namespace: str | None = None, protocol: int = ETH_P_ALL
) -> socket.socket:
    """A socket that sends and sees whole Ethernet frames of an interface.

    Args:
        interface: its name.
        namespace: name of the network namespace it is in; ``None``: this one.
        protocol: EtherType to see; 0 sees nothing, for sockets that only send.

    Raises:
        InterfaceMissing: there is no such interface, or no such namespace.
        LacksPrivilege: not root.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_open, interface, namespace, protocol).result()


def _open(interface: str, namespace: str | None, protocol: int) -> socket.socket:
    opened: socket.socket | None = None
    try:
        if namespace is not None:
            netns.setns(namespace, flags=0)
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
        opened.bind((interface, protocol))
    except BaseException as error:
        if opened is not None:
            opened.close()
        if isinstance(error, OSError):
            raise _explained(error, interface) from error
        raise
    return opened


def _explained(error: OSError, interface: str) -> SkepError:
    if isinstance(error, PermissionError):
        return LacksPrivilege(
            f"could not open a packet socket on {interface!r}", hint="run as root"
        )
    if isinstance(error, FileNotFoundError) or error.errno in {6, 19}:  # ENXIO, ENODEV
        return InterfaceMissing(f"there is no network interface {interface!r} there")
    return failure(BpfError(error.errno or 0), f"open a packet socket on {interface!r}")
