"""The front door: an object file and the caller's choices become a load plan.

A pure function: nothing is read, nothing asked of the machine it runs on.
"""

from collections.abc import Mapping

from skep.bytecode.isa.kernel_types import ATTACH_TYPES, PROGRAM_TYPES
from skep.bytecode.linking.core import KINDS, first_to_apply
from skep.bytecode.linking.errors import CannotLink, SettingRequired, UnfitSetting, UnknownName
from skep.bytecode.linking.layout import lay_out, needed_functions, resolve
from skep.bytecode.linking.maps import plan_maps
from skep.bytecode.linking.plan import LoadPlan, ProgramPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import Function, ObjectFile, ProgramSpec
from skep.bytecode.objectfile.sections import classify, usual_attach_type

SLEEPABLE = 1 << 4
"""``BPF_F_SLEEPABLE``."""
HAS_FRAGS = 1 << 5
"""``BPF_F_XDP_HAS_FRAGS``."""

_NEEDS_STRUCT = "STRUCT_OPS"
_NEED_TARGETS = frozenset({"TRACING", "LSM", "EXT"})


def link(
    object_file: ObjectFile,
    kernel_btf: None,  # noqa: ARG001 - types of a kernel come with CO-RE, at this place
    settings: LinkSettings,
) -> LoadPlan:
    """Make ``object_file`` ready for loading.

    Args:
        kernel_btf: types of the kernel; not used yet, so what needs them is refused.
        settings: what the object leaves open.

    Returns:
        All maps of the object in its order, and one program per chosen entry, each with the
        subprograms it needs and none it does not.

    Raises:
        UnknownName, UnfitSetting: a setting does not fit the object.
        SettingRequired: the object leaves something open: a licence, a size, a program type.
        CannotLink: the object needs what cannot be provided: types of a kernel, symbols that are
            not in it, another byte order.
    """
    if object_file.byteorder != settings.byteorder:
        raise CannotLink(
            f"expected an object in {settings.byteorder}-endian byte order, "
            f"got {object_file.byteorder}-endian",
            hint="compile it for this machine",
        )
    specs = _choose(object_file, settings)
    licence = _licence(object_file, settings)
    maps = plan_maps(object_file, settings)
    indexes = {plan.name: index for index, plan in enumerate(maps)}
    functions = {function.name: function for function in object_file.functions}
    return LoadPlan(
        maps=maps,
        programs=tuple(
            _link_program(object_file, spec, (functions, indexes), settings, licence)
            for spec in specs
        ),
    )


def _choose(object_file: ObjectFile, settings: LinkSettings) -> tuple[ProgramSpec, ...]:
    known = {spec.name for spec in object_file.programs}
    named = (settings.programs or frozenset()) | settings.program_types.keys()
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
                hint='state one, such as "GPL" or "Dual BSD/GPL", if its author says so',
            )
        return settings.licence
    if settings.licence not in (None, object_file.licence):
        # What an object declares is its author's word; helpers are given or kept back by it.
        raise UnfitSetting(
            f"the object declares licence {object_file.licence!r}, which {settings.licence!r} "
            "cannot replace"
        )
    return object_file.licence


def _link_program(
    object_file: ObjectFile,
    spec: ProgramSpec,
    known: tuple[Mapping[str, Function], Mapping[str, int]],
    settings: LinkSettings,
    licence: str,
) -> ProgramPlan:
    functions, map_indexes = known
    program_type, attach_type = _types(spec, settings)
    needed = needed_functions(spec.name, functions)
    _check_externs(object_file, spec, needed)
    _check_core(object_file, spec, needed)
    layout = lay_out(needed)
    return ProgramPlan(
        name=spec.name,
        program_type=PROGRAM_TYPES[program_type],
        attach_type=0 if attach_type is None else ATTACH_TYPES[attach_type],
        flags=SLEEPABLE * spec.is_sleepable | HAS_FRAGS * spec.has_frags,
        licence=licence,
        instructions=resolve(layout, map_indexes),
        subprograms=tuple(layout.starts.values()),
    )


def _types(spec: ProgramSpec, settings: LinkSettings) -> tuple[str, str | None]:
    stated = settings.program_types.get(spec.name)
    program_type = stated or spec.program_type
    if program_type is None:
        facts = classify(spec.section)
        guess = f"; it may be {facts.suggestion}" if facts.suggestion else ""
        raise SettingRequired(
            f"program {spec.name}: section {spec.section!r} does not tell its type{guess}",
            hint=f"state the program type of {spec.name}",
        )
    is_derived = program_type == spec.program_type
    facts = classify(spec.section)
    if is_derived and facts.btf_target is not None:
        raise CannotLink(
            f"program {spec.name}: section {spec.section!r} names a target in the types of a "
            "kernel, which cannot be looked up yet"
        )
    if program_type == _NEEDS_STRUCT or (not is_derived and program_type in _NEED_TARGETS):
        raise CannotLink(
            f"program {spec.name}: {program_type} needs the types of a kernel, which cannot be "
            "looked up yet"
        )
    if is_derived and spec.attach_type is not None:
        return program_type, spec.attach_type
    return program_type, usual_attach_type(program_type)


def _check_externs(
    object_file: ObjectFile, spec: ProgramSpec, needed: tuple[Function, ...]
) -> None:
    details = {extern.name: extern for extern in object_file.extern_details}
    reasons = {
        "kfunc": "calls the kernel function {}, which needs the types of a kernel",
        "kernel_variable": "reads the kernel variable {}, which needs the types of a kernel",
        "kconfig": "depends on the kernel configuration {}, which cannot be linked yet",
        "undeclared": "uses {}, which is neither in the object nor declared as the kernel's: "
        "it loads nowhere",
    }
    for function in needed:
        for relocation in function.relocations:
            if relocation.kind in ("extern_call", "extern_address"):
                extern = details.get(relocation.name)
                reason = reasons[extern.kind if extern is not None else "undeclared"]
                raise CannotLink(
                    f"program {spec.name}: function {function.name} "
                    f"{reason.format(relocation.name)} (instruction {relocation.slot})"
                )


def _check_core(object_file: ObjectFile, spec: ProgramSpec, needed: tuple[Function, ...]) -> None:
    record = first_to_apply(object_file, {function.name for function in needed})
    if record is not None:
        raise CannotLink(
            f"program {spec.name}: function {record.function} needs a CO-RE relocation "
            f"({KINDS[record.kind]}, type {record.root or 'without name'}, "
            f"access {record.access}), which cannot be applied yet",
            hint="compile it without vmlinux.h and preserve_access_index",
        )
