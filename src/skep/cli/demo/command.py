"""``skep demo``: options, what is shown at the end, and leaving on Ctrl-C."""

from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, VerboseOption, invocation


def command(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show the whole flow: build, sign, publish, find, pull, verify, run, change, remove."""
    from skep.cli.demo.run import run_demo

    run_demo(invocation(json=json, quiet=quiet, verbose=verbose), keep=keep)
