"""``skep inspect --why``: what in the code says that a program may do something."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import groupby

from skep.bytecode.analysis.report import AnalysisReport, Evidence, Permission
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.analysis.texts import permission_text
from skep.cli.locating import Inspected
from skep.cli.output import Output
from skep.errors import UsageError

SCHEMA = "skep.why/v1"
_KINDS = {
    "E": "an instruction shows it",
    "T": "programs of this type can",
    "D": "data flow shows it",
}


class UnknownPermission(UsageError):
    """The text names no permission."""


def explain(found: Inspected, permission: str, output: Output) -> None:
    """Print the evidence of one permission.

    Raises:
        UnknownPermission: there is none of that name.
    """
    if permission not in PERMISSIONS:
        near = get_close_matches(permission, PERMISSIONS, n=3, cutoff=0.5)
        known = [near_one for near_one in PERMISSIONS if near_one.startswith(f"{permission}.")]
        raise UnknownPermission(
            f"expected the id of a permission, got {permission!r}",
            hint=f"did you mean {', '.join(known or near)}?" if known or near
            else f"permissions: {', '.join(PERMISSIONS)}",
        )  # fmt: skip
    reports = found.reports()
    output.emit(
        found.identity
        | {
            "schema": SCHEMA,
            "permission": permission,
            "text": permission_text(permission),
            "objects": {
                title: {
                    "found": [each.to_document() for each in _of(report, permission)],
                    "excluded": _excluded(report, permission),
                }
                for title, report in reports.items()
            },
        },
        lambda: _lines(found.heading, reports, permission, output),
    )


def _of(report: AnalysisReport, permission: str) -> list[Permission]:
    return [each for each in report.permissions if each.id == permission]


def _excluded(report: AnalysisReport, permission: str) -> list[str]:
    """Programs that could do it by their type, and whose code shows that they do not."""
    return [
        program.name
        for program in report.programs
        for each in program.permissions
        if each.id == permission and each.confidence == "excluded"
    ]


def _lines(
    heading: str, reports: Mapping[str, AnalysisReport], permission: str, output: Output
) -> Iterator[str]:
    yield output.style(heading, "bold")
    is_there = False
    for title, report in reports.items():
        if len(reports) > 1:
            yield title
        for each in _of(report, permission):
            is_there = True
            yield (
                f"  {output.style(each.severity, 'bold')}  "
                f"{permission_text(each.id, each.confidence, each.scope)}  "
                + output.style(f"[{each.id}]", "dim")
            )
            for program, places in groupby(each.evidence, key=lambda place: place.program):
                yield f"  program {program}" if program else "  the object as a whole"
                for place in places:
                    yield from _place_lines(place, output)
            if each.evidence_count > len(each.evidence):
                yield f"    … and {each.evidence_count - len(each.evidence)} more places"
        for program in _excluded(report, permission):
            is_there = True
            yield (
                f"  program {program}: its type could; the values it returns and what it writes "
                "show that it does not"
            )
    if not is_there:
        yield f"  nothing in it says: {permission_text(permission).lower()}  [{permission}]"


def _place_lines(place: Evidence, output: Output) -> Iterator[str]:
    where = f"{place.function}+{place.slot}: " if place.slot is not None else ""
    yield f"    {where}{place.what}  " + output.style(_KINDS.get(place.kind, ""), "dim")
    if place.file:
        source = f"{place.file}:{place.line}"
        yield f"      {output.style(source, 'cyan')}  {place.text.strip()}".rstrip()
