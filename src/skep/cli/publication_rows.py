"""What ``skep publish`` prints: the plan, and what a review said."""

from collections.abc import Iterator

from skep.cli.output import counted, human_bytes
from skep.cli.publishing import PublishPlan
from skep.cli.rows import column_lines, field_lines
from skep.cli.surfaces import Surface, wrapped
from skep.errors import codes
from skep.json_documents import schema_id
from skep.marketplace.vetting.verdicts import ReviewFinding, ReviewVerdict
from skep.packages.client.surveying import Step

_STEPS: dict[Step, str] = {
    "publish": "would publish",
    "add signatures": "would add signatures to",
    "unchanged": "unchanged:",
    "conflict": "cannot publish",
}
_INDENT = " " * len("warning: ")
_MOST_VERSIONS = 5
_MOST_PROBLEMS = 3


def plan_lines(plan: PublishPlan, surface: Surface) -> Iterator[str]:
    """What would be pushed, what is there, and what the review says."""
    survey = plan.survey
    what = _STEPS[survey.step] if plan.obstacle is None else _STEPS["conflict"]
    yield surface.style(
        f"{what} {survey.package}:{survey.version}  {surface.digest(str(survey.digest))}", "bold"
    )
    yield f"at {plan.marketplace}"
    yield ""
    parts = [
        [each.title, human_bytes(each.size_bytes), "already there" if each.is_there else "new"]
        for each in survey.uploads
    ]
    yield from column_lines("Push", parts, surface)
    versions = [str(each.version) for each in survey.versions]
    rest = len(versions) - _MOST_VERSIONS
    more = f" and {rest} more" if rest > 0 else ""
    listed = ", ".join(versions[:_MOST_VERSIONS]) + more
    yield from field_lines("Versions", [listed or "none yet"], surface)
    yield from field_lines("Review", review_values(plan.verdict, surface), surface)
    if plan.obstacle is not None:
        yield from field_lines("Refused", [plan.obstacle.message], surface)
    yield ""
    yield "dry run: nothing was pushed"


def review_values(verdict: ReviewVerdict, surface: Surface) -> Iterator[str]:
    """The outcome, and each rule that was not kept with what it means."""
    errors, warnings = len(verdict.errors), len(verdict.warnings)
    found = [counted(errors, "error")] if errors else []
    found += [counted(warnings, "warning")] if warnings else []
    asked = f"{counted(len(verdict.rule_ids), 'rule')} checked on this machine"
    yield f"{verdict.outcome}: {', '.join(found) or 'no findings'}; {asked}"
    for finding in (*verdict.errors, *verdict.warnings):
        colour = "red" if finding.severity == "error" else "yellow"
        yield surface.style(f"{finding.severity}: ", colour) + _told(finding, surface)


def warning_texts(verdict: ReviewVerdict, surface: Surface) -> Iterator[str]:
    """Warnings of a marketplace's review, each with what its rule demands."""
    for finding in verdict.warnings:
        first, *further = wrapped(
            _told(finding, surface),
            surface.width and surface.width - len(_INDENT),
        )
        yield "\n".join([first, *(_INDENT + line for line in further)])


def _told(finding: ReviewFinding, surface: Surface) -> str:
    """What was found, and what the rule demands."""
    shown = finding.problems if surface.is_whole else finding.problems[:_MOST_PROBLEMS]
    more = len(finding.problems) - len(shown)
    text = "; ".join(shown) + (f"; and {more} more" if more else "")
    return f"{finding.rule_id}: {text}. {finding.remediation}".rstrip()


def plan_document(plan: PublishPlan) -> dict[str, object]:
    """The document of ``skep publish --dry-run --json``."""
    survey, obstacle = plan.survey, plan.obstacle
    return {
        "schema": schema_id("publish-plan"),
        "package": survey.package,
        "version": str(survey.version),
        "digest": str(survey.digest),
        "marketplace": plan.marketplace.url,
        "step": survey.step,
        "uploads": [
            {
                "title": each.title,
                "digest": str(each.digest),
                "size_bytes": each.size_bytes,
                "is_there": each.is_there,
            }
            for each in survey.uploads
        ],
        "versions": [
            {"version": str(each.version), "digest": str(each.digest)} for each in survey.versions
        ],
        "verdict": plan.verdict.to_document(),
        "obstacle": None
        if obstacle is None
        else {
            "family": obstacle.family,
            "message": obstacle.message,
            "hint": obstacle.hint,
            "exit_code": codes(obstacle).exit_code,
        },
    }
