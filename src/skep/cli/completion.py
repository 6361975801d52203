"""``skep completion``: what a shell runs so that Tab completes Skep's commands and names."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option
from skep.json_documents import schema_id

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    cls=Command,
    examples=(
        "skep completion bash > /etc/bash_completion.d/skep",
        "skep completion zsh > ~/.zfunc/_skep",
        "skep completion fish > ~/.config/fish/completions/skep.fish",
    ),
)
@argument("shell", type=click.Choice(_SHELLS), help="Yours.")
@json_option
@quiet_option
def command(*, shell: str, json: bool, quiet: bool) -> None:
    """Print a script that completes commands and names in your shell."""
    from click.shell_completion import get_completion_class

    run = invocation(json=json, quiet=quiet)
    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(f"click completes no words in {shell}")
    script = kind(root, {}, "skep", "_SKEP_COMPLETE").source()
    run.output.emit(
        {"schema": schema_id("completion"), "shell": shell, "script": script},
        lambda: script.strip().splitlines(),
    )
