"""Programs of a package that no kernel loads, as far as their code and licence tell."""

from collections.abc import Collection, Iterator, Mapping

from skep.bytecode.analysis.locating import Locator
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.isa.codes import CALL
from skep.bytecode.objectfile.model import ObjectFile
from skep.packages.metadata import PackageMetadata
from skep.packages.obstacles import Obstacle

_THROUGH_REGISTER = "calls through a register"
_BY_NAME = "call functions by their names: BPF has no calls through pointers (compile with -O2)"
DECLARE_GPL = 'char LICENSE[] SEC("license") = "GPL";'


def find_unloadable(
    metadata: PackageMetadata,
    objects: Mapping[str, ObjectFile],
    reports: Mapping[str, AnalysisReport],
) -> tuple[Obstacle, ...]:
    """Everything in the programs of ``metadata`` that every kernel refuses.

    Args:
        objects: by file name, as read.
        reports: by file name; of those that could be analysed.
    """
    programs = {program.name for program in metadata.programs}
    found: dict[Obstacle, None] = {}
    for title, object_file in sorted(objects.items()):
        if title in reports and any(spec.name in programs for spec in object_file.programs):
            report = reports[title]
            found |= dict.fromkeys(_licence(title, object_file, report))
            found |= dict.fromkeys(_code(title, object_file, report, programs))
    return tuple(found)


def _licence(title: str, object_file: ObjectFile, report: AnalysisReport) -> Iterator[Obstacle]:
    facts = report.licence
    if object_file.licence is None or facts.would_load is not False:
        return  # without any, :mod:`skep.packages.installable` says so
    used = [helper.name for helper in facts.gpl_only_helpers] + list(facts.gpl_only_reasons)
    place = _call_place(object_file, {helper.id for helper in facts.gpl_only_helpers})
    yield Obstacle(
        "gpl",
        f'no kernel loads it with the kernel licence "{object_file.licence}":'
        f" {', '.join(used)} may be used by GPL-compatible programs only",
        f"in the source: {DECLARE_GPL}",
        place=place or title,
    )


def _code(
    title: str, object_file: ObjectFile, report: AnalysisReport, programs: Collection[str]
) -> Iterator[Obstacle]:
    locator = Locator(object_file)
    for refusal in report.requirements.refused:
        if refusal.program and refusal.program not in programs:
            continue
        line = None
        if refusal.function and refusal.slot is not None:
            line = locator.line(refusal.function, refusal.slot)
        place = title if line is None else _written(line.file, line.line)
        who = refusal.program or "it"
        text = f"no kernel loads {who}: {refusal.what}"
        hint = _BY_NAME if refusal.what.startswith(_THROUGH_REGISTER) else refusal.hint
        yield Obstacle("code", text, hint, place=place)


def _call_place(object_file: ObjectFile, helpers: Collection[int]) -> str:
    """File and line of the first call of one of ``helpers``; empty if that is not known."""
    locator = Locator(object_file)
    for function in object_file.functions:
        for slot, each in enumerate(function.instructions):
            if each.opcode == CALL and each.src == 0 and each.immediate in helpers:
                line = locator.line(function.name, slot)
                if line is not None:
                    return _written(line.file, line.line)
    return ""


def _written(file: str, line: int) -> str:
    return f"{file.removeprefix('./')}:{line}"
