"""``skep set``: change settings of what runs, live."""

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import (
    Command,
    argument,
    dry_run_option,
    json_option,
    quiet_option,
    yes_option,
)


@click.command(
    "set",
    cls=Command,
    examples=(
        "skep set ratelimiting rate=500/s",
        "skep set ratelimiting ports=80,443",
        "skep set ratelimiting --reset rate",
    ),
)
@argument("name", help="Name of the deployment.", shell_complete=live_names.deployment_names)
@argument(
    "settings",
    nargs=-1,
    metavar="NAME=VALUE...",
    help="Settings.",
    shell_complete=live_names.settings,
)
@click.option(
    "--reset",
    "resets",
    multiple=True,
    metavar="NAME",
    help="Take a setting back to its default, or to no value if it has none. May be repeated.",
    shell_complete=live_names.chosen_settings,
)
@yes_option
@dry_run_option
@json_option
@quiet_option
def command(
    *,
    name: str,
    settings: tuple[str, ...],
    resets: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Change settings of a deployment while it runs."""
    from skep.cli.assignments import parse_changes
    from skep.cli.changing import done_text, emit_change
    from skep.cli.consenting import change_with_consent, show_needs
    from skep.cli.nodes import this_node
    from skep.errors import UsageError
    from skep.node.deploying.documents import set_document

    run = invocation(json=json, quiet=quiet)
    changes = parse_changes(settings, resets)
    if not changes:
        raise UsageError("expected NAME=VALUE or --reset NAME, got neither", hint="skep help set")
    with this_node(run.environment) as node:
        if dry_run:
            changed = node.foresee_set(name, changes)
        else:
            changed = change_with_consent(
                node, run, lambda answer: node.set(name, changes, answer), yes=yes
            )
    if yes or dry_run:
        show_needs(changed.plan.needs, run)
    now = dict(changed.deployment.settings)
    shown = ", ".join(
        f"{key} reset" if text is None else f"{key}={now.get(key, '(default)')}"
        for key, text in changes.items()
    )
    text = f"{name}: {shown}, {done_text(changed, 'in force now', 'would be in force')}"
    emit_change(run.output, changed, set_document(changed), text, done=text)
