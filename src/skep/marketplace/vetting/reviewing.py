"""The review: applies every rule and reports every finding."""

from collections.abc import Sequence

from skep.marketplace.vetting.rules import Rule
from skep.marketplace.vetting.submissions import Submission
from skep.marketplace.vetting.verdicts import ReviewFinding, ReviewVerdict


def review(submission: Submission, rules: Sequence[Rule]) -> ReviewVerdict:
    """Ask all rules; the same submission and rules always give the same verdict."""
    findings: list[ReviewFinding] = []
    for rule in rules:
        problems = tuple(rule.check(submission))
        if problems:
            findings.append(
                ReviewFinding(rule.rule_id, rule.severity, rule.text, rule.remediation, problems)
            )
    return ReviewVerdict(tuple(findings), tuple(rule.rule_id for rule in rules))
