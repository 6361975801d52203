"""``skep list``: what this node should run, and whether it does."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, json_option, quiet_option, wide_option


@click.command("list", cls=Command, examples=("skep list", "skep list --json"))
@json_option
@quiet_option
@wide_option
def command(*, json: bool, quiet: bool, wide: bool) -> None:
    """List deployments: state, trust, settings, newer versions."""
    from skep.cli.list_rows import damaged_row, list_lines, list_row
    from skep.cli.listings import doubt_text
    from skep.cli.newer_versions import with_newer, without_defaults
    from skep.cli.reading import this_node_for_reading
    from skep.node.looking.documents import list_document

    run = invocation(json=json, quiet=quiet, wide=wide)
    with this_node_for_reading(run.environment) as node:
        installed, damaged = node.installed(with_remarks=json), node.damaged()
        here, interrupted, doubt = node.here(), node.interrupted(), node.doubt
        standings = [node.standing(one) for one in installed]
    standings = without_defaults(run.environment.content, installed, standings)
    listed = with_newer(run.environment.heard, installed, standings)
    if interrupted:
        run.output.warn("a change was interrupted; skep doctor --repair undoes it")
    if doubt is not None:
        run.output.warn(doubt_text(doubt))
    for row in damaged:
        run.output.warn(
            f"the record of {row.name} is damaged; skep doctor --repair tries to repair it"
        )
    rows = [list_row(one, standing, here) for one, standing in listed]
    rows += [damaged_row(row.name) for row in damaged]
    run.output.emit(
        list_document(listed, damaged, interrupted),
        lambda: (
            list_lines(rows, run.output.surface(), is_wide=wide)
            if rows
            else ["no deployments on this node"]
        ),
    )
