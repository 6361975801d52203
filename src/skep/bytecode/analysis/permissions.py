"""From findings to permissions: per program, for the object, and in combination."""

from collections.abc import Callable, Iterable, Sequence

from skep.bytecode.analysis.findings import CodeFinding
from skep.bytecode.analysis.report import Combination, Evidence, Permission, ProgramPermission
from skep.bytecode.analysis.taxonomy import COMBINATIONS, PERMISSIONS
from skep.bytecode.analysis.texts import confidence_rank, severity_rank

_ORDER = {permission: index for index, permission in enumerate(PERMISSIONS)}
_MOST_EVIDENCE = 16  # per program and permission; the count says how many there are
_MOST_FIELDS = 12

Locate = Callable[[CodeFinding], Evidence]
"""Adds section slot and source line to a finding."""


def _grouped(findings: Iterable[CodeFinding]) -> dict[tuple[str, str], list[CodeFinding]]:
    groups: dict[tuple[str, str], list[CodeFinding]] = {}
    for each in findings:
        groups.setdefault((each.permission, each.scope), []).append(each)
    return groups


def _verdict(findings: Sequence[CodeFinding]) -> tuple[str, str]:
    """Highest confidence, and the highest severity among the findings that are not excluded."""
    confidence = max((each.confidence for each in findings), key=confidence_rank)
    counting = [each for each in findings if each.confidence != "excluded"] or findings
    severity = max((each.severity for each in counting), key=severity_rank)
    return confidence, severity


def program_permissions(findings: Sequence[CodeFinding]) -> tuple[ProgramPermission, ...]:
    """Permissions of one program, excluded ones included, in the order of the taxonomy."""
    found = []
    for (permission, scope), group in _grouped(findings).items():
        confidence, severity = _verdict(group)
        found.append(
            ProgramPermission(id=permission, confidence=confidence, severity=severity, scope=scope)
        )
    return tuple(sorted(found, key=lambda each: (_ORDER[each.id], each.scope)))


def union(findings: Sequence[CodeFinding], locate: Locate) -> tuple[Permission, ...]:
    """Permissions of the object: the union over its programs, most severe first."""
    found = []
    for (permission, scope), group in _grouped(findings).items():
        confidence, severity = _verdict(group)
        if confidence == "excluded":
            continue
        kept = _strongest_evidence(group)
        fields = tuple(dict.fromkeys(name for each in kept for name in each.fields))
        found.append(
            Permission(
                id=permission,
                text=PERMISSIONS[permission].text,
                severity=severity,
                confidence=confidence,
                scope=scope,
                programs=tuple({each.program: None for each in kept if each.program}),
                evidence=tuple(map(locate, _limited(kept))),
                evidence_count=len(kept),
                fields=fields[:_MOST_FIELDS],
                fields_count=len(fields),
            )
        )
    return tuple(
        sorted(
            found,
            key=lambda each: (-severity_rank(each.severity), _ORDER[each.id], each.scope),
        )
    )


def _strongest_evidence(group: Sequence[CodeFinding]) -> list[CodeFinding]:
    """What counts, once each, certain evidence first."""
    counting = {each: None for each in group if each.confidence != "excluded"}
    return sorted(counting, key=lambda each: -confidence_rank(each.confidence))


def _limited(findings: Iterable[CodeFinding]) -> list[CodeFinding]:
    taken: dict[str, int] = {}
    kept = []
    for each in findings:
        taken[each.program] = taken.get(each.program, 0) + 1
        if taken[each.program] <= _MOST_EVIDENCE:
            kept.append(each)
    return kept


def combinations(permissions: Sequence[Permission]) -> tuple[Combination, ...]:
    """Flags of permissions that mean more together. They raise attention; they never decide.

    Only certain permissions count: a flag that is nearly always there is read by nobody.
    """
    certain = {each.id for each in permissions if each.confidence == "declared"}
    found = []
    for row in COMBINATIONS:
        groups = [[name for name in names if name in certain] for names in row.all_of]
        if all(groups):
            found.append(
                Combination(
                    id=row.combination_id,
                    text=row.text,
                    severity=row.severity,
                    because=tuple(dict.fromkeys(name for names in groups for name in names)),
                )
            )
    return tuple(sorted(found, key=lambda each: -severity_rank(each.severity)))
