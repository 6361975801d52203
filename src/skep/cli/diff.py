"""``skep diff``: what changed between two versions, and whether consent must be asked again."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, VerboseOption, invocation


def command(
    old: Annotated[str, typer.Argument(metavar="A", help="Object file or package: before.")],
    new: Annotated[str, typer.Argument(metavar="B", help="Object file or package: after.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Say what changed in permissions, needs, maps, licence and cost. Exits 0 either way."""
    from skep.cli.differences import Comparison, difference_document, difference_lines
    from skep.cli.subjects import find_subject

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    before = find_subject(old, run.environment)
    after = find_subject(new, run.environment)
    comparison = Comparison.of(before.reports(), after.reports())
    run.output.emit(
        difference_document(before.document, after.document, comparison),
        lambda: difference_lines((before.heading, after.heading), comparison, run.output),
    )
