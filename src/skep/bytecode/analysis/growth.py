"""Whether one label allows more than another: rule 8 of the permissions, as a law on values.

More permissions than somebody agreed to means asking again. Permissions are compared by (id,
scope); a label grows where one of them is new, where ``possible`` becomes ``declared``, and where
the same permission is more severe (somebody agreed to the milder one). A label that loses
permissions never grows. Ids, confidences and severities that this version does not know count as
the highest.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from skep.bytecode.analysis.texts import (
    confidence_rank,
    covers,
    permission_text,
    scope_text,
    severity_rank,
)

Why = Literal["new", "certain", "severe"]
"""What grew: the permission itself, its confidence, its severity."""


class Stated(Protocol):
    """A permission as reports state it."""

    @property
    def id(self) -> str:
        """Row of the taxonomy."""
        ...

    @property
    def scope(self) -> str:
        """Where it applies; empty where it makes no difference."""
        ...

    @property
    def confidence(self) -> str:
        """``declared``, ``possible`` or ``excluded``."""
        ...

    @property
    def severity(self) -> str:
        """``info`` to ``critical``."""
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """A permission without its evidence, as a consent stores it."""

    id: str
    scope: str
    confidence: str
    severity: str


@dataclass(frozen=True, slots=True)
class Growth:
    """One permission that goes beyond what was there.

    Attributes:
        permission: as it is now.
        why: what grew.
        before: as it was; ``None`` if it is new.
        elsewhere: other scopes it was in, if it is new in this one.
    """

    permission: Granted
    why: Why
    before: Granted | None = None
    elsewhere: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """A sentence for people.

        >>> Growth(Granted("net.drop", "cgroup", "possible", "high"), "new").text
        'new: Might drop packets in one cgroup'
        """
        now = self.permission
        match self.why:
            case "new" if self.elsewhere:
                scopes = " and ".join(map(scope_text, self.elsewhere))
                text = permission_text(now.id, now.confidence)
                return f"new scope, {scope_text(now.scope)} (was: {scopes}): {text}"
            case "new":
                return f"new: {permission_text(now.id, now.confidence, now.scope)}"
            case "certain":
                return f"now certain: {permission_text(now.id, scope=now.scope)}"
            case "severe":
                before = self.before.severity if self.before is not None else "nothing"
                text = permission_text(now.id, scope=now.scope)
                return f"{now.severity} instead of {before}: {text}"


def granted(stated: Iterable[Stated]) -> tuple[Granted, ...]:
    """The union of permissions, each (id, scope) once with its highest confidence and severity.

    Excluded ones are no permissions and are left out. The order is that of first appearance.
    """
    found: dict[tuple[str, str], Granted] = {}
    for each in stated:
        if each.confidence == "excluded":
            continue
        key = (each.id, each.scope)
        known = found.setdefault(key, Granted(*key, each.confidence, each.severity))
        if confidence_rank(each.confidence) > confidence_rank(known.confidence):
            known = replace(known, confidence=each.confidence)
        if severity_rank(each.severity) > severity_rank(known.severity):
            known = replace(known, severity=each.severity)
        found[key] = known
    return tuple(found.values())


def growth(before: Iterable[Stated], after: Iterable[Stated]) -> tuple[Growth, ...]:
    """What ``after`` allows beyond ``before``: new permissions first, then those that grew."""
    known = {(each.id, each.scope): each for each in granted(before)}
    scopes: dict[str, list[str]] = {}
    for permission, scope in known:
        scopes.setdefault(permission, []).append(scope)
    found = [
        _grown(known.get((each.id, each.scope)), each, tuple(scopes.get(each.id, ())))
        for each in granted(after)
        if not any(_covers(one, each) for one in known.values())
    ]
    grown = [each for each in found if each is not None]
    return (
        *(each for each in grown if each.why == "new"),
        *(each for each in grown if each.why != "new"),
    )


def _covers(before: Granted, now: Granted) -> bool:
    """Whether another permission that was there is more than ``now``."""
    return (
        before.id != now.id
        and before.scope == now.scope
        and covers(before.id, now.id)
        and confidence_rank(before.confidence) >= confidence_rank(now.confidence)
    )


def _grown(before: Granted | None, now: Granted, scopes: tuple[str, ...]) -> Growth | None:
    if before is None:
        return Growth(now, "new", elsewhere=scopes)
    if confidence_rank(now.confidence) > confidence_rank(before.confidence):
        return Growth(now, "certain", before)
    if severity_rank(now.severity) > severity_rank(before.severity):
        return Growth(now, "severe", before)
    return None
