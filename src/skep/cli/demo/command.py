"""``skep demo``: options, what is shown at the end, and leaving on Ctrl-C."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, json_option, quiet_option, verbose_option


@click.command("demo", cls=Command, examples=("skep demo", "skep demo --keep"))
@click.option("--keep", is_flag=True, help="Leave everything running until Ctrl-C.")
@json_option
@quiet_option
@verbose_option
def command(*, keep: bool, json: bool, quiet: bool, verbose: bool) -> None:
    """Show the whole flow, from building a package to removing it.

    Builds, signs, publishes, finds, pulls, verifies, runs, changes and removes two programs, in a
    marketplace and a network of its own that are gone afterwards.
    """
    from skep.cli.demo.run import run_demo

    run_demo(invocation(json=json, quiet=quiet, verbose=verbose), keep=keep)
