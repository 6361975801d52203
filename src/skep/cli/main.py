"""The ``skep`` command: the table of commands, and the one place that turns errors into exits."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import typer
from typer.core import TyperGroup

from skep import __version__
from skep.cli import (
    build,
    chain,
    demo,
    diff,
    doctor,
    inspect,
    install,
    keys,
    list,
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
)
from skep.cli.context import current_output, note_words

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("everyone, first", ("demo",)),
    ("author", ("build", "inspect", "diff", "keys", "sign", "publish")),
    (
        "operator",
        (
            "search", "show", "pull", "verify", "install", "list", "chain", "set", "move",
            "remove", "doctor",
        ),
    ),
    ("owner", ("serve",)),
)  # fmt: skip


class _Sections(TyperGroup):
    """Help that lists commands by the people who type them."""

    def format_commands(self, ctx: typer.Context, formatter: object) -> None:  # type: ignore[override]  # typer's vendored click has no public name for its formatter
        """Write one list per section."""
        del ctx
        for title, names in SECTIONS:
            rows = [(name, self.commands[name].get_short_help_str(60)) for name in names]
            with formatter.section(title):  # type: ignore[attr-defined]  # the formatter, as above
                formatter.write_dl(rows)  # type: ignore[attr-defined]  # the formatter, as above


app = typer.Typer(
    name="skep",
    cls=_Sections,
    help="Skep: find an eBPF program, see what it may do, run it; publish yours.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes 0.1 s to load: start-up is a promise
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"skep {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Skep: find an eBPF program, see what it may do, run it; publish yours."""
    del version


app.command("demo")(demo.command)
app.command("build")(build.command)
app.command("inspect")(inspect.command)
app.command("diff")(diff.command)
app.add_typer(keys.app, name="keys")
app.command("sign")(sign.command)
app.command("publish")(publish.command)
app.command("search")(search.command)
app.command("show")(show.command)
app.command("pull")(pull.command)
app.command("verify")(verify.command)
app.command("install")(install.command)
app.command("list")(list.command)
app.command("chain")(chain.command)
app.command("set")(set.command)
app.command("move")(move.command)
app.command("remove")(remove.command)
app.command("doctor")(doctor.command)
app.command("serve")(serve.command)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Leave on SIGTERM as on Ctrl-C, so that whatever is open is closed and undone."""
    del number, frame
    raise KeyboardInterrupt


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    Exit codes: 0, one per error family (:data:`skep.errors.FAMILIES`), 130 after Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _terminate)
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    note_words(words)
    try:
        code = app(args=words, standalone_mode=False)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except typer.Exit as error:
        sys.exit(error.exit_code)
    except typer.Abort:
        print("aborted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 - the rim: everything becomes a sentence and a code
        usage = getattr(error, "format_message", None)
        if usage is not None:
            print(f"error: {usage()}", file=sys.stderr)
            print("hint: skep COMMAND --help says what it takes", file=sys.stderr)
            sys.exit(2)
        if "--verbose" in words:
            sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(current_output().fail(error))
    sys.exit(code if isinstance(code, int) else 0)
