"""``skep inspect --why``: where in the code a permission comes from."""

from collections.abc import Iterator, Mapping

from skep.bytecode.analysis.listing import list_program, printable
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.analysis.texts import ability, permission_text
from skep.bytecode.objectfile.model import ObjectFile
from skep.cli.disassembling import choose_programs
from skep.cli.output import Output
from skep.cli.subjects import Inspected
from skep.cli.surfaces import wrapped
from skep.errors import Misnamed, UsageError
from skep.json_documents import schema_id

_EXCLUDED = "possible for this program, but data-flow analysis ruled it out"
_ABSENT = "nothing in the code points to it: no call, no instruction, no type"


def check_permission(permission: str) -> None:
    """Refuse what is no permission.

    Raises:
        UsageError: with those that are spelled nearly so.
    """
    if permission not in PERMISSIONS:
        alike = [each for each in PERMISSIONS if each.startswith(permission[:3])][:5]
        raise UsageError(
            f"expected the id of a permission such as net.drop, got {permission!r}",
            hint=f"permissions: {', '.join(alike)}" if alike else "skep inspect FILE",
            misnamed=Misnamed(permission, tuple(PERMISSIONS)),
        )


def explain(subject: Inspected, permission: str, program: str | None) -> dict[str, object]:
    """The evidence, as a document."""
    objects = subject.read()
    if program is not None:
        choose_programs(objects, program)
    places: list[dict[str, object]] = []
    excluded: list[str] = []
    count = 0
    confidences = set()
    for title, report in subject.reports().items():
        found, total = _places(objects[title], report, permission, program)
        places += found
        count += total
        for each in report.permissions:
            if each.id == permission:
                confidences.add(each.confidence)
        excluded += [
            each.name
            for each in report.programs
            if program in (None, each.name)
            and any(p.id == permission and p.confidence == "excluded" for p in each.permissions)
        ]
    if not places:
        state = "excluded" if excluded else "absent"
    else:
        state = "declared" if "declared" in confidences else "possible"
    return {
        "schema": schema_id("inspect-why"),
        "permission": permission,
        "text": PERMISSIONS[permission].text,
        "state": state,
        "places": places,
        "place_count": count,
        "excluded_in": excluded,
        "reason": {"excluded": _EXCLUDED, "absent": _ABSENT}.get(state, ""),
    }


def _places(
    object_file: ObjectFile, report: AnalysisReport, permission: str, program: str | None
) -> tuple[list[dict[str, object]], int]:
    names = {spec.name for spec in object_file.programs}
    listings: dict[str, Mapping[tuple[str, int], str]] = {}
    found: list[dict[str, object]] = []
    total = 0
    for each in report.permissions:
        if each.id != permission:
            continue
        kept = [one for one in each.evidence if program in (None, one.program)]
        total += each.evidence_count if program is None else len(kept)
        for one in kept:
            if one.program in names and one.program not in listings:
                listings[one.program] = {
                    (function.name, listed.own_slot): f"{listed.slot}: {listed.text}"
                    for function in list_program(object_file, one.program)
                    for listed in function.instructions
                }
            text = ""
            if one.slot is not None:
                key = (printable(one.function), one.slot)
                text = listings.get(one.program, {}).get(key, "")
            found.append({**one.to_document(), "instruction": text})
    return found, total


def explanation_lines(explanation: Mapping[str, object], output: Output) -> Iterator[str]:
    """As people read it."""
    permission, found = str(explanation["permission"]), str(explanation["state"])
    # Nothing is ruled out that was not looked for: "absent" says no more than that.
    text = ability(permission) if found == "absent" else permission_text(permission, found)
    heading = f"{permission}  {text}"
    state = "certain" if explanation["state"] == "declared" else explanation["state"]
    yield f"{output.style(heading, 'bold')}  ({state})"
    if explanation["reason"]:
        yield from (
            f"  {line}"
            for line in wrapped(str(explanation["reason"]), output.width and output.width - 2)
        )
    places = explanation["places"]
    if not isinstance(places, list):
        return
    for place in places:
        where = place["program"] or "the object as a whole"
        if place["function"] not in ("", place["program"]):
            where += f", function {place['function']}"
        yield f"  {printable(str(where))}: {printable(str(place['what']))}"
        if place["instruction"]:
            yield f"    {place['instruction']}"
        if place.get("file"):
            source = f"; {printable(str(place['text']))} @ {place['file']}:{place['line']}"
            yield "    " + output.style(printable(source), "dim")
    count = explanation["place_count"]
    if isinstance(count, int) and count > len(places):
        yield f"  and {count - len(places)} more places"
    excluded = explanation["excluded_in"]
    if isinstance(excluded, list) and excluded:
        yield f"  excluded in: {', '.join(map(printable, excluded))}"
