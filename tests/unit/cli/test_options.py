"""What commands have in common: help of arguments."""

import click

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


def test_help_lists_arguments_before_options() -> None:
    text = example.get_help(click.Context(example, info_name="example"))
    assert "Usage: example [OPTIONS] REF [FOLDER]\n" in text
    arguments, _, options = text.partition("Options:\n")
    assert "Arguments:\n  REF       A package.\n  [FOLDER]  Where it goes." in arguments
    assert "[default: .]" in arguments
    assert "--on" in options
    assert "REF" not in options
