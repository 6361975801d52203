"""``skep doctor``: find what is not as it should be, and repair it."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, json_option, quiet_option


@click.command("doctor", cls=Command)
@click.option("--repair/--no-repair", default=True, help="Repair it.")
@json_option
@quiet_option
def command(*, repair: bool, json: bool, quiet: bool) -> None:
    """List what a crash or somebody else left behind, and repair it."""
    from skep.cli.nodes import require_root
    from skep.cli.repairing import examine

    run = invocation(json=json, quiet=quiet)
    require_root(run.environment)
    found = examine(run.environment, repair=repair)
    lines = [
        f"{'·' if one.is_information else '✓' if one.is_repaired else '✗'} {one.text}"
        for one in found
    ]
    run.output.emit(
        {
            "findings": [
                {
                    "what": one.text,
                    "is_repaired": one.is_repaired,
                    "is_information": one.is_information,
                }
                for one in found
            ]
        },
        lambda: lines or ["everything is as it should be"],
    )
    if any(not (one.is_repaired or one.is_information) for one in found):
        raise click.exceptions.Exit(1 if repair else 0)
