"""Differences between two sets of reports, as people and machines read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from skep.bytecode.analysis.diffing import ReportChange, ReportDifference, compare
from skep.bytecode.analysis.report import AnalysisReport, Permission
from skep.bytecode.analysis.texts import permission_text, scope_text
from skep.cli.output import Output
from skep.json_documents import schema_id

SCHEMA = schema_id("diff")
_WORDS = {
    "oldest_kernel": "oldest kernel",
    "newest_kernel": "newest kernel",
    "needs_btf": "needs the kernel's types",
    "sizes_to_set": "sizes to set",
    "types_read": "kernel types read",
    "missing": "names nothing provides",
    "kernel_licence": "kernel licence",
    "state": "licence state",
    "needs_gpl": "needs a GPL-compatible licence",
    "would_load": "would load with its licence",
    "map_bytes": "bytes of maps",
    "map_bytes_per_cpu": "bytes of maps per CPU",
    "stack_bytes": "bytes of stack",
    "longest_path": "longest path",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Objects of two versions, paired.

    Attributes:
        differences: by title of the object, of those in both.
        added: objects that are new.
        removed: objects that are gone.
    """

    differences: Mapping[str, ReportDifference]
    added: Mapping[str, AnalysisReport]
    removed: Mapping[str, AnalysisReport]

    @classmethod
    def of(cls, before: Mapping[str, AnalysisReport], after: Mapping[str, AnalysisReport]) -> Self:
        """Pair objects by title; if there is one on each side, by that."""
        if len(before) == len(after) == 1:
            (old,), ((title, new),) = before.values(), after.items()
            return cls({title: compare(old, new)}, {}, {})
        return cls(
            {title: compare(before[title], after[title]) for title in after if title in before},
            {title: report for title, report in after.items() if title not in before},
            {title: report for title, report in before.items() if title not in after},
        )

    @property
    def reasons(self) -> list[str]:
        """Why consent must be asked again, a sentence each; empty if it need not be."""
        known = [reason for each in self.differences.values() for reason in each.reasons]
        for title, report in self.added.items():
            known += [
                f"new in {title}: {permission_text(each.id, each.confidence, each.scope)}"
                for each in report.permissions
            ]
        return known

    @property
    def is_empty(self) -> bool:
        """Nothing changed."""
        return not (self.added or self.removed) and all(
            each.is_empty for each in self.differences.values()
        )


def difference_document(
    before: Mapping[str, object], after: Mapping[str, object], comparison: Comparison
) -> dict[str, object]:
    """The document of ``skep diff --json``."""
    return {
        "schema": SCHEMA,
        "before": dict(before),
        "after": dict(after),
        "consent_required": bool(comparison.reasons),
        "reasons": comparison.reasons,
        "objects": {
            title: difference.to_document() for title, difference in comparison.differences.items()
        },
        "objects_added": list(comparison.added),
        "objects_removed": list(comparison.removed),
    }


def difference_lines(
    headings: tuple[str, str], comparison: Comparison, output: Output
) -> Iterator[str]:
    """What changed, most important first."""
    yield output.style(f"{headings[0]}  →  {headings[1]}", "bold")
    if comparison.is_empty:
        yield "  no relevant changes: no new consent needed"
        return
    for sign, colour, titles in (
        ("+", "yellow", comparison.added),
        ("-", "green", comparison.removed),
    ):
        for title, report in titles.items():
            yield "  " + output.style(f"{sign} object {title}", colour)
            for each in report.permissions:
                yield "  " + output.style(f"{sign} {_permission(each)}", colour)
    for title, difference in comparison.differences.items():
        if len(comparison.differences) > 1 and not difference.is_empty:
            yield f"  object {title}"
        yield from _object_lines(difference, output)
    if comparison.reasons:
        yield output.style("  consent must be asked again:", "red", "bold")
        yield from (f"    {reason}" for reason in comparison.reasons)
    else:
        yield "  no new permissions: no new consent needed"


def _permission(each: Permission) -> str:
    return f"{permission_text(each.id, each.confidence, each.scope)}  [{each.id}]"


def _also(before: Permission, after: Permission) -> str:
    """What else is not the same about a permission that moved to another scope."""
    pairs = ((before.confidence, after.confidence), (before.severity, after.severity))
    return "".join(f", {old} → {new}" for old, new in pairs if old != new)


def _object_lines(difference: ReportDifference, output: Output) -> Iterator[str]:
    moved = difference.moved
    for added in difference.added:
        if added.id not in moved:
            yield "  " + output.style(f"+ {_permission(added)}", "yellow")
    for removed in difference.removed:
        if removed.id not in moved:
            yield "  " + output.style(f"- {_permission(removed)}", "green")
    for permission, (old, new) in moved.items():
        text = permission_text(permission, new.confidence)
        scopes = f"{scope_text(old.scope)} → {scope_text(new.scope)}"
        line = f"~ {text}: scope {scopes}{_also(old, new)}  [{permission}]"
        yield "  " + output.style(line, "yellow")
    for changed in difference.changed:
        before = f"{changed.confidence_before}, {changed.severity_before}"
        after = f"{changed.confidence_after}, {changed.severity_after}"
        text = permission_text(changed.id, scope=changed.scope)
        yield f"  ~ {text}: {before} → {after}  [{changed.id}]"
    for flag in difference.combinations_added:
        yield "  " + output.style(f"+ attention: {flag}", "red")
    for flag in difference.combinations_removed:
        yield "  " + output.style(f"- attention: {flag}", "green")
    if difference.taxonomy_differs:
        yield "  labelled with different versions of the permissions table"
    for subject, changes in groupby(difference.changes, key=lambda change: change.subject):
        yield f"  {subject}"
        yield from (f"    {_change(change)}" for change in changes)


def _change(change: ReportChange) -> str:
    name = _WORDS.get(change.name, change.name)
    if not change.before or not change.after:
        sign, value = ("+", change.after) if change.after else ("-", change.before)
        return f"{sign} {name}: {value}"
    return f"{name}: {change.before} → {change.after}"
