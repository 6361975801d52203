"""Whether an object fits a kernel of which nothing but the version is known."""

from collections.abc import Iterator

from skep.bytecode.analysis.fit_findings import LEVELS, FitFinding, KernelFit
from skep.bytecode.analysis.helper_needs import NEWEST_KNOWN
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.report_needs import Reason
from skep.versions import KernelVersion


def fit_to_version(
    report: AnalysisReport, version: KernelVersion, *, vendor: str = ""
) -> KernelFit:
    """Compare what ``report`` says with the version of a kernel.

    Args:
        vendor: whose kernel it is, if features may be in it that its version does not tell.
    """
    needs = report.requirements
    findings = list(_refusals(report))
    lacking = [reason for reason in needs.reasons if version < KernelVersion.parse(reason.kernel)]
    level = "unknown" if vendor else "no"
    findings += [
        _of_reason(reason, level, f"{reason.what} needs Linux {reason.kernel}")
        for reason in lacking
    ]
    if not lacking and version < KernelVersion.parse(needs.oldest_kernel):
        findings.append(FitFinding(level=level, what=f"it needs Linux {needs.oldest_kernel}"))
    if vendor and any(finding.level == "unknown" for finding in findings):
        what = f"cannot tell from the version: {vendor} backports features; give its BTF"
        findings.append(FitFinding(level="unknown", what=what))
    findings += [
        FitFinding(
            level="no",
            what=f"{limit.what} is not in kernels after Linux {limit.kernel}",
            program=limit.program,
            function=limit.function,
            slot=limit.slot,
        )
        for limit in needs.newest_reasons
        if version > KernelVersion.parse(limit.kernel)
    ]
    for what in needs.unknown_first_kernels:
        if what.startswith("helper ") and version <= KernelVersion(*NEWEST_KNOWN):
            findings.append(FitFinding(level="no", what=f"no known kernel has {what}"))
        elif not what.startswith("instruction "):
            findings.append(
                FitFinding(level="warning", what=f"the first kernel with {what} is unknown")
            )
    for reason in needs.optional:
        if version < KernelVersion.parse(reason.kernel):
            what = f"{reason.what} needs Linux {reason.kernel}; may be missing ({reason.optional})"
            findings.append(_of_reason(reason, "note", what))
    if needs.needs_btf == "yes":
        findings.append(
            FitFinding(
                level="note",
                what="fields and targets are not checked: give BTF instead of a version",
            )
        )
    ordered = sorted(findings, key=lambda finding: LEVELS.index(finding.level))
    return KernelFit(basis="version", findings=tuple(ordered))


def _refusals(report: AnalysisReport) -> Iterator[FitFinding]:
    """What no kernel loads, whatever its version."""
    for refusal in report.requirements.refused:
        hint = f"; {refusal.hint}" if refusal.hint else ""
        yield FitFinding(
            level="no",
            what=f"no kernel loads it: {refusal.what}{hint}",
            program=refusal.program,
            function=refusal.function,
            slot=refusal.slot,
        )
    if report.licence.would_load is False:
        yield FitFinding(level="no", what="its licence string is not compatible with the GPL")


def _of_reason(reason: Reason, level: str, what: str) -> FitFinding:
    return FitFinding(
        level=level,
        what=what,
        program=reason.program,
        function=reason.function,
        slot=reason.slot,
    )
