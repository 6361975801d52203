"""``skep set``: change settings of what runs, live."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option, yes_option


@click.command("set", cls=Command)
@argument("name", help="Name of the deployment.")
@argument("settings", nargs=-1, required=True, metavar="NAME=VALUE...", help="Settings.")
@yes_option
@json_option
@quiet_option
def command(*, name: str, settings: tuple[str, ...], yes: bool, json: bool, quiet: bool) -> None:
    """Change settings of a deployment while it runs."""
    from skep.cli.assignments import parse_assignments
    from skep.cli.consenting import change_with_consent
    from skep.cli.nodes import this_node
    from skep.node.deploying.documents import set_document

    run = invocation(json=json, quiet=quiet)
    changes = parse_assignments(settings)
    with this_node(run.environment) as node:
        installed = change_with_consent(
            node, run, lambda answer: node.set(name, changes, answer), yes=yes
        )
    now = dict(installed.deployment.settings)
    shown = ", ".join(f"{key}={now.get(key, '(default)')}" for key in changes)
    done = f"{name}: {shown}, in force now"
    run.output.emit(set_document(installed), lambda: [done], done=done)
