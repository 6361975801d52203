"""Maps of a plan: sizes filled in, variables set, constants frozen.

Source of the rules: tools/lib/bpf/libbpf.c of Linux 6.18 (``bpf_object__create_map``) and
measurements on that kernel.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.linking.constants import is_changeable
from skep.bytecode.linking.errors import CannotLink, SettingRequired, UnfitSetting, UnknownName
from skep.bytecode.linking.plan import MapPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.linking.types import TypeFacts
from skep.bytecode.objectfile.data_sections import is_read_only
from skep.bytecode.objectfile.model import MapSpec, ObjectFile, Variable

_KEY = b"\0\0\0\0"
_NUMA_NODE = 4  # BPF_F_NUMA_NODE: a node of the machine the object was written for
_MOST_ENTRIES = 0xFFFFFFFF
_MOST_CONTENT_BYTES = 64 << 20

_PERF_EVENT_ARRAY = MAP_TYPES["PERF_EVENT_ARRAY"]
_MAPS_OF_MAPS = {MAP_TYPES["ARRAY_OF_MAPS"], MAP_TYPES["HASH_OF_MAPS"]}
_CGROUP_STORAGE = {MAP_TYPES["CGROUP_STORAGE"], MAP_TYPES["PERCPU_CGROUP_STORAGE"]}
_NEEDS_TYPES = {
    MAP_TYPES[name] for name in ("SK_STORAGE", "INODE_STORAGE", "TASK_STORAGE", "CGRP_STORAGE")
}
_WITHOUT_SIZE = _CGROUP_STORAGE | _NEEDS_TYPES | {MAP_TYPES["STRUCT_OPS"]}
_PROG_ARRAY = MAP_TYPES["PROG_ARRAY"]
_INDEXED = {
    MAP_TYPES[name]
    for name in (
        "ARRAY",
        "PERCPU_ARRAY",
        "PROG_ARRAY",
        "PERF_EVENT_ARRAY",
        "CGROUP_ARRAY",
        "ARRAY_OF_MAPS",
        "DEVMAP",
        "CPUMAP",
        "XSKMAP",
        "SOCKMAP",
        "REUSEPORT_SOCKARRAY",
        "ARENA",
    )
}
# Their keys or values are numbers of objects to the kernel, which refuses types for them
# (``bpf_object__create_map``).
_WITHOUT_TYPES = {
    MAP_TYPES[name]
    for name in (
        "PERF_EVENT_ARRAY",
        "CGROUP_ARRAY",
        "STACK_TRACE",
        "ARRAY_OF_MAPS",
        "HASH_OF_MAPS",
        "DEVMAP",
        "DEVMAP_HASH",
        "CPUMAP",
        "XSKMAP",
        "SOCKMAP",
        "SOCKHASH",
        "QUEUE",
        "STACK",
        "ARENA",
        "RINGBUF",
        "USER_RINGBUF",
        "PROG_ARRAY",
        "BLOOM_FILTER",
        "CGROUP_STORAGE",
        "PERCPU_CGROUP_STORAGE",
    )
}
_NAMES = {number: name for name, number in MAP_TYPES.items()}


def plan_maps(
    object_file: ObjectFile, settings: LinkSettings, types: TypeFacts, *, is_complete: bool
) -> tuple[MapPlan, ...]:
    """Maps of ``object_file`` in its order, so that indexes of maps are indexes of plans.

    Args:
        types: what the kernel is told about types.
        is_complete: whoever executes the plan also makes inner maps and fills in entries that
            name maps and programs; otherwise maps that need it are refused.

    Raises:
        UnknownName, UnfitSetting, SettingRequired: for settings that do not fit the object.
        CannotLink: for a map whose definition needs more than a plan can say.
    """
    _check_sizes(object_file.maps, settings)
    values = _values(object_file, settings.variables)
    indexes = {spec.name: index for index, spec in enumerate(object_file.maps)}
    plans = []
    for spec in object_file.maps:
        if spec.origin == "data":
            section_id = types.section_id(spec.name)
            plan = replace(_data_plan(spec, values[spec.name]), value_type_id=section_id)
            plans.append(replace(plan, needs_types=types.keeps(section_id)))
        else:
            _check_supported(spec, is_complete=is_complete)
            plans.append(_with_entries(_plan(spec, settings, types), spec, indexes))
    return tuple(plans)


def sizable_maps(maps: Sequence[MapSpec]) -> dict[str, MapSpec]:
    """Maps of an object whose number of entries may be chosen, by name."""
    return {
        spec.name: spec
        for spec in maps
        if spec.origin != "data" and spec.map_type not in _WITHOUT_SIZE
    }


def leaves_size_open(spec: MapSpec) -> bool:
    """Whether the object leaves the size of a map open."""
    return not spec.max_entries and spec.map_type not in _WITHOUT_SIZE | {_PERF_EVENT_ARRAY}


def check_size(spec: MapSpec, entries: int) -> None:
    """Check a chosen number of entries.

    What a number counts in a hash, a queue or a ring buffer is room, and there may be more or less
    of it. In an array, keys are places that code knows: it may grow, but not lose places.

    Raises:
        UnfitSetting: with what is allowed.
    """
    if not 0 < entries <= _MOST_ENTRIES:
        raise UnfitSetting(f"map {spec.name}: expected 1 to {_MOST_ENTRIES} entries, got {entries}")
    if spec.map_type in _INDEXED and entries < spec.max_entries:
        raise UnfitSetting(
            f"map {spec.name}: expected at least the {spec.max_entries} entries the object states, "
            f"got {entries}",
            hint=f"{_NAMES[spec.map_type]} is indexed: the program may use every place of it",
        )


def _check_sizes(maps: Sequence[MapSpec], settings: LinkSettings) -> None:
    sizable = sizable_maps(maps)
    for name, entries in settings.max_entries.items():
        if name not in sizable:
            raise UnknownName(
                f"expected the name of a map to size, got {name!r}",
                hint=f"maps of this object: {', '.join(sorted(sizable)) or 'none'}",
            )
        check_size(sizable[name], entries)


def _check_supported(spec: MapSpec, *, is_complete: bool) -> None:
    reason = _beyond_plans(spec)
    if not reason and not is_complete:
        reason = _beyond_maps_alone(spec)
    if reason:
        raise CannotLink(
            f"map {spec.name}: {reason}, which cannot be linked yet",
            hint="wait for a version of Skep that can, or tell its publisher to do without",
        )


def _with_entries(plan: MapPlan, spec: MapSpec, indexes: Mapping[str, int]) -> MapPlan:
    if not spec.initial:
        return plan
    if any(index >= plan.max_entries for index, _name in spec.initial):
        raise CannotLink(f"map {spec.name}: it has more initial entries than room for them")
    if spec.map_type == _PROG_ARRAY:
        return replace(plan, program_entries=spec.initial)
    unknown = next((name for _index, name in spec.initial if name not in indexes), None)
    if unknown is not None or spec.map_type not in _MAPS_OF_MAPS:
        raise CannotLink(
            f"map {spec.name}: expected initial entries that are maps, got {unknown or 'others'}"
        )
    return replace(plan, map_entries=tuple((index, indexes[name]) for index, name in spec.initial))


def _plan(spec: MapSpec, settings: LinkSettings, types: TypeFacts) -> MapPlan:
    key_size, value_size = spec.key_size, spec.value_size
    max_entries = settings.max_entries.get(spec.name, spec.max_entries)
    if spec.map_type == _PERF_EVENT_ARRAY:
        key_size, value_size = key_size or 4, value_size or 4
        max_entries = max_entries or settings.possible_cpus
    has_types = types.btf is not None and spec.map_type not in _WITHOUT_TYPES
    if spec.map_type in _NEEDS_TYPES and not (has_types and spec.value_type_id):
        raise CannotLink(
            f"map {spec.name}: {_NAMES[spec.map_type]} needs the types of its key and value, "
            "which the object does not have"
        )
    if not max_entries and leaves_size_open(spec):
        raise SettingRequired(
            f"map {spec.name}: the object leaves its number of entries open",
            hint=f"its package can say: [maps.{spec.name}] max_entries in skep.toml",
        )
    return MapPlan(
        name=spec.name,
        map_type=spec.map_type,
        key_size=key_size,
        value_size=value_size,
        max_entries=max_entries,
        flags=spec.flags & ~_NUMA_NODE,
        pinned_by_name=bool(spec.pinning),
        extra=spec.extra,
        key_type_id=spec.key_type_id if has_types else 0,
        value_type_id=spec.value_type_id if has_types else 0,
        needs_types=spec.map_type in _NEEDS_TYPES
        or (has_types and types.keeps(spec.value_type_id)),
        inner=None if spec.inner is None else _plan(spec.inner, settings, types),
    )


def _beyond_plans(spec: MapSpec) -> str:
    if spec.map_type == MAP_TYPES["STRUCT_OPS"]:
        return "it implements a struct of the kernel"
    if spec.pinning > 1:
        return f"it asks for pinning {spec.pinning}, which is one loader's own"
    if spec.map_type in _MAPS_OF_MAPS and spec.inner is None:
        return "it holds other maps, and the object does not say what they look like"
    return ""


def _beyond_maps_alone(spec: MapSpec) -> str:
    if spec.map_type in _MAPS_OF_MAPS:
        return "it holds other maps"
    if spec.initial:
        return "it has initial entries that name functions"
    return ""


def _data_plan(spec: MapSpec, values: Mapping[Variable, bytes]) -> MapPlan:
    content = spec.data or b""
    if values:
        if spec.value_size > _MOST_CONTENT_BYTES:
            raise CannotLink(
                f"expected a section of at most {_MOST_CONTENT_BYTES} bytes to set variables in, "
                f"{spec.name} has {spec.value_size}"
            )
        writable = bytearray(content.ljust(spec.value_size, b"\0"))
        for variable, value in values.items():
            writable[variable.offset : variable.offset + variable.size] = value
        content = bytes(writable)
    # A new map is zero: only other content has to be written.
    needed = any(content)
    return MapPlan(
        name=spec.name,
        map_type=spec.map_type,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=spec.max_entries,
        flags=spec.flags,
        contents=((_KEY, content.ljust(spec.value_size, b"\0")),) if needed else (),
        frozen=is_read_only(spec.name),
    )


def _values(
    object_file: ObjectFile, wanted: Mapping[str, bytes]
) -> Mapping[str, Mapping[Variable, bytes]]:
    """Bytes to write, per data map."""
    found: defaultdict[str, dict[Variable, bytes]] = defaultdict(dict)
    known: defaultdict[str, list[Variable]] = defaultdict(list)
    for variable in object_file.variables:
        known[variable.name].append(variable)
        known[f"{variable.section}:{variable.name}"].append(variable)
    for name, value in wanted.items():
        candidates = known.get(name, [])
        if not candidates:
            names = sorted({variable.name for variable in object_file.variables})
            raise UnknownName(
                f"expected the name of a global variable, got {name!r}",
                hint=f"variables of this object: {', '.join(names[:40]) or 'none'}",
            )
        if len(candidates) > 1:
            places = sorted({f"{variable.section}:{name}" for variable in candidates})
            raise UnknownName(
                f"expected the name of one variable, {len(candidates)} are called {name!r}",
                hint=f"write the section too: {', '.join(places)}",
            )
        variable = candidates[0]
        if len(value) != variable.size:
            raise UnfitSetting(f"variable {name}: expected {variable.size} bytes, got {len(value)}")
        # A label takes such constants as compiled, format strings for one.
        if is_read_only(variable.section) and not is_changeable(object_file.types, variable):
            raise UnfitSetting(
                f"variable {name}: the compiler has used its value already",
                hint="declare it const volatile in the source",
            )
        found[variable.section][variable] = value
    return found
