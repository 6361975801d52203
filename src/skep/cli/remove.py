"""``skep remove``: take a deployment away; the others run on."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option


@click.command("remove", cls=Command)
@argument("name", required=False, help="Name of the deployment.")
@click.option("--on", metavar="HOOK:TARGET", help="Take everything of Skep's off this hook.")
@click.option("--yes", "-y", is_flag=True, help="Agree that others stop that cannot run again.")
@json_option
@quiet_option
def command(*, name: str | None, on: str | None, yes: bool, json: bool, quiet: bool) -> None:
    """Take a deployment away; the other programs of its chain run on."""
    from skep.cli.interrupts import change_first
    from skep.cli.nodes import this_node
    from skep.errors import UsageError, codes
    from skep.hooks.table import parse_hook_target
    from skep.node.deploying.documents import remove_document

    run = invocation(json=json, quiet=quiet)
    if (name is None) == (on is None):
        raise UsageError(
            "expected the name of a deployment or --on HOOK:TARGET, got "
            + ("neither" if name is None else "both"),
            hint="skep list shows what is where",
        )
    target = None if on is None else parse_hook_target(on)
    with this_node(run.environment) as node, change_first():
        if target is not None:
            removed = node.remove_all(target)
        else:
            removed = node.remove(name or "", others_may_stop=yes)
    where = ", ".join(str(each) for each in removed.on)
    links = [link.pin for link in removed.links]
    lines = [
        f"removed {what}" + (f" from {where}" if where else "")
        for what in (*removed.names, *(f"the link {link}" for link in links))
    ]
    for stopped in removed.stopped:
        run.output.warn(f"{stopped} does not run any more; install it again")
    run.output.emit(
        remove_document(removed),
        lambda: lines,
        done=", ".join(lines),
    )
    if removed.unrecorded is not None:
        run.output.warn(
            f"{removed.unrecorded.message}; so only the program was detached, and skep list says "
            f"'not running'. Run it again later to remove the records"
        )
        raise click.exceptions.Exit(codes(removed.unrecorded).exit_code)
