"""The conventions of loved command lines, one test each, named for the convention it shows.

Those that need a kernel, a marketplace or an answer to a question are shown elsewhere:

- refusing off a terminal without ``--yes``: ``tests/journeys/test_consent.py``
- completion of live names: ``tests/unit/cli/test_completing.py``
- exit codes by cause, ``verify`` lists its checks: ``tests/journeys/test_bad_input.py``,
  ``tests/journeys/test_trusting.py``
"""

import io
import json
import shlex
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

NARROW = 80  # columns


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield " ".join((*names, name)), command
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)


EVERYTHING = dict(_commands(app))
COMMANDS = {name: each for name, each in EVERYTHING.items() if isinstance(each, Command)}
GROUPS = [name for name, each in EVERYTHING.items() if isinstance(each, click.Group)]


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
