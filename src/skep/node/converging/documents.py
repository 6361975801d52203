"""What the doctor finds, as a document; see :mod:`skep.node.looking.documents`."""

from collections.abc import Iterable

from skep.json_documents import schema_id
from skep.node.converging.findings import Finding


def findings_document(findings: Iterable[Finding]) -> dict[str, object]:
    """Findings, mended ones too."""
    return {
        "schema": schema_id("doctor"),
        "findings": [_finding_document(one) for one in findings],
    }


def _finding_document(finding: Finding) -> dict[str, object]:
    remedy = finding.remedy
    return {
        "kind": finding.kind,
        "subject": finding.subject,
        "text": finding.text,
        "is_information": finding.is_information,
        "remedy": None
        if remedy is None
        else {"text": remedy.text, "command": remedy.command or "skep doctor --repair"},
        "repaired": finding.repaired,
        "problem": finding.problem,
    }
