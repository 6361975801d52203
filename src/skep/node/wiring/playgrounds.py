"""Opening a playground and sockets in it, for the demonstration."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from skep.kernel.packets import open_packet_socket
from skep.kernel.probes import require_privileges
from skep.node.playground import Playground, PlaygroundKeeper
from skep.node.settings import NodeSettings
from skep.node.wiring.host import HostAdapter


@contextmanager
def open_playground(settings: NodeSettings, name: str) -> Iterator[Playground]:
    """Make a throw-away interface, and leave nothing behind.

    Args:
        settings: of the node whose doctor is to find it should this process be killed.
        name: ``skep-demo-`` and up to five letters or digits.

    Raises:
        LacksPrivilege: not root.
        BadPlaygroundName, PlaygroundInUse: the name cannot be used.
    """
    require_privileges()
    with PlaygroundKeeper(settings.demo, HostAdapter).open(name) as playground:
        yield playground


def open_peer_socket(playground: Playground) -> socket.socket:
    """A packet socket on the end in the namespace: what it sends, the interface here receives."""
    return open_packet_socket(playground.peer, playground.namespace)
