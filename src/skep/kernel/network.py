"""Network namespaces and veth pairs, for demonstrations and tests, over netlink.

The netlink library takes longer to import than most commands may run: what a node needs for its
daily work is in :mod:`skep.kernel.interfaces`, and only who makes interfaces imports this module.

Sources: rtnetlink(7), veth(4), ip-netns(8).
"""

import errno
import ipaddress
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pyroute2 import IPRoute, netns
from pyroute2.netlink.exceptions import NetlinkError

from skep.errors import SkepError, UsageError
from skep.kernel.errors import (
    InterfaceMissing,
    KernelObjectMissing,
    LacksPrivilege,
    NetworkConflict,
)
from skep.kernel.interfaces import ifindex
from skep.kernel.syscall import BpfError, failure

__all__ = [
    "add_neighbour",
    "create_namespace",
    "create_veth",
    "hardware_address",
    "ifindex",
    "namespaces",
    "remove_interface",
    "remove_namespace",
]

_NAMESPACES = Path("/run/netns")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_PERMANENT = 0x80  # NUD_PERMANENT


def create_namespace(name: str) -> None:
    """Make a named network namespace, as ``ip netns add``, with its loopback up.

    Raises:
        NetworkConflict: there is one of that name.
        LacksPrivilege: not root.
    """
    _check_name(name, _NAME, "namespace")
    if name in namespaces():
        raise NetworkConflict(
            f"there is a network namespace {name!r} already", hint=f"ip netns delete {name}"
        )
    with _explained(f"create network namespace {name!r}"):
        try:
            netns.create(name)
            with IPRoute(netns=name) as route:
                route.link("set", index=1, state="up")
        except BaseException:
            if name in namespaces():
                netns.remove(name)
            raise


def remove_namespace(name: str) -> bool:
    """Remove a named network namespace, as ``ip netns delete``; whether there was one.

    Interfaces in it go once nothing else holds it; veth pairs with both their ends.
    """
    _check_name(name, _NAME, "namespace")
    if name not in namespaces():
        return False
    with _explained(f"remove network namespace {name!r}"):
        netns.remove(name)
    return True


def namespaces() -> tuple[str, ...]:
    """Names of the named network namespaces, sorted."""
    try:
        return tuple(sorted(entry.name for entry in _NAMESPACES.iterdir()))
    except FileNotFoundError:
        return ()


def create_veth(name: str, peer: str, namespace: str, address: str, peer_address: str) -> None:
    """Make a veth pair: one end here, the other in a namespace, both addressed and up.

    Nothing stays behind if a step fails.

    Args:
        name: of the end here.
        peer: of the end in the namespace.
        namespace: must exist.
        address: of the end here, with prefix length: ``10.7.0.1/24``.
        peer_address: of the other end.

    Raises:
        UsageError: a name or address is not one.
        NetworkConflict: an interface of that name is there.
        KernelObjectMissing: the namespace is not there.
        LacksPrivilege: not root.
    """
    _check_name(namespace, _NAME, "namespace")
    for each in (name, peer):
        _check_name(each, _INTERFACE, "interface")
    here, there = _interface_address(address), _interface_address(peer_address)
    if namespace not in namespaces():
        raise KernelObjectMissing(f"there is no network namespace {namespace!r}")
    with ExitStack() as undo, _explained(f"create the veth pair {name!r} and {peer!r}"):
        route = undo.enter_context(IPRoute())
        inner = undo.enter_context(IPRoute(netns=namespace))
        # The peer is born in its namespace: there is no moment when it is here.
        route.link("add", ifname=name, kind="veth", peer={"ifname": peer, "net_ns_fd": namespace})
        made = undo.enter_context(_removed_on_failure(name))
        for each, interface, where in ((route, name, here), (inner, peer, there)):
            index = each.link_lookup(ifname=interface)[0]
            each.addr("add", index=index, address=str(where.ip), prefixlen=where.network.prefixlen)
            each.link("set", index=index, state="up")
        made.clear()


def remove_interface(name: str) -> bool:
    """Remove an interface, of a veth pair both ends; whether there was one.

    What is attached to it goes with it.
    """
    try:
        index = ifindex(name)
    except InterfaceMissing:
        return False
    with _explained(f"remove interface {name!r}"), IPRoute() as route:
        try:
            route.link("del", index=index)
        except NetlinkError as error:
            if error.code != errno.ENODEV:
                raise
            return False
    return True


def hardware_address(interface: str, namespace: str | None = None) -> str:
    """Ethernet address of an interface, here or in a namespace: ``02:00:00:00:00:01``.

    Raises:
        InterfaceMissing: there is no such interface.
    """
    with _explained(f"read about interface {interface!r}"), IPRoute(netns=namespace) as route:
        found = route.link_lookup(ifname=interface)
        if not found:
            raise InterfaceMissing(f"there is no network interface {interface!r}")
        return str(route.get_links(found[0])[0].get_attr("IFLA_ADDRESS"))


def add_neighbour(
    interface: str, address: str, hardware: str, namespace: str | None = None
) -> None:
    """A permanent neighbour entry, so that no ARP or neighbour discovery is on the wire.

    Raises:
        InterfaceMissing: there is no such interface.
        UsageError: not an address.
    """
    plain = _interface_address(address).ip
    with _explained(f"add neighbour {address!r}"), IPRoute(netns=namespace) as route:
        found = route.link_lookup(ifname=interface)
        if not found:
            raise InterfaceMissing(f"there is no network interface {interface!r}")
        route.neigh("replace", dst=str(plain), lladdr=hardware, ifindex=found[0], state=_PERMANENT)


@contextmanager
def _removed_on_failure(name: str) -> Iterator[list[str]]:
    """Remove the interface again unless the list has been emptied."""
    pending = [name]
    try:
        yield pending
    finally:
        for each in pending:
            remove_interface(each)


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Netlink's and the system's errors as ours."""
    try:
        yield
    except NetlinkError as error:
        raise _network_failure(int(error.code or 0), doing) from error
    except SkepError:
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: the library's forked child died
        raise _network_failure(getattr(error, "errno", None) or 0, doing) from error


def _network_failure(number: int, doing: str) -> SkepError:
    if number in {errno.EPERM, errno.EACCES}:
        return LacksPrivilege(
            f"could not {doing}: not permitted", hint="run as root, or with CAP_NET_ADMIN"
        )
    if number == errno.EEXIST:
        return NetworkConflict(
            f"could not {doing}: it exists already",
            hint=f"look with ip link and {os.fspath(_NAMESPACES)}",
        )
    if number == errno.ENODEV:
        return InterfaceMissing(f"could not {doing}: there is no such interface")
    return failure(BpfError(number), doing)


def _check_name(text: str, form: re.Pattern[str], what: str) -> None:
    if not form.fullmatch(text) or text in {".", ".."}:
        raise UsageError(
            f"expected the name of a network {what}, got {text[:80]!r}",
            hint="letters, digits, '_' and '-'; an interface's has at most 15 characters",
        )


def _interface_address(text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        return ipaddress.ip_interface(text)
    except ValueError as error:
        raise UsageError(f"expected an address such as 10.7.0.1/24, got {text[:80]!r}") from error
