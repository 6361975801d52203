"""``skep diff``: what changed between two versions, and whether consent must be asked again."""

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option, verbose_option


@click.command(
    "diff",
    cls=Command,
    examples=(
        "skep diff skep/ratelimiting:1.0.0 skep/ratelimiting:1.1.0",
        "skep diff old.bpf.o new.bpf.o",
    ),
)
@argument(
    "old",
    metavar="A",
    help="Object file or package: before.",
    shell_complete=live_names.files_and_packages,
)
@argument(
    "new",
    metavar="B",
    help="Object file or package: after.",
    shell_complete=live_names.files_and_packages,
)
@json_option
@quiet_option
@verbose_option
def command(*, old: str, new: str, json: bool, quiet: bool, verbose: bool) -> None:
    """Show what changed between two object files or packages.

    Compares permissions, needs, maps, licence and cost. Exits with 0 whether or not they differ.
    """
    from skep.cli.differences import Comparison, difference_document, difference_lines
    from skep.cli.subjects import find_subject

    run = invocation(json=json, quiet=quiet, verbose=verbose)
    before = find_subject(old, run.environment)
    after = find_subject(new, run.environment)
    comparison = Comparison.of(before.reports(), after.reports())
    run.output.emit(
        difference_document(before.document, after.document, comparison),
        lambda: difference_lines((before.title, after.title), comparison, run.output),
    )
