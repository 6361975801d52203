"""Opening a node: the one place where ports meet what implements them.

To read only, :mod:`skep.node.observing.wiring` opens faster. Playgrounds are opened by
:mod:`skep.node.wiring.playgrounds`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from skep.clock import Clock
from skep.errors import NotPermitted
from skep.file_modes import make_directory
from skep.kernel.lasting_pins import is_lasting, open_lasting_pins, unmount_lasting_pins
from skep.kernel.probes import require_privileges
from skep.node.converging.composing import compose
from skep.node.converging.services import Services, Writer
from skep.node.locking import Lock, shared
from skep.node.node import Node
from skep.node.observing.metrics import Meter
from skep.node.observing.wiring import LOOKING_SECONDS, open_pins, open_state
from skep.node.playground import Host, PlaygroundKeeper
from skep.node.ports import Kernel
from skep.node.settings import NodeSettings
from skep.node.store.kept import KeptFiles
from skep.node.store.state import SqliteState
from skep.node.verified.shelf import Shelf
from skep.node.verified.trust_store import TrustStore
from skep.node.wiring.kernel_adapter import KernelAdapter, KernelWatcher
from skep.node.wiring.running_kernel import RunningKernel
from skep.packages.local.content_store import ContentStore

__all__ = ["NodeNotWritable", "NodeSettings", "dismount", "open_node"]


class NodeNotWritable(NotPermitted):
    """The node's directory cannot be made or written."""


@contextmanager
def open_node(
    settings: NodeSettings,
    clock: Clock,
    host: Callable[[], Host],
    content: ContentStore | None = None,
) -> Iterator[Node]:
    """Open a node. What an interrupted change left is repaired by the first change made with it.

    Nothing is made or mounted before the first change. A change makes the root directory, the
    database and the BPF file system where they are missing; the latter stays mounted, because it
    is what keeps programs and maps alive: in the mount namespace of process 1 if this command's
    own ends with it.

    Args:
        settings: where it keeps its things.
        clock: now.
        host: gives what clears up after a killed demonstration
            (:class:`skep.node.wiring.host.HostAdapter`). It is asked for when it is needed,
            because the netlink library takes longer to import than a change may take.
        content: packages, if not those of the settings: a dry run keeps what it pulls in memory.

    Raises:
        LacksPrivilege, NodeNotWritable: not root.
        PinsWouldEnd: there is no mount namespace that lasts; raised by the first change.
        DatabaseDamaged, DatabaseTooNew: the database cannot be used; raised when it is needed.
    """
    require_privileges()
    trust = TrustStore(settings.trust)
    content = content or ContentStore(settings.content)

    @contextmanager
    def looking() -> Iterator[tuple[Services, Meter]]:
        with ExitStack() as opened:
            doubt = opened.enter_context(shared(settings.lock, LOOKING_SECONDS))
            state = open_state(settings, opened)
            kernel = KernelWatcher(open_pins(settings, opened))
            shelf = Shelf(
                content, trust, clock, RunningKernel(None, settings.indexing), settings.called
            )
            kept = KeptFiles(settings.kept)
            services = Services(kernel, state, shelf, clock, kept, doubt)
            yield services, Meter(state, kernel, content)

    @contextmanager
    def changing(lock: Lock) -> Iterator[Writer]:
        with ExitStack() as opened:
            pins = opened.enter_context(
                open_lasting_pins(
                    settings.bpffs, settings.root, must_last=not settings.is_temporary
                )
            )
            state = opened.enter_context(SqliteState(settings.database))
            target = RunningKernel(settings.kernel_types, settings.indexing)
            shelf = Shelf(content, trust, clock, target, settings.called)
            kept = KeptFiles(settings.kept)
            lasting = partial(is_lasting, pins, settings.root)
            kernel = KernelAdapter(pins) if settings.is_temporary else KernelAdapter(pins, lasting)
            yield Writer(lock, kernel, state, shelf, clock, compose, kept)

    @contextmanager
    def detaching() -> Iterator[Kernel | None]:
        with ExitStack() as opened:
            pins = open_pins(settings, opened)
            yield None if pins is None else KernelAdapter(pins)

    yield Node(
        looking,
        changing,
        detaching=detaching,
        trust=trust,
        playgrounds=PlaygroundKeeper(settings.demo, host),
        lock=lambda: _make_root(settings).lock,
        lock_seconds=settings.lock_seconds,
    )


def _make_root(settings: NodeSettings) -> NodeSettings:
    try:
        make_directory(settings.root)
    except OSError as error:
        raise NodeNotWritable(
            f"could not make {settings.root}: {error.strerror}",
            hint="run it as root, or set SKEP_ROOT to another directory",
        ) from error
    return settings


def dismount(settings: NodeSettings) -> bool:
    """Unmount the node's BPF file system, which ends everything that is pinned in it.

    Returns:
        Whether it was mounted.
    """
    return unmount_lasting_pins(settings.bpffs, settings.root)
