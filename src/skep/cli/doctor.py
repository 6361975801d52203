"""``skep doctor``: find what is not as it should be, and repair it."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation


def command(
    repair: Annotated[bool, typer.Option("--repair/--no-repair", help="Repair it.")] = True,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
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
        raise typer.Exit(1 if repair else 0)
