"""Opening a node to read what its programs count; as reading, and packages besides."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from skep.node.observing.metrics import Meter
from skep.node.observing.pins import PinReader
from skep.node.observing.wiring import open_pins, open_state
from skep.node.settings import NodeSettings
from skep.packages.local.content_store import ContentStore


@contextmanager
def open_meter(settings: NodeSettings) -> Iterator[Meter]:
    """Open a node to read metrics.

    Raises:
        NodeNotReadable, DatabaseDamaged, DatabaseTooNew: as when reading.
    """
    with ExitStack() as opened:
        state = open_state(settings, opened)
        reader = PinReader(open_pins(settings, opened))
        yield Meter(state, reader, ContentStore(settings.content))
