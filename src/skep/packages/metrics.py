"""Metrics: numbers a program keeps in a map, which Skep reads and exports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from skep.packages.fields import Fields
from skep.packages.names import is_identifier, is_map_name, is_one_line
from skep.packages.setting_types import LARGEST

MetricKind = Literal["counter", "gauge"]
_KINDS: tuple[MetricKind, ...] = get_args(MetricKind)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric as the author declares it.

    Attributes:
        name: what it is exported as.
        map: array or hash, per CPU or not, with integers of 1 to 8 bytes.
        key: number of the key.
        kind: ``counter`` only grows, ``gauge`` goes up and down.
        help: one line for people.
    """

    name: str
    map: str
    key: int = 0
    kind: MetricKind = "counter"
    help: str = ""


def metric_number(values: Sequence[bytes]) -> int:
    r"""The metric's number: the sum over CPUs of little-endian integers.

    >>> metric_number([b"\x01\0\0\0", b"\x02\0\0\0"])
    3
    """
    return sum(int.from_bytes(value[:8], "little") for value in values)


def read_metric(name: str, fields: Fields) -> MetricSpec:
    """Read ``[metrics.NAME]``; problems are noted in ``fields``."""
    if not is_identifier(name):
        fields.problem("", "expected a name of letters, digits and underscores")
    kind = fields.text("kind", " or ".join(_KINDS), lambda text: text in _KINDS)
    return MetricSpec(
        name=name,
        map=fields.text("map", "the name of a map", is_map_name),
        key=fields.integer("key", f"a whole number from 0 to {LARGEST}", 0, LARGEST, required=False)
        or 0,
        kind="gauge" if kind == "gauge" else "counter",
        help=fields.text("help", "one line of text", is_one_line, required=False),
    )
