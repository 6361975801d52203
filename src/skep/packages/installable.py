"""What keeps a package from being installed anywhere, found before it is published.

Asked by ``skep build`` and by the review, so that an author hears it first. A node finds the same
when it links, as it believes neither.
"""

from collections.abc import Mapping, Sequence

from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.linking.errors import UnfitSetting
from skep.bytecode.linking.maps import check_size, leaves_size_open, sizable_maps
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.errors import SkepError
from skep.packages.contradictions import find_contradictions
from skep.packages.errors import MalformedMetadata, MalformedPackage, Unloadable
from skep.packages.metadata import PackageMetadata
from skep.packages.obstacles import Obstacle, ObstacleKind
from skep.packages.toml_places import key_lines
from skep.packages.toml_problems import place_of
from skep.packages.unloadable import DECLARE_GPL, find_unloadable

_NESTING = frozenset({"ARRAY_OF_MAPS", "HASH_OF_MAPS"})
_REFUSALS: Mapping[ObstacleKind, type[SkepError]] = {
    "program": MalformedMetadata,
    "contradiction": MalformedMetadata,
    "metadata": MalformedMetadata,
    "licence": MalformedPackage,
    "gpl": Unloadable,
    "code": Unloadable,
    "size": MalformedMetadata,
}
"""What ``skep build`` refuses, and as what; it warns about the others."""


def find_obstacles(
    metadata: PackageMetadata,
    objects: Mapping[str, ObjectFile],
    reports: Mapping[str, AnalysisReport],
) -> tuple[Obstacle, ...]:
    """Everything that keeps the programs of ``metadata`` from being installed.

    Args:
        objects: by file name, as read.
        reports: by file name; of those that could be analysed.
    """
    programs = {program.name for program in metadata.programs}
    used = {
        name: each
        for name, each in sorted(objects.items())
        if any(spec.name in programs for spec in each.programs)
    }
    return (
        *find_contradictions(metadata, objects),
        *(_without_licence(name) for name, each in used.items() if each.licence is None),
        *find_unloadable(metadata, objects, reports),
        *_sizes(metadata, objects),
        *(
            found
            for name, each in used.items()
            for spec in each.maps
            for found in _of_map(metadata, name, spec)
        ),
    )


def refuse_obstacles(toml: bytes, obstacles: Sequence[Obstacle]) -> tuple[str, ...]:
    """Refuse mistakes of the author; return the other obstacles as warnings.

    Args:
        toml: the ``skep.toml``, for lines.

    Raises:
        MalformedMetadata: a program of it is in no object file, or in several; it contradicts the
            objects, or sizes maps impossibly or not at all.
        MalformedPackage: an object declares no kernel licence.
        Unloadable: no kernel loads a program.
    """
    refused = [each for each in obstacles if each.kind in _REFUSALS]
    if not refused:
        return tuple(each.advice for each in obstacles)
    lines = key_lines(toml)
    placed = [_placed(each, lines) for each in refused]
    more = f" (and {len(placed) - 1} more)" if len(placed) > 1 else ""
    first = refused[0]
    raise _REFUSALS[first.kind](f"{placed[0]}{more}", hint=first.hint, detail="\n".join(placed))


def _placed(obstacle: Obstacle, lines: dict[str, int]) -> str:
    return f"{place_of(lines, obstacle.path)}: {obstacle}" if obstacle.path else str(obstacle)


def _without_licence(name: str) -> Obstacle:
    return Obstacle(
        "licence",
        "it declares no kernel licence, and no program is loaded without one",
        f"in the source: {DECLARE_GPL}",
        place=name,
    )


def _sizes(metadata: PackageMetadata, objects: Mapping[str, ObjectFile]) -> list[Obstacle]:
    """What the package says about sizes of maps, compared with its objects."""
    known: dict[str, list[MapSpec]] = {}
    for each in objects.values():
        for name, spec in sizable_maps(each.maps).items():
            known.setdefault(name, []).append(spec)
    names = f"maps that can be sized: {', '.join(sorted(known)) or 'none'}"
    sized = [(f"maps.{each.name}", each.name) for each in metadata.maps]
    sized += [
        (f"settings.{each.name}.max_entries_of", each.max_entries_of)
        for each in metadata.settings
        if each.max_entries_of is not None
    ]
    found = [
        Obstacle("metadata", f"no object file has a map {name} that can be sized", names, path)
        for path, name in sized
        if name not in known
    ]
    for sizing in metadata.maps:
        if sizing.max_entries is None:
            continue
        for spec in known.get(sizing.name, ()):
            try:
                check_size(spec, sizing.max_entries)
            except UnfitSetting as error:
                path = f"maps.{sizing.name}.max_entries"
                found.append(Obstacle("metadata", error.message, error.hint, path))
    return found


def _of_map(metadata: PackageMetadata, file: str, spec: MapSpec) -> list[Obstacle]:
    found = []
    is_said = any(each.name == spec.name and each.max_entries for each in metadata.maps)
    is_set = any(each.max_entries_of == spec.name for each in metadata.settings)
    if spec.origin != "data" and leaves_size_open(spec) and not (is_said or is_set):
        found.append(
            Obstacle(
                "size",
                f"nothing says how many entries map {spec.name} has",
                f"in skep.toml: [maps.{spec.name}] max_entries = 4096",
                place=file,
            )
        )
    if spec.inner is not None or spec.initial or _type_name(spec) in _NESTING:
        found.append(
            Obstacle(
                "nested",
                f"map {spec.name} begins with other maps or programs, which nodes of this version"
                " cannot make",
                "let user space fill it, or wait for a version that can",
                place=file,
            )
        )
    return found


def _type_name(spec: MapSpec) -> str:
    return MAP_TYPE_NAMES.get(spec.map_type, "")
