"""What an object asks of the kernel's types: its CO-RE records, as people can read them."""

from collections.abc import Callable, Iterator, Sequence

from skep.bytecode.analysis.assumptions import path_of, without_flavour
from skep.bytecode.analysis.programs import AnalysedProgram
from skep.bytecode.analysis.report_needs import CoreNeed
from skep.bytecode.linking.core.kinds import DESCRIPTIONS, CoreKind
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile, SourceLine
from skep.errors import SkepError

_MOST_NEEDS = 4_096

LineOf = Callable[[str, int], SourceLine | None]
"""The source line of (function, slot)."""


def records_of(
    object_file: ObjectFile, programs: Sequence[AnalysedProgram]
) -> Iterator[CoreRelocation]:
    """Records about the kernel's types in functions that are reached."""
    reached = {flow.function.name for program in programs for flow in program.graph.functions}
    for record in object_file.core_relocations:
        if record.function in reached and record.kind != CoreKind.TYPE_ID_LOCAL:
            yield record


def roots_of(object_file: ObjectFile, programs: Sequence[AnalysedProgram]) -> tuple[str, ...]:
    """Names of the types the records are about."""
    names = {without_flavour(record.root) for record in records_of(object_file, programs)}
    return tuple(sorted(names - {""}))


def core_needs(
    object_file: ObjectFile, programs: Sequence[AnalysedProgram], line_of: LineOf
) -> tuple[CoreNeed, ...]:
    """Every question once, in the order of the first place that asks it; at most 4,096."""
    first: dict[tuple[str, int, str, int], CoreRelocation] = {}
    counts: dict[tuple[str, int, str, int], int] = {}
    for record in records_of(object_file, programs):
        key = (record.root, record.type_id, record.access, record.kind)
        first.setdefault(key, record)
        counts[key] = counts.get(key, 0) + 1
    found = []
    for key, record in list(first.items())[:_MOST_NEEDS]:
        line = line_of(record.function, record.slot)
        found.append(
            CoreNeed(
                type=without_flavour(record.root),
                path=path_of(object_file.types, record),
                kind=DESCRIPTIONS[record.kind],
                number=record.kind,
                count=counts[key],
                function=record.function,
                slot=record.slot,
                file="" if line is None else line.file,
                line=None if line is None else line.line,
                text="" if line is None else line.text.strip(),
            )
        )
    return tuple(found)


def tested_helpers(object_file: ObjectFile) -> frozenset[str]:
    """Helpers the object asks for before it uses them, by kernel name."""
    types = object_file.types
    found = set()
    for record in object_file.core_relocations:
        if record.kind != CoreKind.ENUMVAL_EXISTS or types is None or not record.access.isdecimal():
            continue
        if without_flavour(record.root) != "bpf_func_id":
            continue
        try:
            enumerators = types.type(record.type_id).enumerators
            enumerator = enumerators[int(record.access)].name
        except (SkepError, ValueError, IndexError):
            continue  # the linker says what is wrong with the record
        name = without_flavour(enumerator)
        if name.startswith("BPF_FUNC_"):
            found.add(f"bpf_{name.removeprefix('BPF_FUNC_')}")
    return frozenset(found)
