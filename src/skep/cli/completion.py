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
        "skep completion bash > ~/.local/share/bash-completion/completions/skep",
        "skep completion zsh > ~/.zfunc/_skep",
        "skep completion fish > ~/.config/fish/completions/skep.fish",
    ),
)
@argument("shell", type=click.Choice(_SHELLS), help="Your shell.")
@json_option
@quiet_option
def command(*, shell: str, json: bool, quiet: bool) -> None:
    """Print a script that completes commands and names in your shell."""
    from skep.cli.completing import script_for

    run = invocation(json=json, quiet=quiet, wide=True)  # no line of a script may be broken
    script = script_for(click.get_current_context().find_root().command, shell)
    run.output.emit(
        {"schema": schema_id("completion"), "shell": shell, "script": script},
        lambda: script.strip().splitlines(),
    )
