"""The table of commands: what holds for every one of them."""

from collections.abc import Iterator

import click
import pytest

from skep.cli.main import SECTIONS, app
from skep.cli.options import Argument, Command
from skep.errors import UsageError


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


COMMANDS = dict(_commands(app))
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@every_command
def test_every_command_is_of_the_shared_class(command: click.Command) -> None:
    assert isinstance(command, Command)


@every_command
def test_every_command_takes_json_and_quiet(command: click.Command) -> None:
    assert {"json", "quiet"} <= {parameter.name for parameter in command.params}


@every_command
def test_every_command_and_parameter_has_help(command: click.Command) -> None:
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
        else:
            assert isinstance(parameter, Argument), parameter.name
            assert parameter.meaning, parameter.name


def test_help_lists_every_command_in_one_section() -> None:
    text = app.get_help(click.Context(app, info_name="skep"))
    listed = [command.name for _, commands in SECTIONS for command in commands]
    assert sorted(map(str, listed)) == sorted(app.commands)
    for title, commands in SECTIONS:
        section = text.partition(f"{title}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines()] == [
            command.name for command in commands
        ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param([], "neither", id="neither"),
        pytest.param(["limit", "--on", "xdp:eth0"], "both", id="both"),
    ],
)
def test_remove_needs_a_name_or_a_hook(words: list[str], said: str) -> None:
    with (
        pytest.raises(UsageError, match=f"got {said}"),
        app.make_context("skep", ["remove", *words]) as context,
    ):
        app.invoke(context)
