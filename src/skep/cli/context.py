"""What every command gets: its environment and its output, made once per invocation."""

import os
from dataclasses import dataclass
from typing import Annotated

import typer

from skep.cli.environment import Environment, read_environment
from skep.cli.output import Output

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", help="Print details, whole logs too.")]
MarketplaceOption = Annotated[
    str | None,
    typer.Option("--marketplace", metavar="URL", help="Marketplace; default $SKEP_MARKETPLACE."),
]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of one command."""

    environment: Environment
    output: Output


_output = Output()  # main() reports errors through the output of the command that raised them


def current_output() -> Output:
    """Return the output that errors of this process are reported through."""
    return _output


def invocation(*, json: bool = False, quiet: bool = False, verbose: bool = False) -> Invocation:
    """Start a command: read the environment and set up its output."""
    _output.json = _output.json or json
    _output.quiet = _output.quiet or quiet
    _output.verbose = _output.verbose or verbose
    return Invocation(read_environment(os.environ, os.geteuid()), _output)
