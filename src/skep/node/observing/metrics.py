"""Metrics: what programs count, read from their pinned maps as ``skep.toml`` declares it."""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.chains.deployment import Deployment
from skep.digests import Digest
from skep.node.looking.listing import find_installed
from skep.node.ports import MapReader, NoSuchPin
from skep.node.state_ports import StateReader
from skep.packages.local.content_store import ContentStore, reading_package
from skep.packages.metrics import MetricKind, MetricSpec, metric_number
from skep.packages.opening import open_package
from skep.packages.references import parse_reference


@dataclass(frozen=True, slots=True)
class Metric:
    """A number a program keeps.

    Attributes:
        name: as declared.
        kind: ``counter`` or ``gauge``.
        help: one line for people.
        value: summed over CPUs; ``None`` if the map or the entry is not there.
        has_map: its map is there.
    """

    name: str
    kind: MetricKind
    help: str
    value: int | None
    has_map: bool = True


class Meter:
    """Reads metrics of deployments.

    Args:
        state: what is committed.
        maps: their maps.
        content: their packages, which say what is counted where.
    """

    def __init__(self, state: StateReader, maps: MapReader, content: ContentStore) -> None:
        self._state = state
        self._maps = maps
        self._content = content

    def metrics(self, name: str) -> tuple[Metric, ...]:
        """What a deployment's program counts.

        Raises:
            NoSuchDeployment: there is none of that name.
            NoSuchContent, DigestMismatch: its package is gone or damaged.
        """
        installed = self._state.installed()
        deployment = find_installed(installed, name).deployment
        with reading_package(parse_reference(deployment.reference)):
            manifest = self._content.blob(Digest.parse(deployment.digest))
            metadata = open_package(manifest, self._content.blob).metadata
        return read_metrics(self._maps, deployment, metadata.metrics)


def read_metrics(
    reader: MapReader, deployment: Deployment, specs: Sequence[MetricSpec]
) -> tuple[Metric, ...]:
    """Read what a deployment's program counts, in the author's order."""
    found = []
    for spec in specs:
        values = _values(reader, deployment, spec)
        value = metric_number(values) if values else None
        found.append(Metric(spec.name, spec.kind, spec.help, value, has_map=values is not None))
    return tuple(found)


def _values(reader: MapReader, deployment: Deployment, spec: MetricSpec) -> list[bytes] | None:
    """What the map has under the key; ``None`` if there is no such map."""
    plain = spec.map.replace(".", "-")
    for pin in deployment.maps:
        if pin == plain or pin.startswith(f"{plain}-"):
            try:
                return reader.read_per_cpu(deployment.name, pin, spec.key)
            except NoSuchPin:
                return None
    return None
