"""The ``skep`` command: the table of commands, and the one place that turns errors into exits."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from skep import __version__
from skep.cli import (
    build,
    chain,
    completion,
    demo,
    diff,
    doctor,
    headers,
    help,
    inspect,
    install,
    keys,
    list,
    marketplace,
    move,
    publish,
    pull,
    remove,
    search,
    serve,
    set,
    show,
    sign,
    verify,
    version,
)
from skep.cli.completing import COMPLETE
from skep.cli.context import current_output, note_words
from skep.cli.exit_codes import DONE, INTERRUPTED
from skep.cli.foreign_errors import as_skep_error
from skep.cli.interrupts import came_after_change, ignore_interrupts
from skep.cli.options import CommandGroup, summary
from skep.cli.streams import silence
from skep.errors import SkepError

SECTIONS: tuple[tuple[str, tuple[click.Command, ...]], ...] = (
    ("Start here", (demo.command, help.command)),
    ("Find", (search.command, show.command, pull.command)),
    (
        "Run",
        (
            install.command, list.command, chain.command, set.command, move.command,
            remove.command,
        ),
    ),
    (
        "Publish",
        (
            build.command, headers.command, inspect.command, diff.command, sign.command,
            publish.command,
        ),
    ),
    ("Trust", (keys.command, verify.command, marketplace.command)),
    ("Look after", (doctor.command, serve.command, completion.command, version.command)),
)  # fmt: skip


class _Skep(CommandGroup):
    """All commands, listed by what they are for."""

    def overview(self, context: click.Context) -> str:
        """Every command on one screen, by name: what somebody sees who types ``skep``."""
        del context
        rows = [
            f"{title:<13} {'  '.join(str(each.name) for each in commands)}"
            for title, commands in SECTIONS
        ]
        end = "skep help COMMAND shows details; skep demo shows the whole flow in a minute."
        return "\n".join((_ABOUT, "", *rows, "", end))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one list per section."""
        del ctx
        widest = max(len(str(each.name)) for _, commands in SECTIONS for each in commands)
        for title, commands in SECTIONS:
            with formatter.section(title):
                formatter.write_dl(
                    [(str(each.name).ljust(widest), summary(each)) for each in commands]
                )


_ABOUT = "Skep: find an eBPF program, see what it can do, run it; publish yours."


@click.group(
    "skep",
    cls=_Skep,
    help=_ABOUT,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version.")
def app() -> None:
    """Choose a command."""


for _, commands in SECTIONS:
    for each in commands:
        app.add_command(each)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Leave on SIGTERM as on Ctrl-C, so that whatever is open is closed and undone."""
    del number, frame
    raise KeyboardInterrupt


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    Exit codes: :mod:`skep.cli.exit_codes`, and one per error family.
    """
    signal.signal(signal.SIGTERM, _terminate)
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    note_words(words)
    if instruction := os.environ.get(COMPLETE):
        from skep.cli.completing import answer_shell

        sys.exit(answer_shell(app, instruction))
    try:
        code = execute(words)
        # What was asked for later comes too late: Python's way out takes longer than some commands.
        ignore_interrupts()
        is_interrupted = came_after_change()
    except KeyboardInterrupt:
        ignore_interrupts()
        is_interrupted = True
    if is_interrupted:
        current_output().say(_interrupted())
        code = INTERRUPTED
    sys.exit(code)


def _interrupted() -> str:
    """What became of a command that was interrupted."""
    done = current_output().done
    if done or came_after_change():
        return f"interrupted after the change was made{': ' if done else ''}{done}"
    return "interrupted"


def _end_of_options(words: Sequence[str]) -> int:
    return words.index("--") if "--" in words else len(words)


def execute(words: Sequence[str]) -> int:
    """Run one command; returns its exit code.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        # Not app.main(): that reports Ctrl-C and closed pipes in its own way.
        with app.make_context("skep", [*words]) as context:
            app.invoke(context)
    except BrokenPipeError:
        # Only help and the version get here: see Output. Python writes out what is left at exit;
        # that must not fail a second time. Whoever reads only the beginning of it has what they
        # wanted, so it is no error.
        silence(sys.stdout)
        silence(sys.stderr)
        return DONE
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, EOFError):
        current_output().say("aborted")
        return INTERRUPTED
    except click.ClickException as error:
        from skep.cli.usage_errors import as_usage_error

        output = current_output()
        # The words were not understood, so that nobody has said yet how the output is to be.
        output.json = output.json or "--json" in words[: _end_of_options(words)]
        return output.fail(as_usage_error(error, words))
    except Exception as error:  # noqa: BLE001 - the rim: everything becomes a sentence and a code
        if "--verbose" in words:
            sys.excepthook(type(error), error, error.__traceback__)
        told = as_skep_error(error)
        if isinstance(told, SkepError):
            from skep.cli.usage_errors import meaning_another

            meaning_another(told, words)
        return current_output().fail(told)
    return DONE
