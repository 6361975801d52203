"""Permissions as people read and rank them; loads nothing but the taxonomy."""

from skep.bytecode.analysis.taxonomy import PERMISSIONS, SEVERITIES

_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_CONFIDENCE_RANK = {"excluded": 0, "possible": 1, "declared": 2}


_SCOPES = {
    "cgroup": " (of one control group)",
    "socket": " (of one socket)",
    "map": " (of one map)",
    "network namespace": " (of one network namespace)",
    "process namespace": " (of one process namespace)",
}
_COVERS = {"lsm.enforce": frozenset({"lsm.observe"})}


def severity_rank(severity: str) -> int:
    """Position among the severities; unknown ones count as the highest."""
    return _SEVERITY_RANK.get(severity, len(_SEVERITY_RANK))


def confidence_rank(confidence: str) -> int:
    """0 excluded, 1 possible, 2 declared; unknown ones count as declared."""
    return _CONFIDENCE_RANK.get(confidence, 2)


def covers(permission: str, other: str) -> bool:
    """Whether who has one permission has the other too, although it is not shown beside it.

    A program that denies operations sees them. Switched off by a setting, the denial is gone and
    the seeing is left: less, not something new.
    """
    return permission == other or other in _COVERS.get(permission, ())


def permission_text(permission: str, confidence: str = "declared", scope: str = "") -> str:
    """A permission as people read it.

    >>> permission_text("net.drop", "possible", "cgroup")
    'Cannot be excluded: can drop network packets (of one control group)'
    """
    row = PERMISSIONS.get(permission)
    text = permission if row is None else row.text
    text += _SCOPES.get(scope, "")
    if confidence == "possible":
        return f"Cannot be excluded: {text[:1].lower()}{text[1:]}"
    if confidence == "excluded":
        return f"Excluded: {text[:1].lower()}{text[1:]}"
    return text
