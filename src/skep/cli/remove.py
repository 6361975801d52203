"""``skep remove``: take a deployment away; the others run on."""

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import Command, argument, dry_run_option, json_option, quiet_option


@click.command(
    "remove", cls=Command, examples=("skep remove ratelimiting", "skep remove --on xdp:eth0")
)
@argument(
    "name",
    required=False,
    help="Name of the deployment.",
    shell_complete=live_names.deployment_names,
)
@click.option(
    "--on",
    metavar="HOOK:TARGET",
    help="Remove every Skep program from this hook.",
    shell_complete=live_names.declared_targets,
)
@click.option("--yes", "-y", is_flag=True, help="Agree to stop programs that cannot be restarted.")
@dry_run_option
@json_option
@quiet_option
def command(
    *, name: str | None, on: str | None, yes: bool, dry_run: bool, json: bool, quiet: bool
) -> None:
    """Remove a deployment; the rest of its chain keeps running."""
    from skep.cli.nodes import this_node
    from skep.cli.removing import removed_by, tell_removed
    from skep.errors import UsageError
    from skep.hooks.table import parse_hook_target

    run = invocation(json=json, quiet=quiet)
    if (name is None) == (on is None):
        raise UsageError(
            "expected the name of a deployment or --on HOOK:TARGET, got "
            + ("neither" if name is None else "both"),
            hint="skep list",
        )
    what = parse_hook_target(on) if on is not None else name or ""
    with this_node(run.environment) as node:
        removed = removed_by(node, what, run, yes=yes, dry_run=dry_run)
    tell_removed(removed, run.output)
