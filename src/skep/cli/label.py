"""The label: what was derived about a package, as people read it in one screen.

Severity is told by words and marks as well as by colour.
"""

import re
import shutil
from collections.abc import Iterable, Iterator

from skep.bytecode.analysis.report import AnalysisReport, Permission
from skep.cli.output import Output, human_bytes

_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3, "info": 4}
_COLOUR = {"critical": "red", "high": "yellow", "medium": "cyan", "low": "dim", "info": "dim"}
_WIDTH = 13  # of the left column


_STYLED = re.compile(r"\x1b\[[0-9;]*m")
_MOST_PROGRAMS = 6  # in a label; --json has them all
_NARROWEST = 40


def _visible(text: str) -> int:
    return len(_STYLED.sub("", text))


def _wrapped(text: str, width: int, hang: int) -> Iterator[str]:
    """Break between words; what follows a break is indented. Colours take no room."""
    line = ""
    for word in re.split(r"(?<=\S) (?=\S)", text):
        if line and _visible(line) + 1 + _visible(word) > width:
            yield line.rstrip()
            line = " " * hang + word
        else:
            line = f"{line} {word}" if line else word
    yield line


def field_lines(name: str, values: Iterable[str], hang: int = 2) -> Iterator[str]:
    """A name on the left, values below one another on the right, as wide as the terminal.

    Args:
        hang: columns by which the second and later lines of a long value are indented.
    """
    width = max(shutil.get_terminal_size().columns, _NARROWEST) - 2 - _WIDTH
    for value in values:
        for line in _wrapped(value, width, hang):
            yield f"  {name:<{_WIDTH}}{line}"
            name = ""


def label_lines(reports: dict[str, AnalysisReport], output: Output) -> Iterator[str]:
    """Everything the analysis of a package's objects found, most serious first."""
    yield from field_lines("program", program_lines(reports.values()))
    yield from field_lines("may", may_lines(reports.values(), output), hang=9)
    flags = [flag for report in reports.values() for flag in report.combinations]
    yield from field_lines(
        "attention",
        [output.style(f"{flag.text} ({', '.join(flag.because)})", "red") for flag in flags],
    )
    yield from field_lines("licence", [licence_line(reports.values())])
    yield from field_lines("needs", [needs_line(reports.values())])
    yield from field_lines("costs", [cost_line(reports.values())])
    remarks = [remark for report in reports.values() for remark in report.remarks]
    yield from field_lines("remarks", remarks)


def program_lines(reports: Iterable[AnalysisReport]) -> list[str]:
    """Programs, one a line; of many only the first ones and how many there are."""
    lines = []
    for report in reports:
        for program in report.programs:
            kind = program.program_type or "type unknown"
            lines.append(f"{program.name} ({kind}), {program.instructions} instructions")
    if len(lines) > _MOST_PROGRAMS + 1:
        left = len(lines) - _MOST_PROGRAMS
        lines = [*lines[:_MOST_PROGRAMS], f"… and {left} more (--json lists them)"]
    return lines


def may_lines(reports: Iterable[AnalysisReport], output: Output) -> list[str]:
    """Permissions as sentences, most serious first; what was excluded is not shown."""
    shown: dict[str, Permission] = {}
    for report in reports:
        for permission in report.permissions:
            if permission.confidence != "excluded":
                known = shown.get(permission.id)
                if known is None or known.confidence == "possible":
                    shown[permission.id] = permission
    ordered = sorted(shown.values(), key=lambda p: (_RANK.get(p.severity, 0), p.id))
    lines = []
    for permission in ordered:
        text = permission.text
        if permission.confidence == "possible":
            text = f"cannot be excluded: {text[0].lower()}{text[1:]}"
        severity = output.style(
            f"{permission.severity:<8}", _COLOUR.get(permission.severity, "red")
        )
        lines.append(f"{severity} {text}  {output.style(f'[{permission.id}]', 'dim')}")
    return lines or ["nothing that has a name"]


def short_permissions(reports: Iterable[AnalysisReport]) -> str:
    """Permissions in one line: ids, most serious first."""
    found = {
        (_RANK.get(permission.severity, 0), permission.id)
        for report in reports
        for permission in report.permissions
        if permission.confidence != "excluded"
    }
    return " · ".join(name for _, name in sorted(found)) or "nothing"


def licence_line(reports: Iterable[AnalysisReport]) -> str:
    """The licence strings the kernel reads."""
    texts = []
    for report in reports:
        declared = report.licence.kernel_licence
        state = report.licence.state.replace("-", " ")
        texts.append(f"kernel licence {declared!r} ({state})" if declared else "undeclared")
    return "; ".join(dict.fromkeys(texts))


def needs_line(reports: Iterable[AnalysisReport]) -> str:
    """The oldest kernel, and what in the code says so."""
    needed = max(
        (report.requirements for report in reports),
        key=lambda needs: tuple(int(part) for part in needs.oldest_kernel.split(".")),
    )
    reasons = [reason.what for reason in needed.reasons if reason.kernel == needed.oldest_kernel]
    because = f" ({'; '.join(dict.fromkeys(reasons[:2]))})" if reasons else ""
    return f"Linux {needed.oldest_kernel} or newer{because}"


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
