"""Permissions as people read and rank them; loads nothing but the taxonomy.

One dialect everywhere: a permission is an *ability* (``drop packets``), and its confidence is the
word in front of it: *Can*, *Might*, *Cannot*.
"""

from skep.bytecode.analysis.taxonomy import PERMISSIONS, SEVERITIES

_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_CONFIDENCE_RANK = {"excluded": 0, "possible": 1, "declared": 2}
_WORDS = {"declared": "Can", "possible": "Might", "excluded": "Cannot"}


_SCOPES = {
    "": "a scope that is not known",
    "interface": "one interface",
    "cgroup": "one cgroup",
    "socket": "one socket",
    "map": "one map",
    "network namespace": "one network namespace",
    "process namespace": "one process namespace",
}
_USUAL = frozenset({"", "interface"})  # said without a word, unless the interface is known
_PREPOSITIONS = {"interface": "on", "socket": "on", "cgroup": "in cgroup"}
# What happens to the traffic of an interface itself; the other texts name their own places.
_ON_INTERFACE = frozenset(
    {"net.drop", "net.modify", "net.resize", "net.encap", "net.metadata", "net.synproxy"}
)
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
    'one cgroup'
    """
    return _SCOPES.get(scope, scope)


def bare(text: str) -> str:
    """A text of the taxonomy without its first word.

    >>> bare("Can drop packets"), bare("Could act on commands from the network")
    ('drop packets', 'act on commands from the network')
    >>> bare("Keeps data between events")
    'Keeps data between events'
    """
    first, _, rest = text.partition(" ")
    return rest if first in {"Can", "Could"} and rest else text


def ability(permission: str, scope: str = "", *, place: str = "", text: str = "") -> str:
    """What a permission allows, with its scope in words.

    Args:
        place: the interface or cgroup that ``scope`` stands for, where it is known.
        text: what to say of a permission that this version does not know.

    >>> ability("net.drop", "interface"), ability("net.drop", "interface", place="eth0")
    ('drop packets', 'drop packets on eth0')
    >>> ability("net.drop", "cgroup"), ability("net.drop", "cgroup", place="/web")
    ('drop packets in one cgroup', 'drop packets in cgroup /web')
    """
    row = PERMISSIONS.get(permission)
    said = bare(row.text if row is not None else text or f"Can do {permission} (not known here)")
    if place and scope in {"interface", "cgroup"}:
        if scope == "interface" and permission not in _ON_INTERFACE:
            return said
        return f"{said} {_PREPOSITIONS[scope]} {place}"
    if scope in _USUAL or scope not in _SCOPES:
        return said
    return f"{said} {_PREPOSITIONS.get(scope, 'in').partition(' ')[0]} {scope_text(scope)}"


def permission_text(permission: str, confidence: str = "declared", scope: str = "") -> str:
    """A permission as a sentence.

    >>> permission_text("net.drop", "possible", "cgroup")
    'Might drop packets in one cgroup'
    """
    return f"{_WORDS.get(confidence, 'Can')} {ability(permission, scope)}"
