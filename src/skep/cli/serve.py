"""``skep serve``: run a marketplace."""

import sys
from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.options import PATH, Command, json_option, quiet_option
from skep.json_documents import schema_id


@click.command(
    "serve",
    cls=Command,
    examples=("skep serve", "skep serve --port 8800 --publisher skep=skep.pub"),
)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8750, help="0 picks a free port.")
@click.option("--data", type=PATH, help="Folder for the marketplace's data.")
@click.option(
    "--publisher",
    "publishers",
    multiple=True,
    metavar="NAME=KEYFILE",
    help="Publisher and public key; may be repeated.",
)
@click.option("--until-stdin-ends", is_flag=True, help="Stop when standard input is closed.")
@json_option
@quiet_option
def command(
    *,
    host: str,
    port: int,
    data: Path | None,
    publishers: tuple[str, ...],
    until_stdin_ends: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Run a marketplace until Ctrl-C."""
    from skep.cli.files import read_file
    from skep.clock import system_clock
    from skep.errors import UsageError
    from skep.marketplace.registry.settings import ServeSettings
    from skep.marketplace.registry.wiring import serve

    run = invocation(json=json, quiet=quiet)
    keys: dict[str, tuple[bytes, ...]] = {}
    for text in publishers:
        name, separator, path = text.partition("=")
        if not separator or not name or not path:
            raise UsageError(
                f"expected NAME=KEYFILE, got {text!r}", hint="--publisher skep=skep.pub"
            )
        keys[name] = (*keys.get(name, ()), read_file(Path(path), "a public key", 64 * 1024))
    settings = ServeSettings(
        directory=data or run.environment.marketplace_data,
        host=host,
        port=port,
        publishers=keys,
    )

    def ready(url: str) -> None:
        names = ", ".join(keys) or "none yet; --publisher NAME=KEYFILE adds one"
        run.output.emit(
            {
                "schema": schema_id("serve"),
                "url": url,
                "data": str(settings.directory),
                "publishers": [*keys],
            },
            lambda: [f"serving {url}", f"data in {settings.directory}", f"publishers: {names}"],
        )

    serve(settings, system_clock, ready, sys.stdin.fileno() if until_stdin_ends else None)
