"""``skep remove``: take a deployment away; the others run on."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option


@click.command("remove", cls=Command)
@argument("name", help="Name of the deployment.")
@json_option
@quiet_option
def command(*, name: str, json: bool, quiet: bool) -> None:
    """Take a deployment away; the other programs of its chain run on."""
    from skep.cli.interrupts import deferred_interrupts
    from skep.cli.nodes import this_node

    run = invocation(json=json, quiet=quiet)
    with this_node(run.environment) as node, deferred_interrupts():
        removed = node.remove(name)
    run.output.emit(
        {"name": name, "on": str(removed.on)}, lambda: [f"removed {name} from {removed.on}"]
    )
