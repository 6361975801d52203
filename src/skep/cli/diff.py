"""``skep diff``: what changed between two object files or packages."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation


def command(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Object file or package.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Object file or package.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say what changed in what two versions may do, need and cost.

    The exit code is 0 whether or not they differ; --json says under "differs" and
    "consent_required".
    """
    from skep.bytecode.analysis.diffing import compare
    from skep.cli.differing import diff_lines
    from skep.cli.subjects import find_subject
    from skep.errors import UsageError

    run = invocation(json=json, quiet=quiet)
    before = find_subject(old, run.environment)
    after = find_subject(new, run.environment)
    old_reports, new_reports = before.reports(), after.reports()
    if len(old_reports) == len(new_reports) == 1:
        pairs = [(*old_reports.values(), *new_reports.values())]
        titles = [*new_reports]
    elif old_reports.keys() == new_reports.keys():
        titles = [*new_reports]
        pairs = [(old_reports[title], new_reports[title]) for title in titles]
    else:
        raise UsageError(
            f"expected the same object files in both, got {', '.join(old_reports)} "
            f"and {', '.join(new_reports)}",
            hint="compare the object files one by one",
        )
    found = {
        title: compare(first, second) for title, (first, second) in zip(titles, pairs, strict=True)
    }
    document = {
        "schema": "skep.diff/v1",
        "old": dict(before.document),
        "new": dict(after.document),
        "differs": any(not each.is_empty for each in found.values()),
        "consent_required": any(each.consent_required for each in found.values()),
        "objects": {title: each.to_document() for title, each in found.items()},
    }
    run.output.emit(document, lambda: diff_lines(found, run.output))
