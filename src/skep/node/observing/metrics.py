"""Metrics: what programs count, read from their pinned maps as ``skep.toml`` declares it."""

from collections.abc import Sequence
from dataclasses import dataclass

from skep.chains.deployment import Deployment
from skep.node.ports import MapReader, NoSuchPin
from skep.packages.metrics import MetricKind, MetricSpec, metric_number


@dataclass(frozen=True, slots=True)
class Metric:
    """A number a program keeps.

    Attributes:
        name: as declared.
        kind: ``counter`` or ``gauge``.
        help: one line for people.
        value: summed over CPUs; ``None`` if the map or the entry is not there.
    """

    name: str
    kind: MetricKind
    help: str
    value: int | None


def read_metrics(
    reader: MapReader, deployment: Deployment, specs: Sequence[MetricSpec]
) -> tuple[Metric, ...]:
    """Read what a deployment's program counts, in the author's order."""
    return tuple(
        Metric(spec.name, spec.kind, spec.help, _value(reader, deployment, spec)) for spec in specs
    )


def _value(reader: MapReader, deployment: Deployment, spec: MetricSpec) -> int | None:
    plain = spec.map.replace(".", "-")
    for pin in deployment.maps:
        if pin == plain or pin.startswith(f"{plain}-"):
            try:
                values = reader.read_per_cpu(deployment.name, pin, spec.key)
            except NoSuchPin:
                return None
            return metric_number(values) if values else None
    return None
