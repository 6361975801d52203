"""What ``skep doctor`` found, as lines for people."""

from collections.abc import Sequence

from skep.cli.output import Output, counted
from skep.node.converging.findings import Finding


def finding_lines(output: Output, findings: Sequence[Finding]) -> list[str]:
    """Findings one below the other, and how many there are of each sort."""
    if not findings:
        return ["no problems found"]
    lines = [line for finding in findings for line in _lines(output, finding)]
    return [*lines, summary(findings)]


def _lines(output: Output, finding: Finding) -> list[str]:
    if finding.is_information:
        return [f"· {finding.text}"]
    if finding.repaired:
        return [f"{output.style('✓', 'green')} {finding.text}", f"  done: {finding.repaired}"]
    lines = [f"{output.style('!', 'red', 'bold')} {finding.text}"]
    if finding.problem:
        lines.append(f"  could not be repaired: {finding.problem}")
    elif finding.remedy is not None:
        command = finding.remedy.command or "skep doctor --repair"
        lines.append(f"  fix: {output.style(command, 'cyan')}   ({finding.remedy.text})")
    return lines


def summary(findings: Sequence[Finding]) -> str:
    """How many findings there are of each sort."""
    repaired = sum(bool(finding.repaired) for finding in findings)
    open_ = sum(finding.is_open for finding in findings)
    known = sum(finding.is_information for finding in findings)
    parts = [f"{repaired} repaired"] if repaired else []
    if open_:
        parts.append(f"{counted(open_, 'problem')} to fix")
    if known:
        parts.append(counted(known, "note"))
    return ", ".join(parts)
