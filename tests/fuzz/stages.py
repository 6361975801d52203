"""One case through every stage: read, analyse, link, and the report's document there and back.

Oracles: nothing but errors of Skep's families leaves a stage; the reader names a reason it knows;
what was read holds what its docstrings promise; a report survives its document.
"""

import json
from collections.abc import Sequence
from random import Random

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.diffing import compare
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.errors import SkepError

_TYPES = ("XDP", "SCHED_CLS", "KPROBE", "LSM", "TRACING", "STRUCT_OPS", "SOCKET_FILTER", "NONSENSE")


class Finding(AssertionError):
    """A promise was broken, though nothing was raised that should not be."""


def run(data: bytes, kernels: Sequence[KernelTypes | None], random: Random) -> tuple[str, ...]:
    """Take ``data`` through all stages; how each ended, without the numbers of the case.

    Raises:
        Finding: if a promise was broken.
        Exception: whatever left a stage and is of no family of Skep.
    """
    try:
        found = read_object(data)
    except MalformedObject as error:
        if "unforeseen" in error.reason:
            raise Finding(f"the reader did not foresee this: {error.reason}") from error.__cause__
        if not error.hint:
            raise Finding("an error without a hint") from error
        return ("refused", _shape(error.reason))
    _check(found)
    stated = {
        program.name: random.choice(_TYPES)
        for program in found.programs
        if program.program_type is None or random.random() < 0.1
    }
    ends = [_analysed(found, stated, random)]
    for kernel in kernels:
        settings = LinkSettings(
            program_types=stated,
            max_entries={each.name: 8 for each in found.maps if not each.max_entries},
            licence=found.licence or "GPL",
            possible_cpus=4,
            byteorder=found.byteorder if random.random() < 0.8 else "little",
            kernel_config={"CONFIG_HZ": "250"} if random.random() < 0.5 else None,
            kernel_version=0x61200,
        )
        try:
            plan = link(found, kernel, settings)
        except SkepError as error:
            ends.append(f"{type(error).__name__} {_shape(error.message)}")
            continue
        ends.append("linked")
        for program in plan.programs:
            if list(program.subprograms) != sorted(set(program.subprograms)):
                raise Finding(f"subprograms out of order: {program.subprograms}")
            if program.subprograms[0] or program.subprograms[-1] >= len(program.instructions):
                raise Finding(f"subprograms outside the program: {program.subprograms}")
    return tuple(ends)


def _check(found: ObjectFile) -> None:
    names = [function.name for function in found.functions]
    if len(set(names)) != len(names):
        raise Finding("two functions of one name")
    for function in found.functions:
        if not function.instructions:
            raise Finding(f"function {function.name!r} is empty")
        for relocation in function.relocations:
            if not 0 <= relocation.slot < len(function.instructions):
                raise Finding(f"relocation outside {function.name!r}")
    for text in (*names, *(spec.name for spec in found.maps), *found.remarks, found.licence or ""):
        if not text.isprintable():
            raise Finding(f"not printable: {text!r}")
    for line in found.source_lines:
        if not (line.text.isprintable() and line.file.isprintable()):
            raise Finding(f"a source line is not printable: {line!r}")


def _analysed(found: ObjectFile, stated: dict[str, str], random: Random) -> str:
    report = analyse(found, program_types=stated, data_flow=random.random() < 0.9)
    stored = report.to_bytes()
    again = AnalysisReport.from_bytes(stored)
    if again.to_bytes() != stored:
        raise Finding("a report changed on its way through its document")
    difference = compare(report, again)
    if difference.added or difference.removed:
        raise Finding("a report differs from itself")
    document = _damaged(json.loads(stored), random)
    try:
        damaged = AnalysisReport.from_document(document)
        compare(report, damaged)
    except SkepError:
        pass
    return f"{sorted(each.id for each in report.permissions)} {len(report.programs)}"


def _damaged(document: object, random: Random) -> object:
    """The document with a value somewhere in it replaced."""
    values: tuple[object, ...] = (
        None, -1, 1 << 70, 1.5, "", "x\x1b", "unknown", [], {}, [[]], {"id": 1}, True,
    )  # fmt: skip
    if isinstance(document, dict) and document and random.random() < 0.9:
        key = random.choice(sorted(document))
        return document | {key: _damaged(document[key], random)}
    if isinstance(document, list) and document and random.random() < 0.9:
        place = random.randrange(len(document))
        inner = _damaged(document[place], random)
        return [*document[:place], inner, *document[place + 1 :]]
    return random.choice(values)


def _shape(message: str) -> str:
    """A message without what differs from case to case."""
    quoted = message.split("'")
    plain = "".join(quoted[::2]) if len(quoted) % 2 else quoted[0]
    return "".join(character for character in plain if not character.isdigit())[:80]
