"""The label as people read it, by the same rows wherever it is shown.

Severity is told by a mark as well as by colour: ``!`` high or critical, ``•`` medium, ``·`` low.
Critical is also said in a word, because it is asked for in another way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from skep.bytecode.analysis.label import QUESTIONS, Label, LabelPermission, label_of
from skep.bytecode.analysis.listing import printable
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.texts import ability, bare, confidence_rank, covers, severity_rank
from skep.cli.label_rows import extra_rows, fields_text
from skep.cli.output import counted, human_bytes
from skep.cli.rows import Marked, field_lines, joined_lines, marked_lines, right_width
from skep.cli.surfaces import Surface

_MARKS = {"info": "·", "low": "·", "medium": "•"}
_COLOURS = {"info": "dim", "low": "dim", "medium": "cyan", "high": "yellow"}
_MOST_SHOWN = 5  # permissions, unless more are high or critical; the others are named in a line
_MOST_PROGRAMS = 5  # shown by line; more are summed up


def permission_lines(label: Label, surface: Surface, *, place: str = "") -> Iterator[str]:
    """What can, might and cannot happen, most serious first.

    Args:
        place: the interface or cgroup that the programs are on, if it is known.
    """
    shown = _without_covered(label.permissions)
    certain = [each for each in shown if each.confidence != "possible"]
    possible = [each for each in shown if each.confidence == "possible"]
    can, might = (_marked(each, surface, place) for each in (certain, possible))
    together = [
        Marked(
            mark(each.severity, surface),
            bare(printable(each.text)),
            surface.style(", ".join(map(printable, each.because)), "dim"),
        )
        for each in label.combinations
    ]
    right = right_width([*can, *might])
    yield from marked_lines("Can", can, surface, right=right)
    yield from marked_lines("Might", might, surface, right=right)
    if not shown:
        yield from field_lines("Can", ["(no permissions detected)"], surface)
    yield from joined_lines("Cannot", cannot_parts(label), surface)
    yield from marked_lines("Together", together, surface)


def label_lines(label: Label, surface: Surface, *, licence: Sequence[str]) -> Iterator[str]:
    """The rows every label has.

    Args:
        licence: what the package declares and what disagrees with it, in lines.
    """
    yield from permission_lines(label, surface)
    yield from joined_lines("Costs", cost_parts(label), surface)
    yield from joined_lines("Needs", needs_parts(label), surface)
    yield from field_lines("Licence", licence, surface)


def report_lines(
    reports: Mapping[str, AnalysisReport], surface: Surface, *, declared: str | None = None
) -> Iterator[str]:
    """The label of some objects, by title, and whatever else their analysis found.

    Args:
        declared: licence of the package; ``None`` for a bare object.
    """
    label = label_of(reports)
    licence = licence_values(label, declared, reports)
    yield from label_lines(label, surface, licence=licence)
    for name, values in extra_rows(list(reports.values())):
        yield from field_lines(name, values, surface)
    remarks = [printable(each) for report in reports.values() for each in report.remarks]
    yield from field_lines("Remarks", dict.fromkeys(remarks), surface)


def mark(severity: str, surface: Surface) -> str:
    """The mark of a severity, coloured; an unknown one counts as the highest."""
    return surface.style(_MARKS.get(severity, "!"), _COLOURS.get(severity, "red"))


def marks(label: Label, surface: Surface) -> str:
    """A mark for each permission, at most five, most serious first: ``!•·``."""
    return "".join(mark(each.severity, surface) for each in label.permissions[:_MOST_SHOWN])


def is_critical(severity: str) -> bool:
    """Whether a permission is asked for by typing a name."""
    return severity_rank(severity) >= severity_rank("critical")


def marked_permission(
    permission: LabelPermission, surface: Surface, *, place: str = "", note: str = ""
) -> Marked:
    """One permission as a line; ``note`` stands behind its id."""
    text = ability(permission.id, permission.scope, place=place, text=permission.text)
    named = fields_text(permission.fields, permission.fields_count)
    word = "critical" if is_critical(permission.severity) else ""
    right = "  ".join(filter(None, (printable(permission.id), word, note)))
    return Marked(
        mark(permission.severity, surface),
        printable(f"{text} {named}" if named else text),
        surface.style(right, "dim"),
    )


def _marked(permissions: Sequence[LabelPermission], surface: Surface, place: str) -> list[Marked]:
    serious = sum(severity_rank(each.severity) >= severity_rank("high") for each in permissions)
    count = max(_MOST_SHOWN, serious)
    if surface.is_whole or len(permissions) <= count + 1:  # "and 1 more" saves no line
        count = len(permissions)
    lines = [marked_permission(each, surface, place=place) for each in permissions[:count]]
    rest = permissions[count:]
    if rest:
        ids = ", ".join(dict.fromkeys(printable(each.id) for each in rest))
        lines.append(Marked(mark(rest[0].severity, surface), f"and {len(rest)} more: {ids}"))
    return lines


def _without_covered(permissions: Sequence[LabelPermission]) -> list[LabelPermission]:
    """Without those that a stronger one includes."""
    return [
        each
        for each in permissions
        if not any(
            other.id != each.id
            and other.scope == each.scope
            and covers(other.id, each.id)
            and confidence_rank(other.confidence) >= confidence_rank(each.confidence)
            for other in permissions
        )
    ]


def cannot_parts(label: Label) -> list[str]:
    """What people ask about and is ruled out.

    >>> from skep.bytecode.analysis.label import label_of
    >>> cannot_parts(label_of({}))
    []
    """
    by_object: dict[str, list[str]] = {}
    for name in label.cannot:
        if name in QUESTIONS:
            by_object.setdefault(QUESTIONS[name].what, []).append(QUESTIONS[name].verb)
    return [f"{_either(verbs)} {what}".rstrip() for what, verbs in by_object.items()]


def _either(verbs: Sequence[str]) -> str:
    *before, last = verbs
    return f"{', '.join(before)} or {last}" if before else last


def abilities_in_brief(label: Label) -> str:
    """Everything in one line, most serious first, for where there is no room for a label."""
    texts = [
        ("might " if each.confidence == "possible" else "")
        + ability(each.id, each.scope, text=each.text)
        for each in _without_covered(label.permissions)
    ]
    return printable(" · ".join(dict.fromkeys(texts))) or "no permissions detected"


def cost_parts(label: Label) -> list[str]:
    """Memory of maps and number of instructions."""
    memory = [human_bytes(label.map_bytes)] if label.map_bytes else []
    if label.map_bytes_per_cpu:
        memory.append(f"{human_bytes(label.map_bytes_per_cpu)} per CPU")
    return [" + ".join(memory) or "no map memory", counted(label.instructions, "instruction")]


def needs_parts(label: Label) -> list[str]:
    """The kernels that have what it needs, and why no older one; or why no kernel loads it."""
    if label.refused:
        return [f"no kernel loads it: {printable(label.refused)}"]
    because = f" ({printable('; '.join(label.kernel_reasons))})" if label.kernel_reasons else ""
    if label.newest_kernel is None:
        parts = [f"Linux {label.oldest_kernel} or newer{because}"]
    else:
        lacking = f"; later kernels lack {label.newest_reason}" if label.newest_reason else ""
        parts = [f"Linux {label.oldest_kernel} to {label.newest_kernel}{because}{lacking}"]
    if label.needs_btf:
        parts.append("kernel types (BTF)")
    parts += map(printable, label.kernel_options)
    return parts


def licence_values(
    label: Label, declared: str | None, reports: Mapping[str, AnalysisReport] | None = None
) -> list[str]:
    """What the package declares, what the kernel is told, and what disagrees with it.

    Args:
        declared: SPDX expression; ``None`` for a bare object.
        reports: by title of the object; ``None`` if only the label is at hand.
    """
    told = [kernel_licence_value(label)]
    if declared is None:
        return told
    from skep.cli.licence_rows import licence_rows

    first, *findings = licence_rows(declared, reports or {})
    return [first, *told, *findings]


def kernel_licence_value(label: Label) -> str:
    """The licence strings the kernel reads, and whether it insists on them."""
    if not label.licences:  # of an older version
        strings = [printable(each) for each in label.kernel_licences if each]
        return f"kernel: {', '.join(strings)}" if strings else "kernel: no licence string"
    texts = []
    for each in label.licences:
        if each.kernel_licence is None:
            text = "no licence string"
        else:
            words = {"compatible": "GPL-compatible", "not compatible": "not GPL-compatible"}
            state = words.get(each.state, each.state)
            text = f"{printable(each.kernel_licence)}, {printable(state)}"
        if each.needs_gpl:
            why = f" for {', '.join(map(printable, each.because[:2]))}" if each.because else ""
            text += f", as required{why}" if each.would_load else f", but GPL is required{why}"
        if each.would_load is False:
            text += ": the kernel will refuse it"
        texts.append(text)
    return f"kernel: {'; '.join(dict.fromkeys(texts))}"


def program_rows(label: Label) -> list[list[str]]:
    """Programs of bare objects with type and size; many of one type in one row."""
    if len(label.programs) <= _MOST_PROGRAMS:
        return [
            [
                each.name,
                each.program_type or "unknown type",
                counted(each.instructions, "instruction"),
            ]
            for each in label.programs
        ]
    by_type: dict[str, list[str]] = {}
    for each in label.programs:
        by_type.setdefault(each.program_type or "unknown type", []).append(each.name)
    return [[str(len(names)), kind, _names(names)] for kind, names in by_type.items()]


def _names(names: Iterable[str]) -> str:
    known = list(names)
    more = f" and {len(known) - _MOST_PROGRAMS} more" if len(known) > _MOST_PROGRAMS else ""
    return ", ".join(known[:_MOST_PROGRAMS]) + more
