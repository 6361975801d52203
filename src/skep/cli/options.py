"""What commands have in common on the command line: their class, arguments, shared options.

A command is one file and one function:

    @click.command("greet", cls=Command, examples=("skep greet world --times 2",))
    @argument("name", help="Whom to greet.")
    @click.option("--times", type=int, default=1, help="How often.")
    @json_option
    @quiet_option
    def command(*, name: str, times: int, json: bool, quiet: bool) -> None:
        ...

Its first docstring line is its help, and stands beside its name in ``skep --help``, so it must be
short enough. What it needs is imported inside, because every command's file is loaded before any
of them runs; :data:`skep.cli.main.SECTIONS` lists it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec

import click

from skep.cli import live_names

_Taken = ParamSpec("_Taken")

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
    """A command that explains its arguments, and refuses options given twice and empty values.

    Attributes:
        examples: whole command lines that can be typed.
    """

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **attributes: Any) -> None:
        self.examples = tuple(examples)
        super().__init__(*arguments, **attributes)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read ``args``.

        Raises:
            click.UsageError: click's own reasons, or an option that takes one value was given
                twice: click alone would take the last one, silently; or a value is empty, as an
                unset shell variable is.
        """
        words = [*args]  # click empties the list while it reads
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:  # completion reads what is only half typed
            self._refuse_repetition(ctx, [*words])
            self._refuse_emptiness(ctx, [*words])
        return rest

    def _refuse_repetition(self, context: click.Context, words: list[str]) -> None:
        _, _, given = self.make_parser(context).parse_args(words)
        for parameter, times in Counter(given).items():
            if not isinstance(parameter, click.Option) or times == 1:
                continue
            if not (parameter.multiple or parameter.count):
                raise click.UsageError(f"{_spelled(parameter)} was given twice", context)

    def _refuse_emptiness(self, context: click.Context, words: list[str]) -> None:
        # An empty path would be this directory, an empty name none: never what was meant.
        values, _, _ = self.make_parser(context).parse_args(words)
        for parameter in self.params:
            if parameter.name is not None and values.get(parameter.name) == "":
                name = (
                    _spelled(parameter)
                    if isinstance(parameter, click.Option)
                    else parameter.make_metavar(context)
                )
                raise click.UsageError(f"{name} is empty; is a shell variable not set?", context)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        rows = [each.row(ctx) for each in self.params if isinstance(each, Argument)]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each whole on its line, however long: they are there to be copied."""
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"  {example}\n")


def _spelled(option: click.Option) -> str:
    """Its long name, and the one that turns it off, if any."""
    return " or ".join(
        max(names, key=len) for names in (option.opts, option.secondary_opts) if names
    )


def summary(command: click.Command) -> str:
    r"""The first line of a command's help, whole, without its full stop.

    >>> summary(click.Command("greet", help="Greet somebody, politely.\n\nMore."))
    'Greet somebody, politely'
    """
    return (command.help or "").partition("\n")[0].strip().rstrip(".")


class CommandGroup(click.Group):
    """A command of commands, such as ``skep keys``; without one of them it is asked for help."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read ``args``; if there are none, print what there is to choose from and exit with 0."""
        if not args and not ctx.resilient_parsing:
            click.echo(self.overview(ctx))
            ctx.exit()
        return super().parse_args(ctx, args)

    def overview(self, context: click.Context) -> str:
        """What the bare command prints."""
        return context.get_help()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first lines of their help, which are never cut."""
        names = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(command)) for name, command in names])


json_option = click.option("--json", is_flag=True, help="Print one JSON document.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")
verbose_option = click.option("--verbose", is_flag=True, help="Print details and whole logs.")
wide_option = click.option(
    "--wide", is_flag=True, help="Print everything in full, whatever the terminal's width."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Agree, without being asked.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be done.")
_before_option = click.option(
    "--before",
    metavar="NAME",
    help="Run before this deployment.",
    shell_complete=live_names.neighbours,
)
_after_option = click.option(
    "--after",
    metavar="NAME",
    help="Run after this deployment.",
    shell_complete=live_names.neighbours,
)
_order_option = click.option("--order", type=int, help="Lower runs first.")


def placement_options(command: Callable[_Taken, None]) -> Callable[_Taken, None]:
    """A place in a chain; :func:`skep.chains.ordering.parse_placement` makes one of the three."""
    return _before_option(_after_option(_order_option(command)))


marketplace_option = click.option(
    "--marketplace",
    metavar="NAME|URL",
    help="Ask this marketplace, not the default one.",
    shell_complete=live_names.marketplaces,
)
