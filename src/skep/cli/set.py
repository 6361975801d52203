"""``skep set``: change settings of what runs, live."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation


def command(
    name: Annotated[str, typer.Argument(help="Name of the deployment.")],
    settings: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Settings.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Change settings of a deployment while it runs."""
    from skep.cli.assignments import parse_assignments
    from skep.cli.interrupts import deferred_interrupts
    from skep.cli.nodes import this_node

    run = invocation(json=json, quiet=quiet)
    changes = parse_assignments(settings)
    with this_node(run.environment) as node, deferred_interrupts():
        installed = node.set(name, changes)
    now = dict(installed.deployment.settings)
    shown = ", ".join(f"{key}={now.get(key, '(default)')}" for key in changes)
    run.output.emit({"name": name, "settings": now}, lambda: [f"{name}: {shown}, in force now"])
