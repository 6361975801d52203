"""What playgrounds need of the host, over ``skep.kernel``."""

from pathlib import Path

from skep.kernel.lasting_pins import unmount_lasting_pins
from skep.kernel.network import (
    add_neighbour,
    create_namespace,
    create_veth,
    hardware_address,
    remove_interface,
    remove_namespace,
)


class HostAdapter:
    """Implements the ``Host`` port."""

    def create_namespace(self, name: str) -> None:
        """Make a network namespace."""
        create_namespace(name)

    def remove_namespace(self, name: str) -> bool:
        """Remove it; whether there was one."""
        return remove_namespace(name)

    def create_veth(
        self, name: str, peer: str, namespace: str, address: str, peer_address: str
    ) -> None:
        """Make a veth pair, the peer in the namespace."""
        create_veth(name, peer, namespace, address, peer_address)

    def remove_interface(self, name: str) -> bool:
        """Remove an interface; whether there was one."""
        return remove_interface(name)

    def introduce(
        self, interface: str, peer: str, namespace: str, addresses: tuple[str, str]
    ) -> tuple[str, str]:
        """Permanent neighbour entries at both ends; returns the hardware addresses."""
        here = hardware_address(interface)
        there = hardware_address(peer, namespace)
        add_neighbour(interface, addresses[1], there)
        add_neighbour(peer, addresses[0], here, namespace)
        return here, there

    def unmount(self, path: Path) -> bool:
        """Unmount a BPF file system; whether there was one."""
        return unmount_lasting_pins(path, path.parent)
