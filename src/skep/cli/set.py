"""``skep set``: change settings of what runs, live."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, YesOption, invocation


def command(
    name: Annotated[str, typer.Argument(help="Name of the deployment.")],
    settings: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", help="Settings.")],
    yes: YesOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Change settings of a deployment while it runs."""
    from skep.cli.assignments import parse_assignments
    from skep.cli.consenting import change_with_consent
    from skep.cli.nodes import this_node

    run = invocation(json=json, quiet=quiet)
    changes = parse_assignments(settings)
    with this_node(run.environment) as node:
        installed = change_with_consent(
            node, run, lambda answer: node.set(name, changes, answer), yes=yes
        )
    now = dict(installed.deployment.settings)
    shown = ", ".join(f"{key}={now.get(key, '(default)')}" for key in changes)
    run.output.emit({"name": name, "settings": now}, lambda: [f"{name}: {shown}, in force now"])
