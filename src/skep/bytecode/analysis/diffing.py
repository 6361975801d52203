"""What changed between two reports, and whether consent must be asked again.

The rule is :mod:`.growth`'s: more permissions than the installed version means asking again. New
combinations follow from new permissions, except where a label grew through a newer taxonomy: derive
both reports with the same taxonomy before comparing; if that was not done, the difference says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skep.bytecode.analysis.document import Part
from skep.bytecode.analysis.growth import growth
from skep.bytecode.analysis.report import AnalysisReport, MapCost, Permission, ProgramReport


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionChange(Part):
    """A permission in both, but not the same."""

    id: str
    scope: str
    confidence_before: str
    confidence_after: str
    severity_before: str
    severity_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportChange(Part):
    """A value before and after, as text; empty where it is not there.

    Attributes:
        subject: ``requirements``, ``licence``, ``cost``, ``program`` or ``map``.
        name: which one.
    """

    subject: str
    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDifference(Part):
    """What ``new`` has and ``old`` has not, and the other way round.

    Attributes:
        added: permissions, as they are in the new report.
        removed: permissions, as they were in the old report.
        changed: permissions whose confidence or severity changed.
        combinations_added: ids of flags.
        combinations_removed: ids of flags.
        changes: everything else.
        consent_required: somebody who agreed to the old report must be asked again.
        reasons: why, a sentence each.
        taxonomy_differs: the reports were not derived with the same table.
    """

    added: tuple[Permission, ...] = ()
    removed: tuple[Permission, ...] = ()
    changed: tuple[PermissionChange, ...] = ()
    combinations_added: tuple[str, ...] = ()
    combinations_removed: tuple[str, ...] = ()
    changes: tuple[ReportChange, ...] = ()
    consent_required: bool = False
    reasons: tuple[str, ...] = ()
    taxonomy_differs: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing changed."""
        return self == ReportDifference()

    @property
    def moved(self) -> Mapping[str, tuple[Permission, Permission]]:
        """Permissions that left one scope and came in one other, by id: before, and after."""
        removed, added = _by_id(self.removed), _by_id(self.added)
        return {
            permission: (removed[permission][0], found[0])
            for permission, found in added.items()
            if len(found) == len(removed.get(permission, ())) == 1
        }


def _by_id(permissions: Sequence[Permission]) -> dict[str, list[Permission]]:
    found: dict[str, list[Permission]] = {}
    for each in permissions:
        found.setdefault(each.id, []).append(each)
    return found


def compare(old: AnalysisReport, new: AnalysisReport) -> ReportDifference:
    """The difference between two versions of the same package's object."""
    before = {(each.id, each.scope): each for each in old.permissions}
    after = {(each.id, each.scope): each for each in new.permissions}
    added = tuple(each for key, each in after.items() if key not in before)
    changed = tuple(
        PermissionChange(
            id=each.id,
            scope=each.scope,
            confidence_before=before[key].confidence,
            confidence_after=each.confidence,
            severity_before=before[key].severity,
            severity_after=each.severity,
        )
        for key, each in after.items()
        if key in before and _state(before[key]) != _state(each)
    )
    flags_before = [each.id for each in old.combinations]
    flags_after = [each.id for each in new.combinations]
    reasons = tuple(each.text for each in growth(old.permissions, new.permissions))
    return ReportDifference(
        added=added,
        removed=tuple(each for key, each in before.items() if key not in after),
        changed=changed,
        combinations_added=tuple(flag for flag in flags_after if flag not in flags_before),
        combinations_removed=tuple(flag for flag in flags_before if flag not in flags_after),
        changes=tuple(_changes(old, new)),
        consent_required=bool(reasons),
        reasons=reasons,
        taxonomy_differs=old.taxonomy != new.taxonomy,
    )


def _state(permission: Permission) -> tuple[str, str]:
    return permission.confidence, permission.severity


def _changes(old: AnalysisReport, new: AnalysisReport) -> list[ReportChange]:
    found: list[ReportChange] = []

    def note(subject: str, name: str, before: object, after: object) -> None:
        if before != after:
            found.append(
                ReportChange(subject=subject, name=name, before=_text(before), after=_text(after))
            )

    for name in (
        "oldest_kernel",
        "newest_kernel",
        "needs_btf",
        "sizes_to_set",
        "types_read",
        "missing",
    ):
        note("requirements", name, getattr(old.requirements, name), getattr(new.requirements, name))
    for name in ("kernel_licence", "state", "needs_gpl", "would_load"):
        note("licence", name, getattr(old.licence, name), getattr(new.licence, name))
    for name in ("instructions", "map_bytes", "map_bytes_per_cpu", "stack_bytes", "longest_path"):
        note("cost", name, getattr(old.cost, name), getattr(new.cost, name))
    _compare_named(note, "program", _programs(old.programs), _programs(new.programs))
    _compare_named(note, "map", _maps(old.cost.maps), _maps(new.cost.maps))
    return found


def _compare_named(
    note: Callable[[str, str, object, object], None],
    subject: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> None:
    for name in dict.fromkeys([*before, *after]):
        note(subject, name, before.get(name, ""), after.get(name, ""))


def _programs(programs: Sequence[ProgramReport]) -> dict[str, str]:
    """What matters to somebody who has it attached: where it goes, what it calls."""
    return {
        each.name: f"{each.program_type} in {each.section}, helpers "
        + (", ".join(helper.name for helper in each.helpers) or "none")
        for each in programs
    }


def _maps(maps: Sequence[MapCost]) -> dict[str, str]:
    """What matters to somebody who keeps its content: the shape."""
    return {
        each.name: f"{each.map_type}, key {each.key_size}, value {each.value_size}, "
        f"{each.max_entries} entries" + (", pinned" if each.pinned_by_name else "")
        for each in maps
    }


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
