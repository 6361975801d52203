"""The front door: an object file and the caller's choices become a load plan.

A pure function: nothing is read, nothing asked of the machine it runs on.
"""

from collections.abc import Mapping

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.kernel_types import ATTACH_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.core.applying import CoreApplier
from skep.bytecode.linking.errors import CannotLink, SettingRequired, UnfitSetting, UnknownName
from skep.bytecode.linking.externs import ExternResolver
from skep.bytecode.linking.kconfig import plan_configuration
from skep.bytecode.linking.layout import needed_functions
from skep.bytecode.linking.maps import plan_maps
from skep.bytecode.linking.plan import LoadPlan, MapPlan
from skep.bytecode.linking.programs import HAS_FRAGS, SLEEPABLE, KernelSide, ProgramLinker
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.linking.types import TypeFacts
from skep.bytecode.objectfile.exception_callbacks import exception_callbacks
from skep.bytecode.objectfile.model import ObjectFile, ProgramSpec

__all__ = ["HAS_FRAGS", "SLEEPABLE", "link"]


def link(
    object_file: ObjectFile, kernel_btf: KernelTypes | None, settings: LinkSettings
) -> LoadPlan:
    """Make ``object_file`` ready for loading.

    Args:
        kernel_btf: types of the kernel; without them what needs them is refused: most CO-RE
            records, names that the kernel provides, hook targets in its types, and maps that are
            filled with maps and programs.
        settings: what the object leaves open.

    Returns:
        All maps of the object in its order, and one program per chosen entry, each with the
        subprograms it needs and none it does not. If a chosen program asks for the kernel's
        configuration, a map ``.kconfig`` is the last.

    Raises:
        UnknownName, UnfitSetting: a setting does not fit the object.
        SettingRequired: the object leaves something open: a licence, a size, a program type.
        CannotLink: the object needs what cannot be provided: types of a kernel, symbols that are
            not in it, another byte order.
        CorruptRelocation: a CO-RE record does not fit the code.
    """
    if object_file.byteorder != settings.byteorder:
        raise CannotLink(
            f"expected an object in {settings.byteorder}-endian byte order, "
            f"got {object_file.byteorder}-endian",
            hint="compile it for this machine",
        )
    specs = _choose(object_file, settings)
    licence = _licence(object_file, settings)
    types = TypeFacts(object_file)
    maps = plan_maps(object_file, settings, types, is_complete=kernel_btf is not None)
    _check_entries(maps, {spec.name for spec in specs})
    against = None
    if kernel_btf is not None:
        against, maps = _kernel_side(object_file, specs, kernel_btf, (settings, maps))
    linker = ProgramLinker(
        object_file=object_file,
        functions={function.name: function for function in object_file.functions},
        map_indexes={plan.name: index for index, plan in enumerate(maps)},
        types=types,
        licence=licence,
        settings=settings,
        core=CoreApplier(object_file, kernel_btf),
        against=against,
        callbacks=exception_callbacks(object_file),
    )
    return LoadPlan(maps=maps, programs=tuple(linker.link(spec) for spec in specs), btf=types.btf)


def _check_entries(maps: tuple[MapPlan, ...], chosen: set[str]) -> None:
    for plan in maps:
        for _index, name in plan.program_entries:
            if name not in chosen:
                raise CannotLink(
                    f"map {plan.name}: it begins with program {name}, which is not to be loaded",
                    hint=f"load program {name} too",
                )


def _kernel_side(
    object_file: ObjectFile,
    specs: tuple[ProgramSpec, ...],
    kernel: KernelTypes,
    open_ends: tuple[LinkSettings, tuple[MapPlan, ...]],
) -> tuple[KernelSide, tuple[MapPlan, ...]]:
    """What is looked up in the kernel, and the maps with that of configuration values."""
    settings, maps = open_ends
    functions = {function.name: function for function in object_file.functions}
    callbacks = exception_callbacks(object_file)
    used = {
        relocation.name
        for spec in specs
        for function in needed_functions(spec.name, functions, callbacks)
        for relocation in function.relocations
        if relocation.kind == "extern_address"
    }
    wanted = [
        each for each in object_file.extern_details if each.kind == "kconfig" and each.name in used
    ]
    offsets: Mapping[str, int] = {}
    if wanted and object_file.types is not None:
        # Every value has its place, asked for or not: that is how other loaders lay it out.
        everything = [each for each in object_file.extern_details if each.kind == "kconfig"]
        configuration = plan_configuration(everything, object_file.types, settings)
        offsets, maps = configuration.offsets, (*maps, configuration.plan)
    resolver = ExternResolver(object_file, kernel, settings, offsets)
    return KernelSide(kernel, resolver), maps


def _choose(object_file: ObjectFile, settings: LinkSettings) -> tuple[ProgramSpec, ...]:
    known = {spec.name for spec in object_file.programs}
    stated = settings.program_types.keys() | settings.attach_types.keys()
    named = (settings.programs or frozenset()) | stated
    for name in sorted(named - known):
        raise UnknownName(
            f"expected the name of a program, got {name!r}",
            hint=f"programs of this object: {', '.join(sorted(known)) or 'none'}",
        )
    for name, program_type in settings.program_types.items():
        if program_type not in PROGRAM_TYPES:
            raise UnknownName(
                f"program {name}: expected a program type such as XDP, got {program_type!r}",
                hint=f"program types: {', '.join(PROGRAM_TYPES)}",
            )
    for name, attach_type in settings.attach_types.items():
        if attach_type not in ATTACH_TYPES:
            raise UnknownName(
                f"program {name}: expected an attach type of the kernel, got {attach_type!r}",
                hint=f"attach types: {', '.join(ATTACH_TYPES)}",
            )
    return tuple(
        spec
        for spec in object_file.programs
        if (not spec.is_optional if settings.programs is None else spec.name in settings.programs)
    )


def _licence(object_file: ObjectFile, settings: LinkSettings) -> str:
    if object_file.licence is None:
        if settings.licence is None:
            raise SettingRequired(
                "the object declares no kernel licence",
                hint='its source can: char LICENSE[] SEC("license") = "GPL"; or "Dual BSD/GPL"',
            )
        return settings.licence
    if settings.licence not in (None, object_file.licence):
        # What an object declares is its author's word; helpers are given or kept back by it.
        raise UnfitSetting(
            f"the object declares licence {object_file.licence!r}, which {settings.licence!r} "
            "cannot replace"
        )
    return object_file.licence
