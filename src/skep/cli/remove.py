"""``skep remove``: take a deployment away; the others run on."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation


def command(
    name: Annotated[str, typer.Argument(help="Name of the deployment.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Take a deployment away; the other programs of its chain run on."""
    from skep.cli.interrupts import deferred_interrupts
    from skep.cli.nodes import this_node

    run = invocation(json=json, quiet=quiet)
    with this_node(run.environment) as node, deferred_interrupts():
        removed = node.remove(name)
    run.output.emit(
        {"name": name, "on": str(removed.on)}, lambda: [f"removed {name} from {removed.on}"]
    )
