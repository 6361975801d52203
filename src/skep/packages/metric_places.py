"""Whether a map can hold a metric. Apart from metrics, which are read where no object file is."""

from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.objectfile.model import MapSpec
from skep.packages.metrics import MetricSpec

_LONGEST = 8  # bytes of a number
_ARRAYS = frozenset({"ARRAY", "PERCPU_ARRAY"})
_HASHES = frozenset({"HASH", "LRU_HASH", "PERCPU_HASH", "LRU_PERCPU_HASH"})


def metric_misfit(metric: MetricSpec, spec: MapSpec) -> str:
    """Why a map cannot hold a metric; empty if it can."""
    kind = MAP_TYPE_NAMES.get(spec.map_type, f"map type {spec.map_type}")
    if kind not in _ARRAYS | _HASHES:
        return f"map {spec.name} is a {kind}; a metric needs an array or a hash"
    if spec.value_size > _LONGEST:
        return f"map {spec.name} has values of {spec.value_size} bytes; a metric has 8 at most"
    if metric.key >= 1 << 8 * spec.key_size:
        return f"key {metric.key} does not fit into the {spec.key_size}-byte keys of {spec.name}"
    if kind in _ARRAYS and 0 < spec.max_entries <= metric.key:
        return f"key {metric.key} is past the end of map {spec.name}, which has {spec.max_entries}"
    return ""
