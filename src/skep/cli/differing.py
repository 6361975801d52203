"""The lines of ``skep diff``."""

from collections.abc import Iterator, Mapping

from skep.bytecode.analysis.diffing import ReportDifference
from skep.bytecode.analysis.listing import printable
from skep.bytecode.analysis.texts import permission_text
from skep.cli.output import Output


def diff_lines(found: Mapping[str, ReportDifference], output: Output) -> Iterator[str]:
    """As people read it."""
    if all(each.is_empty for each in found.values()):
        yield "nothing that matters changed"
        return
    for title, each in found.items():
        if each.is_empty:
            continue
        if len(found) > 1:
            yield output.style(printable(title), "bold")
        for added in each.added:
            text = permission_text(added.id, added.confidence, added.scope)
            yield output.style("+ ", "red") + f"{added.severity:<8} {text}  [{added.id}]"
        for removed in each.removed:
            text = permission_text(removed.id, removed.confidence, removed.scope)
            yield output.style("- ", "green") + f"{removed.severity:<8} {text}  [{removed.id}]"
        for change in each.changed:
            yield (
                f"~ {change.severity_after:<8} {permission_text(change.id, scope=change.scope)}: "
                f"{change.confidence_before}, {change.severity_before} → "
                f"{change.confidence_after}, {change.severity_after}  [{change.id}]"
            )
        for other in each.changes:
            name = f"{other.subject} {other.name.replace('_', ' ')}"
            if other.subject in ("program", "map"):
                name = f"{other.subject} {other.name}"
            yield printable(f"  {name}: {other.before or 'none'} → {other.after or 'none'}")
        if each.taxonomy_differs:
            yield "  the labels were derived with different tables of permissions"
    if any(each.consent_required for each in found.values()):
        yield output.style("consent must be asked again", "yellow", "bold")
        for each in found.values():
            yield from (f"  {reason}" for reason in each.reasons)
    else:
        yield "consent need not be asked again"
