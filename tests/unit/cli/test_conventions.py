"""The conventions of loved command lines, one test each, named for the convention it shows.

Those that need a kernel, a marketplace or an answer to a question are shown elsewhere:

- refusing off a terminal without ``--yes``: ``tests/journeys/test_consent.py``
- completion of live names: ``tests/unit/cli/test_completing.py``
- exit codes by cause, ``verify`` lists its checks: ``tests/journeys/test_bad_input.py``,
  ``tests/journeys/test_trusting.py``
"""

import ast
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.builders.commands import Ran, Skep

from skep import __version__
from skep.cli import context, main
from skep.cli.main import SECTIONS, app
from skep.cli.options import Command, summary
from skep.cli.output import Output
from skep.cli.surfaces import Surface, columns, wants_colour
from skep.cli.tables import table
from skep.errors import NotFound

NARROW = 80  # columns
OBJECTS = Path(__file__).resolve().parents[2] / "fixtures" / "objects"
DROPPING, READING = OBJECTS / "may_net_drop.o", OBJECTS / "may_user_read_memory.o"
CLI = Path(main.__file__).parent
HEAVY = ("cryptography", "license_expression", "sqlite3", "ssl", "urllib3")
PRINTING = (
    "-h", "help", "help install", "version", "--version", "completion bash", "list", "list --json",
    "keys list", "marketplace list", f"inspect {DROPPING}", f"diff {DROPPING} {READING}",
)  # fmt: skip


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield " ".join((*names, name)), command
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)


EVERYTHING = dict(_commands(app))
COMMANDS = {name: each for name, each in EVERYTHING.items() if isinstance(each, Command)}
GROUPS = [name for name, each in EVERYTHING.items() if isinstance(each, click.Group)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def skep(tmp_path: Path) -> Skep:
    return Skep(tmp_path / "root")


# Bare command, -h, help: help on standard output, exit 0.


def test_the_bare_command_shows_every_command_by_what_it_is_for(skep: Skep) -> None:
    ran = skep()
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    for title, commands in SECTIONS:
        (line,) = [line for line in lines if line.startswith(f"{title}  ")]
        assert line.removeprefix(title).split() == [each.name for each in commands]
    assert max(map(len, lines)) <= NARROW
    assert len(lines) <= 24


def test_help_is_one_text_however_it_is_asked_for(skep: Skep) -> None:
    asked = [skep(word) for word in ("-h", "--help", "help")]
    assert {(ran.code, ran.out.rstrip(), ran.err) for ran in asked} == {
        (0, asked[0].out.rstrip(), "")
    }
    assert [skep(word).code for word in GROUPS] == [0] * len(GROUPS)


def test_help_of_a_command_is_one_text_however_it_is_asked_for(skep: Skep) -> None:
    asked = [skep(*words.split()) for words in ("keys trust -h", "help keys trust")]
    assert asked[0].out.startswith("Usage: skep keys trust [OPTIONS] PUBLISHER [FILE]\n")
    assert {(ran.code, ran.out.rstrip(), ran.err) for ran in asked} == {
        (0, asked[0].out.rstrip(), "")
    }


def test_the_version_is_one_text_however_it_is_asked_for(skep: Skep) -> None:
    for word in ("version", "--version"):
        assert skep(word) == Ran(0, f"skep {__version__}\n", "")


# The first line of help fits; examples in help.


@pytest.mark.parametrize("name", ["", *GROUPS])
def test_the_first_line_of_help_fits_beside_the_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(NARROW))
    group = EVERYTHING[name] if name else app
    assert isinstance(group, click.Group)
    text = group.get_help(click.Context(group, info_name="skep"))
    assert "..." not in text.replace("[ARGS]...", "")
    for command in group.commands.values():
        assert f"{summary(command)}\n" in f"{text}\n"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_help_has_examples_that_are_invocations_of_the_command(command: Command) -> None:
    assert command.examples
    for example in command.examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words[0] == "skep"
        root = click.Context(app, info_name="skep")
        found: click.Command | None = app
        rest = words[1:]
        while isinstance(found, click.Group):
            _, found, rest = found.resolve_command(root, rest)
        assert found is command
        command.make_context(command.name, list(rest), parent=root)
        assert example in command.get_help(root)


# Did you mean.


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        pytest.param("serach limit", "skep search limit", id="command"),
        pytest.param(
            "keys tust skep --from public", "skep keys trust skep --from public", id="sub"
        ),
        pytest.param("help instal", "skep help install", id="help-of-a-command"),
        pytest.param("list --jsno", "skep list --json", id="option"),
        pytest.param("search a --limt=3", "skep search a --limit=3", id="option-and-value"),
        pytest.param("completion bsh", "skep completion bash", id="one-of-a-closed-set"),
    ],
)
def test_a_slip_is_answered_with_what_was_meant(skep: Skep, words: str, meant: str) -> None:
    ran = skep(*words.split())
    assert ran.code == 2
    assert "did you mean" in ran.err
    assert ran.err.splitlines()[-1].split(maxsplit=1) == ["hint:", meant]


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        pytest.param("chain xpd:eth0", "skep chain xdp:eth0", id="hook"),
        pytest.param("sign . --key wrok", "skep sign . --key work", id="key"),
        pytest.param("keys remove wrok --yes", "skep keys remove work --yes", id="own-key"),
        pytest.param("marketplace default pubic", "skep marketplace default public", id="place"),
        pytest.param(
            f"inspect {DROPPING} --why net.drpo",
            f"skep inspect {DROPPING} --why net.drop",
            id="permission",
        ),
        pytest.param(
            f"inspect {DROPPING} --disassemble --program mises",
            f"skep inspect {DROPPING} --disassemble --program misses",
            id="program",
        ),
    ],
)
def test_a_name_nothing_has_is_answered_with_the_nearest(
    skep: Skep, words: str, meant: str
) -> None:
    if os.geteuid() != 0 and words.startswith("chain"):
        pytest.skip("looking at chains needs root")
    skep.ok("keys", "create", "work")
    skep.ok("marketplace", "add", "public", "https://market.example")
    ran = skep(*words.split())
    assert "did you mean" in ran.err
    assert ran.err.splitlines()[-1].split(maxsplit=1) == ["hint:", meant]


def test_a_name_that_is_like_no_other_is_answered_with_those_there_are(skep: Skep) -> None:
    skep.ok("keys", "create", "work")
    err = skep("sign", ".", "--key", "elsewhere").err
    assert "keys there: work" in err
    assert "hint:  skep keys create elsewhere" in err


# What is missing is named in one line, with one example: no help text.


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("set", "NAME is missing", "for example skep set ratelimiting rate=500/s"),
        ("move", "NAME is missing", "for example skep move ratelimiting --before port-filter"),
        (
            "install skep/ratelimiting",
            "--on HOOK:TARGET is missing",
            "for example skep install skep/ratelimiting --on xdp:eth0",
        ),
        ("keys untrust", "PUBLISHER is missing", "for example skep keys untrust skep"),
    ],
)
def test_what_is_missing_is_named_with_an_example(
    skep: Skep, words: str, error: str, hint: str
) -> None:
    ran = skep(*words.split())
    assert (ran.code, ran.err.splitlines()) == (2, [f"error: {error}", f"hint:  {hint}"])


# --json answers every error, usage errors too.


@pytest.mark.parametrize("name", COMMANDS)
def test_json_answers_a_usage_error_of_every_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(context, "_output", Output(out=out, err=err))
    code = main.execute([*name.split(), "--no-such-option", "--json"])
    error = Ran(code, out.getvalue(), err.getvalue()).document["error"]
    assert code == 2
    assert isinstance(error, dict)
    assert error["family"] == "usage"
    assert error["hint"].startswith("skep ")


def test_json_is_one_document_and_nothing_else(skep: Skep) -> None:
    for words in ("version", "help", "help keys", "completion bash", "keys list", "list"):
        document = skep(*words.split(), "--json").document
        assert str(document["schema"]).startswith("skep.dev/")
    assert json.loads(skep("help", "keys", "--json").out)["commands"]


# Data on standard output, talk on standard error; a closed pipe is no error.


@pytest.mark.parametrize("words", PRINTING)
def test_a_closed_pipe_is_no_error(skep: Skep, words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        finished = subprocess.run(
            skep.words(*words.split()),
            env=skep.variables,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (finished.returncode, finished.stderr) == (0, b"")


# The same colours in every command: NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM=dumb.


@pytest.mark.parametrize(
    ("variables", "on_a_terminal", "in_a_pipe"),
    [
        pytest.param({}, True, False, id="nothing-said"),
        pytest.param({"NO_COLOR": "1"}, False, False, id="no-color"),
        pytest.param({"NO_COLOR": ""}, True, False, id="no-color-empty"),
        pytest.param({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False, id="no-color-wins"),
        pytest.param({"CLICOLOR": "0"}, False, False, id="clicolor"),
        pytest.param({"CLICOLOR_FORCE": "1"}, True, True, id="forced"),
        pytest.param({"CLICOLOR_FORCE": "0"}, True, False, id="not-forced"),
        pytest.param({"TERM": "dumb"}, False, False, id="dumb"),
    ],
)
def test_colours_are_shown_where_they_are_wanted(
    variables: dict[str, str],
    on_a_terminal: bool,  # noqa: FBT001 - a column of the table above
    in_a_pipe: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    assert wants_colour({"TERM": "xterm"} | variables, is_terminal=True) is on_a_terminal
    assert wants_colour({"TERM": "xterm"} | variables, is_terminal=False) is in_a_pipe


@pytest.mark.parametrize("words", [f"inspect {DROPPING}", f"diff {DROPPING} {READING}", "nonsense"])
def test_every_command_shows_colours_by_the_same_rule(skep: Skep, words: str) -> None:
    for variables, has_colour in (({"NO_COLOR": "1"}, False), ({"CLICOLOR_FORCE": "1"}, True)):
        finished = subprocess.run(
            skep.words(*words.split()),
            env=skep.variables | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ("\x1b[" in finished.stdout + finished.stderr) is has_colour


def test_colours_are_written_in_one_place() -> None:
    writing = {path.name for path in CLI.rglob("*.py") if r"\x1b[" in path.read_text("utf-8")}
    assert writing <= {"surfaces.py", "frames.py", "steps.py"}, "frames and steps move the cursor"


# Tables fit 80 columns; a pipe gets whole lines; --wide shows everything.

ROWS = [["skep/limit", "1.2.0", "Limits new connections per second to listed ports, and more"] * 2]
HEADING = ["package", "version", "summary", "other", "newest", "remarks"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_table_fits_its_terminal_and_loses_nothing(width: int) -> None:
    lines = table(ROWS, HEADING, Surface(width), gives_way="summary")
    assert max(map(columns, lines)) <= width
    shown = Counter("".join("".join(lines).split()))
    assert shown == Counter("".join(" ".join([*ROWS[0], *map(str.upper, HEADING)]).split()))


def test_a_table_keeps_names_whole_that_people_copy() -> None:
    rows = [["skep/limit", "1.2.0", "words " * 30]]
    lines = table(rows, HEADING[:3], Surface(NARROW))
    assert lines[1].startswith("skep/limit  1.2.0    words words")
    assert all(line.startswith(" " * 21 + "words") for line in lines[2:])


def test_every_line_fits_its_terminal_but_commands_stay_whole() -> None:
    screen = Terminal()
    command = "skep install skep/some-package --on hook:eth0 --set " + "ports=80 " * 9
    long = "  + program: helpers " + "bpf_map_lookup_elem, " * 9
    output = Output(out=screen, variables={"COLUMNS": "80"})
    output.emit({"schema": "x"}, lambda: [long, command])
    *lines, last = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= NARROW
    assert all(line.startswith("    bpf_map") for line in lines[1:])
    assert last == command


def test_a_table_in_a_pipe_has_whole_lines() -> None:
    assert len(table(ROWS, HEADING, Surface())) == len(table(ROWS, HEADING, Surface(500))) == 2


def test_wide_shows_everything_on_whole_lines() -> None:
    digest = f"sha256:{'7e' * 32}"
    narrow, wide = Output(out=Terminal()), Output(out=Terminal(), wide=True)
    assert narrow.digest(digest) == "7e7e7e7e7e7e"
    assert wide.digest(digest) == digest
    assert wide.surface().width is None


# Help, --json and errors in pipes load no more than they need.


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        pytest.param("--help", {"rich", *HEAVY}, id="help"),
        pytest.param("", {"rich", *HEAVY}, id="bare"),
        pytest.param("version", {"rich", *HEAVY}, id="version"),
        pytest.param("nonsense", {"rich", *HEAVY}, id="usage-error"),
        pytest.param("list --json", {"rich", "urllib3", "cryptography"}, id="list"),
        pytest.param(f"inspect {DROPPING} --json", {"rich", "urllib3"}, id="inspect"),
        pytest.param("inspect nowhere.o", {"rich", "urllib3"}, id="error"),
    ],
)
def test_what_is_not_needed_is_not_loaded(skep: Skep, words: str, spared: set[str]) -> None:
    code = "import sys; from skep.cli.main import execute; execute(sys.argv[1:]);"
    finished = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules, file=sys.stderr)", *words.split()],
        env=skep.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not spared & set(finished.stderr.splitlines()[-1].split())


def test_rich_is_named_where_something_is_drawn_and_nowhere_else() -> None:
    naming = {
        path.name
        for path in CLI.parent.rglob("*.py")
        if re.search(r"^\s*(from|import) rich\b", path.read_text("utf-8"), re.MULTILINE)
    }
    assert naming == {"progress.py", "tables.py"}


# error: and hint: apart; the hint is a command to paste.


def test_error_and_hint_stand_below_each_other(skep: Skep) -> None:
    ran = skep("keys", "trust", "skep")
    first, second = ran.err.splitlines()
    assert first.startswith("error: expected a FILE")
    assert second == "hint:  skep keys trust skep --from MARKETPLACE"


def test_an_error_fits_its_terminal_and_its_hint_stays_whole() -> None:
    screen = Terminal()
    hint = "skep install " + "skep/some-package " * 6
    error = NotFound("words " * 40, hint=hint)
    Output(err=screen, variables={"COLUMNS": "80", "NO_COLOR": "1"}).fail(error)
    *lines, last = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= NARROW
    assert all(line.startswith(" " * 7 + "words") for line in lines[1:])
    assert last == f"hint:  {hint}"


def _hints() -> Iterator[tuple[str, str]]:
    """Where each hint is, and its text with X for what is filled in."""
    for path in sorted(CLI.parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for text in _texts(node.value):
                    yield f"{path.relative_to(CLI.parent)}:{node.value.lineno}", text


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(
                str(each.value) if isinstance(each, ast.Constant) else "X" for each in values
            )
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body)
            yield from _texts(orelse)


def test_a_hint_that_is_a_command_is_nothing_but_a_command() -> None:
    commands = [(where, text) for where, text in _hints() if text.startswith("skep ")]
    assert len(commands) > 20
    wrong = []
    for where, text in commands:
        root = click.Context(app, info_name="skep")
        found: click.Command | None = app
        rest = shlex.split(text)[1:]
        try:
            while isinstance(found, click.Group):
                _, found, rest = found.resolve_command(root, rest)
            assert found is not None
            found.make_context(found.name, list(rest), parent=root)
        except click.ClickException as error:
            wrong.append(f"{where}: {text}: {error.format_message()}")
    assert not wrong
