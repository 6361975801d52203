"""The label: what was derived about a package, as people read it in one screen.

Severity is told by words and marks as well as by colour.
"""

from collections.abc import Iterable, Iterator, Mapping

from skep.bytecode.analysis.growth import granted
from skep.bytecode.analysis.listing import printable
from skep.bytecode.analysis.report import AnalysisReport, Permission
from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.bytecode.analysis.texts import permission_text
from skep.cli.label_rows import extra_rows, fields_text
from skep.cli.output import Output, human_bytes, wrapped

_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}
_COLOUR = {"critical": "red", "high": "yellow", "medium": "cyan", "low": "dim", "info": "dim"}
_WIDTH = 13  # of the left column
_HANGING = 2  # columns that what did not fit is indented by
_MOST_PROGRAMS = 5  # shown by line; more are summed up


def field_lines(name: str, values: Iterable[str], width: int | None) -> Iterator[str]:
    """A name on the left, values below one another on the right.

    Args:
        width: columns of the terminal, ``None`` to leave lines whole.
    """
    for value in values:
        right = width and max(width - _WIDTH - 2, 20)
        first, *further = wrapped(value, right and right - _HANGING)
        yield f"  {name:<{_WIDTH}}{first}"
        for line in further:
            yield " " * (2 + _WIDTH + _HANGING) + line
        name = ""


def label_lines(
    reports: dict[str, AnalysisReport], output: Output, *, declared: str | None = None
) -> Iterator[str]:
    """Everything the analysis of a package's objects found, most serious first.

    Args:
        declared: licence of the package; ``None`` for a bare object.
    """
    flags = [flag for report in reports.values() for flag in report.combinations]
    remarks = [remark for report in reports.values() for remark in report.remarks]
    rows = [
        ("program", program_lines(reports.values())),
        ("may", may_lines(reports.values(), output)),
        (
            "attention",
            [output.style(f"{flag.text} ({', '.join(flag.because)})", "red") for flag in flags],
        ),
        ("licence", licence_lines(declared, reports)),
        ("needs", [needs_line(reports.values())]),
        ("costs", [cost_line(reports.values())]),
        *extra_rows(list(reports.values())),
        ("remarks", remarks),
    ]
    for name, values in rows:
        yield from field_lines(name, values, output.width)


def program_lines(reports: Iterable[AnalysisReport]) -> list[str]:
    """Programs with type and size; many of one type in one line."""
    programs = [program for report in reports for program in report.programs]
    if len(programs) <= _MOST_PROGRAMS:
        return [
            f"{program.name} ({program.program_type or 'unknown type'}), "
            f"{program.instructions} instructions"
            for program in programs
        ]
    by_type: dict[str, list[str]] = {}
    for program in programs:
        kind = f"of type {program.program_type}" if program.program_type else "of unknown type"
        by_type.setdefault(kind, []).append(program.name)
    return [
        f"{len(names)} {kind}: {', '.join(names[:_MOST_PROGRAMS])}"
        + (f" and {len(names) - _MOST_PROGRAMS} more" if len(names) > _MOST_PROGRAMS else "")
        for kind, names in by_type.items()
    ]


def may_lines(reports: Iterable[AnalysisReport], output: Output) -> list[str]:
    """Permissions as sentences, most serious first; what was excluded is not shown.

    Each (id, scope) has its line, with its highest severity and confidence: what is shown here is
    what is agreed to.
    """
    stated = [permission for report in reports for permission in report.permissions]
    texts = {permission.id: permission.text for permission in stated}
    fields, counts = _fields_of(stated)
    ordered = sorted(granted(stated), key=lambda p: (_RANK.get(p.severity, 0), p.id, p.scope))
    lines = []
    for permission in ordered:
        key = (permission.id, permission.scope)
        text = texts[permission.id]
        if permission.id in PERMISSIONS:
            text = permission_text(permission.id, scope=permission.scope)
        if permission.confidence == "possible":
            text = f"cannot be excluded: {text[0].lower()}{text[1:]}"
        named = fields_text(fields[key], counts[key])
        text = printable(f"{text} {named}") if named else text
        severity = output.style(
            f"{permission.severity:<8}", _COLOUR.get(permission.severity, "red")
        )
        lines.append(f"{severity} {text}  {output.style(f'[{permission.id}]', 'dim')}")
    return lines or ["no permissions detected"]


def _fields_of(
    stated: Iterable[Permission],
) -> tuple[dict[tuple[str, str], list[str]], dict[tuple[str, str], int]]:
    """Fields each (id, scope) names, and how many there are at least, over all objects."""
    fields: dict[tuple[str, str], dict[str, None]] = {}
    counts: dict[tuple[str, str], int] = {}
    for each in stated:
        key = (each.id, each.scope)
        known = fields.setdefault(key, {})
        known.update(dict.fromkeys(each.fields))
        counts[key] = max(counts.get(key, 0), each.fields_count, len(known))
    return {key: list(known) for key, known in fields.items()}, counts


def short_permissions(reports: Iterable[AnalysisReport]) -> str:
    """Permissions in one line: ids, most serious first."""
    found = {
        (_RANK.get(permission.severity, 0), permission.id)
        for report in reports
        for permission in report.permissions
        if permission.confidence != "excluded"
    }
    return " · ".join(name for _, name in sorted(found)) or "nothing"


def licence_lines(declared: str | None, reports: Mapping[str, AnalysisReport]) -> list[str]:
    """What the package declares, what disagrees with it, and what the kernel reads."""
    if declared is None:
        return [licence_line(reports.values())]
    from skep.cli.licence_rows import licence_rows

    first, *findings = licence_rows(declared, reports)
    return [first, licence_line(reports.values()), *findings]


def licence_line(reports: Iterable[AnalysisReport]) -> str:
    """The licence strings the kernel reads, and whether it insists on them."""
    texts = []
    for report in reports:
        declared = report.licence.kernel_licence
        state = report.licence.state.replace("-", " ")
        text = f"kernel licence {declared!r} ({state})" if declared else "undeclared"
        if report.licence.needs_gpl:
            helpers = [each.name for each in report.licence.gpl_only_helpers]
            why = f" for {', '.join(helpers[:2])}" if helpers else ""
            text += f", a GPL-compatible one is needed{why}"
        if report.licence.would_load is False:
            text += ": the kernel would refuse it"
        texts.append(text)
    return "; ".join(dict.fromkeys(texts))


def needs_line(reports: Iterable[AnalysisReport]) -> str:
    """The oldest kernel, and what in the code says so; or why no kernel loads it."""
    found = [report.requirements for report in reports]
    refused = [each for needs in found for each in needs.refused]
    if refused:
        first = refused[0]
        program = f"{first.program}: " if first.program else ""
        return f"no kernel loads it: {program}{first.what}" + (
            f"; {first.hint}" if first.hint else ""
        )
    needed = max(found, key=lambda needs: _pair(needs.oldest_kernel))
    reasons = [reason.what for reason in needed.reasons if reason.kernel == needed.oldest_kernel]
    because = f" ({'; '.join(dict.fromkeys(reasons[:2]))})" if reasons else ""
    newest = [needs for needs in found if needs.newest_kernel is not None]
    if not newest:
        return f"Linux {needed.oldest_kernel} or newer{because}"
    last = min(newest, key=lambda needs: _pair(needs.newest_kernel or ""))
    gone = f"; later ones have no {last.newest_reasons[0].what}" if last.newest_reasons else ""
    return f"Linux {needed.oldest_kernel} to {last.newest_kernel}{because}{gone}"


def _pair(kernel: str) -> tuple[int, ...]:
    return tuple(int(part) for part in kernel.split("."))


def cost_line(reports: Iterable[AnalysisReport]) -> str:
    """Memory of maps and number of instructions."""
    total = per_cpu = instructions = 0
    for report in reports:
        total += report.cost.map_bytes
        per_cpu += report.cost.map_bytes_per_cpu
        instructions += report.cost.instructions
    memory = human_bytes(total)
    if per_cpu:
        memory += f" and {human_bytes(per_cpu)} per CPU"
    return f"{memory} of memory, {instructions} instructions"
