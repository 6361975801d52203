"""Where a ``skep.toml`` and the object files it is about say different things.

A node would find the same when the package is installed, too late for its author.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from skep.bytecode.objectfile.model import ObjectFile, ProgramSpec
from skep.hooks.table import HOOKS
from skep.packages.metadata import PackageMetadata, ProgramMetadata
from skep.packages.metric_places import metric_misfit
from skep.packages.nearest import nearest
from skep.packages.obstacles import Obstacle
from skep.packages.setting_places import MapPlace, map_misfit, variable_misfit
from skep.packages.settings import SettingSpec


def find_contradictions(
    metadata: PackageMetadata, objects: Mapping[str, ObjectFile]
) -> tuple[Obstacle, ...]:
    """Programs, hooks, settings and metrics that do not fit the objects.

    Args:
        objects: by file name, as read.
    """
    maps = _places(metadata, objects.values())
    return (
        *_programs(metadata, objects),
        *_settings(metadata, [*objects.values()], maps),
        *_doubled(metadata.settings),
        *_sized_twice(metadata),
        *_metrics(metadata, maps),
    )


def _places(metadata: PackageMetadata, objects: Iterable[ObjectFile]) -> list[MapPlace]:
    sizes = {each.name: each.max_entries for each in metadata.maps if each.max_entries}
    sized = {each.max_entries_of for each in metadata.settings}
    return [
        MapPlace(spec, each.types, None if spec.name in sized else sizes.get(spec.name))
        for each in objects
        for spec in each.maps
    ]


def _programs(metadata: PackageMetadata, objects: Mapping[str, ObjectFile]) -> Iterator[Obstacle]:
    known = [spec.name for each in objects.values() for spec in each.programs]
    for position, program in enumerate(metadata.programs):
        path = f"program[{position}].name"
        found = [
            (title, spec)
            for title, each in objects.items()
            for spec in each.programs
            if spec.name == program.name
        ]
        if not found:
            text = f"no object file has the program {program.name!r}"
            yield Obstacle("program", text, _listed("programs", program.name, known), path)
        elif len(found) > 1:
            places = ", ".join(title for title, _ in found)
            text = f"the program {program.name!r} is in several object files: {places}"
            yield Obstacle("program", text, "rename all but one of the functions", path)
        else:
            ((_, spec),) = found
            yield from _hook(program, spec, f"program[{position}].hook")


def _hook(program: ProgramMetadata, spec: ProgramSpec, path: str) -> Iterator[Obstacle]:
    """A section that names another kind of program; one that names none leaves it to the hook."""
    hook = HOOKS[program.hook]
    is_other_type = spec.program_type not in {None, hook.program_type}
    is_other_place = spec.attach_type not in {None, hook.attach_type}
    if not (is_other_type or is_other_place):
        return
    fitting = [
        each.name
        for each in HOOKS.values()
        if spec.program_type == each.program_type and spec.attach_type in {None, each.attach_type}
    ]
    hint = f'hook = "{fitting[0]}" in skep.toml' if fitting else ""
    section = spec.section.removeprefix("?")
    hint += f'{", or " if hint else ""}SEC("{hook.name.replace("-", "/")}") in the source'
    text = f'{program.name} is in section "{section}", which is not for the hook {program.hook}'
    yield Obstacle("contradiction", text, hint, path)


def _settings(
    metadata: PackageMetadata, objects: Sequence[ObjectFile], maps: Sequence[MapPlace]
) -> Iterator[Obstacle]:
    for setting in metadata.settings:
        path = f"settings.{setting.name}"
        if setting.map is not None:
            there = [place for place in maps if place.spec.name == setting.map]
            if not there:
                yield _no_map(f"{path}.map", setting.map, maps)
            for misfit in dict.fromkeys(map_misfit(setting, place) for place in there):
                if misfit:
                    yield Obstacle("contradiction", misfit.text, misfit.hint, f"{path}.map")
        elif setting.variable is not None:
            yield from _variable(setting, objects, f"{path}.global")


def _variable(setting: SettingSpec, objects: Sequence[ObjectFile], path: str) -> Iterator[Obstacle]:
    there = [
        (each, variable)
        for each in objects
        for variable in each.variables
        if variable.name == setting.variable
    ]
    known = [variable.name for each in objects for variable in each.variables]
    if not there:
        text = f"no object file has a global variable {setting.variable!r}"
        hint = _listed("variables", setting.variable or "", known)
        yield Obstacle("contradiction", text, hint, path)
    for each, variable in there:
        misfit = variable_misfit(setting, variable, each.types)
        if misfit:
            yield Obstacle("contradiction", misfit.text, misfit.hint, path)


def _no_map(path: str, name: str, maps: Sequence[MapPlace]) -> Obstacle:
    known = [place.spec.name for place in maps if place.spec.origin != "data"]
    return Obstacle(
        "contradiction", f"no object file has a map {name!r}", _listed("maps", name, known), path
    )


def _doubled(settings: Sequence[SettingSpec]) -> Iterator[Obstacle]:
    """Settings that would overwrite each other."""
    taken: dict[tuple[str, object], str] = {}
    for setting in settings:
        place: tuple[str, object]
        if setting.map is not None:
            place = ("map", (setting.map, None if setting.is_set else setting.key or 0))
            what = f"entry {setting.key or 0} of map {setting.map}"
        elif setting.variable is not None:
            place, what = ("global", setting.variable), f"variable {setting.variable}"
        else:
            continue
        if setting.is_set:
            what = f"map {setting.map}"
        other = taken.setdefault(place, setting.name)
        if other != setting.name:
            text = f"the setting {other} is written to {what} already"
            hint = "give each setting a place of its own"
            yield Obstacle("contradiction", text, hint, f"settings.{setting.name}.{place[0]}")


def _sized_twice(metadata: PackageMetadata) -> Iterator[Obstacle]:
    """Sizes of maps that a setting's default always replaces."""
    sizing = {each.max_entries_of: each for each in metadata.settings if each.default is not None}
    for each in metadata.maps:
        setting = sizing.get(each.name)
        if setting is not None and each.max_entries is not None:
            text = f"the setting {setting.name} gives map {each.name} {setting.default} entries"
            hint = f"remove this, or the default of {setting.name}"
            yield Obstacle("contradiction", text, hint, f"maps.{each.name}.max_entries")


def _metrics(metadata: PackageMetadata, maps: Sequence[MapPlace]) -> Iterator[Obstacle]:
    for metric in metadata.metrics:
        path = f"metrics.{metric.name}"
        there = [place for place in maps if place.spec.name == metric.map]
        if not there:
            yield _no_map(f"{path}.map", metric.map, maps)
        for place in there:
            misfit = metric_misfit(metric, place)
            if misfit:
                yield Obstacle("contradiction", misfit, "", f"{path}.map")


def _listed(what: str, wanted: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    meant = nearest(wanted, names)
    if meant:
        return f"did you mean {meant}?"
    return f"{what} there: {', '.join(names) or 'none'}"
