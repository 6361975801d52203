"""``skep help``: what ``--help`` says, asked for as a command."""

import click

from skep.cli.context import invocation
from skep.cli.options import Command, argument, json_option, quiet_option, summary
from skep.json_documents import schema_id


def _commands(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Names of commands, or of those below the ones that are typed already."""
    del parameter
    explained: click.Command | None = context.find_root().command
    for word in context.params.get("words") or ():
        explained = explained.commands.get(word) if isinstance(explained, click.Group) else None
    commands = explained.commands if isinstance(explained, click.Group) else {}
    return [name for name in commands if name.startswith(incomplete)]


@click.command("help", cls=Command, examples=("skep help install", "skep help keys trust"))
@argument(
    "words",
    nargs=-1,
    metavar="[COMMAND]...",
    help="A command. Default: list all.",
    shell_complete=_commands,
)
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, /, *, words: tuple[str, ...], json: bool, quiet: bool) -> None:
    """Explain a command, with examples."""
    run = invocation(json=json, quiet=quiet)
    about = context.find_root()
    explained = about.command
    for word in words:
        if not isinstance(explained, click.Group):
            raise click.UsageError(f"{about.command_path} has no commands", about)
        name, found, _ = explained.resolve_command(about, [word])
        explained = found or explained
        about = click.Context(explained, parent=about, info_name=name)
    commands = explained.commands if isinstance(explained, click.Group) else {}
    run.output.emit(
        {
            "schema": schema_id("help"),
            "command": about.command_path,
            "summary": summary(explained),
            "text": explained.get_help(about),
            "commands": [
                {"name": name, "summary": summary(each)} for name, each in commands.items()
            ],
        },
        lambda: explained.get_help(about).splitlines(),
    )
