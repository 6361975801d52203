"""Rows about settings, kernel types, chains and other runtimes, beside a label's own.

Pure: a report gives lines of text. The layout around them is :mod:`skep.cli.rows`'s.
"""

from collections.abc import Iterable, Iterator, Sequence

from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.report_standing import Standard

_SHOWN = 4  # names in a line
_SHOWN_FIELDS = 6  # of structures, in a line
_RUNTIMES = {
    "ubpf": "uBPF",
    "rbpf": "rbpf",
    "bpftime": "bpftime",
    "windows": "Windows",
    "nic": "network cards",
}


def extra_rows(reports: Sequence[AnalysisReport]) -> Iterator[tuple[str, list[str]]]:
    """(name of the row, lines) for everything there is something to say about."""
    for name, lines_of in (
        ("Built", as_built_rows),
        ("Attaches", attach_rows),
        ("Types", type_rows),
        ("To set", to_set_rows),
        ("Chains", chain_rows),
        ("Runtimes", runtime_rows),
    ):
        lines = dict.fromkeys(line for report in reports for line in lines_of(report))
        if lines:
            yield name, list(lines)


def _listed(names: Iterable[str]) -> str:
    unique = list(dict.fromkeys(names))
    more = f" and {len(unique) - _SHOWN} more" if len(unique) > _SHOWN else ""
    return f"{', '.join(unique[:_SHOWN])}{more}"


def fields_text(fields: Sequence[str], count: int) -> str:
    """Fields of structures in brackets, by structure; empty if there are none.

    >>> fields_text(["task_struct.mm", "dentry.d_name", "task_struct.cred"], 6)
    '(task_struct: mm, cred; dentry: d_name and 3 more)'
    """
    by_structure: dict[str, list[str]] = {}
    for each in fields[:_SHOWN_FIELDS]:
        structure, _, field = each.partition(".")
        by_structure.setdefault(structure, [])
        if field:
            by_structure[structure].append(field)
    if not by_structure:
        return ""
    shown = "; ".join(
        f"{structure}: {', '.join(names)}" if names else structure
        for structure, names in by_structure.items()
    )
    more = count - min(len(fields), _SHOWN_FIELDS)
    return f"({shown}{f' and {more} more' if more > 0 else ''})"


def as_built_rows(report: AnalysisReport) -> list[str]:
    """What constants switch off, if they do."""
    built = report.as_built
    if built is None:
        return []
    lines = []
    if built.oldest_kernel != report.requirements.oldest_kernel:
        lines.append(f"Linux {built.oldest_kernel} or newer with the author's constants")
    left = {permission.id for permission in built.permissions}
    if left:
        lines.append(f"switched off by the author's constants: {_listed(sorted(left))}")
    if built.helpers and not left:
        lines.append(f"switched off by the author's constants: {_listed(built.helpers)}")
    return lines


def attach_rows(report: AnalysisReport) -> list[str]:
    """Targets the object names; a hook that is chosen later is no news."""
    named: dict[str, list[str]] = {}
    for target in report.requirements.attach:
        if target.name:
            named.setdefault(target.kind, []).append(target.name)
    return [f"to {kind} {_listed(names)}" for kind, names in named.items()]


def type_rows(report: AnalysisReport) -> list[str]:
    """What is read of the kernel's own structures, as far as the object names it."""
    needs = report.requirements
    if needs.needs_btf != "yes":
        return []
    asked = [f"{need.type}.{need.path}" if need.path else need.type for need in needs.core]
    return [_listed(asked)] if asked else []


def to_set_rows(report: AnalysisReport) -> list[str]:
    """What has to be said before it can be loaded."""
    return [
        f"{need.name}: {need.what}" if need.name else need.what
        for need in report.requirements.to_set
        if need.kind != "target"
    ]


def chain_rows(report: AnalysisReport) -> list[str]:
    """Each way of sharing a hook, with the first reason where a program is not fit."""
    by_standard: dict[str, list[Standard]] = {}
    for standard in report.standards:
        by_standard.setdefault(standard.standard, []).append(standard)
    lines = []
    for name, standards in by_standard.items():
        unfit = [standard for standard in standards if not standard.conforms]
        if not unfit:
            facts = dict.fromkeys(fact for standard in standards for fact in standard.facts)
            shown = f" ({', '.join(facts)})" if facts and len(standards) == 1 else ""
            lines.append(f"{name}: yes{shown}")
        elif len(standards) == 1:
            lines.append(f"{name}: no; {unfit[0].reasons[0]}")
        else:
            who = _listed(standard.program for standard in unfit)
            lines.append(f"{name}: no for {who}; {unfit[0].reasons[0]}")
    return lines


def runtime_rows(report: AnalysisReport) -> list[str]:
    """Runtimes that every program is a candidate for."""
    refused = {each.runtime for each in report.runtimes if not each.candidate}
    candidates = [
        name
        for runtime, name in _RUNTIMES.items()
        if runtime not in refused and any(each.runtime == runtime for each in report.runtimes)
    ]
    return [f"possibly {', '.join(candidates)} (untested)"] if candidates else []
