"""What keeps a package from being installed anywhere, found before it is published.

Asked by ``skep build`` and by the review, so that an author hears it first. A node finds the same
when it links, as it believes neither.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from skep.bytecode.isa.first_kernels import MAP_TYPE_NAMES
from skep.bytecode.linking.errors import UnfitSetting
from skep.bytecode.linking.maps import check_size, leaves_size_open, sizable_maps
from skep.bytecode.objectfile.model import MapSpec, ObjectFile
from skep.packages.errors import MalformedMetadata, MalformedPackage
from skep.packages.metadata import PackageMetadata

ObstacleKind = Literal["licence", "metadata", "size", "nested"]
"""``licence``, ``metadata`` and ``size``: no node can install it. ``nested``: no node of this
version can."""

_NESTING = frozenset({"ARRAY_OF_MAPS", "HASH_OF_MAPS"})


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a package cannot be installed.

    Attributes:
        kind: what it is about.
        text: one sentence.
        hint: what the author does about it.
    """

    kind: ObstacleKind
    text: str
    hint: str

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}"


def find_obstacles(
    metadata: PackageMetadata, objects: Mapping[str, ObjectFile]
) -> tuple[Obstacle, ...]:
    """Everything that keeps the programs of ``metadata`` from being installed.

    Args:
        objects: by file name, as read.
    """
    programs = {program.name for program in metadata.programs}
    used = {
        name: each
        for name, each in sorted(objects.items())
        if any(spec.name in programs for spec in each.programs)
    }
    return (
        *(_without_licence(name) for name, each in used.items() if each.licence is None),
        *_sizes(metadata, objects),
        *(
            found
            for name, each in used.items()
            for spec in each.maps
            for found in _of_map(metadata, name, spec)
        ),
    )


def refuse_obstacles(
    metadata: PackageMetadata, objects: Mapping[str, ObjectFile]
) -> tuple[str, ...]:
    """Refuse mistakes of the author; return the other obstacles as warnings.

    Raises:
        MalformedMetadata: ``skep.toml`` speaks of maps that are not there, or of impossible sizes.
        MalformedPackage: an object declares no kernel licence.
    """
    found = find_obstacles(metadata, objects)
    for each in found:
        if each.kind == "licence":
            raise MalformedPackage(each.text, hint=each.hint)
        if each.kind == "metadata":
            raise MalformedMetadata(f"skep.toml: {each.text}", hint=each.hint)
    return tuple(str(each) for each in found)


def _without_licence(name: str) -> Obstacle:
    return Obstacle(
        "licence",
        f"{name} declares no kernel licence, and nodes load no program without",
        'declare one in the source: char LICENSE[] SEC("license") = "GPL";',
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
        Obstacle("metadata", f"{path}: no object has a map {name} that can be sized", names)
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
                found.append(Obstacle("metadata", f"{path}: {error.message}", error.hint))
    return found


def _of_map(metadata: PackageMetadata, file: str, spec: MapSpec) -> list[Obstacle]:
    found = []
    is_said = any(each.name == spec.name and each.max_entries for each in metadata.maps)
    is_set = any(each.max_entries_of == spec.name for each in metadata.settings)
    if spec.origin != "data" and leaves_size_open(spec) and not (is_said or is_set):
        found.append(
            Obstacle(
                "size",
                f"{file}: nothing says how many entries map {spec.name} has",
                f"say it in skep.toml: [maps.{spec.name}] max_entries = 4096",
            )
        )
    if spec.inner is not None or spec.initial or _type_name(spec) in _NESTING:
        found.append(
            Obstacle(
                "nested",
                f"{file}: map {spec.name} begins with other maps or programs, which nodes of this "
                "version cannot make",
                "let user space fill it, or wait for a version that can",
            )
        )
    return found


def _type_name(spec: MapSpec) -> str:
    return MAP_TYPE_NAMES.get(spec.map_type, "")
