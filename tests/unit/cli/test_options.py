"""What commands have in common: help of arguments, and options that are given once."""

import click
import pytest

from skep.cli.options import PATH, Command, argument, json_option, quiet_option


@click.command("example", cls=Command)
@argument("reference", metavar="REF", help="A package.")
@argument("folder", type=PATH, default=".", help="Where it goes.")
@click.option("--on", help="A hook.")
@click.option("--set", "settings", multiple=True, help="May be repeated.")
@click.option("--louder", count=True, help="May be repeated.")
@click.option("-o", "--output", "to", type=PATH, help="A file.")
@click.option("--repair/--no-repair", default=True, help="Repair it.")
@json_option
@quiet_option
def example(**_: object) -> None:
    """Do something."""


def _parsed(*words: str) -> dict[str, object]:
    return example.make_context("example", [*words]).params


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param("--on a --on b", "--on", id="two-values"),
        pytest.param("--on a --on a", "--on", id="same-value"),
        pytest.param("--on a --on b --on c", "--on", id="three"),
        pytest.param("--on=a --json --on b", "--on", id="apart"),
        pytest.param("-o a --output b", "--output", id="short-and-long"),
        pytest.param("-oa -ob", "--output", id="short"),
        pytest.param("--json --json", "--json", id="flag"),
        pytest.param("-qq", "--quiet", id="flags-in-one-word"),
        pytest.param("--repair --no-repair", "--repair or --no-repair", id="on-and-off"),
    ],
)
def test_an_option_given_twice_is_refused(words: str, name: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        _parsed("a/b", *words.split())
    assert caught.value.format_message() == f"{name} was given twice"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param(["a/b", "--on", ""], "--on", id="option"),
        pytest.param(["a/b", "--on="], "--on", id="option-in-one-word"),
        pytest.param(["a/b", "-o", ""], "--output", id="path"),
        pytest.param([""], "REF", id="argument"),
        pytest.param(["a/b", ""], "[FOLDER]", id="argument-with-a-default"),
    ],
)
def test_an_empty_value_is_refused(words: list[str], name: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        _parsed(*words)
    assert caught.value.format_message() == f"{name} is empty; is a shell variable not set?"


def test_repeatable_options_may_be_repeated() -> None:
    params = _parsed("a/b", "--set", "a=1", "--set", "b=2", "--louder", "--louder")
    assert params["settings"] == ("a=1", "b=2")
    assert params["louder"] == 2


def test_values_that_look_like_an_option_do_not_count() -> None:
    assert _parsed("--set", "--on", "--on", "a", "--", "--on")["on"] == "a"


def test_help_is_shown_even_if_an_option_was_given_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(click.exceptions.Exit):
        _parsed("a/b", "--on", "a", "--on", "b", "--help")
    assert "Do something." in capsys.readouterr().out


def test_completion_reads_what_is_half_typed() -> None:
    words = ["--on", "a", "--on"]
    assert example.make_context("example", words, resilient_parsing=True).params["on"] == "a"


def test_help_lists_arguments_before_options() -> None:
    text = example.get_help(click.Context(example, info_name="example"))
    assert "Usage: example [OPTIONS] REF [FOLDER]\n" in text
    arguments, _, options = text.partition("Options:\n")
    assert "Arguments:\n  REF       A package.\n  [FOLDER]  Where it goes." in arguments
    assert "[default: .]" in arguments
    assert "--on" in options
    assert "REF" not in options
