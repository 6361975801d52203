"""``skep list``: what this node should run, and whether it does."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, json_option, quiet_option


@click.command("list", cls=Command)
@json_option
@quiet_option
def command(*, json: bool, quiet: bool) -> None:
    """List deployments, their places and whether they run."""
    from skep.cli.listings import doubt_text, listed_row
    from skep.cli.output import table
    from skep.cli.reading import this_node_for_reading
    from skep.node.looking.documents import list_document

    run = invocation(json=json, quiet=quiet)
    with this_node_for_reading(run.environment) as node:
        listed, damaged, here = node.installed(with_remarks=json), node.damaged(), node.here()
        interrupted, doubt = node.interrupted(), node.doubt
    if interrupted:
        run.output.warn("a change was interrupted; skep doctor --repair undoes it")
    if doubt is not None:
        run.output.warn(doubt_text(doubt))
    for row in damaged:
        run.output.warn(
            f"the record of {row.name} is damaged; skep doctor --repair tries to mend it"
        )
    rows = [listed_row(one, here) for one in listed]
    rows += [["?", "?", row.name, "?", "record damaged"] for row in damaged]
    run.output.emit(
        list_document(listed, damaged, interrupted),
        lambda: (
            table(rows, ["on", "order", "name", "package", "state"])
            if rows
            else ["nothing is deployed here"]
        ),
    )
