"""Opening a node to read what its programs count; as reading, and packages besides."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from skep.digests import Digest
from skep.node.listing import find_installed
from skep.node.observing.metrics import Metric, read_metrics
from skep.node.observing.pins import PinReader
from skep.node.observing.wiring import open_pins, open_state
from skep.node.ports import MapReader, StateReader
from skep.node.settings import NodeSettings
from skep.packages.client.content_store import ContentStore
from skep.packages.opening import open_package


class Meter:
    """Reads metrics of deployments.

    Args:
        state: what is committed; ``None`` if nothing ever was.
        maps: their maps.
        content: their packages, which say what is counted where.
    """

    def __init__(self, state: StateReader | None, maps: MapReader, content: ContentStore) -> None:
        self._state = state
        self._maps = maps
        self._content = content

    def metrics(self, name: str) -> tuple[Metric, ...]:
        """What a deployment's program counts.

        Raises:
            NoSuchDeployment: there is none of that name.
            NoSuchContent, DigestMismatch: its package is gone or damaged.
        """
        installed = self._state.installed() if self._state is not None else ()
        deployment = find_installed(installed, name).deployment
        manifest = self._content.blob(Digest.parse(deployment.digest))
        metadata = open_package(manifest, self._content.blob).metadata
        return read_metrics(self._maps, deployment, metadata.metrics)


@contextmanager
def open_meter(settings: NodeSettings) -> Iterator[Meter]:
    """Open a node to read metrics.

    Raises:
        NodeNotReadable, NodeDatabaseDamaged, NodeDatabaseTooNew: as when reading.
    """
    with ExitStack() as opened:
        state = open_state(settings, opened)
        reader = PinReader(open_pins(settings, opened))
        yield Meter(state, reader, ContentStore(settings.content))
