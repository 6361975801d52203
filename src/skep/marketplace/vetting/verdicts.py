"""Verdicts: what a review found, in a form that people and programs read."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
Outcome = Literal["accepted", "refused"]
_MOST_PROBLEMS = 20  # told per rule; a hostile package could have thousands


@dataclass(frozen=True, slots=True)
class ReviewFinding:
    """A rule that was not kept.

    Attributes:
        rule_id: of the rule.
        severity: ``error`` refuses, ``warning`` is shown.
        text: what the rule demands.
        remediation: what to do about it.
        problems: what was found, each with its place.
    """

    rule_id: str
    severity: Severity
    text: str
    remediation: str
    problems: tuple[str, ...]

    def to_document(self) -> dict[str, object]:
        """As JSON; at most 20 problems are listed."""
        return {
            "rule": self.rule_id,
            "severity": self.severity,
            "text": self.text,
            "remediation": self.remediation,
            "problems": list(self.problems[:_MOST_PROBLEMS]),
            "problem_count": len(self.problems),
        }

    def __str__(self) -> str:
        return f"{self.rule_id}: {'; '.join(self.problems[:_MOST_PROBLEMS])}"


@dataclass(frozen=True, slots=True)
class ReviewVerdict:
    """The outcome of a review, explained.

    Attributes:
        findings: rules that were not kept, in the order of the rules.
        rule_ids: all rules that were asked.
    """

    findings: tuple[ReviewFinding, ...]
    rule_ids: tuple[str, ...]

    @property
    def errors(self) -> tuple[ReviewFinding, ...]:
        """The findings that refuse."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def outcome(self) -> Outcome:
        """``refused`` if any finding is an error, else ``accepted``."""
        return "refused" if self.errors else "accepted"

    def to_document(self) -> dict[str, object]:
        """As JSON, schema ``skep.verdict/v1``."""
        return {
            "schema": "skep.verdict/v1",
            "outcome": self.outcome,
            "rules": list(self.rule_ids),
            "findings": [finding.to_document() for finding in self.findings],
        }
