"""Labels: what a listing shows of the reports of a package, all its objects together."""

from collections.abc import Mapping

from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.taxonomy import SEVERITIES
from skep.versions import KernelVersion


def label(reports: Mapping[str, AnalysisReport]) -> dict[str, object]:
    """Summarise reports, schema ``skep.label/v1``.

    A permission is listed once, with its highest severity and surest confidence; the oldest
    kernel is the newest that any object asks for.
    """
    permissions: dict[str, dict[str, object]] = {}
    for report in reports.values():
        for permission in report.permissions:
            entry = permissions.setdefault(
                permission.id,
                {
                    "id": permission.id,
                    "text": permission.text,
                    "severity": permission.severity,
                    "confidence": permission.confidence,
                },
            )
            if _rank(permission.severity) > _rank(str(entry["severity"])):
                entry["severity"] = permission.severity
            if permission.confidence == "declared":
                entry["confidence"] = "declared"
    return {
        "schema": "skep.label/v1",
        "permissions": sorted(
            permissions.values(), key=lambda entry: (-_rank(str(entry["severity"])), entry["id"])
        ),
        "programs": [
            {"name": program.name, "program_type": program.program_type}
            for report in reports.values()
            for program in report.programs
        ],
        "oldest_kernel": str(
            max(
                (
                    KernelVersion.parse(report.requirements.oldest_kernel)
                    for report in reports.values()
                ),
                default=KernelVersion(0, 0),
            )
        ),
        "kernel_licences": sorted(
            {report.licence.kernel_licence or "" for report in reports.values()}
        ),
        "gpl_compatible": all(report.licence.gpl_compatible is True for report in reports.values()),
        "instructions": sum(report.cost.instructions for report in reports.values()),
        "map_bytes": sum(report.cost.map_bytes for report in reports.values()),
        "map_bytes_per_cpu": sum(report.cost.map_bytes_per_cpu for report in reports.values()),
    }


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
