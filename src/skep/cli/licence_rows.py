"""Rows of a label about licences: the class, the restrictive label, and what disagrees.

In a module of its own because the list of licences takes long to import; only for packages, which
declare a licence. Pure: values give lines of text.
"""

from collections.abc import Mapping
from contextlib import suppress

from skep.bytecode.analysis.report import AnalysisReport
from skep.packages.licence_classes import classify_licence, licence_findings
from skep.packages.licences import UnknownLicence


def class_line(declared: str) -> str:
    """The SPDX expression ``declared``, its class, and whether that is a restrictive one."""
    try:
        found = classify_licence(declared)
    except UnknownLicence as error:
        return f"{declared}: {error.message}"
    label = "restrictive" if found.is_restrictive else "not restrictive"
    exceptions = f"; with exception {', '.join(found.exceptions)}" if found.exceptions else ""
    return f"{found.expression}  ({found.name.replace('-', ' ')}, {label}{exceptions})"


def licence_rows(declared: str, reports: Mapping[str, AnalysisReport]) -> list[str]:
    """What is declared, what that means, and every finding about an object.

    Args:
        declared: the SPDX expression of the package.
        reports: by title of the object.
    """
    lines = [class_line(declared)]
    with suppress(UnknownLicence):  # the line above says so
        for title, report in reports.items():
            lines += [
                f"{finding.severity}: {title}: {finding.text}"
                for finding in licence_findings(declared, report.licence)
            ]
    return lines


def licence_facts(declared: str, reports: Mapping[str, AnalysisReport]) -> dict[str, object]:
    """The same as a document: expression, class, label, findings by title of the object."""
    try:
        found = classify_licence(declared)
    except UnknownLicence:
        return {"declared": declared, "class": "unknown", "restrictive": True, "findings": {}}
    return {
        "declared": found.expression,
        "class": found.name,
        "restrictive": found.is_restrictive,
        "findings": {
            title: [
                {"severity": finding.severity, "text": finding.text}
                for finding in licence_findings(declared, report.licence)
            ]
            for title, report in reports.items()
        },
    }
