"""What commands have in common on the command line: their class, arguments, shared options.

A command is one file and one function:

    @click.command("greet", cls=Command)
    @argument("name", help="Whom to greet.")
    @click.option("--times", type=int, default=1, help="How often.")
    @json_option
    @quiet_option
    def command(*, name: str, times: int, json: bool, quiet: bool) -> None:
        ...

Its first docstring line is its help. What it needs is imported inside, because every command's
file is loaded before any of them runs; :data:`skep.cli.main.SECTIONS` lists it.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

PATH = click.Path(path_type=Path)


class Argument(click.Argument):
    """A positional argument with ``help``, which click itself knows only from 8.5 on."""

    def __init__(self, param_decls: Sequence[str], **attributes: Any) -> None:
        self.meaning = str(attributes.pop("help"))
        super().__init__(param_decls, **attributes)

    def row(self, context: click.Context) -> tuple[str, str]:
        """What ``--help`` says of it: how it is written, and its meaning."""
        [written] = self.get_usage_pieces(context)
        if isinstance(self.default, str):
            return written, f"{self.meaning}  [default: {self.default}]"
        return written, self.meaning


argument = partial(click.argument, cls=Argument)


class Command(click.Command):
    """A command that explains its arguments."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        rows = [each.row(ctx) for each in self.params if isinstance(each, Argument)]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


class Group(click.Group):
    """A command of commands, such as ``skep keys``."""

    command_class = Command


json_option = click.option("--json", is_flag=True, help="Print one JSON document.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
verbose_option = click.option("--verbose", is_flag=True, help="Print details, whole logs too.")
yes_option = click.option("-y", "--yes", is_flag=True, help="Agree, without being asked.")
marketplace_option = click.option(
    "--marketplace", metavar="URL", help="Marketplace; default $SKEP_MARKETPLACE."
)
