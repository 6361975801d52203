"""``skep version``: which Skep this is."""

import click

from skep import __version__
from skep.cli.context import invocation
from skep.cli.options import Command, json_option, quiet_option
from skep.json_documents import schema_id


@click.command("version", cls=Command, examples=("skep version",))
@json_option
@quiet_option
def command(*, json: bool, quiet: bool) -> None:
    """Print the version of Skep."""
    run = invocation(json=json, quiet=quiet)
    run.output.emit(
        {"schema": schema_id("version"), "version": __version__}, lambda: [f"skep {__version__}"]
    )
