"""What tests ask of network interfaces beside what Skep itself asks, by netlink.

A fresh machine has no ``ip`` command; ``nsenter`` is part of every Debian and Ubuntu.
"""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from pyroute2 import IPRoute

from skep.hooks.target import HookTarget
from skep.kernel.interfaces import ifindex
from skep.kernel.namespaces import entered
from skep.kernel.network import create_namespace, remove_namespace
from skep.kernel.packets import ETH_P_ALL

_PATIENCE_SECONDS = 30.0
GENERIC_MODE = 1 << 1  # XDP_FLAGS_SKB_MODE of linux/if_link.h


def inside(namespace: str) -> list[str]:
    """Beginning of a command line that runs in a network namespace."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def addresses(name: str, namespace: str | None = None) -> list[str]:
    """IPv4 addresses of an interface that is up."""
    with IPRoute(netns=namespace) as netlink:
        (link,) = netlink.link_lookup(ifname=name)
        assert netlink.get_links(link)[0].get_attr("IFLA_OPERSTATE") == "UP"
        found = netlink.get_addr(index=link, family=2)
        return [str(each.get_attr("IFA_ADDRESS")) for each in found]


def neighbours(name: str) -> dict[str, tuple[str, int]]:
    """Hardware address and state of each neighbour, by address."""
    with IPRoute() as netlink:
        return {
            str(each.get_attr("NDA_DST")): (str(each.get_attr("NDA_LLADDR")), int(each["state"]))
            for each in netlink.get_neighbours(ifindex=ifindex(name))
        }


def attach_without_link(name: str, descriptor: int, flags: int = 0) -> None:
    """Attach an XDP program in the way that has no link."""
    with IPRoute() as netlink:
        attributes = [("IFLA_XDP_FD", descriptor), ("IFLA_XDP_FLAGS", flags)]
        netlink.link("set", index=ifindex(name), xdp={"attrs": attributes})


def another_name() -> str:
    """A name no interface has."""
    return f"skt{secrets.token_hex(4)}"


def address_pair() -> tuple[str, str]:
    """Addresses for both ends of a pair, with prefix length; nobody else's, most likely."""
    block = int(IPv4Address("10.128.0.0")) + 4 * secrets.randbelow(1 << 21)
    return f"{IPv4Address(block + 1)}/30", f"{IPv4Address(block + 2)}/30"


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes true: soon, or on a busy machine a little later."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def reaches(name: str, namespace: str) -> bool:
    """Whether a connection from the other end of a pair, in ``namespace``, comes about at once."""
    (address,) = addresses(name)
    code = (
        "import socket, sys\n"
        "socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.5).close()\n"
    )
    with socket.create_server((address, 0)) as server:
        port = str(server.getsockname()[1])
        command = [*inside(namespace), sys.executable, "-c", code, address, port]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def namespace() -> Iterator[str]:
    """A network namespace with a name."""
    name = f"skep-test-{secrets.token_hex(3)}"
    create_namespace(name)
    try:
        yield name
    finally:
        remove_namespace(name)


@contextmanager
def nameless_namespace() -> Iterator[int]:
    """A network namespace without a name; gives the number of the process that is in it."""
    with subprocess.Popen(
        ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"ready\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process.pid
        finally:
            process.stdin.close()


def rename(name: str, new: str) -> None:
    """Give an interface here another name."""
    with IPRoute() as netlink:
        index = ifindex(name)
        netlink.link("set", index=index, state="down")  # before Linux 6.2 only then
        netlink.link("set", index=index, ifname=new)
        netlink.link("set", index=index, state="up")


def add_name(name: str, other: str) -> None:
    """Give an interface here an alternative name."""
    with IPRoute() as netlink:
        netlink.link("property_add", index=ifindex(name), altname=other)


def move(name: str, to: str | int) -> None:
    """Move an interface here into a namespace, by its name or by a process in it; it stays up."""
    key = "net_ns_fd" if isinstance(to, str) else "net_ns_pid"
    with IPRoute() as netlink:
        netlink.link("set", index=ifindex(name), **{key: to})
    there = to if isinstance(to, str) else f"/proc/{to}/ns/net"
    with IPRoute(netns=there) as netlink:
        netlink.link("set", index=netlink.link_lookup(ifname=name)[0], state="up")


def make_pair(
    name: str, peer: str, elsewhere: str, *, index: int, inside: str | None = None
) -> None:
    """A veth pair of a chosen number, here or inside of a namespace; both ends are up."""
    with IPRoute(netns=inside) as netlink, IPRoute(netns=elsewhere) as there:
        ends = {"ifname": peer, "net_ns_fd": elsewhere}
        netlink.link("add", ifname=name, kind="veth", index=index, peer=ends)
        netlink.link("set", index=index, state="up")
        there.link("set", index=there.link_lookup(ifname=peer)[0], state="up")


def packet_socket(on: HookTarget) -> socket.socket:
    """A packet socket on an interface that a declared target names."""
    with entered(on.namespace):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        opened.bind((on.target, ETH_P_ALL))
        return opened
