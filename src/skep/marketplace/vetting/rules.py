"""Rules: data with a check; a marketplace is a choice of them.

A rule's identifier never changes its meaning: verdicts, publishers' scripts and documentation
refer to it. A stricter rule is a new rule.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from skep.bytecode.analysis.taxonomy import PERMISSIONS
from skep.json_documents import MalformedDocument, parse_table
from skep.marketplace.vetting.comparing import differences
from skep.marketplace.vetting.submissions import Submission
from skep.marketplace.vetting.verdicts import Severity
from skep.packages.content import REPORT_TITLE
from skep.packages.licence_classes import licence_findings
from skep.packages.licences import UnknownLicence, check_licence
from skep.packages.obstacles import ObstacleKind

Check = Callable[[Submission], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement for packages.

    Attributes:
        rule_id: stable name.
        severity: ``error`` refuses, ``warning`` is shown.
        text: what is demanded, one sentence.
        remediation: what a publisher does about it, one sentence.
        check: gives every way in which a submission is not so; pure.
    """

    rule_id: str
    severity: Severity
    text: str
    remediation: str
    check: Check


def _unsigned(submission: Submission) -> Iterable[str]:
    if submission.evidence is None:
        yield "it is not signed"
    elif submission.evidence.kind != "key":
        yield "nobody verified its signature"


def _unreadable(submission: Submission) -> Iterable[str]:
    for name, reason in submission.unreadable.items():
        yield f"{name}: {reason}"


def _other_label(submission: Submission) -> Iterable[str]:
    try:
        packaged = parse_table(submission.content.report, REPORT_TITLE)
    except MalformedDocument as error:
        yield error.message
        return
    derived = {name: report.to_document() for name, report in submission.reports.items()}
    yield from differences(packaged, derived)


def _unknown_licence(submission: Submission) -> Iterable[str]:
    try:
        check_licence(submission.content.metadata.licence)
    except UnknownLicence as error:
        yield error.message


def _licences_differ(submission: Submission) -> Iterable[str]:
    declared = submission.content.metadata.licence
    for name, report in submission.reports.items():
        try:
            findings = licence_findings(declared, report.licence)
        except UnknownLicence:
            return  # licence-valid says so
        if any(finding.finding_id == "kernel-refuses" for finding in findings):
            continue  # kernel-licence says so
        for finding in findings:
            if finding.finding_id in {"declared-differs", "misdeclared", "kernel-string"}:
                yield f"{name}: {finding.text}"


def _would_not_load(submission: Submission) -> Iterable[str]:
    for name, report in submission.reports.items():
        facts = report.licence
        if facts.needs_gpl and facts.gpl_compatible is not True:
            needs = [helper.name for helper in facts.gpl_only_helpers]
            needs += facts.gpl_only_reasons
            yield (
                f"{name}: its kernel licence is {facts.kernel_licence or 'missing'!r}, but "
                f"{', '.join(needs)} may be used by GPL-compatible programs only"
            )


def _unclassified(submission: Submission) -> Iterable[str]:
    for name, report in submission.reports.items():
        for permission in report.permissions:
            if permission.id == "unknown" or permission.id not in PERMISSIONS:
                where = "; ".join(evidence.what for evidence in permission.evidence[:3])
                yield f"{name}: {permission.text}{f' ({where})' if where else ''}"


def _missing_programs(submission: Submission) -> Iterable[str]:
    if submission.unreadable:
        return  # said already, and nobody knows what those hold
    there = [program.name for report in submission.reports.values() for program in report.programs]
    for program in submission.content.metadata.programs:
        count = there.count(program.name)
        if count != 1:
            yield f"expected the program {program.name} in one object file, it is in {count}"


def _incomplete(submission: Submission) -> Iterable[str]:
    metadata = submission.content.metadata
    if not metadata.categories:
        yield "skep.toml names no categories"
    if not submission.content.readme.strip():
        yield "there is no README.md"
    for setting in metadata.settings:
        if not setting.help:
            yield f"the setting {setting.name} has no help"
    yield from metadata.warnings


_ABOUT_OBJECTS = frozenset({"metadata", "contradiction"})


def _obstacles(submission: Submission, kinds: Collection[ObstacleKind]) -> Iterable[str]:
    for obstacle in submission.obstacles:
        # While an object cannot be read, nobody knows which maps there are.
        is_sure = obstacle.kind not in _ABOUT_OBJECTS or not submission.unreadable
        if obstacle.kind in kinds and is_sure:
            yield obstacle.advice


def _nowhere_installable(submission: Submission) -> Iterable[str]:
    return _obstacles(submission, {"licence", "metadata", "size"})


def _contradictory(submission: Submission) -> Iterable[str]:
    return _obstacles(submission, {"contradiction"})


def _unloadable(submission: Submission) -> Iterable[str]:
    return _obstacles(submission, {"code"})


def _not_yet_installable(submission: Submission) -> Iterable[str]:
    return _obstacles(submission, {"nested"})


def _no_sources(submission: Submission) -> Iterable[str]:
    if not submission.content.sources:
        yield "the package holds no sources"


STANDARD_RULES: tuple[Rule, ...] = (
    Rule(
        "signature",
        "error",
        "The package is signed by a key of its publisher.",
        "Sign it with a registered key: skep sign.",
        _unsigned,
    ),
    Rule(
        "object-readable",
        "error",
        "Every object file is an eBPF object that can be read as a whole.",
        "Compile it again with skep build.",
        _unreadable,
    ),
    Rule(
        "label-matches",
        "error",
        "The packaged report matches the bytecode.",
        "Build the package again with the marketplace's version of Skep.",
        _other_label,
    ),
    Rule(
        "programs-present",
        "error",
        "Every program of skep.toml is in exactly one object file.",
        "Correct the name in [[program]], or the function's.",
        _missing_programs,
    ),
    Rule(
        "licence-valid",
        "error",
        "The licence is an SPDX expression of listed licences.",
        "Use identifiers of spdx.org/licenses; LicenseRef-… names one of your own.",
        _unknown_licence,
    ),
    Rule(
        "kernel-licence",
        "error",
        "Only GPL-compatible programs use what the kernel reserves for them.",
        'Declare a kernel licence such as "GPL" or "Dual BSD/GPL", or do not use it.',
        _would_not_load,
    ),
    Rule(
        "licence-agrees",
        "warning",
        "The declared licence does not contradict the one in the object.",
        "Correct the licence in skep.toml or the licence string in the source.",
        _licences_differ,
    ),
    Rule(
        "permissions-known",
        "error",
        "Everything the programs may do has a name in the permissions table.",
        "Ask the marketplace's owner for a review by a person.",
        _unclassified,
    ),
    Rule(
        "installable",
        "error",
        "Nodes have everything they need to load the programs.",
        "Fix each finding in the source or in skep.toml, and build again.",
        _nowhere_installable,
    ),
    Rule(
        "consistent",
        "error",
        "skep.toml and the object files do not contradict each other.",
        "Correct what each finding names, and build again.",
        _contradictory,
    ),
    Rule(
        "loadable",
        "error",
        "No program has code that every kernel refuses.",
        "Correct what each finding names, and build again.",
        _unloadable,
    ),
    Rule(
        "nodes-can-load",
        "warning",
        "Nodes of this version can make the maps.",
        "Fill maps of maps and program arrays from user space, or wait.",
        _not_yet_installable,
    ),
    Rule(
        "metadata-complete",
        "warning",
        "People can find the package and learn what it is for.",
        "Add what is missing to skep.toml and README.md.",
        _incomplete,
    ),
    Rule(
        "sources-present",
        "warning",
        "The package contains its sources, so that anyone can rebuild it.",
        "Name them in [build] sources and build with skep build.",
        _no_sources,
    ),
)
"""What a public marketplace with automatic review asks."""
