"""Maps of a plan: sizes filled in, variables set, constants frozen.

Source of the rules: tools/lib/bpf/libbpf.c of Linux 6.18 (``bpf_object__create_map``) and
measurements on that kernel.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.linking.errors import CannotLink, SettingRequired, UnfitSetting, UnknownName
from skep.bytecode.linking.plan import MapPlan
from skep.bytecode.linking.settings import LinkSettings
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
_NAMES = {number: name for name, number in MAP_TYPES.items()}


def plan_maps(object_file: ObjectFile, settings: LinkSettings) -> tuple[MapPlan, ...]:
    """Maps of ``object_file`` in its order, so that indexes of maps are indexes of plans.

    Raises:
        UnknownName, UnfitSetting, SettingRequired: for settings that do not fit the object.
        CannotLink: for a map whose definition needs more than a plan can say.
    """
    _check_sizes(object_file.maps, settings)
    values = _values(object_file, settings.variables)
    return tuple(
        _data_plan(spec, values[spec.name]) if spec.origin == "data" else _plan(spec, settings)
        for spec in object_file.maps
    )


def _check_sizes(maps: Sequence[MapSpec], settings: LinkSettings) -> None:
    sizable = {spec.name for spec in maps if spec.origin != "data"}
    for name, entries in settings.max_entries.items():
        if name not in sizable:
            raise UnknownName(
                f"expected the name of a map to size, got {name!r}",
                hint=f"maps of this object: {', '.join(sorted(sizable)) or 'none'}",
            )
        if not 0 < entries <= _MOST_ENTRIES:
            raise UnfitSetting(f"map {name}: expected 1 to {_MOST_ENTRIES} entries, got {entries}")


def _plan(spec: MapSpec, settings: LinkSettings) -> MapPlan:
    reason = _beyond_plans(spec)
    if reason:
        raise CannotLink(
            f"map {spec.name}: {reason}, which cannot be linked yet",
            hint="leave the map out of the source, or wait for a version that supports it",
        )
    key_size, value_size = spec.key_size, spec.value_size
    max_entries = settings.max_entries.get(spec.name, spec.max_entries)
    if spec.map_type == _PERF_EVENT_ARRAY:
        key_size, value_size = key_size or 4, value_size or 4
        max_entries = max_entries or settings.possible_cpus
    if not max_entries and spec.map_type not in _CGROUP_STORAGE:
        raise SettingRequired(
            f"map {spec.name}: the object leaves its number of entries open",
            hint=f"state max_entries for map {spec.name}",
        )
    return MapPlan(
        name=spec.name,
        map_type=spec.map_type,
        key_size=key_size,
        value_size=value_size,
        max_entries=max_entries,
        flags=spec.flags & ~_NUMA_NODE,
        pinned_by_name=bool(spec.pinning),
    )


def _beyond_plans(spec: MapSpec) -> str:
    if spec.map_type in _MAPS_OF_MAPS:
        return "it holds other maps"
    if spec.map_type in _NEEDS_TYPES:
        return f"{_NAMES[spec.map_type]} needs the object's types in the kernel"
    if spec.map_type == MAP_TYPES["STRUCT_OPS"]:
        return "it implements a struct of the kernel"
    if spec.initial:
        return "it has initial entries that name functions"
    if spec.pinning > 1:
        return f"it asks for pinning {spec.pinning}, which is one loader's own"
    if spec.extra:
        return f"it asks for map_extra {spec.extra}"
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
        found[variable.section][variable] = value
    return found
