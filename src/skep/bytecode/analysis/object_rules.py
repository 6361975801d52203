"""Permissions that the object shows, whatever its programs do: maps and sets of operations.

An instance of a ``struct_ops`` type takes the place of a part of the kernel when it is loaded,
even one without a single program: what it leaves out, the kernel does its own way.
"""

from collections.abc import Iterator

from skep.bytecode.analysis.findings import CodeFinding, finding
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.btf.types import MODIFIERS, BtfType, Kind
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.errors import SkepError

STRUCT_OPS_SECTIONS = (".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link")

_MOST_MODIFIERS = 32


def object_findings(object_file: ObjectFile) -> Iterator[CodeFinding]:
    """Evidence that belongs to the object, not to one program."""
    for spec in object_file.maps:
        yield from _of_map(spec, spec.name)
    yield from struct_ops_findings(None, struct_ops_types(object_file))


def _of_map(spec: MapSpec, name: str) -> Iterator[CodeFinding]:
    if spec.pinning:
        yield finding(None, "data.shared_pinned", "D", f"map {name} is pinned by name")
    map_type = MAP_TYPE_NAMES.get(spec.map_type)
    if map_type is None or map_type == "STRUCT_OPS":
        yield finding(None, "unknown", "T", f"map {name} of type {map_type or spec.map_type}")
    for row in PERMISSIONS.values():
        if map_type in row.map_types:
            yield finding(None, row.permission_id, "T", f"map {name} of type {map_type}")
    if spec.inner is not None:
        yield from _of_map(spec.inner, f"inside {name}")


def struct_ops_findings(
    program: AnalysedProgram | None, names: tuple[str, ...]
) -> Iterator[CodeFinding]:
    """What ``struct_ops`` types show: of a program that implements one, or of the object.

    Args:
        names: types the object has instances of.
    """
    if program is not None and not names:
        yield finding(program, "unknown", "T", "struct_ops type not found in the object")
    for name in names:
        plain = name.partition("___")[0]
        rows = [row for row in PERMISSIONS.values() if plain in row.struct_ops]
        for row in rows:
            yield finding(program, row.permission_id, "T", f"struct_ops type {plain}")
        if not rows:
            yield finding(program, "unknown", "T", f"struct_ops type {plain or 'without name'}")


def struct_ops_types(object_file: ObjectFile) -> tuple[str, ...]:
    """Names of the ``struct_ops`` types the object has instances of.

    What is in such a section and is no structure is an instance without name.
    """
    types = object_file.types
    found: dict[str, None] = {}
    if types is None:
        return ()

    def plain(type_id: int) -> BtfType:
        each = types.type(type_id)
        for _ in range(_MOST_MODIFIERS):
            if each.kind not in MODIFIERS:
                break
            each = types.type(each.refers_to)
        return each

    for section in STRUCT_OPS_SECTIONS:
        try:
            for type_id in types.find(section, Kind.DATASEC):
                for variable in types.type(type_id).variables:
                    instance = plain(types.type(variable.type_id).refers_to)
                    found[instance.name if instance.kind is Kind.STRUCT else ""] = None
        except SkepError:
            found[""] = None
    return tuple(found)


def struct_ops_links(object_file: ObjectFile) -> bool:
    """Whether an instance is attached by a link, as its section says."""
    types = object_file.types
    if types is None:
        return False
    try:
        return any(
            types.find(section, Kind.DATASEC)
            for section in (".struct_ops.link", "?.struct_ops.link")
        )
    except SkepError:
        return False
