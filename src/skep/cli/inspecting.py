"""``skep inspect`` without options: the label, and everything else that is known of a subject."""

from collections.abc import Iterator, Mapping

from skep.bytecode.analysis.label import Label, label_of
from skep.bytecode.analysis.report import AnalysisReport
from skep.cli.label import program_rows, report_lines
from skep.cli.metadata_rows import metadata_document, metadata_lines
from skep.cli.output import Output
from skep.cli.rows import column_lines
from skep.cli.subjects import Inspected
from skep.cli.surfaces import Surface
from skep.json_documents import schema_id


def inspect_subject(subject: Inspected, output: Output) -> None:
    """Print the label with its reports, derived now from the bytes."""
    reports = subject.reports()
    label = label_of(reports)
    document: dict[str, object] = {"schema": schema_id("inspect"), **subject.document}
    if subject.licence is not None:
        from skep.cli.licence_rows import licence_facts

        document["licence"] = licence_facts(subject.licence, reports)
    document["reports"] = {name: report.to_document() for name, report in reports.items()}
    document["label"] = label.to_document()
    document |= _said(subject, label)
    output.emit(document, lambda: inspection_lines(subject, reports, output.surface()))


def inspection_lines(
    subject: Inspected, reports: Mapping[str, AnalysisReport], surface: Surface
) -> Iterator[str]:
    """The same for people."""
    name, _, summary = subject.heading.partition("  ")
    yield surface.style(name, "bold")
    if summary:
        yield summary
    yield ""
    yield from report_lines(reports, surface, declared=subject.licence)
    yield ""
    if subject.metadata is not None:
        yield from metadata_lines(subject.metadata, surface)
    else:
        yield from column_lines("Programs", program_rows(label_of(reports)), surface)


def _said(subject: Inspected, label: Label) -> dict[str, object]:
    if subject.metadata is not None:
        return metadata_document(subject.metadata)
    programs = [{"name": each.name, "hook": None, "run_on": None} for each in label.programs]
    return {"programs": programs, "settings": [], "metrics": []}
