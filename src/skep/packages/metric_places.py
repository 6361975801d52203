"""Whether a map can hold a metric. Apart from metrics, which are read where no object file is."""

from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.packages.metrics import MetricSpec
from skep.packages.setting_places import MapPlace, no_number
from skep.packages.settings import WIDTHS

_LONGEST = 8  # bytes of a number
_ARRAYS = frozenset({"ARRAY", "PERCPU_ARRAY"})
_HASHES = frozenset({"HASH", "LRU_HASH", "PERCPU_HASH", "LRU_PERCPU_HASH"})


def metric_misfit(metric: MetricSpec, place: MapPlace) -> str:
    """Why a map cannot hold a metric; empty if it can."""
    spec = place.spec
    kind = MAP_TYPE_NAMES.get(spec.map_type, f"map type {spec.map_type}")
    if kind not in _ARRAYS | _HASHES:
        return f"map {spec.name} is a {kind}; a metric needs an array or a hash"
    if spec.value_size > _LONGEST:
        return f"map {spec.name} has values of {spec.value_size} bytes; a metric has 8 at most"
    if what := no_number(place.types, spec.value_type_id):
        return f"a value of map {spec.name} is {what}; a metric is one number"
    if spec.key_size not in WIDTHS:
        return f"map {spec.name} has keys of {spec.key_size} bytes; expected 1, 2, 4 or 8"
    if what := no_number(place.types, spec.key_type_id):
        return f"a key of map {spec.name} is {what}; the key of a metric is one number"
    if metric.key >= 1 << 8 * spec.key_size:
        return f"key {metric.key} does not fit into the {spec.key_size}-byte keys of {spec.name}"
    if kind in _ARRAYS and 0 < place.entries <= metric.key:
        return f"key {metric.key} is past the end of map {spec.name}, which has {place.entries}"
    return ""
