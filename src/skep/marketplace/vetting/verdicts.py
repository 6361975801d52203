"""Verdicts: what a review found, in a form that people and programs read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from skep.packages.fields import Fields
from skep.packages.names import one_line

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

    @property
    def explanation(self) -> str:
        """What the rule demands and what to do."""
        return f"{self.text} {self.remediation}".strip()

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
    def warnings(self) -> tuple[ReviewFinding, ...]:
        """The findings that refuse nothing."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def explained(self) -> str:
        """All findings for people, errors first, each with what its rule demands."""
        lines = []
        for finding in (*self.errors, *self.warnings):
            mark = "warning: " if finding.severity == "warning" else ""
            lines += [f"{mark}{finding}", f"  {finding.explanation}"]
        return "\n".join(lines)

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


_MOST_FINDINGS = 200


def read_verdict(document: Mapping[str, object]) -> ReviewVerdict:
    """Read what a marketplace's review said; what is not understood is left out.

    The marketplace may be of another version, and its texts are a stranger's: they become printable
    lines, and a severity that is not known is a warning.
    """
    fields = Fields(document)
    findings = tuple(
        ReviewFinding(
            rule_id=_line(finding, "rule"),
            severity="error" if _line(finding, "severity") == "error" else "warning",
            text=_line(finding, "text"),
            remediation=_line(finding, "remediation"),
            problems=tuple(map(one_line, finding.texts("problems", "texts", lambda _: True))),
        )
        for finding in fields.tables("findings", _MOST_FINDINGS)
    )
    rules = fields.texts("rules", "texts", lambda _: True, required=False)
    return ReviewVerdict(findings, tuple(map(one_line, rules)))


def _line(fields: Fields, key: str) -> str:
    return one_line(fields.text(key, "a text", lambda _: True, required=False))
