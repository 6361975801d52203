"""Opening a node: the one place where ports meet what implements them.

To read only, :mod:`skep.node.observing.wiring` opens faster. Playgrounds are opened by
:mod:`skep.node.wiring.playgrounds`.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from skep.clock import Clock
from skep.errors import NotPermitted
from skep.file_modes import make_directory
from skep.kernel.lasting_pins import open_lasting_pins, unmount_lasting_pins
from skep.kernel.probes import require_privileges
from skep.node.converging.composing import compose
from skep.node.converging.services import Services
from skep.node.node import Node
from skep.node.observing.metrics import Meter
from skep.node.playground import PlaygroundKeeper
from skep.node.settings import NodeSettings
from skep.node.store.state import SqliteState
from skep.node.verified.shelf import Shelf
from skep.node.verified.trust_store import TrustStore
from skep.node.wiring.host import HostAdapter
from skep.node.wiring.kernel_adapter import KernelAdapter
from skep.node.wiring.running_kernel import RunningKernel
from skep.packages.client.content_store import ContentStore

__all__ = ["NodeNotWritable", "NodeSettings", "dismount", "open_node"]


class NodeNotWritable(NotPermitted):
    """The node's directory cannot be made or written."""


@contextmanager
def open_node(settings: NodeSettings, clock: Clock) -> Iterator[Node]:
    """Open a node. What an interrupted change left is repaired by the first change made with it.

    The root directory, the database and the BPF file system are made where they are missing; the
    latter stays mounted, because it is what keeps programs and maps alive: in the mount namespace
    of process 1 if this command's own ends with it.

    Raises:
        LacksPrivilege, NodeNotWritable: not root.
        PinsWouldEnd: there is no mount namespace that lasts.
        DatabaseDamaged, DatabaseTooNew: the database cannot be used.
    """
    require_privileges()
    try:
        make_directory(settings.root)
    except OSError as error:
        raise NodeNotWritable(
            f"could not make {settings.root}: {error.strerror}",
            hint="run it as root, or set SKEP_ROOT to another directory",
        ) from error
    with ExitStack() as opened:
        pins = opened.enter_context(
            open_lasting_pins(settings.bpffs, settings.root, must_last=not settings.is_temporary)
        )
        state = opened.enter_context(SqliteState(settings.database))
        kernel = KernelAdapter(pins)
        content = ContentStore(settings.content)
        trust = TrustStore(settings.trust)
        shelf = Shelf(content, trust, clock, RunningKernel(settings.kernel_types))
        yield Node(
            Services(kernel, state, shelf, clock, compose),
            trust=trust,
            meter=Meter(state, kernel, content),
            playgrounds=PlaygroundKeeper(settings.demo, HostAdapter()),
            lock=settings.lock,
            lock_seconds=settings.lock_seconds,
        )


def dismount(settings: NodeSettings) -> bool:
    """Unmount the node's BPF file system, which ends everything that is pinned in it.

    Returns:
        Whether it was mounted.
    """
    return unmount_lasting_pins(settings.bpffs, settings.root)
