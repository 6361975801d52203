"""Two labels compared: the node label must lie within the package label.

The law: every (id, scope) of a program in the node label is in the package label of that program,
or covered by one that is, and it is not less certain. Certainty that linking adds is no new
permission: a value that became known was covered as unknown. What lies outside is refused. It can
only come from a mistake in Skep or from an object made to deceive it, and both are better stopped
than asked about.

Certainty that linking takes away is kept. Where a setting switches off the path that is certain and
leaves one that nobody can follow, the program still has the permission, and people have read that
it is certain: another setting, or another kernel, shall not have to ask them again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from skep.bytecode.analysis.errors import OutsideLabel
from skep.bytecode.analysis.report import (
    DECLARED,
    EXCLUDED,
    AnalysisReport,
    Evidence,
    Permission,
    ProgramReport,
)
from skep.bytecode.analysis.texts import confidence_rank, covers, permission_text

_Key = tuple[str, str]
"""Id and scope of a permission."""


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A permission that linking changed.

    Attributes:
        id: row of the taxonomy.
        scope: as for permissions.
        before: confidence in the package label; empty if it is not there.
        after: confidence in the node label; empty if it is not there: nothing of it is left.
    """

    id: str
    scope: str
    before: str
    after: str


def exceeding(package: AnalysisReport, node: AnalysisReport) -> tuple[Permission, ...]:
    """Permissions of the node label that the package label does not cover, most severe first.

    Each with its evidence of the programs that exceed only.
    """
    of_object = _of_object(package)
    covered = {each.name: _shown(each).keys() | of_object.keys() for each in package.programs}
    found = []
    for permission in node.permissions:
        key = (permission.id, permission.scope)
        outside = tuple(
            each
            for each in permission.evidence
            if not _is_in(key, covered.get(each.program, of_object.keys()))
        )
        if outside:
            found.append(_only(permission, outside))
    return tuple(found)


def _is_in(key: _Key, keys: Collection[_Key]) -> bool:
    return key in keys or any(
        scope == key[1] and covers(permission, key[0]) for permission, scope in keys
    )


def _of_object(report: AnalysisReport) -> dict[_Key, str]:
    """Confidence of what the object has without any program: its maps, its instances."""
    return {
        (each.id, each.scope): each.confidence
        for each in report.permissions
        if any(not evidence.program for evidence in each.evidence)
    }


def _shown(program: ProgramReport) -> dict[_Key, str]:
    """Confidence of what one program has, excluded ones left out."""
    return {
        (each.id, each.scope): each.confidence
        for each in program.permissions
        if confidence_rank(each.confidence)
    }


def _only(permission: Permission, evidence: Sequence[Evidence]) -> Permission:
    return Permission(
        id=permission.id,
        text=permission.text,
        severity=permission.severity,
        confidence=permission.confidence,
        scope=permission.scope,
        programs=tuple({each.program: None for each in evidence if each.program}),
        evidence=tuple(evidence),
        evidence_count=len(evidence),
    )


def within(package: AnalysisReport, node: AnalysisReport) -> AnalysisReport:
    """The node label, as certain as the package label is.

    Raises:
        OutsideLabel: it does; the message names permission, program, instruction and source line.
    """
    outside = exceeding(package, node)
    if outside:
        raise OutsideLabel(
            f"linked for this kernel, {_sentence(outside[0])}, which its label does not show",
            hint="do not use the package; report it to its publisher and to Skep",
            detail="\n".join(map(_sentence, outside)),
        )
    of_object = _of_object(package)
    of_programs = {each.name: _shown(each) for each in package.programs}
    programs = tuple(_as_certain(each, of_programs.get(each.name, {})) for each in node.programs)
    certain = {key for key, confidence in of_object.items() if confidence == DECLARED}
    for program in programs:
        certain |= {key for key, confidence in _shown(program).items() if confidence == DECLARED}
    return replace(
        node,
        programs=programs,
        permissions=tuple(
            replace(each, confidence=DECLARED) if (each.id, each.scope) in certain else each
            for each in node.permissions
        ),
    )


def _as_certain(program: ProgramReport, before: Mapping[_Key, str]) -> ProgramReport:
    return replace(
        program,
        permissions=tuple(
            replace(each, confidence=DECLARED)
            if each.confidence != EXCLUDED and before.get((each.id, each.scope)) == DECLARED
            else each
            for each in program.permissions
        ),
    )


def _sentence(permission: Permission) -> str:
    evidence = permission.evidence[0]
    text = permission_text(permission.id, permission.confidence, permission.scope)
    program = f"program {evidence.program}" if evidence.program else "the object"
    place = "" if evidence.slot is None else f", {evidence.function} instruction {evidence.slot}"
    line = f" ({evidence.file}:{evidence.line})" if evidence.line is not None else ""
    return f"{program} has {permission.id} ({text}: {evidence.what}{place}{line})"


def label_changes(package: AnalysisReport, node: AnalysisReport) -> tuple[LabelChange, ...]:
    """What linking changed about the programs that are loaded."""
    loaded = {program.name for program in node.programs}
    before, after = (_confidences(each, loaded) for each in (package, node))
    return tuple(
        LabelChange(*key, before.get(key, ""), after.get(key, ""))
        for key in dict.fromkeys([*before, *after])
        if before.get(key) != after.get(key)
    )


def _confidences(report: AnalysisReport, programs: Collection[str]) -> dict[_Key, str]:
    """The highest confidence of each permission of some programs and of the object."""
    found = _of_object(report)
    for program in report.programs:
        if program.name in programs:
            for key, confidence in _shown(program).items():
                found[key] = max(found.get(key, EXCLUDED), confidence, key=confidence_rank)
    return found
