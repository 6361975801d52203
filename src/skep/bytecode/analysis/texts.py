"""Permissions as people read and rank them; loads nothing but the taxonomy."""

from skep.bytecode.analysis.taxonomy import PERMISSIONS, SEVERITIES

_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_CONFIDENCE_RANK = {"excluded": 0, "possible": 1, "declared": 2}


_SCOPES = {
    "": "a scope that is not known",
    "interface": "one interface",
    "cgroup": "one control group",
    "socket": "one socket",
    "map": "one map",
    "network namespace": "one network namespace",
    "process namespace": "one process namespace",
}
_USUAL = frozenset({"", "interface"})  # what is said without a word
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


def scope_text(scope: str) -> str:
    """Where a permission applies, in words.

    >>> scope_text("cgroup")
    'one control group'
    """
    return _SCOPES.get(scope, scope)


def permission_text(permission: str, confidence: str = "declared", scope: str = "") -> str:
    """A permission as people read it.

    >>> permission_text("net.drop", "possible", "cgroup")
    'Cannot be excluded: can drop network packets (of one control group)'
    """
    row = PERMISSIONS.get(permission)
    text = permission if row is None else row.text
    if scope in _SCOPES and scope not in _USUAL:
        text += f" (of {scope_text(scope)})"
    if confidence == "possible":
        return f"Cannot be excluded: {text[:1].lower()}{text[1:]}"
    if confidence == "excluded":
        return f"Excluded: {text[:1].lower()}{text[1:]}"
    return text
