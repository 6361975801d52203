"""``skep build``: from ``skep.toml`` and C sources to a package in ``dist/``."""

from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.options import (
    PATH,
    Command,
    argument,
    json_option,
    quiet_option,
    verbose_option,
    wide_option,
)
from skep.json_documents import schema_id


@click.command(
    "build", cls=Command, examples=("skep build", "skep build bpf/programs/ratelimiting --json")
)
@argument("directory", type=PATH, default=".", help="Folder with skep.toml.")
@json_option
@quiet_option
@wide_option
@verbose_option
def command(*, directory: Path, json: bool, quiet: bool, verbose: bool, wide: bool) -> None:
    """Compile, analyse and package what a skep.toml describes."""
    from skep.cli.building import build_package
    from skep.cli.progress import working

    run = invocation(json=json, quiet=quiet, verbose=verbose, wide=wide)
    with working(f"building {directory.resolve().name}", run.output):
        built = build_package(directory, run.environment)
    for warning in built.warnings:
        run.output.warn(warning)
    what = "built" if built.changed else "unchanged:"
    run.output.emit(
        {
            "schema": schema_id("build"),
            "package": built.reference,
            "digest": built.digest,
            "layout": str(built.layout),
            "size_bytes": built.size_bytes,
            "compiler": built.compiler,
            "changed": built.changed,
            "warnings": list(built.warnings),
        },
        lambda: [
            f"{what} {built.reference}  {run.output.digest(built.digest)}",
            f"with {built.compiler}, in {built.layout}",
        ],
    )
