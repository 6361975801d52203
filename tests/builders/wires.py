"""What tests ask of network interfaces beside what Skep itself asks, by netlink.

A fresh machine has no ``ip`` command; ``nsenter`` is part of every Debian and Ubuntu.
"""

from pyroute2 import IPRoute

from skep.kernel.interfaces import ifindex

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
