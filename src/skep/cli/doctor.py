"""``skep doctor``: find what is not as it should be; mend it if asked to."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, json_option, quiet_option


@click.command("doctor", cls=Command, examples=("skep doctor", "skep doctor --repair"))
@click.option("--repair", is_flag=True, help="Repair what can be repaired. Without it, only look.")
@json_option
@quiet_option
def command(*, repair: bool, json: bool, quiet: bool) -> None:
    """Find problems on this node, and how to repair them.

    Exits with 12 if there is something to repair.
    """
    from contextlib import nullcontext

    from skep.cli.exit_codes import TO_MEND
    from skep.cli.interrupts import change_first
    from skep.cli.nodes import this_node
    from skep.cli.repairing import finding_lines, summary
    from skep.node.converging.documents import findings_document

    run = invocation(json=json, quiet=quiet)
    with change_first() if repair else nullcontext(), this_node(run.environment) as node:
        found = node.repair() if repair else node.examine()
    run.output.emit(
        findings_document(found),
        lambda: finding_lines(run.output, found),
        done=summary(found) if any(one.repaired for one in found) else "",
    )
    if any(one.is_open for one in found):
        raise click.exceptions.Exit(TO_MEND)
